/**
 * How many bytes of heap an Operation costs on its way through an App over `memory:`: enqueued alone, enqueued in bulk,
 * and run. Prints them as JSON. Runs with a young generation so large that nothing is collected on the way:
 * `node --expose-gc --min-semi-space-size=512 --max-semi-space-size=512 allocations-program.js`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { App } from "@millrace/core";

const count = 20_000;
/** The first are for the compiler. */
const rounds = 4;
const callers = 1_000;
const inputs = Array.from({ length: count }, (_, n) => ({ n, pad: "x".repeat(80) }));
const least = { single: Number.POSITIVE_INFINITY, bulk: Number.POSITIVE_INFINITY, run: Number.POSITIVE_INFINITY };

async function measure(what: keyof typeof least, operations: number, work: () => Promise<unknown>): Promise<void> {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  await work();
  least[what] = Math.min(least[what], Math.round((process.memoryUsage().heapUsed - before) / operations));
}

for (let round = 0; round < rounds; round++) {
  await using app = new App({ id: "allocations", store: "memory:" });
  const step = app.step("noop", async (job: { n: number; pad: string }) => job.n);
  await app.queue("async").counts();
  await measure("single", count, async () => {
    let next = 0;
    const caller = async (): Promise<void> => {
      for (let input = inputs[next++]; input !== undefined; input = inputs[next++]) await step.enqueue(input);
    };
    await Promise.all(Array.from({ length: callers }, caller));
  });
  await measure("bulk", count, async () => await app.enqueueMany(step, inputs));
  await measure("run", 2 * count, async () => {
    await app.start();
    while (app.metrics().completed < 2 * count) await sleep(1);
  });
}
console.log(JSON.stringify(least));
