/** The pacer's thread: sleeps to each intended time (Atomics.wait knows fractions of a millisecond), then says so. */
import { parentPort, workerData } from "node:worker_threads";
import { intendedNs, type Pace } from "./pacer.js";

const pace = workerData as Pace; // runPace gives exactly this
const cell = new Int32Array(new SharedArrayBuffer(4));

for (let index = 0; index < pace.count; index++) {
  const leftMs = (intendedNs(pace, index) - Number(process.hrtime.bigint())) / 1e6;
  if (leftMs > 0) Atomics.wait(cell, 0, 0, leftMs);
  parentPort?.postMessage(index + 1);
}
