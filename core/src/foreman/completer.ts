/**
 * Duty: takes outcomes from Workers to the store (elsewhere: acker). The outcomes of a tick leave together, one call
 * per Segment, kind and retention; each is sent until the store has taken or refused it.
 */
import type { Timer } from "../base/clock.js";
import type { Claim, OutcomeAnswer, ReleaseElement } from "../engine/transitions.js";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { type ResendContext, resend } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import { afterTick } from "../queue/tick.js";
import type { Unstarted } from "../worker/inline.js";
import type { Assignment, OutcomePort } from "../worker/port.js";
import { SUSPECT_RECOVERIES } from "./quarantine.js";

/** How an Attempt's end was taken by the store. */
export type SettledKind = "completed" | "failed" | "cancelled" | "retried" | "released" | "stale";

/** What the completer needs. */
export interface CompleterOptions extends ResendContext {
  readonly segments: Segments;
  readonly owner: string;
  /** Whether anybody wants to be told of outcomes one by one. */
  readonly isWatched: () => boolean;
  /** Told of each outcome the store has answered. */
  readonly settled: (attempt: Assignment, kind: SettledKind, value: Uint8Array | null) => void;
  /**
   * Told when an Operation that was rescued often has left this process: by its outcome (`hasEnded`), which the store has
   * answered, or back to its Queue.
   */
  readonly left: (claim: Claim, hasEnded: boolean) => void;
  /** Told when the store has answered a batch: claiming may have waited for it. */
  readonly answered: () => void;
}

interface Failure {
  readonly attempt: Assignment;
  readonly value: Uint8Array;
  readonly retryInMs: number | null;
}

interface Release {
  readonly attempt: Assignment;
  readonly delayMs: number | null;
}

/** The outcomes of one Segment with one retention that wait for the end of the tick. */
interface Outbox {
  readonly segment: string;
  readonly retainMs: number;
  /** Completed Attempts, and their outcome bytes beside them: two rows cost less than a pair for each. */
  completed: Assignment[];
  values: Uint8Array[];
  failures: Failure[];
  releases: Release[];
}

/** Calls in flight per kind of outcome before later outcomes gather. */
const WINDOW = 4;
/** A call without an answer for so long is stuck and counts no more: others need not wait behind a server that is away. */
const STUCK_MS = 2_000;

/** A call in flight. */
interface Flight {
  readonly segment: string;
  readonly sinceMs: number;
  isStuck: boolean;
}

/** Carries outcomes to the store. */
export class Completer implements OutcomePort {
  readonly #options: CompleterOptions;
  readonly #outboxes = new Map<string, Outbox>();
  /** The one used last: nearly always the one wanted next. */
  #lastOutbox: Outbox | null = null;
  readonly #progress = new Map<Assignment, Uint8Array>();
  #isFlushPlanned = false;
  /** Those in flight that are not stuck. */
  #calls = 0;
  readonly #flights = new Set<Flight>();
  /** Segments with stuck calls, and how many: what comes for them gathers until one is answered. */
  readonly #stuck = new Map<string, number>();
  /** Set while the window is full: looks for stuck calls. */
  #windowTimer: Timer | null = null;
  #unacknowledged = 0;
  #drained: (() => void)[] = [];

  constructor(options: CompleterOptions) {
    this.#options = options;
  }

  /** Outcomes the store has not answered yet; when there are too many, claiming should pause. */
  get backlog(): number {
    return this.#unacknowledged;
  }

  completed(attempt: Assignment, value: Uint8Array): void {
    const outbox = this.#outbox(attempt, attempt.step.retainCompletedMs);
    outbox.completed.push(attempt);
    outbox.values.push(value);
    this.#took(attempt);
  }

  failed(attempt: Assignment, value: Uint8Array, retryInMs: number | null): void {
    this.#outbox(attempt, attempt.step.retainFailedMs).failures.push({ attempt, value, retryInMs });
    this.#took(attempt);
  }

