/** The thread of one end: wiring only. */
import { parentPort, workerData } from "node:worker_threads";
import type { Ring } from "./door.js";
import { consume, produce, type Torture } from "./end.js";

/** What a thread is started with. */
export interface EndStart {
  readonly door: string;
  readonly end: "producer" | "consumer";
  readonly told: Torture;
}

const { door, end, told } = workerData as EndStart; // startEnd gives exactly this
const ring = (await import(door)) as Ring; // makeDoor writes exactly this
parentPort?.postMessage(end === "producer" ? produce(ring, told) : consume(ring, told));
