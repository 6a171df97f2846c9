/**
 * What a run under faults leaves behind, in three kinds of records: what clients were told, what handlers did, and
 * what the store says in the end. The checker reads nothing else.
 */
import type { OperationState } from "@millrace/core/internal";

/** One call of a client to enqueue: `unknown` while there is no answer, and when it was lost. */
export interface EnqueueEvent {
  readonly kind: "enqueue";
  readonly id: string;
  /** Digest of what was sent. */
  readonly hash: string;
  readonly answer: "acknowledged" | "refused" | "unknown";
}

/** A handler began, written by itself before anything else it does. */
export interface StartEvent {
  readonly kind: "start";
  readonly id: string;
  readonly generation: number;
  readonly attempt: number;
  readonly token: number;
  readonly owner: string;
  /** Digest of what it received. */
  readonly hash: string;
}

/** An Attempt's end was reported; `unknown` when the answer was lost. */
export interface OutcomeEvent {
  readonly kind: "outcome";
  readonly transition: "complete" | "fail" | "release";
  readonly id: string;
  readonly generation: number;
  readonly token: number;
  readonly owner: string;
  readonly answer: "ok" | "duplicate" | "stale" | "unknown";
  /** When the answer was read, by the clock the machine's processes share, if that was written down. */
  readonly atMs?: number;
}

/** What the store says of an Operation after all faults are healed and all work has drained. */
export interface EndEvent {
  readonly kind: "end";
  readonly id: string;
  readonly state: OperationState | "pruned" | "missing";
}

export type HistoryEvent = EnqueueEvent | StartEvent | OutcomeEvent | EndEvent;

/** The bounds a run was configured with. */
export interface Bounds {
  /** Attempts an Operation has: first one and retries. */
  readonly attemptsMax: number;
  /** How often it may be rescued. */
  readonly recoveriesMax: number;
  /** No process, connection or server was harmed: then every start beyond the Attempts is one too many. */
  readonly isFaultFree: boolean;
}

/** One broken promise. */
export interface Violation {
  readonly promise: PromiseName;
  readonly id: string;
  readonly says: string;
}

/** The promises that are checked. */
export type PromiseName =
  | "no fabrication"
  | "no loss"
  | "fidelity"
  | "one accepted outcome"
  | "one completion"
  | "owner and token once"
  | "tokens rise"
  | "bounded starts"
  | "no start after the end"
  | "drained";
