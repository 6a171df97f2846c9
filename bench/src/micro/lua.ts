/** `lua`: what Redis itself spends on an Operation's life, whatever Node does; and whether depth or spread add to it. */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { number, spread, times } from "../tool/format.js";
import { atMost } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import { type Summary, summarise } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import { measureClaimAt } from "./claim-depth.js";
import { batches, type FloorCost, type LifeCost, measureFloor, measureLife, type PhaseCost } from "./lua-life.js";
import { measureSpread, type SpreadCost } from "./segments.js";

const phases = ["enqueue", "claim", "complete", "prune", "life"] as const;

interface BatchCost {
  readonly batch: number;
  readonly ours: readonly LifeCost[];
  readonly floor: readonly FloorCost[];
}

interface Sizes {
  readonly rounds: number;
  operations(batch: number): number;
  readonly depths: readonly [shallow: number, deep: number];
  readonly windows: number;
  readonly segments: number;
  readonly oneSegmentOperations: number;
}

/** The bench. */
export const lua: Bench = {
  name: "lua",
  sentence:
    "Redis processor time per Operation and transition, by batch size, depth of the queue and number of Segments",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const sizes: Sizes = {
    rounds: options.rounds ?? (options.quick ? 1 : 5),
    // One call at a time is slow from here, and tells the same with fewer.
    operations: (batch) => Math.min(options.quick ? 20_000 : 200_000, batch * (options.quick ? 1000 : 10_000)),
    depths: [1000, options.quick ? 200_000 : 1_000_000],
    windows: options.quick ? 20 : 60,
    segments: options.quick ? 100 : 1000,
    oneSegmentOperations: options.quick ? 20_000 : 200_000,
  };
  return {
    settings: {
      rounds: `${sizes.rounds}, interleaved over batch sizes`,
      operations: Object.fromEntries(batches.map((batch) => [`batch ${batch}`, sizes.operations(batch)])),
      body: "100 bytes, result 24 bytes, results kept; prune with a retention of 1 s",
      calls: "at the Store contract, one awaited call after the other",
      cost: "INFO cpu of the whole server before and after; “inside” is INFO commandstats of FCALL",
      depth: `claims of 100 with ${sizes.depths.join(" and ")} ready, ${sizes.windows} windows of 10 claims`,
      spread: `claims of one App over 1 and ${sizes.segments} Segments`,
      redis: persistenceText("none"),
    },
    steps: sizes.rounds * batches.length + 5,
    run: (progress) => run(sizes, progress),
  };
}

async function run(sizes: Sizes, progress: Progress): Promise<Findings> {
  await using server = await startBenchRedis();
  const costs = await measureBatches(server.url, sizes, progress);

  progress.doing("claims by depth");
  const shallow = summarise(await measureClaimAt(server.url, sizes.depths[0], sizes.windows));
  progress.step();
  const deep = summarise(await measureClaimAt(server.url, sizes.depths[1], sizes.windows));
  progress.step();

  progress.doing("claims by spread");
  const one = await measureSpread(server.url, 1, sizes.oneSegmentOperations);
  progress.step();
  // Every Segment holds what one claim takes where there is but one Segment.
  const batch = Math.max(1, Math.round(one.perClaim));
  const full = await measureSpread(server.url, sizes.segments, batch);
  progress.step();
  const thin = await measureSpread(server.url, sizes.segments, 1);
  progress.step();

  const depthRatio = deep.median / shallow.median;
  const spreadRatio = callsPerOperation(full) / callsPerOperation(one);
  return {
    metrics: {
      batches: costs.map(({ batch: size, ours, floor }) => ({
        batch: size,
        cpuUs: Object.fromEntries(phases.map((phase) => [phase, summarise(ours.map((cost) => cost[phase].cpu))])),
        insideUs: Object.fromEntries(phases.map((phase) => [phase, summarise(ours.map((cost) => cost[phase].inside))])),
        floorUs: summarise(floor.map((cost) => cost.life)),
      })),
      depth: { shallow, deep, ratio: depthRatio },
      spread: { one, full, thin, ratio: spreadRatio },
    },
    gates: [
      ...costs
        .filter((cost) => cost.batch >= 100)
        .map((cost) => atMost(`Redis CPU per life, batch ${cost.batch} (µs)`, lifeOf(cost, "cpu").median, 8)),
      atMost(`claim with ${number(sizes.depths[1])} ready vs ${number(sizes.depths[0])} (times)`, depthRatio, 1.3),
      atMost(`claim calls, ${sizes.segments} Segments with a batch each vs 1 (times)`, spreadRatio, 1.5),
    ],
    tables: [
      cpuTable(costs, sizes.rounds),
      insideTable(costs),
      depthTable(sizes, shallow, deep, depthRatio),
      spreadTable(one, full, thin),
    ],
    charts: [{ file: "redis-cpu-by-batch.svg", svg: chart(costs) }],
    voids: [],
  };
}

