/** `throughput`: how many Operations a second each store carries, end to end, through the public API with defaults. */
import { join } from "node:path";
import type { Bench, BenchOptions, Findings, Plan, StoreName } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { fileSystemText, freshFolder } from "../tool/folder.js";
import { number, spread } from "../tool/format.js";
import { atLeast, type Gate } from "../tool/gate.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import type { Table } from "../tool/table.js";
import type { Course, Stretch } from "../versus/measure.js";
import {
  type Contestant,
  countMeasurements,
  type Rounds,
  roundsMetrics,
  runRounds,
  summariseRates,
} from "../versus/rounds.js";
import { bulkMax, type Place } from "../versus/subject.js";

const callers = 2000;
const payloadBytes = 100;
/** A quarter of the full run's jobs, in the quick one, too: with less it would measure the compiler at its work. */
const warmupMin = 50_000;
const courses: readonly Course[] = ["singly", "bulk", "together", "flood"];

const stretches: readonly { readonly stretch: Stretch; readonly label: string }[] = [
  { stretch: "enqueue", label: "enqueue, one await each" },
  { stretch: "bulk", label: "bulk enqueue" },
  { stretch: "process", label: "process" },
  { stretch: "together", label: "end to end" },
  { stretch: "flood", label: "end to end, bulk" },
];

/** One store, the jobs it is measured with, and the gate its end-to-end rate must hold. */
interface Row {
  readonly label: string;
  readonly store: StoreName;
  readonly durability: "memory" | "aof" | "flushed" | null;
  readonly jobs: number;
  readonly perSecondMin: number | null;
  /** Steps on Worker threads: the row of the same store on the program's own thread, and the share of it to reach. */
  readonly threads?: { readonly besides: string; readonly shareMin: number };
}

const rows: readonly Row[] = [
  { label: "memory:", store: "memory", durability: null, jobs: 300_000, perSecondMin: 150_000 },
  { label: "embedded, memory", store: "embedded", durability: "memory", jobs: 300_000, perSecondMin: 150_000 },
  { label: "embedded, aof", store: "embedded", durability: "aof", jobs: 300_000, perSecondMin: null },
  { label: "embedded, flushed", store: "embedded", durability: "flushed", jobs: 200_000, perSecondMin: 60_000 },
  { label: "redis", store: "redis", durability: null, jobs: 200_000, perSecondMin: null },
  {
    label: "redis, Worker threads",
    store: "redis",
    durability: null,
    jobs: 200_000,
    perSecondMin: null,
    threads: { besides: "redis", shareMin: 0.75 },
  },
];

