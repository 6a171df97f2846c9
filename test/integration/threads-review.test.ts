/**
 * Workers whose Steps do what Steps should not: it costs them, and never the Foreman or anybody else.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";
import { poll, within } from "../helper/wait.js";
import { makeApp } from "./threads-review-app.js";

/** What Workers import: Node runs no TypeScript. */
const module = new URL("../dist/integration/threads-review-app.js", import.meta.url);

type TestSteps = ReturnType<typeof makeApp>;

const apps = openApps<TestSteps>();

async function started(): Promise<TestSteps> {
  const made = makeApp({ module, workers: { asyncWorkers: 1, blockingWorkers: 1 } });
  apps.add(made);
  await made.app.start();
  return made;
}

describe("messages of user code over the Worker's own port", () => {
  it("reach nobody from a thread", async () => {
    const { app, postFromThread, echo } = await started();
    await within((await postFromThread.enqueue(null)).result(), "the Step that posts");
    expect(await within((await echo.enqueue("alive")).result(), "another")).toBe("alive");
    expect(app.metrics()).toMatchObject({ workersLost: 0, failed: 0 });
  });

  it("reach nobody from a process", async () => {
    const { app, postFromProcess, echo } = await started();
    await within((await postFromProcess.enqueue(null)).result(), "the Step that sends");
    expect(await within((await echo.enqueue("alive")).result(), "another")).toBe("alive");
    expect(app.metrics()).toMatchObject({ workersLost: 0, failed: 0 });
  });
});

describe("a thread", () => {
  it("that hears no bell any more still finds its work", async () => {
    const { app, deaf, echo } = await started();
    await within((await deaf.enqueue(null)).result(), "the Step that closes its ears");
    expect(await within((await echo.enqueue("alive")).result(), "another")).toBe("alive");
    expect(app.metrics()).toMatchObject({ workersLost: 0, workersStarted: 3 });
  });

  it("X3: in an endless loop without a limit ends when its Operation is cancelled", async () => {
    const { app, block } = await started();
    const handle = await block.enqueue(null);
    await poll(async () => ((await handle.status()).state === "running" ? true : null), "its begin");
    expect(await handle.cancel()).toBe("requested");
    await expect(within(handle.result(), "its end")).rejects.toMatchObject({ code: "MR_OPERATION_CANCELLED" });
    expect(await handle.status()).toMatchObject({ state: "cancelled", attempt: 1 });
    expect(app.metrics()).toMatchObject({ workersStuck: 1, workersLost: 0 });
  });
});

describe("a thread that ends", () => {
  it("has told everything before: what it completed stays completed, however much was still to be read", async () => {
    const { app, chatty } = await started();
    const handle = await chatty.enqueue(20_000);
    // Nothing is read meanwhile: the thread is gone before.
    await new Promise<void>((resolve) => setTimeout(resolve, 0));
    const untilMs = performance.now() + 1_500;
    while (performance.now() < untilMs);
    expect(await within(handle.result(), "its result")).toBe("said");
    expect(await handle.status()).toMatchObject({ attempt: 1, recoveries: 0 });
    expect(app.metrics()).toMatchObject({ completed: 1, failed: 0, released: 0 });
  });

  it("of something that cannot be made a text ends alone", async () => {
    const { app, strange, echo } = await started();
    const handle = await strange.enqueue(null);
    await expect(within(handle.result(), "the Operation to fail")).rejects.toMatchObject({
      remote: { code: "MR_WORKER_LOST" },
    });
    expect(await within((await echo.enqueue("alive")).result(), "another")).toBe("alive");
    expect(app.metrics()).toMatchObject({ workersLost: 1, failed: 1 });
  });
});

describe("a process Worker in an endless loop", () => {
  it("ends when its Foreman was killed", async () => {
    const parent = spawn(process.execPath, [fileURLToPath(module), "spin"], { stdio: ["ignore", "pipe", "inherit"] });
    const ended = once(parent, "exit");
    // The Worker inherits the pipe: it ends when the last who holds it is gone.
    const closed = once(parent.stdout, "close");
    const [pid] = await within(once(createInterface({ input: parent.stdout }), "line"), "its loop", 20_000);
    parent.kill("SIGKILL");
    await within(ended, "the end of the Foreman");
    try {
      await within(closed, "the end of the Worker", 10_000);
    } catch (error) {
      process.kill(Number(pid), "SIGKILL");
      throw error;
    }
  });
});
