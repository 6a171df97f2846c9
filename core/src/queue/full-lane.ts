/**
 * The full path's writer: Operations with a due time, a priority or ties, each remembered by its own dot.
 *
 * Unlike a fast lane it needs no order, so each batch is simply sent until it is answered. Coalesces per tick.
 */
import { invariant } from "../base/assert.js";
import { Deque } from "../base/deque.js";
import { createError, isMillraceError } from "../base/errors.js";
import { formatId } from "../engine/dot.js";
import { FULL_PATH_DIGITS, type LocalDot } from "../engine/lease.js";
import { shownKey } from "../engine/ties.js";
import type { EnqueueFullAnswer, FullElement } from "../engine/transitions.js";
import { BATCH_BYTES_MAX, BATCH_MAX, type LaneContext } from "./fast-lane.js";
import { resend } from "./resend.js";
import type { FullSubmission } from "./submission.js";
import { afterTick } from "./tick.js";

/** Submissions on their way in one call. */
interface Batch {
  readonly submissions: readonly FullSubmission[];
  /** The store judges some of it one by one: it waits for a turn. */
  readonly isDear: boolean;
  /** An earlier send may have been accepted. */
  isUnknown: boolean;
  /** A send of it has no answer yet. */
  isCalling: boolean;
  /** It was taken back: it is not sent again, and its submitters hear nothing of this lane. */
  isWithdrawn: boolean;
}

/** Submissions of one call that the store judges one by one: each costs it tenths of a millisecond. */
const DEAR_MAX = 10;

/** Calls with such on their way at once: what others ask of the store gets its turn in between. */
const DEAR_CALLS_MAX = 4;

/** The writer of one incarnation's full-path Operations. */
export class FullLane {
  readonly #context: LaneContext;
  readonly #laneName: string;
  #pending: FullSubmission[] = [];
  /** Batches without an answer, oldest first. */
  readonly #sent = new Set<Batch>();
  #lane: Promise<number> | null = null;
  #nextCounter = 1;
  #unanswered = 0;
  #dearCalls = 0;
  /** Who waits for one of the dear calls to end, in order. */
  readonly #turns = new Deque<() => void>();

  constructor(context: LaneContext) {
    this.#context = context;
    this.#laneName = `${context.incarnation}.${FULL_PATH_DIGITS}`;
  }

  /** How many submissions have no answer yet. */
  get backlog(): number {
    return this.#unanswered;
  }

  /** Takes a submission; it leaves with all others of this tick. */
  push(submission: FullSubmission): void {
    this.#pending.push(submission);
    this.#unanswered++;
    if (this.#pending.length === 1) afterTick(() => this.#flush());
  }

  /** Takes back what the store certainly does not have, in order; what may be there is sent again from here. */
  withdraw(): FullSubmission[] {
    const withdrawn: FullSubmission[] = [];
    for (const batch of this.#sent) {
      if (batch.isUnknown || batch.isCalling) continue;
      batch.isWithdrawn = true;
      this.#sent.delete(batch);
      withdrawn.push(...batch.submissions);
    }
    withdrawn.push(...this.#pending);
    this.#pending = [];
    this.#unanswered -= withdrawn.length;
    return withdrawn;
  }

  #flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (let at = 0; at < pending.length; ) {
      const batch: FullSubmission[] = [];
      let [bytes, dear] = [0, 0];
      for (let next = pending[at]; next !== undefined && batch.length < BATCH_MAX; next = pending[++at]) {
        if (batch.length > 0 && bytes + next.body.length > BATCH_BYTES_MAX) break;
        if (isDear(next) && ++dear > DEAR_MAX) break;
        bytes += next.body.length;
        batch.push(next);
      }
      void this.#send(batch, dear > 0);
    }
  }