/** The bench. */
export const throughput: Bench = {
  name: "throughput",
  sentence: "Operations per second on each store: enqueue, process, and both together, defaults",
  stores: ["redis", "embedded", "memory"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const chosen = rows.filter((row) => options.store === null || row.store === options.store);
  const jobs = (row: Row): number => (options.quick ? Math.round(row.jobs / 3) : row.jobs);
  const rounds = options.rounds ?? (options.quick ? 2 : 5);
  const common = { courses, rounds, callers, payloadBytes, warmupMin };
  const contestant = (row: Row, place: Place): Contestant => ({
    label: row.label,
    subject: row.threads === undefined ? "millrace" : "millrace-threads",
    jobs: jobs(row),
    // Enqueueing alone is the same code; and threads are started, and warm, before anything is measured.
    ...(row.threads === undefined ? {} : { courses: ["together", "flood"] as const }),
    place: () => place,
    concurrency: () => 0,
  });
  const unplaced: Place = { store: "memory", url: "memory:" };
  return {
    settings: {
      rounds: `${rounds}, interleaved, rotating order`,
      jobs: Object.fromEntries(chosen.map((row) => [row.label, jobs(row)])),
      payload: `${payloadBytes} bytes of JSON, handler answers a number, results kept`,
      enqueue: `${callers} concurrent callers, each awaits its own enqueue`,
      bulk: `${bulkMax} Operations a call, one call after the other`,
      "end to end": "from the first enqueue call to the last acknowledged completion, one process",
      isolation:
        "each measurement in a fresh process, warmed up with a quarter of the Operations and 50,000 at the least; Worker threads with 100,000 more",
      options: "App defaults; the durability of the embedded store as named; `module` where Worker threads are",
      redis: persistenceText("none"),
      "embedded stores": fileSystemText(),
    },
    steps: countMeasurements({ ...common, contestants: chosen.map((row) => contestant(row, unplaced)) }),
    run: async (progress) => {
      const needsRedis = chosen.some((row) => row.store === "redis");
      await using server = needsRedis ? await startBenchRedis() : null;
      const folder = freshFolder();
      try {
        const contestants = chosen.map((row) => contestant(row, placeOf(row, server?.url ?? "", folder.path)));
        const found = await runRounds({ ...common, contestants }, progress);
        return findings(found, chosen, rounds);
      } finally {
        folder.remove();
      }
    },
  };
}

function placeOf(row: Row, redisUrl: string, folder: string): Place {
  if (row.durability !== null) {
    return { store: "embedded", url: `embedded:${join(folder, row.durability)}`, durability: row.durability };
  }
  if (row.store === "redis") return { store: "redis", url: redisUrl, directUrl: redisUrl };
  return { store: "memory", url: "memory:" };
}

function findings(found: Rounds, chosen: readonly Row[], rounds: number): Findings {
  const median = (row: Row, stretch: Stretch): number => summariseRates(found, row.label, stretch).perSecond.median;
  const gates = chosen.flatMap((row): Gate[] => {
    const rate = median(row, "together");
    if (row.perSecondMin !== null) return [atLeast(`${row.label}: end to end (per second)`, rate, row.perSecondMin)];
    const alone = chosen.find(({ label }) => label === row.threads?.besides);
    if (row.threads === undefined || alone === undefined) return [];
    return [
      atLeast(
        `${row.label}: end to end, share of ${alone.label}`,
        rate / median(alone, "together"),
        row.threads.shareMin,
      ),
    ];
  });
  const chart = barChart({
    title: "Operations per second by store (longer is better)",
    subtitle: `median of ${rounds} rounds, ${payloadBytes}-byte payloads, results kept, default options`,
    axis: "Operations per second",
    scale: "linear",
    series: chosen.map((row) => row.label),
    groups: stretches.map(({ stretch, label }) => ({
      label,
      values: chosen.map((row) => {
        const value = median(row, stretch);
        return Number.isFinite(value) ? value : null;
      }),
    })),
  });
  return {
    metrics: { lost: found.lost, duplicated: found.duplicated, stores: roundsMetrics(found) },
    gates,
    tables: [rateTable(found, chosen, rounds), costTable(found, chosen), callsTable(found, chosen)],
    charts: [{ file: "throughput.svg", svg: chart }],
    voids: found.voids,
  };
}

function rateTable(found: Rounds, chosen: readonly Row[], rounds: number): Table {
  return {
    title: `Operations per second: median of ${rounds} rounds, ± half the range`,
    columns: ["", ...stretches.map(({ label }) => label)],
    rows: chosen.map((row) => [
      row.label,
      ...stretches.map(({ stretch }) => {
        const { perSecond } = summariseRates(found, row.label, stretch);
        return `${number(perSecond.median)} ${spread(perSecond.spread)}`;
      }),
    ]),
    notes: [`${found.lost} lost, ${found.duplicated} duplicated in all rounds.`],
  };
}

function costTable(found: Rounds, chosen: readonly Row[]): Table {
  return {
    title: "Processor time per Operation in µs: Node (and Redis)",
    columns: ["", ...stretches.map(({ label }) => label)],
    rows: chosen.map((row) => [
      row.label,
      ...stretches.map(({ stretch }) => {
        const { nodeUs, redisUs } = summariseRates(found, row.label, stretch);
        return row.store === "redis" ? `${number(nodeUs.median)} (${number(redisUs.median)})` : number(nodeUs.median);
      }),
    ]),
  };
}

function callsTable(found: Rounds, chosen: readonly Row[]): Table {
  return {
    title: "Store calls per 1,000 Operations: enqueues, claims and outcomes",
    columns: ["", ...stretches.map(({ label }) => label)],
    rows: chosen.map((row) => [
      row.label,
      ...stretches.map(({ stretch }) => number(summariseRates(found, row.label, stretch).storeCalls.median * 1000)),
    ]),
  };
}
