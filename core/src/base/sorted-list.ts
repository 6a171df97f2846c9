/**
 * A list that is always sorted (elsewhere: sorted array, binary search). Made for some thousand entries: to add or remove
 * one takes a handful of comparisons and one move of memory. queue/rotation.ts keeps its turns in such lists.
 */

/** Keeps entries in the order of a comparison. Nothing the comparison reads may change while an entry is inside. */
export class SortedList<T> {
  readonly #compare: (a: T, b: T) => number;
  readonly #entries: T[] = [];

  /** `compare` is below 0 where `a` comes first; 0 only for an entry and itself. */
  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  /** How many entries there are. */
  get size(): number {
    return this.#entries.length;
  }

  /** Puts an entry in its place. */
  add(entry: T): void {
    this.#entries.splice(this.#placeOf(entry), 0, entry);
  }

  /** Takes an entry out; false if it is not there. */
  remove(entry: T): boolean {
    const at = this.#placeOf(entry);
    if (this.#entries[at] !== entry) return false;
    this.#entries.splice(at, 1);
    return true;
  }

  /** The first entry that fits, or null. */
  find(fits: (entry: T) => boolean): T | null {
    for (const entry of this.#entries) if (fits(entry)) return entry;
    return null;
  }

  /** How many entries come before it. */
  #placeOf(entry: T): number {
    let [low, high] = [0, this.#entries.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#entries[middle] as T; // below the length
      if (this.#compare(other, entry) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
