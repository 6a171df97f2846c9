/**
 * Tells a pool that stands still from one that is merely full, and why it stands. Only reports: what to do about a
 * paused Queue or a limit is a person's decision.
 */
import { KINDS, type Kind, type PerPool, placesOfPool } from "./mix.js";
import type { MixSettings } from "./settings.js";
import type { MixSample } from "./telemetry.js";

/** Why nothing is dequeued; the first that fits, in this order. */
export type StallCause = "store" | "paused" | "no_handler" | "limit" | "depth_exhaustion" | "hung_worker" | "unknown";

/** How a pool stands. `saturated`: every place is taken and works, so waiting is a matter of size, not of fault. */
export type StallLevel = "none" | "saturated" | "warning" | "critical";

/** One pool's stall. */
export interface Stall {
  readonly level: StallLevel;
  readonly cause: StallCause | null;
  /** Time without a dequeue while work waited, in ms. */
  readonly forMs: number;
  /** Workers that would let it go on; null where Workers are not what is missing. */
  readonly neededWorkers: number | null;
}

/** The state of this file: since when nothing was dequeued from each pool; null while it moves. */
export type StallWatch = PerPool<number | null>;

/** Everything moves. */
export const NO_STALLS: StallWatch = { blocking: null, async: null };

const MOVING: Stall = { level: "none", cause: null, forMs: 0, neededWorkers: null };

/** Both pools move. */
export const CALM_STALLS: PerPool<Stall> = { blocking: MOVING, async: MOVING };

/** The part of the settings this file reads. */
export type StallSettings = Pick<MixSettings, "stallWarning" | "stallCritical">;

/** Takes a sample; answers how each pool stands. */
export function watchStalls(
  watch: StallWatch,
  sample: MixSample,
  nowMs: number,
  settings: StallSettings,
): { readonly watch: StallWatch; readonly stalls: PerPool<Stall> } {
  const since: { -readonly [K in Kind]: number | null } = { ...watch };
  const stalls: { -readonly [K in Kind]: Stall } = { blocking: MOVING, async: MOVING };
  for (const kind of KINDS) {
    const pool = sample[kind];
    const isWaiting = (pool.backlog > 0 || pool.isPaused) && placesOfPool(sample.mix, kind) > 0;
    since[kind] = isWaiting && pool.dequeued === 0 ? (since[kind] ?? nowMs - sample.spanMs) : null;
    const from = since[kind];
    if (from !== null) stalls[kind] = judge(kind, sample, nowMs - from, settings);
  }
  return { watch: since, stalls };
}

function judge(kind: Kind, sample: MixSample, forMs: number, settings: StallSettings): Stall {
  if (forMs < settings.stallWarning) return { ...MOVING, forMs };
  const cause = causeOf(kind, sample);
  if (cause === null) return { level: "saturated", cause: null, forMs, neededWorkers: null };
  const level = forMs >= settings.stallCritical ? "critical" : "warning";
  return { level, cause, forMs, neededWorkers: cause === "depth_exhaustion" ? workersForChain(kind, sample) : null };
}

/** Null when all places work on something and none of them waits for another. */
function causeOf(kind: Kind, sample: MixSample): StallCause | null {
  const pool = sample[kind];
  const places = placesOfPool(sample.mix, kind);
  if (!sample.isStoreReachable) return "store";
  if (pool.isPaused) return "paused";
  if (!pool.hasHandler) return "no_handler";
  if (pool.chainDepth >= places) return "depth_exhaustion";
  if (pool.hung > 0 && pool.busy >= places) return "hung_worker";
  if (pool.busy >= places) return null;
  return pool.isLimited ? "limit" : "unknown";
}

function workersForChain(kind: Kind, sample: MixSample): number {
  const perWorker = kind === "blocking" ? 1 : Math.max(1, sample.mix.slots);
  return Math.ceil((sample[kind].chainDepth + 1) / perWorker);
}

/** A stall in a sentence, for the log. */
export function stallText(kind: Kind, stall: Stall): string {
  const needed = stall.neededWorkers === null ? "" : `, needs ${stall.neededWorkers} Workers`;
  return `${kind}: nothing dequeued for ${Math.round(stall.forMs / 1_000)} s (${stall.cause ?? stall.level}${needed})`;
}
