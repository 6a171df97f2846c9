/** What the Redis store does when network, server or rights fail: no hidden re-send, no silence, no secret told. */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { type Logger, MillraceError } from "@millrace/core";
import { RedisStore, type RedisStoreOptions, silentLogger } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { bytes } from "../helper/bytes.js";
import { openTestRedis, plainClient, type TestRedis } from "../helper/redis.js";
import { startProxy, type TcpProxy } from "../helper/tcp-proxy.js";
import { poll, within } from "../helper/wait.js";

const laneName = "m3k9.01";

/** The code of what a promise rejects with, or "resolved". */
function codeOf(work: Promise<unknown>): Promise<string> {
  return within(
    work.then(
      () => "resolved",
      (error: unknown) => (error instanceof MillraceError ? error.code : String(error)),
    ),
    "an answer",
  );
}

function messageOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "resolved",
    (error: unknown) => String(error),
  );
}

describe("the Redis store", () => {
  let redis: TestRedis;
  let proxy: TcpProxy;
  const open: RedisStore[] = [];

  beforeEach(async () => {
    redis = await openTestRedis();
    proxy = await startProxy({ port: Number(new URL(redis.url).port) });
  });

  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
    await proxy.close();
    await redis.close();
  });

  function make(options: Partial<RedisStoreOptions> = {}): RedisStore {
    const store = new RedisStore({ url: `redis://127.0.0.1:${proxy.port}`, app: redis.app, ...options });
    open.push(store);
    return store;
  }

  async function opened(options: Partial<RedisStoreOptions> = {}): Promise<{ store: RedisStore; lane: number }> {
    const store = make(options);
    await within(store.open(), "the opening");
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
    return { store, lane };
  }

  it("answers MR_INDETERMINATE at once when a sent call is cut off, and sends nothing again by itself", async () => {
    const { store, lane } = await opened();
    proxy.hurt("down", { cutAfterBytes: 0 });
    const call = store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    expect(await codeOf(call)).toBe("MR_INDETERMINATE");
    await within(store.ready(), "the next connection");
    expect(await redis.client.llen(`{${redis.app}:s}:r:mail`)).toBe(1);
    const again = await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    expect(again).toEqual({ answer: "ok", accepted: 1, fresh: 0 });
  });

  it("F28: refuses calls with MR_STORE_UNAVAILABLE while there is no connection, and tells when it is back", async () => {
    const { store, lane } = await opened();
    let restored = 0;
    const bells: string[] = [];
    store.listen({
      bell: (_, queue) => bells.push(queue),
      settled: () => undefined,
      progressed: () => undefined,
      due: () => undefined,
      marked: () => undefined,
      restored: () => restored++,
    });
    proxy.refuse(true);
    proxy.cutAll();
    await poll(async () => ((await codeOf(store.counts("s"))) === "MR_STORE_UNAVAILABLE" ? true : null), "the refusal");
    proxy.refuse(false);
    await within(store.ready(), "the next connection");
    await poll(() => (restored >= 2 ? true : null), "both connections");
    await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    await poll(() => (bells.includes("mail") ? true : null), "a bell on the new subscription");
  });

  it("X1: is not ready for who asks again at once while its socket is gone and nobody has heard of it", async () => {
    const sockets: Socket[] = [];
    const note = (message: unknown): void => void sockets.push((message as { readonly socket: Socket }).socket);
    subscribe("net.client.socket", note);
    const { store } = await opened();
    unsubscribe("net.client.socket", note);
    for (const socket of sockets) socket.destroy();
    // Its end is told in a later turn, and there is none while answers to this loop come in microtasks.
    for (let calls = 1; ; calls++) {
      const code = await codeOf(store.counts("s"));
      if (code === "resolved") break;
      expect(code).toBe("MR_STORE_UNAVAILABLE");
      expect(calls).toBeLessThan(100);
      await store.ready();
    }
  });

  it("X1: gives up on a server that takes calls and says nothing, and builds a new connection", async () => {
    const { store } = await opened({ callTimeoutMs: 400 });
    proxy.hurt("down", { isBlackhole: true });
    expect(await codeOf(store.counts("s"))).toBe("MR_INDETERMINATE");
    proxy.hurt("down", null);
    await within(store.ready(), "the next connection");
    expect((await store.counts("s")).running).toBe(0);
  });

  it("rejects what is unanswered when it is closed, and what comes after", async () => {
    const { store } = await opened();
    proxy.hurt("down", { isBlackhole: true });
    const call = store.counts("s");
    await store.close();
    expect(await codeOf(call)).toBe("MR_INDETERMINATE");
    expect(await codeOf(store.counts("s"))).toBe("MR_STORE_UNAVAILABLE");
    expect(await codeOf(store.ready())).toBe("MR_APP_CLOSED");
  });

  it("regression: scripts are gone after a failover: functions are loaded again, and the call goes through", async () => {
    const { store, lane } = await opened();
    await redis.client.call("FUNCTION", "FLUSH");
    const calls = [1, 2, 3].map((first) => store.enqueue("s", { lane, laneName, first, bodies: [bytes("a")] }));
    const answers = await within(Promise.all(calls), "the calls");
    expect(answers.map(({ answer }) => answer)).toEqual(["ok", "ok", "ok"]);
  });

  it("regression: scripts are gone after a failover: so are scripts", async () => {
    const { store, lane } = await opened({ scripting: "scripts" });
    await redis.client.call("SCRIPT", "FLUSH");
    expect((await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] })).answer).toBe("ok");
  });

  it("turns to scripts by itself when its user may not use functions", async () => {
    await redis.client.call("ACL", "SETUSER", "noFunctions", "on", ">pw", "~*", "&*", "+@all", "-function", "-fcall");
    try {
      const { store, lane } = await opened({ url: `redis://noFunctions:pw@127.0.0.1:${proxy.port}` });
      expect((await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] })).answer).toBe("ok");
    } finally {
      await redis.client.call("ACL", "DELUSER", "noFunctions");
    }
  });

  it("refuses to open when its user may not publish, before a transition could fail half-way", async () => {
    await redis.client.call("ACL", "SETUSER", "mute", "on", ">pw", "~*", "resetchannels", "+@all");
    try {
      const store = make({ url: `redis://mute:pw@127.0.0.1:${proxy.port}` });
      expect(await codeOf(store.open())).toBe("MR_STORE_UNSAFE");
    } finally {
      await redis.client.call("ACL", "DELUSER", "mute");
    }
  });

  it("tells both numbers when a Segment has another schema", async () => {
    const { store } = await opened();
    await redis.client.hset(`{${redis.app}:s}`, "schema", "9");
    expect(await codeOf(store.counts("s"))).toBe("MR_STORE_VERSION");
    const message = await messageOf(store.openSegment("s"));
    expect(message).toContain("9");
    expect(message).toContain("needs 1");
  });

  it("does not take a Segment that was never opened for an empty one", async () => {
    const { store } = await opened();
    expect(await codeOf(store.counts("other"))).toBe("MR_NOT_FOUND");
  });

  it("applies pauses recorded for the App to Segments opened later", async () => {
    const { store } = await opened();
    await store.recordPause("mail", true);
    await store.openSegment("t");
    expect((await store.counts("t")).queues).toEqual([{ queue: "mail", ready: 0, highest: null, isPaused: true }]);
    await store.recordPause("mail", false);
    await store.openSegment("u");
    expect((await store.counts("u")).queues).toEqual([]);
    expect(await store.segments()).toEqual(["s", "t", "u"]);
  });

  it("tells who waits what became of an Operation, whichever store ended it", async () => {
    const { store, lane } = await opened();
    const other = make();
    await other.open();
    const heard: string[] = [];
    store.listen({
      bell: () => undefined,
      settled: ({ id, state, value }) => heard.push(`${id} ${state} ${Buffer.from(value).toString()}`),
      progressed: (id, value) => heard.push(`${id} ${Buffer.from(value).toString()}`),
      due: () => undefined,
      marked: () => undefined,
      restored: () => undefined,
    });
    await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    await store.find("s", { dots: [{ laneName, counter: 1 }], wait: true });
    const { claims } = await other.claim("s", { owner: "w", request: 1, queues: ["mail"], max: 1 });
    await other.progress("s", { owner: "w", elements: claims.map((claim) => ({ ...claim, value: bytes("half") })) });
    await other.complete("s", { owner: "w", retainMs: 1000, held: claims, values: [bytes("done")] });
    await poll(() => (heard.length >= 2 ? true : null), "the outcome");
    expect(heard).toEqual(["s.m3k9.101 half", "s.m3k9.101 completed done"]);
  });

  it("shows no password, neither in its URL nor in an error", async () => {
    const store = make({ url: `redis://someone:hush@127.0.0.1:${proxy.port}`, openTimeoutMs: 500 });
    const message = await messageOf(store.open());
    expect(message).toContain("someone:***@");
    expect(message).not.toContain("hush");
    expect(store.url).not.toContain("hush");
  });

  it("refuses to open on a database that does not exist", async () => {
    const store = make({ url: `redis://127.0.0.1:${proxy.port}/4711`, openTimeoutMs: 500 });
    expect(await messageOf(store.open())).toContain("DB index is out of range");
  });
});

