/**
 * A program on an embedded store, which one process has for itself: Foreman and client in one. It is killed and started
 * again; a file in the run's folder tells the last one to finish all work and leave.
 */
import { existsSync, writeFileSync } from "node:fs";
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { Dice } from "../../sim/dice.js";
import { journalOf, write } from "../foremen/journal.js";
import { readSettings } from "../foremen/settings.js";
import { drainedFile, drainFile } from "./signs.js";
import { app, steps } from "./steps.js";
import { Workload } from "./workload.js";

const { leaseMs, beatMs, dir } = readSettings();
const rate = Number(process.env.CHAOS_RATE ?? "40");
const journal = journalOf(dir);

app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs, beatMs, surveyMs: 1_000 } });
await app.start();
const dice = new Dice(process.pid);
const workload = new Workload({
  app,
  steps,
  dice,
  rate,
  leaseMs,
  poison: 0,
  name: `p${process.pid}`,
  note: (event) => write(journal, event),
});
// A killed life may have left its Queue paused and its limit low.
await app.queue("gate").resume();
await app.limits.reset("narrow");
workload.start();
console.log("ready");

const look = setInterval(() => {
  if (!existsSync(drainFile(dir))) return;
  clearInterval(look);
  void leave();
}, 100);

async function leave(): Promise<void> {
  workload.stop();
  await workload.settled(60_000);
  for (;;) {
    const { rows } = await app.inspect.counts();
    if (rows.every(({ scheduled, ready, running }) => scheduled + ready + running === 0)) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await app.close();
  writeFileSync(drainedFile(dir), "");
  process.exit(0);
}
