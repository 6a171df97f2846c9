/**
 * The bench `sim`: what 100 to 10,000 Nodes ask of one server, and where it ends.
 *
 * Two parts, added up: duties, which recur whether or not there is work (arithmetic over their periods), and Operations
 * (fleet.ts, every call counted in virtual time), both priced with what calls cost this machine's Redis.
 */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { number } from "../tool/format.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import type { Table } from "../tool/table.js";
import { type Line, measureCosts, type ServerCosts } from "./costs.js";
import { dutiesOf, nodesWithin, shareOf } from "./duties.js";
import { type FleetResult, type FleetSpec, playFleet } from "./fleet.js";

const SIZES = [100, 300, 1_000, 3_000, 10_000];
const RATES = [1, 5, 20];
const SERVICE_MS = 20;
const SLOTS = 32;
const HOT_EVERY = 50;
const HOT_LOAD = 1.5;
const SEED = 1;
/** Where duties take more than this, Operations are simulated without them. */
const DUTIES_MAX = 0.9;
/** A server that is busier than this answers late; more Nodes than this allows are too many. */
const FULL = 0.8;

interface Size {
  readonly sizes: readonly number[];
  readonly calls: number;
  readonly seconds: number;
  /** Operations one simulation may have at most: more tell nothing new. */
  readonly operationsMax: number;
}

/** One size and rate. */
interface Cell {
  readonly nodes: number;
  readonly perSecond: number;
  readonly duties: number;
  /** Duties leave no room for Operations: these were simulated as if there were none. */
  readonly isAlone: boolean;
  readonly result: FleetResult;
}

/** `npm run bench -- sim`. */
export const sim: Bench = {
  name: "sim",
  sentence: "what 100 to 10,000 Nodes ask of one server: calls per Operation, coordination, and where it saturates",
  stores: ["redis"],
  plan,
};

function plan({ quick }: BenchOptions): Plan {
  const size: Size = quick
    ? { sizes: [100, 1_000], calls: 1_000, seconds: 2, operationsMax: 20_000 }
    : { sizes: SIZES, calls: 5_000, seconds: 5, operationsMax: 150_000 };
  return {
    settings: {
      Nodes: size.sizes,
      Node: `one Foreman, one Segment, ${SLOTS} slots, Operations of ${SERVICE_MS} ms (exponential); enqueues into its own Segment`,
      rates: `${RATES.join(", ")} Operations a second enqueued by each Node, Poisson`,
      skew: `one Node in ${HOT_EVERY} enqueues ${HOT_LOAD} times what its own slots can run, in one row of each size: the others must help`,
      simulated: `up to ${size.seconds} s of virtual time, at most ${number(size.operationsMax)} Operations; the first two fifths are warm-up`,
      seed: SEED,
      costs: `${number(size.calls)} calls of each kind, one after the other, batches of 1 and 100; Redis processor time by INFO cpu`,
      redis: persistenceText("none"),
      full: `${100 * FULL} % of one core`,
    },
    steps: 1 + size.sizes.length * (RATES.length + 1),
    run: (progress) => run(size, progress),
  };
}

async function run(size: Size, progress: Progress): Promise<Findings> {
  progress.doing("costs");
  await using server = await startBenchRedis();
  const costs = await measureCosts(server.url, size.calls);
  progress.step();
  const cells: Cell[] = [];
  const skewed: Cell[] = [];
  for (const nodes of size.sizes) {
    for (const perSecond of RATES) {
      progress.doing(`${nodes} Nodes, ${perSecond}/s`);
      cells.push(measure(nodes, perSecond, 0, size, costs));
      progress.step();
    }
    progress.doing(`${nodes} Nodes, skewed`);
    skewed.push(measure(nodes, RATES[0] ?? 1, HOT_EVERY, size, costs));
    progress.step();
  }
  return report(size, costs, cells, skewed);
}

