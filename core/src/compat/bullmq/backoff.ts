/**
 * Waits between attempts. BullMQ says them job by job and lets a rule of the program's own take its time; Millrace asks
 * its Step at once. So the wait is worked out where the processor failed and travels beside the error it threw.
 */
import type { Random } from "../../base/random.js";
import { unsupported } from "./refusals.js";
import type { BackoffOptions, BackoffStrategy, Loose } from "./types.js";

/** "No further attempt." */
export const NO_FURTHER_ATTEMPT = -1;
const WAIT_MS_MAX = 365 * 86_400_000;
const waits = new WeakMap<Error, number>();

/** Notes how long to wait after this error; NO_FURTHER_ATTEMPT for never. */
export function noteWait(error: Error, waitMs: number): void {
  waits.set(error, waitMs);
}

/** How long to wait after this error: 0 if nothing was noted. */
export function waitOf(error: Error): number {
  return waits.get(error) ?? 0;
}

/** What a wait is worked out from. */
export interface FailedTry {
  readonly backoff: number | BackoffOptions | undefined;
  /** From 1. */
  readonly attemptsMade: number;
  readonly error: Error;
  readonly job: Loose;
  readonly strategy: BackoffStrategy | undefined;
  readonly random: Random;
}

/** Milliseconds until the next attempt, or NO_FURTHER_ATTEMPT. Errors: what the program's own rule throws. */
export function waitAfter(failed: FailedTry): number | Promise<number> {
  const { backoff, attemptsMade, error, job, strategy, random } = failed;
  if (backoff === undefined || backoff === 0) return 0;
  const { type, delay = 0, jitter = 0 } = typeof backoff === "number" ? { type: "fixed", delay: backoff } : backoff;
  if (type === "fixed") return bounded(delay * (1 - jitter * random.next()));
  if (type === "exponential") {
    return bounded(delay === 0 ? 0 : delay * 2 ** (attemptsMade - 1) * (1 - jitter * random.next()));
  }
  if (strategy === undefined) {
    throw unsupported(
      `backoff type \`${type}\``,
      "give the Worker `settings.backoffStrategy`, or use fixed, exponential",
    );
  }
  const wait = strategy(attemptsMade, type, error, job);
  return typeof wait === "number" ? checked(wait) : wait.then(checked);
}

function checked(wait: number): number {
  return wait === NO_FURTHER_ATTEMPT ? wait : bounded(wait);
}

function bounded(wait: number): number {
  return Number.isFinite(wait) ? Math.min(Math.max(0, Math.round(wait)), WAIT_MS_MAX) : WAIT_MS_MAX;
}
