/**
 * Work that tells how far it is, and stops when it is asked to.
 *
 * Prints:
 *   copying
 *   now it is cancelled
 */
import { setTimeout as sleep } from "node:timers/promises";
import { App } from "@millrace/core";

await using app = new App({ store: "memory:" });

const copy = app.step("copy", { retries: 0 }, async ({ pages }: { pages: number }, ctx) => {
  for (let page = 1; page <= pages; page++) {
    await sleep(10, null, { signal: ctx.abort }); // throws as soon as the abort is heard
    ctx.progress(page, pages, "copying");
  }
});

await app.start();
const handle = await copy.enqueue({ pages: 10_000 });

for await (const { note } of handle.progress()) {
  console.log(note);
  await handle.cancel({ reason: "nobody reads it" });
  break;
}

const outcome = await handle.wait();
console.log(`now it is ${outcome.state}`);
