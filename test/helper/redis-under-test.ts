/**
 * A Redis store in its test build: the time of each Segment is a key, which we set; its state is read key by key.
 */
import { RedisStore } from "@millrace/core/internal";
import type { Redis } from "ioredis";
import type { StoreUnderTest } from "../conformance/store/scene.js";
import { canonicalSnapshot } from "../sim/canonical.js";
import { redisSnapshot } from "../sim/redis-snapshot.js";

/** Where the store is, and a plain client that goes there without detours. */
export interface RedisUnderTestOptions {
  readonly url: string;
  readonly app: string;
  readonly client: Redis;
  readonly scripting?: "functions" | "scripts";
}

export interface RedisUnderTest extends StoreUnderTest {
  readonly store: RedisStore;
}

/** When every such store begins: in the middle of an id-memory window. */
const startMs = Date.UTC(2026, 0, 1, 9);

/** Opens a store whose clock stands still until it is moved. */
export async function redisUnderTest({ url, app, client, scripting }: RedisUnderTestOptions): Promise<RedisUnderTest> {
  const store = new RedisStore({ url, app, test: true, ...(scripting === undefined ? {} : { scripting }) });
  await store.open();
  let nowMs = startMs;
  return {
    store,
    advance: async (ms) => {
      nowMs += ms;
      const segments = await client.smembers(`{${app}}:segments`);
      // One by one: in a Cluster they lie on several servers.
      await Promise.all(segments.map((segment) => client.set(clockKey(app, segment), String(nowMs * 1000))));
    },
    snapshot: async (segment) => canonicalSnapshot((await redisSnapshot(client, rootOf(app, segment))).snapshot),
    close: () => store.close(),
  };
}

/** The root key of a Segment. */
export function rootOf(app: string, segment: string): string {
  return `{${app}:${segment}}`;
}

/** The key the test build reads the time from, in microseconds. */
export function clockKey(app: string, segment: string): string {
  return `${rootOf(app, segment)}:clock`;
}
