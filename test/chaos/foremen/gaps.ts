/**
 * How soon Foremen work again: for each of them, from the moment a store answers to the next Operation it begins.
 */

import type { ForemanEvent } from "../../checker/foremen.js";
import type { RunEvent } from "../../checker/run-history.js";
import { poll } from "../../helper/wait.js";
import type { Fleet } from "./fleet.js";
import { sharedMs } from "./journal.js";

/** The promise: every Foreman begins work within this time after the store answers. */
export const againMs = 3_000;
/** How long is waited for one that does not keep it, so that the figure says how late it was. */
const patienceMs = 30_000;

/** Milliseconds from `sinceMs` until the last of the Foremen that are up has begun something; Infinity if one did not. */
export async function worksAgain(fleet: Fleet, sinceMs: number): Promise<number> {
  const waited = await Promise.all(
    fleet.alive.map(async ({ foreman }) => {
      const { owner } = foreman;
      const first = await poll(
        () => {
          fleet.journal.read();
          return firstBegin(fleet.journal.events, owner, sinceMs);
        },
        `work of ${owner}`,
        patienceMs,
      ).catch(() => Number.POSITIVE_INFINITY);
      return first - sinceMs;
    }),
  );
  return Math.max(0, ...waited);
}

/** The longest time between two Operations any of the Foremen that are up has begun since. */
export function longestGap(fleet: Fleet, sinceMs: number): number {
  fleet.journal.read();
  const untilMs = sharedMs();
  return Math.max(
    ...fleet.alive.map(({ foreman: { owner } }) => {
      let [lastMs, longest] = [sinceMs, 0];
      for (const event of fleet.journal.events) {
        if (event.kind !== "start" || event.owner !== owner || event.atMs < sinceMs) continue;
        longest = Math.max(longest, event.atMs - lastMs);
        lastMs = event.atMs;
      }
      return Math.max(longest, untilMs - lastMs);
    }),
  );
}

/** Events are in the order in which they were written, which is nearly that of their times: the end is looked at first. */
export function firstBegin(
  events: readonly (ForemanEvent | RunEvent)[],
  owner: string,
  sinceMs: number,
): number | null {
  let found: number | null = null;
  for (let i = events.length - 1; i >= 0; i--) {
    const event = events[i];
    if (event === undefined || event.kind !== "start") continue;
    if (event.atMs < sinceMs - 1_000) break;
    if (event.owner === owner && event.atMs >= sinceMs) found = event.atMs;
  }
  return found;
}
