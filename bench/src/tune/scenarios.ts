/**
 * The workloads of `tune`, for 6 Workers (the shipped start: 2 blocking, 4 async with 8 slots). Each is drawn from a
 * seed: Poisson arrivals, exponential service times unless said otherwise. Phases are where an oracle may change.
 */
import { seededRandom } from "@millrace/core/internal";
import { type Arrival, makeTrace, type Trace } from "./trace.js";

/** What arrives in a stretch of time. Rates may change along it, linearly. */
interface Stretch {
  readonly fromS: number;
  readonly toS: number;
  readonly kind: "blocking" | "async";
  readonly perSecond: number | readonly [from: number, to: number];
  /** Mean time on a core, in ms. */
  readonly cpuMs: number;
  /** Mean time waiting, in ms. */
  readonly waitMs?: number;
  /** Pareto's α of the service times; exponential without. */
  readonly tail?: number;
  /** Evenly, with ±20 % of noise on every interval and service time, instead of by chance. */
  readonly isEven?: boolean;
}

/** So many at once. */
interface Burst extends Omit<Stretch, "perSecond" | "fromS" | "toS"> {
  readonly atS: number;
  readonly count: number;
}

/** A workload before its seed. */
export interface Scenario {
  readonly name: string;
  /** What it stands for. */
  readonly sentence: string;
  readonly lengthS: number;
  readonly phasesS: readonly number[];
  readonly stretches: readonly Stretch[];
  readonly bursts?: readonly Burst[];
  /** Cores the threads share; one for each where it is left out. */
  readonly cores?: number;
}

/** Blocking work: half a second of computing: a Worker does 2 a second. */
const blocking = { kind: "blocking", cpuMs: 500 } as const;
/** Async work: 40 ms on the loop, 160 ms waiting: a Worker does 25 a second. */
const async = { kind: "async", cpuMs: 40, waitMs: 160 } as const;

const range = (from: number, to: number, by: number) =>
  Array.from({ length: Math.ceil((to - from) / by) }, (_, i) => from + i * by);

