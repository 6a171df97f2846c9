/**
 * Operations whose Foremen died twice, many of them and all innocent, as after a failover among deaths: a Foreman with
 * real threads lets in more at a time as they do no harm, instead of claiming them only to give them back.
 */
import { App } from "@millrace/core";
import type { Store } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { openApps } from "../helper/open-apps.js";
import { openStore } from "../helper/open-store.js";
import { within } from "../helper/wait.js";
import { makeApp } from "./threads-app.js";

const module = new URL("../dist/integration/threads-app.js", import.meta.url);
const apps = openApps<ReturnType<typeof makeApp>>();
const suspects = 30;
const segment = "left";
const id = "threads";

/** Claims all there is for an owner that never was, and takes it back from it. */
async function recover(store: Store, owner: string): Promise<number> {
  const { claims } = await store.claim(segment, { owner, request: 1, queues: ["async"], max: suspects });
  const { owners } = await store.counts(segment);
  const { beat = 0 } = owners.find((one) => one.owner === owner) ?? {};
  const { rescued } = await store.rescue(segment, {
    ...{ owner, beat, max: suspects, recoveriesMax: 3, retainMs: 60_000, poison: new Uint8Array(1) },
  });
  return Math.min(rescued, claims.length);
}

describe("many suspects", () => {
  it("X8: thirty of 100 ms end within a few rounds, each claimed a few times", async () => {
    // Threads import an App of one name: it has a server of its own.
    await using redis = await startRedis();
    await using client = new App({ id, store: redis.url, nodeId: segment });
    const wait = client.step("io", async (_: number) => null);
    const handles = await Promise.all(Array.from({ length: suspects }, () => wait.enqueue(100)));
    const store = await openStore(redis.url, id);
    await store.openSegment(segment);
    for (const owner of ["first", "second"]) expect(await recover(store, owner)).toBe(suspects);
    await store.close();
    const options = { id, store: redis.url, nodeId: "here", workers: { asyncWorkers: 2, slots: 8 } };
    const { app } = apps.add(makeApp({ module, ...options }));
    await app.start();
    const sinceMs = performance.now();
    await within(Promise.all(handles.map((handle) => handle.result())), "all suspects", 20_000);
    const tookMs = performance.now() - sinceMs;
    const { claimed, released } = app.metrics();
    expect(await handles[0]?.status()).toMatchObject({ attempt: 1, recoveries: 2 });
    // One at a time it took 5 s, and 300 claims that were given back.
    expectInTime(tookMs, 2_500);
    expect(released).toBeLessThan(160);
    expect(claimed).toBe(suspects + released);
  }, 40_000);
});
