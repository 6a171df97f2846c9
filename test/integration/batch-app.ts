/**
 * The App of the tests of batch Steps: the test imports `makeApp`, its Worker threads and processes import this module.
 */
import { threadId } from "node:worker_threads";
import { App, type AppOptions } from "@millrace/core";

/** What one call of a batch Step saw. */
export interface Call {
  readonly pid: number;
  readonly threadId: number;
  readonly size: number;
  readonly attempt: number;
}

/** Declares the App's Steps. */
export function makeApp(options: AppOptions = {}) {
  const app = new App({ store: "memory:", id: "batches", nodeId: "n", module: import.meta.url, ...options });
  const answer = (inputs: readonly number[], contexts: readonly { attempt: number }[]): (Call | Error)[] =>
    inputs.map((n, i) => {
      const attempt = contexts[i]?.attempt ?? 0;
      return n < 0 ? new Error(`bad ${n}`) : { pid: process.pid, threadId, size: inputs.length, attempt };
    });
  const batch = { maxSize: 100, wait: "300ms" } as const;
  return {
    app,
    many: app.batchStep("many", { batch, retries: 0 }, async (inputs: readonly number[], { contexts }) =>
      answer(inputs, contexts),
    ),
    manyBlocking: app.batchStep(
      "manyBlocking",
      { batch, retries: 0, kind: "blocking" },
      (inputs: readonly number[], { contexts }) => answer(inputs, contexts),
    ),
    manyAlone: app.batchStep(
      "manyAlone",
      { batch: { maxSize: 20, wait: "300ms" }, retries: 0, executor: "process" },
      async (inputs: readonly number[], { contexts }) => {
        if (inputs.includes(666)) process.kill(process.pid, "SIGKILL");
        return answer(inputs, contexts);
      },
    ),
    loops: app.batchStep(
      "loops",
      { batch: { maxSize: 3, wait: "100ms" }, retries: 0, kind: "blocking", timeout: "1s" },
      (inputs: readonly number[], { contexts }) => {
        while (inputs.includes(666));
        return answer(inputs, contexts);
      },
    ),
    held: app.batchStep(
      "held",
      { batch: { maxSize: 2, wait: "10m" }, timeout: "none", killGrace: "100ms" },
      async (inputs: readonly number[], { abort }) => {
        await new Promise<never>((_, reject) => abort.addEventListener("abort", () => reject(abort.reason)));
        return inputs;
      },
    ),
  };
}

/** What Workers run; in the test's own process nobody starts it. */
export const { app } = makeApp();
