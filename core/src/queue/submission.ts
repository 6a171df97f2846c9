/**
 * A submission: one Operation on its way into the store, and who is to be told. Made by app, carried by lanes.
 */

/** One Operation to enqueue by the fast path. Exactly one of the two methods is called, once. */
export interface Submission {
  readonly body: Uint8Array;
  /** The store has it. */
  accepted(laneName: string, counter: number): void;
  /** It was refused (nothing happened) or its fate is unknown (MR_INDETERMINATE names its id). */
  refused(error: Error): void;
}

/** One Operation to enqueue by the full path. */
export interface FullSubmission extends Submission {
  readonly queue: string;
  readonly priority: number;
  readonly due: { readonly in: number } | { readonly at: number } | null;
}
