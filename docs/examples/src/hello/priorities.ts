/**
 * Larger priorities run sooner, equals in the order they came; a delay keeps work out of the Queue until it is due.
 *
 * Prints:
 *   urgent
 *   first
 *   second
 *   some day
 *   later
 */
import { App } from "@millrace/core";

await using app = new App({ store: "memory:", workers: { asyncWorkers: 1, slots: 1 } });

const print = app.step("print", async ({ text }: { text: string }) => console.log(text));

// Nothing runs before `start`, so all of this waits and is then taken in its order.
const handles = [
  await print.enqueue({ text: "later" }, { delay: "200ms" }),
  await print.enqueue({ text: "some day" }, { priority: -5 }),
  await print.enqueue({ text: "first" }),
  await print.enqueue({ text: "second" }),
  await print.enqueue({ text: "urgent" }, { priority: 10 }),
];

await app.start();
for (const handle of handles) await handle.result();
