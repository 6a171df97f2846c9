/** One open-loop run of one subject, in a process of its own: jobs at an even rate, latencies from intended times. */
import { setTimeout as sleep } from "node:timers/promises";
import { runChild } from "../tool/child.js";
import { RedisMeter } from "../tool/cpu.js";
import { intendedNs, type Pace, planPace, runPace } from "../tool/pacer.js";
import { type Audit, Ledger } from "../versus/ledger.js";
import { emptyPlace } from "../versus/measure.js";
import { type Job, makeJobs, type Place, type Session } from "../versus/subject.js";
import { type SubjectName, subjects } from "../versus/subjects.js";

/** One run. The first `warmupSeconds` are offered at the same rate and not recorded. */
export interface LatencySpec {
  readonly subject: SubjectName;
  readonly place: Place;
  readonly perSecond: number;
  readonly seconds: number;
  readonly warmupSeconds: number;
  readonly concurrency: number;
  readonly payloadBytes: number;
}

/** Microseconds from the intended time of each recorded job: to the enqueue call, to its handler, to its completion. */
export interface LatencyRun {
  readonly calledUs: Float64Array;
  readonly startedUs: Float64Array;
  readonly completedUs: Float64Array;
  readonly audit: Audit;
}

const timeoutMs = 180_000;
const drainMs = 20_000;
const leadMs = 50;

/** Runs in a fresh process. */
export function measureLatency(spec: LatencySpec): Promise<LatencyRun> {
  return runChild(new URL("./latency-child.js", import.meta.url), spec, timeoutMs);
}

/** Runs in this process. */
export async function measureLatencyHere(spec: LatencySpec): Promise<LatencyRun> {
  const meter = spec.place.store === "redis" ? new RedisMeter(spec.place.directUrl) : null;
  await emptyPlace(spec.place, meter);
  try {
    return await runOpenLoop(spec);
  } finally {
    await emptyPlace(spec.place, meter);
    meter?.close();
  }
}

async function runOpenLoop(spec: LatencySpec): Promise<LatencyRun> {
  const warmup = Math.round(spec.perSecond * spec.warmupSeconds);
  const total = warmup + Math.round(spec.perSecond * spec.seconds);
  const jobs = makeJobs(total, spec.payloadBytes);
  const ledger = new Ledger(total);
  const called = new Float64Array(total);
  const started = new Float64Array(total);
  const completed = new Float64Array(total);
  const session = await subjects[spec.subject].open(spec.place);
  await session.start(spec.concurrency, {
    isPerJob: true,
    ran: (index) => {
      started[index] = nowNs();
      ledger.ran(index);
    },
    acknowledged: (count, index) => {
      if (index !== null) completed[index] = nowNs();
      ledger.acknowledged(count);
    },
  });
  // The young alone: a full collection would throw away compiled code, which the warm-up was for.
  globalThis.gc?.({ type: "minor" });

  const pace = planPace(spec.perSecond, total, leadMs);
  await offer(session, jobs, pace, called);
  await Promise.race([ledger.all(), sleep(drainMs)]); // what is not there by then is lost, and counted so
  const audit = ledger.audit(await session.kept());
  await session.close();
  const since = (times: Float64Array): Float64Array =>
    times.map((ns, index) => (ns - intendedNs(pace, index)) / 1000).subarray(warmup);
  return { calledUs: since(called), startedUs: since(started), completedUs: since(completed), audit };
}

async function offer(session: Session, jobs: readonly Job[], pace: Pace, called: Float64Array): Promise<void> {
  const answers: Promise<unknown>[] = [];
  await runPace(pace, (index) => {
    const job = jobs[index];
    if (job === undefined) return;
    called[index] = nowNs();
    answers.push(session.enqueue(job));
  });
  await Promise.all(answers);
}

function nowNs(): number {
  return Number(process.hrtime.bigint());
}
