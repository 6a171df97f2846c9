/**
 * Deque: a growing ring buffer, first in first out, with a way back to the front for what is handed back.
 * An Array's own shift moves every element once it is long; here each call costs the same at any length.
 */

const SMALLEST = 16;

/** An ordered row of values, open at both ends. `undefined` cannot be an element. */
export class Deque<T extends NonNullable<unknown> | null> {
  /** A power of two long; empty places hold undefined, so that nothing taken out is kept alive. */
  #places: (T | undefined)[] = new Array<T | undefined>(SMALLEST).fill(undefined);
  #mask = SMALLEST - 1;
  /** Place of the first element, if there is one. */
  #head = 0;
  #length = 0;

  /** How many elements are in it. */
  get length(): number {
    return this.#length;
  }

  /** Adds an element at the end. */
  push(value: T): void {
    if (this.#length > this.#mask) this.#resize(this.#length * 2);
    this.#places[(this.#head + this.#length) & this.#mask] = value;
    this.#length++;
  }

  /** Adds an element before the first. */
  pushFront(value: T): void {
    if (this.#length > this.#mask) this.#resize(this.#length * 2);
    this.#head = (this.#head - 1) & this.#mask;
    this.#places[this.#head] = value;
    this.#length++;
  }

  /** Takes the first element out, or returns undefined if there is none. */
  shift(): T | undefined {
    if (this.#length === 0) return undefined;
    const value = this.#places[this.#head];
    this.#places[this.#head] = undefined;
    this.#head = (this.#head + 1) & this.#mask;
    this.#length--;
    this.#shrink();
    return value;
  }

  /** Takes up to `max` elements out of the front, in order. */
  shiftMany(max: number): T[] {
    const count = Math.max(0, Math.min(max, this.#length));
    const taken = new Array<T>(count);
    for (let i = 0; i < count; i++) {
      const place = (this.#head + i) & this.#mask;
      taken[i] = this.#places[place] as T; // the first `length` places are filled
      this.#places[place] = undefined;
    }
    this.#head = (this.#head + count) & this.#mask;
    this.#length -= count;
    this.#shrink();
    return taken;
  }

  /** Returns the element at `index`, counted from the front, or undefined outside 0 … length − 1. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#length) return undefined;
    return this.#places[(this.#head + index) & this.#mask];
  }

  /** Takes everything out. */
  clear(): void {
    this.#places = new Array<T | undefined>(SMALLEST).fill(undefined);
    this.#mask = SMALLEST - 1;
    this.#head = 0;
    this.#length = 0;
  }

  /** Walks from front to end; the Deque must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (let i = 0; i < this.#length; i++) {
      yield this.#places[(this.#head + i) & this.#mask] as T; // the first `length` places are filled
    }
  }

  /** Halving only at an eighth keeps a length that swings around one size from copying again and again. */
  #shrink(): void {
    if (this.#mask >= SMALLEST * 64 && this.#length <= this.#mask >> 3) this.#resize((this.#mask + 1) >> 1);
  }

  #resize(size: number): void {
    const places = new Array<T | undefined>(size).fill(undefined);
    for (let i = 0; i < this.#length; i++) places[i] = this.#places[(this.#head + i) & this.#mask];
    this.#places = places;
    this.#mask = size - 1;
    this.#head = 0;
  }
}
