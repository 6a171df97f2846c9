/**
 * That more Foremen get more done: one process, then four, each with the same number of slots, on Operations that wait.
 * Such work asks little of the processors, so that what is judged here is the engine and not how many of them there are.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { App } from "@millrace/core";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, beforeAll, expect, it } from "vitest";
import { LATE } from "../helper/in-time.js";
import { poll, within } from "../helper/wait.js";
import type { ScalingProgramOptions } from "./scaling-program.js";

const [slots, waitMs] = [8, 40];
/** What the slots of one process can end in a second. */
const bestPerSecond = (slots * 1000) / waitMs;

let redis: RedisServer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  redis = await startRedis();
});

afterAll(async () => {
  for (const child of children) child.kill("SIGKILL");
  await redis.stop();
});

/** Starts so many Foremen of an App of its own and answers how many Operations a second they end, once all are at it. */
async function perSecond(foremen: number): Promise<number> {
  const id = `scaling-${foremen}-${children.length}`; // a run again begins anew
  const mine: ChildProcess[] = [];
  for (let i = 0; i < foremen; i++) mine.push(await startForeman({ id, node: `node-${i}` }));
  const app = new App({ id, store: redis.url });
  const step = app.step("wait", async () => {});
  const done = async () => (await app.inspect.counts()).totals.completed;
  const reach = (count: number) =>
    poll(async () => ((await done()) >= count ? true : null), `${count} are done by ${foremen}`, 60_000);
  const total = 6 * bestPerSecond * foremen;
  for (let left = total; left > 0; left -= 1000) {
    await app.enqueueMany(
      step,
      Array.from({ length: Math.min(left, 1000) }, () => null),
    );
  }
  // The clock runs while all have work: neither while they start nor at the end, when not all find some.
  await reach(total / 6);
  const [from, before] = [performance.now(), await done()];
  await reach((5 * total) / 6);
  const rate = ((await done()) - before) / ((performance.now() - from) / 1000);
  await reach(total);
  await app.close();
  for (const child of mine) {
    child.stdin?.write("end\n");
    await within(once(child, "exit"), "a Foreman ends", 20_000);
  }
  return rate;
}

async function startForeman({ id, node }: { readonly id: string; readonly node: string }): Promise<ChildProcess> {
  const options: ScalingProgramOptions = { store: redis.url, app: id, node, slots, waitMs };
  const script = fileURLToPath(new URL("../dist/integration/scaling-program.js", import.meta.url));
  const child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  await within(once(child.stdout, "data"), "a Foreman is ready", 30_000);
  return child;
}

it("B19: four Foremen do at least 0.8 times four times what one does", async () => {
  const one = await perSecond(1);
  const four = await perSecond(4);
  console.log(`Operations a second of ${waitMs} ms: 1 Foreman ${one.toFixed(0)}, 4 Foremen ${four.toFixed(0)}`);
  // One is no yardstick if it does not use its slots.
  expect(one / bestPerSecond, LATE).toBeGreaterThan(0.7);
  expect(four / one, LATE).toBeGreaterThanOrEqual(0.8 * 4);
}, 120_000);
