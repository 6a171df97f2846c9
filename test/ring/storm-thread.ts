/** A thread that wakes both sides of a ring for nothing, as fast as it can, until it is terminated. */
import { workerData } from "node:worker_threads";
import type { Ring } from "./door.js";

const { door, buffer } = workerData as { readonly door: string; readonly buffer: SharedArrayBuffer }; // as torture.test.ts starts it
const { ROOM, WAKE } = (await import(door)) as Ring; // makeDoor writes exactly this
const words = new Int32Array(buffer);
for (;;) {
  Atomics.notify(words, WAKE);
  Atomics.notify(words, ROOM);
}
