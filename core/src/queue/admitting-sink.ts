/**
 * Admission (elsewhere: load shedding): refuses new work while the store's memory is nearly used up, before the store
 * itself has to refuse, so that what is under way has room to end.
 *
 * Looks at the store at most every `LOOK_MS`, and only while something is enqueued or refused; a submission asks
 * nothing. Outcomes, retries and beats do not come by here. Stands in front of a producer where an App names a budget.
 * Used by app/open-producer.ts.
 */
import type { Clock, Timer } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { MemoryGauge, MemoryUse } from "../engine/memory-gauge.js";
import type { FullSubmission, Submission, SubmissionSink } from "./submission.js";

/** What an AdmittingSink needs. */
export interface AdmittingSinkOptions {
  readonly inner: SubmissionSink;
  readonly gauge: MemoryGauge;
  readonly clock: Clock;
  /** The store's URL without secrets. */
  readonly store: string;
  /** Bytes of each server's memory that may be used; its own bound counts if that is less. */
  readonly maxBytes: number;
}

/** From this share of the budget on new work is refused: the rest is for what is under way. */
const ADMISSION_SHARE = 0.85;
const LOOK_MS = 250;
const MIB = 1024 * 1024;

/** Passes submissions on while there is memory. */
export class AdmittingSink implements SubmissionSink {
  readonly #options: AdmittingSinkOptions;
  #timer: Timer | null = null;
  #isLooking = false;
  #wasAsked = false;
  /** Why nothing is let in now; null while something is. */
  #refusal: Error | null = null;
  #lastOver = 0;
  #lastLookMs = Number.NEGATIVE_INFINITY;

  constructor(options: AdmittingSinkOptions) {
    this.#options = options;
  }

  push(queue: string, submission: Submission): void {
    this.#ask();
    if (this.#refusal !== null) return submission.refused(this.#refusal);
    this.#options.inner.push(queue, submission);
  }

  pushFull(submission: FullSubmission): void {
    this.#ask();
    if (this.#refusal !== null) return submission.refused(this.#refusal);
    this.#options.inner.pushFull(submission);
  }

  get backlog(): number {
    return this.#options.inner.backlog;
  }

  end(error: Error): void {
    this.#timer?.cancel();
    this.#isLooking = true; // and no more
    this.#options.inner.end(error);
  }

  #ask(): void {
    this.#wasAsked = true;
    if (this.#timer === null && !this.#isLooking) void this.#look();
  }

  async #look(): Promise<void> {
    const { gauge, clock } = this.#options;
    this.#isLooking = true;
    this.#wasAsked = false;
    try {
      this.#judge(await gauge.memory());
    } catch {
      this.#refusal = null; // a store that is away is the producer's business
    }
    this.#isLooking = false;
    this.#timer = clock.setTimer(LOOK_MS, () => {
      this.#timer = null;
      if (this.#wasAsked || this.#refusal !== null) void this.#look();
    });
    this.#timer.unref();
  }

  /** The fullest server counts: whose turn the next submission is, nobody here knows. */
  #judge(servers: readonly MemoryUse[]): void {
    const { clock, store } = this.#options;
    const all = servers.map(({ usedBytes, maxBytes }) => {
      const budget = Math.min(this.#options.maxBytes, maxBytes ?? Number.POSITIVE_INFINITY);
      return { usedBytes, budget, over: usedBytes - ADMISSION_SHARE * budget };
    });
    const { usedBytes, budget, over } = all.reduce((worst, one) => (one.over > worst.over ? one : worst));
    const nowMs = clock.monotonicMs();
    const freedPerMs = (this.#lastOver - over) / (nowMs - this.#lastLookMs);
    this.#lastOver = over;
    this.#lastLookMs = nowMs;
    if (over < 0) {
      this.#refusal = null;
      return;
    }
    const seconds = Math.ceil(over / freedPerMs / 1000);
    const hint = freedPerMs > 0 ? `; as it goes now there is room in about ${seconds} s` : "";
    const [used, max] = [usedBytes, budget].map((bytes) => (bytes / MIB).toFixed(1));
    this.#refusal = createError("MR_QUOTA", { store, used: used ?? "", max: max ?? "", hint });
  }
}
