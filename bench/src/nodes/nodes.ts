/**
 * `nodes`: 1, 3, 5 and 10 Nodes over one Redis, each a process with its own node id and Segment that enqueues and runs.
 *
 * Beside the reference rows: throughput in a closed loop, latency in an open loop at the rate the gate asks for, and
 * what working together costs. “Latency” in the reference is one number a row, so it is read as the mean from enqueue
 * to acknowledged completion; the gate wants the mean *and* the median at half of it, and p99 is reported.
 */
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { RedisMeter } from "../tool/cpu.js";
import { DelayProxy } from "../tool/delay-proxy.js";
import { number } from "../tool/format.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import { type Bill, type CourseFindings, Fleet } from "./fleet.js";
import { findingsOf } from "./report.js";
import { type DelayedRow, type Help, type Reference, type Row, references, throughputFactor } from "./row.js";

/** What the bench was told to do. */
interface Size {
  readonly rounds: number;
  readonly closedOperations: number;
  /** Operations of each Node before anything is measured. */
  readonly warmupEach: number;
  readonly openSeconds: number;
  readonly warmupSeconds: number;
  readonly idleSeconds: number;
  readonly delayed: readonly Reference[];
}

const payloadBytes = 100;
const callers = 2_000;
const boundOperations = 10_000;
const delayMs = 1;
const help = { nodes: 10, perSecond: 6_400, serviceMs: 10, seconds: 5 } as const;

/** The bench. */
export const nodes: Bench = {
  name: "nodes",
  sentence: "1, 3, 5 and 10 Nodes, each a process with its own Segment: throughput, latency, cost of working together",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const size = sizeOf(options);
  return {
    settings: {
      "warm-up": `${number(size.warmupEach)} Operations of each Node in a closed loop, ${size.warmupSeconds} s in the open loop: ten processes compile the same code ten times`,
      rounds: `${size.rounds}, interleaved; fresh processes and an emptied server for each row of each round`,
      Node: "one process: its own NODE_ID and Segment, enqueues there, its Foreman claims from all Segments; App defaults",
      "closed loop": `${number(size.closedOperations)} Operations, ${number(callers)} callers over all Nodes that each await their own enqueue, at most ${number(boundOperations)} Operations not completed; from the agreed begin to the last acknowledged completion`,
      "open loop": `at ${throughputFactor} × the reference rate, ${size.openSeconds} s, evenly over the Nodes; latency counts from intended times; each Node sends what is due every 2 ms`,
      latency: "reference latency is read as the mean from enqueue to acknowledged completion; mean and p50 are gated",
      help: `${help.nodes} Nodes, one enqueues ${number(help.perSecond)} a second, handlers take ${help.serviceMs} ms: twice what its own slots can run`,
      payload: `${payloadBytes} bytes of JSON, handler answers a number, results kept`,
      redis: persistenceText("none"),
      delayed: `${delayMs} ms of network by a proxy that takes a processor of its own; one round, not gated`,
    },
    steps: size.rounds * references.length + size.delayed.length + 1,
    run: (progress) => run(size, progress),
  };
}

function sizeOf({ quick, rounds }: BenchOptions): Size {
  return {
    rounds: rounds ?? (quick ? 1 : 3),
    closedOperations: quick ? 40_000 : 200_000,
    warmupEach: quick ? 4_000 : 20_000,
    openSeconds: quick ? 3 : 10,
    warmupSeconds: quick ? 2 : 15,
    idleSeconds: quick ? 4 : 10,
    delayed: quick ? references.slice(1, 2) : references,
  };
}

async function run(size: Size, progress: Progress): Promise<Findings> {
  await using server = await startBenchRedis();
  const meter = new RedisMeter(server.url);
  try {
    const rows: Row[] = [];
    for (let round = 0; round < size.rounds; round++) {
      for (const [index, reference] of references.entries()) {
        progress.doing(`${reference.nodes} Nodes, round ${round + 1}`);
        const seen = await measureRow(reference, size, server.url, meter);
        rows[index] = joinRows(rows[index], seen);
        progress.step();
      }
    }
    progress.doing("help");
    const helped = await measureHelp(server.url, meter);
    progress.step();
    const delayed: DelayedRow[] = [];
    for (const reference of size.delayed) {
      progress.doing(`${reference.nodes} Nodes, ${delayMs} ms of network`);
      delayed.push(await measureDelayed(reference, size, server.port, meter));
      progress.step();
    }
    return findingsOf(rows, helped, delayed, delayMs);
  } finally {
    meter.close();
  }
}

async function measureRow(reference: Reference, size: Size, url: string, meter: RedisMeter): Promise<Row> {
  try {
    await using fleet = await Fleet.open(reference.nodes, url, meter, payloadBytes);
    const closed = await measureClosed(fleet, reference, size);
    const open = await measureOpen(fleet, reference, size);
    return { reference, rounds: [{ closed, open }], idle: await fleet.idle(size.idleSeconds), failures: [] };
  } catch (error) {
    const failure = error instanceof Error ? error.message : String(error);
    return { reference, rounds: [], idle: noBill, failures: [failure] };
  }
}

async function measureClosed(fleet: Fleet, { nodes: producers }: Reference, size: Size): Promise<CourseFindings> {
  const course = (operations: number) => ({ each: Math.ceil(operations / producers), producers, serviceMs: 0 });
  await fleet.saturate(course(size.warmupEach * producers), callers, boundOperations);
  return await fleet.saturate(course(size.closedOperations), callers, boundOperations);
}

async function measureOpen(fleet: Fleet, reference: Reference, size: Size): Promise<CourseFindings> {
  const perSecond = reference.perSecond * throughputFactor;
  const producers = reference.nodes;
  const course = (seconds: number) => ({ each: Math.ceil((perSecond * seconds) / producers), producers, serviceMs: 0 });
  await fleet.offer(course(size.warmupSeconds), perSecond);
  return await fleet.offer(course(size.openSeconds), perSecond);
}

async function measureHelp(url: string, meter: RedisMeter): Promise<Help> {
  const { nodes: count, perSecond, serviceMs, seconds } = help;
  await using fleet = await Fleet.open(count, url, meter, payloadBytes);
  const course = (forSeconds: number) => ({ each: perSecond * forSeconds, producers: 1, serviceMs });
  await fleet.offer(course(1), perSecond);
  return { nodes: count, perSecond, serviceMs, course: await fleet.offer(course(seconds), perSecond) };
}

async function measureDelayed(reference: Reference, size: Size, port: number, meter: RedisMeter): Promise<DelayedRow> {
  await using proxy = await DelayProxy.start(port, delayMs);
  const through = new RedisMeter(proxy.url);
  try {
    const pingUs = await through.pingUs();
    return { ...(await measureRow(reference, size, proxy.url, meter)), pingUs };
  } finally {
    through.close();
  }
}

function joinRows(one: Row | undefined, other: Row): Row {
  if (one === undefined) return other;
  return { ...one, rounds: [...one.rounds, ...other.rounds], failures: [...one.failures, ...other.failures] };
}

const noBill: Bill = {
  seconds: Number.NaN,
  storeCalls: Number.NaN,
  published: Number.NaN,
  wire: { inBytes: Number.NaN, outBytes: Number.NaN },
  redisUs: Number.NaN,
  nodeUs: Number.NaN,
  counters: {},
};