/** Every scenario that is drawn; the recorded one comes from a file. */
export const scenarios: readonly Scenario[] = [
  {
    name: "steady",
    sentence: "both kinds within reach of the mix it starts with, every interval and time ±20 %",
    lengthS: 900,
    phasesS: [0],
    stretches: [
      { ...blocking, fromS: 0, toS: 900, perSecond: 2.6, isEven: true },
      { ...async, fromS: 0, toS: 900, perSecond: 65, isEven: true },
    ],
  },
  {
    name: "chance",
    sentence: "the same kind of load by chance alone: Poisson arrivals, exponential times",
    lengthS: 900,
    phasesS: [0],
    stretches: [
      { ...blocking, fromS: 0, toS: 900, perSecond: 2.4 },
      { ...async, fromS: 0, toS: 900, perSecond: 55 },
    ],
  },
  {
    name: "misfit",
    sentence: "steady, but for another mix than the one it starts with",
    lengthS: 900,
    phasesS: [0],
    stretches: [
      { ...blocking, fromS: 0, toS: 900, perSecond: 6.8 },
      { ...async, fromS: 0, toS: 900, perSecond: 20 },
    ],
  },
  {
    name: "burst",
    sentence: "600 short blocking Operations at once, every five minutes, on quiet work",
    lengthS: 1_200,
    phasesS: [0, 120, 180, 420, 480, 720, 780, 1_020, 1_080],
    stretches: [
      { ...blocking, cpuMs: 200, fromS: 0, toS: 1_200, perSecond: 4 },
      { ...async, fromS: 0, toS: 1_200, perSecond: 35 },
    ],
    bursts: [120, 420, 720, 1_020].map((atS) => ({ ...blocking, cpuMs: 200, atS, count: 600 })),
  },
  {
    name: "ramp",
    sentence: "from I/O to CPU work, evenly over 20 minutes",
    lengthS: 1_200,
    phasesS: range(0, 1_200, 120),
    stretches: [
      { ...blocking, fromS: 0, toS: 1_200, perSecond: [1, 8] },
      { ...async, fromS: 0, toS: 1_200, perSecond: [95, 10] },
    ],
  },
  {
    name: "alternating",
    sentence: "five minutes of CPU work, five of I/O, twice",
    lengthS: 1_200,
    phasesS: [0, 300, 600, 900],
    stretches: range(0, 1_200, 600).flatMap((fromS) => [
      { ...blocking, fromS, toS: fromS + 300, perSecond: 8 },
      { ...async, fromS, toS: fromS + 300, perSecond: 12.5 },
      { ...blocking, fromS: fromS + 300, toS: fromS + 600, perSecond: 1 },
      { ...async, fromS: fromS + 300, toS: fromS + 600, perSecond: 100 },
    ]),
  },
  {
    name: "restless",
    sentence: "the same with two minutes each: hardly longer than a dwell",
    lengthS: 1_200,
    phasesS: range(0, 1_200, 120),
    stretches: range(0, 1_200, 240).flatMap((fromS) => [
      { ...blocking, fromS, toS: fromS + 120, perSecond: 7 },
      { ...async, fromS, toS: fromS + 120, perSecond: 12.5 },
      { ...blocking, fromS: fromS + 120, toS: fromS + 240, perSecond: 1 },
      { ...async, fromS: fromS + 120, toS: fromS + 240, perSecond: 90 },
    ]),
  },
  {
    name: "tight",
    sentence: "alternating at nine tenths of what the best mix of each half can do",
    lengthS: 1_200,
    phasesS: [0, 300, 600, 900],
    stretches: range(0, 1_200, 600).flatMap((fromS) => [
      { ...blocking, fromS, toS: fromS + 300, perSecond: 9 },
      { ...async, fromS, toS: fromS + 300, perSecond: 10 },
      { ...blocking, fromS: fromS + 300, toS: fromS + 600, perSecond: 1 },
      { ...async, fromS: fromS + 300, toS: fromS + 600, perSecond: 112 },
    ]),
  },
  {
    name: "overload",
    sentence: "five minutes of more than any mix can do, between quiet ones",
    lengthS: 1_200,
    phasesS: [0, 300, 600, 900],
    stretches: [
      ...([2, 7, 3, 2] as const).map((perSecond, at) => ({
        ...blocking,
        fromS: at * 300,
        toS: at * 300 + 300,
        perSecond,
      })),
      ...([50, 90, 40, 30] as const).map((perSecond, at) => ({
        ...async,
        fromS: at * 300,
        toS: at * 300 + 300,
        perSecond,
      })),
    ],
  },
  {
    name: "mixed",
    sentence: "levels that change every three minutes, in no order",
    lengthS: 1_260,
    phasesS: range(0, 1_260, 180),
    stretches: (
      [
        [3, 55],
        [6, 30],
        [1.5, 85],
        [4, 45],
        [7.5, 10],
        [2, 70],
        [5, 45],
      ] as const
    ).flatMap(([perSecond, calls], at) => [
      { ...blocking, fromS: at * 180, toS: at * 180 + 180, perSecond },
      { ...async, fromS: at * 180, toS: at * 180 + 180, perSecond: calls },
    ]),
  },
  {
    name: "heavy tail",
    sentence: "blocking and async service times after Pareto with α 1.5: a few are very long",
    lengthS: 1_200,
    phasesS: [0, 600],
    stretches: [
      { ...blocking, fromS: 0, toS: 600, perSecond: 2, tail: 1.5 },
      { ...async, fromS: 0, toS: 600, perSecond: 50, tail: 1.5 },
      { ...blocking, fromS: 600, toS: 1_200, perSecond: 5, tail: 1.5 },
      { ...async, fromS: 600, toS: 1_200, perSecond: 20, tail: 1.5 },
    ],
  },
  {
    name: "slow work",
    sentence: "blocking work of 20 s each: a Worker comes free late, and what waits is always old",
    lengthS: 1_800,
    phasesS: [0, 600, 1_200],
    stretches: ([0.05, 0.16, 0.07] as const).flatMap((perSecond, at) => [
      { ...blocking, cpuMs: 20_000, fromS: at * 600, toS: at * 600 + 600, perSecond },
      { ...async, fromS: at * 600, toS: at * 600 + 600, perSecond: [60, 25, 55][at] ?? 0 },
    ]),
  },
  {
    name: "few cores",
    sentence: "six Workers on two cores, from CPU work to loops and back: times grow with who else computes",
    lengthS: 1_200,
    phasesS: [0, 400, 800],
    cores: 2,
    stretches: ([2.6, 0.4, 2.4] as const).flatMap((perSecond, at) => [
      { ...blocking, fromS: at * 400, toS: at * 400 + 400, perSecond },
      { ...async, fromS: at * 400, toS: at * 400 + 400, perSecond: [6, 32, 8][at] ?? 0 },
    ]),
  },
  {
    name: "long waits",
    sentence: "async calls that wait for two seconds and hardly compute: slots are what is short",
    lengthS: 1_200,
    phasesS: [0, 300, 600, 900],
    stretches: [
      { ...blocking, fromS: 0, toS: 1_200, perSecond: 2 },
      ...([10, 45, 20, 60] as const).map((perSecond, at) => ({
        kind: "async" as const,
        cpuMs: 2,
        waitMs: 2_000,
        fromS: at * 300,
        toS: at * 300 + 300,
        perSecond,
      })),
    ],
  },
];

