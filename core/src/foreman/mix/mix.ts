/**
 * The mix (elsewhere: pool sizes): how many Workers of each kind run here and how many slots an async one has, and the
 * bounds no decision may leave. Records and arithmetic only; everything in this folder is pure.
 */

/** A mix. In logs and formulas P, A and C. */
export interface Mix {
  /** P: blocking Workers, one Operation at a time each. */
  readonly blocking: number;
  /** A: async Workers, one event loop each. */
  readonly async: number;
  /** C: slots of each async Worker, from 1. */
  readonly slots: number;
}

/** The two kinds of Workers, each with a pool of its own. */
export type Kind = "blocking" | "async";

/** A value for each pool. */
export interface PerPool<T> {
  readonly blocking: T;
  readonly async: T;
}

/** Both kinds, for loops. */
export const KINDS: readonly Kind[] = ["blocking", "async"];

/** Slots an async Worker is given at most, unless more were configured. */
export const SLOTS_MAX = 64;

/** Async slots that stay open while async Steps are registered, however small the mix: the pilot light. */
export const PILOT_SLOTS = 3;

/** What a mix must keep, whatever the score says. */
export interface Bounds {
  /** N: Workers of both kinds together. */
  readonly workers: number;
  /** Operations that may run at once: P + A·C stays at or below it. */
  readonly concurrentMax: number;
  /** Least Workers of each kind: the pilot light, or more while chains of Operations wait for each other. */
  readonly workersMin: PerPool<number>;
  /** Most slots of an async Worker: 64, or as many as were configured. */
  readonly slotsMax: number;
  /** Least A·C. */
  readonly asyncPlacesMin: number;
  /** Slots that are fixed by a pin, else null. */
  readonly slotsPinned: number | null;
  /** Blocking Workers, where pins or the lack of one kind of Steps leave no choice; else null. */
  readonly blockingPinned: number | null;
}

/** Operations a mix runs at once: P + A·C. */
export function placesOf(mix: Mix): number {
  return mix.blocking + mix.async * mix.slots;
}

/** Operations one pool of a mix runs at once. */
export function placesOfPool(mix: Mix, kind: Kind): number {
  return kind === "blocking" ? mix.blocking : mix.async * mix.slots;
}

/** Whether two mixes are the same. */
export function isSameMix(a: Mix, b: Mix): boolean {
  return a.blocking === b.blocking && a.async === b.async && a.slots === b.slots;
}

/** Workers that change their kind, start or end between two mixes. */
export function movedWorkers(from: Mix, to: Mix): number {
  return Math.max(Math.abs(to.blocking - from.blocking), Math.abs(to.async - from.async));
}

/** Whether a mix keeps all bounds. */
export function isWithin(mix: Mix, bounds: Bounds): boolean {
  return (
    mix.blocking + mix.async === bounds.workers &&
    mix.slots >= 1 &&
    mix.slots <= bounds.slotsMax &&
    keepsFloors(mix, bounds) &&
    placesOf(mix) <= bounds.concurrentMax &&
    (bounds.slotsPinned === null || mix.slots === bounds.slotsPinned) &&
    (bounds.blockingPinned === null || mix.blocking === bounds.blockingPinned)
  );
}

/** Whether every pool keeps its least Workers, and the async one its least places. */
export function keepsFloors(mix: Mix, bounds: Bounds): boolean {
  return (
    mix.blocking >= bounds.workersMin.blocking &&
    mix.async >= bounds.workersMin.async &&
    mix.async * mix.slots >= bounds.asyncPlacesMin
  );
}

/**
 * Shrinks a mix until P + A·C is at most `max`: slots first, then async Workers, then blocking ones, and none of them
 * below `least`.
 *
 * A mix whose least is above `max` comes back at its least: the pilot light goes before the cap.
 */
export function fitToCap(mix: Mix, max: number, least: Mix): Mix {
  let { blocking, async, slots } = mix;
  while (blocking + async * slots > max) {
    if (slots > least.slots && async > 0) slots--;
    else if (async > least.async) async--;
    else if (blocking > least.blocking) blocking--;
    else break;
  }
  return { blocking, async, slots };
}

/** A mix as people read it: `P 2 · A 4 · C 8`. */
export function mixText(mix: Mix): string {
  return `P ${mix.blocking} · A ${mix.async} · C ${mix.slots}`;
}
