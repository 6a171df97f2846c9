/**
 * What a Millrace process counts about itself, declared once: name, kind, meaning. Docs and exports read this table.
 */
import { Metrics, type MetricTable } from "../base/metrics.js";

/** Every counter of a process that enqueues or executes. */
export const counterTable = {
  enqueued: { kind: "counter", sentence: "Operations whose enqueue was acknowledged to this process." },
  deduplicated: { kind: "counter", sentence: "Enqueues answered by an Operation that holds the same key." },
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
  lapsed: {
    kind: "counter",
    sentence: "Operations this process ended because they waited too long, or told to end because they ran too long.",
  },
  bells: { kind: "counter", sentence: "Wake-ups received." },
  helpCalls: { kind: "counter", sentence: "Calls for help: for Segments this process attends and does not empty." },
  safetyPolls: { kind: "counter", sentence: "Slow polls that look for missed wake-ups and missed outcomes." },
  safetyFinds: { kind: "counter", sentence: "Slow polls that found something: each is a wake-up that was missed." },
  given: { kind: "counter", sentence: "Operations handed to Worker threads and processes." },
  takenBack: { kind: "counter", sentence: "Those of them that were taken back before they began." },
  rings: { kind: "counter", sentence: "Times a Worker that waited in its event loop was woken by a message." },
  ringFulls: { kind: "counter", sentence: "Times a Worker's ring had no room for what it was to be given." },
  workersStarted: { kind: "counter", sentence: "Worker threads and processes started." },
  workersLost: {
    kind: "counter",
    sentence: "Those of them that ended of themselves: a crash, an exit, out of memory.",
  },
  workersStuck: { kind: "counter", sentence: "Those of them that were ended because their loop stood still." },
  workersRecycled: { kind: "counter", sentence: "Those of them that were replaced for their size, age, work or dirt." },
  resends: { kind: "counter", sentence: "Store calls sent again after a cut or a refusal." },
  failovers: {
    kind: "counter",
    sentence: "Times this process began to write a Segment on another server than its home.",
  },
  storeChanges: {
    kind: "counter",
    sentence: "Times a server of the store came back as another: restarted, or replaced by a replica.",
  },
  storeLosses: { kind: "counter", sentence: "Times a server of the store was found emptied of all it had held." },
  announced: {
    kind: "counter",
    sentence: "Operations this process ran when a connection came back, told to the store.",
  },
  announcedStale: { kind: "counter", sentence: "Those of them that the store had taken back or given to others." },
  announcedMissing: { kind: "counter", sentence: "Those of them that the store did not know any more." },
  recovered: { kind: "counter", sentence: "Operations this process put back because the store had lost them." },
  segmentsAdopted: { kind: "counter", sentence: "Segments of Nodes that are gone from which this process took work." },
  segmentsOrphaned: { kind: "gauge", sentence: "Segments with work whose Node is gone, as this process sees it." },
  segmentsSkewed: { kind: "gauge", sentence: "Segments more than ten times as deep as the median of all." },
  nodesLive: { kind: "gauge", sentence: "Incarnations in the App's index of Nodes whose beat moves." },
} as const satisfies MetricTable;

/** The counters of one process. */
export type Counters = Metrics<typeof counterTable>;

/** Makes counters at zero. */
export function createCounters(): Counters {
  return new Metrics(counterTable);
}
