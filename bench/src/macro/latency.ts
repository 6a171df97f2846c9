/** `latency`: from the intended time of an enqueue to the handler, and to the acknowledged completion, at a stated load. */
import { join } from "node:path";
import type { Bench, BenchOptions, Findings, Plan, StoreName } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { fileSystemText, freshFolder } from "../tool/folder.js";
import { number } from "../tool/format.js";
import { atMost, type Gate } from "../tool/gate.js";
import { type Percentiles, percentileNames, percentiles } from "../tool/histogram.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import { median } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import type { Place } from "../versus/subject.js";
import type { SubjectName } from "../versus/subjects.js";
import { type LatencyRun, measureLatency } from "./latency-run.js";

const perSecond = 1000;
const payloadBytes = 100;
const warmupSeconds = 2;
/** Far more than an offered load of 1,000 a second keeps busy. */
const rivalConcurrency = 100;

interface Row {
  readonly label: string;
  readonly subject: SubjectName;
  readonly store: StoreName;
  readonly durability: "memory" | "aof" | "flushed" | null;
  readonly isGated: boolean;
}

const rows: readonly Row[] = [
  { label: "millrace, redis", subject: "millrace", store: "redis", durability: null, isGated: true },
  { label: "bullmq, redis", subject: "bullmq", store: "redis", durability: null, isGated: false },
  { label: "millrace, embedded aof", subject: "millrace", store: "embedded", durability: "aof", isGated: false },
  {
    label: "millrace, embedded flushed",
    subject: "millrace",
    store: "embedded",
    durability: "flushed",
    isGated: false,
  },
  { label: "millrace, memory:", subject: "millrace", store: "memory", durability: null, isGated: false },
];

/** The figures of one row: percentiles over all rounds together, and the medians of the rounds' own. */
interface Found {
  readonly row: Row;
  readonly called: Percentiles;
  readonly started: Percentiles;
  readonly completed: Percentiles;
  readonly startedByRound: readonly Percentiles[];
  readonly lost: number;
  readonly duplicated: number;
  readonly failures: readonly string[];
}

