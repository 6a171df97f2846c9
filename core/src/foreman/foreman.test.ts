/** A Foreman whose store goes away and comes back: nothing stays stuck, nothing waits for ever. */
import { afterEach, expect, it } from "vitest";
import { App, SETTLE_IN } from "../app.js";
import type { Clock } from "../base/clock.js";
import { createError } from "../base/errors.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import { ManualClock } from "../testing/manual-clock.js";

const METHODS = [
  "segments",
  "claim",
  "extend",
  "complete",
  "fail",
  "release",
  "promote",
  "rescue",
  "prune",
  "counts",
] as const;
const apps: { app: App; clock: ManualClock }[] = [];

/** Lets everything that is under way happen. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 8; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Moves time in steps small enough that work between timers gets its turn. */
async function pass(clock: ManualClock, ms: number): Promise<void> {
  const endMs = clock.nowMs() + ms;
  await turns();
  for (let nextMs = clock.nextMs; nextMs !== null && nextMs <= endMs; nextMs = clock.nextMs) {
    clock.moveTo(nextMs);
    await turns();
  }
  clock.moveTo(endMs);
  await turns();
}

/** Claims that no test comes near: beyond it they are not answered, so that who goes round in claims stands still. */
const CLAIMS_MAX = 2_000;

function setUp() {
  const clock = new ManualClock();
  /** Milliseconds that have passed without a turn for any timer. */
  const stall = { ms: 0 };
  let claims = 0;
  const away = { isAway: false, isSilent: false, back: (): void => undefined };
  let isBack = Promise.resolve();
  const app = new App({ store: "memory:", nodeId: "n" });
  apps.push({ app, clock });
  const stalling: Clock = {
    nowMs: () => clock.nowMs() + stall.ms,
    monotonicMs: () => clock.monotonicMs() + stall.ms,
    setTimer: (ms, fn) => clock.setTimer(ms, fn),
    immediate: (fn) => clock.immediate(fn),
  };
  app[SETTLE_IN]({
    clock: stalling,
    makeStore: async () => {
      const store = new MemoryStore({ app: "default", clock: stalling });
      for (const name of METHODS) {
        const call = store[name].bind(store) as (...args: unknown[]) => Promise<unknown>;
        const shaky = async (...args: unknown[]) => {
          if (name === "claim" && ++claims > CLAIMS_MAX) await new Promise(() => undefined);
          if (away.isSilent) await isBack;
          if (away.isAway) throw createError("MR_STORE_UNAVAILABLE", { store: "memory:", reason: "it was told to" });
          return await call(...args);
        };
        Object.assign(store, { [name]: shaky });
      }
      const ready = store.ready.bind(store);
      store.ready = async () => {
        if (away.isAway) await isBack;
        await ready();
      };
      return store;
    },
  });
  const leave = (isSilent: boolean) => {
    isBack = new Promise((resolve) => {
      away.back = () => {
        away.isAway = false;
        away.isSilent = false;
        resolve();
      };
    });
    away.isAway = !isSilent;
    away.isSilent = isSilent;
  };
  return { app, clock, stall, leave, back: () => away.back() };
}

afterEach(async () => {
  for (const { app, clock } of apps.splice(0)) {
    const closing = app.close();
    await pass(clock, 120_000);
    await closing;
  }
});

it("B36: starts although the store goes away at its first look", async () => {
  const { app, clock, leave, back } = setUp();
  const echo = app.step("echo", async (text: string) => text);
  const handle = await echo.enqueue("there");
  leave(false);
  const starting = app.start();
  await pass(clock, 2_000);
  back();
  await pass(clock, 3_000);
  await starting;
  await pass(clock, 1_000);
  expect((await handle.status()).state).toBe("completed");
});

it("runs again what it gave up while the store was away for longer than a Lease", async () => {
  const { app, clock, leave, back } = setUp();
  const attempts: number[] = [];
  const long = app.step("long", { killGrace: 0 }, async (_: null, { attempt, abort }) => {
    attempts.push(attempt);
    if (attempts.length > 1) return "done";
    return await new Promise<never>((_resolve, reject) => abort.addEventListener("abort", () => reject(abort.reason)));
  });
  await app.start();
  const handle = await long.enqueue(null);
  await pass(clock, 4_000);
  leave(false);
  await pass(clock, 15_000);
  back();
  await pass(clock, 15_000);
  expect((await handle.status()).state).toBe("completed");
  expect(attempts).toEqual([1, 1]);
});

for (const isSilent of [false, true]) {
  it(`tells its work to end before a Lease is over if the store ${isSilent ? "is silent" : "refuses"}`, async () => {
    const { app, clock, leave, back } = setUp();
    let toldAfterMs = Number.POSITIVE_INFINITY;
    const startMs = clock.monotonicMs();
    const long = app.step("long", async (_: null, { abort }) => {
      await new Promise<void>((resolve) => abort.addEventListener("abort", () => resolve()));
      toldAfterMs = clock.monotonicMs() - startMs;
    });
    await app.start();
    await long.enqueue(null);
    await turns();
    leave(isSilent);
    await pass(clock, 20_000);
    expect(toldAfterMs).toBeLessThan(10_000);
    back();
  });

  it(`stops although the store ${isSilent ? "is silent" : "refuses"}`, async () => {
    const { app, clock, leave, back } = setUp();
    const quick = app.step("quick", async (n: number) => n);
    await app.start();
    await turns();
    leave(isSilent);
    await quick.enqueue(1); // its bell makes a claim
    await turns();
    let isStopped = false;
    const stopping = app.stop({ drain: 0 }).then(() => {
      isStopped = true;
    });
    await pass(clock, 60_000);
    expect(isStopped).toBe(true);
    await stopping;
    back();
    await pass(clock, 5_000);
    // The claim's late reply starts nothing here: the work goes back.
    expect(app.metrics().started).toBe(0);
  });
}

it("goes on after a Step that blocked its thread for longer than a Lease", async () => {
  const { app, clock, stall } = setUp();
  const step = app.step("step", async (n: number) => {
    if (n === 1) stall.ms += 15_000;
    return n;
  });
  await app.start();
  const handles = await Promise.all(Array.from({ length: 2_000 }, (_, n) => step.enqueue(n)));
  await pass(clock, 100);
  const { claimCalls, completed } = app.metrics();
  expect({ completed }).toEqual({ completed: handles.length });
  expect(claimCalls).toBeLessThan(100);
});

it("leaves work alone that began after a stop and a later start", async () => {
  const { app, clock } = setUp();
  const aborts: string[] = [];
  let end: () => void = () => undefined;
  const long = app.step("long", async (_: null, { abort }) => {
    abort.addEventListener("abort", () => aborts.push(String(abort.reason)));
    await new Promise<void>((resolve) => {
      end = resolve;
    });
  });
  await app.start();
  const first = await long.enqueue(null);
  await pass(clock, 4_000);
  end();
  await first.result();
  await app.stop();
  await pass(clock, 60_000);
  await app.start();
  const second = await long.enqueue(null);
  await pass(clock, 4_000);
  end();
  await second.result();
  expect(aborts).toEqual([]);
});

it("a start asked for right after a stop starts", async () => {
  const { app } = setUp();
  app.step("quick", async (n: number) => n);
  await app.start();
  const stopping = app.stop();
  await app.start();
  await stopping;
  expect(app.state).toBe("started");
});
