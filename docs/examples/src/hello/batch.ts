/**
 * A batch Step: enqueued one by one, called for many; an error in its answer is one Operation's alone.
 *
 * Prints:
 *   one call for ann, bob, cid
 *   ann: completed
 *   bob: failed: no such user
 *   cid: completed
 */
import { App, TerminalError } from "@millrace/core";

await using app = new App({ store: "memory:" });

const send = app.batchStep("send", { batch: { maxSize: 3, wait: "1m" } }, async (names: readonly string[]) => {
  console.log(`one call for ${names.join(", ")}`);
  return names.map((name) => (name === "bob" ? new TerminalError("no such user") : "sent"));
});

await app.start();
const names = ["ann", "bob", "cid"];
const handles = await Promise.all(names.map((name) => send.enqueue(name)));
const outcomes = await app.gather(handles, { settle: true });
for (const [i, outcome] of outcomes.entries()) {
  const said = outcome.state === "failed" ? `failed: ${outcome.error.message}` : outcome.state;
  console.log(`${names[i]}: ${said}`);
}