function measure(nodes: number, perSecond: number, hotEvery: number, size: Size, costs: ServerCosts): Cell {
  const duties = shareOf(dutiesOf(nodes, costs));
  const hot = hotEvery === 0 ? 0 : (HOT_LOAD * (SLOTS / SERVICE_MS) * 1_000) / hotEvery;
  const all = nodes * (perSecond + hot);
  const isAlone = duties >= DUTIES_MAX;
  const background = isAlone ? 0 : duties;
  const seconds = Math.min(size.seconds, Math.max(0.5, size.operationsMax / all));
  const spec: FleetSpec = {
    ...{ nodes, perSecond, seconds, hotEvery },
    ...{ serviceMs: SERVICE_MS, slots: SLOTS, hotLoad: HOT_LOAD, background, seed: SEED },
  };
  return { nodes, perSecond, duties, isAlone, result: playFleet(spec, costs) };
}

function report(size: Size, costs: ServerCosts, cells: readonly Cell[], skewed: readonly Cell[]): Findings {
  return {
    metrics: {
      costs,
      duties: size.sizes.map((nodes) => ({ nodes, duties: dutiesOf(nodes, costs) })),
      operations: cells,
      skewed,
    },
    gates: [],
    tables: [
      costTable(costs),
      dutyTable(size.sizes, costs),
      operationTable(cells),
      helpTable(skewed),
      limitTable(costs, cells),
    ],
    charts: [{ file: "server-share.svg", svg: shareChart(costs, cells) }],
    voids: [],
  };
}

function costTable(costs: ServerCosts): Table {
  const row = (name: string, { callUs, elementUs }: Line): string[] => [name, number(callUs), number(elementUs)];
  return {
    title: "What a call costs the server, in µs of processor time",
    columns: ["call", "per call", "per element"],
    rows: [
      row("enqueue", costs.enqueue),
      row("claim", costs.claim),
      row("complete", costs.complete),
      row("claim that finds nothing", costs.emptyClaim),
      row("survey of a Segment (counts)", costs.counts),
      row("prune", costs.prune),
      row("beat in a Segment (extend)", costs.extend),
      row("beat in the Node index", costs.nodeBeat),
      row("Node index, per entry", costs.nodes),
      row("list of Segments, per name", costs.segments),
      row("message, per listener", costs.publish),
    ],
    notes: [`One round trip as a client sees it: ${number(costs.roundTripMs)} ms.`],
  };
}

function dutyTable(sizes: readonly number[], costs: ServerCosts): Table {
  const names = dutiesOf(1, costs).map(({ name }) => name);
  return {
    title: "Duties: calls a second (and share of one core), whether or not there is work",
    columns: ["duty", ...sizes.map((nodes) => `${number(nodes)} Nodes`)],
    rows: [
      ...names.map((name, at) => [
        name,
        ...sizes.map((nodes) => {
          const load = dutiesOf(nodes, costs)[at];
          return load === undefined ? "–" : `${number(load.callsPerSecond)} (${percent(load.share)})`;
        }),
      ]),
      ["all", ...sizes.map((nodes) => percent(shareOf(dutiesOf(nodes, costs))))],
    ],
    notes: ["Above 100 % one server cannot do it: Segments must be spread over several."],
  };
}

function operationTable(cells: readonly Cell[]): Table {
  return {
    title: "Operations, spread evenly: calls per Operation and what is left of the server",
    columns: [
      "Nodes",
      "Operations/s each",
      "all, offered",
      "completed",
      "enqueue calls per Op.",
      "claims per Op.",
      "of them empty",
      "completions per Op.",
      "server: Operations",
      "server: duties",
      "p50, ms",
      "p99, ms",
    ],
    rows: cells.map(({ nodes, perSecond, duties, isAlone, result }) => {
      const per = (calls: number) => number(calls / Math.max(1, result.completed));
      return [
        number(nodes),
        number(perSecond),
        number(nodes * perSecond),
        percent(result.completed / Math.max(1, result.enqueued)),
        per(result.enqueueCalls),
        per(result.claimCalls),
        percent(result.emptyClaims / Math.max(1, result.claimCalls)),
        per(result.completeCalls),
        percent(result.share),
        isAlone ? `left out (${percent(duties)})` : percent(duties),
        number(result.p50Ms),
        number(result.p99Ms),
      ];
    }),
    notes: [
      "Completed: of what was enqueued in the measured time; below 100 % work piles up. Latency: enqueue to acknowledged completion, run time included.",
      "Left out: duties alone fill the server, so the Operations were simulated as if there were none, or as if others bore them.",
    ],
  };
}

