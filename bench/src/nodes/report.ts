/** What `nodes` found, for people and programs: gates, tables, chart, and what makes a run void. Pure. */
import type { Findings } from "../bench.js";
import { lineChart } from "../tool/chart.js";
import { number, spread, times } from "../tool/format.js";
import { atLeast, atMost, type Gate } from "../tool/gate.js";
import { type Percentiles, percentileNames, percentiles } from "../tool/histogram.js";
import type { Chart } from "../tool/result.js";
import { median, type Summary, summarise } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import type { Bill, CourseFindings } from "./fleet.js";
import { type DelayedRow, type Help, latencyShare, type Row, throughputFactor } from "./row.js";

/** Judges and tells. */
export function findingsOf(
  rows: readonly Row[],
  helped: Help,
  delayed: readonly DelayedRow[],
  delayMs: number,
): Findings {
  return {
    metrics: {
      rows: rows.map(rowMetrics),
      help: { ...shape(helped.course), startedMs: percentiles(helped.course.startedUs), nodes: helped.nodes },
      delayed: delayed.map((row) => ({ pingUs: row.pingUs, ...rowMetrics(row) })),
    },
    gates: rows.flatMap(gatesOf),
    tables: [
      scaleTable("Nodes beside the reference: throughput in a closed loop, latency in an open loop", rows),
      latencyTable("Enqueue to acknowledged completion, ms, open loop", rows, (course) => course.completedUs),
      latencyTable("Enqueue to start of the handler, ms, open loop", rows, (course) => course.startedUs),
      latencyTable(
        "Intended time to enqueue call, ms: how late the Nodes themselves were (part of the above)",
        rows,
        (course) => course.calledUs,
      ),
      costTable("Cost of an Operation, closed loop", rows, (round) => round.closed),
      costTable("Cost of an Operation, open loop", rows, (round) => round.open),
      idleTable(rows),
      helpTable(helped),
      ...(delayed.length === 0 ? [] : delayedTables(delayed, delayMs)),
    ],
    charts: [chartOf(rows)],
    voids: [...voidsOf(rows), ...voidsOf(delayed), ...lossOf("help", helped.course)],
  };
}

function gatesOf(row: Row): readonly Gate[] {
  const { nodes, perSecond, latencyMs } = row.reference;
  const name = `${nodes} ${nodes === 1 ? "Node" : "Nodes"}`;
  const middle = (of: "mean" | "p50"): number => median(row.rounds.map(({ open }) => completionOf(open)[of]));
  return [
    atLeast(`${name}: throughput (per second)`, rateOf(row).median, perSecond * throughputFactor),
    atMost(`${name}: enqueue to completed, mean (ms)`, middle("mean"), latencyMs * latencyShare),
    atMost(`${name}: enqueue to completed, p50 (ms)`, middle("p50"), latencyMs * latencyShare),
  ];
}

function rateOf(row: Row): Summary {
  return summarise(row.rounds.map(({ closed }) => closed.operations / (closed.wallUs / 1e6)));
}

function completionOf(course: CourseFindings): Percentiles {
  return percentiles(course.completedUs);
}

function scaleTable(title: string, rows: readonly Row[]): Table {
  return {
    title,
    columns: ["Nodes", "reference /s", "here /s", "", "× reference", "ref. ms", "offered /s", "mean ms", "p50", "p99"],
    rows: rows.map((row) => {
      const { nodes, perSecond, latencyMs } = row.reference;
      const rate = rateOf(row);
      const ends = row.rounds.map(({ open }) => completionOf(open));
      return [
        String(nodes),
        number(perSecond),
        number(rate.median),
        spread(rate.spread),
        times(rate.median / perSecond),
        number(latencyMs),
        number(perSecond * throughputFactor),
        number(median(ends.map((one) => one.mean))),
        number(median(ends.map((one) => one.p50))),
        number(median(ends.map((one) => one.p99))),
      ];
    }),
    notes: [
      "All Nodes and the server share this machine's processors. Medians of rounds; latency from enqueue to acknowledged completion.",
    ],
  };
}

function latencyTable(title: string, rows: readonly Row[], of: (course: CourseFindings) => Float64Array): Table {
  return {
    title,
    columns: ["Nodes", "mean", ...percentileNames.map((name) => (name === "p999" ? "p99.9" : name)), "recorded"],
    rows: rows.map((row) => {
      const found = percentiles(row.rounds.flatMap(({ open }) => [...of(open)]));
      return [
        String(row.reference.nodes),
        number(found.mean),
        ...percentileNames.map((name) => number(found[name])),
        number(found.count),
      ];
    }),
  };
}

function costTable(title: string, rows: readonly Row[], of: (round: Row["rounds"][number]) => CourseFindings): Table {
  return {
    title,
    columns: ["Nodes", ...costColumns],
    rows: rows.map((row) => {
      const costs = row.rounds.map((round) => costOf(of(round)));
      return [
        String(row.reference.nodes),
        ...costColumns.map((name) => number(median(costs.map((cost) => cost[name])))),
      ];
    }),
    notes: [
      "Calls, claims and bells are per 1,000 Operations: a bell is counted by every Node that hears it. Bytes and processor time are per Operation.",
      "Foreign: the share run by another Node than the one that enqueued them.",
    ],
  };
}

const costColumns = [
  "store calls",
  "enqueues",
  "claims",
  "empty claims",
  "outcomes",
  "messages",
  "bells heard",
  "bytes in",
  "bytes out",
  "Redis µs",
  "Node µs",
  "foreign %",
] as const;

