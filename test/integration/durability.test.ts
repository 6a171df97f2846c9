/** What an acknowledgement survives, per call: on real servers with and without a disk, with real replicas, and embedded. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type Durability, type Handle, isMillraceError, type MillraceError } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { plainClient } from "../helper/redis.js";
import { poll } from "../helper/wait.js";

/** What a test opened, closed behind it in reverse. */
const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

async function server(options: Parameters<typeof startRedis>[0] = {}): Promise<RedisServer> {
  const started = await startRedis(options);
  opened.push(() => started.stop());
  return started;
}

function client(of: RedisServer): Redis {
  const made = plainClient(of.url);
  opened.push(() => made.disconnect());
  return made;
}

function appOn(store: string, durability?: Durability): App {
  const app = new App({ id: "shop", nodeId: "n1", store, ...(durability === undefined ? {} : { durability }) });
  app.step("charge", async (input: number) => input);
  opened.push(() => app.close());
  return app;
}

async function errorOf(work: Promise<unknown>): Promise<MillraceError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (!isMillraceError(error)) throw new Error(`expected an error of Millrace, got ${String(error)}`);
  return error;
}

/** A primary and a replica that follows it. */
async function pair(): Promise<{ primary: RedisServer; replica: RedisServer; replicaClient: Redis }> {
  const primary = await server({ appendonly: true, args: ["--repl-diskless-sync-delay", "0"] });
  const replica = await server({ args: ["--replicaof", `127.0.0.1 ${primary.port}`] });
  const replicaClient = client(replica);
  const isLinked = async () =>
    (await replicaClient.info("replication")).includes("master_link_status:up") ? true : null;
  await poll(isLinked, "the first synchronisation");
  return { primary, replica, replicaClient };
}

describe("X9: durability per call, by the settings of a Redis", () => {
  it.each([
    { appendonly: false, appendfsync: "everysec", level: "memory", basis: "checked", beyond: "aof" },
    { appendonly: true, appendfsync: "no", level: "aof", basis: "declared", beyond: "fsync" },
    { appendonly: true, appendfsync: "everysec", level: "aof", basis: "checked", beyond: "fsync" },
    { appendonly: true, appendfsync: "always", level: "fsync", basis: "checked", beyond: null },
  ] as const)(
    "X9: the receipt says $level ($basis) with AOF $appendonly, $appendfsync, and what lies beyond is refused unsent",
    async (row) => {
      const { appendonly, appendfsync, level, basis, beyond } = row;
      const { url } = await server({ appendonly, appendfsync });
      const app = appOn(url);
      expect((await app.enqueue("charge", 1)).receipt).toEqual({
        durability: level,
        replicas: 0,
        basis,
        deduplicated: false,
      });
      expect((await app.enqueue("charge", 2, { durability: level })).receipt).toMatchObject({
        durability: level,
        basis,
      });
      if (beyond === null) return;
      expect((await errorOf(app.enqueue("charge", 3, { durability: beyond }))).code).toBe("MR_DURABILITY_UNAVAILABLE");
      expect((await app.inspect.counts()).rows[0]).toMatchObject({ ready: 2 });
      expect((await errorOf(appOn(url, beyond).enqueue("charge", 4))).code).toBe("MR_DURABILITY_UNAVAILABLE");
    },
  );

  it("X9: kill -9 of the server loses nothing that was acknowledged as `aof`", async () => {
    const redis = await server({ appendonly: true });
    const app = new App({ id: "shop", nodeId: "n1", store: redis.url, network: { timeout: "100ms" } });
    app.step("charge", async (input: number) => input);
    opened.push(() => app.close());
    const acknowledged: Handle[] = [];
    let isDead = false;
    const writer = async () => {
      while (!isDead) {
        const handle = await app.enqueue("charge", 1, { durability: "aof" }).catch(() => null);
        if (handle !== null) acknowledged.push(handle);
      }
    };
    const writers = Array.from({ length: 20 }, writer);
    await poll(() => (acknowledged.length > 2_000 ? true : null), "2000 acknowledgements");
    await redis.kill9();
    isDead = true;
    await Promise.all(writers);
    await redis.restart();
    const after = appOn(redis.url);
    const states = await Promise.all(acknowledged.map(({ id }) => after.handle(id).status()));
    expect(states.filter(({ state }) => state !== "ready")).toEqual([]);
  });
});

