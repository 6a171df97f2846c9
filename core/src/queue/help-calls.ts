/**
 * When the Foreman that attends a Queue of a Segment calls the others for help. Pure; foreman/sharing.ts holds the timer.
 *
 * It calls once there has been ready work for CALL_AFTER_MS, and for longer than claims take, without a claim that left
 * nothing: since only it hears that bell, nobody else would know. While that lasts it calls again, the more seldom the
 * more others call too: where everybody is overloaded calls help nobody, and all together stay at one per
 * CALL_PERIOD_MS.
 */
import type { Place } from "./hold-off.js";

/** How long there must have been ready work. */
export const CALL_AFTER_MS = 5;
/** Between two calls for one Queue of a Segment, times the Segments that call. */
export const CALL_PERIOD_MS = 20;
/** Claims that must have had their time, beside CALL_AFTER_MS: a slow server or a busy machine is no overload. */
const CLAIMS_AFTER = 2;
/** How long a call of another Segment counts. */
const HEARD_MS = 1_000;

interface Waiting extends Place {
  dueMs: number;
}

/** Calls for help for the Segments one Foreman attends. All times by the monotonic clock. */
export class HelpCalls {
  readonly #waiting = new Map<string, Waiting>();
  /** When each place was last called for. */
  readonly #calledMs = new Map<string, number>();
  /** Other Segments that called, and when last. */
  readonly #heardMs = new Map<string, number>();

  /** Notes that there is ready work which was not claimed at once, where a claim takes `claimMs`. */
  waiting({ segment, queue }: Place, nowMs: number, claimMs: number): void {
    const key = `${segment} ${queue}`;
    if (this.#waiting.has(key)) return;
    const calledMs = this.#calledMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const afterMs = CALL_AFTER_MS + CLAIMS_AFTER * claimMs;
    const dueMs = Math.max(nowMs + afterMs, calledMs + this.#periodMs(nowMs));
    this.#waiting.set(key, { segment, queue, dueMs });
  }

  /** Notes that a claim left nothing. */
  emptied({ segment, queue }: Place): void {
    this.#waiting.delete(`${segment} ${queue}`);
  }

  /** Notes that another Segment calls. */
  heard(segment: string, nowMs: number): void {
    this.#heardMs.set(segment, nowMs);
  }

  /** The places to call for now; each is due again a period later while its work waits. */
  take(nowMs: number): Place[] {
    const due: Place[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (waiting.dueMs > nowMs) continue;
      due.push(waiting);
      this.#calledMs.set(key, nowMs);
      waiting.dueMs = nowMs + this.#periodMs(nowMs);
    }
    return due;
  }

  /** When the next call is due, or null. */
  nextMs(): number | null {
    let nextMs: number | null = null;
    for (const { dueMs } of this.#waiting.values()) if (nextMs === null || dueMs < nextMs) nextMs = dueMs;
    return nextMs;
  }

  #periodMs(nowMs: number): number {
    for (const [segment, heardMs] of this.#heardMs) if (nowMs - heardMs > HEARD_MS) this.#heardMs.delete(segment);
    return CALL_PERIOD_MS * (1 + this.#heardMs.size);
  }
}
