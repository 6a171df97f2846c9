/**
 * When a Foreman goes to a Segment that another one should be looking after (elsewhere: randomised back-off of idle
 * consumers). Pure: times come in, decisions go out; foreman/sharing.ts holds the timer.
 *
 * Bells of a Segment go to the Foreman that attends it. All others hear of it in two cases: nobody attends it, or its
 * own Foreman calls for help. If everyone went at once, one would find work and the rest pay for a claim that brings
 * nothing. So each waits a random part of a span it keeps for that Segment; the span falls to zero where going was
 * worth it and doubles where another had been faster. Whoever is best placed soon goes at once, and the others still
 * come within SPAN_MS_MAX when it does not.
 *
 * A Segment that rings *again* was emptied in between, for a bell rings only when a list was empty: somebody looks
 * after it, and the wait begins anew. Only so often, though: of a Queue with priorities, one list may ring while another
 * waits.
 */
import type { Random } from "../base/random.js";

/** The span for a Segment nothing is known of. */
export const SPAN_MS_FIRST = 4;
/** The longest span: what a Segment without a Foreman waits at most when those who usually go there are busy. */
export const SPAN_MS_MAX = 32;
/** The part of a span that is waited at least: bells that come faster than this keep this Foreman away. */
const PART_MIN = 0.25;
/** Spans that bells may put off one wait, at most. */
const SPANS_PUT_OFF = 16;
/** How long a call for help is remembered by a Foreman that is busy. */
const CALL_KEPT_MS = 500;

/** A Queue of a Segment somebody should look at. */
export interface Place {
  readonly segment: string;
  readonly queue: string;
  /** The largest priority that waits there, as far as is known. */
  readonly priority: number;
}

/** A place to go to now. */
export interface Due extends Place {
  /** Another looks after it, and called for help. */
  readonly isCall: boolean;
}

interface Waiting extends Due {
  readonly sinceMs: number;
  /** Drawn once for the whole wait: drawn anew at each bell, it would soon be short by chance. */
  readonly waitMs: number;
  readonly heardMs: number;
  readonly dueMs: number;
}

/** Holds this Foreman off from Segments it does not attend. All times by the monotonic clock. */
export class HoldOff {
  readonly #random: Random;
  /** Milliseconds, by Segment. */
  readonly #spans = new Map<string, number>();
  readonly #waiting = new Map<string, Waiting>();

  constructor(random: Random) {
    this.#random = random;
  }

  /** Notes a bell of a Segment nobody attends, or a call for help. */
  heard({ segment, queue, priority: told }: Place, isCall: boolean, nowMs: number): void {
    const key = `${segment} ${queue}`;
    const before = this.#waiting.get(key);
    const span = this.#spans.get(segment) ?? SPAN_MS_FIRST;
    const sinceMs = before?.sinceMs ?? nowMs;
    const waitMs = before?.waitMs ?? span * (PART_MIN + (1 - PART_MIN) * this.#random.next());
    // A bell says that the list was empty; a call says that it is not, so it puts nothing off.
    const putOffMs = Math.min(nowMs + waitMs, sinceMs + SPANS_PUT_OFF * span);
    const dueMs = isCall && before !== undefined ? before.dueMs : putOffMs;
    // A call says what waits now, a bell only what was added.
    const priority = isCall || before === undefined ? told : Math.max(told, before.priority);
    // What nobody attends is everybody's, busy or not; a call must not make less of it.
    this.#waiting.set(key, {
      ...{ segment, queue, priority, sinceMs, waitMs, dueMs },
      heardMs: nowMs,
      isCall: isCall && (before?.isCall ?? true),
    });
  }

  /** Whether anything waits to be taken. */
  get isEmpty(): boolean {
    return this.#waiting.size === 0;
  }

  /**
   * Takes what is due: bells in any case, calls for help only for Queues for which there is nothing to do here of that
   * priority or a higher one: nothing above `above`.
   */
  take(nowMs: number, idleQueues: readonly string[], above = Number.NEGATIVE_INFINITY): Due[] {
    const taken: Due[] = [];
    for (const [key, waiting] of this.#waiting) {
      if (waiting.dueMs > nowMs) continue;
      const isOld = waiting.isCall && nowMs - waiting.heardMs > CALL_KEPT_MS;
      const isWanted = idleQueues.includes(waiting.queue) && waiting.priority > above;
      if (waiting.isCall && !isOld && !isWanted) continue;
      this.#waiting.delete(key);
      if (!isOld) taken.push(waiting);
    }
    return taken;
  }

  /** When something becomes due that is not yet, or null. */
  nextMs(nowMs: number): number | null {
    let nextMs: number | null = null;
    for (const { dueMs } of this.#waiting.values()) {
      if (dueMs > nowMs && (nextMs === null || dueMs < nextMs)) nextMs = dueMs;
    }
    return nextMs;
  }

  /** Learns from a claim there: whether it brought anything. */
  answered(segment: string, isFound: boolean): void {
    const span = this.#spans.get(segment) ?? SPAN_MS_FIRST;
    this.#spans.set(segment, isFound ? 0 : Math.min(SPAN_MS_MAX, Math.max(1, 2 * span)));
  }
}
