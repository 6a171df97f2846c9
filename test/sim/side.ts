/**
 * A store under comparison: takes sequences played on the reference and says what it answered to the same calls.
 */
import type { Plain } from "../helper/bytes.js";
import type { Call } from "./call.js";

/** A sequence to repeat: its Segment, and its calls with their times. */
export interface Part {
  readonly segment: string;
  readonly calls: readonly Call[];
}

/** What a side said: an answer per call, and its state in the end. `trouble` is an error in the place of both. */
export interface Outcome {
  readonly answers: readonly Plain[];
  readonly end: unknown;
  readonly trouble?: string;
}

/** A store under comparison. Sequences of one batch are of different Segments and may be run together. */
export interface Side {
  readonly name: string;
  /** Waiters are of a process: a store that was opened again has none, and they are not compared. */
  readonly forgetsWaiters: boolean;
  run(parts: readonly Part[]): Promise<readonly Outcome[]>;
  close(): Promise<void>;
}
