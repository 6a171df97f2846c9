/**
 * Steps in real Worker threads, from the built package: kinds run apart, slots are kept, what threads ask the App is
 * answered, the mix changes live, a stop gives back what has not begun.
 */
import { FOREMAN_VIEW, type Mix } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { openApps } from "../helper/open-apps.js";
import { poll, within } from "../helper/wait.js";
import { makeApp, type Run } from "./threads-app.js";

/** What Worker threads import: Node runs no TypeScript. */
const module = new URL("../dist/integration/threads-app.js", import.meta.url);

type TestSteps = ReturnType<typeof makeApp>;

const apps = openApps<TestSteps>();

function appUnderTest(options: Parameters<typeof makeApp>[0] = {}): TestSteps {
  return apps.add(makeApp({ module, ...options }));
}

/** Enqueues so many and waits for all. */
async function run(app: TestSteps["app"], step: TestSteps["echo"], count: number): Promise<void> {
  const { handles } = await app.enqueueMany(
    step,
    Array.from({ length: count }, (_, n) => n),
  );
  await Promise.all(handles.map((handle) => (handle instanceof Error ? Promise.reject(handle) : handle.result())));
}

/** Changes the mix as the optimiser does. */
async function setMix(app: TestSteps["app"], mix: Mix): Promise<void> {
  const { foreman } = await app[FOREMAN_VIEW]();
  foreman()?.applyMix(mix);
}

/** Nearest-rank percentile. */
function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN;
}

describe("kinds of Workers", () => {
  it("F2: a Step taken out is not run by the threads, though their module declares it", async () => {
    const { app, echo, where } = appUnderTest();
    await app.queue("async").pause();
    const handle = await echo.enqueue("waits");
    await app.start();
    await app.registry.unregister("echo", { force: true });
    await app.queue("async").resume();
    await (await where.enqueue(null)).result({ timeout: "10s" });
    const status = await poll(async () => {
      const seen = await handle.status();
      return seen.state === "scheduled" ? seen : null;
    }, "the Operation put aside");
    expect(status).toMatchObject({ step: "echo", attempt: 0 });
    await expect(echo.enqueue("refused")).rejects.toMatchObject({ code: "MR_UNKNOWN_TARGET" });
  });

  it("B2, B15, F9: two blocking Workers take four CPU Operations in two rounds and hold no I/O up", async () => {
    const { app, cpu, io } = appUnderTest();
    await app.start();
    // The first of each is slower than the rest: code is compiled then.
    await app.gather(await Promise.all([cpu.enqueue(5), cpu.enqueue(5)]));
    await app.gather(await Promise.all(Array.from({ length: 40 }, () => io.enqueue(1))));
    const heavy = await Promise.all([1, 2, 3, 4].map(() => cpu.enqueue(300)));
    const light: { enqueuedMs: number; run: Promise<Run> }[] = [];
    const late: number[] = [];
    for (let i = 0; i < 100; i++) {
      const enqueuedMs = performance.timeOrigin + performance.now();
      const handle = await io.enqueue(2);
      light.push({ enqueuedMs, run: handle.result() });
      const sinceMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 2));
      late.push(performance.now() - sinceMs - 2);
    }
    // A machine that is busy with other things lets every thread wait, also this one, which only sets timers.
    const noiseMs = percentile(late, 0.99);
    const spareMs = noiseMs < 5 ? 0 : 3 * noiseMs;
    const runs = await app.gather(heavy);
    const tookMs = Math.max(...runs.map((run) => run.endedMs)) - Math.min(...runs.map((run) => run.beganMs));
    expect(new Set(runs.map((run) => run.threadId)).size).toBe(2);
    expect(tookMs).toBeGreaterThan(600);
    expectInTime(tookMs, 750 + spareMs);
    const waits = await Promise.all(light.map(async ({ enqueuedMs, run }) => (await run).beganMs - enqueuedMs));
    expectInTime(percentile(waits, 0.99), 20 + spareMs);
  });

  it("starts only the kinds its Steps need and says what each Worker does", async () => {
    const { app, patient } = appUnderTest({ workers: { asyncWorkers: 2, blockingWorkers: 1 } });
    await app.start();
    expect(app.workers().map(({ id, kind, state, slots }) => ({ id, kind, state, slots }))).toEqual([
      { id: "async-1", kind: "async", state: "open", slots: 8 },
      { id: "async-2", kind: "async", state: "open", slots: 8 },
      { id: "blocking-1", kind: "blocking", state: "open", slots: 1 },
    ]);
    await patient.enqueue(null);
    await poll(() => app.workers().find((worker) => worker.running === 1) ?? null, "the Operation to run");
  });

  it("B14, F8: an async Worker runs as many Attempts at once as it has slots, and no more", async () => {
    const { app, peak } = appUnderTest({ workers: { asyncWorkers: 1, slots: 7 } });
    await app.start();
    const handles = await Promise.all(Array.from({ length: 60 }, () => peak.enqueue(5)));
    expect(Math.max(...(await app.gather(handles)))).toBe(7);
  });

  it("B2: a user's Queue may hold Steps of both kinds", async () => {
    const { app, echo, cpu } = appUnderTest();
    await app.start();
    const mixed = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        i % 2 === 0 ? echo.enqueue(i, { queue: "blocking" }) : cpu.enqueue(1, { queue: "async" }),
      ),
    );
    const results = await within(Promise.all(mixed.map((handle) => handle.result() as Promise<unknown>)), "all to end");
    expect(results.filter((result) => typeof result === "number")).toHaveLength(20);
  });
});

