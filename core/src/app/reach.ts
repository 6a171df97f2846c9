/**
 * How handles and queue faces reach an App's open store, without knowing App.
 */
import type { Clock } from "../base/clock.js";
import type { StoreDurability } from "../engine/durability.js";
import type { Store } from "../engine/store.js";
import type { STORE_CALLS } from "../foreman/call-desk.js";
import type { Finder } from "../queue/finder.js";
import type { Waiters } from "../queue/waiters.js";

/** What handles and Queues ask of a store: as much as a Worker may ask of its Foreman, too. */
export type ReachStore = Pick<Store, (typeof STORE_CALLS)[number]>;

/** The services of an App to what it gives out. */
export interface Reach {
  /** Resolves once the store is open. Errors: MR_APP_CLOSED naming the method, what opening the store threw. */
  opened(method: string): Promise<void>;
  /** What an acknowledgement of the open store promises; call `opened` first, as for the rest. */
  durability(): StoreDurability;
  finder(): Pick<Finder, "find">;
  waiters(): Pick<Waiters, "wait" | "follow">;
  clock(): Clock;
  /** Calls the store, again if need be, within the App's patience. */
  call<Answer>(call: (store: ReachStore) => Promise<Answer>): Promise<Answer>;
}
