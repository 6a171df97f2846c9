/**
 * Taking back what a dead process held, by who saw it end: the supervisor's way, for it has no Foreman of its own.
 *
 * Starting a Foreman takes a while, all the more on a machine that is busy; others on other Nodes could run the work
 * meanwhile. So a store of its own is opened for one rescue, and closed. Stores of one process (embedded, memory) have
 * nobody else to run the work: there the next Foreman's start takes everything back.
 */
import { systemClock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import { systemRandom } from "../base/random.js";
import { FOREMAN_TIMES } from "../foreman/foreman.js";
import { Rescuer } from "../foreman/rescuer.js";
import { createCounters } from "../queue/counters.js";
import { makeStore } from "./open-store.js";

/** Where a process keeps what it holds: all that is needed to take it back. */
export interface Estate {
  readonly app: string;
  /** URLs, secrets included. */
  readonly store: string | readonly string[];
  /** The incarnation that holds. */
  readonly owner: string;
}

/** Whether another process can open this store while, or after, the first one uses it. */
export function isShared(store: string | readonly string[]): boolean {
  return typeof store !== "string" || /^(rediss?|redis\+unix):/.test(store);
}

/**
 * Rescues all that a dead owner held. Only for one whose process was seen to end: a living one would be robbed.
 * Answers how many Operations were given back. Errors: MR_STORE_UNAVAILABLE and the others of a store's `open`.
 */
export async function bury({ app, store: url, owner }: Estate, logger: Logger): Promise<number> {
  const [clock, random, counters] = [systemClock, systemRandom, createCounters()];
  const store = await makeStore({ url, app, durability: undefined, clock, random, logger });
  const { leaseMs, recoveriesMax } = FOREMAN_TIMES;
  // It surveys for itself and holds nothing: no incarnation bears an empty name.
  const rescuer = new Rescuer({ store, clock, random, counters, owner: "", leaseMs, recoveriesMax });
  // Whoever comes later than this has nothing to take back: others have waited for the Lease.
  const late = clock.setTimer(leaseMs, () => void store.close());
  try {
    await store.open();
    rescuer.bury(owner);
    const segments = await store.segments();
    await Promise.all(
      segments.map(async (segment) => {
        const { owners } = await store.counts(segment);
        await rescuer.see(
          segment,
          owners.filter((one) => one.owner === owner),
        );
      }),
    );
    return counters.get("rescued");
  } finally {
    late.cancel();
    rescuer.stop();
    await store.close();
  }
}
