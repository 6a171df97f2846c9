/** How many claims an App makes when its work lies in one Segment and when it is spread over a thousand. */

import { setTimeout as sleep } from "node:timers/promises";
import { App, type Step } from "@millrace/core";
import { RedisMeter } from "../tool/cpu.js";
import { Ledger } from "../versus/ledger.js";
import { type Job, jobIndex, makeJobs } from "../versus/subject.js";

const appId = "bench";
const payloadBytes = 100;
/** Apps that fill Segments at the same time. */
const fillersMax = 20;

/** What claiming everything took. */
export interface SpreadCost {
  readonly segments: number;
  readonly operations: number;
  readonly claimCalls: number;
  readonly emptyClaims: number;
  /** Operations of a claim that found some. */
  readonly perClaim: number;
}

/** Fills `segments` Segments with `each` Operations, then lets one App run them all and counts its claims. */
export async function measureSpread(url: string, segments: number, each: number): Promise<SpreadCost> {
  const meter = new RedisMeter(url);
  await meter.flush();
  meter.close();
  const jobs = makeJobs(segments * each, payloadBytes);
  for (let from = 0; from < segments; from += fillersMax) {
    const count = Math.min(fillersMax, segments - from);
    const fill = (_: unknown, at: number): Promise<void> =>
      fillSegment(url, from + at, jobs.slice((from + at) * each, (from + at + 1) * each));
    await Promise.all(Array.from({ length: count }, fill));
  }
  return claimAll(url, segments, jobs.length);
}

async function fillSegment(url: string, index: number, jobs: readonly Job[]): Promise<void> {
  await using app = new App({ id: appId, store: url, nodeId: `node-${index}` });
  const noop = defineNoop(app, () => {});
  await app.enqueueMany(noop, jobs);
}

async function claimAll(url: string, segments: number, operations: number): Promise<SpreadCost> {
  await using app = new App({ id: appId, store: url, nodeId: "node-0" });
  const ledger = new Ledger(operations);
  defineNoop(app, (n) => ledger.ran(jobIndex(n)));
  await app.start();
  while (app.metrics().completed < operations) await sleep(5);
  const { claimCalls, emptyClaims, completed } = app.metrics();
  const { lost, duplicated } = ledger.auditRuns();
  if (lost + duplicated > 0) throw new Error(`${lost} lost and ${duplicated} duplicated of ${operations}`);
  return { segments, operations, claimCalls, emptyClaims, perClaim: completed / (claimCalls - emptyClaims) };
}

function defineNoop(app: App, ran: (n: number) => void): Step<Job, number> {
  return app.step("noop", async (job: Job) => {
    ran(job.n);
    return job.n;
  });
}
