/** Delays, Leases and limits that last longer than each other. Leases are as short here as they can be. */
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { openStore } from "../helper/open-store.js";
import type { Place } from "../helper/places.js";
import { WALL_SLACK_MS } from "../helper/wall-slack.js";
import { stage } from "../rows/stage.js";

const times = { ...FOREMAN_TIMES, leaseMs: 1_800, beatMs: 200, surveyMs: 200 };

/** Declares them on one kind of store. */
export function timeRegressions({ fresh, isShared }: Place): void {
  const open = stage();

  it("regression: delayed work is late", async () => {
    const app = open(await fresh());
    // Nobody comes by to look: the clock of the next due time alone brings it.
    app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, surveyMs: 3_600_000 } });
    const work = app.step("work", async () => Date.now());
    await app.start();
    const delays = [250, 60, 150, 61, 300];
    const from = Date.now();
    const handles = await Promise.all(delays.map((delay) => work.enqueue(null, { delay })));
    const ends = await app.gather(handles, { timeout: "5s" });
    for (const [index, delay] of delays.entries()) {
      const lateMs = (ends[index] ?? 0) - from - delay;
      expect(lateMs).toBeGreaterThanOrEqual(-WALL_SLACK_MS);
      expectInTime(lateMs, 400);
    }
  });

  it.runIf(isShared)("regression: a delay beyond the Lease loops", async () => {
    const options = await fresh();
    const apps = ["a", "b"].map((nodeId) => open({ ...options, nodeId }));
    const ran: string[] = [];
    const steps = apps.map((app) => {
      app[SETTLE_IN]({ times });
      return {
        later: app.step("later", { retries: 1, retryDelay: "2s" }, async (name: string, { attempt }) => {
          ran.push(`${name} ${attempt}`);
          if (name === "retried" && attempt === 1) throw new Error("told to");
        }),
      };
    });
    await Promise.all(apps.map((app) => app.start()));
    const [step] = steps;
    const delayed = await step?.later.enqueue("delayed", { delay: "2s" });
    const retried = await step?.later.enqueue("retried");
    await Promise.all([delayed, retried].map((handle) => handle?.wait({ timeout: "10s" })));
    expect(ran.toSorted()).toEqual(["delayed 1", "retried 1", "retried 2"]);
    expect(apps.map((app) => app.metrics().rescued)).toEqual([0, 0]);
  });

  it.runIf(isShared)("regression: the beat starts after the wait for a limit", async () => {
    const options = await fresh();
    const apps = ["a", "b"].map((nodeId) => open({ ...options, nodeId }));
    const ran: string[] = [];
    const steps = apps.map((app) => {
      app[SETTLE_IN]({ times });
      return app.step("work", { concurrency: 1 }, async (ms: number, { attempt }) => {
        ran.push(`${ms} ${attempt}`);
        await new Promise((resolve) => setTimeout(resolve, ms)); // longer than a Lease: the next one waits for it
      });
    });
    await Promise.all(apps.map((app) => app.start()));
    const handles = [];
    for (const [index, ms] of [2_000, 1, 2].entries()) handles.push(await steps[index % 2]?.enqueue(ms));
    await Promise.all(handles.map((handle) => handle?.result({ timeout: "10s" })));
    expect(ran).toEqual(["2000 1", "1 1", "2 1"]);
    expect(apps.map((app) => app.metrics().rescued)).toEqual([0, 0]);
  });

  it.runIf(isShared)("regression: running without a Lease for ever", async () => {
    const options = { ...(await fresh()), nodeId: "web-1" };
    const app = open(options);
    app[SETTLE_IN]({ times });
    const work = app.step("work", async () => "after all");
    const handle = await work.enqueue(null);
    // Claimed by somebody who is in no list of Nodes and never beats; and by nobody else, so that nothing rings.
    const store = await openStore(options.store ?? "", options.id ?? "");
    await store.claim("web-1", { owner: "nobody", request: 1, queues: ["async"], max: 1 });
    await store.close();
    expect((await handle.status()).state).toBe("running");
    await app.start();
    expect(await handle.result({ timeout: "5s" })).toBe("after all");
    expect(app.metrics().rescued).toBe(1);
  });
}
