/**
 * Rows about a store that goes away, the short form: connections cut under load, a server killed and started again.
 * Long outages, Sentinels and half-open links are plays of `npm run chaos`.
 */
import type { Handle } from "@millrace/core";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import { afterAll, describe, expect, it } from "vitest";
import { RedisCluster } from "../helper/cluster.js";
import { expectInTime } from "../helper/in-time.js";
import { plainClient } from "../helper/redis.js";
import { poll } from "../helper/wait.js";
import { stage } from "./stage.js";

/** Waves of cuts, each when some more Operations have begun. */
const CUTS = 8;

describe("rows of a store that goes away", () => {
  const open = stage();
  const servers: { stop(): Promise<void> }[] = [];
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  /** A server, or several, of this file alone: nobody else's connections are cut. */
  const places: readonly { name: string; start: () => Promise<{ url: string; clients: readonly Redis[] }> }[] = [
    {
      name: "Redis",
      start: async () => {
        const server = await startRedis();
        const client = plainClient(server.url);
        servers.push(server, { stop: async () => client.disconnect() });
        return { url: server.url, clients: [client] };
      },
    },
    {
      name: "Cluster",
      start: async () => {
        const cluster = await RedisCluster.start();
        servers.push(cluster);
        return { url: cluster.url, clients: cluster.clients };
      },
    },
  ];

  it.each(places)(
    "B35: connections to $name cut again and again: nothing is lost, nothing accepted twice",
    async ({ start }) => {
      const { url, clients } = await start();
      const app = open({ store: url, workers: { asyncWorkers: 1, slots: 4, autoOptimize: false } });
      const ended = new Map<string, number>();
      app.on("operation.completed", ({ id }) => ended.set(id, (ended.get(id) ?? 0) + 1));
      let begun = 0;
      const work = app.step("work", async (n: number) => {
        begun++;
        await new Promise((resolve) => setImmediate(resolve));
        return n;
      });
      await app.start();
      const handles: Handle<number>[] = [];
      for (let cut = 1; cut <= CUTS; cut++) {
        const some = Array.from({ length: 50 }, () => work.enqueue(handles.length));
        handles.push(...(await Promise.all(some)));
        await poll(() => (begun >= (cut - 1) * 50 + 10 ? true : null), "some runs");
        const killed = await Promise.all(clients.map((client) => client.call("CLIENT", "KILL", "TYPE", "normal")));
        expect(killed.reduce((sum: number, count) => sum + Number(count), 0)).toBeGreaterThan(0);
      }
      await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
      expect(handles).toHaveLength(CUTS * 50);
      expect([...ended.values()].filter((count) => count !== 1)).toEqual([]);
    },
  );

  it("X1: a server that is killed and comes back: all Workers consume again within 3 s, and nothing is lost", async () => {
    const server: RedisServer = await startRedis({ appendonly: true, appendfsync: "always" });
    servers.push(server);
    const apps = ["a", "b", "c"].map((nodeId) => open({ store: server.url, nodeId }));
    const ran = new Map<string, number>();
    const steps = apps.map((app) =>
      app.step("work", async (n: number) => {
        ran.set(app.nodeId, performance.now());
        await new Promise((resolve) => setImmediate(resolve));
        return n;
      }),
    );
    await Promise.all(apps.map((app) => app.start()));
    const submit = async (count: number): Promise<Handle<number>[]> =>
      await Promise.all(Array.from({ length: count }, (_, n) => (steps[n % 3] as (typeof steps)[number]).enqueue(n)));
    const handles = await submit(60);
    await server.kill9();
    const waiting = submit(60); // patient: `network.timeout` is a minute
    await server.restart();
    const backMs = performance.now();
    ran.clear();
    handles.push(...(await waiting));
    await poll(
      async () => {
        handles.push(...(await submit(3)));
        return [...ran.values()].length === 3 ? true : null;
      },
      "a run on every Node",
      5_000,
    );
    expectInTime(performance.now() - backMs, 3_000);
    await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
  });
});
