/** `memory`: what Redis keeps for a job that waits and for one that has finished, beyond the payload itself. */

import { RedisStore } from "@millrace/core/internal";
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { RedisMeter } from "../tool/cpu.js";
import { number } from "../tool/format.js";
import { atMost } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import type { Table } from "../tool/table.js";
import { Ledger } from "../versus/ledger.js";
import { bulkMax, type Job, makeJobs, type Session } from "../versus/subject.js";
import { type SubjectName, subjects } from "../versus/subjects.js";

const payloadBytes = 100;
const compared: readonly SubjectName[] = ["millrace", "bullmq", "bee-queue"];
const kinds = ["waiting", "scheduled", "prioritised", "finished"] as const;

type Kind = (typeof kinds)[number];

/** Bytes per job by kind; null where the subject has no such kind. */
type Sizes = Readonly<Record<Kind, number | null>>;

const labels: Readonly<Record<Kind, string>> = {
  waiting: "waiting, beyond the payload",
  scheduled: "due in a day, beyond the payload",
  prioritised: "another priority, beyond the payload",
  finished: "finished, all that is kept",
};

/** The bench. */
export const memory: Bench = {
  name: "memory",
  sentence: "Redis memory per job: waiting, scheduled, prioritised, and finished with its result",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  // The gate is on waiting jobs, so those are many in any mode; rivals take long to finish theirs.
  const count = (kind: Kind): number => (kind === "waiting" ? 200_000 : options.quick ? 10_000 : 50_000);
  return {
    settings: {
      jobs: Object.fromEntries(kinds.map((kind) => [kind, count(kind)])),
      payload: `${payloadBytes} bytes of JSON`,
      measure: "used_memory before and after, per job, with no client connected but the one that asks",
      subjects: Object.fromEntries(compared.map((name) => [name, `keeps ${subjects[name].keeps}`])),
      redis: persistenceText("none"),
    },
    steps: compared.length * kinds.length,
    run: (progress) => run(count, progress),
  };
}

async function run(count: (kind: Kind) => number, progress: Progress): Promise<Findings> {
  await using server = await startBenchRedis();
  const sizes: { name: SubjectName; payload: number; bytes: Sizes }[] = [];
  for (const name of compared) {
    const bytes: Record<Kind, number | null> = { waiting: null, scheduled: null, prioritised: null, finished: null };
    const payload = name === "millrace" ? await ourPayloadBytes(server.url) : payloadBytes;
    for (const kind of kinds) {
      progress.doing(`${name}, ${kind}`);
      const perJob = await bytesPerJob(server.url, name, kind, count(kind));
      bytes[kind] = perJob === null || kind === "finished" ? perJob : perJob - payload;
      progress.step();
    }
    sizes.push({ name, payload, bytes });
  }
  const ours = sizes.find(({ name }) => name === "millrace")?.bytes.waiting ?? Number.NaN;
  return {
    metrics: Object.fromEntries(sizes.map(({ name, payload, bytes }) => [name, { payloadBytes: payload, ...bytes }])),
    gates: [atMost("memory per waiting Operation beyond its payload (B)", ours, 60)],
    tables: [table(sizes)],
    charts: [{ file: "memory.svg", svg: chart(sizes) }],
    voids: [],
  };
}

/** `used_memory` per job of one kind, payload included; null where the subject has no such kind. */
async function bytesPerJob(url: string, name: SubjectName, kind: Kind, count: number): Promise<number | null> {
  const meter = new RedisMeter(url);
  const place = { store: "redis", url, directUrl: url } as const;
  try {
    await meter.flush();
    await (await subjects[name].open(place)).close(); // scripts, functions, names: not a cost of a job
    const before = await settledMemory(meter);
    const session = await subjects[name].open(place);
    const jobs = makeJobs(count, payloadBytes);
    const isKnown = await fill(session, jobs, kind);
    if (isKnown && kind === "finished") await finish(session, name, count);
    await session.close();
    return isKnown ? ((await settledMemory(meter)) - before) / count : null;
  } finally {
    meter.close();
  }
}

async function fill(session: Session, jobs: readonly Job[], kind: Kind): Promise<boolean> {
  for (let from = 0; from < jobs.length; from += bulkMax) {
    const some = jobs.slice(from, from + bulkMax);
    if (kind === "waiting" || kind === "finished") await session.enqueueBulk(some);
    else if (!(await session.enqueueWaiting(some, kind))) return false;
  }
  return true;
}

async function finish(session: Session, name: SubjectName, count: number): Promise<void> {
  const ledger = new Ledger(count);
  const concurrency = subjects[name].concurrencies.at(-1) ?? 1;
  await session.start(concurrency, {
    isPerJob: false,
    ran: (index) => ledger.ran(index),
    acknowledged: (some) => ledger.acknowledged(some),
  });
  await ledger.all();
}

/** Memory once it has stopped changing: buffers of connections that just closed are freed a little later. */
async function settledMemory(meter: RedisMeter): Promise<number> {
  let last = await meter.memoryBytes();
  for (let look = 0; look < 20; look++) {
    await new Promise((resolve) => setTimeout(resolve, 150));
    const now = await meter.memoryBytes();
    if (now === last) break;
    last = now;
  }
  return last;
}

/** How many bytes our codec makes of the payload: what the store was given less the envelope around it. */
async function ourPayloadBytes(url: string): Promise<number> {
  const session = await subjects.millrace.open({ store: "redis", url, directUrl: url });
  await session.enqueueBulk(makeJobs(1, payloadBytes));
  await session.close();
  const store = new RedisStore({ url, app: "bench" });
  await store.open();
  try {
    for (const segment of await store.segments()) {
      for (const { queue } of (await store.counts(segment)).queues) {
        const { records } = await store.peek(segment, { of: { queue }, offset: 0, limit: 1 });
        const body = records[0]?.body;
        // The envelope: 1 byte of length, the Step's name, 5 bytes of time.
        if (body !== undefined && body !== null) return body.length - 6 - "noop".length;
      }
    }
    throw new Error("the job just enqueued is in no Queue");
  } finally {
    await store.close();
  }
}

function table(sizes: readonly { name: SubjectName; payload: number; bytes: Sizes }[]): Table {
  return {
    title: "Bytes of Redis memory per job",
    columns: ["", ...sizes.map(({ name }) => name)],
    rows: [
      ["payload as encoded", ...sizes.map(({ payload }) => number(payload))],
      ...kinds.map((kind) => [labels[kind], ...sizes.map(({ bytes }) => number(bytes[kind]))]),
    ],
    notes: [
      "Beyond the payload: used_memory per job less the payload as this subject encodes it; envelopes count.",
      ...sizes.map(({ name }) => `${name} keeps of a finished job: ${subjects[name].keeps}.`),
    ],
  };
}

function chart(sizes: readonly { name: SubjectName; bytes: Sizes }[]): string {
  return barChart({
    title: "Redis memory per job (shorter is better)",
    subtitle: `${payloadBytes}-byte JSON payload, results kept`,
    axis: "bytes",
    scale: "linear",
    series: sizes.map(({ name }) => name),
    groups: kinds.map((kind) => ({ label: labels[kind], values: sizes.map(({ bytes }) => bytes[kind]) })),
  });
}
