/** Bugs that other queues paid for with a connection or with what a server holds. */
import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import { App } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterEach, describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { closeAll } from "../helper/places.js";
import { openTestRedis, plainClient } from "../helper/redis.js";

describe("a connection", () => {
  const apps: App[] = [];
  afterEach(() => closeAll(apps));
  const open = (options: ConstructorParameters<typeof App>[0]): App => {
    const app = new App(options);
    apps.push(app);
    return app;
  };

  it("regression: a Worker is deaf after an outage", async () => {
    await using server = await startRedis({ appendonly: true });
    const worker = open({ store: server.url, nodeId: "worker" });
    worker.step("work", async (n: number) => n);
    await worker.start();
    const cuts: readonly (() => Promise<unknown>)[] = [
      // Only what listens is cut: calls go on, and nobody notices that bells are missed.
      async () => {
        const client = plainClient(server.url);
        await client.call("CLIENT", "KILL", "TYPE", "pubsub");
        client.disconnect();
      },
      async () => {
        await server.kill9();
        await server.restart();
      },
    ];
    for (const [index, cut] of cuts.entries()) {
      await cut();
      const backMs = performance.now();
      const client = open({ store: server.url, nodeId: `client-${index}` });
      const work = client.step("work", async (n: number) => n);
      expect(await (await work.enqueue(index)).result({ timeout: "10s" })).toBe(index);
      expectInTime(performance.now() - backMs, 3_000);
    }
  });

  it("regression: a reconnect storm", async () => {
    // A server that takes every connection and ends it at once, as one behind a balancer does while it is away.
    let connections = 0;
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      connections++;
      sockets.add(socket);
      socket.on("error", () => undefined).destroy();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number }; // it listens on TCP
    const logged: string[] = [];
    const tell = (_: unknown, message: string) => void logged.push(message);
    const logger = { debug: () => undefined, info: tell, warn: tell, error: tell, child: () => logger };
    try {
      const store = new RedisStore({ url: `redis://127.0.0.1:${port}/0`, app: "paid", openTimeoutMs: 2_000, logger });
      await expect(store.open()).rejects.toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
      await store.close();
      expect(connections).toBeGreaterThan(2);
      expect(connections).toBeLessThan(25);
      expect(logged.length).toBeLessThan(5);
      const after = connections;
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(connections).toBe(after);
    } finally {
      server.close();
    }
  });

  it("regression: trimming a stream drops unread work", async () => {
    await using redis = await openTestRedis();
    const app = open({ store: redis.url, id: redis.app });
    const ran = new Set<number>();
    const work = app.step("work", async (n: number) => void ran.add(n));
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 100 }, (_, n) => n),
    );
    handles.push(await work.enqueue(100, { priority: 5 }), await work.enqueue(101, { delay: 5 }));
    // Whoever keeps memory small trims streams and lets keys with a time to live go: no work may be in either.
    for (const key of await redis.keys()) {
      if ((await redis.client.type(key)) === "stream") await redis.client.xtrim(key, "MAXLEN", 0);
      expect(await redis.client.pttl(key), key).toBe(-1);
    }
    await app.start();
    for (const handle of handles) if (!(handle instanceof Error)) await handle.result({ timeout: "10s" });
    expect(ran.size).toBe(102);
  });
});
