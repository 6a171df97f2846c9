/**
 * Says when the next call is due, from a thread of its own, so that a busy loop here cannot slow the offered load.
 *
 * Call `i` is intended for `startNs + i × periodNs`. Nothing waits for answers: what comes late is started late, and
 * its latency counts from the intended time (no coordinated omission).
 */
import { Worker } from "node:worker_threads";

/** A series of calls at an even rate. Times are `process.hrtime` nanoseconds, the same on all threads. */
export interface Pace {
  readonly startNs: number;
  readonly periodNs: number;
  readonly count: number;
}

/** Plans `count` calls at `perSecond`, the first one `leadMs` from now. */
export function planPace(perSecond: number, count: number, leadMs: number): Pace {
  return { startNs: Number(process.hrtime.bigint()) + leadMs * 1e6, periodNs: 1e9 / perSecond, count };
}

/** The intended time of a call. */
export function intendedNs(pace: Pace, index: number): number {
  return pace.startNs + index * pace.periodNs;
}

/** Calls `due(index)` for every call when it is due, or as soon after as this thread is free; resolves after the last. */
export async function runPace(pace: Pace, due: (index: number) => void): Promise<void> {
  const worker = new Worker(new URL("./pacer-thread.js", import.meta.url), { workerData: pace });
  let next = 0;
  try {
    await new Promise<void>((resolve, reject) => {
      worker.on("error", reject);
      worker.on("message", (end: number) => {
        while (next < end) due(next++);
        if (next === pace.count) resolve();
      });
    });
  } finally {
    await worker.terminate();
  }
}
