/** Starts ends of rings in threads of their own, and two of them against each other. */
import { Worker } from "node:worker_threads";
import { createRingBuffer } from "@millrace/core/internal";
import { within } from "../helper/wait.js";
import type { Report, Torture } from "./end.js";
import type { EndStart } from "./end-thread.js";

const script = new URL("../dist/ring/end-thread.js", import.meta.url);

/** A thread and what it reports at its end. */
export interface EndThread {
  readonly worker: Worker;
  readonly report: Promise<Report>;
}

/** Starts one end. */
export function startEnd(start: EndStart): EndThread {
  const worker = new Worker(script, { workerData: start });
  const report = new Promise<Report>((resolve, reject) => {
    worker.once("message", resolve);
    worker.once("error", reject);
    worker.once("exit", (code) => reject(new Error(`the ${start.end}'s thread ended with ${code}`)));
  });
  report.catch(() => undefined); // whoever kills a thread does not ask for its report
  return { worker, report };
}

/** How a pair is set up; what is left out is chosen to be harmless. */
export interface PairOptions {
  readonly capacity: number;
  readonly startAt?: number;
  readonly frames: number;
  readonly seed: number;
  readonly lengthMax?: number;
  readonly batchMax?: number;
  readonly waitMs?: number;
  readonly linger?: number;
}

/** What both ends are told, over new memory. */
export function newTorture(options: PairOptions): Torture {
  const { capacity, startAt = 0, frames, seed, batchMax = 16, waitMs = 1000, linger = 0 } = options;
  return {
    buffer: createRingBuffer(capacity, startAt),
    signals: new SharedArrayBuffer(64),
    frames,
    seed,
    lengthMax: Math.min(options.lengthMax ?? capacity / 2 - 8, capacity / 2 - 8),
    batchMax,
    waitMs,
    linger,
  };
}

/** Lets two threads meet at one ring until all frames are across or one of them finds trouble. */
export async function runPair(
  door: string,
  told: Torture,
  deadlineMs = 30_000,
): Promise<{ readonly producer: Report; readonly consumer: Report }> {
  const ends = [startEnd({ door, end: "producer", told }), startEnd({ door, end: "consumer", told })] as const;
  try {
    const [producer, consumer] = await within(
      Promise.all(ends.map((end) => end.report)),
      `the end of a pair of threads (seed ${told.seed})`,
      deadlineMs,
    );
    if (producer === undefined || consumer === undefined) throw new Error("two ends report twice");
    return { producer, consumer };
  } finally {
    await Promise.all(ends.map((end) => end.worker.terminate()));
  }
}
