/** Records that go through a duplex to a thread and come back, in bursts: either side sleeps when there is nothing. */
import { Worker } from "node:worker_threads";
import { createDuplexMemory } from "@millrace/core/internal";
import { within } from "../helper/wait.js";
import type { Ring } from "./door.js";
import { DuplexEnd } from "./duplex-end.js";
import { findDifference, keyOf, lengthOf, mix, type Pattern, writePayload } from "./pattern.js";

/** What is sent: so many records, in bursts up to `burstMax`, through two rings of `bytes`. */
export interface EchoOptions extends Pattern {
  readonly bytes: number;
  readonly records: number;
  readonly burstMax: number;
  /** How long a burst may take to come back. */
  readonly deadlineMs: number;
}

/** What came back: how many records, the first that was not the one expected, how often this side rang the other. */
export interface Echoed {
  readonly received: number;
  readonly wrong: number | null;
  readonly rings: number;
}

/** Sends bursts of records, the next one when all of the last are back. Fails when they do not come back in time. */
export async function runEcho(door: string, options: EchoOptions): Promise<Echoed> {
  const ring = (await import(door)) as Ring; // makeDoor writes exactly this
  const memory = createDuplexMemory(options.bytes, options.bytes);
  const worker = new Worker(new URL("../dist/ring/echo-thread.js", import.meta.url), { workerData: { door, memory } });
  let received = 0;
  let wrong: number | null = null;
  let whenReceived = (): void => undefined;
  const end = new DuplexEnd(ring, "foreman", memory, worker, (record) => {
    if (!isRecord(options, received, record)) wrong ??= received;
    received++;
    whenReceived();
  });
  const failed = new Promise<never>((_, reject) => {
    worker.once("error", reject);
    worker.on("message", () => {
      try {
        end.turn();
      } catch (error) {
        reject(error);
      }
    });
  });
  failed.catch(() => undefined); // only of interest while a burst is awaited
  try {
    for (let sent = 0; sent < options.records && wrong === null; ) {
      const goal = Math.min(options.records, sent + 1 + (mix(sent, options.seed) % options.burstMax));
      const back = new Promise<void>((resolve) => {
        whenReceived = () => {
          if (received === goal) resolve();
        };
      });
      while (sent < goal) end.send(recordOf(options, sent++));
      end.turn();
      await within(Promise.race([back, failed]), `the return of ${goal} records`, options.deadlineMs);
    }
    return { received, wrong, rings: end.duplex.rings };
  } finally {
    await worker.terminate();
  }
}

/** Record `n` of a pattern, a whole number of words long. */
function recordOf(pattern: Pattern, n: number): Uint8Array {
  const bytes = new Uint8Array((lengthOf(pattern, n) + 3) & ~3);
  writePayload(bytes, new Int32Array(bytes.buffer), 0, bytes.length, keyOf(pattern, n));
  return bytes;
}

/** Whether `bytes` are record `n`, whole. */
function isRecord(pattern: Pattern, n: number, bytes: Uint8Array): boolean {
  if (bytes.length !== ((lengthOf(pattern, n) + 3) & ~3)) return false;
  return findDifference(bytes, new Int32Array(bytes.buffer), 0, bytes.length, keyOf(pattern, n)) === -1;
}