describe("what travels the rings", () => {
  it("carries payloads and results larger than a ring", async () => {
    const { app, size } = appUnderTest({ workers: { asyncWorkers: 2 } });
    await app.start();
    const inputs = [3_000_000, 100, 5_000_001, 1].map((length) => new Uint8Array(length).fill(length % 251));
    const handles = await Promise.all(inputs.map((input) => size.enqueue(input)));
    const results = await app.gather(handles);
    for (const [i, result] of results.entries()) {
      expect(
        Buffer.compare(
          result,
          (inputs[i] as Uint8Array).map((byte) => byte ^ 1),
        ),
      ).toBe(0);
    }
  });

  it("lets a Step enqueue another and wait for it", async () => {
    const { app, parent } = appUnderTest();
    await app.start();
    const handles = await Promise.all(Array.from({ length: 20 }, (_, n) => parent.enqueue(n)));
    expect(await app.gather(handles)).toEqual(Array.from({ length: 20 }, (_, n) => n));
  });

  it("X3: brings a cancel to the thread where the Operation runs", async () => {
    const { app, patient } = appUnderTest();
    await app.start();
    const handle = await patient.enqueue(null);
    await poll(async () => ((await handle.status()).state === "running" ? true : null), "the Operation to run");
    await poll(() => (app.workers().some((worker) => worker.running > 0) ? true : null), "it to reach its thread");
    await handle.cancel({ reason: "not needed" });
    await within(expect(handle.result()).rejects.toMatchObject({ code: "MR_OPERATION_CANCELLED" }), "the cancel");
  });
});

describe("the mix", () => {
  it("slow Operations do not hold up what was given after them", async () => {
    const { app, io, echo } = appUnderTest({ workers: { asyncWorkers: 2, slots: 1 } });
    await app.start();
    // Short ones first: now Workers are given work ahead.
    await run(app, echo, 2_000);
    const slow = await io.enqueue(1_500);
    const began = performance.now();
    await run(app, echo, 500);
    expectInTime(performance.now() - began, 1_000);
    await slow.result();
  });
});

describe("a change of the mix", () => {
  it("B16: from 4 to 16 slots and back takes effect in the same threads", async () => {
    const made = appUnderTest({ workers: { asyncWorkers: 1, slots: 4, autoOptimize: false } });
    const { app, peak } = made;
    await app.start();
    const [before] = app.workers();
    const peakOf = async () => {
      const handles = await Promise.all(Array.from({ length: 60 }, () => peak.enqueue(5)));
      return Math.max(...(await app.gather(handles)));
    };
    expect(await peakOf()).toBe(4);
    await setMix(app, { blocking: 2, async: 1, slots: 16 });
    expect(await peakOf()).toBe(16);
    await setMix(app, { blocking: 1, async: 1, slots: 3 });
    await peakOf(); // what was given to more slots ends
    expect(await peakOf()).toBe(3);
    expect(app.workers().find((worker) => worker.kind === "async")?.startedAt).toEqual(before?.startedAt);
    await poll(() => (app.workers().length === 2 ? true : null), "one blocking Worker to end");
  });
});

describe("a stop", () => {
  it("lets running work finish, gives back what has not begun, in order", async () => {
    const { app, io } = appUnderTest({ workers: { asyncWorkers: 2, slots: 2 } });
    await app.start();
    const handles = await Promise.all(Array.from({ length: 40 }, () => io.enqueue(300)));
    await poll(() => (app.metrics().started >= 4 ? true : null), "the first to begin");
    const report = await app.stop();
    expect(report.isForced).toBe(false);
    const states = await Promise.all(handles.map((handle) => handle.status()));
    const done = states.filter(({ state }) => state === "completed").length;
    expect(done).toBeGreaterThanOrEqual(4);
    expect(states.map(({ state }) => state)).toEqual([
      ...Array.from({ length: done }, () => "completed"),
      ...Array.from({ length: 40 - done }, () => "ready"),
    ]);
    const left: string[] = [];
    for await (const one of app.queue("async").ready()) left.push(one.id);
    expect(left).toEqual(handles.slice(done).map((handle) => handle.id));
    expect(states.every(({ attempt }) => attempt <= 1)).toBe(true);
    expect(app.workers()).toEqual([]);
  });

  it("asked again without patience, ends at once and releases what still ran", async () => {
    const { app, patient } = appUnderTest();
    await app.start();
    const handle = await patient.enqueue(null);
    await poll(() => (app.metrics().started === 1 ? true : null), "it to begin");
    const first = app.stop({ drain: "10m" });
    const began = performance.now();
    const second = await within(app.stop({ drain: 0 }), "the hurried stop");
    expectInTime(performance.now() - began, 5_000);
    expect(await first).toEqual(second);
    expect(second).toEqual({ released: 1, isForced: true });
    expect(await handle.status()).toMatchObject({ state: "ready", attempt: 0, recoveries: 0 });
  });

  it("ends a thread that hears nothing and releases its Operation unharmed", async () => {
    const { app, cpu } = appUnderTest({ workers: { blockingWorkers: 1 } });
    await app.start();
    const handle = await cpu.enqueue(60_000);
    await poll(() => (app.metrics().started === 1 ? true : null), "it to begin");
    const report = await within(app.stop({ drain: 200 }), "the stop");
    expect(report).toEqual({ released: 1, isForced: true });
    expect(await handle.status()).toMatchObject({ state: "ready", attempt: 0, recoveries: 0 });
  });

  it("starts again after it", async () => {
    const { app, echo } = appUnderTest();
    await app.start();
    await app.stop();
    await app.start();
    expect(await (await echo.enqueue("again")).result()).toBe("again");
  });
});
