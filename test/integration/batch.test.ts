/**
 * Batch Steps in real Workers, from the built package: the Foreman gathers, one Worker gets the batch, each Operation
 * ends by itself; a death in the middle of a batch costs only the one that did it.
 */
import { describe, expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { poll, within } from "../helper/wait.js";
import { type Call, makeApp } from "./batch-app.js";

/** What Workers import: Node runs no TypeScript. */
const module = new URL("../dist/integration/batch-app.js", import.meta.url);

type TestSteps = ReturnType<typeof makeApp>;
type TestStep = TestSteps["many"];

const apps = openApps<TestSteps>();

async function started(): Promise<TestSteps> {
  const made = apps.add(makeApp({ module, workers: { asyncWorkers: 2, blockingWorkers: 2, processWorkers: 1 } }));
  await made.app.start();
  return made;
}

/** Enqueues all and waits for how each ended. */
async function outcomesOf(app: TestSteps["app"], step: TestStep, inputs: readonly number[]) {
  const { handles } = await app.enqueueMany(step, inputs);
  const ends = handles.map((handle) => (handle instanceof Error ? Promise.reject(handle) : handle.wait()));
  const outcomes = await within(Promise.all(ends), "all outcomes", 20_000);
  const done = outcomes.flatMap((outcome) => (outcome.state === "completed" ? [outcome.value as Call] : []));
  const failed = outcomes.flatMap((outcome, i) => (outcome.state === "failed" ? [{ n: inputs[i], ...outcome }] : []));
  return { done, failed };
}

const range = (count: number) => Array.from({ length: count }, (_, n) => n);

describe("X15: a batch", () => {
  it("of 100 with a bad one has 99 done, in an async Worker and in a blocking one", async () => {
    const { app, many, manyBlocking } = await started();
    for (const step of [many, manyBlocking]) {
      const { done, failed } = await outcomesOf(app, step, [...range(99), -1]);
      expect(done).toHaveLength(99);
      expect(failed).toMatchObject([{ n: -1, error: { message: "bad -1" } }]);
      // One call, in one thread.
      expect(new Set(done.map(({ threadId, size }) => `${threadId} ${size}`)).size).toBe(1);
      expect(done[0]?.size).toBe(100);
    }
    expect(app.metrics()).toMatchObject({ started: 200, completed: 198, failed: 2, running: 0, gathering: 0 });
  });

  it("whose process is killed with SIGKILL runs again, all but the one that did it; what had ended does not", async () => {
    const { app, manyAlone } = await started();
    const before = await outcomesOf(app, manyAlone, range(20));
    expect(before.done.map(({ size }) => size)).toEqual(range(20).map(() => 20));
    const { done, failed } = await outcomesOf(app, manyAlone, [...range(19), 666]);
    expect(failed).toMatchObject([{ n: 666, error: { code: "MR_WORKER_LOST" } }]);
    expect(done).toHaveLength(19);
    // It cost them no Attempt.
    expect(new Set(done.map(({ attempt }) => attempt))).toEqual(new Set([1]));
    expect(app.metrics()).toMatchObject({ completed: 39, failed: 1 });
  });

  it("with an endless loop ends at its time limit; the others of it are done", async () => {
    const { app, loops } = await started();
    const { done, failed } = await outcomesOf(app, loops, [1, 666, 2]);
    expect(failed).toMatchObject([{ n: 666, error: { code: "MR_TIMEOUT" } }]);
    expect(done).toHaveLength(2);
  });

  it("that runs is handed back by a stop, and so is what is still gathered, without an Attempt", async () => {
    const { app, held } = await started();
    const { handles } = await app.enqueueMany(held, [1, 2, 3]);
    await poll(() => {
      const { running, gathering } = app.metrics();
      return running === 2 && gathering === 1 ? true : null;
    }, "a batch and a half");
    await app.stop({ drain: "50ms" });
    for (const handle of handles) {
      if (handle instanceof Error) throw handle;
      expect(await handle.status()).toMatchObject({ state: "ready", attempt: 0 });
    }
  });

  it("that is still gathered lets one that is cancelled go at once", async () => {
    const { app, held } = await started();
    const handle = await held.enqueue(1);
    await poll(() => (app.metrics().gathering === 1 ? true : null), "it to be gathered");
    await handle.cancel();
    expect(await within(handle.wait(), "its end", 3_000)).toMatchObject({ state: "cancelled" });
    expect(app.metrics().gathering).toBe(0);
  });
});
