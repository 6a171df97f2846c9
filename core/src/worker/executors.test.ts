/** The executors of a Worker: started, bounded, asked for their health, stopped. */
import { describe, expect, it } from "vitest";
import { silentLogger } from "../base/log.js";
import { ManualClock } from "../testing/manual-clock.js";
import type { Executor } from "../workflow/executor.js";
import { Executors } from "../workflow/executor.js";
import { defineStep } from "../workflow/step.js";
import { Attempt } from "./attempt.js";
import { ExecutorHost } from "./executors.js";

function setUp(executor: Executor, fn: (input: unknown) => unknown = async (input) => input) {
  const executors = new Executors();
  executors.register("mine", executor);
  const clock = new ManualClock();
  const host = new ExecutorHost(executors.registered(), clock, silentLogger);
  const step = defineStep("one", { executor: "mine" }, fn, undefined, executors);
  const claim = { lane: 1, counter: 1, token: 1, laneName: "x.01", queue: "async", priority: 0 };
  const rest = { attempt: 1, generation: 0, recoveries: 0, body: new Uint8Array(1) };
  const attempt = () =>
    new Attempt({ log: silentLogger, note: () => undefined }, "s", { ...claim, ...rest }, step, 0, 1_000, 0, 0, 0);
  return { host, clock, step, attempt };
}

/** Lets promise callbacks run. */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

describe("F10: an executor", () => {
  it("runs at most `concurrency` calls at once, the rest in order", async () => {
    const ends: (() => void)[] = [];
    const begun: unknown[] = [];
    const { host, step, attempt } = setUp({
      concurrency: 2,
      execute: ({ input }) =>
        new Promise<void>((resolve) => {
          begun.push(input);
          ends.push(resolve);
        }),
    });
    await host.start();
    const calls = [1, 2, 3, 4].map((input) => host.call(step, input, attempt()));
    await settled();
    expect(begun).toEqual([1, 2]);
    ends[1]?.();
    await settled();
    expect(begun).toEqual([1, 2, 3]);
    for (const end of ends) end();
    await settled();
    expect(begun).toEqual([1, 2, 3, 4]);
    for (const end of ends) end();
    await Promise.all(calls);
  });

  it("does not begin a call whose Attempt was aborted while it waited", async () => {
    let end: () => void = () => undefined;
    const begun: unknown[] = [];
    const { host, step, attempt } = setUp({
      concurrency: 1,
      execute: ({ input }) =>
        new Promise<void>((resolve) => {
          begun.push(input);
          end = resolve;
        }),
    });
    await host.start();
    const first = host.call(step, 1, attempt());
    const aborted = attempt();
    const second = host.call(step, 2, aborted);
    aborted.tellAbort("cancel");
    end();
    await first;
    await expect(second).rejects.toMatchObject({ kind: "cancel" });
    expect(begun).toEqual([1]);
    const third = host.call(step, 3, attempt());
    await settled();
    expect(begun).toEqual([1, 3]);
    end();
    await third;
  });

  it("that is unwell has its Operations put aside, until it is well again", async () => {
    let isWell: unknown = true;
    const { host, clock, step, attempt } = setUp({
      execute: ({ run }) => run(),
      health: () => {
        if (isWell instanceof Error) throw isWell;
        return isWell as boolean | Promise<boolean>;
      },
    });
    await host.start();
    expect(await host.call(step, 1, attempt())).toBe(1);
    for (const unwell of [false, new Error("no answer"), new Promise<boolean>(() => undefined)]) {
      isWell = unwell;
      clock.moveTo(clock.nowMs() + 10_000);
      await settled();
      clock.moveTo(clock.nowMs() + 10_000);
      await settled();
      await expect(host.call(step, 1, attempt())).rejects.toMatchObject({ code: "MR_RETRY_AFTER", delay: 5_000 });
      if (unwell instanceof Promise) break;
      isWell = true;
      clock.moveTo(clock.nowMs() + 10_000);
      await settled();
      expect(await host.call(step, 1, attempt())).toBe(1);
    }
  });

  it("that fails to start stops the others that did", async () => {
    const calls: string[] = [];
    const executors = new Executors();
    executors.register("good", {
      start: () => void calls.push("start"),
      execute: () => 1,
      stop: () => void calls.push("stop"),
    });
    executors.register("bad", {
      start: () => {
        throw new Error("no");
      },
      execute: () => 1,
    });
    const host = new ExecutorHost(executors.registered(), new ManualClock(), silentLogger);
    await expect(host.start()).rejects.toThrow("no");
    expect(calls).toEqual(["start", "stop"]);
    await host.stop();
    expect(calls).toEqual(["start", "stop"]);
  });
});
