/**
 * Duty: due → ready (elsewhere: delayed-job poller). Sleeps until the earliest due time it has heard of; hears of due
 * times from outcomes, from enqueues of this process and from surveys of the Segments.
 */
import type { Timer } from "../base/clock.js";
import { type ResendContext, resend } from "../queue/resend.js";

const PROMOTE_MAX = 1_000;
/** A due time is a promise not to start before: a timer that fires early by a fraction asks again. */
const EARLY_MS = 1;

/** Promotes what is due. */
export class Promoter {
  readonly #context: ResendContext;
  /** Segment → when to promote there next, by the monotonic clock. */
  readonly #dueMs = new Map<string, number>();
  #timer: Timer | null = null;
  #timerMs = Number.POSITIVE_INFINITY;
  #isOpen = false;

  constructor(context: ResendContext) {
    this.#context = context;
  }

  /** Begins to promote. */
  start(): void {
    this.#isOpen = true;
    this.#arm();
  }

  /** Ends; nothing is promoted any more. */
  stop(): void {
    this.#isOpen = false;
    this.#timer?.cancel();
    this.#timer = null;
    this.#timerMs = Number.POSITIVE_INFINITY;
  }

  /** Notes that something in a Segment becomes due in `inMs`. */
  expect(segment: string, inMs: number): void {
    const dueMs = this.#context.clock.monotonicMs() + Math.max(0, inMs) + EARLY_MS;
    const known = this.#dueMs.get(segment);
    if (known !== undefined && known <= dueMs) return;
    this.#dueMs.set(segment, dueMs);
    this.#arm();
  }

  #arm(): void {
    if (!this.#isOpen) return;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (const dueMs of this.#dueMs.values()) earliestMs = Math.min(earliestMs, dueMs);
    if (earliestMs >= this.#timerMs) return;
    this.#timer?.cancel();
    this.#timerMs = earliestMs;
    this.#timer = this.#context.clock.setTimer(earliestMs - this.#context.clock.monotonicMs(), () => this.#fire());
  }

  #fire(): void {
    this.#timer = null;
    this.#timerMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#context.clock.monotonicMs();
    for (const [segment, dueMs] of this.#dueMs) {
      if (dueMs > nowMs) continue;
      this.#dueMs.delete(segment);
      void this.#promote(segment);
    }
    this.#arm();
  }

  async #promote(segment: string): Promise<void> {
    const { store, counters } = this.#context;
    try {
      for (;;) {
        const answer = await resend(
          this.#context,
          Number.POSITIVE_INFINITY,
          () => store.promote(segment, { max: PROMOTE_MAX }),
          segment,
        );
        counters.add("promoted", answer.promoted);
        counters.add("lapsed", answer.lapsed);
        if (answer.promoted === PROMOTE_MAX || answer.lapsed === PROMOTE_MAX) continue;
        if (answer.nextDueInMs !== null) this.expect(segment, answer.nextDueInMs);
        return;
      }
    } catch {
      // The store is closed or refuses for good; the survey tries again.
    }
  }
}
