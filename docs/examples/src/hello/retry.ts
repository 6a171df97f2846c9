/**
 * A Step that fails is tried again; one that cannot succeed goes to the dead letters, from where people bring it back.
 *
 * Prints:
 *   Attempt 1 for ann
 *   Attempt 2 for ann
 *   sent to ann
 *   failed: no such user: bob
 *   dead letters: 1
 *   requeued: 1
 *   sent to bob
 */
import { App, OperationFailed, TerminalError } from "@millrace/core";

await using app = new App({ store: "memory:" });

const users = new Set(["ann"]);

const send = app.step("send", { retries: 3, retryDelay: "10ms" }, async ({ to }: { to: string }, ctx) => {
  if (!users.has(to)) throw new TerminalError(`no such user: ${to}`); // trying again would not help
  if (to === "ann") console.log(`Attempt ${ctx.attempt} for ann`);
  if (to === "ann" && ctx.attempt === 1) throw new Error("the mail server hung up"); // trying again may help
  return `sent to ${to}`;
});

await app.start();
console.log(await app.run(send, { to: "ann" }));

const lost = await send.enqueue({ to: "bob" });
try {
  await lost.result();
} catch (error) {
  if (error instanceof OperationFailed) console.log(`failed: ${error.remote.message}`);
}

const ids: string[] = [];
for await (const letter of app.queue("async").dead()) ids.push(letter.id);
console.log(`dead letters: ${ids.length}`);

users.add("bob");
console.log(`requeued: ${await app.queue("async").requeue(ids)}`);
console.log(await lost.result());
