/**
 * A binary heap in time order (elsewhere: priority queue) from which any element can be taken: due times, expiries.
 * Each element carries its own place in the heap, so an element sits in one heap at a time.
 * Knows nothing of Operations; used by the machine alone.
 */
import { invariant } from "../../base/assert.js";

/** What a heap can order: by time, then by lane number, then by counter. */
export interface Timed {
  readonly lane: { readonly number: number };
  readonly counter: number;
  /** Must not change while the element is in a heap. */
  timeMs: number;
  /** Kept by the heap: the element's place, −1 outside. */
  heapIndex: number;
}

/** Orders by time, ties by address. */
export function compareTimed(a: Timed, b: Timed): number {
  return a.timeMs - b.timeMs || a.lane.number - b.lane.number || a.counter - b.counter;
}

/** A min-heap by `compareTimed`. Adding and taking cost O(log n). */
export class TimeHeap<T extends Timed> {
  readonly #places: T[] = [];

  /** How many elements are in it. */
  get size(): number {
    return this.#places.length;
  }

  /** The earliest element, or undefined if there is none. */
  get first(): T | undefined {
    return this.#places[0];
  }

  /** Whether an element is in this heap, where it says. */
  has(element: T): boolean {
    return element.heapIndex >= 0 && this.#places[element.heapIndex] === element;
  }

  /** Adds an element that is in no heap. */
  add(element: T): void {
    invariant(element.heapIndex < 0, "an element is in one heap at a time", { counter: element.counter });
    this.#places.push(element);
    this.#rise(element, this.#places.length - 1);
  }

  /** Takes an element out, wherever it is. */
  remove(element: T): void {
    const index = element.heapIndex;
    invariant(this.#places[index] === element, "an element to take out is in the heap", { index });
    element.heapIndex = -1;
    const last = this.#places.pop();
    if (last === undefined || last === element) return;
    this.#places[index] = last;
    last.heapIndex = index;
    this.#rise(last, index);
    this.#sink(last, last.heapIndex);
  }

  /** How many come before an element; all of them, if it is not in this heap. Costs O(n). */
  rank(element: T): number {
    if (!this.has(element)) return this.#places.length;
    let before = 0;
    for (const one of this.#places) if (compareTimed(one, element) < 0) before++;
    return before;
  }

  /** A page of the elements in order, without taking them; costs O((offset + limit) · log) at any size. */
  page(offset: number, limit: number): T[] {
    const found: T[] = [];
    const root = this.#places[0];
    if (root === undefined) return found;
    // The places still to visit, themselves a heap: a child comes into question once its parent was taken.
    const frontier = new TimeHeap<Visit<T>>();
    frontier.add(visit(root, 0));
    for (let taken = 0; taken < offset + limit; taken++) {
      const next = frontier.first;
      if (next === undefined) break;
      frontier.remove(next);
      if (taken >= offset) found.push(next.element);
      for (const child of [2 * next.index + 1, 2 * next.index + 2]) {
        const element = this.#places[child];
        if (element !== undefined) frontier.add(visit(element, child));
      }
    }
    return found;
  }

  #rise(element: T, start: number): void {
    let index = start;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = this.#places[above] as T; // every place but the first has a parent
      if (compareTimed(parent, element) <= 0) break;
      this.#places[index] = parent;
      parent.heapIndex = index;
      index = above;
    }
    this.#places[index] = element;
    element.heapIndex = index;
  }

  #sink(element: T, start: number): void {
    let index = start;
    for (;;) {
      let below = 2 * index + 1;
      let child = this.#places[below];
      if (child === undefined) break;
      const right = this.#places[below + 1];
      if (right !== undefined && compareTimed(right, child) < 0) {
        child = right;
        below++;
      }
      if (compareTimed(element, child) <= 0) break;
      this.#places[index] = child;
      child.heapIndex = index;
      index = below;
    }
    this.#places[index] = element;
    element.heapIndex = index;
  }
}

interface Visit<T extends Timed> extends Timed {
  readonly element: T;
  readonly index: number;
}

function visit<T extends Timed>(element: T, index: number): Visit<T> {
  return { element, index, lane: element.lane, counter: element.counter, timeMs: element.timeMs, heapIndex: -1 };
}
