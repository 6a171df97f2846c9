/** Redis processor time of each transition by batch size, every transition measured apart and all of a life together. */
import { setTimeout as sleep } from "node:timers/promises";
import { type Claim, RedisStore } from "@millrace/core/internal";
import { Redis } from "ioredis";
import { RedisMeter } from "../tool/cpu.js";
import { Driver, keepMs } from "./transitions.js";

/** Batch sizes measured. */
export const batches = [1, 10, 50, 200, 1000] as const;

/** Microseconds per Operation: of the whole server (system calls included), and inside FCALL (INFO commandstats). */
export interface PhaseCost {
  readonly cpu: number;
  readonly inside: number;
}

/** What each transition costs, and a whole life: enqueue, claim, complete in turn as in steady state, result kept. */
export interface LifeCost {
  readonly enqueue: PhaseCost;
  readonly claim: PhaseCost;
  readonly complete: PhaseCost;
  readonly prune: PhaseCost;
  readonly life: PhaseCost;
}

/** The floor under the same life. */
export interface FloorCost {
  readonly push: number;
  readonly pop: number;
  readonly keep: number;
  readonly life: number;
}

// Bodies as an App sends them: an envelope of a 4-letter Step and about 90 bytes of codec payload; results are small.
const body = Buffer.alloc(100, "x");
const value = Buffer.alloc(24, "y");
// The shortest retention is 1 s, in slices of about 1 s: after three seconds all of them are past.
const shortRetainMs = 1000;
const pastRetentionMs = 3200;

/** Measures one batch size: `operations` in each phase, on an emptied server. */
export async function measureLife(url: string, batch: number, operations: number): Promise<LifeCost> {
  const meter = new RedisMeter(url);
  const store = new RedisStore({ url, app: "bench" });
  try {
    await meter.flush();
    await store.open();
    const driver = await Driver.open(store, `life${batch}`, body);
    const calls = Math.ceil(operations / batch);
    const total = calls * batch;
    await runLife(driver, batch, Math.ceil(calls / 10)); // warm-up: server allocations, scripts, connection

    const phase = async (work: () => Promise<void>): Promise<PhaseCost> => {
      const before = await insideUs(meter);
      const cpu = await costPer(meter, total, work);
      return { cpu, inside: ((await insideUs(meter)) - before) / total };
    };
    const enqueue = await phase(() => repeat(calls, () => driver.enqueue(batch)));
    const claimed: (readonly Claim[])[] = [];
    const claim = await phase(() => repeat(calls, async () => claimed.push(await driver.claim(batch))));
    const complete = await phase(() =>
      repeat(calls, (call) => driver.complete(claimed[call] ?? [], value, shortRetainMs)),
    );
    await sleep(pastRetentionMs);
    const prune = await phase(() => pruneAll(driver, total));
    const life = await phase(() => runLife(driver, batch, calls));
    return { enqueue, claim, complete, prune, life };
  } finally {
    await store.close();
    meter.close();
  }
}

/** The floor: variadic RPUSH, LPOP with a count, HSET of the results. */
export async function measureFloor(url: string, batch: number, operations: number): Promise<FloorCost> {
  const meter = new RedisMeter(url);
  const redis = new Redis(url);
  try {
    await meter.flush();
    const calls = Math.ceil(operations / batch);
    const total = calls * batch;
    const bodies = Array.from({ length: batch }, () => body);
    const pushAll = async (): Promise<unknown> => redis.rpush("floor:ready", ...bodies);
    const popAll = async (): Promise<unknown> => redis.lpopBuffer("floor:ready", batch);
    let id = 0;
    const keepAll = async (): Promise<unknown> =>
      redis.hset("floor:done", ...bodies.flatMap(() => [String(++id), value]));
    const push = await costPer(meter, total, () => repeat(calls, pushAll));
    const pop = await costPer(meter, total, () => repeat(calls, popAll));
    const keep = await costPer(meter, total, () => repeat(calls, keepAll));
    return { push, pop, keep, life: push + pop + keep };
  } finally {
    redis.disconnect();
    meter.close();
  }
}

/** Redis processor time of `work` in microseconds per Operation. */
export async function costPer(meter: RedisMeter, operations: number, work: () => Promise<void>): Promise<number> {
  const from = await meter.cpuUs();
  await work();
  return ((await meter.cpuUs()) - from) / operations;
}

async function insideUs(meter: RedisMeter): Promise<number> {
  return (await meter.commands()).fcall?.usec ?? 0;
}

async function runLife(driver: Driver, batch: number, calls: number): Promise<void> {
  await repeat(calls, async () => {
    await driver.enqueue(batch);
    await driver.complete(await driver.claim(batch), value, keepMs);
  });
}

async function pruneAll(driver: Driver, expected: number): Promise<void> {
  let finished = 0;
  for (let more = true; more; ) {
    const answer = await driver.prune(100);
    finished += answer.finished;
    more = answer.more;
  }
  if (finished !== expected) throw new Error(`expected ${expected} records pruned, got ${finished}`);
}

async function repeat(times: number, work: (index: number) => Promise<unknown>): Promise<void> {
  for (let index = 0; index < times; index++) await work(index);
}
