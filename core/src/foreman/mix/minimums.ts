/**
 * How many Workers a pool needs so that chains of Operations that wait for each other can end: a chain of depth d holds
 * d places while its last child needs one more. Rises at once, falls after a while: the next chain is often near.
 */
import type { Kind, Mix, PerPool } from "./mix.js";
import type { MixSettings } from "./settings.js";
import type { MixSample } from "./telemetry.js";

/** Operations deeper than this below their root are refused at submission. */
export const CALL_DEPTH_MAX = 50;

/** Added while the backlog grows: the chain may not be alone. */
const GROWTH_RESERVE = 2;

/** The least Workers of one pool and until when they are kept. */
export interface Minimum {
  readonly workers: number;
  readonly untilMs: number;
}

/** The state of this file, a plain record. */
export type Minimums = PerPool<Minimum>;

/** Nothing is asked for beyond the pilot light. */
export const NO_MINIMUMS: Minimums = {
  blocking: { workers: 0, untilMs: 0 },
  async: { workers: 0, untilMs: 0 },
};

/**
 * Workers a pool needs for its chains: max(depth + 1 places, N/4, `least`), two more while its backlog grows, at most
 * N/2. `least` while no chain holds a place.
 */
export function neededWorkers(need: {
  readonly chainDepth: number;
  /** Places of one Worker: 1, or the slots of an async one. */
  readonly placesPerWorker: number;
  readonly isGrowing: boolean;
  readonly workers: number;
  readonly least: number;
}): number {
  if (need.chainDepth === 0) return need.least;
  const forChain = Math.ceil((need.chainDepth + 1) / need.placesPerWorker);
  const wanted = Math.max(forChain, Math.ceil(need.workers / 4), need.least) + (need.isGrowing ? GROWTH_RESERVE : 0);
  return Math.max(need.least, Math.min(wanted, Math.floor(need.workers / 2)));
}

/** Takes a sample. `workers` is N, `least` the pilot light of each pool. */
export function watchMinimums(
  minimums: Minimums,
  sample: MixSample,
  situation: { readonly mix: Mix; readonly workers: number; readonly least: PerPool<number> },
  nowMs: number,
  settings: Pick<MixSettings, "minimumHold">,
): Minimums {
  const next = (kind: Kind): Minimum => {
    const pool = sample[kind];
    const needed = neededWorkers({
      chainDepth: pool.chainDepth,
      placesPerWorker: kind === "blocking" ? 1 : situation.mix.slots,
      isGrowing: pool.backlog > 0 && pool.enqueued > pool.dequeued,
      workers: situation.workers,
      least: situation.least[kind],
    });
    const held = minimums[kind];
    if (needed >= held.workers) return { workers: needed, untilMs: nowMs + settings.minimumHold };
    return nowMs < held.untilMs ? held : { workers: needed, untilMs: nowMs + settings.minimumHold };
  };
  return { blocking: next("blocking"), async: next("async") };
}

/** Places the deepest chain of each pool needs to end: none without one. */
export function neededPlaces(sample: MixSample): PerPool<number> {
  const of = (kind: Kind) => (sample[kind].chainDepth === 0 ? 0 : sample[kind].chainDepth + 1);
  return { blocking: of("blocking"), async: of("async") };
}