type Cost = Readonly<Record<(typeof costColumns)[number], number>>;

function costOf({ operations, bill, foreign }: CourseFindings): Cost {
  const thousands = operations / 1000;
  const counted = (name: string): number => (bill.counters[name] ?? 0) / thousands;
  return {
    "store calls": bill.storeCalls / thousands,
    enqueues: counted("enqueueCalls"),
    claims: counted("claimCalls"),
    "empty claims": counted("emptyClaims"),
    outcomes: counted("outcomeCalls"),
    messages: bill.published / thousands,
    "bells heard": counted("bells"),
    "bytes in": bill.wire.inBytes / operations,
    "bytes out": bill.wire.outBytes / operations,
    "Redis µs": bill.redisUs / operations,
    "Node µs": bill.nodeUs / operations,
    "foreign %": (100 * foreign) / operations,
  };
}

function idleTable(rows: readonly Row[]): Table {
  return {
    title: "While nothing is asked of them: calls and processor time a second, all Nodes together",
    columns: ["Nodes", "store calls", "claims", "bytes in", "bytes out", "Redis ms", "Node ms"],
    rows: rows.map(({ reference, idle }) => {
      const second = (value: number): string => number(value / idle.seconds);
      return [
        String(reference.nodes),
        second(idle.storeCalls),
        second(idle.counters.claimCalls ?? Number.NaN),
        second(idle.wire.inBytes),
        second(idle.wire.outBytes),
        second(idle.redisUs / 1000),
        second(idle.nodeUs / 1000),
      ];
    }),
  };
}

function helpTable({ nodes, perSecond, serviceMs, course }: Help): Table {
  const started = percentiles(course.startedUs);
  const cost = costOf(course);
  return {
    title: `Help: one of ${nodes} Nodes enqueues ${number(perSecond)} a second, handlers take ${serviceMs} ms`,
    columns: ["", "mean", "p50", "p99", "max", "foreign %", "claims", "empty claims"],
    rows: [
      [
        "enqueue to start, ms",
        number(started.mean),
        number(started.p50),
        number(started.p99),
        number(started.max),
        number(cost["foreign %"]),
        number(cost.claims),
        number(cost["empty claims"]),
      ],
    ],
    notes: ["Claims are per 1,000 Operations. Its own slots can run half of what is offered: the rest must find help."],
  };
}

function delayedTables(delayed: readonly DelayedRow[], delayMs: number): readonly Table[] {
  const ping = number(median(delayed.map((row) => row.pingUs)));
  const scale = scaleTable(`The same with ${delayMs} ms of network (not gated)`, delayed);
  const note = `Median round trip ${ping} µs through a proxy that keeps a processor busy: throughput is that of the rest.`;
  return [
    { ...scale, notes: [...(scale.notes ?? []), note] },
    costTable(`Cost of an Operation with ${delayMs} ms of network, open loop`, delayed, (round) => round.open),
  ];
}

function chartOf(rows: readonly Row[]): Chart {
  const svg = lineChart({
    title: "Operations per second by number of Nodes (higher is better)",
    subtitle: "closed loop, all Nodes and Redis on one machine, default options; the gate is five times the reference",
    xAxis: "Nodes",
    yAxis: "Operations per second",
    xScale: "linear",
    yScale: "log",
    lines: [
      line("here", rows, (row) => rateOf(row).median),
      line("gate", rows, ({ reference }) => reference.perSecond * throughputFactor),
      line("reference", rows, ({ reference }) => reference.perSecond),
    ],
  });
  return { file: "nodes.svg", svg };
}

function line(label: string, rows: readonly Row[], of: (row: Row) => number) {
  const points = rows.map((row) => ({ x: row.reference.nodes, y: of(row) })).filter(({ y }) => Number.isFinite(y));
  return { label, points };
}

function rowMetrics(row: Row): Record<string, unknown> {
  const { reference, rounds, idle, failures } = row;
  return {
    reference,
    perSecond: rateOf(row),
    failures,
    idle: perSecondOf(idle),
    rounds: rounds.map(({ closed, open }) => ({
      closed: shape(closed),
      open: {
        ...shape(open),
        calledMs: percentiles(open.calledUs),
        startedMs: percentiles(open.startedUs),
        completedMs: completionOf(open),
      },
    })),
  };
}

function shape(course: CourseFindings): Record<string, unknown> {
  const { operations, lost, duplicated, wallUs, bill } = course;
  return { operations, lost, duplicated, seconds: wallUs / 1e6, cost: costOf(course), counters: bill.counters };
}

function perSecondOf(bill: Bill): Record<string, number> {
  const { seconds, storeCalls, redisUs, nodeUs } = bill;
  return { storeCalls: storeCalls / seconds, redisUs: redisUs / seconds, nodeUs: nodeUs / seconds };
}

function voidsOf(rows: readonly Row[]): readonly string[] {
  return rows.flatMap(({ reference, rounds, failures }) => [
    ...failures.map((failure) => `${reference.nodes} Nodes: ${failure}`),
    ...rounds.flatMap(({ closed, open }) => [
      ...lossOf(`${reference.nodes} Nodes, closed loop`, closed),
      ...lossOf(`${reference.nodes} Nodes, open loop`, open),
    ]),
  ]);
}

function lossOf(where: string, { lost, duplicated }: CourseFindings): readonly string[] {
  return lost + duplicated > 0 ? [`${where}: ${lost} lost and ${duplicated} duplicated`] : [];
}