  async #send(submissions: readonly FullSubmission[], isDear: boolean): Promise<void> {
    const { timeoutMs, counters, segment } = this.#context;
    const elements = submissions.map(({ queue, priority, due, body, ties }): FullElement => {
      return { counter: this.#nextCounter++, queue, priority, due, body, ties };
    });
    const batch: Batch = { submissions, isDear, isUnknown: false, isCalling: false, isWithdrawn: false };
    this.#sent.add(batch);
    try {
      const answer = await resend(this.#context, timeoutMs, () => this.#call(batch, elements), segment);
      const holders = answer.holders.values();
      let enqueued = 0;
      for (const [i, submission] of submissions.entries()) {
        const counter = (elements[i] as FullElement).counter; // made from submissions, one each
        const word = answer.answers[i];
        if (word === "ok" || word === "duplicate") {
          enqueued++;
          submission.accepted(this.#laneName, counter, segment);
        } else if (word === "kept" || word === "rejected" || word === "mismatch") {
          counters.add("deduplicated");
          this.#tellHeld(submission, word, holders.next().value);
        } else {
          submission.refused(createError("MR_CONFLICT", { what: "an Operation", id: this.#idOf(counter) }));
        }
      }
      counters.add("enqueued", enqueued);
    } catch (error) {
      if (batch.isWithdrawn) return;
      const refusal = this.#refusalOf(error as Error); // stores reject with errors only
      for (const [i, submission] of submissions.entries()) {
        const counter = (elements[i] as FullElement).counter;
        const id = this.#idOf(counter);
        submission.refused(
          // A later refusal, or the end of the store, does not undo what an earlier send may have done.
          batch.isUnknown ? createError("MR_INDETERMINATE", { call: "enqueue", id }, { cause: error }) : refusal,
        );
      }
    } finally {
      if (this.#sent.delete(batch)) this.#unanswered -= submissions.length;
    }
  }

  /** Another Operation holds the key. */
  #tellHeld(submission: FullSubmission, word: "kept" | "rejected" | "mismatch", holder: LocalDot | undefined): void {
    invariant(holder !== undefined, "the store names who holds a key");
    const { segment } = this.#context;
    if (word === "kept") return submission.accepted(holder.laneName, holder.counter, segment, true);
    const key = shownKey(submission.ties?.key?.name ?? "");
    const id = formatId(segment, holder.laneName, holder.counter);
    submission.refused(createError(word === "rejected" ? "MR_KEY_HELD" : "MR_IDEMPOTENCY_MISMATCH", { key, id }));
  }

  async #call(batch: Batch, elements: readonly FullElement[]): Promise<EnqueueFullAnswer> {
    const { store, segment, counters } = this.#context;
    const laneName = this.#laneName;
    for (;;) {
      this.#lane ??= store.laneOpen(segment, { laneName, queue: null }).then((opened) => {
        if (opened.answer !== "ok") throw createError("MR_CONFLICT", { what: "a lane", id: laneName });
        return opened.lane;
      });
      let lane: number;
      try {
        lane = await this.#lane;
      } catch (error) {
        this.#lane = null;
        throw error;
      }
      if (batch.isDear) await this.#takeTurn();
      try {
        // Nobody hears this: who took the batch back answers its submitters.
        if (batch.isWithdrawn) throw createError("MR_NOT_FOUND", { kind: "batch of lane", id: laneName });
        counters.add("enqueueCalls");
        batch.isCalling = true;
        const answer = await store.enqueueFull(segment, { lane, laneName, elements });
        if (answer.answer === "ok") return answer;
      } catch (error) {
        batch.isUnknown ||= isMillraceError(error, "MR_INDETERMINATE");
        throw error;
      } finally {
        batch.isCalling = false;
        if (batch.isDear) this.#leaveTurn();
      }
      this.#lane = null; // the store forgot the lane: it was emptied or rolled back
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#dearCalls < DEAR_CALLS_MAX) this.#dearCalls++;
    else await new Promise<void>((resolve) => this.#turns.push(resolve));
  }

  /** Hands the turn to the next that waits, if one does. */
  #leaveTurn(): void {
    const next = this.#turns.shift();
    if (next === undefined) this.#dearCalls--;
    else next();
  }

  /** Why nothing was sent: what is not known is at most whether the lane was opened. */
  #refusalOf(error: Error): Error {
    if (!isMillraceError(error, "MR_INDETERMINATE")) return error;
    const { url } = this.#context.store;
    return createError("MR_STORE_UNAVAILABLE", { store: url, reason: error.message }, { cause: error });
  }

  #idOf(counter: number): string {
    return formatId(this.#context.segment, this.#laneName, counter);
  }
}

/**
 * Whether the store judges it alone, among what runs there: if a full gate may end another for it, or ends it although a
 * key or an order is to be let go with it.
 */
function isDear({ ties }: FullSubmission): boolean {
  if (ties === null) return false;
  const { key, line, gates } = ties;
  return gates.some((gate) => {
    const mode = "slots" in gate ? gate.full?.mode : undefined;
    return mode === "cancel_oldest" || (mode !== undefined && (key !== null || line !== null));
  });
}
