/**
 * Duty: takes outcomes from Workers to the store (elsewhere: acker). The outcomes of a tick leave together, one call
 * per Segment, kind and retention; each is sent until the store has taken or refused it.
 */
import type { OutcomeAnswer, ReleaseElement } from "../engine/transitions.js";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { type ResendContext, resend } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import { afterTick } from "../queue/tick.js";
import type { Attempt } from "../worker/attempt.js";
import type { Unstarted } from "../worker/inline.js";
import type { OutcomePort } from "../worker/port.js";

/** How an Attempt's end was taken by the store. */
export type SettledKind = "completed" | "failed" | "cancelled" | "retried" | "released" | "stale";

/** What the completer needs. */
export interface CompleterOptions extends ResendContext {
  readonly segments: Segments;
  readonly owner: string;
  /** Whether anybody wants to be told of outcomes one by one. */
  readonly isWatched: () => boolean;
  /** Told of each outcome the store has answered. */
  readonly settled: (attempt: Attempt, kind: SettledKind, value: Uint8Array | null) => void;
  /** Told when the store has answered a batch: claiming may have waited for it. */
  readonly answered: () => void;
}

interface Failure {
  readonly attempt: Attempt;
  readonly value: Uint8Array;
  readonly retryInMs: number | null;
}

interface Release {
  readonly attempt: Attempt;
  readonly delayMs: number | null;
}

/** The outcomes of one Segment with one retention that wait for the end of the tick. */
interface Outbox {
  readonly segment: string;
  readonly retainMs: number;
  /** Completed Attempts, and their outcome bytes beside them: two rows cost less than a pair for each. */
  completed: Attempt[];
  values: Uint8Array[];
  failures: Failure[];
  releases: Release[];
}

/** Calls in flight per kind of outcome before later outcomes gather. */
const WINDOW = 4;

/** Carries outcomes to the store. */
export class Completer implements OutcomePort {
  readonly #options: CompleterOptions;
  readonly #outboxes = new Map<string, Outbox>();
  /** The one used last: nearly always the one wanted next. */
  #lastOutbox: Outbox | null = null;
  readonly #progress = new Map<Attempt, Uint8Array>();
  #isFlushPlanned = false;
  #calls = 0;
  #unacknowledged = 0;
  #drained: (() => void)[] = [];

  constructor(options: CompleterOptions) {
    this.#options = options;
  }

  /** Outcomes the store has not answered yet; when there are too many, claiming should pause. */
  get backlog(): number {
    return this.#unacknowledged;
  }

  completed(attempt: Attempt, value: Uint8Array): void {
    const outbox = this.#outbox(attempt, attempt.step.retainCompletedMs);
    outbox.completed.push(attempt);
    outbox.values.push(value);
    this.#took(attempt);
  }

  failed(attempt: Attempt, value: Uint8Array, retryInMs: number | null): void {
    this.#outbox(attempt, attempt.step.retainFailedMs).failures.push({ attempt, value, retryInMs });
    this.#took(attempt);
  }

  released(attempt: Attempt, delayMs: number | null): void {
    this.#outbox(attempt, attempt.step.retainCompletedMs).releases.push({ attempt, delayMs });
    this.#took(attempt);
  }

  progressed(attempt: Attempt, value: Uint8Array): void {
    this.#progress.set(attempt, value);
    this.#plan();
  }

  /** Gives back what was claimed and never begun; it keeps its place at the front. */
  async giveBack(unstarted: readonly Unstarted[]): Promise<void> {
    const { store, owner, counters, segments } = this.#options;
    for (const { segment, claims } of unstarted) {
      const elements = claims.map(
        ({ lane, counter, token }): ReleaseElement => ({ lane, counter, token, delayMs: null }),
      );
      const params = { owner, retainMs: RELEASE_RETAIN_MS, elements };
      this.#unacknowledged += claims.length;
      try {
        const { answers } = await resend(this.#options, Number.POSITIVE_INFINITY, () => store.release(segment, params));
        const stale = answers.filter((answer) => answer === "stale").length;
        counters.add("released", answers.length - stale);
        counters.add("stale", stale);
      } catch {
        // The store is closed or refuses for good: what stays held is rescued when its Lease is over.
      } finally {
        this.#answered(segments.view(segment), claims.length);
      }
    }
  }

  /** Resolves when the store has answered everything handed in so far. */
  whenDrained(): Promise<void> {
    if (this.#unacknowledged === 0) return Promise.resolve();
    return new Promise((resolve) => this.#drained.push(resolve));
  }

  #outbox(attempt: Attempt, retainMs: number): Outbox {
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

  #took(attempt: Attempt): void {
    this.#unacknowledged++;
    if (this.#progress.size > 0) this.#progress.delete(attempt);
    this.#plan();
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
    if (this.#calls >= WINDOW) return; // the next answer flushes
    for (const outbox of this.#outboxes.values()) {
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
    if (this.#outboxes.size > OUTBOXES_MAX) {
      this.#outboxes.clear(); // all are empty now
      this.#lastOutbox = null;
    }
  }

  async #complete(outbox: Outbox, batch: readonly Attempt[], values: readonly Uint8Array[]): Promise<void> {
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
  }

  async #fail(outbox: Outbox, batch: readonly Failure[]): Promise<void> {
    const { store, owner, counters } = this.#options;
    const elements = batch.map(({ attempt, value, retryInMs }) => {
      const { lane, counter, token } = attempt.claim;
      return { lane, counter, token, retryInMs, value };
    });
    const params = { owner, retainMs: outbox.retainMs, elements };
    await this.#send(
      outbox.segment,
      batch,
      () => store.fail(outbox.segment, params),
      (answers) => {
        for (const [i, failure] of batch.entries()) {
          const answer = answers[i] ?? "stale";
          const ended = failure.attempt.abortKind === "cancel" ? "cancelled" : "failed";
          const kind = answer === "stale" ? "stale" : failure.retryInMs === null ? ended : "retried";
          counters.add(kind);
          this.#options.settled(failure.attempt, kind, failure.value);
        }
      },
    );
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
  }

  async #send(
    segment: string,
    batch: readonly unknown[],
    call: () => Promise<{ readonly answers: readonly OutcomeAnswer[] }>,
    answered: (answers: readonly OutcomeAnswer[]) => void,
  ): Promise<void> {
    this.#calls++;
    this.#options.counters.add("outcomeCalls");
    try {
      const { answers } = await resend(this.#options, Number.POSITIVE_INFINITY, call);
      answered(answers);
    } catch {
      // The store is closed or refuses for good: what is unanswered stays with its Lease and is rescued elsewhere.
    } finally {
      this.#calls--;
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
