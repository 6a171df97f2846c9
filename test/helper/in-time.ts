/**
 * Judges how long something took. A machine that is busy with something else may stretch it once, what is slow of itself
 * is slow each time: a test that fails by this alone is run again, see vitest.config.ts. Whatever else fails a test
 * fails it at once, as what happens now and then is a finding.
 */
import { expect } from "vitest";

/** How the message of such a failure begins. */
export const LATE = "too late";

/** The failures after which a test is run again, and how often. */
export const LATE_AGAIN = { count: 2, condition: new RegExp(`^${LATE}`) };

/** Fails unless `tookMs` is below the bound. */
export function expectInTime(tookMs: number, boundMs: number, told = ""): void {
  expect(tookMs, told === "" ? LATE : `${LATE}: ${told}`).toBeLessThan(boundMs);
}
