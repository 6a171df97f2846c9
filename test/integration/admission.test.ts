/** Stores whose memory is nearly used up: new work is refused early, what is there is worked off, and all goes on. */
import { App, type Handle } from "@millrace/core";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterAll, describe, expect, it } from "vitest";
import { RedisCluster } from "../helper/cluster.js";
import { everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";

const budget = 16 * 1024 * 1024;

/** Fills a store, sees the refusal, drains it and enqueues again. */
async function fillAndDrain(app: App): Promise<void> {
  const swallow = app.step("swallow", async (_input: string) => null);
  const input = "x".repeat(64 * 1024 - 200);
  const taken: Handle<null>[] = [];
  const refusal = await poll(
    () =>
      swallow.enqueue(input).then(
        (handle) => {
          taken.push(handle);
          return null;
        },
        (error: unknown) => error,
      ),
    "the store fills",
    30_000,
  );
  expect(refusal).toMatchObject({ code: "MR_QUOTA", retryable: true });
  expect(taken.length).toBeGreaterThan(100);
  await app.start();
  for (const handle of taken) expect(await handle.result({ timeout: "30s" })).toBeNull();
  const again = await poll(() => swallow.enqueue(input).catch(() => null), "there is room again");
  expect(await again.result({ timeout: "30s" })).toBeNull();
}

describe("a store that gets full", () => {
  it("X29: the server's own bound counts where it is less, and before the server refuses", async () => {
    await using server = await startRedis({
      args: ["--maxmemory", String(budget), "--maxmemory-policy", "noeviction"],
    });
    await using app = new App({ store: server.url, memoryMax: 2 * budget, id: "full" });
    await fillAndDrain(app);
  });

  const inProcess = everyPlace("full").filter(({ isShared }) => !isShared);
  it.each(inProcess)("X29: refuses new work from 85 % on, drains, and recovers: $name", async ({ fresh }) => {
    await using app = new App({ ...(await fresh()), memoryMax: budget });
    await fillAndDrain(app);
  });

  describe("on servers of their own", () => {
    let cluster: Promise<RedisCluster> | null = null;
    afterAll(async () => await (await cluster)?.stop());

    it("X29: refuses new work from 85 % on, drains, and recovers: Redis", async () => {
      await using server = await startRedis();
      await using app = new App({ store: server.url, memoryMax: budget, id: "full" });
      await fillAndDrain(app);
    });

    it("X29: refuses new work when one server of a Cluster is at 85 %, drains, and recovers: Cluster", async () => {
      cluster = RedisCluster.start();
      await using app = new App({ store: (await cluster).url, memoryMax: budget, id: "full" });
      await fillAndDrain(app);
    });
  });
});
