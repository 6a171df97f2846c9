/**
 * The writing side of one process: its Segment, its incarnation, per Queue one fast lane and one for what is tied to gates
 * alone, and one full-path lane.
 */
import { createError } from "../base/errors.js";
import { LANES_MAX, laneDigits } from "../base/id.js";
import { type GateTie, hasFull } from "../engine/ties.js";
import type { Attendant } from "./attendant.js";
import { FastLane, type LaneContext } from "./fast-lane.js";
import { FullLane } from "./full-lane.js";
import type { ResendContext } from "./resend.js";
import type { FullSubmission, Submission, SubmissionSink } from "./submission.js";

/** Where and as whom a Producer writes. `timeoutMs`: how long a submission waits for its acknowledgement. */
export interface ProducerOptions extends ResendContext {
  readonly segment: string;
  readonly incarnation: string;
  readonly timeoutMs: number;
  /** Whoever in this process looks after what is enqueued; by default nobody. */
  readonly attendant?: Attendant;
}

/** What a Producer gave back: where each was to go is its own, or named beside it. */
export interface Withdrawn {
  readonly fast: readonly { readonly queue: string; readonly submission: Submission }[];
  readonly full: readonly FullSubmission[];
}

/** Hands submissions to lanes. */
export class Producer implements SubmissionSink {
  readonly #context: LaneContext;
  readonly #fast = new Map<string, FastLane>();
  readonly #tied = new Map<string, FastLane<FullSubmission>>();
  readonly #full: FullLane;
  #lanesUsed = 1; // lane 00 is the full path

  constructor(options: ProducerOptions) {
    this.#context = {
      store: options.store,
      clock: options.clock,
      random: options.random,
      counters: options.counters,
      repeats: options.repeats ?? null,
      segment: options.segment,
      incarnation: options.incarnation,
      timeoutMs: options.timeoutMs,
      attendant: options.attendant ?? null,
      nextDigits: () => this.#nextDigits(),
    };
    this.#full = new FullLane(this.#context);
  }

  push(queue: string, submission: Submission): void {
    let lane = this.#fast.get(queue);
    if (lane === undefined) {
      lane = new FastLane(this.#context, queue);
      this.#fast.set(queue, lane);
    }
    lane.push(submission);
  }

  pushFull(submission: FullSubmission): void {
    if (!isGatedOnly(submission)) return this.#full.push(submission);
    const { queue } = submission;
    let lane = this.#tied.get(queue);
    if (lane === undefined) {
      lane = new FastLane(this.#context, queue, gatesOf);
      this.#tied.set(queue, lane);
    }
    lane.push(submission);
  }

  get backlog(): number {
    let backlog = this.#full.backlog;
    for (const lane of this.#fast.values()) backlog += lane.backlog;
    for (const lane of this.#tied.values()) backlog += lane.backlog;
    return backlog;
  }

  /** Takes back what the store certainly does not have, in order. */
  withdraw(): Withdrawn {
    const fast: { queue: string; submission: Submission }[] = [];
    for (const [queue, lane] of this.#fast) {
      for (const submission of lane.withdraw()) fast.push({ queue, submission });
    }
    const tied = [...this.#tied.values()].flatMap((lane) => lane.withdraw());
    return { fast, full: [...tied, ...this.#full.withdraw()] };
  }

  end(error: Error): void {
    for (const lane of this.#fast.values()) lane.end(error);
    for (const lane of this.#tied.values()) lane.end(error);
  }

  #nextDigits(): string {
    if (this.#lanesUsed >= LANES_MAX) {
      throw createError("MR_QUEUE_FULL", { queue: "(lanes of this process)", max: LANES_MAX - 1 });
    }
    return laneDigits(this.#lanesUsed++);
  }
}

/** Most gates of one that goes by a tied lane: nobody has so many. */
const TIED_GATES_MAX = 16;

/** Whether nothing but gates keeps a submission from the fast path: then it takes a tied lane. */
function isGatedOnly({ priority, due, ties }: FullSubmission): boolean {
  if (ties === null || priority !== 0 || due !== null) return false;
  const { key, line, gates, lapse, flow } = ties;
  return (
    key === null &&
    line === null &&
    !lapse &&
    !flow &&
    gates.length > 0 &&
    gates.length <= TIED_GATES_MAX &&
    !hasFull(gates)
  );
}

function gatesOf({ ties }: FullSubmission): readonly GateTie[] {
  return ties?.gates ?? [];
}
