/** Executors of the App's own, in a Worker thread and on the program's own thread. */
import { App, type Executor } from "@millrace/core";
import { describe, expect, it } from "vitest";
import { within } from "../helper/wait.js";
import { FakeForeman } from "./fake-foreman.js";

describe("F10: in a Worker thread, an executor", () => {
  it("has started before work comes, bounds its calls, and is stopped at the end", async () => {
    await using foreman = new FakeForeman("executors", { slots: 8 });
    let printed = "";
    foreman.thread.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    const { steps } = await foreman.ready;
    expect(steps.find(({ name }) => name === "through")).toMatchObject({ kind: "async", executor: "narrow" });
    for (let counter = 1; counter <= 12; counter++) foreman.give("through", 5 + counter, counter);
    foreman.give("plain", null, 13);
    foreman.give("refused", null, 14);
    foreman.publish();
    const outcomes = await foreman.outcomes(14);
    const through = outcomes.filter(({ counter }) => counter <= 12).map(({ value }) => value);
    expect(through).toContainEqual({
      step: "through",
      input: 6,
      value: 6,
      id: "node.incarnation.101",
      isAborted: false,
      started: 1,
      mostActive: 2,
    });
    expect(through.every((value) => (value as { mostActive: number }).mostActive === 2)).toBe(true);
    expect(outcomes.find(({ counter }) => counter === 13)).toMatchObject({ value: "plain" });
    expect(outcomes.find(({ counter }) => counter === 14)).toMatchObject({ value: { message: "refused refused" } });
    foreman.stop();
    expect(await within(foreman.exited, "the end")).toBe(0);
    expect(printed).toBe("narrow stopped\n");
  });

  it("does not begin what was aborted while it waited its turn", async () => {
    await using foreman = new FakeForeman("executors", { slots: 8 });
    await foreman.ready;
    for (let counter = 1; counter <= 2; counter++) foreman.give("through", 200, counter);
    const waiting = foreman.give("through", 1, 3, { timeoutMs: 50 });
    foreman.publish();
    expect(await foreman.end(waiting)).toMatchObject({ kind: "failed", value: { code: "MR_TIMEOUT" } });
    await foreman.outcomes(3);
  });
});

describe("F10: on the program's own thread, an executor", () => {
  it("is started by start(), used, and stopped by stop()", async () => {
    const calls: string[] = [];
    const executor: Executor = {
      start: () => void calls.push("start"),
      execute: async ({ step, run }) => {
        calls.push(`execute ${step}`);
        return `<${await run()}>`;
      },
      stop: () => void calls.push("stop"),
    };
    await using app = new App({ id: "executors", store: "memory:" });
    app.executor("noting", executor);
    const step = app.step("noted", { executor: "noting" }, (n: number) => String(n));
    await app.start();
    expect(await app.run(step, 3)).toBe("<3>");
    await app.stop();
    expect(calls).toEqual(["start", "execute noted", "stop"]);
  });

  it("that does not start lets start() fail, and start() may be tried again", async () => {
    let tries = 0;
    await using app = new App({ id: "executors", store: "memory:" });
    app.executor("late", {
      start: () => {
        if (++tries === 1) throw new Error("not yet");
      },
      execute: ({ run }) => run(),
    });
    const step = app.step("late", { executor: "late" }, async () => "done");
    await expect(app.start()).rejects.toThrow("not yet");
    await app.start();
    expect(await app.run(step, null)).toBe("done");
  });
});
