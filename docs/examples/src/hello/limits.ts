/**
 * One run for many callers of a key, one behind another per key, so many at once: dedupe, order and concurrency.
 *
 * Prints:
 *   1 report, 3 callers with "monday"
 *   account A: 1 2 3
 *   at most 2 at once
 */
import { App } from "@millrace/core";

await using app = new App({ store: "memory:" });

let reports = 0;
const report = app.step("report", { dedupe: { key: (day: string) => day } }, async (day: string) => {
  reports++;
  return day;
});

const booked: number[] = [];
const book = app.step(
  "book",
  { order: "account", retries: 1, retryDelay: "10ms" },
  async ({ n }: { account: string; n: number }, { attempt }) => {
    if (n === 1 && attempt === 1) throw new Error("the first try of the first one fails; the others wait for it");
    booked.push(n);
  },
);

let running = 0;
let most = 0;
const load = app.step("load", { concurrency: 2 }, async () => {
  most = Math.max(most, ++running);
  await new Promise((resolve) => setImmediate(resolve));
  running--;
});

const callers = await Promise.all(["monday", "monday", "monday"].map((day) => report.enqueue(day)));
const entries = await Promise.all([1, 2, 3].map((n) => book.enqueue({ account: "A", n })));
const loads = await Promise.all(Array.from({ length: 20 }, () => load.enqueue({})));

await app.start();
const days = await app.gather(callers);
console.log(`${reports} report, ${days.length} callers with "${days[0]}"`);
await app.gather(entries);
console.log(`account A: ${booked.join(" ")}`);
await app.gather(loads);
console.log(`at most ${most} at once`);
