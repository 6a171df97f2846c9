/**
 * A change under way (elsewhere: staged rollout): one Worker, or a quarter of the slots, at a time; each stage must be
 * confirmed by samples, and a change that did harm is taken back as a whole.
 *
 * Harm is less output than before where work waits. A pool without backlog does as little as it is asked for and
 * proves nothing; a pool that gives up Workers by plan is expected to do as much less; output is weighed by the Worker
 * time it takes, so that a fast pool does not drown a slow one; and what is within the usual restlessness is no harm.
 */
import { type Bounds, isSameMix, KINDS, type Kind, keepsFloors, type Mix, type PerPool } from "./mix.js";
import { ratesOf, type Times } from "./score.js";
import type { MixSettings } from "./settings.js";
import { type MixSample, meanOf, type Telemetry, timesOf } from "./telemetry.js";

/** A change under way, a plain record. */
export interface Rollout {
  /** The mix before it. */
  readonly from: Mix;
  /** The mix in the end. */
  readonly to: Mix;
  /** The last confirmed mix on the way. */
  readonly reached: Mix;
  /** The mix that was asked for now. */
  readonly stage: Mix;
  readonly isUrgent: boolean;
  readonly askedAtMs: number;
  /** Attempts each pool ended in a second before the change. */
  readonly before: PerPool<number>;
  /** How far single seconds lay from that, squared. */
  readonly spread: PerPool<number>;
  readonly times: Times;
  readonly tally: Tally;
}

/** Confirming samples of the present stage, in Worker seconds done and expected. */
interface Tally {
  readonly samples: number;
  readonly low: number;
  readonly done: number;
  readonly expected: number;
  readonly spread: number;
}

/** How a stage stands: not there yet, not enough samples yet, good, did harm, or never got there. */
export type StageVerdict = "moving" | "confirming" | "confirmed" | "harmful" | "stuck";

/** The part of the settings this file reads. */
export type RolloutSettings = Pick<MixSettings, "stageSamples" | "stageSamplesUrgent" | "stageTimeout">;

/** Share of the slots one stage adds or takes. */
const SLOTS_SHARE = 0.25;
/** Output below this share of what is expected speaks against a stage. */
const LOW_SHARE = 0.95;
/** Harm must also stand out of chance by so many standard deviations. */
const SIGMAS = 2;

const EMPTY: Tally = { samples: 0, low: 0, done: 0, expected: 0, spread: 0 };

/** Begins a change; its first stage is `stage`. */
export function beginRollout(
  change: { readonly from: Mix; readonly to: Mix; readonly isUrgent: boolean },
  bounds: Bounds,
  telemetry: Telemetry,
  nowMs: number,
): Rollout {
  const { from, to } = change;
  const before = { blocking: meanOf(telemetry.endRate.blocking), async: meanOf(telemetry.endRate.async) };
  const spread = { blocking: meanOf(telemetry.endSpread.blocking), async: meanOf(telemetry.endSpread.async) };
  const stage = nextStage(from, to, bounds);
  const times = timesOf(telemetry);
  return { ...change, reached: from, stage, askedAtMs: nowMs, before, spread, times, tally: EMPTY };
}

/** Begins the next stage after a confirmed one. */
export function advance(rollout: Rollout, bounds: Bounds, nowMs: number): Rollout {
  const stage = nextStage(rollout.stage, rollout.to, bounds);
  return { ...rollout, reached: rollout.stage, stage, askedAtMs: nowMs, tally: EMPTY };
}

/** Whether the present stage is the last one. */
export function isLastStage(rollout: Rollout): boolean {
  return isSameMix(rollout.stage, rollout.to);
}

/** The next mix on the way: one Worker moved, or a quarter of the slots; never out of bounds. */
export function nextStage(present: Mix, to: Mix, bounds: Bounds): Mix {
  const worker = moveWorker(present, to);
  const slots = moveSlots(present, to);
  // More slots cost nothing and may be all that is missing, so they come first; fewer come last, when they must not
  // make room for a Worker before.
  const steps = to.slots > present.slots ? [slots, worker] : [worker, slots];
  return steps.find((step) => step !== null && isPassable(step, bounds)) ?? to;
}

/** Takes a sample into the present stage. */
export function judgeStage(
  rollout: Rollout,
  sample: MixSample,
  nowMs: number,
  settings: RolloutSettings,
): { readonly rollout: Rollout; readonly verdict: StageVerdict } {
  if (sample.isMoving || !isSameMix(sample.mix, rollout.stage)) {
    const isLate = nowMs - rollout.askedAtMs >= settings.stageTimeout;
    return { rollout, verdict: isLate ? "stuck" : "moving" };
  }
  const tally = count(rollout, sample);
  return { rollout: { ...rollout, tally }, verdict: judge(tally, rollout.isUrgent, settings) };
}

/** In a hurry one good sample is enough to go on; to take a change back it needs as many low ones as ever. */
function judge(tally: Tally, isUrgent: boolean, settings: RolloutSettings): StageVerdict {
  const isAllLow = tally.low === tally.samples;
  const isEnough = tally.samples >= settings.stageSamples;
  if (!isEnough && (isAllLow || !isUrgent || tally.samples < settings.stageSamplesUrgent)) return "confirming";
  const bound = LOW_SHARE * tally.expected - SIGMAS * Math.sqrt(tally.spread);
  return isAllLow && tally.done < bound ? "harmful" : "confirmed";
}

function count(rollout: Rollout, sample: MixSample): Tally {
  const { before, spread, times, from, stage, tally } = rollout;
  const seconds = sample.spanMs / 1_000;
  const had = ratesOf(from, times);
  const has = ratesOf(stage, times);
  let done = 0;
  let expected = 0;
  let variance = 0;
  for (const kind of KINDS) {
    if (sample[kind].backlog === 0 || had[kind] === 0) continue;
    const kept = Math.min(1, has[kind] / had[kind]);
    const workerSeconds = workersOf(from, kind) / had[kind];
    done += workerSeconds * sample[kind].ended;
    expected += workerSeconds * before[kind] * kept * seconds;
    variance += workerSeconds ** 2 * spread[kind] * kept ** 2 * seconds ** 2;
  }
  const isLow = done < LOW_SHARE * expected;
  return {
    samples: tally.samples + 1,
    low: tally.low + (isLow ? 1 : 0),
    done: tally.done + done,
    expected: tally.expected + expected,
    spread: tally.spread + variance,
  };
}

function workersOf(mix: Mix, kind: Kind): number {
  return mix[kind];
}

function moveWorker(present: Mix, to: Mix): Mix | null {
  const blocking = present.blocking + Math.sign(to.blocking - present.blocking);
  const async = present.async + Math.sign(to.async - present.async);
  return blocking === present.blocking && async === present.async ? null : { ...present, blocking, async };
}

function moveSlots(present: Mix, to: Mix): Mix | null {
  if (to.slots === present.slots) return null;
  const step = Math.max(1, Math.floor(present.slots * SLOTS_SHARE));
  const way = to.slots - present.slots;
  return { ...present, slots: present.slots + Math.sign(way) * Math.min(step, Math.abs(way)) };
}

/** Floors and cap; how many Workers there are together may differ on the way, pins are met in the end. */
function isPassable(mix: Mix, bounds: Bounds): boolean {
  return keepsFloors(mix, bounds) && mix.blocking + mix.async * mix.slots <= bounds.concurrentMax;
}
