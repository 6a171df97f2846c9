/**
 * Looks for better urgency weights: a grid, then a finer look around its best; and shows what other options would do,
 * one at a time.
 *
 * The rule that chooses: the highest share on time among the settings that serve as much as the published ones, with at
 * most a quarter more changes and none of them under a steady load; within a quarter of a point, the fewest changes; within
 * 0.15 changes in ten minutes, the one nearest to the published weights. Hysteresis and pace (10 %, 8 %, 5
 * samples, 30 s, 60 s) are published behaviour: they are shown, not chosen.
 */
import { DEFAULT_MIX_SETTINGS, type MixOptions } from "@millrace/core/internal";
import { type OptimiserRun, runOptimiser } from "./measure.js";
import type { PlantSettings } from "./plant.js";
import type { Trace } from "./trace.js";

/** One setting over all scenarios. */
export interface Trial {
  readonly name: string;
  readonly options: MixOptions;
  /** Mean over the scenarios. */
  readonly served: number;
  readonly onTime: number;
  /** Geometric mean over the scenarios of the worse kind's p99 age, at least a second each, in s. */
  readonly ageS: number;
  /** Changes in ten minutes, mean over the scenarios. */
  readonly changes: number;
  /** Changes in the scenario that needs none. */
  readonly steadyChanges: number;
  readonly reverts: number;
}

/** The formula as it was first published; the shipped weights are compared with it. */
export const PUBLISHED: MixOptions = {
  urgencyPressure: 3,
  urgencyGrowth: 1,
  urgencyMaxAge: 30_000,
  urgencyBacklog: 500,
  urgencyDrain: 5_000,
};

const PRESSURES = [3, 4.5, 6];
const GROWTHS = [0, 1, 2];
const AGES_MS = [15_000, 30_000];

/** Options shown one at a time; a pair of values where two belong together. */
const SINGLES: readonly MixOptions[] = [
  { urgencyBacklog: 250 },
  { urgencyBacklog: 1_000 },
  { urgencyDrain: 2_500 },
  { urgencyDrain: 10_000 },
  { urgencyThreshold: 2 },
  { urgencyThreshold: 4 },
  { gainToEvaluate: 0.05, gainToConfirm: 0.04 },
  { gainToEvaluate: 0.2, gainToConfirm: 0.16 },
  { confirmSamples: 3 },
  { confirmSamples: 10 },
  { stageSamples: 1 },
  { stageSamples: 5 },
  { optimizationInterval: 15_000 },
  { optimizationInterval: 60_000 },
  { dwell: 30_000 },
  { dwell: 120_000 },
  { demandHorizon: 15_000 },
  { demandHorizon: 60_000 },
];

/** The grid over the urgency weights, around the published ones. */
export function urgencyGrid(): readonly MixOptions[] {
  return PRESSURES.flatMap((urgencyPressure) =>
    GROWTHS.flatMap((urgencyGrowth) =>
      AGES_MS.map((urgencyMaxAge) => ({ ...PUBLISHED, urgencyPressure, urgencyGrowth, urgencyMaxAge })),
    ),
  );
}

/** Smaller steps around a point of the grid, one weight at a time. */
export function refine(centre: MixOptions): readonly MixOptions[] {
  const { urgencyPressure = 3, urgencyGrowth = 1, urgencyMaxAge = 30_000 } = centre;
  return [
    { ...centre, urgencyPressure: urgencyPressure - 0.75 },
    { ...centre, urgencyPressure: urgencyPressure + 0.75 },
    { ...centre, urgencyGrowth: Math.max(0, urgencyGrowth - 0.5) },
    { ...centre, urgencyGrowth: urgencyGrowth + 0.5 },
    { ...centre, urgencyMaxAge: Number(urgencyMaxAge) * 0.75 },
    { ...centre, urgencyMaxAge: Number(urgencyMaxAge) * 1.33 },
  ];
}

