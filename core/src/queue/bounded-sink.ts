/**
 * Back-pressure (elsewhere: bounded queue): lets submissions through while their Queue holds fewer than so many ready
 * Operations in the Segment they go to; the others wait here in order, or are refused.
 *
 * A bound on what comes in, not a limit the store keeps: it is known from the Segment's counts, asked at most every
 * `REFRESH_MS` while there is room and as often as there is news while there is none. So one process never exceeds it;
 * several that write one Segment may, by what they enqueue between two looks. What comes back (retries, hand-backs,
 * rescues), what is for later and what a running Attempt enqueues never waits: an Attempt that waited for room would
 * keep the slot that makes it. So a full Queue always drains. Stands in front of a producer, and only
 * where an App names a bound. Used by app/open-producer.ts.
 */
import type { Timer } from "../base/clock.js";
import { Deque } from "../base/deque.js";
import { createError } from "../base/errors.js";
import type { AttemptScope } from "./attempt-scope.js";
import { keyedSegment } from "./keyed-producer.js";
import { type ResendContext, resend } from "./resend.js";
import type { FullSubmission, Submission, SubmissionSink } from "./submission.js";

/** What happens to what finds no room. */
export type OnFull = "wait" | "reject";

/** What a BoundedSink needs. `timeoutMs`: patience with the store when it is asked how full it is. */
export interface BoundedSinkOptions extends ResendContext {
  readonly inner: SubmissionSink;
  /** Where what has no ties goes. */
  readonly segment: string;
  readonly timeoutMs: number;
  /** Ready Operations of one Queue in one Segment, at least 1. */
  readonly max: number;
  readonly onFull: OnFull;
  /** Tells what Attempts enqueue. */
  readonly scope: Pick<AttemptScope, "isInside">;
}

/** For so long a look at a Queue with room is believed. */
const REFRESH_MS = 100;
/** Between two looks at a full Queue: doubling from the first to the second. */
const LOOK_MS_FIRST = 5;
const LOOK_MS_MAX = 200;

/** One Queue of one Segment. */
interface Intake {
  readonly segment: string;
  readonly queue: string;
  /** How many more may pass before it is looked at again; negative once Attempts enqueued more. */
  free: number;
  /** Passed on and not answered. */
  unanswered: number;
  lookedMs: number;
  isLooking: boolean;
  looksInVain: number;
  timer: Timer | null;
  readonly waiting: Deque<{ readonly submission: Submission; pass(answering: Submission): void }>;
}

/** Passes submissions on while there is room. */
export class BoundedSink implements SubmissionSink {
  readonly #options: BoundedSinkOptions;
  readonly #intakes = new Map<string, Intake>();
  #waiting = 0;
  #endError: Error | null = null;

  constructor(options: BoundedSinkOptions) {
    this.#options = options;
  }

  push(queue: string, submission: Submission): void {
    const { inner, segment } = this.#options;
    this.#take(segment, queue, submission, (answering) => inner.push(queue, answering));
  }

  pushFull(submission: FullSubmission): void {
    const { inner, segment } = this.#options;
    const { queue, priority, due, ties } = submission;
    if (due !== null) return inner.pushFull(submission);
    const meet = ties?.meet ?? null;
    this.#take(meet === null ? segment : keyedSegment(meet), queue, submission, ({ body, accepted, refused }) =>
      inner.pushFull({ body, queue, priority, due, ties, accepted, refused }),
    );
  }

  get backlog(): number {
    return this.#waiting + this.#options.inner.backlog;
  }

  end(error: Error): void {
    this.#endError = error;
    for (const intake of this.#intakes.values()) {
      intake.timer?.cancel();
      this.#refuse(intake, error);
    }
    this.#options.inner.end(error);
  }

  #take(segment: string, queue: string, submission: Submission, pass: (answering: Submission) => void): void {
    if (this.#endError !== null) return submission.refused(this.#endError);
    const intake = this.#intakeOf(segment, queue);
    if (this.#options.scope.isInside) return this.#pass(intake, { submission, pass });
    const isStale = this.#options.clock.monotonicMs() - intake.lookedMs > REFRESH_MS;
    if (intake.free > 0 && intake.waiting.length === 0) {
      this.#pass(intake, { submission, pass });
      if (isStale) this.#look(intake);
      return;
    }
    intake.waiting.push({ submission, pass });
    this.#waiting++;
    if (intake.timer === null) this.#look(intake);
  }

  #pass(
    intake: Intake,
    { submission, pass }: { readonly submission: Submission; pass(answering: Submission): void },
  ): void {
    intake.free--;
    intake.unanswered++;
    pass({
      body: submission.body,
      accepted: (laneName, counter, segment, isKept) => {
        intake.unanswered--;
        submission.accepted(laneName, counter, segment, isKept);
      },
      refused: (error) => {
        intake.unanswered--;
        submission.refused(error);
      },
    });
  }

  /** Asks how much room there is, and gives it to those who wait. */
  #look(intake: Intake): void {
    if (intake.isLooking) return;
    intake.isLooking = true;
    const { store, timeoutMs, max, clock } = this.#options;
    const { segment, queue } = intake;
    const counts = resend(this.#options, timeoutMs, () => store.counts(segment), segment);
    void counts
      .then(
        ({ queues }) => max - (queues.find((one) => one.queue === queue)?.ready ?? 0) - intake.unanswered,
        // Not opened yet, or away: the producer knows how to deal with that.
        () => max,
      )
      .then((free) => {
        intake.isLooking = false;
        intake.lookedMs = clock.monotonicMs();
        intake.free = Math.max(0, free);
        this.#give(intake);
      });
  }

  #give(intake: Intake): void {
    const { clock, onFull, max } = this.#options;
    const { waiting, queue } = intake;
    const given = waiting.shiftMany(Math.max(0, intake.free));
    this.#waiting -= given.length;
    for (const one of given) this.#pass(intake, one);
    intake.looksInVain = given.length > 0 ? 0 : intake.looksInVain + 1;
    if (waiting.length === 0) return;
    if (onFull === "reject") return this.#refuse(intake, createError("MR_QUEUE_FULL", { queue, max }));
    const pauseMs = Math.min(LOOK_MS_MAX, LOOK_MS_FIRST * 2 ** Math.min(intake.looksInVain, 8));
    intake.timer = clock.setTimer(pauseMs, () => {
      intake.timer = null;
      this.#look(intake);
    });
  }

  #refuse(intake: Intake, error: Error): void {
    const refused = intake.waiting.shiftMany(intake.waiting.length);
    this.#waiting -= refused.length;
    for (const { submission } of refused) submission.refused(error);
  }

  #intakeOf(segment: string, queue: string): Intake {
    const key = `${segment}\n${queue}`;
    let intake = this.#intakes.get(key);
    if (intake === undefined) {
      intake = {
        ...{ segment, queue, free: 0, unanswered: 0, lookedMs: Number.NEGATIVE_INFINITY },
        ...{ isLooking: false, looksInVain: 0, timer: null, waiting: new Deque() },
      };
      this.#intakes.set(key, intake);
    }
    return intake;
  }
}
