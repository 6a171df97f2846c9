/**
 * A lane (elsewhere: producer session): the ordered stream of Operations one incarnation writes into one Queue.
 *
 * Coalesces the submissions of a tick into batches of consecutive counters and keeps a few calls in flight. The store
 * accepts a batch only behind its predecessor, so after a cut or a refusal everything unacknowledged is sent again in
 * order with the same counters: nothing is lost, nothing is accepted twice. What is tied to gates alone has lanes of its
 * own, one per Queue.
 *
 * Life: `closed` (no lane number yet; exits to `opening` with the first submission) · `opening` · `flowing` (calls in
 * flight; exits to `recovering` on the first refusal, gap or unknown outcome) · `recovering` (no new batch; waits until
 * every call has ended, then re-sends one by one; exits to `flowing` when nothing is unacknowledged) · `ended`.
 * Must not import a store implementation.
 */
import { Deque } from "../base/deque.js";
import { createError } from "../base/errors.js";
import { formatId } from "../engine/dot.js";
import type { GateTie } from "../engine/ties.js";
import type { EnqueueAnswer } from "../engine/transitions.js";
import type { Attendant } from "./attendant.js";
import {
  isResendable,
  pauseBefore,
  pauseCounted,
  type Repeats,
  type ResendContext,
  resend,
  waitReady,
} from "./resend.js";
import type { Submission } from "./submission.js";
import { afterTick } from "./tick.js";

/** Operations in one call: past a few hundred the cost per Operation no longer falls, latency still rises. */
export const BATCH_MAX = 1_000;
/** Bytes in one call, so that large payloads do not block the server; a single larger one travels alone. */
export const BATCH_BYTES_MAX = 1024 * 1024;
/** Calls in flight: two keep the server busy while answers travel, and make later callers gather meanwhile. */
const WINDOW = 2;
/** Submissions held back at most while the store is away. */
const PENDING_MAX = 1_000_000;
/** How often expiry is looked at during an outage. */
const EXPIRY_CHECK_MS = 500;

interface Batch<Sent extends Submission> {
  first: number;
  readonly submissions: readonly Sent[];
  readonly bodies: readonly Uint8Array[];
  /** Of a tied lane: the gates of each. */
  readonly gates: readonly (readonly GateTie[])[] | undefined;
  readonly sinceMs: number;
  /** An earlier send may have been accepted. */
  isUnknown: boolean;
  /** A send of it has no answer yet. */
  isCalling: boolean;
  /** Its submitters were told MR_INDETERMINATE; it is still sent, so that its successors have their predecessor. */
  isAbandoned: boolean;
}

/** What a lane needs. */
export interface LaneContext extends ResendContext {
  readonly segment: string;
  readonly incarnation: string;
  /** How long a submission waits for an acknowledgement. */
  readonly timeoutMs: number;
  /** Whoever in this process looks after what is enqueued; null for nobody. */
  readonly attendant: Attendant | null;
  /** Two fresh lane digits of this incarnation. Errors: MR_QUEUE_FULL when none is left. */
  nextDigits(): string;
}

/** The writer of one lane: a tied one if it is told of which gates each submission is. */
export class FastLane<Sent extends Submission = Submission> {
  readonly #context: LaneContext;
  readonly #queue: string;
  readonly #gatesOf: ((submission: Sent) => readonly GateTie[]) | null;
  readonly #pending = new Deque<Sent>();
  /** Unacknowledged batches in counter order. */
  #sent: Batch<Sent>[] = [];
  #callsInFlight = 0;
  #state: "closed" | "opening" | "flowing" | "recovering" | "ended" = "closed";
  #laneName = "";
  #lane = 0;
  #nextCounter = 1;
  /** Why the lane ended, or null. */
  #endError: Error | null = null;
  #isFlushPlanned = false;
  /** A flush was planned in this turn of the event loop. */
  #hadFlush = false;
  /** Since when submissions wait for a store that is away; 0 while flowing. */
  #stuckSinceMs = 0;

