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
  priority: number;
  dueMs: number;
}

/** Calls for help for the Segments one Foreman attends. All times by the monotonic clock. */
export class HelpCalls {
  readonly #waiting = new Map<string, Waiting>();
  /** When each place was last called for. */
  readonly #calledMs = new Map<string, number>();
  /** Other Segments that called, when last and of what priority. */
  readonly #heard = new Map<string, { readonly atMs: number; readonly priority: number }>();

  /** Notes that there is ready work which was not claimed at once, where a claim takes `claimMs`. */
  waiting({ segment, queue, priority }: Place, nowMs: number, claimMs: number): void {
    const key = `${segment} ${queue}`;
    const before = this.#waiting.get(key);
    if (before !== undefined && priority <= before.priority) {
      before.priority = priority;
      return;
    }
    const calledMs = this.#calledMs.get(key) ?? Number.NEGATIVE_INFINITY;
    const afterMs = CALL_AFTER_MS + CLAIMS_AFTER * claimMs;
    const dueMs = Math.max(nowMs + afterMs, calledMs + this.#periodMs(nowMs, priority));
    this.#waiting.set(key, { segment, queue, priority, dueMs: Math.min(dueMs, before?.dueMs ?? dueMs) });
  }

  /** Notes that a claim left nothing. */
  emptied({ segment, queue }: Pick<Place, "segment" | "queue">): void {
    this.#waiting.delete(`${segment} ${queue}`);
  }

  /** Notes that another Segment calls. */
  heard(segment: string, nowMs: number, priority: number): void {
    this.#heard.set(segment, { atMs: nowMs, priority });
  }

  /** The places to call for now; each is due again a period later while its work waits. */
  take(nowMs: number): Place[] {
    const due: Place[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (waiting.dueMs > nowMs) continue;
      due.push(waiting);
      this.#calledMs.set(key, nowMs);
      waiting.dueMs = nowMs + this.#periodMs(nowMs, waiting.priority);
    }
    return due;
  }

  /** When the next call is due, or null. */
  nextMs(): number | null {
    let nextMs: number | null = null;
    for (const { dueMs } of this.#waiting.values()) if (nextMs === null || dueMs < nextMs) nextMs = dueMs;
    return nextMs;
  }

  /** Those that call for lower priorities are no reason to be quiet. */
  #periodMs(nowMs: number, priority: number): number {
    let others = 0;
    for (const [segment, heard] of this.#heard) {
      if (nowMs - heard.atMs > HEARD_MS) this.#heard.delete(segment);
      else if (heard.priority >= priority) others++;
    }
    return CALL_PERIOD_MS * (1 + others);
  }
}
