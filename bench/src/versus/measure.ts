/**
 * One measurement of one subject, in a process of its own (see tool/child.ts): warm up, measure, audit.
 *
 * A course says in which order jobs are enqueued and run, and which stretches are timed:
 *   singly    ├ enqueue one by one ┤ · run all (untimed)
 *   bulk      ├ enqueue in bulk ┤ · ├ process: from start to the last acknowledged completion ┤
 *   together  start · ├ together: from the first enqueue call to the last acknowledged completion ┤
 *   flood     the same, enqueued in bulk
 * All courses end with every job run, so that loss and duplicates are counted in each.
 */
import { rmSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { runChild } from "../tool/child.js";
import { type Cost, RedisMeter, startCost } from "../tool/cpu.js";
import { type Audit, Ledger } from "./ledger.js";
import { bulkMax, type Hooks, type Job, makeJobs, type Place, type Session } from "./subject.js";
import { type SubjectName, subjects } from "./subjects.js";

/** What is done in which order. */
export type Course = "singly" | "bulk" | "together" | "flood";

/** A timed stretch of a course. */
export type Stretch = "enqueue" | "bulk" | "process" | "together" | "flood";

/** One measurement. */
export interface MeasureSpec {
  readonly subject: SubjectName;
  readonly course: Course;
  readonly place: Place;
  readonly jobs: number;
  readonly warmupJobs: number;
  /** Callers that each await their own enqueue before the next. */
  readonly callers: number;
  readonly concurrency: number;
  readonly payloadBytes: number;
}

/** A stretch in figures, per job and per second. Null: not on Redis. */
export interface Rate {
  readonly perSecond: number;
  readonly seconds: number;
  readonly nodeUs: number;
  readonly redisUs: number | null;
  /** Calls to the store that carried enqueues, claims and outcomes; null where the subject does not count them. */
  readonly storeCalls: number | null;
}

/** What one measurement found. */
export interface Measurement {
  readonly audit: Audit;
  readonly rates: Partial<Readonly<Record<Stretch, Rate>>>;
}

// Long enough for the slowest rival with a delay of 2 ms and concurrency 1; a hang is reported, not waited for.
const timeoutMs = 180_000;
// Duplicates need a moment to show: this long after the last acknowledgement they still count.
const aftermathMs = 100;

/** Measures in a fresh process. */
export function measure(spec: MeasureSpec): Promise<Measurement> {
  return runChild(new URL("./measure-child.js", import.meta.url), spec, timeoutMs);
}

/** Measures in this process: warm-up in a session of its own, then the store emptied, then the real thing. */
export async function measureHere(spec: MeasureSpec): Promise<Measurement> {
  const meter = spec.place.store === "redis" ? new RedisMeter(spec.place.directUrl) : null;
  try {
    await runCourse({ ...spec, jobs: spec.warmupJobs }, null);
    await emptyPlace(spec.place, meter);
    return await runCourse(spec, meter);
  } finally {
    await emptyPlace(spec.place, meter);
    meter?.close();
  }
}

/** Removes all that a session left in a place. */
export async function emptyPlace(place: Place, meter: RedisMeter | null): Promise<void> {
  await meter?.flush();
  if (place.store === "embedded") rmSync(place.url.replace("embedded:", ""), { recursive: true, force: true });
}

async function runCourse(spec: MeasureSpec, meter: RedisMeter | null): Promise<Measurement> {
  const subject = subjects[spec.subject];
  const jobs = makeJobs(spec.jobs, spec.payloadBytes);
  const ledger = new Ledger(spec.jobs);
  const hooks: Hooks = {
    isPerJob: false,
    ran: (index) => ledger.ran(index),
    acknowledged: (count) => ledger.acknowledged(count),
  };
  const session = await subject.open(spec.place);
  const start = async (): Promise<void> => void (await session.start(spec.concurrency, hooks));
  const rates: Partial<Record<Stretch, Rate>> = {};
  const time = async (stretch: Stretch, work: () => Promise<void>): Promise<void> => {
    const before = session.storeCalls();
    const cost = await costOf(meter, work);
    const after = session.storeCalls();
    const calls = before === null || after === null ? null : (after - before) / spec.jobs;
    rates[stretch] = { ...rateOf(cost, spec.jobs), storeCalls: calls };
  };

  switch (spec.course) {
    case "singly":
      await time("enqueue", () => enqueueSingly(session, jobs, spec.callers));
      await start();
      await ledger.all();
      break;
    case "bulk":
      await time("bulk", () => enqueueInBulk(session, jobs));
      await time("process", async () => {
        await start();
        await ledger.all();
      });
      break;
    case "together":
      await start();
      await time("together", async () => {
        await enqueueSingly(session, jobs, spec.callers);
        await ledger.all();
      });
      break;
    case "flood":
      await start();
      await time("flood", async () => {
        await enqueueInBulk(session, jobs);
        await ledger.all();
      });
      break;
  }

  await sleep(aftermathMs);
  const audit = ledger.audit(await session.kept());
  await session.close();
  return { audit, rates };
}

async function costOf(meter: RedisMeter | null, work: () => Promise<void>): Promise<Cost> {
  // The young alone: a full collection would throw away compiled code, which the warm-up was for.
  globalThis.gc?.({ type: "minor" });
  const end = await startCost(meter);
  await work();
  return end();
}

function rateOf({ wallUs, nodeUs, redisUs }: Cost, jobs: number): Omit<Rate, "storeCalls"> {
  return {
    perSecond: jobs / (wallUs / 1e6),
    seconds: wallUs / 1e6,
    nodeUs: nodeUs / jobs,
    redisUs: redisUs === null ? null : redisUs / jobs,
  };
}

/** So many callers, each enqueueing its next job when its last one is accepted. */
async function enqueueSingly(session: Session, jobs: readonly Job[], callers: number): Promise<void> {
  let next = 0;
  const caller = async (): Promise<void> => {
    for (let job = jobs[next++]; job !== undefined; job = jobs[next++]) await session.enqueue(job);
  };
  await Promise.all(Array.from({ length: callers }, caller));
}

/** The subject's bulk call, one after the other. */
async function enqueueInBulk(session: Session, jobs: readonly Job[]): Promise<void> {
  for (let from = 0; from < jobs.length; from += bulkMax) await session.enqueueBulk(jobs.slice(from, from + bulkMax));
}
