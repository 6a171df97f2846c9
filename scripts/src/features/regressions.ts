/**
 * Bugs that other queues paid for, one line a class: a test of that name shows that Millrace does not have it.
 *
 * A line belongs to an area (a file of test/regressions, unless an older test carries its name). Lines about parts
 * that are not built yet say which.
 */

/** One class of bug. */
export interface Regression {
  /** What its test is named after `regression: `. */
  readonly name: string;
  readonly area: string;
  readonly due: "now" | "later";
  /** Why it is not due; null when it is. */
  readonly reason: string | null;
}

function linesOf(area: string, names: readonly string[]): Regression[] {
  return names.map((name) => ({ name, area, due: "now", reason: null }));
}

function later(area: string, name: string, reason: string): Regression {
  return { name, area, due: "later", reason };
}

/** Every line. */
export const regressions: readonly Regression[] = [
  ...linesOf("leases", [
    "a blocked loop loses its lock and its work runs twice",
    "a stale owner writes another run's fields",
    "the beat renews a hung Worker",
    "rescue by time re-runs live work",
    "orphans wait for minutes",
    "two reapers race",
    "running without a Lease for ever",
    "one stalled entry is below the threshold and never re-sent",
    "recovery lowers the attempts, and poison lives for ever",
    "a claim is delivered again to the same Worker",
    "the beat starts after the wait for a limit",
    "lock time is confused with the check interval",
  ]),
  ...linesOf("connection", [
    "a Worker is deaf after an outage",
    "a reconnect storm",
    "scripts are gone after a failover",
    "a wrong slot, undeclared keys",
    "eviction and out of memory end in a crash loop",
  ]),
  ...linesOf("storage", [
    "trimming a stream drops unread work",
    "events and results eat memory",
    "an unbounded promote freezes the store",
    "a counter underflows on a duplicate completion",
    "LMDB is opened twice",
  ]),
  ...linesOf("keys", [
    "a ghost record swallows a re-used id",
    "a dedupe lock is stuck, or of the wrong scope",
    "debounce and order lock each other",
    "a custom id meets a generated id",
    "a dead Worker leaks limit slots",
    "order is lost on a retry",
  ]),
  ...linesOf("flows", ["two last children race, and their parent is stuck", "a retry re-runs healthy branches"]),
  ...linesOf("time", ["a delay beyond the Lease loops", "delayed work is late"]),
  later("time", "cron drifts, stops or doubles", "there are no schedules yet"),
  ...linesOf("life", [
    "shutdown hangs, or duplicates",
    "a failed child is back in the pool, or survives",
    "a pause leaks to another App",
    "a manual retry fails at once",
    "awaiting a result hangs",
    "an unhandled rejection, a leak of races",
    "leaky Workers are kept, dying ones are forked in a storm",
    "an unknown handler is retried for ever",
  ]),
  later("server", "a slow WebSocket leaves a gap", "there is no gateway yet"),
];
