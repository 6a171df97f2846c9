/**
 * A Node that dies: fills its Segment, holds one Operation, and waits to be killed. One argument: JSON of store, app and
 * node. Prints one line of JSON, the ids by what they are, once it holds one.
 */
import { App } from "@millrace/core";

const { store, app: id, node } = JSON.parse(process.argv[2] ?? "{}") as { store: string; app: string; node: string }; // by orphans.test.ts
const app = new App({ id, store, nodeId: node, workers: { asyncWorkers: 1, slots: 1 } });
const quick = app.step("quick", { retain: { completed: "1s" } }, async (n: number) => n);
const held = app.step("held", async (_: null, { attempt }) => {
  if (attempt > 0) await new Promise(() => undefined);
  return "held";
});

await app.start();
const holding = await held.enqueue(null, { priority: 10 });
for (let state = ""; state !== "running"; ) ({ state } = await holding.status());
const ready = await Promise.all([1, 2, 3].map((n) => quick.enqueue(n)));
const delayed = await quick.enqueue(4, { delay: "2s" });
console.log(JSON.stringify({ held: holding.id, ready: ready.map((handle) => handle.id), delayed: delayed.id }));