  released(attempt: Assignment, delayMs: number | null): void {
    this.#outbox(attempt, attempt.step.retainCompletedMs).releases.push({ attempt, delayMs });
    this.#took(attempt);
  }

  progressed(attempt: Assignment, value: Uint8Array): void {
    this.#progress.set(attempt, value);
    this.#plan();
  }

  /** Gives back what was claimed and never begun: to the front, where its place was, or to come again after a delay. */
  async giveBack(unstarted: readonly Unstarted[], delayMs: number | null = null): Promise<void> {
    const bySegment = new Map<string, Claim[]>();
    for (const { segment, claims } of unstarted) {
      const all = bySegment.get(segment);
      if (all === undefined) bySegment.set(segment, [...claims]);
      else all.push(...claims);
    }
    await Promise.all([...bySegment].map(([segment, claims]) => this.#giveAllBack(segment, claims, delayMs)));
  }

  async #giveAllBack(segment: string, claims: Claim[], delayMs: number | null): Promise<void> {
    // The order of each call becomes the order at the front: oldest claim first, so the latest are sent first.
    const ordered = claims.sort((a, b) => a.token - b.token);
    this.#unacknowledged += ordered.length;
    for (let end = ordered.length; end > 0; end -= BATCH_MAX) {
      await this.#giveBack(segment, ordered.slice(Math.max(0, end - BATCH_MAX), end), delayMs);
    }
  }

  /** Resolves when the store has answered everything handed in so far. */
  whenDrained(): Promise<void> {
    if (this.#unacknowledged === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  async #giveBack(segment: string, claims: readonly Claim[], delayMs: number | null): Promise<void> {
    const { store, owner, counters, segments } = this.#options;
    const elements = claims.map(({ lane, counter, token }): ReleaseElement => ({ lane, counter, token, delayMs }));
    const params = { owner, retainMs: RELEASE_RETAIN_MS, elements };
    try {
      const { answers } = await resend(
        this.#options,
        Number.POSITIVE_INFINITY,
        () => store.release(segment, params),
        segment,
      );
      const stale = answers.filter((answer) => answer === "stale").length;
      counters.add("released", answers.length - stale);
      counters.add("stale", stale);
    } catch {
      // The store is closed or refuses for good: what stays held is rescued when its Lease is over.
    } finally {
      for (const claim of claims) this.#leaves(claim, false);
      this.#answered(segments.view(segment), claims.length);
    }
  }

  #outbox(attempt: Assignment, retainMs: number): Outbox {
    const last = this.#lastOutbox;
    if (last !== null && last.retainMs === retainMs && last.segment === attempt.segment) return last;
    const key = `${retainMs} ${attempt.segment}`;
    let outbox = this.#outboxes.get(key);
    if (outbox === undefined) {
      outbox = { segment: attempt.segment, retainMs, completed: [], values: [], failures: [], releases: [] };
      this.#outboxes.set(key, outbox);
    }
    this.#lastOutbox = outbox;
    return outbox;
  }

  #took(attempt: Assignment): void {
    this.#unacknowledged++;
    if (this.#progress.size > 0) this.#progress.delete(attempt);
    this.#plan();
  }

  /** Until the store has answered it is held here: a death meanwhile would count against it, whatever became of it. */
  #leaves(claim: Claim, hasEnded: boolean): void {
    if (claim.recoveries >= SUSPECT_RECOVERIES) this.#options.left(claim, hasEnded);
  }

