/** B27: Queues of one App while one of them is never empty, on every store. */
import { App, type Step } from "@millrace/core";
import { afterEach, describe, expect, it } from "vitest";
import { closeAll, everyPlace } from "../helper/places.js";

const places = everyPlace("queue-turns");
/** More than one claim takes. */
const waiting = 1_500;

describe.each(places)("two Queues on $name", ({ fresh }) => {
  const open: App[] = [];
  afterEach(async () => await closeAll(open));

  it("B27: what waits in the second begins although the first, declared before it, is never empty", async () => {
    const app = new App({ ...(await fresh()), nodeId: "web-1", workers: { asyncWorkers: 1, slots: 4 } });
    open.push(app);
    let isOver = false;
    // Each sees to it that as many wait behind it as before.
    const flood: Step<null, void> = app.step("flood", { queue: "first" }, async () => {
      if (!isOver) await flood.enqueue(null);
    });
    const other = app.step("other", { queue: "second" }, async () => null);
    await app.enqueueMany(flood, Array<null>(waiting).fill(null));
    await app.start();
    const handles = await Promise.all(Array.from({ length: 20 }, () => other.enqueue(null)));
    const waits = await Promise.allSettled(handles.map((handle) => handle.result({ timeout: "5s" })));
    isOver = true;
    expect(waits.filter(({ status }) => status === "fulfilled")).toHaveLength(20);
    expect((await app.inspect.fsck().done()).found).toBe(0);
  }, 20_000);

  it("B27: what `workers.queues` names first goes first", async () => {
    const workers = { asyncWorkers: 1, slots: 1, queues: ["second", "first"] };
    const app = new App({ ...(await fresh()), nodeId: "web-1", workers });
    open.push(app);
    const began: string[] = [];
    const run = async (name: string): Promise<void> => void began.push(name);
    const steps = [app.step("one", { queue: "first" }, run), app.step("two", { queue: "second" }, run)];
    const handles = [];
    for (const [i, step] of steps.entries()) {
      for (let n = 0; n < 8; n++) handles.push(await step.enqueue(String(i)));
    }
    await app.start();
    await Promise.all(handles.map((handle) => handle.result({ timeout: "10s" })));
    expect(began.join("")).toBe("1".repeat(8) + "0".repeat(8));
  }, 20_000);
});
