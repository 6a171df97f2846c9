/** Bugs that other queues paid for where work and beats share a loop: here Workers are threads, and the Foreman beats. */
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { makeApp } from "../integration/threads-app.js";

/** What Worker threads import: Node runs no TypeScript. */
const module = new URL("../dist/integration/threads-app.js", import.meta.url);
const apps = openApps<ReturnType<typeof makeApp>>();

it("regression: a blocked loop loses its lock and its work runs twice", async () => {
  await using redis = await startRedis(); // of its own: the id of the App is its module's
  const times = { ...FOREMAN_TIMES, leaseMs: 1_800, beatMs: 200, surveyMs: 200 };
  const [one, two] = ["node-a", "node-b"].map((nodeId) => {
    const made = apps.add(makeApp({ store: redis.url, nodeId, module }));
    made.app[SETTLE_IN]({ times });
    return made;
  });
  await Promise.all([one?.app.start(), two?.app.start()]);
  // Longer than a Lease, without a turn of its thread's loop.
  const handles = [await one?.cpu.enqueue(2_600), await two?.cpu.enqueue(2_600)];
  for (const handle of handles) await handle?.result({ timeout: "15s" });
  for (const handle of handles) expect(await handle?.status()).toMatchObject({ attempt: 1, recoveries: 0 });
  for (const made of [one, two]) expect(made?.app.metrics()).toMatchObject({ rescued: 0, stale: 0 });
  await Promise.all([one?.app.close(), two?.app.close()]);
});