describe("X9: durability per call, by replicas", () => {
  it("X9: an enqueue that asks for a replica is acknowledged when one has it, and many share a WAIT", async () => {
    const { primary } = await pair();
    const app = appOn(primary.url);
    const handle = await app.enqueue("charge", 1, { durability: { replicas: 1 } });
    expect(handle.receipt).toEqual({ durability: "aof", replicas: 1, basis: "checked", deduplicated: false });
    const inputs = Array.from({ length: 500 }, (_, i) => i);
    const { handles } = await app.enqueueMany("charge", inputs, { durability: { replicas: 1 } });
    expect(handles.every((one) => !(one instanceof Error) && one.receipt.replicas === 1)).toBe(true);
    const stats = await client(primary).info("commandstats");
    expect(Number(/cmdstat_wait:calls=(\d+)/.exec(stats)?.[1])).toBeLessThan(10);
    expect((await app.enqueue("charge", 1)).receipt.replicas).toBe(0);
  });

  it("X9: with its replica stopped the fate is told as MR_INDETERMINATE, and a repeat of the same id is a duplicate that tells the level", async () => {
    const { primary, replica } = await pair();
    const store = new RedisStore({ url: primary.url, app: "direct", callTimeoutMs: 1_000 });
    opened.push(() => store.close());
    await store.open();
    await store.openSegment("s");
    const laneName = "a.00";
    const { lane } = await store.laneOpen("s", { laneName, queue: null });
    const element = { counter: 1, queue: "mail", priority: 0, due: null, body: Buffer.from("x"), ties: null };
    const send = () => store.enqueueFull("s", { lane, laneName, elements: [element] });
    const secure = () => store.secure("s", { dots: [{ laneName, counter: 1 }], asked: { replicas: 1 } });
    const app = appOn(primary.url);
    await app.enqueue("charge", 0, { durability: { replicas: 1 } });

    process.kill(replica.pid, "SIGSTOP");
    try {
      expect((await send()).answers).toEqual(["ok"]);
      expect(await secure()).toEqual({ level: "aof", replicas: 0, missing: [] });
      const asked = { idempotencyKey: "order-7", durability: { replicas: 1 } } as const;
      const error = await errorOf(app.enqueue("charge", 7, asked));
      expect(error).toMatchObject({ code: "MR_INDETERMINATE", retryable: true });
      expect(error.message).toContain("reached: aof)");
      const id = String(error.details.id);
      expect((await app.handle(id).status()).state).toBe("ready");

      process.kill(replica.pid, "SIGCONT");
      const again = await app.enqueue("charge", 7, asked);
      expect(again.id).toBe(id);
      expect(again.receipt).toMatchObject({ deduplicated: true, replicas: 1 });
      expect((await send()).answers).toEqual(["duplicate"]);
      expect(await secure()).toEqual({ level: "aof", replicas: 1, missing: [] });
    } finally {
      process.kill(replica.pid, "SIGCONT");
    }
  });

  it("X9: what a replica has confirmed is there when it takes the place of a killed primary", async () => {
    const { primary, replica, replicaClient } = await pair();
    const app = new App({ id: "shop", nodeId: "n1", store: primary.url, network: { timeout: "100ms" } });
    app.step("charge", async (input: number) => input);
    opened.push(() => app.close());
    const confirmed: Handle[] = [];
    let isDead = false;
    const writer = async () => {
      while (!isDead) {
        const handle = await app.enqueue("charge", 1, { durability: { replicas: 1 } }).catch(() => null);
        if (handle !== null) confirmed.push(handle);
      }
    };
    const writers = Array.from({ length: 20 }, writer);
    await poll(() => (confirmed.length > 500 ? true : null), "500 confirmations");
    await primary.kill9();
    isDead = true;
    await Promise.all(writers);
    await replicaClient.replicaof("NO", "ONE");
    const after = appOn(replica.url);
    const states = await Promise.all(confirmed.map(({ id }) => after.handle(id).status()));
    expect(states.filter(({ state }) => state !== "ready")).toEqual([]);
  });

  it("X9: more replicas than there are is refused at the start, for the App as for a Step", async () => {
    const { primary } = await pair();
    const asked = { replicas: 2 } as const;
    expect((await errorOf(appOn(primary.url, asked).start())).message).toContain("aof with 1 replica(s)");
    const app = appOn(primary.url);
    app.step("pay", { durability: asked }, async () => null);
    expect((await errorOf(app.start())).code).toBe("MR_DURABILITY_UNAVAILABLE");
  });

  it("X9: the store says which Operations it lost", async () => {
    const { primary } = await pair();
    const store = new RedisStore({ url: primary.url, app: "direct" });
    opened.push(() => store.close());
    await store.open();
    await store.openSegment("s");
    const dots = [{ laneName: "gone.00", counter: 1 }];
    expect(await store.secure("s", { dots, asked: { replicas: 1 } })).toMatchObject({ missing: [0] });
  });
});

describe("X9: durability per call, embedded", () => {
  function folder(): string {
    const path = mkdtempSync(join(tmpdir(), "millrace-durability-"));
    opened.push(() => rmSync(path, { recursive: true, force: true }));
    return path;
  }

  it.each(["memory", "aof"] as const)("X9: a store that answers at `%s` flushes for those who ask", async (level) => {
    const app = appOn(`embedded:${folder()}`, level);
    expect((await app.enqueue("charge", 1)).receipt.durability).toBe(level);
    for (const durability of ["flushed", "fsync"] as const) {
      const { receipt } = await app.enqueue("charge", 2, { durability });
      expect(receipt).toEqual({ durability: "flushed", replicas: 0, basis: "checked", deduplicated: false });
    }
    expect((await errorOf(app.enqueue("charge", 3, { durability: { replicas: 1 } }))).code).toBe(
      "MR_DURABILITY_UNAVAILABLE",
    );
  });

  it("X9: a store in memory refuses every promise it cannot keep", async () => {
    const app = appOn("memory:");
    expect((await app.enqueue("charge", 1, { durability: "memory" })).receipt.durability).toBe("memory");
    expect((await errorOf(app.enqueue("charge", 1, { durability: "aof" }))).code).toBe("MR_DURABILITY_UNAVAILABLE");
    expect((await errorOf(appOn("memory:", { replicas: 1 }).start())).code).toBe("MR_DURABILITY_UNAVAILABLE");
  });
});
