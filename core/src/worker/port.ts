/**
 * Where a Worker hands its outcomes: answered by the Foreman (directly when inline, through rings from a thread).
 */
import type { Attempt } from "./attempt.js";

/** Takes the outcome of each Attempt, exactly one per Attempt, and its progress notes before that. */
export interface OutcomePort {
  /** It ended with a result (outcome bytes). */
  completed(attempt: Attempt, value: Uint8Array): void;
  /** It ended with an error (outcome bytes); `retryInMs` null when no Attempt is left. */
  failed(attempt: Attempt, value: Uint8Array, retryInMs: number | null): void;
  /** It is given back unharmed: `delayMs` null for at once, at the front. */
  released(attempt: Attempt, delayMs: number | null): void;
  /** It noted progress (codec bytes). */
  progressed(attempt: Attempt, value: Uint8Array): void;
}
