/**
 * Where a Worker hands its outcomes: answered by the Foreman (directly when inline, through rings from a thread).
 */
import type { Claim } from "../engine/transitions.js";
import type { AbortKind } from "../workflow/step.js";

/** What an outcome is about: an Attempt here, or the Foreman's note of one that runs in another thread or process. */
export interface Assignment {
  readonly segment: string;
  readonly claim: Claim;
  readonly step: { readonly name: string; readonly retainCompletedMs: number; readonly retainFailedMs: number };
  /** Why it was aborted, or null. */
  readonly abortKind: AbortKind | null;
  readonly operationId: string;
  /** From 1. */
  readonly attempt: number;
  /** By the producer's wall clock. */
  readonly enqueuedAtMs: number;
  /** By this process's wall clock. */
  readonly startedAtMs: number;
}

/** Takes the outcome of each Attempt, exactly one per Attempt, and its progress notes before that. */
export interface OutcomePort {
  /** It ended with a result (outcome bytes). */
  completed(assignment: Assignment, value: Uint8Array): void;
  /** It ended with an error (outcome bytes); `retryInMs` null when no Attempt is left. */
  failed(assignment: Assignment, value: Uint8Array, retryInMs: number | null): void;
  /** It is given back unharmed: `delayMs` null for at once, at the front. */
  released(assignment: Assignment, delayMs: number | null): void;
  /** It noted progress (codec bytes). */
  progressed(assignment: Assignment, value: Uint8Array): void;
}
