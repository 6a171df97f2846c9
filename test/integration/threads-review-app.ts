/**
 * The App of threads-review.test.ts, which its Workers import: Steps that do what Steps should not. As a program it
 * starts one that never ends in a child process, and waits to be killed.
 */
import { argv } from "node:process";
import { parentPort } from "node:worker_threads";
import { App, type AppOptions } from "@millrace/core";

/** What user code may post beside the Worker's own messages. */
const FOREIGN: readonly unknown[] = [
  ...["ready", 5, {}, { type: "log" }, { type: "log", level: "toString", fields: {}, message: "" }],
  ...[{ type: "failed" }, { type: "ready" }, { type: "records", records: 5 }, { type: "records", records: [5] }],
  ...[{ type: "beat" }, { type: "process:msg", data: {} }],
];

export function makeApp(options: AppOptions = {}) {
  const app = new App({ store: "memory:", id: "review", nodeId: "n", module: import.meta.url, ...options });
  return {
    app,
    echo: app.step("echo", async (input: unknown) => input),
    postFromThread: app.step("postFromThread", async (_: null) => {
      for (const message of [undefined, ...FOREIGN]) parentPort?.postMessage(message);
    }),
    postFromProcess: app.step("postFromProcess", { executor: "process" }, async (_: null) => {
      for (const message of [null, ...FOREIGN]) process.send?.(message);
    }),
    chatty: app.step("chatty", { kind: "blocking", retries: 0 }, (notes: number, { progress }) => {
      for (let n = 0; n < notes; n++) progress(n, notes);
      setImmediate(() => process.exit(7));
      return "said";
    }),
    deaf: app.step("deaf", async (_: null) => {
      parentPort?.removeAllListeners("message");
      setInterval(() => undefined, 1_000);
    }),
    block: app.step("block", { kind: "blocking", timeout: "none", killGrace: "200ms" }, (_: null) => {
      for (let turns = 0; ; turns++) if (turns < 0) return;
    }),
    strange: app.step("strange", { retries: 0 }, async (_: null) => {
      process.removeAllListeners("uncaughtException");
      setTimeout(() => {
        throw Object.assign(Object.create(null), { toString: 5 });
      }, 5);
      await new Promise(() => undefined);
    }),
    spin: app.step("spin", { executor: "process", timeout: "none" }, (_: null) => {
      process.stdout.write(`${process.pid}\n`);
      for (let turns = 0; ; turns++) if (turns < 0) return;
    }),
  };
}

const made = makeApp();

/** What Workers run. */
export const { app } = made;

if (argv[2] === "spin") {
  await app.start(); // in Workers the end
  await made.spin.enqueue(null);
}
