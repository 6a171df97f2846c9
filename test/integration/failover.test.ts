/**
 * A failover to a replica that lags: what was acknowledged since is taken back. A Foreman tells the new primary what it
 * runs; what is still its own goes on, what is not begins anew, and what the store has lost is put back, once.
 */
import { App, type Handle, isMillraceError, type StepContext } from "@millrace/core";
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterEach, expect, test } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { plainClient } from "../helper/redis.js";
import { startProxy, type TcpProxy } from "../helper/tcp-proxy.js";
import { poll } from "../helper/wait.js";

const leaseMs = 3_000;
const servers: RedisServer[] = [];
const proxies: TcpProxy[] = [];

afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
  for (const server of servers.splice(0)) await server.stop();
});
const apps = openApps(); // closed first: hooks run backwards

interface Start {
  readonly id: string;
  readonly name: string;
  readonly fence: string;
}

/** One call to one server. */
async function on(server: RedisServer, ...args: [string, ...string[]]): Promise<unknown> {
  const client = plainClient(server.url);
  try {
    return await client.call(...args);
  } finally {
    client.disconnect();
  }
}

/** What it gives in the end; until it is put back, the store does not know it. */
async function resultOf(handle: Handle<string>): Promise<string> {
  return await poll(
    async () => {
      try {
        return await handle.result({ timeout: 15_000 });
      } catch (error) {
        if (isMillraceError(error, "MR_NOT_FOUND")) return null;
        throw error;
      }
    },
    `the end of ${handle.id}`,
    15_000,
  );
}

/** A primary, a replica, and an App whose every connection goes where `target` points. */
async function stage() {
  const primary = await startRedis();
  servers.push(primary);
  const replica = await startRedis({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
  servers.push(replica);
  const target = { port: primary.port };
  const proxy = await startProxy(target);
  proxies.push(proxy);
  const starts: Start[] = [];
  const aborted: string[] = [];
  const gates = new Map<string, () => void>();
  const store = `redis://127.0.0.1:${proxy.port}`;
  const app = new App({ id: "mill", store, nodeId: "n1", workers: { slots: 20 } });
  app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs, beatMs: 300, surveyMs: 300 } });
  apps.add({ app });
  /** The first Attempt of a name waits until it is let on, or told to end; later ones end at once. */
  const run = async ({ name }: { name: string }, context: StepContext): Promise<string> => {
    const isFirst = !starts.some((start) => start.name === name);
    starts.push({ id: context.operationId, name, fence: context.fence });
    if (!isFirst) return `${name} again`;
    await new Promise<void>((resolve, reject) => {
      gates.set(name, resolve);
      context.abort.addEventListener("abort", () => {
        aborted.push(name);
        reject(new Error("told to end"));
      });
    });
    return name;
  };
  const work = app.step("work", { retries: 0 }, run);
  const held = app.step("held", { queue: "held", retries: 0 }, run);
  const started = (name: string, count = 1) =>
    poll(() => (starts.filter((start) => start.name === name).length >= count ? true : null), `${name} running`);
  return {
    ...{ app, work, held, starts, aborted, started },
    letOn: (name: string) => gates.get(name)?.(),
    /** The replica has everything so far, and gets nothing more. */
    freeze: async () => {
      const offset = async (server: RedisServer) =>
        /(?:slave_repl|master_repl)_offset:(\d+)/.exec(String(await on(server, "INFO", "replication")))?.[1];
      await poll(async () => ((await offset(primary)) === (await offset(replica)) ? true : null), "the replica");
      await on(replica, "REPLICAOF", "NO", "ONE");
    },
    /** The primary is gone; the replica is in its place. */
    failOver: async () => {
      target.port = replica.port;
      await primary.kill9();
      proxy.cutAll();
    },
  };
}

test("X1: after a failover that rolled back, what runs is kept, begun anew or put back, and accepted once", async () => {
  const s = await stage();
  const { app, work, held } = s;
  await app.start();
  const kept = await work.enqueue({ name: "kept" });
  const ended = await work.enqueue({ name: "ended" });
  await s.started("kept");
  await s.started("ended");
  await app.queue("held").pause();
  const taken = await held.enqueue({ name: "taken" });
  await s.freeze();

  // From here on the new primary will know nothing.
  await app.queue("held").resume();
  await s.started("taken");
  s.letOn("ended");
  expect(await ended.result()).toBe("ended");
  const fast = await work.enqueue({ name: "fast" });
  const full = await work.enqueue({ name: "full" }, { priority: 5 });
  await s.started("fast");
  await s.started("full");
  const waiting = await work.enqueue({ name: "later" }, { delay: "1h" });
  const before = new Map(s.starts.map(({ name, fence }) => [name, BigInt(fence)]));
  await s.failOver();

  // Void here, and put back under its own id: a full-path dot at once, one of a fast lane a Lease later.
  expect(await resultOf(full)).toBe("full again");
  expect(await resultOf(fast)).toBe("fast again");
  // Its claim was forgotten: it waits in a Queue that is paused again.
  await poll(() => (s.aborted.includes("taken") ? true : null), "the end of what was taken back");
  await app.queue("held").resume();
  expect(await resultOf(taken)).toBe("taken again");
  // Its outcome was forgotten: nobody runs it, and its owner lives.
  await s.started("ended", 2);
  await poll(async () => ((await ended.status()).state === "completed" ? true : null), "the second outcome");
  // It was this process's all the time.
  expect(s.aborted.sort()).toEqual(["fast", "full", "taken"]);
  s.letOn("kept");
  expect(await kept.result({ timeout: 15_000 })).toBe("kept");

  const counts = new Map<string, Start[]>();
  for (const start of s.starts) counts.set(start.name, [...(counts.get(start.name) ?? []), start]);
  expect([...counts].map(([name, starts]) => `${name} ${starts.length}`).sort()).toEqual([
    "ended 2",
    "fast 2",
    "full 2",
    "kept 1",
    "taken 2",
  ]);
  for (const [name, starts] of counts) {
    expect(new Set(starts.map(({ id }) => id)).size, `one id of ${name}`).toBe(1);
    for (const { fence } of starts.slice(1)) expect(BigInt(fence)).toBeGreaterThan(before.get(name) ?? 0n);
  }
  expect(new Set(s.starts.map(({ id, fence }) => `${id} ${fence}`)).size).toBe(s.starts.length);
  // What nobody had a copy of is lost: the loss outside of the store's durability.
  await expect(waiting.status()).rejects.toThrow(/MR_NOT_FOUND|not found|known/i);
});
