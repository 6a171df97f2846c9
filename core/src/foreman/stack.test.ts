/** The stack of real threads that are busy, of one that is not, and that each can be ended afterwards. */
import { Worker } from "node:worker_threads";
import { afterEach, expect, it } from "vitest";
import { systemClock } from "../base/clock.js";
import { captureStack } from "./stack.js";

const workers: Worker[] = [];

afterEach(async () => {
  await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
});

/** A thread that reports and then runs this code. */
async function threadWith(code: string): Promise<Worker> {
  const worker = new Worker(`require("node:worker_threads").parentPort.postMessage("up");\n${code}`, { eval: true });
  workers.push(worker);
  await new Promise((resolve) => worker.once("message", resolve));
  return worker;
}

for (const [name, code, expected] of [
  ["an endless loop", "function spin() {\n  for (;;);\n}\nsetTimeout(spin, 5);", /at spin \(\[worker eval\]:3:\d+\)/],
  [
    "promises without end",
    "async function turn() {\n  for (let i = 0; ; i++) if (i % 1e6 === 0) await null;\n}\nturn();",
    /at turn \(\[worker eval\]:3:\d+\)/,
  ],
  [
    "a regular expression",
    'setTimeout(function search() {\n  /^(a+)+$/.test("a".repeat(50) + "b");\n}, 5);',
    /at search \(/,
  ],
] as const) {
  it(`shows the line of ${name}, and the thread can be ended`, async () => {
    const worker = await threadWith(code);
    // Until it is in the loop, what it shows is how it came there.
    let stack: string | null = null;
    for (let look = 0; look < 20 && !expected.test(stack ?? ""); look++) {
      stack = await captureStack(worker.threadId, systemClock);
    }
    expect(stack).toMatch(expected);
    await worker.terminate();
  });
}

it("has none of a thread that does nothing, and not of one that is gone", async () => {
  const worker = await threadWith("setInterval(() => undefined, 100_000);");
  // It may still be on its way into its event loop.
  let stack = await captureStack(worker.threadId, systemClock);
  for (let look = 0; look < 20 && stack !== null; look++) stack = await captureStack(worker.threadId, systemClock);
  expect(stack).toBeNull();
  const { threadId } = worker;
  await worker.terminate();
  expect(await captureStack(threadId, systemClock)).toBeNull();
});

it("shows several threads at a time", async () => {
  const names = ["one", "two", "three"];
  const busy = await Promise.all(names.map((name) => threadWith(`(function ${name}() { for (;;); })();`)));
  const shown = new Set<string | undefined>();
  // On a busy machine one of them may not get its turn in time.
  for (let look = 0; look < 10 && !names.every((name) => shown.has(name)); look++) {
    const stacks = await Promise.all(busy.map((worker) => captureStack(worker.threadId, systemClock)));
    for (const [i, stack] of stacks.entries()) {
      const name = /at (\w+)/.exec(stack ?? "")?.[1];
      if (stack !== null) expect(name).toBe(names[i]);
      shown.add(name);
    }
  }
  expect(names.every((name) => shown.has(name))).toBe(true);
});

it("lets the thread go on when nobody ends it", async () => {
  const worker = await threadWith(
    'const { parentPort } = require("node:worker_threads");\nlet turns = 0;\nsetInterval(() => parentPort.postMessage(++turns), 1);',
  );
  await captureStack(worker.threadId, systemClock);
  await new Promise((resolve) => worker.once("message", resolve));
});
