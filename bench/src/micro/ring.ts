/** `ring`: frames a second from one thread to another through shared memory, beside postMessage. */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { runChild } from "../tool/child.js";
import { number, spread, times } from "../tool/format.js";
import { atLeast, atMost } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { type Summary, summarise } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import {
  ANSWER_EVERY,
  CAPACITY,
  MESSAGE_BATCH,
  MESSAGE_WINDOW,
  RING_BATCH,
  type RingFigures,
  type RingSpec,
  type Way,
  ways,
} from "./ring-way.js";

const frameSizes = [16, 64, 256, 4096] as const;
/** The size the gate is about. */
const GATED = 64;
const childTimeoutMs = 120_000;

const labels: Record<Way, string> = {
  ring: `ring, ${RING_BATCH} frames published at once`,
  "ring-each": "ring, each frame published",
  message: "postMessage, a frame each",
  "message-batch": `postMessage, ${MESSAGE_BATCH} frames packed in one`,
};

/** Frames measured at 64 bytes in full mode: about a second each. */
const framesAt64: Record<Way, number> = {
  ring: 8_000_000,
  "ring-each": 4_000_000,
  message: 200_000,
  "message-batch": 2_000_000,
};

interface Cell {
  readonly way: Way;
  readonly bytes: number;
  readonly runs: readonly RingFigures[];
  /** Frames measured in each run. */
  readonly frames: number;
}

/** The bench. */
export const ring: Bench = {
  name: "ring",
  sentence: "Frames a second from one thread to another through a ring of shared memory, beside postMessage",
  stores: [],
  plan,
};

function plan(options: BenchOptions): Plan {
  const rounds = options.rounds ?? (options.quick ? 2 : 7);
  return {
    settings: {
      rounds: `${rounds}, interleaved over ways and sizes, each measurement in a process of its own`,
      frames: Object.fromEntries(
        ways.map((way) => [way, frameSizes.map((bytes) => `${framesOf(way, bytes, options.quick)} of ${bytes} B`)]),
      ),
      warmUp: "a quarter as many frames before them, not counted",
      work: "every word of every frame is written, read and summed; each frame's sum and place in the order is checked",
      ring: `${CAPACITY} bytes; both sides block when they must wait; room is given back every ${RING_BATCH} frames`,
      postMessage: `Uint8Array, copied; at most ${MESSAGE_WINDOW} frames under way, an answer every ${ANSWER_EVERY}`,
      clock: "in the reading thread, from the first measured frame to the last",
    },
    steps: rounds * ways.length * frameSizes.length,
    run: (progress) => run(rounds, options.quick, progress),
  };
}

/** As many frames as take about a second: larger ones cost by their bytes, smaller ones hardly less. */
function framesOf(way: Way, bytes: number, isQuick: boolean): number {
  const weight = way === "message" ? Math.max(1, bytes / 1024) : Math.max(1, bytes / 64);
  const frames = framesAt64[way] / weight / (isQuick ? 4 : 1);
  return Math.ceil(frames / MESSAGE_BATCH) * MESSAGE_BATCH;
}

async function run(rounds: number, isQuick: boolean, progress: Progress): Promise<Findings> {
  const cells = frameSizes.flatMap((bytes) =>
    ways.map((way) => ({ way, bytes, frames: framesOf(way, bytes, isQuick), runs: [] as RingFigures[] })),
  );
  for (let round = 0; round < rounds; round++) {
    for (const { way, bytes, frames, runs } of cells) {
      progress.doing(`${bytes} bytes, ${labels[way]}, round ${round + 1}`);
      const warmUp = Math.ceil(frames / 4 / MESSAGE_BATCH) * MESSAGE_BATCH;
      const spec: RingSpec = { way, bytes, frames, warmUp };
      const module = new URL("./ring-child.js", import.meta.url);
      runs.push(await runChild<RingSpec, RingFigures>(module, spec, childTimeoutMs));
      progress.step();
    }
  }
  const gated = rateOf(cells, "ring", GATED).median;
  return {
    metrics: {
      cells: cells.map((cell) => ({
        way: cell.way,
        bytes: cell.bytes,
        framesPerSecond: rates(cell),
        cpuNsPerFrame: cpuNs(cell),
        waits: summarise(cell.runs.map((one) => one.waits)),
        fulls: summarise(cell.runs.map((one) => one.fulls)),
        rescued: rescued(cell),
      })),
    },
    gates: [
      atLeast(`frames of ${GATED} bytes through a ring (millions a second)`, gated / 1e6, 5),
      // Says the same also where other programs want the cores.
      atMost(`processor time of such a frame, both threads (ns)`, cpuNs(find(cells, "ring", GATED)).median, 200),
      atMost(
        "rescued wake-ups",
        cells.map(rescued).reduce((a, b) => a + b, 0),
        0,
      ),
    ],
    tables: [rateTable(cells, rounds), cpuTable(cells), waitTable(cells)],
    charts: [{ file: "frames-per-second.svg", svg: chart(cells) }],
    voids: cells
      .map((cell) => ({ cell, wrong: cell.runs.reduce((sum, one) => sum + one.wrong, 0) }))
      .filter(({ wrong }) => wrong > 0)
      .map(({ cell, wrong }) => `${wrong} frames of ${cell.bytes} bytes were wrong: ${labels[cell.way]}`),
  };
}

