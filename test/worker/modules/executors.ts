/** Steps with executors of the App's own. */
import { setTimeout as sleep } from "node:timers/promises";
import { App, type Executor } from "@millrace/core";

export const app = new App({ id: "test", defaults: { retries: 0 } });

let started = 0;
let active = 0;
let mostActive = 0;
const narrow: Executor = {
  concurrency: 2,
  async start() {
    await sleep(5);
    started++;
  },
  async execute({ step, input, context, run }, signal) {
    active++;
    mostActive = Math.max(mostActive, active);
    try {
      const value = await run();
      return { step, input, value, id: context.operationId, isAborted: signal.aborted, started, mostActive };
    } finally {
      active--;
    }
  },
  stop() {
    process.stdout.write("narrow stopped\n");
  },
};
app.executor("narrow", narrow);
app.executor("refusing", {
  execute: ({ step }) => {
    throw new TypeError(`${step} refused`);
  },
});
app.step("through", { executor: "narrow" }, (ms: number) => sleep(ms, ms));
app.step("refused", { executor: "refusing" }, async () => undefined);
app.step("plain", async () => "plain");
