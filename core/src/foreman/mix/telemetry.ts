/**
 * What the optimiser is told each second, whether it may be believed, and the smoothed figures made of it.
 *
 * Executed work cannot say what a starved pool would need, so the blocking share counts *enqueued* Operations.
 */
import { KINDS, type Kind, type Mix, type PerPool } from "./mix.js";
import type { Load, Times } from "./score.js";

/** One pool in one sample. Counts are since the sample before. */
export interface PoolSample {
  /** Whether any Step of this kind is registered here. */
  readonly isRegistered: boolean;
  /** Operations ready and claimable now; those of paused Queues do not count. */
  readonly backlog: number;
  /** Age of the oldest of them, in ms; 0 when there is none. */
  readonly oldestAgeMs: number;
  /** Operations that became ready. */
  readonly enqueued: number;
  /** Operations claimed. */
  readonly dequeued: number;
  /** Attempts ended. */
  readonly ended: number;
  /** Run time of those, waits included, in ms together. */
  readonly runMs: number;
  /** Time the event loops were busy, in ms together; 0 for blocking Workers. */
  readonly loopMs: number;
  /** Places taken now: busy blocking Workers, or slots. */
  readonly busy: number;
  /** Deepest chain of Operations that hold a place while they wait for a child; 0 when none does. */
  readonly chainDepth: number;
  /** Places whose Operation has shown no progress for longer than it may. */
  readonly hung: number;
  /** Whether work waits only in paused Queues. */
  readonly isPaused: boolean;
  /** Whether the last claims were refused by limits of Steps. */
  readonly isLimited: boolean;
  /** Whether every waiting Operation has a handler here. */
  readonly hasHandler: boolean;
}

/** What the optimiser is told at one moment. */
export interface MixSample extends PerPool<PoolSample> {
  /** When the oldest figure in it was read, in ms of the same clock as `nowMs`. */
  readonly readAtMs: number;
  /** Time since the sample before, in ms. */
  readonly spanMs: number;
  /** The Workers that are there and claim. */
  readonly mix: Mix;
  /** Whether a Worker is still on its way to the mix that was asked for. */
  readonly isMoving: boolean;
  /** Whether the store answers. */
  readonly isStoreReachable: boolean;
}

/** Smoothed figures. A plain record: the state of this file. */
export interface Telemetry {
  readonly blockingRun: Mean;
  readonly asyncRun: Mean;
  readonly asyncLoop: Mean;
  readonly enqueueRate: PerPool<Rate>;
  readonly dequeueRate: PerPool<Mean>;
  readonly endRate: PerPool<Mean>;
  /** Squares of how far the seconds lay from `endRate`: how restless the output is without anybody's doing. */
  readonly endSpread: PerPool<Mean>;
  readonly shares: readonly Share[];
}

/** A mean that forgets. `value` per `weight`, so that the first samples count fully. */
export interface Mean {
  readonly value: number;
  readonly weight: number;
  /** Things seen so far. */
  readonly count: number;
}

/** How much arrives in a second: a calm mean, a quick one, and how far single seconds lie from the quick one, squared. */
export interface Rate {
  readonly calm: Mean;
  readonly quick: Mean;
  readonly spread: Mean;
}

interface Share {
  readonly blocking: number;
  readonly all: number;
}

/** A pool in which nothing happens. */
export const NOBODY: PoolSample = {
  isRegistered: false,
  backlog: 0,
  oldestAgeMs: 0,
  enqueued: 0,
  dequeued: 0,
  ended: 0,
  runMs: 0,
  loopMs: 0,
  busy: 0,
  chainDepth: 0,
  hung: 0,
  isPaused: false,
  isLimited: false,
  hasHandler: true,
};

/** Weight of the newest sample in the means of times. */
const TIME_WEIGHT = 0.2;
/**
 * Least Operations behind a sample of full weight; fewer weigh less. Without this the one slow Operation that ends this
 * second would be a fifth of the mean, and slow pools would look restless: in `bench tune` 12 of 30 steady quarter hours
 * had a change at 4, six at 12.
 */
