/**
 * Runs a test's body under many seeds and names the one it failed with (elsewhere: property runner).
 */
import { toRemoteError } from "../base/errors.js";

/**
 * Calls `body` with each seed, one after the other: a number for the seeds 1 to so many, or the seeds themselves.
 *
 * Errors: that of the first body that failed, with its seed in front of the message; `cause` is the error itself.
 */
export async function forSeeds(
  seeds: number | readonly number[],
  body: (seed: number) => Promise<void> | void,
): Promise<void> {
  const list = typeof seeds === "number" ? Array.from({ length: seeds }, (_, i) => i + 1) : seeds;
  for (const seed of list) {
    try {
      await body(seed);
    } catch (error) {
      throw new Error(`with seed ${seed}: ${toRemoteError(error).message}`, { cause: error });
    }
  }
}