async function measureBatches(url: string, sizes: Sizes, progress: Progress): Promise<readonly BatchCost[]> {
  const costs = batches.map((batch) => ({ batch, ours: [] as LifeCost[], floor: [] as FloorCost[] }));
  for (let round = 0; round < sizes.rounds; round++) {
    for (const { batch, ours, floor } of costs) {
      progress.doing(`batch ${batch}, round ${round + 1}`);
      ours.push(await measureLife(url, batch, sizes.operations(batch)));
      floor.push(await measureFloor(url, batch, sizes.operations(batch)));
      progress.step();
    }
  }
  return costs;
}

function lifeOf(cost: BatchCost, of: keyof PhaseCost): Summary {
  return summarise(cost.ours.map((one) => one.life[of]));
}

function floorOf(cost: BatchCost): Summary {
  return summarise(cost.floor.map((one) => one.life));
}

function callsPerOperation(cost: SpreadCost): number {
  return cost.claimCalls / cost.operations;
}

function cpuTable(costs: readonly BatchCost[], rounds: number): Table {
  return {
    title: `Redis processor time per Operation in µs, by batch size: median of ${rounds} rounds`,
    columns: ["", ...costs.map((cost) => `batch ${cost.batch}`)],
    rows: [
      ...phases.map((phase) => [
        phase === "life" ? "whole life, result kept" : phase,
        ...costs.map((cost) => number(summarise(cost.ours.map((one) => one[phase].cpu)).median)),
      ]),
      ["  ± half the range", ...costs.map((cost) => spread(lifeOf(cost, "cpu").spread))],
      ["floor: RPUSH, LPOP, HSET", ...costs.map((cost) => number(floorOf(cost).median))],
      ["life over floor", ...costs.map((cost) => times(lifeOf(cost, "cpu").median / floorOf(cost).median))],
    ],
    notes: ["A life is enqueue, claim and complete in turn; prune comes on top when its retention is over."],
  };
}

function insideTable(costs: readonly BatchCost[]): Table {
  return {
    title: "Of it inside the functions (INFO commandstats), µs per Operation: the rest is system calls and parsing",
    columns: ["", ...costs.map((cost) => `batch ${cost.batch}`)],
    rows: phases.map((phase) => [
      phase === "life" ? "whole life, result kept" : phase,
      ...costs.map((cost) => number(summarise(cost.ours.map((one) => one[phase].inside)).median)),
    ]),
  };
}

function depthTable(sizes: Sizes, shallow: Summary, deep: Summary, ratio: number): Table {
  const row = (ready: number, cost: Summary): string[] => [number(ready), number(cost.median), spread(cost.spread)];
  return {
    title: "Claim by depth: Redis processor time per Operation in µs, batch 100",
    columns: ["ready", "claim", "± half the range"],
    rows: [row(sizes.depths[0], shallow), row(sizes.depths[1], deep), ["deep over shallow", times(ratio), ""]],
  };
}

function spreadTable(one: SpreadCost, full: SpreadCost, thin: SpreadCost): Table {
  const row = (label: string, cost: SpreadCost): string[] => [
    label,
    number(cost.operations),
    number(cost.claimCalls),
    number(cost.emptyClaims),
    number(cost.perClaim),
    times(callsPerOperation(cost) / callsPerOperation(one)),
  ];
  return {
    title: "Claim calls by spread over Segments, one App with default options",
    columns: ["", "Operations", "claim calls", "empty", "per claim", "calls per Operation vs one Segment"],
    rows: [
      row("1 Segment", one),
      row(`${full.segments} Segments, a batch each`, full),
      row(`${thin.segments} Segments, one Operation each`, thin),
    ],
    notes: ["With one Operation in each Segment a claim can bring no more than one: the gate is on the row above it."],
  };
}

function chart(costs: readonly BatchCost[]): string {
  const line = (label: string, of: (cost: BatchCost) => number) => ({
    label,
    points: costs.map((cost) => ({ x: cost.batch, y: of(cost) })),
  });
  return lineChart({
    title: "Redis processor time per Operation (lower is better)",
    subtitle: "one awaited call after the other, 100-byte bodies, results kept",
    xAxis: "Operations in a call",
    yAxis: "µs per Operation",
    xScale: "log",
    yScale: "log",
    lines: [
      line("whole life", (cost) => lifeOf(cost, "cpu").median),
      line("floor", (cost) => floorOf(cost).median),
      ...(["enqueue", "claim", "complete"] as const).map((phase) =>
        line(phase, (cost) => summarise(cost.ours.map((one) => one[phase].cpu)).median),
      ),
    ],
  });
}
