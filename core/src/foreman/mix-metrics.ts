/** What a Foreman counts about its mix; docs and exports read this table. */
import { Metrics, type MetricTable } from "../base/metrics.js";

/** Counters and gauges of the optimiser. */
export const mixMetricTable = {
  mixApplied: { kind: "counter", sentence: "Changes of the mix that were completed." },
  mixReverted: { kind: "counter", sentence: "Changes of the mix that were taken back." },
  mixHeld: { kind: "counter", sentence: "Regular looks at the mix that left it as it was." },
  mixOverrides: { kind: "counter", sentence: "Changes of the mix that began because a pool was in need." },
  mixKept: { kind: "counter", sentence: "Times the mix was kept because its figures could not be used." },
  mixLogErrors: { kind: "counter", sentence: "Lines of worker_mix.log that could not be written." },
  stallWarnings: { kind: "counter", sentence: "Times a pool was found to stand still." },
  adviceGiven: { kind: "counter", sentence: "Times more Workers than this Foreman has were advised." },
  mixBlocking: { kind: "gauge", sentence: "Blocking Workers asked for (P)." },
  mixAsync: { kind: "gauge", sentence: "Async Workers asked for (A)." },
  mixSlots: { kind: "gauge", sentence: "Slots of each async Worker asked for (C)." },
  urgencyBlocking: { kind: "gauge", sentence: "Urgency of the blocking pool; it is helped at once from 3." },
  urgencyAsync: { kind: "gauge", sentence: "Urgency of the async pool; it is helped at once from 3." },
} as const satisfies MetricTable;

/** The metrics of one optimiser. */
export type MixMetrics = Metrics<typeof mixMetricTable>;

/** Makes them, at zero. */
export function createMixMetrics(): MixMetrics {
  return new Metrics(mixMetricTable);
}
