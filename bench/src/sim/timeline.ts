/** Virtual time: what is to happen, in order. */
import { Heap } from "../tune/heap.js";

/** Runs functions at their times, in order of setting among equals. */
export class Timeline {
  nowMs = 0;
  readonly #heap = new Heap();
  readonly #things: ((() => void) | null)[] = [];
  readonly #free: number[] = [];

  /** Calls `fn` at a time, not before now. */
  at(ms: number, fn: () => void): void {
    const place = this.#free.pop() ?? this.#things.length;
    this.#things[place] = fn;
    this.#heap.push(Math.max(ms, this.nowMs), place);
  }

  /** Runs everything up to `endMs`. */
  runTo(endMs: number): void {
    while (this.#heap.key <= endMs) {
      this.nowMs = this.#heap.key;
      const place = this.#heap.pop();
      const fn = this.#things[place];
      this.#things[place] = null;
      this.#free.push(place);
      fn?.();
    }
    this.nowMs = endMs;
  }
}
