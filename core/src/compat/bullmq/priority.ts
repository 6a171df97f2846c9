/**
 * BullMQ's priorities (0 before all, then 1 … 2,097,152, a smaller number first) in Millrace's (-1000 … 1000, a larger
 * number first). Never turned round: of two jobs the one BullMQ would take first never comes second here, but far down
 * the scale neighbours become equals, and equals go first come, first served.
 */
import { createError, show } from "../../base/errors.js";

/** The largest number of BullMQ. */
export const PRIORITY_MAX = 2 ** 21;
/** Up to here each number has a priority of its own. */
export const PRIORITY_EXACT_MAX = 500;
const LOWEST = 1000;

/** Translates a priority; 0 stays 0, the fast path. Errors: MR_INVALID_OPTION. */
export function priorityOf(given: number): number {
  if (!Number.isInteger(given) || given < 0 || given > PRIORITY_MAX) {
    const problem = `expected an integer from 0 to ${PRIORITY_MAX}, got ${show(given)}`;
    throw createError("MR_INVALID_OPTION", { path: "job.priority", problem });
  }
  if (given === 0) return 0;
  if (given <= PRIORITY_EXACT_MAX) return -given;
  // The rest shares what is left of the scale by its logarithm.
  const share = Math.log(given / PRIORITY_EXACT_MAX) / Math.log(PRIORITY_MAX / PRIORITY_EXACT_MAX);
  return -Math.min(LOWEST, PRIORITY_EXACT_MAX + Math.ceil(share * (LOWEST - PRIORITY_EXACT_MAX)));
}