describe("the Redis store on a server of its own", () => {
  it("regression: eviction and out of memory end in a crash loop: no new work, what is there goes on", async () => {
    await using server = await startRedis();
    const store = new RedisStore({ url: server.url, app: "a" });
    const client = plainClient(server.url);
    try {
      await store.open();
      await store.openSegment("s");
      const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
      await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
      await client.config("SET", "maxmemory", "1");
      expect(await codeOf(store.enqueue("s", { lane, laneName, first: 2, bodies: [bytes("b")] }))).toBe(
        "MR_STORE_FULL",
      );
      const { claims } = await store.claim("s", { owner: "w", request: 1, queues: ["mail"], max: 10 });
      const done = await store.complete("s", { owner: "w", retainMs: 1000, held: claims, values: [bytes("")] });
      expect(done.answers).toEqual(["ok"]);
    } finally {
      client.disconnect();
      await store.close();
    }
  });

  it("regression: eviction and out of memory end in a crash loop: a server that evicts is refused", async () => {
    await using server = await startRedis({ args: ["--maxmemory-policy", "allkeys-lru"] });
    expect(await codeOf(new RedisStore({ url: server.url, app: "a" }).open())).toBe("MR_STORE_UNSAFE");
    const client = plainClient(server.url);
    await client.config("SET", "maxmemory-policy", "noeviction");
    client.disconnect();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_, message) => warnings.push(message) };
    const store = new RedisStore({ url: server.url, app: "a", logger });
    await store.open();
    expect(store.durability).toMatchObject({ level: "memory", isChecked: true });
    expect(warnings.filter((text) => text.includes("keeps nothing on disk"))).toHaveLength(1);
    await store.close();
    const named = new RedisStore({ url: server.url, app: "a", durability: "aof" });
    expect(await codeOf(named.open())).toBe("MR_DURABILITY_UNAVAILABLE");
  });

  it("B35: goes on after the server was killed and started again", async () => {
    await using server = await startRedis({ appendonly: true, appendfsync: "always" });
    const store = new RedisStore({ url: server.url, app: "a" });
    await store.open();
    expect(store.durability).toMatchObject({ level: "fsync", isChecked: true });
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
    await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    await server.kill9();
    await server.restart();
    await within(store.ready(), "the next connection");
    expect(await store.laneOpen("s", { laneName, queue: "mail" })).toEqual({ answer: "ok", lane, accepted: 1 });
    await store.close();
  });

  it("reaches a server through its unix socket", async () => {
    await using server = await startRedis();
    const store = new RedisStore({ url: `redis+unix://${server.socket}`, app: "a" });
    await store.open();
    await store.openSegment("s");
    expect((await store.counts("s")).totals.enqueued).toBe(0);
    await store.close();
  });
});
