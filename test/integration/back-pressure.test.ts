/** Back-pressure as users meet it, on every store: a Queue that holds so many, and enqueues that wait or are refused. */
import { App, type AppOptions } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";

const places = everyPlace("full");

describe.each(places)("on $name", ({ fresh }) => {
  const apps = openApps();
  const make = (options: AppOptions): App => apps.add({ app: new App(options) }).app;

  it("F6: a full Queue refuses, input by input, and takes more once it is drained", async () => {
    const app = make({ ...(await fresh()), queueMax: 3, onQueueFull: "reject" });
    const double = app.step("double", async (n: number) => 2 * n);
    const { handles } = await app.enqueueMany(double, [1, 2, 3, 4, 5]);
    expect(handles.map((handle) => (handle instanceof Error ? "full" : "in"))).toEqual([
      "in",
      "in",
      "in",
      "full",
      "full",
    ]);
    await expect(double.enqueue(6)).rejects.toMatchObject({ code: "MR_QUEUE_FULL", retryable: true });
    expect(await double.enqueue(7, { delay: "1ms" })).toHaveProperty("id");
    await app.start();
    const [first] = handles;
    if (first === undefined || first instanceof Error) throw new Error("the first was taken");
    expect(await first.result({ timeout: "20s" })).toBe(2);
    await poll(async () => ((await app.queue("async").counts()).ready === 0 ? true : null), "the Queue is empty");
    expect(await (await double.enqueue(8)).result({ timeout: "20s" })).toBe(16);
  });

  it("F6: retries pass a full Queue while enqueues wait for room: all end, and never were more ready than it holds", async () => {
    const app = make({ ...(await fresh()), queueMax: 4, workers: { asyncWorkers: 1, slots: 1 } });
    const failedOnce = new Set<number>();
    const step = app.step("shaky", { retries: 2, retryDelay: "1ms" }, async (n: number) => {
      if (!failedOnce.has(n)) {
        failedOnce.add(n);
        throw new Error("once");
      }
      return n;
    });
    const inputs = Array.from({ length: 30 }, (_, i) => i);
    const enqueued = Promise.all(inputs.map((n) => step.enqueue(n)));
    await poll(async () => ((await app.queue("async").counts()).ready === 4 ? true : null), "the Queue is full");
    await app.start();
    const results = await app.gather(await enqueued, { timeout: "40s" });
    expect(results).toEqual(inputs);
  });
});