  #plan(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    afterTick(() => {
      this.#isFlushPlanned = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#progress.size > 0) this.#sendProgress();
    if (this.#calls >= WINDOW) return this.#watchWindow(); // the next answer flushes
    for (const outbox of this.#outboxes.values()) {
      if (this.#stuck.size > 0 && this.#stuck.has(outbox.segment)) continue;
      const { completed, values, failures, releases } = outbox;
      outbox.completed = [];
      outbox.values = [];
      outbox.failures = [];
      outbox.releases = [];
      for (let at = 0; at < completed.length; at += BATCH_MAX) {
        void this.#complete(outbox, completed.slice(at, at + BATCH_MAX), values.slice(at, at + BATCH_MAX));
      }
      for (let at = 0; at < failures.length; at += BATCH_MAX) {
        void this.#fail(outbox, failures.slice(at, at + BATCH_MAX));
      }
      // The order of the array becomes the order at the front: oldest claim first, so the latest are sent first.
      const ordered = releases.sort((a, b) => a.attempt.claim.token - b.attempt.claim.token);
      for (let end = ordered.length; end > 0; end -= BATCH_MAX) {
        void this.#release(outbox, ordered.slice(Math.max(0, end - BATCH_MAX), end));
      }
    }
    if (this.#outboxes.size > OUTBOXES_MAX && this.#stuck.size === 0) {
      this.#outboxes.clear(); // all are empty now
      this.#lastOutbox = null;
    }
  }

  #watchWindow(): void {
    if (this.#windowTimer !== null) return;
    const { clock } = this.#options;
    this.#windowTimer = clock.setTimer(STUCK_MS, () => {
      this.#windowTimer = null;
      for (const flight of this.#flights) {
        if (clock.monotonicMs() - flight.sinceMs >= STUCK_MS) this.#setStuck(flight);
      }
      if (this.#unacknowledged > 0) this.#plan();
    });
    this.#windowTimer.unref();
  }

