/**
 * A submission: one Operation on its way into the store, and who is to be told. Made by app, carried by lanes.
 */
import type { Ties } from "../engine/ties.js";

/** One Operation to enqueue by the fast path. Exactly one of the two methods is called, once. */
export interface Submission {
  readonly body: Uint8Array;
  /** The store has it, in this Segment; `isKept`: it is another one, which was there and holds the same key. */
  accepted(laneName: string, counter: number, segment: string, isKept?: boolean): void;
  /** It was refused (nothing happened) or its fate is unknown (MR_INDETERMINATE names its id). */
  refused(error: Error): void;
}

/** Takes submissions on their way to the store. */
export interface SubmissionSink {
  /** Enqueues at default priority, now. */
  push(queue: string, submission: Submission): void;
  /** Enqueues with a priority, a due time or ties. */
  pushFull(submission: FullSubmission): void;
  /** How many submissions have no answer yet. */
  readonly backlog: number;
  /** Refuses what was not sent, and all that comes, with `error`; what was sent is of unknown fate. */
  end(error: Error): void;
}

/** One Operation to enqueue by the full path. */
export interface FullSubmission extends Submission {
  readonly queue: string;
  readonly priority: number;
  readonly due: { readonly in: number } | { readonly at: number } | null;
  readonly ties: MeetingTies | null;
}

/** Ties, and where they meet those of others. */
export interface MeetingTies extends Ties {
  /** All Operations that could share a key, a line or a gate have the same text here; null where there is none of these. */
  readonly meet: string | null;
}