/** What other options would do beside the shipped ones. */
export function singles(): readonly MixOptions[] {
  return SINGLES;
}

/** How much more often the mix may change than with the published weights. */
const CHANGES_SHARE = 1.25;
/** Shares on time nearer than this are equal. */
const ON_TIME_EQUAL = 0.0025;
/** Numbers of changes in ten minutes nearer than this are equal. */
const CHANGES_EQUAL = 0.15;
/** Served shares nearer than this are equal. */
const SERVED_EQUAL = 2e-4;

/** Whether a setting may be chosen, beside the published one. */
export function isAllowed(trial: Trial, published: Trial): boolean {
  return (
    trial.served >= published.served - SERVED_EQUAL &&
    trial.changes <= published.changes * CHANGES_SHARE &&
    trial.steadyChanges === 0
  );
}

/** Chooses by the rule at the head of this file. */
export function choose(trials: readonly Trial[], published: Trial): Trial {
  const allowed = trials.filter((trial) => isAllowed(trial, published));
  const most = Math.max(...allowed.map(({ onTime }) => onTime));
  const near = allowed.filter(({ onTime }) => onTime >= most - ON_TIME_EQUAL);
  const fewest = Math.min(...near.map(({ changes }) => changes));
  const calm = near.filter(({ changes }) => changes <= fewest + CHANGES_EQUAL);
  return calm.reduce((best, trial) => (farFrom(trial) < farFrom(best) ? trial : best), calm[0] ?? published);
}

/** How far a setting is from the published weights: the sum of relative differences. */
function farFrom({ options }: Trial): number {
  const names = Object.keys(PUBLISHED) as (keyof typeof PUBLISHED)[]; // its own keys
  const differences = names.map((name) => {
    const [a, b] = [Number(options[name]), Number(PUBLISHED[name])];
    return Math.abs(a - b) / Math.max(a, b);
  });
  return differences.reduce((sum, one) => sum + one, 0);
}

/** Plays all traces with one setting. */
export function tryOptions(options: MixOptions, traces: readonly Trace[], settings: PlantSettings): Trial {
  const runs = traces.map((trace) => ({ trace, run: runOptimiser(trace, settings, options) }));
  const mean = (of: (run: OptimiserRun) => number) => runs.reduce((sum, { run }) => sum + of(run), 0) / runs.length;
  const minutes = runs.reduce((sum, { trace }) => sum + trace.lengthMs / 60_000, 0);
  return {
    name: nameOf(options),
    options,
    served: mean((run) => run.served),
    onTime: mean((run) => run.onTime),
    ageS: Math.exp(mean((run) => Math.log(Math.max(1, run.ageS)))),
    changes: (10 * runs.reduce((sum, { run }) => sum + run.changes, 0)) / minutes,
    steadyChanges: runs.filter(({ trace }) => trace.name === "steady").reduce((sum, { run }) => sum + run.changes, 0),
    reverts: runs.reduce((sum, { run }) => sum + run.reverts, 0),
  };
}

/** The trials that no other is better than in one of share on time, age and changes without being worse in another. */
export function paretoFront(trials: readonly Trial[]): readonly Trial[] {
  const isAbove = (a: Trial, b: Trial) =>
    a.onTime >= b.onTime &&
    a.ageS <= b.ageS &&
    a.changes <= b.changes &&
    (a.onTime > b.onTime || a.ageS < b.ageS || a.changes < b.changes);
  return trials.filter((trial) => !trials.some((other) => isAbove(other, trial)));
}

/** What differs from the shipped settings, in words; "shipped" for nothing. */
function nameOf(options: MixOptions): string {
  const shipped: Readonly<Record<string, unknown>> = DEFAULT_MIX_SETTINGS;
  const parts = Object.entries(options).flatMap(([name, value]) =>
    shipped[name] === value ? [] : [`${name} ${String(value)}`],
  );
  return parts.length === 0 ? "shipped" : parts.join(", ");
}
