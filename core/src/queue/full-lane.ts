/**
 * The full path's writer: Operations with a due time or a priority, each remembered by its own dot.
 *
 * Unlike a fast lane it needs no order, so each batch is simply sent until it is answered. Coalesces per tick.
 */
import { createError, isMillraceError } from "../base/errors.js";
import { formatId } from "../engine/dot.js";
import { FULL_PATH_DIGITS } from "../engine/lease.js";
import type { FullElement } from "../engine/transitions.js";
import { BATCH_BYTES_MAX, BATCH_MAX, type LaneContext } from "./fast-lane.js";
import { resend } from "./resend.js";
import type { FullSubmission } from "./submission.js";
import { afterTick } from "./tick.js";

/** The writer of one incarnation's full-path Operations. */
export class FullLane {
  readonly #context: LaneContext;
  readonly #laneName: string;
  #pending: FullSubmission[] = [];
  #lane: Promise<number> | null = null;
  #nextCounter = 1;
  #unanswered = 0;

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

  #flush(): void {
    const pending = this.#pending;
    this.#pending = [];
    for (let at = 0; at < pending.length; ) {
      const batch: FullSubmission[] = [];
      let bytes = 0;
      for (let next = pending[at]; next !== undefined && batch.length < BATCH_MAX; next = pending[++at]) {
        if (batch.length > 0 && bytes + next.body.length > BATCH_BYTES_MAX) break;
        bytes += next.body.length;
        batch.push(next);
      }
      void this.#send(batch);
    }
  }

  async #send(batch: readonly FullSubmission[]): Promise<void> {
    const { timeoutMs, counters } = this.#context;
    const elements = batch.map(({ queue, priority, due, body }): FullElement => {
      return { counter: this.#nextCounter++, queue, priority, due, body };
    });
    let isUnknown = false;
    try {
      const answers = await resend(this.#context, timeoutMs, () =>
        this.#call(elements).catch((error: unknown) => {
          isUnknown ||= isMillraceError(error, "MR_INDETERMINATE");
          throw error;
        }),
      );
      counters.add("enqueued", batch.length);
      for (const [i, submission] of batch.entries()) {
        const counter = (elements[i] as FullElement).counter; // made from batch, one each
        if (answers[i] !== "conflict") submission.accepted(this.#laneName, counter);
        else submission.refused(createError("MR_CONFLICT", { what: "an Operation", id: this.#idOf(counter) }));
      }
    } catch (error) {
      for (const [i, submission] of batch.entries()) {
        const counter = (elements[i] as FullElement).counter;
        const id = this.#idOf(counter);
        submission.refused(
          // A later refusal, or the end of the store, does not undo what an earlier send may have done.
          isUnknown ? createError("MR_INDETERMINATE", { call: "enqueue", id }, { cause: error }) : (error as Error), // stores reject with errors only
        );
      }
    } finally {
      this.#unanswered -= batch.length;
    }
  }

  async #call(elements: readonly FullElement[]): Promise<readonly string[]> {
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
      counters.add("enqueueCalls");
      const answer = await store.enqueueFull(segment, { lane, laneName, elements });
      if (answer.answer === "ok") return answer.answers;
      this.#lane = null; // the store forgot the lane: it was emptied or rolled back
    }
  }

  #idOf(counter: number): string {
    return formatId(this.#context.segment, this.#laneName, counter);
  }
}
