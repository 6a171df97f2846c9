/**
 * A program as a user would write it: imports its App, starts it, stops it on SIGTERM. Also writes down what it is told.
 */
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { journalOf, sharedMs, write } from "./journal.js";
import { readSettings } from "./settings.js";
import { app } from "./steps.js";

const { dir, leaseMs, beatMs } = readSettings();
const journal = journalOf(dir);
const owner = `p${process.pid}`;

app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs, beatMs } });
const tell = (answer: "accepted" | "stale" | "released") => (event: { readonly id: string }) => {
  write(journal, { kind: "told", answer, id: event.id, owner, atMs: sharedMs() });
};
app.on("operation.completed", tell("accepted"));
app.on("operation.stale", tell("stale"));
app.on("operation.released", tell("released"));

process.once("SIGTERM", () => {
  void app.close().then(() => process.exit(0));
});
await app.start();
console.log("ready");