/** Draws a scenario. */
export function draw(scenario: Scenario, seed: number): Trace {
  const random = seededRandom(seed);
  const arrivals: Arrival[] = [];
  const add = (part: Omit<Stretch, "perSecond" | "fromS" | "toS">, atMs: number): void => {
    const timeOf = (meanMs: number) =>
      part.isEven === true ? meanMs * noise(random.next) : service(random.next, meanMs, part.tail);
    const cpuMs = timeOf(part.cpuMs);
    const waitMs = part.waitMs === undefined ? 0 : timeOf(part.waitMs);
    arrivals.push({ atMs, isBlocking: part.kind === "blocking", cpuMs, waitMs });
  };
  for (const stretch of scenario.stretches) {
    const [from, to] =
      typeof stretch.perSecond === "number" ? [stretch.perSecond, stretch.perSecond] : stretch.perSecond;
    const highest = Math.max(from, to);
    // Thinning: as many as at the highest rate, each kept as often as the rate is lower (Lewis and Shedler 1979).
    for (let atS = stretch.fromS; ; ) {
      atS += (stretch.isEven === true ? noise(random.next) : -Math.log(1 - random.next())) / highest;
      if (atS >= stretch.toS) break;
      const rate = from + ((to - from) * (atS - stretch.fromS)) / (stretch.toS - stretch.fromS);
      if (random.next() * highest < rate) add(stretch, atS * 1_000);
    }
  }
  for (const burst of scenario.bursts ?? []) {
    for (let i = 0; i < burst.count; i++) add(burst, burst.atS * 1_000);
  }
  const { name, lengthS, phasesS } = scenario;
  const cores = scenario.cores ?? Number.POSITIVE_INFINITY;
  return makeTrace({ name, cores, lengthMs: lengthS * 1_000, phasesMs: phasesS.map((s) => s * 1_000) }, arrivals);
}

/** A factor of 0.8…1.2. */
function noise(next: () => number): number {
  return 0.8 + 0.4 * next();
}

/** A service time of mean `meanMs`: exponential, or Pareto of `tail` cut at 60 means. */
function service(next: () => number, meanMs: number, tail: number | undefined): number {
  const chance = 1 - next();
  if (tail === undefined) return -Math.log(chance) * meanMs;
  const least = (meanMs * (tail - 1)) / tail;
  return Math.min(least * chance ** (-1 / tail), 60 * meanMs);
}
