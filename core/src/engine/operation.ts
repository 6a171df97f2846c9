/**
 * The Operation (elsewhere: job, activity execution): its states, its legal moves as data, and what a reader sees.
 *
 * Pure data; imports nothing. Both stores obey `MOVES`, `docs/states.md` is checked against it, and the merge of
 * status copies (merge.ts) ranks states by their order here.
 */

/** Every state of an Operation, in rank order: of two copies of one life, the later word knows more. */
export const OPERATION_STATES = [
  "scheduled",
  "ready",
  "running",
  "skipped",
  "cancelled",
  "failed",
  "completed",
] as const;

/** One state of an Operation. */
export type OperationState = (typeof OPERATION_STATES)[number];

/** The states that end a generation. Nothing but `requeue` (which opens a new generation) leads out of them. */
export const TERMINAL_STATES = ["skipped", "cancelled", "failed", "completed"] as const;

/** One state that ends a generation. */
export type TerminalState = (typeof TERMINAL_STATES)[number];

/** Whether a state ends its generation. */
export function isTerminal(state: OperationState): state is TerminalState {
  return (TERMINAL_STATES as readonly OperationState[]).includes(state);
}

/** A legal move: which transition leads from where to where. `null` is "not there yet". */
export interface Move {
  readonly transition: string;
  readonly from: OperationState | null;
  readonly to: OperationState;
}

/** All legal moves. A transition asked for any other answers `stale`, `terminal` or `illegal` and changes nothing. */
export const MOVES: readonly Move[] = [
  { transition: "enqueue", from: null, to: "ready" },
  { transition: "enqueue_full", from: null, to: "ready" },
  { transition: "enqueue_full", from: null, to: "scheduled" },
  { transition: "enqueue_full", from: null, to: "skipped" },
  { transition: "enqueue_full", from: null, to: "cancelled" },
  { transition: "enqueue_full", from: "ready", to: "cancelled" },
  { transition: "promote", from: "scheduled", to: "ready" },
  { transition: "promote", from: "scheduled", to: "failed" },
  { transition: "promote", from: "ready", to: "failed" },
  { transition: "claim", from: "ready", to: "running" },
  { transition: "claim", from: "ready", to: "failed" },
  { transition: "claim", from: "ready", to: "skipped" },
  { transition: "claim", from: "ready", to: "cancelled" },
  { transition: "complete", from: "running", to: "completed" },
  { transition: "fail", from: "running", to: "scheduled" },
  { transition: "fail", from: "running", to: "failed" },
  { transition: "fail", from: "running", to: "cancelled" },
  { transition: "release", from: "running", to: "ready" },
  { transition: "release", from: "running", to: "scheduled" },
  { transition: "release", from: "running", to: "cancelled" },
  { transition: "release", from: "running", to: "failed" },
  { transition: "rescue", from: "running", to: "ready" },
  { transition: "rescue", from: "running", to: "failed" },
  { transition: "rescue", from: "running", to: "cancelled" },
  { transition: "cancel", from: "scheduled", to: "cancelled" },
  { transition: "cancel", from: "ready", to: "cancelled" },
  { transition: "requeue", from: "failed", to: "ready" },
];

/** Where one waits that may not go on yet: in a line behind others, or at a gate; by the name of its tie (ties.ts). */
export interface Barrier {
  readonly kind: "line" | "gate";
  readonly name: string;
}

/**
 * What a store knows of one Operation, as `find` and `peek` answer it.
 *
 * Units: times are milliseconds since 1970 by the store's clock. `attempt` is explained in
 * transitions.ts; `recoveries` counts rescues; `returns` every way back from running. `null` means "none".
 */
export interface OperationRecord {
  /** The Operation's dot, `segment.incarnation.counter`. */
  readonly id: string;
  readonly state: OperationState;
  /** `null` once the record of a fast-path Operation is finished: its Queue is no longer stored. */
  readonly queue: string | null;
  readonly priority: number;
  /** How often it was requeued, from 0. */
  readonly generation: number;
  /** The Attempt that is running or ended it; while it waits, how many Attempts have failed. */
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
  /** Fencing token of the running Attempt, else of the last one whose outcome was taken; 0 if there is none. */
  readonly token: number;
  /** Incarnation that holds it while running. */
  readonly owner: string | null;
  /** Whether a cancel was asked for while it runs. */
  readonly isCancelMarked: boolean;
  /** When a scheduled Operation becomes ready. */
  readonly dueAtMs: number | null;
  /** When it reached its terminal state. */
  readonly finishedAtMs: number | null;
  /** The enqueued bytes (envelope.ts); `null` once finished, unless it waits in the dead letters. */
  readonly body: Uint8Array | null;
  /** Outcome bytes (outcome.ts): the result if completed, the last error if one was recorded, a cancel's reason. */
  readonly value: Uint8Array | null;
  /** The latest progress bytes of the running Attempt. */
  readonly progress: Uint8Array | null;
  /** Set while it is ready and on no list: its ties keep it. */
  readonly parked: Barrier | null;
}
