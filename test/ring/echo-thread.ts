/** Sends every record back that comes, from its event loop: wiring only. */
import { parentPort, workerData } from "node:worker_threads";
import type { DuplexMemory } from "@millrace/core/internal";
import type { Ring } from "./door.js";
import { DuplexEnd } from "./duplex-end.js";

const { door, memory } = workerData as { readonly door: string; readonly memory: DuplexMemory }; // as duplex.test.ts starts it
const ring = (await import(door)) as Ring; // makeDoor writes exactly this
if (parentPort === null) throw new Error("this is a thread's program");
const end = new DuplexEnd(ring, "worker", memory, parentPort, (record) => end.send(record));
parentPort.on("message", () => end.turn());
end.turn();
