/**
 * How long to wait between two Attempts. Arithmetic only: who stores the wait and who wakes up is elsewhere.
 */
import { type Duration, parseDuration } from "./duration.js";
import type { Random } from "./random.js";

/** A user's own rule: the number of failed Attempts so far (from 1) and the last error → the wait. */
export type BackoffFunction = (failedAttempts: number, error: Error) => Duration;

/** How waits grow: `exponential` by a factor, `linear` by the first delay, `fixed` not at all. */
export type Backoff = "exponential" | "linear" | "fixed" | BackoffFunction;

/** What decides the wait after a failed Attempt. */
export interface BackoffPolicy {
  /** Wait after the first failed Attempt, in milliseconds. */
  readonly retryDelayMs: number;
  readonly backoff: Backoff;
  /** Growth of an exponential wait per failed Attempt. */
  readonly factor: number;
  /** No wait is longer. */
  readonly maxRetryDelayMs: number;
  /** How much of a wait chance may take away, 0 (none) … 1 (all of it). */
  readonly jitter: number;
}

/** The policy when nothing is said: 1 s, 2 s, 4 s … up to one hour, without jitter. */
export const defaultBackoff: BackoffPolicy = Object.freeze({
  retryDelayMs: 1_000,
  backoff: "exponential",
  factor: 2,
  maxRetryDelayMs: 3_600_000,
  jitter: 0,
});

/**
 * Returns how long to wait after `failedAttempts` failed Attempts, of which the last ended with `error`.
 *
 * Units:  whole milliseconds, 0 … `maxRetryDelayMs`. The cap comes first, then the jitter, which only shortens:
 *         the wait is multiplied by 1 − jitter × random, so it never exceeds the cap and spreads also at the cap.
 * Errors: what the user's function throws; MR_INVALID_OPTION if it returns no duration.
 */
export function delayAfter(policy: BackoffPolicy, failedAttempts: number, error: Error, random: Random): number {
  const wanted = wantedMs(policy, failedAttempts, error);
  const capped = Math.min(wanted, policy.maxRetryDelayMs);
  if (policy.jitter === 0) return Math.round(capped);
  return Math.round(capped * (1 - policy.jitter * random.next()));
}

function wantedMs(policy: BackoffPolicy, failedAttempts: number, error: Error): number {
  const { backoff, retryDelayMs, factor } = policy;
  if (typeof backoff === "function") return parseDuration(backoff(failedAttempts, error), "backoff(…)");
  if (retryDelayMs === 0 || backoff === "fixed") return retryDelayMs; // 0 × Infinity would be no number
  if (backoff === "linear") return retryDelayMs * failedAttempts;
  return retryDelayMs * factor ** (failedAttempts - 1);
}
