/**
 * The App of the tests of true cancelling: the test imports `makeApp`, its Worker threads and processes import this
 * module. What a handler did beside its result it writes to a file, one word a line.
 */
import { spawn } from "node:child_process";
import { appendFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { App, type AppOptions, type StepContext } from "@millrace/core";

/** What a handler is given: where it writes, and for how long it does not listen. */
export interface Task {
  readonly file: string;
  readonly deafMs?: number;
}

/** Declares the App's Steps. Without `module` they run on the program's own thread. */
export function makeApp(options: AppOptions = {}) {
  const app = new App({ store: "memory:", id: "cancels", nodeId: "n", ...options });
  const polite = async ({ file }: Task, { abort }: StepContext): Promise<never> => {
    appendFileSync(file, "began\n");
    const keep = setInterval(() => undefined, 1_000);
    await new Promise((resolve) => abort.addEventListener("abort", resolve));
    clearInterval(keep);
    appendFileSync(file, `heard ${abort.reason.kind}\n`);
    throw abort.reason;
  };
  const deaf = async ({ file, deafMs = 0 }: Task): Promise<string> => {
    appendFileSync(file, "began\n");
    await sleep(deafMs);
    appendFileSync(file, "ended late\n");
    return "too late";
  };
  const loop = ({ file }: Task) => {
    appendFileSync(file, "began\n");
    for (let turns = 0; ; turns++) if (turns < 0) return turns;
  };
  const shared = { retries: 0, killGrace: "200ms", timeout: "none" } as const;
  return {
    app,
    polite: app.step("polite", shared, polite),
    deaf: app.step("deaf", shared, deaf),
    echo: app.step("echo", async (n: number) => n),
    /** Those that need Workers of their own. */
    blocking: () => ({
      loop: app.step("loop", { ...shared, kind: "blocking" }, loop),
      limited: app.step("limited", { ...shared, kind: "blocking", timeout: "500ms" }, loop),
    }),
    process: () => ({
      politeAlone: app.step("politeAlone", { ...shared, executor: "process" }, polite),
      deafAlone: app.step("deafAlone", { ...shared, executor: "process" }, deaf),
      limitedAlone: app.step("limitedAlone", { ...shared, executor: "process", timeout: "500ms" }, loop),
      treeAlone: app.step("treeAlone", { ...shared, executor: "process" }, (task: Task) => {
        const child = spawn("sleep", ["60"], { stdio: "ignore" });
        appendFileSync(task.file, `${process.pid} ${child.pid}\n`);
        return loop(task);
      }),
      pidAlone: app.step("pidAlone", { executor: "process" }, async (_: null) => process.pid),
    }),
  };
}

/** What Workers run; in the test's own process nobody starts it. */
export const app = allOf();

function allOf(): App {
  const made = makeApp({ module: import.meta.url });
  made.blocking();
  made.process();
  return made.app;
}
