/** The reference table, and what is measured beside each of its rows. */
import type { Bill, CourseFindings } from "./fleet.js";

/** A row of the reference table: what so many Nodes do elsewhere. */
export interface Reference {
  readonly nodes: number;
  readonly perSecond: number;
  readonly latencyMs: number;
}

/** The reference table. */
export const references: readonly Reference[] = [
  { nodes: 1, perSecond: 1_000, latencyMs: 10 },
  { nodes: 3, perSecond: 2_800, latencyMs: 12 },
  { nodes: 5, perSecond: 4_500, latencyMs: 15 },
  { nodes: 10, perSecond: 8_000, latencyMs: 20 },
];

/** How much more throughput, and how much less latency, a row must have. */
export const throughputFactor = 5;
export const latencyShare = 1 / 2;

/** One round of one row. */
export interface Round {
  readonly closed: CourseFindings;
  readonly open: CourseFindings;
}

/** Everything measured of one row. */
export interface Row {
  readonly reference: Reference;
  readonly rounds: readonly Round[];
  readonly idle: Bill;
  readonly failures: readonly string[];
}

/** The same courses with a longer network; one round. */
export interface DelayedRow extends Row {
  readonly pingUs: number;
}

/** One Node enqueues more than it can run alone; the others have nothing of their own. */
export interface Help {
  readonly nodes: number;
  readonly perSecond: number;
  readonly serviceMs: number;
  readonly course: CourseFindings;
}
