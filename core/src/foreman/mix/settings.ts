/**
 * What the optimiser can be told: its option table. All of it may change while the Foreman runs; the next sample is
 * judged by the new values.
 */
import { createError } from "../../base/errors.js";
import { type Given, type OptionTable, type Resolved, resolveOptions } from "../../base/options.js";

/**
 * Every option of the optimiser.
 *
 * Source of the urgency weights (`urgencyPressure`, `urgencyGrowth`, `urgencyMaxAge`): the run
 * bench/results/2026-11-22T111813Z-tune (`npm run bench -- tune`), which also shows what other values of the rest do;
 * those are as published.
 */
export const mixTable = {
  autoOptimize: { type: "boolean", default: true, sentence: "Whether the mix follows the load; else it stays." },
  objective: {
    type: "string",
    choices: ["headroom", "weighted"],
    default: "headroom",
    sentence: "What is maximised: the least headroom of the two pools, or the weighted sum of their rates.",
  },
  optimizationInterval: {
    type: "duration",
    default: "30s",
    min: "1s",
    max: "1h",
    sentence: "Time between two decisions that are not urgent.",
  },
  maxConcurrent: {
    type: "integer",
    default: 200,
    min: 4, // the pilot light: one blocking Worker and three async slots
    max: 65_536,
    sentence: "Operations that may run at once in this Foreman: P + A·C.",
  },
  dwell: { type: "duration", default: "60s", min: "1s", max: "1h", sentence: "Rest after a change of the mix." },
  dwellMax: { type: "duration", default: "10m", min: "1s", max: "1d", sentence: "Longest rest after reverts." },
  gainToEvaluate: {
    type: "number",
    default: 0.1,
    min: 0.001,
    max: 10,
    sentence: "Gain of the best mix over the present one from which it is watched.",
  },
  gainToConfirm: {
    type: "number",
    default: 0.08,
    min: 0.001,
    max: 10,
    sentence: "Gain each confirming sample must show.",
  },
  confirmSamples: { type: "integer", default: 5, min: 1, max: 600, sentence: "Confirming samples before a change." },
  stageSamples: { type: "integer", default: 3, min: 1, max: 600, sentence: "Samples that confirm one stage." },
  stageSamplesUrgent: { type: "integer", default: 1, min: 1, max: 600, sentence: "The same for an urgent change." },
  stageTimeout: {
    type: "duration",
    default: "90s",
    min: "1s",
    max: "1h",
    sentence: "How long a Worker may take to change its kind before the stage is given up.",
  },
  urgencyThreshold: {
    type: "number",
    default: 3,
    min: 0.1,
    max: 1_000,
    sentence: "Urgency from which a pool is helped at once.",
  },
  urgencyPressure: {
    type: "number",
    default: 4.5,
    min: 0,
    max: 1_000,
    sentence: "Weight of backlog and age, the larger of the two.",
  },
  urgencyGrowth: { type: "number", default: 1, min: 0, max: 1_000, sentence: "Weight of a growing backlog." },
  urgencyBacklog: {
    type: "integer",
    default: 500,
    min: 1,
    max: 10_000_000,
    sentence: "Backlog that counts as 1, unless the pool drains more in `urgencyDrain`.",
  },
  urgencyDrain: {
    type: "duration",
    default: "5s",
    min: 0,
    max: "1h",
    sentence: "Backlog that drains within this time counts as less than 1.",
  },
  urgencyMaxAge: { type: "duration", default: "15s", min: "1s", max: "1d", sentence: "Age that counts as 1." },
  demandHorizon: {
    type: "duration",
    default: "30s",
    min: "1s",
    max: "1h",
    sentence: "Time within which a backlog should be gone: demand = enqueue rate + backlog / this.",
  },
  pilotBlocking: {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    sentence: "Least blocking Workers while blocking Steps are registered.",
  },
  pilotAsync: {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    sentence: "Least async Workers while async Steps are registered.",
  },
  telemetryMaxAge: {
    type: "duration",
    default: "5s",
    min: "1s",
    max: "10m",
    sentence: "Samples older than this decide nothing.",
  },
  minimumHold: {
    type: "duration",
    default: "60s",
    min: 0,
    max: "1h",
    sentence: "How long a raised minimum outlives the chain that raised it.",
  },
  stallWarning: {
    type: "duration",
    default: "15s",
    min: "1s",
    max: "1h",
    sentence: "Time without a dequeue, with work waiting, that is worth a warning.",
  },
  stallCritical: {
    type: "duration",
    default: "25s",
    min: "1s",
    max: "1h",
    sentence: "Time without a dequeue, with work waiting, that is critical.",
  },
  adviceAfter: {
    type: "duration",
    default: "60s",
    min: "1s",
    max: "1h",
    sentence: "How long this Foreman must be too small before it says so.",
  },
  adviceCooldown: {
    type: "duration",
    default: "5m",
    min: "1s",
    max: "1d",
    sentence: "Least time between two advices to scale out.",
  },
} as const satisfies OptionTable;

/** Settings as users write them. */
export type MixOptions = Given<typeof mixTable>;

/** Settings with all defaults; durations in ms. */
export type MixSettings = Resolved<typeof mixTable>;

/** The shipped settings. */
export const DEFAULT_MIX_SETTINGS: MixSettings = resolveMixSettings({});

/**
 * Checks settings and fills in defaults.
 *
 * Errors: MR_INVALID_OPTION for an unknown name, a value out of bounds, or two that contradict each other.
 */
export function resolveMixSettings(given: unknown, path = "mix"): MixSettings {
  const settings = resolveOptions(mixTable, given, path);
  refuseUnless(
    settings.gainToConfirm <= settings.gainToEvaluate,
    `${path}.gainToConfirm`,
    `expected at most gainToEvaluate (${settings.gainToEvaluate}), got ${settings.gainToConfirm}`,
  );
  refuseUnless(
    settings.dwell <= settings.dwellMax,
    `${path}.dwell`,
    `expected at most dwellMax (${settings.dwellMax} ms), got ${settings.dwell} ms`,
  );
  refuseUnless(
    settings.stallWarning <= settings.stallCritical,
    `${path}.stallWarning`,
    `expected at most stallCritical (${settings.stallCritical} ms), got ${settings.stallWarning} ms`,
  );
  return settings;
}

function refuseUnless(holds: boolean, path: string, problem: string): void {
  if (!holds) throw createError("MR_INVALID_OPTION", { path, problem });
}