function helpTable(cells: readonly Cell[]): Table {
  return {
    title: `One Node in ${HOT_EVERY} with ${HOT_LOAD} times the work it can do: what helping costs`,
    columns: [
      "Nodes",
      "all/s",
      "completed",
      "claims per Op.",
      "of them empty",
      "help calls/s",
      "messages/s",
      "server: Operations",
      "p50, ms",
      "p99, ms",
    ],
    rows: cells.map(({ nodes, perSecond, result }) => {
      const measuredS = result.enqueued / (nodes * (perSecond + (HOT_LOAD * SLOTS * 1_000) / SERVICE_MS / HOT_EVERY));
      return [
        number(nodes),
        number(result.enqueued / measuredS),
        percent(result.completed / Math.max(1, result.enqueued)),
        number(result.claimCalls / Math.max(1, result.completed)),
        percent(result.emptyClaims / Math.max(1, result.claimCalls)),
        number(result.helpCalls / measuredS),
        number(result.heard / measuredS),
        percent(result.share),
        number(result.p50Ms),
        number(result.p99Ms),
      ];
    }),
  };
}

/** Server time of one Operation at this rate, in s, as simulated for the smallest fleet: there batches are smallest. */
function costPerOperation(cells: readonly Cell[], perSecond: number): number {
  const [first] = cells.filter((cell) => cell.perSecond === perSecond);
  return first === undefined ? Number.NaN : first.result.share / (first.nodes * first.perSecond);
}

function limitTable(costs: ServerCosts, cells: readonly Cell[]): Table {
  const within = (perSecond: number, perOperation: number) =>
    nodesWithin(FULL, (nodes) => shareOf(dutiesOf(nodes, costs)) + nodes * perSecond * perOperation);
  const rows = [0, ...RATES].map((perSecond) => {
    const perOperation = perSecond === 0 ? 0 : costPerOperation(cells, perSecond);
    const nodes = within(perSecond, perOperation);
    const ideal = perSecond === 0 ? null : FULL / (perSecond * perOperation);
    const duties = shareOf(dutiesOf(nodes, costs));
    return [
      perSecond === 0 ? "idle" : `${perSecond}/s each`,
      perSecond === 0 ? "–" : number(perOperation * 1e6),
      number(nodes),
      percent(duties),
      ideal === null ? "–" : number(ideal),
    ];
  });
  return {
    title: `Where one server is full: ${100 * FULL} % of a core`,
    columns: ["load", "µs per Operation", "Nodes", "of it duties", "Nodes if there were no duties"],
    rows,
    notes: ["Server time per Operation as simulated for the smallest fleet, where batches are smallest."],
  };
}

function shareChart(costs: ServerCosts, cells: readonly Cell[]): string {
  const sizes = [...new Set(cells.map(({ nodes }) => nodes))];
  const line = (label: string, shareAt: (nodes: number) => number) => ({
    label,
    points: sizes.map((nodes) => ({ x: nodes, y: 100 * shareAt(nodes) })),
  });
  return lineChart({
    title: "Share of one server's core, by number of Nodes",
    subtitle:
      "duties: arithmetic; Operations: server time each, as simulated for the smallest fleet; Redis costs measured here",
    xAxis: "Nodes",
    yAxis: "% of one core",
    xScale: "log",
    yScale: "log",
    lines: [
      line("duties", (nodes) => shareOf(dutiesOf(nodes, costs))),
      ...RATES.map((perSecond) =>
        line(`Operations, ${perSecond}/s each`, (nodes) => nodes * perSecond * costPerOperation(cells, perSecond)),
      ),
      line("full", () => 1),
    ],
  });
}

function percent(share: number): string {
  return share >= 0.1 ? `${Math.round(100 * share)} %` : `${(100 * share).toPrecision(2)} %`;
}
