/**
 * Says when no mix of this Foreman's Workers is enough and another Foreman, or more Workers, would help.
 */

import { neededPlaces } from "./minimums.js";
import { KINDS, type Mix, type PerPool, placesOf, placesOfPool } from "./mix.js";
import type { MixSettings } from "./settings.js";
import type { Stall } from "./stalls.js";
import type { MixSample } from "./telemetry.js";

/** Why more Workers are advised. */
export type AdviceReason = "both_pools_stalled" | "chain_too_deep" | "saturated";

/** One piece of advice. */
export interface Advice {
  readonly reason: AdviceReason;
  /** For people. */
  readonly sentence: string;
  readonly utilisation: number;
  readonly backlog: number;
}

/** The state of this file. */
export interface AdviceWatch {
  /** Since when this Foreman is too small; null while it is not. */
  readonly sinceMs: number | null;
  /** When it was last said; null if never. */
  readonly saidAtMs: number | null;
}

/** Nothing to say. */
export const NO_ADVICE: AdviceWatch = { sinceMs: null, saidAtMs: null };

/** Busier than this is too busy, if the backlog is larger than all that may run at once. */
const BUSY_SHARE = 0.9;

/** The part of the settings this file reads. */
export type AdviceSettings = Pick<MixSettings, "maxConcurrent" | "adviceAfter" | "adviceCooldown">;

/** Takes a sample; answers advice when it is due. */
export function watchAdvice(
  watch: AdviceWatch,
  sample: MixSample,
  stalls: PerPool<Stall>,
  nowMs: number,
  settings: AdviceSettings,
): { readonly watch: AdviceWatch; readonly advice: Advice | null } {
  const utilisation = utilisationOf(sample);
  const backlog = sample.blocking.backlog + sample.async.backlog;
  const found = findReason(sample, stalls, utilisation, backlog, settings);
  if (found === null) return { watch: { ...watch, sinceMs: null }, advice: null };
  const sinceMs = watch.sinceMs ?? nowMs;
  const isReady = found.reason !== "saturated" || nowMs - sinceMs >= settings.adviceAfter;
  const isQuiet = watch.saidAtMs !== null && nowMs - watch.saidAtMs < settings.adviceCooldown;
  if (!isReady || isQuiet) return { watch: { ...watch, sinceMs }, advice: null };
  return { watch: { sinceMs, saidAtMs: nowMs }, advice: { ...found, utilisation, backlog } };
}

/** Busy share of the Workers there are, 0…1; a loop that is busy counts as much as slots that are taken. */
export function utilisationOf(sample: MixSample): number {
  const { mix } = sample;
  const workers = mix.blocking + mix.async;
  if (workers === 0) return 0;
  const loopShare = mix.async === 0 ? 0 : sample.async.loopMs / (sample.spanMs * mix.async);
  const slotShare = share(sample.async.busy, placesOfPool(mix, "async"));
  const asyncShare = Math.min(1, Math.max(loopShare, slotShare));
  const blockingShare = Math.min(1, share(sample.blocking.busy, mix.blocking));
  return (blockingShare * mix.blocking + asyncShare * mix.async) / workers;
}

function findReason(
  sample: MixSample,
  stalls: PerPool<Stall>,
  utilisation: number,
  backlog: number,
  settings: AdviceSettings,
): Pick<Advice, "reason" | "sentence"> | null {
  const isStalled = (stall: Stall) => stall.level === "warning" || stall.level === "critical";
  if (KINDS.every((kind) => isStalled(stalls[kind]))) {
    return { reason: "both_pools_stalled", sentence: "neither pool has dequeued anything although work waits" };
  }
  const places = neededPlaces(sample);
  const deep = KINDS.find((kind) => places[kind] > placesWithAll(kind, sample.mix));
  if (deep !== undefined) {
    const sentence = `a chain of ${deep} Operations needs ${places[deep]} places, all Workers here give ${placesWithAll(deep, sample.mix)}`;
    return { reason: "chain_too_deep", sentence };
  }
  if (utilisation > BUSY_SHARE && backlog > settings.maxConcurrent) {
    const sentence = `${Math.round(utilisation * 100)} % busy with ${backlog} waiting and at most ${placesOf(sample.mix)} at once`;
    return { reason: "saturated", sentence };
  }
  return null;
}

/** Places of a pool if every Worker belonged to it. */
function placesWithAll(kind: "blocking" | "async", mix: Mix): number {
  const workers = mix.blocking + mix.async;
  return kind === "blocking" ? workers : workers * mix.slots;
}

function share(part: number, of: number): number {
  return of === 0 ? 0 : part / of;
}
