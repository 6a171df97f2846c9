/** The Redis store behind Sentinels: real servers, real Sentinels, primaries that are killed, stopped and demoted. */
import { isMillraceError } from "@millrace/core";
import { RedisStore, type RestoredCause } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterEach, describe, expect, it } from "vitest";
import { bytes } from "../helper/bytes.js";
import { expectInTime } from "../helper/in-time.js";
import { plainClient } from "../helper/redis.js";
import { SentinelGroup } from "../helper/sentinel.js";
import { poll, within } from "../helper/wait.js";

const laneName = "m3k9.01";
const openStores: RedisStore[] = [];

function make(url: string, callTimeoutMs = 10_000): { store: RedisStore; causes: RestoredCause[] } {
  const store = new RedisStore({ url, app: "mill", callTimeoutMs });
  openStores.push(store);
  const causes: RestoredCause[] = [];
  const ignore = (): void => undefined;
  const listener = { bell: ignore, settled: ignore, progressed: ignore, due: ignore, marked: ignore };
  store.listen({ ...listener, restored: (_, cause) => causes.push(cause) });
  return { store, causes };
}

/** Enqueues one more until it is acknowledged; the milliseconds that took. */
async function enqueueUntilAnswered(store: RedisStore, lane: number, first: number): Promise<number> {
  const sinceMs = performance.now();
  await poll(
    async () => {
      try {
        return await store.enqueue("s", { lane, laneName, first, bodies: [bytes("a")] });
      } catch (error) {
        if (!isMillraceError(error)) throw error;
        return null;
      }
    },
    "an acknowledgement",
    20_000,
  );
  return performance.now() - sinceMs;
}

function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(
    () => "resolved",
    (error: unknown) => (isMillraceError(error) ? `${error.code} ${error.message}` : String(error)),
  );
}

afterEach(async () => {
  for (const store of openStores.splice(0)) await store.close();
});

describe("a store behind Sentinels", () => {
  it("X1: is found through them, and follows them to another primary when its own is killed or stands still", async () => {
    await using group = await SentinelGroup.start({
      ...{ servers: 3, sentinels: 3, password: "pw1", sentinelPassword: "pw2" },
    });
    const { store, causes } = make(group.url);
    await within(store.open(), "the opening");
    expect(store.url).not.toContain("pw1");
    expect(store.url).not.toContain("pw2");
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
    for (const [n, how] of (["kill", "stop"] as const).entries()) {
      await store.enqueue("s", { lane, laneName, first: 2 * n + 1, bodies: [bytes("a")] });
      await group.settled();
      const old = await group.hurt(how);
      const answering = enqueueUntilAnswered(store, lane, 2 * n + 2);
      const port = await group.replaced(old);
      const answersMs = performance.now();
      await answering;
      expectInTime(performance.now() - answersMs, 3_000);
      expect(await group.on(port, (client) => client.llen("{mill:s}:r:mail"))).toBe(2 * n + 2);
      await poll(() => (causes.includes("failover") ? true : null), "the cause");
      causes.length = 0;
      await group.heal(old);
    }
  });

  it("says at once that the Sentinels do not know a name, and in the end that none answers", async () => {
    await using group = await SentinelGroup.start({ servers: 1, sentinels: 1 });
    const stranger = make(group.url.replace("/mill/", "/nobody/"));
    expect(await codeOf(stranger.store.open())).toMatch(/^MR_STORE_URL .*know no primary called nobody/);
    const port = new URL(group.url.replace("redis-sentinel", "redis")).port;
    await group.stop();
    const store = new RedisStore({ url: `redis-sentinel://127.0.0.1:${port}/mill`, app: "mill", openTimeoutMs: 300 });
    openStores.push(store);
    expect(await codeOf(store.open())).toMatch(/^MR_STORE_UNAVAILABLE .*no Sentinel tells where the primary is/);
  });
});

describe("a server that is made a replica", () => {
  it("X1: is left within a second or so, and used again once it is a primary", async () => {
    await using redis = await startRedis();
    await using other = await startRedis();
    const client = plainClient(redis.url);
    try {
      const { store } = make(redis.url);
      await within(store.open(), "the opening");
      await store.openSegment("s");
      await client.replicaof("127.0.0.1", other.port);
      await poll(
        async () => ((await codeOf(store.counts("s"))).includes("replica") ? true : null),
        "the leaving of the replica",
        2_500,
      );
      await client.replicaof("NO", "ONE");
      await within(store.ready(), "the return");
      await store.openSegment("s");
    } finally {
      client.disconnect();
    }
  });
});
