/**
 * Reasons (elsewhere: blockers, pending causes): what `explain` names. Imported by each kind of explanation.
 */

/** What kind of reason it is. */
export type ReasonCode =
  | "waiting_time"
  | "waiting_retry"
  | "queue_paused"
  | "limit_full"
  | "rate_empty"
  | "order_behind"
  | "priority_behind"
  | "no_worker"
  | "no_handler"
  | "node_gone"
  | "running"
  | "cancel_requested"
  | "finished"
  | "pruned"
  | "unknown"
  | "store_away";

/** One reason, for people (`text`) and for programs. */
export interface Reason {
  readonly code: ReasonCode;
  readonly text: string;
  readonly since: Date | null;
  readonly until: Date | null;
  /** What stands in the way: a Queue, a limit, a Node, another Operation. */
  readonly blocker: { readonly kind: string; readonly id: string } | null;
  /** Who holds it: incarnations or Operations. */
  readonly holders: readonly string[];
}

/** A reason without times, blocker and holders. */
export function reasonOf(code: ReasonCode, text: string): Reason {
  return { code, text, since: null, until: null, blocker: null, holders: [] };
}
