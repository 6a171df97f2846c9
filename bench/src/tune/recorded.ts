/** The recorded workload (record.ts) as a trace: played several times over, at a pace and a size that six Workers feel. */
import { readFileSync } from "node:fs";
import type { Recording } from "./record.js";
import { type Arrival, makeTrace, type Trace } from "./trace.js";

const FILE = new URL("../../src/tune/recorded.json", import.meta.url);
/** How often it is played, and how long one playing takes. */
const ROUNDS = 10;
const ROUND_S = 90;
/** Busy share of all Workers its service times are stretched to. */
const BUSY_SHARE = 0.65;

/** A recorded trace and how it was stretched. */
export interface Recorded {
  readonly trace: Trace;
  readonly sentence: string;
}

/** Reads the committed recording for so many Workers. */
export function loadRecorded(workers: number): Recorded {
  const { sentence, operations } = JSON.parse(readFileSync(FILE, "utf8")) as Recording; // record.ts wrote it
  const lastMs = Math.max(...operations.map(([atMs]) => atMs));
  const pace = (ROUND_S * 1_000) / (lastMs * 1.001);
  const workMs = operations.reduce((sum, [, , cpuMs]) => sum + cpuMs, 0);
  const size = (BUSY_SHARE * workers * ROUND_S * 1_000) / workMs;
  const arrivals: Arrival[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const [atMs, isBlocking, cpuMs, waitMs] of operations) {
      arrivals.push({
        atMs: round * ROUND_S * 1_000 + atMs * pace,
        isBlocking: isBlocking === 1,
        cpuMs: cpuMs * size,
        waitMs: waitMs * size,
      });
    }
  }
  const head = { name: "recorded", lengthMs: ROUNDS * ROUND_S * 1_000, cores: Number.POSITIVE_INFINITY };
  const phasesMs = Array.from({ length: 2 * ROUNDS }, (_, half) => half * ROUND_S * 500);
  const stretched = `${sentence}; ${ROUNDS} times over, ${Math.round(pace)} times slower, each ${Math.round(size)} times as long`;
  return { trace: makeTrace({ ...head, phasesMs }, arrivals), sentence: stretched };
}
