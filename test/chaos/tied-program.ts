/**
 * A Foreman that works on what is tied and is killed at any moment. One argument: JSON of store, app and node. Every
 * start and end goes into a list on the same Redis, as one line each.
 */
import { App } from "@millrace/core";
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { Redis } from "ioredis";
import { tiedSteps } from "./tied-steps.js";

const { store, app: id, node } = JSON.parse(process.argv[2] ?? "{}") as { store: string; app: string; node: string }; // by tied-run.ts
const log = new Redis(store);
const app = new App({ id, store, nodeId: node, workers: { asyncWorkers: 1, slots: 4 } });
app[SETTLE_IN]({
  times: { ...FOREMAN_TIMES, leaseMs: 1_500, beatMs: 300, surveyMs: 200, recoveriesMax: 1_000_000 },
});
tiedSteps(app, async (line) => {
  await log.rpush(`${id}:log`, `${node} ${line}`);
});
await app.start();
console.log("started");
