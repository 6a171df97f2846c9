/**
 * One Foreman of scaling.test.ts: an App in a process of its own whose Step waits and computes nothing.
 *
 * One argument, JSON of `ScalingProgramOptions`. Says `ready` when it claims; `end` on its standard input ends it.
 */
import { setTimeout as wait } from "node:timers/promises";
import { App } from "@millrace/core";

/** What it is told. */
export interface ScalingProgramOptions {
  readonly store: string;
  readonly app: string;
  readonly node: string;
  readonly slots: number;
  /** How long an Operation waits, in milliseconds. */
  readonly waitMs: number;
}

const options = JSON.parse(process.argv[2] ?? "{}") as ScalingProgramOptions; // written by scaling.test.ts
const { store, app: id, node: nodeId, slots, waitMs } = options;
const app = new App({ id, store, nodeId, workers: { asyncWorkers: 1, slots, autoOptimize: false } });
app.step("wait", async () => await wait(waitMs));
await app.start();
console.log("ready");
for await (const word of process.stdin) if (String(word).includes("end")) break;
await app.close();
process.exit(0);
