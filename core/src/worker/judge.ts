/**
 * What follows from an Attempt's error: another Attempt, a release, or the end. Pure but for the jitter's chance.
 */
import { delayAfter } from "../base/backoff.js";
import { parseDuration } from "../base/duration.js";
import { isMillraceError, toRemoteError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { StepDefinition } from "../workflow/step.js";

/** `retry` burns an Attempt, `release` does not (null: at once), `end` sends it to the dead letters. */
export type Verdict =
  | { readonly kind: "retry"; readonly inMs: number }
  | { readonly kind: "release"; readonly inMs: number | null }
  | { readonly kind: "end"; readonly error: unknown };

const END_AT_ONCE = [
  "MR_TERMINAL",
  "MR_BATCH_RESULT",
  "MR_NOT_SERIALISABLE",
  "MR_RESULT_NOT_SERIALISABLE",
  "MR_TOO_LARGE",
  "MR_DECODE",
] as const;

/**
 * Judges an error thrown by Attempt number `attempt` of a Step that may have `retries` extra ones.
 *
 * A rule of the user's that itself throws (backoff, retryOn, a bad RetryAfter) ends the Operation with that error:
 * hiding it behind retries would hide the bug.
 */
export function judge(step: StepDefinition, retries: number, attempt: number, error: unknown, random: Random): Verdict {
  try {
    if (isMillraceError(error, "MR_RETRY_AFTER")) return { kind: "release", inMs: delayOf(error) };
    if (END_AT_ONCE.some((code) => isMillraceError(error, code))) return { kind: "end", error };
    const asError = asErrorOf(error);
    if (attempt > retries || step.retryOn?.(asError) === false) return { kind: "end", error };
    return { kind: "retry", inMs: delayAfter(step.backoff, attempt, asError, random) };
  } catch (broken) {
    return { kind: "end", error: broken };
  }
}

/** What is no error, or will not say whether it is one, still has a text. */
export function asErrorOf(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown;
  } catch {
    // A Proxy whose trap throws: described below, like anything else that is no error.
  }
  return new Error(toRemoteError(thrown).message);
}

/** A RetryAfter of another copy of this package is recognised by its brand, so its field is read, not assumed. */
function delayOf(error: object): number {
  return parseDuration((error as { delay?: unknown }).delay, "RetryAfter(delay)");
}
