/**
 * Looks at every mix within the bounds and takes the best: at most a few thousand, so nothing clever is needed.
 */
import { type Bounds, isWithin, type Mix, movedWorkers, placesOf, SLOTS_MAX } from "./mix.js";

/** A mix and what it is worth. */
export interface Rated {
  readonly mix: Mix;
  readonly score: number;
}

/** What mixes are judged by. */
export interface Judge {
  /** The highest score there is; a mix that has it need not be compared. */
  readonly scoreMax: number;
  scoreOf(mix: Mix): number;
  /** Breaks ties between mixes that move as many Workers: the pool that does not decide the score should be well off too. */
  tieOf(mix: Mix): number;
}

interface Candidate extends Rated {
  readonly tie: number;
}

/** Scores this near the best count as equal to it: figures are not known better, and Workers are not moved for less. */
const EQUAL_SHARE = 0.05;

/**
 * The best mix within bounds: highest score; among equals the one that moves fewest Workers from `present`, then the
 * one with the higher tie, then the one that moves fewest slots, then the one with the smallest P + A·C. `qualifies`
 * leaves candidates out. Null when none is left.
 *
 * Slots nobody uses cost nothing, and are there when the load comes back: taking them at once, for the smallest
 * P + A·C, made a second change necessary in one of six steady runs.
 */
export function findBest(
  bounds: Bounds,
  present: Mix,
  judge: Pick<Judge, "scoreOf" | "tieOf">,
  qualifies: (mix: Mix) => boolean = () => true,
): Rated | null {
  const candidates: Rated[] = [];
  let highest = Number.NEGATIVE_INFINITY;
  for (const mix of mixesWithin(bounds)) {
    if (!qualifies(mix)) continue;
    const score = judge.scoreOf(mix);
    candidates.push({ mix, score });
    highest = Math.max(highest, score);
  }
  let best: Candidate | null = null;
  for (const { mix, score } of candidates) {
    if (score < highest - EQUAL_SHARE * Math.abs(highest)) continue;
    const candidate = { mix, score, tie: judge.tieOf(mix) };
    if (best === null || isPreferred(candidate, best, present)) best = candidate;
  }
  return best === null ? null : { mix: best.mix, score: best.score };
}

/** All mixes within the bounds. */
export function* mixesWithin(bounds: Bounds): Iterable<Mix> {
  const { workers, slotsPinned, blockingPinned } = bounds;
  for (let blocking = blockingPinned ?? 0; blocking <= (blockingPinned ?? workers); blocking++) {
    const async = workers - blocking;
    // Without async Workers their slots mean nothing: one candidate stands for all.
    for (const slots of slotsPinned === null ? slotCounts(async > 0 ? bounds.slotsMax : 1) : [slotsPinned]) {
      const mix = { blocking, async, slots };
      if (isWithin(mix, bounds)) yield mix;
    }
  }
}

/** Every number of slots up to 64, then in steps of a quarter: so many slots need no finer choice. */
function* slotCounts(max: number): Iterable<number> {
  for (let slots = 1; slots < max; slots += slots < SLOTS_MAX ? 1 : Math.floor(slots / 4)) yield slots;
  yield max;
}

/** The allowed mix nearest to `present`: itself, if it may stay. Null when nothing is allowed. */
export function findNearest(bounds: Bounds, present: Mix): Mix | null {
  if (isWithin(present, bounds)) return present;
  return findBest(bounds, present, { scoreOf: (mix) => -movedWorkers(present, mix), tieOf: () => 0 })?.mix ?? null;
}

function isPreferred(one: Candidate, other: Candidate, present: Mix): boolean {
  const moved = movedWorkers(present, one.mix) - movedWorkers(present, other.mix);
  if (moved !== 0) return moved < 0;
  if (Math.abs(one.tie - other.tie) > EXACT_SHARE * other.tie) return one.tie > other.tie;
  const turned = Math.abs(one.mix.slots - present.slots) - Math.abs(other.mix.slots - present.slots);
  if (turned !== 0) return turned < 0;
  return placesOf(one.mix) < placesOf(other.mix);
}

/** Rounding must not decide. */
const EXACT_SHARE = 1e-9;