  constructor(context: LaneContext, queue: string, gatesOf: ((submission: Sent) => readonly GateTie[]) | null = null) {
    this.#context = context;
    this.#queue = queue;
    this.#gatesOf = gatesOf;
  }

  /** How many submissions have no answer yet. */
  get backlog(): number {
    return this.#sent.reduce((sum, batch) => sum + batch.submissions.length, this.#pending.length);
  }

  /** Takes a submission; it leaves with all others of this tick. */
  push(submission: Sent): void {
    if (this.#endError !== null) return submission.refused(this.#endError);
    if (this.#pending.length >= PENDING_MAX) {
      return submission.refused(createError("MR_QUEUE_FULL", { queue: this.#queue, max: PENDING_MAX }));
    }
    this.#pending.push(submission);
    this.#planFlush();
  }

  /**
   * Takes back what the store certainly does not have: submissions that were never sent, and those whose every send
   * was refused, in order. What may be there stays here, with its counters; it alone is sent again.
   */
  withdraw(): Sent[] {
    const withdrawn: Sent[] = [];
    for (let last = this.#sent.at(-1); last !== undefined; last = this.#sent.at(-1)) {
      if (last.isUnknown || last.isCalling || last.isAbandoned) break;
      this.#sent.pop();
      // Nobody has seen these counters: the next batch may have them.
      this.#nextCounter = last.first;
      withdrawn.unshift(...last.submissions);
    }
    for (const submission of this.#pending.shiftMany(this.#pending.length)) withdrawn.push(submission);
    return withdrawn;
  }

  /** Refuses what was never sent, and all that comes, with `error`; what was sent is of unknown fate. */
  end(error: Error): void {
    if (this.#endError !== null) return;
    this.#endError = error;
    this.#state = "ended";
    for (const batch of this.#sent) this.#abandon(batch);
    this.#refusePending(error);
  }

  /**
   * Plans a flush for the end of this tick; if this turn of the event loop had one already, for the next turn. A store
   * in this process answers within the turn, and callers that enqueue again on every answer would keep I/O, timers and
   * the Worker from ever having theirs.
   */
  #planFlush(): void {
    if (this.#isFlushPlanned) return;
    this.#isFlushPlanned = true;
    const flush = () => {
      this.#isFlushPlanned = false;
      this.#flush();
    };
    const { clock } = this.#context;
    if (this.#hadFlush) return clock.immediate(flush);
    this.#hadFlush = true;
    clock.immediate(() => {
      this.#hadFlush = false;
    });
    afterTick(flush);
  }

  #flush(): void {
    if (this.#state === "closed") void this.#open();
    if (this.#state !== "flowing") return;
    while (this.#pending.length > 0 && this.#callsInFlight < WINDOW) this.#send(this.#cut());
  }

  async #open(): Promise<void> {
    this.#state = "opening";
    try {
      await this.#openFresh();
      this.#setState("flowing");
      this.#flush();
    } catch (error) {
      this.#setState("closed");
      // The lane was not opened, so nothing of this was sent: refused, whatever became of the opening call.
      const reason = (error as Error).message; // resend and laneOpen reject with errors only
      const unsent = createError("MR_STORE_UNAVAILABLE", { store: this.#context.store.url, reason }, { cause: error });
      this.#refusePending(isResendable(error) ? unsent : (error as Error));
    }
  }

  /** Opens a lane nobody has written to: after a loss in the store, old counters must not be used again. */
  async #openFresh(): Promise<void> {
    const { store, segment, incarnation, timeoutMs } = this.#context;
    this.#laneName = `${incarnation}.${this.#context.nextDigits()}`;
    const params = { laneName: this.#laneName, queue: this.#queue, isTied: this.#gatesOf !== null };
    const opened = await resend(this.#context, timeoutMs, () => store.laneOpen(segment, params), segment);
    if (opened.answer !== "ok") throw createError("MR_CONFLICT", { what: "a lane", id: this.#laneName });
    this.#lane = opened.lane;
    this.#nextCounter = opened.accepted + 1;
  }

  #cut(): Batch<Sent> {
    const submissions: Sent[] = [];
    const bodies: Uint8Array[] = [];
    let bytes = 0;
    while (submissions.length < BATCH_MAX) {
      const next = this.#pending.at(0);
      if (next === undefined || (bodies.length > 0 && bytes + next.body.length > BATCH_BYTES_MAX)) break;
      bytes += next.body.length;
      submissions.push(next);
      bodies.push(next.body);
      this.#pending.shift();
    }
    const first = this.#nextCounter;
    this.#nextCounter += submissions.length;
    const sinceMs = this.#context.clock.monotonicMs();
    const gates = this.#gatesOf === null ? undefined : submissions.map(this.#gatesOf);
    const batch = {
      first,
      submissions,
      bodies,
      gates,
      sinceMs,
      isUnknown: false,
      isCalling: false,
      isAbandoned: false,
    };
    this.#sent.push(batch);
    return batch;
  }

  #call(batch: Batch<Sent>): Promise<EnqueueAnswer> {
    const { store, segment, counters, attendant } = this.#context;
    counters.add("enqueueCalls");
    batch.isCalling = true;
    const isQuiet = attendant?.attends(segment, this.#queue) ?? false;
    const { first, bodies, gates } = batch;
    const params = { lane: this.#lane, laneName: this.#laneName, first, bodies, isQuiet };
    const answer = store.enqueue(segment, gates === undefined ? params : { ...params, gates });
    // Behind the call, so that the claim it sets off finds what was enqueued.
    if (isQuiet) attendant?.sent(segment, this.#queue);
    return answer;
  }

  #send(batch: Batch<Sent>): void {
    this.#callsInFlight++;
    this.#call(batch).then(
      (answer) => {
        batch.isCalling = false;
        if (answer.answer === "ok") this.#acknowledge(batch);
        else this.#setState("recovering");
        this.#callEnded();
      },
      (error: unknown) => {
        batch.isCalling = false;
        this.#note(batch, error);
        this.#setState("recovering");
        this.#callEnded();
      },
    );
  }

  #callEnded(): void {
    this.#callsInFlight--;
    if (this.#state === "flowing") {
      if (this.#pending.length > 0) this.#planFlush();
    } else if (this.#state === "recovering" && this.#callsInFlight === 0) void this.#recover();
  }

  #acknowledge(batch: Batch<Sent>): void {
    this.#sent = this.#sent[0] === batch ? this.#sent.slice(1) : this.#sent.filter((other) => other !== batch);
    if (batch.isAbandoned) return;
    const { counters, segment } = this.#context;
    counters.add("enqueued", batch.submissions.length);
    let counter = batch.first;
    for (const submission of batch.submissions) submission.accepted(this.#laneName, counter++, segment);
  }

  /** What an error says about a batch: unknown, refused for now, or refused for good. */
  #note(batch: Batch<Sent>, error: unknown): void {
    if (isResendable(error)) {
      batch.isUnknown ||= isUnknown(error);
      return;
    }
    if (batch.isUnknown) return; // an earlier send may have been accepted: only its acknowledgement or time decides
    this.#drop(batch);
    if (!batch.isAbandoned) for (const submission of batch.submissions) submission.refused(error as Error);
  }

  /** Takes a batch out that was certainly never written; what follows moves up into its counters. */
  #drop(batch: Batch<Sent>): void {
    const at = this.#sent.indexOf(batch);
    this.#sent.splice(at, 1);
    for (const later of this.#sent.slice(at)) later.first -= batch.submissions.length;
    this.#nextCounter -= batch.submissions.length;
  }

  async #recover(): Promise<void> {
    this.#stuckSinceMs ||= this.#context.clock.monotonicMs();
    try {
      const { repeats = null } = this.#context;
      if (repeats !== null) await this.#recoverCounted(repeats);
      for (let repeat = 0; this.#sent.length > 0 && !this.#isEnded(); repeat++) {
        await waitReady(this.#context, EXPIRY_CHECK_MS, this.#context.segment);
        this.#expire();
        if (repeat > 0) await pauseBefore(this.#context, repeat);
        await this.#resendAll();
      }
    } catch (error) {
      return this.#giveUp(error as Error); // the store was closed, or no fresh lane can be had
    }
    if (this.#isEnded()) return;
    this.#stuckSinceMs = 0;
    this.#setState("flowing");
    this.#flush();
  }

  /**
   * Repeats as often as callers asked for, then tells those who have waited through all of it. What was sent stays, and is
   * sent again like anything else: its successors need their predecessor.
   */
  async #recoverCounted(repeats: Repeats): Promise<void> {
    do {
      const waiting = this.#pending.length;
      for (let repeat = 0; repeat < repeats.max && this.#sent.length > 0 && !this.#isEnded(); repeat++) {
        await pauseCounted(this.#context, repeats, repeat, this.#context.timeoutMs);
        this.#expire();
        await this.#resendAll();
      }
      if (this.#sent.length === 0 || this.#isEnded()) return;
      for (const batch of this.#sent) this.#abandon(batch);
      const reason = "it gave no answer to any repeat";
      const error = createError("MR_STORE_UNAVAILABLE", { store: this.#context.store.url, reason });
      for (const submission of this.#pending.shiftMany(waiting)) submission.refused(error);
      // Who came meanwhile has repeats of their own.
    } while (this.#pending.length > 0 && repeats.max > 0);
  }

  /** Sends the unacknowledged batches in order, until one gets no `ok`. */
  async #resendAll(): Promise<void> {
    for (let batch = this.#sent[0]; batch !== undefined && !this.#isEnded(); batch = this.#sent[0]) {
      this.#context.counters.add("resends");
      try {
        const answer = await this.#call(batch);
        batch.isCalling = false;
        if (answer.answer === "ok") this.#acknowledge(batch);
        else await this.#renumber();
      } catch (error) {
        batch.isCalling = false;
        this.#note(batch, error);
        if (isResendable(error) || batch.isUnknown) return;
      }
    }
  }

  /**
   * The oldest unacknowledged batch has no predecessor: the store forgot what it had acknowledged (it was emptied, or
   * rolled back by a failover) or forgot the lane. Nothing of these batches is there, so they go to a fresh lane.
   */
  async #renumber(): Promise<void> {
    await this.#openFresh();
    for (const batch of this.#sent) {
      batch.first = this.#nextCounter;
      this.#nextCounter += batch.submissions.length;
    }
  }

  /** Tells the submitters whose time is up. */
  #expire(): void {
    const { clock, timeoutMs } = this.#context;
    const oldestMs = clock.monotonicMs() - timeoutMs;
    for (const batch of this.#sent) if (batch.sinceMs < oldestMs) this.#abandon(batch);
    if (this.#stuckSinceMs < oldestMs) {
      this.#stuckSinceMs = clock.monotonicMs();
      this.#refusePending(
        createError("MR_STORE_UNAVAILABLE", { store: this.#context.store.url, reason: "it gave no answer in time" }),
      );
    }
  }

  #abandon(batch: Batch<Sent>): void {
    if (batch.isAbandoned) return;
    batch.isAbandoned = true;
    let counter = batch.first;
    for (const submission of batch.submissions) {
      const id = formatId(this.#context.segment, this.#laneName, counter++);
      submission.refused(createError("MR_INDETERMINATE", { call: "enqueue", id }));
    }
  }

  #giveUp(error: Error): void {
    for (const batch of this.#sent) this.#abandon(batch);
    this.#sent = [];
    this.#stuckSinceMs = 0;
    this.#refusePending(error);
    this.#setState("closed");
  }

  #refusePending(error: Error): void {
    for (const submission of this.#pending.shiftMany(this.#pending.length)) submission.refused(error);
  }

  #setState(state: "closed" | "flowing" | "recovering"): void {
    if (this.#state !== "ended") this.#state = state;
  }

  #isEnded(): boolean {
    return this.#state === "ended";
  }
}

function isUnknown(error: unknown): boolean {
  return (error as { code?: unknown }).code === "MR_INDETERMINATE"; // called for resendable errors, which have a code
}