/** The bench. */
export const latency: Bench = {
  name: "latency",
  sentence: "enqueue to start and to acknowledged completion at an offered load of 1,000 a second, open loop",
  stores: ["redis", "embedded", "memory"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const chosen = rows.filter((row) => options.store === null || row.store === options.store);
  const rounds = options.rounds ?? (options.quick ? 1 : 5);
  const seconds = options.quick ? 3 : 10;
  return {
    settings: {
      "offered load": `${perSecond} a second at even distances, for ${seconds} s after ${warmupSeconds} s of warm-up`,
      rounds: `${rounds}, interleaved; each in a fresh process`,
      "open loop": "latency counts from the intended time of each call; a thread of its own keeps the pace",
      payload: `${payloadBytes} bytes of JSON, handler answers a number, results kept`,
      process: "producer and Worker in one process",
      millrace: "App defaults; the durability of the embedded store as named",
      bullmq: `defaults, concurrency ${rivalConcurrency}`,
      histogram: "HDR, 3 significant digits, 1 µs … 60 s",
      redis: persistenceText("none"),
      "embedded stores": fileSystemText(),
    },
    steps: rounds * chosen.length,
    run: (progress) => run(chosen, rounds, seconds, progress),
  };
}

async function run(chosen: readonly Row[], rounds: number, seconds: number, progress: Progress): Promise<Findings> {
  await using server = chosen.some((row) => row.store === "redis") ? await startBenchRedis() : null;
  const folder = freshFolder();
  const runs = new Map<Row, LatencyRun[]>(chosen.map((row) => [row, []]));
  const failures = new Map<Row, string[]>(chosen.map((row) => [row, []]));
  try {
    for (let round = 0; round < rounds; round++) {
      for (const row of chosen) {
        progress.doing(`${row.label}, round ${round + 1}`);
        const place = placeOf(row, server?.url ?? "", folder.path);
        const concurrency = rivalConcurrency;
        const { subject } = row;
        try {
          const spec = { subject, place, perSecond, seconds, warmupSeconds, concurrency, payloadBytes };
          runs.get(row)?.push(await measureLatency(spec));
        } catch (error) {
          failures.get(row)?.push(error instanceof Error ? error.message : String(error));
        }
        progress.step();
      }
    }
  } finally {
    folder.remove();
  }
  return findings(chosen.map((row) => sum(row, runs.get(row) ?? [], failures.get(row) ?? [])));
}

function placeOf(row: Row, redisUrl: string, folder: string): Place {
  if (row.durability !== null) {
    return { store: "embedded", url: `embedded:${join(folder, row.durability)}`, durability: row.durability };
  }
  if (row.store === "redis") return { store: "redis", url: redisUrl, directUrl: redisUrl };
  return { store: "memory", url: "memory:" };
}

function sum(row: Row, runs: readonly LatencyRun[], failures: readonly string[]): Found {
  const all = (of: "calledUs" | "startedUs" | "completedUs"): Percentiles =>
    percentiles(runs.flatMap((one) => [...one[of]]));
  return {
    row,
    called: all("calledUs"),
    started: all("startedUs"),
    completed: all("completedUs"),
    startedByRound: runs.map((one) => percentiles(one.startedUs)),
    lost: runs.reduce((count, one) => count + one.audit.lost, 0),
    duplicated: runs.reduce((count, one) => count + one.audit.duplicated, 0),
    failures,
  };
}

function findings(found: readonly Found[]): Findings {
  return {
    metrics: Object.fromEntries(
      found.map(({ row, called, started, completed, startedByRound, lost, duplicated }) => [
        row.label,
        { called, started, completed, startedByRound, lost, duplicated },
      ]),
    ),
    gates: found.filter(({ row }) => row.isGated).flatMap(gatesOf),
    tables: [
      latencyTable("Enqueue to start of the handler, ms", found, ({ started }) => started),
      latencyTable("Enqueue to acknowledged completion, ms", found, ({ completed }) => completed),
      latencyTable(
        "Intended time to enqueue call, ms: how late this process itself was (part of the above)",
        found,
        (one) => one.called,
      ),
    ],
    charts: [{ file: "latency.svg", svg: chart(found) }],
    voids: found.flatMap(({ row, lost, duplicated, failures }) => [
      ...failures.map((failure) => `${row.label}: ${failure}`),
      ...(lost + duplicated > 0 ? [`${row.label}: ${lost} lost and ${duplicated} duplicated`] : []),
    ]),
  };
}

/** Gates are judged by the median round: one round with a foreign burst of load does not decide, most of them do. */
function gatesOf({ row, startedByRound }: Found): readonly Gate[] {
  const middle = (of: "p50" | "p99"): number => median(startedByRound.map((one) => one[of]));
  return [
    atMost(`${row.label}: enqueue to start, p50 (ms)`, middle("p50"), 1),
    atMost(`${row.label}: enqueue to start, p99 (ms)`, middle("p99"), 5),
  ];
}

function latencyTable(title: string, found: readonly Found[], of: (one: Found) => Percentiles): Table {
  return {
    title,
    columns: ["", ...percentileNames.map((name) => (name === "p999" ? "p99.9" : name)), "recorded"],
    rows: found.map((one) => [
      one.row.label,
      ...percentileNames.map((name) => number(of(one)[name])),
      number(of(one).count),
    ]),
  };
}

function chart(found: readonly Found[]): string {
  // Equal steps to the eye: 50, 90, 99 and 99.9 percent are 0.3, 1, 2 and 3 nines.
  const places = { p50: 0.3, p90: 1, p99: 2, p999: 3 } as const;
  const shown = ["p50", "p90", "p99", "p999"] as const;
  return lineChart({
    title: "Enqueue to start by percentile (lower is better)",
    subtitle: `${perSecond} a second offered, open loop, ${payloadBytes}-byte payloads`,
    xAxis: "percentile",
    yAxis: "ms",
    xScale: "linear",
    yScale: "log",
    xTicks: shown.map((name) => ({ x: places[name], label: name === "p999" ? "p99.9" : name })),
    lines: found
      .filter((one) => one.started.count > 0)
      .map((one) => ({
        label: one.row.label,
        points: shown.map((name) => ({ x: places[name], y: one.started[name] })),
      })),
  });
}
