/** Plays traces and makes the figures that mixes and settings are compared by. */
import { type Mix, type MixOptions, NO_PINS, resolveMixSettings } from "@millrace/core/internal";
import { fixed, OptimiserController, timetable } from "./controllers.js";
import { type PlantResult, type PlantSettings, play } from "./plant.js";
import { demandOf, type Trace } from "./trace.js";

/** The mix every run begins with: the shipped one. */
export const START: Mix = { blocking: 2, async: 4, slots: 8 };
export const WORKERS = START.blocking + START.async;
/** The shipped cap on P + A·C. */
export const CONCURRENT_MAX = 200;

/** One run in figures. */
export interface Figures {
  /** Operations completed a second, both kinds. */
  readonly perSecond: number;
  /** Mean over the kinds of what was completed of what arrived, 0…1: starving the rarer kind is no way to score. */
  readonly served: number;
  /** Mean over the kinds of what started within 10 s of its arrival, 0…1. */
  readonly onTime: number;
  /** 99th percentile of the age at the start, of the kind that is worse off, in s. */
  readonly ageS: number;
  /** 99th percentile from arrival to completion, of the kind that is worse off, in s. */
  readonly sojournS: number;
  readonly ages: { readonly blocking: number; readonly async: number };
  readonly changes: number;
  readonly reverts: number;
}

/** A run of the optimiser, with what it did. */
export interface OptimiserRun extends Figures {
  readonly course: PlantResult["course"];
  readonly told: OptimiserController["told"];
}

/** The most slots a mix of so many Workers may have under the cap. */
export function slotsMax(blocking: number): number {
  return Math.min(64, Math.floor((CONCURRENT_MAX - blocking) / (WORKERS - blocking)));
}

/** Runs the real optimiser. */
export function runOptimiser(trace: Trace, settings: PlantSettings, options: MixOptions): OptimiserRun {
  const controller = new OptimiserController({ settings: resolveMixSettings(options), start: START, pins: NO_PINS });
  const result = play(trace, controller, settings);
  const { changes, reverts, told } = controller;
  return { ...figuresOf(trace, result), changes, reverts, told, course: result.course };
}

/** Runs one mix from begin to end. */
export function runFixed(trace: Trace, settings: PlantSettings, mix: Mix): Figures {
  return figuresOf(trace, play(trace, fixed(mix), settings));
}

/** What an oracle found. */
export interface OracleRun extends Figures {
  /** Blocking Workers in each phase. */
  readonly blocking: readonly number[];
}

const PASSES_MAX = 4;
/** Served shares nearer than this are equal. */
const SERVED_EQUAL = 1e-4;

/**
 * The best mix of each phase, known beforehand and switched to at once, without losing a Worker to the change.
 *
 * Found by improving one phase after the other until none can be improved, from the mix that fits each phase's demand;
 * the best fixed mix is a candidate too. Higher served share first, then lower age. Slots are as many as the cap allows:
 * here they cost nothing.
 */
export function runOracle(trace: Trace, settings: PlantSettings): OracleRun {
  const evaluate = (plan: readonly number[]) => {
    const mixes = plan.map(mixOf);
    return figuresOf(trace, play(trace, timetable(trace.phasesMs, mixes), settings));
  };
  let plan = trace.phasesMs.map((fromMs, at) => fitting(trace, fromMs, trace.phasesMs[at + 1] ?? trace.lengthMs));
  let best = evaluate(plan);
  const take = (candidate: readonly number[]) => {
    const figures = evaluate(candidate);
    if (!isBetter(figures, best)) return false;
    plan = [...candidate];
    best = figures;
    return true;
  };
  for (let blocking = 1; blocking < WORKERS; blocking++) take(plan.map(() => blocking));
  for (let pass = 0; pass < PASSES_MAX; pass++) {
    let isImproved = false;
    for (let phase = 0; phase < plan.length; phase++) {
      for (const by of [1, -1]) {
        const blocking = (plan[phase] ?? 1) + by;
        if (blocking < 1 || blocking >= WORKERS) continue;
        if (take(plan.map((one, at) => (at === phase ? blocking : one)))) isImproved = true;
      }
    }
    if (!isImproved) break;
  }
  return { ...best, blocking: plan };
}

/** Whether one run served more, or as much with less age. */
export function isBetter(one: Figures, other: Figures): boolean {
  const more = one.served - other.served;
  return Math.abs(more) > SERVED_EQUAL ? more > 0 : one.ageS < other.ageS * 0.999;
}

function mixOf(blocking: number): Mix {
  return { blocking, async: WORKERS - blocking, slots: slotsMax(blocking) };
}

/** The number of blocking Workers at which both kinds are equally busy in a stretch of the trace. */
function fitting(trace: Trace, fromMs: number, toMs: number): number {
  const first = trace.atMs.findIndex((atMs) => atMs >= fromMs);
  const past = trace.atMs.findIndex((atMs) => atMs >= toMs);
  const end = past < 0 ? trace.count : past;
  const part: Trace = {
    ...trace,
    lengthMs: toMs - fromMs,
    count: Math.max(0, end - first),
    isBlocking: trace.isBlocking.subarray(first, end),
    cpuMs: trace.cpuMs.subarray(first, end),
    waitMs: trace.waitMs.subarray(first, end),
  };
  const { blocking, async } = demandOf(part);
  const all = blocking.workers + async.workers;
  if (all === 0) return START.blocking;
  return Math.min(WORKERS - 1, Math.max(1, Math.round((WORKERS * blocking.workers) / all)));
}

function figuresOf(trace: Trace, result: PlantResult): Figures {
  const { arrived, completed, onTime, p99AgeMs, p99SojournMs } = result;
  const share = (counted: PlantResult["arrived"]) => {
    const kinds = (["blocking", "async"] as const).filter((kind) => arrived[kind] > 0);
    return kinds.reduce((sum, kind) => sum + counted[kind] / arrived[kind], 0) / Math.max(1, kinds.length);
  };
  return {
    perSecond: (completed.blocking + completed.async) / (trace.lengthMs / 1_000),
    served: share(completed),
    onTime: share(onTime),
    ageS: Math.max(p99AgeMs.blocking, p99AgeMs.async) / 1_000,
    sojournS: Math.max(p99SojournMs.blocking, p99SojournMs.async) / 1_000,
    ages: { blocking: p99AgeMs.blocking / 1_000, async: p99AgeMs.async / 1_000 },
    changes: 0,
    reverts: 0,
  };
}
