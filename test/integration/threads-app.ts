/**
 * The App of the tests with real threads: the test imports `makeApp`, its Worker threads import this module.
 */
import { threadId } from "node:worker_threads";
import { App, type AppOptions } from "@millrace/core";

/** Where an Attempt ran and when it began and ended, by the wall clock with fractions. */
export interface Run {
  readonly threadId: number;
  readonly beganMs: number;
  readonly endedMs: number;
}

const now = () => performance.timeOrigin + performance.now();

function spin(ms: number): void {
  const endMs = now() + ms;
  while (now() < endMs);
}

/** Attempts at once in this thread, and their peak since the thread began. */
let running = 0;
let peak = 0;

/** Declares the App's Steps. `module` is left out for a store of a client only. */
export function makeApp(options: AppOptions = {}) {
  const app = new App({ store: "memory:", id: "threads", nodeId: "n", module: import.meta.url, ...options });
  const steps = {
    echo: app.step("echo", async (input: unknown) => input),
    where: app.step("where", async (_: null): Promise<number> => threadId),
    io: app.step("io", async (ms: number): Promise<Run> => {
      const beganMs = now();
      await new Promise((resolve) => setTimeout(resolve, ms));
      return { threadId, beganMs, endedMs: now() };
    }),
    peak: app.step("peak", async (ms: number): Promise<number> => {
      running++;
      peak = Math.max(peak, running);
      await new Promise((resolve) => setTimeout(resolve, ms));
      running--;
      const seen = peak;
      if (running === 0) peak = 0;
      return seen;
    }),
    size: app.step("size", async (bytes: Uint8Array): Promise<Uint8Array> => bytes.map((byte) => byte ^ 1)),
    patient: app.step("patient", { timeout: "none" }, async (_: null, { abort }) => {
      await new Promise<never>((_resolve, reject) => {
        const keep = setInterval(() => undefined, 1_000);
        abort.addEventListener("abort", () => {
          clearInterval(keep);
          reject(abort.reason);
        });
      });
    }),
    cpu: app.step("cpu", { kind: "blocking" }, (ms: number): Run => {
      const beganMs = now();
      spin(ms);
      return { threadId, beganMs, endedMs: now() };
    }),
    loopBlocking: app.step("loopBlocking", { kind: "blocking", timeout: "2s", retries: 0 }, (_: null) => {
      for (let turns = 0; ; turns++) if (turns < 0) return turns;
    }),
    loopAsync: app.step("loopAsync", { timeout: "2s", retries: 0 }, async (_: null) => {
      for (let turns = 0; ; turns++) if (turns < 0) return turns;
    }),
    loopLater: app.step("loopLater", { timeout: "2s", retries: 0 }, async (_: null) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      for (let turns = 0; ; turns++) if (turns < 0) return turns;
    }),
    bomb: app.step("bomb", { kind: "blocking", retries: 0 }, (_: null) => {
      // Big pieces: newer Nodes end the whole process for many small ones, whatever the thread's limit says.
      const kept: unknown[] = [];
      for (;;) kept.push(Array.from({ length: 10_000 }, (_, n) => n / 2));
    }),
    quit: app.step("quit", { retries: 0 }, async (code: number) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      process.exit(code);
    }),
    stray: app.step("stray", { retries: 0 }, async (_: null) => {
      setTimeout(() => {
        throw new TypeError("from nowhere");
      }, 5);
      await new Promise((resolve) => setTimeout(resolve, 60_000));
    }),
    deaf: app.step("deaf", { timeout: "100ms", killGrace: "50ms", retries: 0 }, async (_: null) => {
      await new Promise<never>(() => undefined);
    }),
    parent: app.step("parent", async (n: number): Promise<number> => {
      const child = await app.enqueue<number, unknown>("echo" as never, n as never);
      return (await child.result()) as number;
    }),
  };
  return { app, ...steps };
}

/** The same with Steps that run in child processes. */
export function makeAppWithProcesses(options: AppOptions = {}) {
  const made = makeApp(options);
  const { app } = made;
  return {
    ...made,
    alone: app.step("alone", { executor: "process" }, async (_: null): Promise<number> => process.pid),
    sizeAlone: app.step("sizeAlone", { executor: "process" }, (bytes: Uint8Array) => bytes.length),
    crashAlone: app.step("crashAlone", { executor: "process", retries: 0 }, (_: null) => {
      process.kill(process.pid, "SIGSEGV");
      for (;;);
    }),
    loopAlone: app.step("loopAlone", { executor: "process", retries: 0, timeout: "1s" }, (_: null) => {
      for (let turns = 0; ; turns++) if (turns < 0) return turns;
    }),
    parentAlone: app.step("parentAlone", { executor: "process" }, async (n: number): Promise<number> => {
      const child = await app.enqueue<number, unknown>("echo" as never, n as never);
      return (await child.result()) as number;
    }),
  };
}

/** What Worker threads run; in the test's own process nobody starts it. */
export const { app } = makeAppWithProcesses();
