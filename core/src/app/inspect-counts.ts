/**
 * Counts as inspection answers them: how many Operations are where, in all or by Step. Used by inspect.ts, which counts,
 * and by the records of Steps.
 */
import type { Totals } from "../engine/transitions.js";

/** How many Operations of one kind are where. */
export interface CountRow {
  /** The Step, or null: all of them. */
  readonly step: string | null;
  readonly scheduled: number;
  /** On lists and parked. */
  readonly ready: number;
  /** How many of the ready ones an order key, a limit or a rate keeps; who waits for its turn by `fair` is not kept. */
  readonly blocked: number;
  readonly running: number;
  readonly failed: number;
}

/** Counts over all Segments. */
export interface CountsView {
  readonly rows: readonly CountRow[];
  /** Sums since the App's Segments began; of all Queues. */
  readonly totals: Totals;
  /** Something was counted one by one, and its budget was used up: the rows are too low. */
  readonly partial: boolean;
}
