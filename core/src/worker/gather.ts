/**
 * Gathers Operations of batch Steps until one call is worth it (elsewhere: batcher, accumulator): per Step and key, up
 * to `maxSize` of them or for `wait` after the first.
 *
 * They are claimed meanwhile and have not begun: they hold no slot, spend no time limit, and can be given back like
 * anything else that waits. Used by the Worker of this thread (inline.ts) and by pools (foreman/worker-pool.ts).
 */
import type { Clock, Timer } from "../base/clock.js";
import { Deque } from "../base/deque.js";
import type { StepDefinition } from "../workflow/step.js";

/** Operations that may wait for others of their batch; beyond, the oldest batch goes as it is. */
const GATHERED_MAX = 10_000;

/** A batch that is complete, or whose wait is over. */
export interface Gathered<Element> {
  readonly elements: readonly Element[];
  /** Since when it might be called, by the monotonic clock. */
  readonly readyMs: number;
}

interface Pile<Element> {
  readonly name: string;
  readonly maxSize: number;
  readonly dueMs: number;
  readonly timer: Timer;
  elements: Element[];
}

/** The batches of one pool or Worker. */
export class Gather<Element> {
  readonly #clock: Clock;
  readonly #due: () => void;
  readonly #piles = new Map<string, Pile<Element>>();
  readonly #ready = new Deque<Gathered<Element>>();
  #gathering = 0;
  #readySize = 0;
  /** Places left in the batches that are open: asked for with each claim, so it is not counted anew. */
  #places = 0;
  /** Added since the last claim came, and between the two before. */
  #brought = 0;
  #broughtBefore = 0;

  /** `due` is called when a wait is over. */
  constructor(clock: Clock, due: () => void) {
    this.#clock = clock;
    this.#due = due;
  }

  /** Operations in it. */
  get size(): number {
    return this.#gathering + this.#readySize;
  }

  /** Operations that wait for others. */
  get gathering(): number {
    return this.#gathering;
  }

  /** Operations of batches that wait for a slot. */
  get readySize(): number {
    return this.#readySize;
  }

  /** A claim is about to be added: what it brings is counted anew. */
  claimed(): void {
    this.#broughtBefore = this.#brought;
    this.#brought = 0;
  }

  /**
   * How many more to claim for the batches that are open: as many as would complete them, if the last claims brought
   * such. A Queue that holds other Operations too would fill the places with those.
   */
  appetite(slots: number): number {
    const likely = Math.max(slots, 2 * Math.max(this.#brought, this.#broughtBefore));
    return Math.min(this.#places, GATHERED_MAX - this.#gathering, likely);
  }

  /** Adds one to the batch of its Step and key. */
  add(step: Pick<StepDefinition, "name" | "batch">, key: string, element: Element): void {
    const { batch } = step;
    if (batch === null) return this.push([element]);
    const name = `${step.name} ${key}`; // a Step's name has no space in it
    let pile = this.#piles.get(name);
    if (pile === undefined) {
      const dueMs = this.#clock.monotonicMs() + batch.waitMs;
      const timer = this.#clock.setTimer(batch.waitMs, () => this.#end(name, dueMs));
      timer.unref();
      pile = { name, maxSize: batch.maxSize, dueMs, timer, elements: [] };
      this.#piles.set(name, pile);
      this.#places += batch.maxSize;
    }
    pile.elements.push(element);
    this.#brought++;
    this.#gathering++;
    this.#places--;
    if (pile.elements.length >= pile.maxSize) return this.#close(pile, this.#clock.monotonicMs());
    if (this.#gathering <= GATHERED_MAX) return;
    const [oldest] = this.#piles.values();
    if (oldest !== undefined) this.#close(oldest, this.#clock.monotonicMs());
  }

  /** Adds a batch that is complete. */
  push(elements: readonly Element[]): void {
    this.#readySize += elements.length;
    this.#ready.push({ elements, readyMs: this.#clock.monotonicMs() });
  }

  /** The next batch to call, or null. */
  next(): Gathered<Element> | null {
    return this.#ready.at(0) ?? null;
  }

  /** Takes the next batch out. */
  shift(): Gathered<Element> | null {
    const batch = this.#ready.shift();
    if (batch === undefined) return null;
    this.#readySize -= batch.elements.length;
    return batch;
  }

  /** Takes out what has waited for a slot for `ageMs` or longer; with 0, everything. Oldest first. */
  takeOld(ageMs: number): Element[] {
    const oldestMs = this.#clock.monotonicMs() - ageMs;
    const taken: Element[] = [];
    for (let batch = this.next(); batch !== null && batch.readyMs <= oldestMs; batch = this.next()) {
      taken.push(...batch.elements);
      this.shift();
    }
    return ageMs > 0 ? taken : [...taken, ...this.take(() => true)];
  }

  /** Everything in it. */
  *all(): Iterable<Element> {
    for (const { elements } of this.#ready) yield* elements;
    for (const { elements } of this.#piles.values()) yield* elements;
  }

  /** Takes out those that are meant. */
  take(isMeant: (element: Element) => boolean): Element[] {
    const taken: Element[] = [];
    const rest = (elements: readonly Element[]) =>
      elements.filter((element) => {
        const isTaken = isMeant(element);
        if (isTaken) taken.push(element);
        return !isTaken;
      });
    for (const { elements, readyMs } of this.#ready.shiftMany(this.#ready.length)) {
      const left = rest(elements);
      this.#readySize -= elements.length - left.length;
      if (left.length > 0) this.#ready.push({ elements: left, readyMs });
    }
    for (const pile of [...this.#piles.values()]) {
      const before = pile.elements.length;
      pile.elements = rest(pile.elements);
      this.#gathering -= before - pile.elements.length;
      this.#places += before - pile.elements.length;
      if (pile.elements.length > 0) continue;
      this.#places -= pile.maxSize;
      pile.timer.cancel();
      this.#piles.delete(pile.name);
    }
    return taken;
  }

  #end(name: string, dueMs: number): void {
    const pile = this.#piles.get(name);
    // A batch that stood still with its process is as old as it is: its Leases may be another's by now.
    if (pile !== undefined && pile.dueMs === dueMs) this.#close(pile, dueMs);
    this.#due();
  }

  #close(pile: Pile<Element>, readyMs: number): void {
    pile.timer.cancel();
    this.#piles.delete(pile.name);
    this.#gathering -= pile.elements.length;
    this.#places -= pile.maxSize - pile.elements.length;
    this.#readySize += pile.elements.length;
    this.#ready.push({ elements: pile.elements, readyMs });
  }
}
