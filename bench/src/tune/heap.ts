/** Numbers in order of their keys (elsewhere: priority queue): what happens next in a simulation. */

/** A binary heap of numbered things by key; among equal keys the order is that of putting in. */
export class Heap {
  #keys: number[] = [];
  #orders: number[] = [];
  #things: number[] = [];
  #order = 0;

  /** How many there are. */
  get size(): number {
    return this.#keys.length;
  }

  /** The smallest key; Infinity when empty. */
  get key(): number {
    return this.#keys[0] ?? Number.POSITIVE_INFINITY;
  }

  /** Puts a thing in. */
  push(key: number, thing: number): void {
    let at = this.#keys.length;
    const order = this.#order++;
    this.#keys.push(key);
    this.#orders.push(order);
    this.#things.push(thing);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#isBefore(at, parent)) break;
      this.#swap(at, parent);
      at = parent;
    }
  }

  /** Takes the thing with the smallest key out; -1 when empty. */
  pop(): number {
    const thing = this.#things[0];
    if (thing === undefined) return -1;
    const last = this.#keys.length - 1;
    this.#swap(0, last);
    this.#keys.pop();
    this.#orders.pop();
    this.#things.pop();
    let at = 0;
    for (;;) {
      const left = 2 * at + 1;
      if (left >= last) break;
      const child = left + 1 < last && this.#isBefore(left + 1, left) ? left + 1 : left;
      if (!this.#isBefore(child, at)) break;
      this.#swap(at, child);
      at = child;
    }
    return thing;
  }

  #isBefore(a: number, b: number): boolean {
    const keyA = this.#keys[a] ?? 0;
    const keyB = this.#keys[b] ?? 0;
    return keyA < keyB || (keyA === keyB && (this.#orders[a] ?? 0) < (this.#orders[b] ?? 0));
  }

  #swap(a: number, b: number): void {
    swapIn(this.#keys, a, b);
    swapIn(this.#orders, a, b);
    swapIn(this.#things, a, b);
  }
}

function swapIn(list: number[], a: number, b: number): void {
  const kept = list[a] ?? 0;
  list[a] = list[b] ?? 0;
  list[b] = kept;
}