const FULL_WEIGHT_COUNT = 10;
/** Weight of the newest second in the calm mean of what arrives: a memory of about 20 s. */
const CALM_WEIGHT = 0.05;
/** Weight of the newest second in the quick one, and in what leaves: stages are judged by it. */
const QUICK_WEIGHT = 0.2;
/**
 * The quick mean counts once it has left the calm one by so many standard deviations of a second. Of its own deviations
 * these are three, √((2 − 0.2) / 0.2): chance does that once in 400 s, a real change within two or three.
 */
const CHANGE_SIGMAS = 1;
/** Operations before a measured time replaces the assumed one. */
const COUNT_MIN = 20;
/** Assumed until then, in ms. */
const ASSUMED: Times = { blockingMs: 100, loopMs: 5, asyncMs: 50 };
/** Enqueued Operations the blocking share looks back on, and how many of them are kept as one record. */
const SHARE_WINDOW = 10_000;
const SHARE_GRAIN = 100;

const NOTHING: Mean = { value: 0, weight: 0, count: 0 };

const NO_RATE: Rate = { calm: NOTHING, quick: NOTHING, spread: NOTHING };

/** Nothing known yet. */
export const NO_TELEMETRY: Telemetry = {
  blockingRun: NOTHING,
  asyncRun: NOTHING,
  asyncLoop: NOTHING,
  enqueueRate: { blocking: NO_RATE, async: NO_RATE },
  dequeueRate: { blocking: NOTHING, async: NOTHING },
  endRate: { blocking: NOTHING, async: NOTHING },
  endSpread: { blocking: NOTHING, async: NOTHING },
  shares: [],
};

/** Says why a sample must not be used, in words for the log; null if it may be. */
export function whyUnusable(sample: MixSample | null, nowMs: number, ageMaxMs: number): string | null {
  if (sample === null) return "no telemetry";
  if (!(sample.spanMs > 0)) return `span of ${sample.spanMs} ms`;
  const ageMs = nowMs - sample.readAtMs;
  if (!(ageMs <= ageMaxMs)) return `telemetry is ${Math.round(ageMs)} ms old`;
  for (const kind of KINDS) {
    for (const [name, value] of Object.entries(sample[kind])) {
      if (typeof value === "boolean") continue;
      if (typeof value !== "number" || !Number.isFinite(value)) return `${kind}.${name} is missing`;
      if (value < 0) return `${kind}.${name} is ${value}`;
    }
  }
  return null;
}

/** Takes a usable sample into the means. */
export function absorb(telemetry: Telemetry, sample: MixSample): Telemetry {
  const seconds = sample.spanMs / 1_000;
  const { blocking, async } = sample;
  const quick = (means: PerPool<Mean>, field: "dequeued" | "ended"): PerPool<Mean> => ({
    blocking: blend(means.blocking, blocking[field] / seconds, QUICK_WEIGHT, 1),
    async: blend(means.async, async[field] / seconds, QUICK_WEIGHT, 1),
  });
  return {
    blockingRun: blendTimes(telemetry.blockingRun, blocking.runMs, blocking.ended),
    asyncRun: blendTimes(telemetry.asyncRun, async.runMs, async.ended),
    asyncLoop: blendTimes(telemetry.asyncLoop, async.loopMs, async.ended),
    enqueueRate: {
      blocking: blendRate(telemetry.enqueueRate.blocking, blocking.enqueued / seconds),
      async: blendRate(telemetry.enqueueRate.async, async.enqueued / seconds),
    },
    dequeueRate: quick(telemetry.dequeueRate, "dequeued"),
    endRate: quick(telemetry.endRate, "ended"),
    endSpread: {
      blocking: blendSpread(telemetry, "blocking", blocking.ended / seconds),
      async: blendSpread(telemetry, "async", async.ended / seconds),
    },
    shares: addShare(telemetry.shares, blocking.enqueued, blocking.enqueued + async.enqueued),
  };
}

