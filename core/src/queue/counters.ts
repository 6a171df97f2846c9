/**
 * What a Millrace process counts about itself, declared once: name, kind, meaning. Docs and exports read this table.
 */
import { Metrics, type MetricTable } from "../base/metrics.js";

/** Every counter of a process that enqueues or executes. */
export const counterTable = {
  enqueued: { kind: "counter", sentence: "Operations whose enqueue was acknowledged to this process." },
  enqueueCalls: { kind: "counter", sentence: "Store calls that carried those Operations." },
  claimed: { kind: "counter", sentence: "Operations claimed by this process." },
  claimCalls: { kind: "counter", sentence: "Store calls that asked for work." },
  emptyClaims: { kind: "counter", sentence: "Those of them that found none." },
  started: { kind: "counter", sentence: "Attempts begun." },
  completed: { kind: "counter", sentence: "Completions acknowledged by the store." },
  failed: { kind: "counter", sentence: "Operations moved to the dead letters by this process." },
  retried: { kind: "counter", sentence: "Attempts that ended in a planned retry." },
  released: { kind: "counter", sentence: "Operations given back unharmed." },
  cancelled: { kind: "counter", sentence: "Running Operations that ended because they were cancelled." },
  stale: { kind: "counter", sentence: "Outcomes the store refused because the Operation had another owner." },
  outcomeCalls: { kind: "counter", sentence: "Store calls that carried outcomes." },
  beats: { kind: "counter", sentence: "Beats sent." },
  rescued: { kind: "counter", sentence: "Operations this process took back from silent owners." },
  promoted: { kind: "counter", sentence: "Due Operations this process made ready." },
  bells: { kind: "counter", sentence: "Wake-ups received." },
  safetyPolls: { kind: "counter", sentence: "Slow polls that look for missed wake-ups and missed outcomes." },
  safetyFinds: { kind: "counter", sentence: "Slow polls that found something: each is a wake-up that was missed." },
  resends: { kind: "counter", sentence: "Store calls sent again after a cut or a refusal." },
} as const satisfies MetricTable;

/** The counters of one process. */
export type Counters = Metrics<typeof counterTable>;

/** Makes counters at zero. */
export function createCounters(): Counters {
  return new Metrics(counterTable);
}
