/**
 * Once a second: what processes and the store use, and how far the harness's own loop lags.
 */
import { readdirSync, readFileSync } from "node:fs";
import { sharedMs } from "../foremen/journal.js";
import type { Place } from "./place.js";

/** One look. */
export interface Sample {
  readonly atMs: number;
  /** Of all Foremen that are up. */
  readonly rssMb: number;
  readonly descriptors: number;
  readonly threads: number;
  readonly usedMb: number;
  readonly keys: number;
  readonly callUs: number;
  /** How late this look was. */
  readonly lagMs: number;
}

const everyMs = 1_000;

/** Looks once a second until it is stopped. */
export class Sampler {
  readonly samples: Sample[] = [];
  readonly #place: Place;
  readonly #pids: () => readonly number[];
  #timer: NodeJS.Timeout | null = null;

  constructor(place: Place, pids: () => readonly number[]) {
    this.#place = place;
    this.#pids = pids;
  }

  start(): void {
    let dueMs = sharedMs() + everyMs;
    this.#timer = setInterval(() => {
      const lagMs = Math.max(0, sharedMs() - dueMs);
      dueMs = sharedMs() + everyMs;
      void this.#look(lagMs).catch(() => undefined); // a store that is away has no figures
    }, everyMs);
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
  }

  async #look(lagMs: number): Promise<void> {
    const { usedBytes, keys, callUs } = await this.#place.sample();
    let [rssKb, descriptors, threads] = [0, 0, 0];
    for (const pid of this.#pids()) {
      const status = read(`/proc/${pid}/status`);
      rssKb += Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0);
      threads += Number(/Threads:\s+(\d+)/.exec(status)?.[1] ?? 0);
      descriptors += count(`/proc/${pid}/fd`);
    }
    const [rssMb, usedMb] = [rssKb / 1_024, usedBytes / 2 ** 20];
    this.samples.push({ atMs: sharedMs(), rssMb, descriptors, threads, usedMb, keys, callUs, lagMs });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // it has just died
  }
}

function count(path: string): number {
  try {
    return readdirSync(path).length;
  } catch {
    return 0;
  }
}