  #setStuck(flight: Flight): void {
    if (flight.isStuck) return;
    flight.isStuck = true;
    this.#calls--;
    this.#stuck.set(flight.segment, (this.#stuck.get(flight.segment) ?? 0) + 1);
  }

  #land(flight: Flight): void {
    this.#flights.delete(flight);
    if (!flight.isStuck) {
      this.#calls--;
      return;
    }
    const others = (this.#stuck.get(flight.segment) ?? 1) - 1;
    if (others > 0) this.#stuck.set(flight.segment, others);
    else this.#stuck.delete(flight.segment);
  }

  async #complete(outbox: Outbox, batch: readonly Assignment[], values: readonly Uint8Array[]): Promise<void> {
    const { store, owner, counters } = this.#options;
    const params = { owner, retainMs: outbox.retainMs, held: batch.map((attempt) => attempt.claim), values };
    await this.#send(
      outbox.segment,
      batch,
      () => store.complete(outbox.segment, params),
      (answers) => {
        const stale = answers.reduce((sum, answer) => (answer === "stale" ? sum + 1 : sum), 0);
        counters.add("completed", batch.length - stale);
        counters.add("stale", stale);
        if (!this.#options.isWatched()) return;
        for (const [i, attempt] of batch.entries()) {
          this.#options.settled(attempt, answers[i] === "stale" ? "stale" : "completed", values[i] ?? null);
        }
      },
    );
    for (const { claim } of batch) this.#leaves(claim, true);
  }

  async #fail(outbox: Outbox, batch: readonly Failure[]): Promise<void> {
    const { store, owner } = this.#options;
    const elements = batch.map(({ attempt, value, retryInMs }) => {
      const { lane, laneName, counter, token } = attempt.claim;
      return { lane, laneName, counter, token, retryInMs, value };
    });
    const params = { owner, retainMs: outbox.retainMs, elements };
    await this.#send(
      outbox.segment,
      batch,
      () => store.fail(outbox.segment, params),
      (answers) => {
        const marked: Assignment[] = [];
        for (const [i, { attempt, value, retryInMs }] of batch.entries()) {
          const answer = answers[i] ?? "stale";
          if (answer !== "stale" && retryInMs === null && attempt.abortKind === "cancel") marked.push(attempt);
          else this.#tell(attempt, answer === "stale" ? "stale" : retryInMs === null ? "failed" : "retried", value);
        }
        return marked.length === 0 ? null : this.#tellMarked(outbox.segment, marked);
      },
    );
    for (const { attempt } of batch) this.#leaves(attempt.claim, true);
  }

  /** What was told to end had been cancelled, or its deadline had come: its record says which. */
  async #tellMarked(segment: string, marked: readonly Assignment[]): Promise<void> {
    const { store } = this.#options;
    const dots = marked.map(({ claim: { laneName, counter } }) => ({ laneName, counter }));
    const read = resend(this.#options, STUCK_MS, () => store.find(segment, { dots, wait: false }), segment);
    const { records } = await read.catch(() => ({ records: [] }));
    for (const [i, attempt] of marked.entries()) {
      const record = records[i];
      const hasFailed = typeof record === "object" && record.state === "failed";
      this.#tell(attempt, hasFailed ? "failed" : "cancelled", hasFailed ? record.value : null);
    }
  }

  #tell(attempt: Assignment, kind: "failed" | "cancelled" | "retried" | "stale", value: Uint8Array | null): void {
    this.#options.counters.add(kind);
    this.#options.settled(attempt, kind, value);
  }

  async #release(outbox: Outbox, batch: readonly Release[]): Promise<void> {
    const { store, owner, counters } = this.#options;
    const elements = batch.map(({ attempt, delayMs }): ReleaseElement => {
      const { lane, counter, token } = attempt.claim;
      return { lane, counter, token, delayMs };
    });
    const params = { owner, retainMs: outbox.retainMs, elements };
    await this.#send(
      outbox.segment,
      batch,
      () => store.release(outbox.segment, params),
      (answers) => {
        for (const [i, released] of batch.entries()) {
          const answer = answers[i] ?? "stale";
          counters.add(answer === "stale" ? "stale" : "released");
          this.#options.settled(released.attempt, answer === "stale" ? "stale" : "released", null);
        }
      },
    );
    for (const { attempt } of batch) this.#leaves(attempt.claim, false);
  }

  async #send(
    segment: string,
    batch: readonly unknown[],
    call: () => Promise<{ readonly answers: readonly OutcomeAnswer[] }>,
    answered: (answers: readonly OutcomeAnswer[]) => Promise<void> | null | void,
  ): Promise<void> {
    const flight: Flight = { segment, sinceMs: this.#options.clock.monotonicMs(), isStuck: false };
    this.#flights.add(flight);
    this.#calls++;
    this.#options.counters.add("outcomeCalls");
    const attempt = () =>
      call().catch((error: unknown) => {
        this.#setStuck(flight);
        this.#plan();
        throw error;
      });
    try {
      const { answers } = await resend(this.#options, Number.POSITIVE_INFINITY, attempt, segment);
      const told = answered(answers);
      if (told) await told;
    } catch {
      // The store is closed or refuses for good: what is unanswered stays with its Lease and is rescued elsewhere.
    } finally {
      this.#land(flight);
      this.#answered(this.#options.segments.view(segment), batch.length);
      if (this.#unacknowledged > 0) this.#plan();
    }
  }

  #answered(view: SegmentView, count: number): void {
    view.held -= count;
    this.#unacknowledged -= count;
    this.#options.answered();
    if (this.#unacknowledged > 0) return;
    const drained = this.#drained;
    this.#drained = [];
    for (const resolve of drained) resolve();
  }

  #sendProgress(): void {
    const { store, owner } = this.#options;
    const bySegment = new Map<string, { lane: number; counter: number; token: number; value: Uint8Array }[]>();
    for (const [attempt, value] of this.#progress) {
      const { lane, counter, token } = attempt.claim;
      const list = bySegment.get(attempt.segment) ?? [];
      list.push({ lane, counter, token, value });
      bySegment.set(attempt.segment, list);
    }
    this.#progress.clear();
    for (const [segment, elements] of bySegment) {
      // Progress is for people: a note lost in a cut is replaced by the next one.
      store.progress(segment, { owner, elements }).catch(() => undefined);
    }
  }
}

/** Retention of what turns out to be cancelled when it is given back. */
const RELEASE_RETAIN_MS = 86_400_000;
/** Outboxes kept for reuse: one per Segment and retention in use. */
const OUTBOXES_MAX = 4_096;
