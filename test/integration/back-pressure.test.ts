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

  it("F6: Steps that enqueue into their own full Queue do not wait for the slot they hold", async () => {
    const app = make({ ...(await fresh()), queueMax: 2, workers: { asyncWorkers: 1, slots: 2 } });
    const leaves: number[] = [];
    const step = app.step("tree", async (depth: number): Promise<number> => {
      if (depth === 0) return leaves.push(depth);
      await Promise.all([step.enqueue(depth - 1), step.enqueue(depth - 1)]);
      return depth;
    });
    const many = app.batchStep("trees", { batch: { maxSize: 2, wait: "5ms" } }, async (depths: readonly number[]) => {
      for (const depth of depths) await step.enqueue(depth);
      return depths;
    });
    const enqueued = Promise.all([...[3, 3, 3].map((depth) => step.enqueue(depth)), many.enqueue(2), many.enqueue(2)]);
    await app.start();
    await enqueued;
    await poll(async () => (leaves.length === 3 * 8 + 2 * 4 ? true : null), "all leaves ran");
  });
});
