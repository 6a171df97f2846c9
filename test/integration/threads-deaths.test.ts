/**
 * Worker threads that end or never end: only what did it fails, with a word why, and everything else goes on.
 */
import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { openApps } from "../helper/open-apps.js";
import { poll, within } from "../helper/wait.js";
import { makeApp } from "./threads-app.js";

/** What Worker threads import: Node runs no TypeScript. */
const module = new URL("../dist/integration/threads-app.js", import.meta.url);

type TestSteps = ReturnType<typeof makeApp>;

const apps = openApps<TestSteps>();

async function started(workers: NonNullable<Parameters<typeof makeApp>[0]>["workers"] = {}): Promise<TestSteps> {
  const made = makeApp({ module, workers });
  apps.add(made);
  await made.app.start();
  return made;
}

/** The error an Operation failed with, and how long after `sinceMs` it did. */
async function failure(handle: { result(): Promise<unknown> }, sinceMs: number) {
  const end = await within(
    handle.result().then(
      () => null,
      (error: unknown) => error,
    ),
    "the Operation to fail",
    20_000,
  );
  const { remote } = end as { remote: { code?: string; message: string; stack?: string } };
  return { ...remote, afterMs: performance.now() - sinceMs };
}

describe("an endless loop", () => {
  for (const [name, kind] of [
    ["loopBlocking", "blocking"],
    ["loopAsync", "async"],
    ["loopLater", "async"],
  ] as const) {
    it(`X3: of ${name} ends with its thread; its error names the line, others go on`, async () => {
      const { app, io, cpu, ...steps } = await started({ asyncWorkers: 2, blockingWorkers: 2 });
      const before = new Set(app.workers().map(({ id, startedAt }) => `${id} ${startedAt.getTime()}`));
      const sinceMs = performance.now();
      const handle = await steps[name].enqueue(null);
      const others = await Promise.all([
        ...Array.from({ length: 20 }, () => io.enqueue(2_500, { timeout: "1m" })),
        cpu.enqueue(100),
        cpu.enqueue(100),
      ]);
      const { code, message, stack, afterMs } = await failure(handle, sinceMs);
      expect(code).toBe("MR_TIMEOUT");
      expect(message).toContain("did not end within 2000 ms");
      expect(stack).toMatch(/threads-app\.js:\d+:\d+/);
      expect(afterMs).toBeGreaterThan(2_000);
      expectInTime(afterMs, 4_000);
      await within(app.gather(others as never), "the others to end", 20_000);
      for (const other of others) expect(await other.status()).toMatchObject({ attempt: 1, recoveries: 0 });
      await poll(
        () => (app.workers().filter((worker) => worker.state === "open").length === 4 ? true : null),
        "another Worker in its place",
      );
      const gone = app.workers().filter(({ id, startedAt }) => !before.has(`${id} ${startedAt.getTime()}`));
      expect(gone.map((worker) => worker.kind)).toEqual([kind]);
      expect(app.metrics()).toMatchObject({ workersStuck: 1, workersLost: 0, failed: 1 });
    });
  }
});

describe("B13, F9: a thread that dies", () => {
  it("of too much memory takes nobody along", async () => {
    const { app, bomb, cpu, echo } = await started({ blockingWorkers: 2, maxHeapMb: 64 });
    const sinceMs = performance.now();
    const handle = await bomb.enqueue(null);
    const others = await Promise.all(Array.from({ length: 6 }, () => cpu.enqueue(50)));
    const { code, message } = await failure(handle, sinceMs);
    expect(code).toBe("MR_WORKER_LOST");
    expect(message).toContain("out of memory");
    await app.gather(others);
    expect(await (await echo.enqueue("alive")).result()).toBe("alive");
    expect(app.metrics()).toMatchObject({ workersLost: 1, failed: 1 });
  });

  it("of process.exit fails the Operation that called it, in the end, and nobody else", async () => {
    const { app, quit, io } = await started({ asyncWorkers: 2 });
    const sinceMs = performance.now();
    const others = await Promise.all(Array.from({ length: 10 }, () => io.enqueue(700)));
    const handle = await quit.enqueue(3);
    const { code, message } = await failure(handle, sinceMs);
    expect(code).toBe("MR_WORKER_LOST");
    expect(message).toContain("process.exit(3)");
    await within(app.gather(others), "the others");
    for (const other of others) expect(await other.status()).toMatchObject({ state: "completed", attempt: 1 });
  });

  it("of an error nobody catches names that error", async () => {
    const { app, stray, io } = await started({ asyncWorkers: 1, slots: 4 });
    const sinceMs = performance.now();
    const others = await Promise.all(Array.from({ length: 3 }, () => io.enqueue(300)));
    const { code, message } = await failure(await stray.enqueue(null), sinceMs);
    expect(code).toBe("MR_WORKER_LOST");
    expect(message).toContain("uncaught TypeError: from nowhere");
    await within(app.gather(others), "the others");
    for (const other of others) expect(await other.status()).toMatchObject({ state: "completed", attempt: 1 });
  });
});

describe("many threads that die", () => {
  it("cost nobody else an Attempt", async () => {
    const { app, io, cpu, quit, stray, bomb } = await started({ asyncWorkers: 3, slots: 6, maxHeapMb: 64 });
    const innocent = [];
    const deadly = [];
    for (let round = 0; round < 4; round++) {
      for (let n = 0; n < 100; n++) innocent.push(await io.enqueue(5 + (n % 25)));
      for (let n = 0; n < 5; n++) innocent.push(await cpu.enqueue(10));
      deadly.push(await quit.enqueue(round), await stray.enqueue(null));
      if (round % 2 === 0) deadly.push(await bomb.enqueue(null));
    }
    await within(Promise.all(innocent.map((handle): Promise<unknown> => handle.result())), "the innocent", 40_000);
    for (const handle of innocent) expect(await handle.status()).toMatchObject({ attempt: 1, recoveries: 0 });
    for (const handle of deadly) {
      expect((await failure(handle, 0)).code).toBe("MR_WORKER_LOST");
    }
    expect(app.metrics()).toMatchObject({ completed: innocent.length, failed: deadly.length });
  });
});

describe("a handler that hears no abort", () => {
  it("X3: loses its Attempt; its thread is replaced and forgotten", async () => {
    const { app, deaf, echo } = await started({ asyncWorkers: 1 });
    const [first] = app.workers();
    const { code } = await failure(await deaf.enqueue(null), performance.now());
    expect(code).toBe("MR_TIMEOUT");
    await poll(() => (app.metrics().workersRecycled === 1 ? true : null), "the dirty thread to be replaced");
    await poll(
      () => (app.workers().some(({ id }) => id === first?.id) ? null : true),
      "the dirty thread to end",
      20_000,
    );
    expect(await (await echo.enqueue(1)).result()).toBe(1);
    expect(app.metrics()).toMatchObject({ workersStuck: 0, workersLost: 0 });
  });
});

describe("recycling", () => {
  it("regression: leaky Workers are kept, dying ones are forked in a storm: one that did its share is replaced", async () => {
    const { app, echo } = await started({ asyncWorkers: 2, maxOperations: 200 });
    for (let round = 0; round < 10; round++) {
      const { handles } = await app.enqueueMany(
        echo,
        Array.from({ length: 200 }, (_, n) => n),
      );
      await within(Promise.all(handles.map((handle) => handle instanceof Error || handle.result())), "the round");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(app.metrics().workersRecycled).toBeGreaterThan(0);
    expect(app.metrics()).toMatchObject({ completed: 2_000, released: 0, failed: 0, workersLost: 0 });
  });
});
