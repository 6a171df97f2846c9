/**
 * How handles and queue faces reach an App's open store, without knowing App.
 */
import type { Clock } from "../base/clock.js";
import type { Store } from "../engine/store.js";
import type { Finder } from "../queue/finder.js";
import type { Waiters } from "../queue/waiters.js";

/** The services of an App to what it gives out. */
export interface Reach {
  /** Resolves once the store is open. Errors: MR_APP_CLOSED naming the method, what opening the store threw. */
  opened(method: string): Promise<void>;
  /** The open store; call `opened` first. */
  store(): Store;
  finder(): Finder;
  waiters(): Waiters;
  clock(): Clock;
  /** Calls the store, again if need be, within the App's patience. */
  call<Answer>(call: (store: Store) => Promise<Answer>): Promise<Answer>;
}