function rates(cell: Cell): Summary {
  return summarise(cell.runs.map((one) => (cell.frames - 1) / one.seconds));
}

function cpuNs(cell: Cell): Summary {
  return summarise(cell.runs.map((one) => (one.cpuSeconds * 1e9) / (cell.frames - 1)));
}

function rescued(cell: Cell): number {
  return cell.runs.reduce((sum, one) => sum + one.rescued + one.writerRescued, 0);
}

function find(cells: readonly Cell[], way: Way, bytes: number): Cell {
  const cell = cells.find((one) => one.way === way && one.bytes === bytes);
  if (cell === undefined) throw new Error(`nothing was measured of ${way} with ${bytes} bytes`);
  return cell;
}

function rateOf(cells: readonly Cell[], way: Way, bytes: number): Summary {
  return rates(find(cells, way, bytes));
}

const columns = ["", ...frameSizes.map((bytes) => `${bytes} B`)];

function rateTable(cells: readonly Cell[], rounds: number): Table {
  const row = (way: Way): string[] => [
    labels[way],
    ...frameSizes.map((bytes) => {
      const rate = rateOf(cells, way, bytes);
      return `${number(rate.median)} ${spread(rate.spread)}`;
    }),
  ];
  const ratio = (over: Way): string[] => [
    `ring over ${labels[over]}`,
    ...frameSizes.map((bytes) => times(medianRatio(cells, "ring", over, bytes))),
  ];
  return {
    title: `Frames a second, one direction, two threads: median of ${rounds} rounds, ± half the range`,
    columns,
    rows: [...ways.map(row), ratio("message"), ratio("message-batch")],
    notes: ["Ratios are taken within each round, then their median."],
  };
}

function medianRatio(cells: readonly Cell[], way: Way, over: Way, bytes: number): number {
  const [upper, lower] = [find(cells, way, bytes), find(cells, over, bytes)];
  const perSecond = (cell: Cell, round: number): number => cell.frames / (cell.runs[round]?.seconds ?? Number.NaN);
  return summarise(upper.runs.map((_, round) => perSecond(upper, round) / perSecond(lower, round))).median;
}

function cpuTable(cells: readonly Cell[]): Table {
  return {
    title: "Processor time per frame in ns, both threads together",
    columns,
    rows: ways.map((way) => [labels[way], ...frameSizes.map((bytes) => number(cpuNs(find(cells, way, bytes)).median))]),
    notes: ["Writing and reading every word of the frame is part of it."],
  };
}

function waitTable(cells: readonly Cell[]): Table {
  const perMillion = (cell: Cell, count: (one: RingFigures) => number): string =>
    number(summarise(cell.runs.map((one) => (count(one) * 1e6) / (cell.frames * 1.25))).median);
  const rows = (["ring", "ring-each"] as const).flatMap((way) => [
    [
      `${labels[way]}: reader slept`,
      ...frameSizes.map((bytes) => perMillion(find(cells, way, bytes), (one) => one.waits)),
    ],
    [
      `${labels[way]}: ring full`,
      ...frameSizes.map((bytes) => perMillion(find(cells, way, bytes), (one) => one.fulls)),
    ],
    [`${labels[way]}: rescued`, ...frameSizes.map((bytes) => String(rescued(find(cells, way, bytes))))],
  ]);
  return {
    title: "Waits per million frames; rescued wake-ups in all rounds",
    columns,
    rows,
  };
}

function chart(cells: readonly Cell[]): string {
  return barChart({
    title: "Frames from one thread to another (more is better)",
    subtitle: "one direction, two threads, every word written, read and checked",
    axis: "frames a second",
    scale: "log",
    series: ways.map((way) => labels[way]),
    groups: frameSizes.map((bytes) => ({
      label: `${bytes} bytes`,
      values: ways.map((way) => rateOf(cells, way, bytes).median),
    })),
  });
}
