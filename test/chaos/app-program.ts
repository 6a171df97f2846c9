/**
 * The same as program.ts through the public door: an App that enqueues and runs, with nothing but its defaults.
 *
 * It cannot see how its outcomes were taken; what it knows is written down: what was acknowledged, what was started.
 */
import { createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline";
import { App } from "@millrace/core";
import { note, readLog } from "./log.js";
import type { ProgramOptions } from "./program.js";

const options = JSON.parse(process.argv[2] ?? "{}") as ProgramOptions; // written by run.ts
const owner = `p${process.pid}`;

const app = new App({ id: options.app, store: options.store, nodeId: options.segment });
const step = app.step("work", { retries: 3, retryDelay: "10ms" }, async (input: { text: string }, context) => {
  note(options.log, {
    kind: "start",
    id: context.operationId,
    generation: Number(context.idempotencyKey.slice(context.idempotencyKey.lastIndexOf("#") + 1)),
    attempt: context.attempt,
    token: Number(context.fence),
    owner,
    hash: hashOf(input.text),
  });
  if (context.attempt === 1 && input.text.endsWith("7")) throw new Error("fails its first Attempt");
  return input.text.length;
});

let isDraining = false;
const drained = new Promise<void>((resolve) => {
  createInterface({ input: process.stdin }).on("line", (line) => {
    if (line !== "drain") return;
    isDraining = true;
    resolve();
  });
});

await app.start();
console.log("ready");
while (!isDraining) {
  const texts = Array.from({ length: options.batch }, () => randomBytes(8).toString("hex"));
  await Promise.all(
    texts.map(async (text) => {
      const { id } = await step.enqueue({ text });
      note(options.log, { kind: "enqueue", id, hash: hashOf(text), answer: "acknowledged" });
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, options.pauseMs));
}
await drained;
// All there is, also what earlier lives were told: each is waited for through a handle of our own.
const ids = readLog(options.log).flatMap((event) => (event.kind === "enqueue" ? [event.id] : []));
await Promise.all(ids.map((id) => app.handle(id).result()));
// And what was never acknowledged, since its client was killed: it may just wait for its retry.
for (;;) {
  const { rows } = await app.inspect.counts();
  if (rows.every(({ scheduled, ready, running }) => scheduled + ready + running === 0)) break;
  await new Promise((resolve) => setTimeout(resolve, 20));
}
await app.close();
process.exit(0);

function hashOf(text: string): string {
  return createHash("sha1").update(text).digest("base64url");
}
