/**
 * A clock that stands still until it is told to move: timers fire in order of their time, in order of setting among
 * equals, on the caller's stack.
 */
import type { Clock, Timer } from "../base/clock.js";

interface Entry {
  readonly atMs: number;
  readonly order: number;
  readonly fn: () => void;
}

/** Time for tests. Both the wall and the monotonic clock move together. */
export class ManualClock implements Clock {
  #nowMs: number;
  readonly #startMs: number;
  #order = 0;
  readonly #entries = new Set<Entry>();

  /** `nowMs`: the wall-clock time to start at; by default 2026-01-01T00:00:00Z. */
  constructor(nowMs: number = Date.UTC(2026, 0, 1)) {
    this.#nowMs = nowMs;
    this.#startMs = nowMs;
  }

  nowMs(): number {
    return this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs - this.#startMs;
  }

  setTimer(ms: number, fn: () => void): Timer {
    const entry = { atMs: this.#nowMs + Math.max(0, ms), order: this.#order++, fn };
    if (Number.isFinite(ms)) this.#entries.add(entry);
    return {
      cancel: () => {
        this.#entries.delete(entry);
      },
      unref: () => undefined,
    };
  }

  /** Lets real I/O through, as the system's clock does: it is about order, not about time. */
  immediate(fn: () => void): void {
    setImmediate(fn);
  }

  /** When the earliest timer fires, or null if none is set. */
  get nextMs(): number | null {
    return this.#earliest()?.atMs ?? null;
  }

  /** Moves to a time and fires what is due up to it, each timer at its own time. Going back is ignored. */
  moveTo(ms: number): void {
    for (let entry = this.#earliest(); entry !== null && entry.atMs <= ms; entry = this.#earliest()) {
      this.#entries.delete(entry);
      this.#nowMs = Math.max(this.#nowMs, entry.atMs);
      entry.fn();
    }
    this.#nowMs = Math.max(this.#nowMs, ms);
  }

  #earliest(): Entry | null {
    let earliest: Entry | null = null;
    for (const entry of this.#entries) {
      if (
        earliest === null ||
        entry.atMs < earliest.atMs ||
        (entry.atMs === earliest.atMs && entry.order < earliest.order)
      ) {
        earliest = entry;
      }
    }
    return earliest;
  }
}