/** T_b, T_p and T_s as far as they are known, else as assumed: 100, 5 and 50 ms. */
export function timesOf(telemetry: Telemetry): Times {
  const known = (mean: Mean, assumed: number) => (mean.count < COUNT_MIN ? assumed : meanOf(mean));
  return {
    blockingMs: known(telemetry.blockingRun, ASSUMED.blockingMs),
    loopMs: known(telemetry.asyncLoop, ASSUMED.loopMs),
    asyncMs: known(telemetry.asyncRun, ASSUMED.asyncMs),
  };
}

/** What the pools are asked for, with backlogs to be gone within `horizonMs`. */
export function loadOf(telemetry: Telemetry, sample: MixSample, horizonMs: number): Load {
  const seconds = sample.spanMs / 1_000;
  const demand = (kind: Kind) => rateOf(telemetry.enqueueRate[kind]) + (sample[kind].backlog * 1_000) / horizonMs;
  const pressure = (kind: Kind) => {
    const { backlog, enqueued, dequeued } = sample[kind];
    return backlog + Math.max(0, (enqueued - dequeued) / seconds);
  };
  return {
    demand: { blocking: demand("blocking"), async: demand("async") },
    pressure: { blocking: pressure("blocking"), async: pressure("async") },
    blockingShare: blockingShareOf(telemetry),
  };
}

/** r: the blocking share of the last 10,000 enqueued Operations; a half while there were none. */
export function blockingShareOf(telemetry: Telemetry): number {
  let blocking = 0;
  let all = 0;
  for (const share of telemetry.shares) {
    blocking += share.blocking;
    all += share.all;
  }
  return all === 0 ? 0.5 : blocking / all;
}

/** What arrives in a second: the calm mean, or the quick one once more than chance lies between them. */
export function rateOf(rate: Rate): number {
  const calm = meanOf(rate.calm);
  const quick = meanOf(rate.quick);
  const isChanged = Math.abs(quick - calm) > CHANGE_SIGMAS * Math.sqrt(meanOf(rate.spread));
  return isChanged ? quick : calm;
}

/** What a mean stands at; 0 while nothing was seen. */
export function meanOf(mean: Mean): number {
  return mean.weight === 0 ? 0 : mean.value / mean.weight;
}

function blendRate(rate: Rate, value: number): Rate {
  const off = (value - meanOf(rate.quick)) ** 2;
  return {
    calm: blend(rate.calm, value, CALM_WEIGHT, 1),
    quick: blend(rate.quick, value, QUICK_WEIGHT, 1),
    spread: rate.quick.weight === 0 ? rate.spread : blend(rate.spread, off, CALM_WEIGHT, 1),
  };
}

function blendSpread(telemetry: Telemetry, kind: Kind, rate: number): Mean {
  const mean = telemetry.endRate[kind];
  if (mean.weight === 0) return telemetry.endSpread[kind];
  return blend(telemetry.endSpread[kind], (rate - meanOf(mean)) ** 2, QUICK_WEIGHT, 1);
}

function blendTimes(mean: Mean, sumMs: number, count: number): Mean {
  if (count === 0) return mean;
  return blend(mean, sumMs / count, TIME_WEIGHT * Math.min(1, count / FULL_WEIGHT_COUNT), count);
}

function blend(mean: Mean, value: number, weight: number, count: number): Mean {
  return {
    value: (1 - weight) * mean.value + weight * value,
    weight: (1 - weight) * mean.weight + weight,
    count: mean.count + count,
  };
}

/** Newest first. Small neighbours are put together, so that the list stays short whatever the rate. */
function addShare(shares: readonly Share[], blocking: number, all: number): readonly Share[] {
  if (all === 0) return shares;
  const [newest, ...older] = shares;
  const joined =
    newest === undefined || newest.all >= SHARE_GRAIN
      ? [{ blocking, all }, ...shares]
      : [{ blocking: newest.blocking + blocking, all: newest.all + all }, ...older];
  const kept: Share[] = [];
  let room = SHARE_WINDOW;
  for (const share of joined) {
    if (room <= 0) break;
    const part = Math.min(1, room / share.all);
    kept.push({ blocking: share.blocking * part, all: share.all * part });
    room -= share.all;
  }
  return kept;
}
