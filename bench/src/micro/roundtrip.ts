/** `roundtrip`: Foreman → Worker thread → Foreman through the rings, beside what Node's own ports take. */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { runChild } from "../tool/child.js";
import { number } from "../tool/format.js";
import { atMost } from "../tool/gate.js";
import { type Percentiles, percentileNames, percentiles } from "../tool/histogram.js";
import type { Progress } from "../tool/progress.js";
import { median } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import type { RoundtripFigures, RoundtripSpec } from "./roundtrip-run.js";
import { type RoundtripWay, roundtripWays } from "./roundtrip-way.js";

const perSecond = 1_000;
const childTimeoutMs = 120_000;
/** What a Worker may use while it has nothing to do: a beat and its timer. */
const idleShareMax = 0.01;
const gateUs = 50;

const labels: Record<RoundtripWay, string> = {
  async: "rings, async Worker",
  blocking: "rings, blocking Worker",
  postMessage: "postMessage, bare echo",
  MessagePort: "MessagePort, bare echo",
};

/** The bench. */
export const roundtrip: Bench = {
  name: "roundtrip",
  sentence: "Foreman to Worker thread and back through the rings: one at a time, at 1,000 a second, and idle",
  stores: [],
  plan,
};

function plan(options: BenchOptions): Plan {
  const rounds = options.rounds ?? (options.quick ? 2 : 7);
  const spec = {
    warmUp: options.quick ? 5_000 : 20_000,
    roundtrips: options.quick ? 10_000 : 50_000,
    perSecond,
    seconds: options.quick ? 2 : 5,
    idleSeconds: options.quick ? 2 : 5,
  };
  return {
    settings: {
      rounds: `${rounds}, interleaved, each way in a process of its own`,
      "one at a time": `${number(spec.roundtrips)} after ${number(spec.warmUp)}; the next is sent a turn of the event loop after the last came back`,
      offered: `${number(perSecond)} a second for ${spec.seconds} s, evenly, whatever comes back; from sending to back`,
      idle: `${spec.idleSeconds} s, from half a second after the last one: by then a Worker is no longer hot`,
      rings:
        "the Foreman's Member and line, the Worker's real program and loop, a no-op Step, 100 bytes of JSON: encoded record, seat, Attempt, outcome",
      "bare echo": "the same bytes there and back by Node's ports; nothing is decoded, run or recorded",
    },
    steps: rounds * roundtripWays.length,
    run: (progress) => run(rounds, spec, progress),
  };
}

interface Found {
  readonly way: RoundtripWay;
  readonly runs: readonly RoundtripFigures[];
}

async function run(rounds: number, spec: Omit<RoundtripSpec, "way">, progress: Progress): Promise<Findings> {
  const runs = new Map<RoundtripWay, RoundtripFigures[]>(roundtripWays.map((way) => [way, []]));
  const voids: string[] = [];
  const child = new URL("./roundtrip-child.js", import.meta.url);
  for (let round = 0; round < rounds; round++) {
    for (const way of roundtripWays) {
      progress.doing(`${labels[way]}, round ${round + 1}`);
      try {
        runs.get(way)?.push(await runChild<RoundtripSpec, RoundtripFigures>(child, { ...spec, way }, childTimeoutMs));
      } catch (error) {
        voids.push(`${labels[way]}: ${error instanceof Error ? error.message : String(error)}`);
      }
      progress.step();
    }
  }
  return findings(
    roundtripWays.map((way) => ({ way, runs: runs.get(way) ?? [] })),
    voids,
  );
}

function findings(found: readonly Found[], voids: readonly string[]): Findings {
  const async = found.find(({ way }) => way === "async")?.runs ?? [];
  // Gates take the median round: one round with a foreign burst of load does not decide.
  const middle = (of: "aloneUs" | "offeredUs"): number => median(async.map((one) => percentiles(one[of]).p50 * 1000));
  return {
    metrics: Object.fromEntries(
      found.map(({ way, runs }) => [
        way,
        runs.map(({ aloneUs, offeredUs, cpuUs, idleShare }) => ({
          aloneMs: percentiles(aloneUs),
          offeredMs: percentiles(offeredUs),
          cpuUs,
          idleShare,
        })),
      ]),
    ),
    gates: [
      atMost(`${labels.async}: one at a time, p50 (µs)`, middle("aloneUs"), gateUs),
      atMost(
        `${labels.async}: idle, share of a processor`,
        median(async.map(({ idleShare }) => idleShare)),
        idleShareMax,
      ),
    ],
    tables: [
      latencyTable("Round trip one at a time, µs", found, (one) => one.aloneUs),
      latencyTable(`Round trip at ${number(perSecond)} a second, µs`, found, (one) => one.offeredUs),
      costTable(found),
    ],
    charts: [{ file: "roundtrip.svg", svg: chart(found) }],
    voids,
  };
}

function latencyTable(title: string, found: readonly Found[], of: (one: RoundtripFigures) => Float64Array): Table {
  return {
    title,
    columns: ["", "mean", ...percentileNames.map((name) => (name === "p999" ? "p99.9" : name)), "recorded"],
    rows: found.map(({ way, runs }) => {
      const all = percentiles(runs.flatMap((one) => [...of(one)]));
      const us = (ms: number): string => number(ms * 1000);
      return [labels[way], us(all.mean), ...percentileNames.map((name) => us(all[name])), number(all.count)];
    }),
    notes: ["All rounds together. A bare echo decodes nothing and runs nothing."],
  };
}

function costTable(found: readonly Found[]): Table {
  return {
    title: "Processor time of the whole process",
    columns: ["", "µs a round trip, one at a time", "% of a processor while idle"],
    rows: found.map(({ way, runs }) => [
      labels[way],
      number(median(runs.map(({ cpuUs }) => cpuUs))),
      number(100 * median(runs.map(({ idleShare }) => idleShare))),
    ]),
  };
}

function chart(found: readonly Found[]): string {
  const places = { p50: 0.3, p90: 1, p99: 2, p999: 3 } as const; // nines: equal steps to the eye
  const shown = ["p50", "p90", "p99", "p999"] as const;
  const of = (runs: readonly RoundtripFigures[]): Percentiles => percentiles(runs.flatMap((one) => [...one.aloneUs]));
  return lineChart({
    title: "Round trip between threads by percentile (lower is better)",
    subtitle: "one at a time; the bare echoes decode nothing and run nothing",
    xAxis: "percentile",
    yAxis: "µs",
    xScale: "linear",
    yScale: "log",
    xTicks: shown.map((name) => ({ x: places[name], label: name === "p999" ? "p99.9" : name })),
    lines: found
      .filter(({ runs }) => runs.length > 0)
      .map(({ way, runs }) => ({
        label: labels[way],
        points: shown.map((name) => ({ x: places[name], y: of(runs)[name] * 1000 })),
      })),
  });
}
