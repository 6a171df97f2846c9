/**
 * Steps in child processes, from the built package: they crash alone, are ended when they never end, ask the App like
 * any other, and leave no process behind.
 */

import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { isAlive } from "../helper/is-alive.js";
import { openApps } from "../helper/open-apps.js";
import { poll, within } from "../helper/wait.js";
import { makeAppWithProcesses } from "./threads-app.js";

/** What Worker processes import: Node runs no TypeScript. */
const module = new URL("../dist/integration/threads-app.js", import.meta.url);

type TestSteps = ReturnType<typeof makeAppWithProcesses>;

const apps = openApps<TestSteps>();

async function started(processWorkers: number): Promise<TestSteps> {
  const made = makeAppWithProcesses({ module, workers: { asyncWorkers: 1, blockingWorkers: 1, processWorkers } });
  apps.add(made);
  await made.app.start();
  return made;
}

async function failureOf(result: Promise<unknown>) {
  const error = await within(
    result.then(
      () => null,
      (thrown: unknown) => thrown,
    ),
    "the Operation to fail",
    20_000,
  );
  return (error as { remote: { code?: string; message: string } }).remote;
}

describe("B15: a process Worker", () => {
  it("runs Operations one at a time in a process of its own and ends with the App", async () => {
    const { app, alone } = await started(2);
    const handles = await Promise.all(Array.from({ length: 20 }, () => alone.enqueue(null)));
    const pids = new Set(await app.gather(handles));
    expect(pids.size).toBe(2);
    expect(pids.has(process.pid)).toBe(false);
    await app.stop();
    for (const pid of pids) await poll(() => (isAlive(pid) ? null : true), "the process to end");
  });

  it("carries large inputs, and lets a Step enqueue and wait", async () => {
    const { sizeAlone, parentAlone } = await started(1);
    expect(await (await sizeAlone.enqueue(new Uint8Array(5_000_000))).result()).toBe(5_000_000);
    expect(await (await parentAlone.enqueue(7)).result()).toBe(7);
  });

  it("regression: a failed child is back in the pool, or survives: it crashes alone, another takes its place", async () => {
    const { app, crashAlone, alone, cpu } = await started(1);
    const other = await cpu.enqueue(300);
    const remote = await failureOf((await crashAlone.enqueue(null)).result());
    expect(remote.code).toBe("MR_WORKER_LOST");
    expect(remote.message).toContain("killed by SIGSEGV");
    await other.result();
    expect(await within((await alone.enqueue(null)).result(), "the next process", 20_000)).toBeGreaterThan(0);
    expect(app.metrics()).toMatchObject({ workersLost: 1, failed: 1 });
  });

  it("X3: is killed when its Operation is past its limit and hears nothing", async () => {
    const { app, loopAlone, alone } = await started(1);
    const [pid] = await app.gather([await alone.enqueue(null)]);
    const began = performance.now();
    const remote = await failureOf((await loopAlone.enqueue(null)).result());
    expect(remote).toMatchObject({ code: "MR_TIMEOUT", message: expect.stringContaining("within 1000 ms") });
    expectInTime(performance.now() - began, 8_000);
    expect(isAlive(pid as number)).toBe(false);
  });
});
