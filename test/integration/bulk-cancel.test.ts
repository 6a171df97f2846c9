/** X18: a bulk action over very many holds up nobody: each of its calls takes a server a few milliseconds. */
import { App } from "@millrace/core";
import { startRedis } from "@millrace/scripts/redis-server";
import { expect, it } from "vitest";
import { plainClient } from "../helper/redis.js";

const COUNT = 100_000;
const BATCH = 5_000;
const CALL_MAX_MS = 5;

it("X18: cancels 100,000 by filter, in calls that take the server less than 5 ms each", {
  timeout: 180_000,
}, async () => {
  await using server = await startRedis();
  const app = new App({ id: "bulk", nodeId: "web-1", store: server.url });
  const mail = app.step("mail", { queue: "mail" }, async (n: number) => n);
  await app.queue("mail").pause();
  for (let from = 0; from < COUNT; from += BATCH) {
    await app.enqueueMany(
      mail,
      Array.from({ length: BATCH }, (_, n) => from + n),
    );
  }
  const client = plainClient(server.socket);
  /** Processor time of the server's main thread in milliseconds, and its calls: other processes do not count. */
  const spent = async () => {
    const [cpu, stats] = await Promise.all([client.info("cpu"), client.info("commandstats")]);
    const ms = ["user", "sys"].map((kind) => Number(new RegExp(`used_cpu_${kind}_main_thread:(\\S+)`).exec(cpu)?.[1]));
    return { ms: 1_000 * ms.reduce((a, b) => a + b), calls: Number(/cmdstat_fcall:calls=(\d+)/.exec(stats)?.[1] ?? 0) };
  };
  const counted = await app.inspect.cancel("step:mail state:ready", { dryRun: true }).done();
  expect(counted).toMatchObject({ matched: COUNT, done: 0 });
  const pages: { ms: number; calls: number }[] = [];
  let before = await spent();
  const run = app.inspect.cancel("step:mail state:ready");
  for await (const _ of run) {
    const now = await spent();
    pages.push({ ms: now.ms - before.ms, calls: now.calls - before.calls });
    before = now;
  }
  expect(run.summary).toMatchObject({ matched: COUNT, done: COUNT });
  // A few calls each, none of which acts on more than 50.
  expect(pages.length).toBeGreaterThan(COUNT / 500);
  const perCall = pages.map(({ ms, calls }) => ms / Math.max(1, calls)).sort((a, b) => a - b);
  expect(perCall[Math.floor(perCall.length * 0.99)]).toBeLessThan(CALL_MAX_MS);
  const { rows } = await app.inspect.counts();
  expect(rows[0]).toMatchObject({ ready: 0, running: 0 });
  await client.quit();
  await app.close();
});
