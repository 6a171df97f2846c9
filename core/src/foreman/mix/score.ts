/**
 * How good a mix would be: the rates it could reach, and the two ways to make one number of them.
 *
 * λ_b = P / T_b, λ_a = min(A / T_p, A·C / T_s): a blocking Worker runs one Operation at a time; async Workers are bound
 * by their loops (T_p is the time an Operation keeps its loop busy) or by their slots (T_s is its whole time).
 * That is Little's law for each pool; docs/mix.md has the reasons and the example that decided for `headroom`.
 */
import type { Mix, PerPool } from "./mix.js";
import type { Judge } from "./search.js";

/** Least time an Operation is taken to need, in ms: keeps rates finite. */
export const TIME_MIN_MS = 1;
/** More headroom than this is worth nothing: it would only be taken from where it may be needed next. */
export const HEADROOM_MAX = 1.5;
/** Slots are chosen as if Operations took so much longer: T_s wobbles, and slots just enough for it would follow it. */
const SLOTS_RESERVE = 1.25;
/** Keeps a gain finite when the present score is nothing. */
export const SCORE_MIN = 0.001;

/** Mean times of Operations, in ms. */
export interface Times {
  /** T_b: run time of a blocking Operation. */
  readonly blockingMs: number;
  /** T_p: time an async Operation keeps its event loop busy. */
  readonly loopMs: number;
  /** T_s: run time of an async Operation, waits included. */
  readonly asyncMs: number;
}

/** What each pool is asked for and holds. */
export interface Load {
  /** Operations a second each pool must do: what arrives, and its backlog within the horizon. */
  readonly demand: PerPool<number>;
  /** Waiting Operations and those by which the backlog grows each second. */
  readonly pressure: PerPool<number>;
  /** r: blocking share of the last enqueued Operations, 0…1. */
  readonly blockingShare: number;
}

/** Operations a second a mix can do in each pool (λ), if work is there. */
export function ratesOf(mix: Mix, times: Times): PerPool<number> {
  const byLoops = mix.async / atLeastMinimum(times.loopMs);
  const bySlots = (mix.async * mix.slots) / atLeastMinimum(times.asyncMs);
  return {
    blocking: (1_000 * mix.blocking) / atLeastMinimum(times.blockingMs),
    async: 1_000 * Math.min(byLoops, bySlots),
  };
}

/**
 * w_b, the weight of blocking work: half its share of what is enqueued, half its share of pressure; only the former
 * where nothing waits.
 */
export function blockingWeight(load: Load): number {
  const pressure = load.pressure.blocking + load.pressure.async;
  if (pressure <= 0) return load.blockingShare;
  return load.blockingShare / 2 + load.pressure.blocking / pressure / 2;
}

/** `weighted`: w_b·λ_b + (1 − w_b)·λ_a. Linear, so mixed load sends every spare Worker to the faster pool. */
export function weightedScore(rates: PerPool<number>, load: Load): number {
  const weight = blockingWeight(load);
  return weight * rates.blocking + (1 - weight) * rates.async;
}

/** How often each pool could do what it is asked for: λ / d. Infinity for a pool nobody asks. */
export function headroomOf(rates: PerPool<number>, load: Load): PerPool<number> {
  return {
    blocking: load.demand.blocking > 0 ? rates.blocking / load.demand.blocking : Number.POSITIVE_INFINITY,
    async: load.demand.async > 0 ? rates.async / load.demand.async : Number.POSITIVE_INFINITY,
  };
}

/** `headroom`: min(1.5, λ_b/d_b, λ_a/d_a), pools without demand left out. */
export function headroomScore(rates: PerPool<number>, load: Load): number {
  const headroom = headroomOf(rates, load);
  return Math.min(HEADROOM_MAX, headroom.blocking, headroom.async);
}

/** The objective as a judge of mixes; with `headroom` ties go to the mix whose pools are better off together. */
export function judgeBy(objective: "headroom" | "weighted", times: Times, load: Load): Judge {
  if (objective === "weighted") {
    const scoreOf = (mix: Mix) => weightedScore(ratesOf(mix, times), load);
    return { scoreMax: Number.POSITIVE_INFINITY, scoreOf, tieOf: () => 0 };
  }
  return {
    scoreMax: HEADROOM_MAX,
    scoreOf: (mix) => headroomScore(ratesOf(mix, times), load),
    tieOf: (mix) => {
      const cautious = { ...times, asyncMs: times.asyncMs * SLOTS_RESERVE };
      const { blocking, async } = headroomOf(ratesOf(mix, cautious), load);
      return Math.min(HEADROOM_MAX, blocking) + Math.min(HEADROOM_MAX, async);
    },
  };
}

/** How much better one score is than another, as a share of the other. */
export function gainOf(best: number, present: number): number {
  return (best - present) / Math.max(present, SCORE_MIN);
}

function atLeastMinimum(ms: number): number {
  return Math.max(ms, TIME_MIN_MS);
}
