/**
 * Makes the optimiser's samples (elsewhere: metrics collector): differences of totals, and the age of what waits.
 *
 * Every Foreman of an App sees the whole backlog, but will do only its part of it: a sample holds that part. Where the
 * store does not tell how old the oldest waiting Operation is, its age follows from first in, first out: it came when
 * as many had come as have left by now.
 */
import type { Clock } from "../base/clock.js";
import { isSameMix, type Kind, type Mix } from "./mix/mix.js";
import type { MixSample, PoolSample } from "./mix/telemetry.js";

/** What the Foreman knows of one pool. Totals never fall while the Foreman lives. */
export interface PoolFigures {
  /** Whether any Step of this kind is registered here. */
  readonly isRegistered: boolean;
  /** Operations ready in unpaused Queues of this pool, over all Segments known; NaN while unknown. */
  readonly backlog: number;
  /** Age of the oldest of them in ms; null where nobody knows. */
  readonly oldestAgeMs: number | null;
  /** Operations claimed for this pool, in total. */
  readonly dequeued: number;
  /** Attempts ended, in total. */
  readonly ended: number;
  /** Their run time, waits included, in ms in total. */
  readonly runMs: number;
  /** Time the pool's event loops were busy, in ms in total; 0 for blocking Workers. */
  readonly loopMs: number;
  /** Workers of this kind that are there and take work. */
  readonly workers: number;
  /** Operations that run now. */
  readonly busy: number;
  /** Places whose Operation has shown no progress for longer than it may. */
  readonly hung: number;
  /** Deepest chain of Operations that hold a place while they wait for a child; 0 when none does. */
  readonly chainDepth: number;
  /** Whether work waits only in paused Queues. */
  readonly isPaused: boolean;
  /** Whether the last claims were refused by limits of Steps. */
  readonly isLimited: boolean;
  /** Whether every waiting Operation has a handler here. */
  readonly hasHandler: boolean;
}

/** Where samples come from. */
export interface MixSource {
  /** What is known of a pool now. */
  figures(kind: Kind): PoolFigures;
  /** Slots of each async Worker, as far as they were told. */
  readonly slots: number;
  /** When the backlogs were read, by the monotonic clock. */
  readonly backlogReadMs: number;
  /** Live Foremen of this App, this one included; at least 1. */
  readonly foremen: number;
  /** Whether the store answers. */
  readonly isStoreReachable: boolean;
  /** Asks for fresh backlogs; they are there when the next sample is taken. */
  refresh?(): void;
}

/** What was true at the sample before. */
interface Before {
  readonly atMs: number;
  readonly pools: { readonly [K in Kind]: PoolFigures };
}

/** Ages are told apart this finely, and this far back. */
const ARRIVALS_MAX = 3_600;

/** Samples one Foreman. */
export class Sampler {
  readonly #source: MixSource;
  readonly #clock: Clock;
  readonly #arrivals: { readonly [K in Kind]: Arrivals } = { blocking: new Arrivals(), async: new Arrivals() };
  #before: Before | null = null;

  constructor(source: MixSource, clock: Clock) {
    this.#source = source;
    this.#clock = clock;
  }

  /** Takes a sample; null the first time, when there is nothing yet to compare with. `asked` is the mix wanted now. */
  take(asked: Mix): MixSample | null {
    const source = this.#source;
    source.refresh?.();
    const nowMs = this.#clock.monotonicMs();
    const pools = { blocking: source.figures("blocking"), async: source.figures("async") };
    const before = this.#before;
    this.#before = { atMs: nowMs, pools };
    if (before === null) return null;
    const spanMs = nowMs - before.atMs;
    const share = 1 / Math.max(1, source.foremen);
    const of = (kind: Kind) => this.#pool(kind, pools[kind], before.pools[kind], share, nowMs);
    const mix = { blocking: pools.blocking.workers, async: pools.async.workers, slots: source.slots };
    return {
      blocking: of("blocking"),
      async: of("async"),
      // The counters are read now; the backlogs may be older, and the sample is as old as its oldest figure.
      readAtMs: Math.min(nowMs, source.backlogReadMs),
      spanMs,
      mix,
      isMoving: !isSameMix(mix, asked),
      isStoreReachable: source.isStoreReachable,
    };
  }

  #pool(kind: Kind, now: PoolFigures, before: PoolFigures, share: number, nowMs: number): PoolSample {
    const dequeued = now.dequeued - before.dequeued;
    const backlog = now.backlog * share;
    // What came is what left and what is there more than before. Others may have taken some of it: then it is less.
    const enqueued = Math.max(0, backlog - before.backlog * share + dequeued);
    const ageMs = this.#arrivals[kind].ageOf(enqueued, backlog, nowMs);
    return {
      isRegistered: now.isRegistered,
      backlog,
      oldestAgeMs: backlog === 0 ? 0 : (now.oldestAgeMs ?? ageMs),
      enqueued,
      dequeued,
      ended: now.ended - before.ended,
      runMs: now.runMs - before.runMs,
      loopMs: now.loopMs - before.loopMs,
      busy: now.busy,
      chainDepth: now.chainDepth,
      hung: now.hung,
      isPaused: now.isPaused,
      isLimited: now.isLimited,
      hasHandler: now.hasHandler,
    };
  }
}

/** When what waits came in, second by second: first in, first out. */
class Arrivals {
  #cohorts: { atMs: number; count: number }[] = [];

  /** Takes what came; answers the age of the oldest of `backlog`, in ms. */
  ageOf(enqueued: number, backlog: number, nowMs: number): number {
    if (!Number.isFinite(enqueued) || !Number.isFinite(backlog)) return Number.NaN;
    if (enqueued > 0) this.#cohorts.push({ atMs: nowMs, count: enqueued });
    let waiting = 0;
    let from = this.#cohorts.length;
    while (from > 0 && waiting < backlog) waiting += this.#cohorts[--from]?.count ?? 0;
    this.#cohorts = this.#cohorts.slice(Math.max(from, this.#cohorts.length - ARRIVALS_MAX));
    const oldest = this.#cohorts[0];
    return oldest === undefined || backlog === 0 ? 0 : nowMs - oldest.atMs;
  }
}

/** Figures of a pool that does not exist. */
export const NO_FIGURES: PoolFigures = {
  isRegistered: false,
  backlog: 0,
  oldestAgeMs: null,
  dequeued: 0,
  ended: 0,
  runMs: 0,
  loopMs: 0,
  workers: 0,
  busy: 0,
  hung: 0,
  chainDepth: 0,
  isPaused: false,
  isLimited: false,
  hasHandler: true,
};
