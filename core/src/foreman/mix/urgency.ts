/**
 * How badly a pool needs help: u = 3·max(backlog / ref, oldest age / max age) + min(1, max(0, (in − out) / max(out, 1))).
 *
 * `ref` grows with what the pool drains: a fixed reference would call a fast pool urgent for ever.
 */
import type { Kind } from "./mix.js";
import type { MixSettings } from "./settings.js";
import { type MixSample, meanOf, type Telemetry } from "./telemetry.js";

/** The part of the settings this file reads. */
export type UrgencySettings = Pick<
  MixSettings,
  "urgencyPressure" | "urgencyGrowth" | "urgencyBacklog" | "urgencyDrain" | "urgencyMaxAge"
>;

/** Urgency of a pool from 0; at the threshold it is helped at once. A pool whose Queues are paused is not urgent. */
export function urgencyOf(kind: Kind, sample: MixSample, telemetry: Telemetry, settings: UrgencySettings): number {
  const pool = sample[kind];
  if (pool.isPaused || !pool.isRegistered) return 0;
  const seconds = sample.spanMs / 1_000;
  const incoming = pool.enqueued / seconds;
  const outgoing = pool.dequeued / seconds;
  // One second without a dequeue does not make a fast pool slow.
  const drained = Math.max(outgoing, meanOf(telemetry.dequeueRate[kind])) * (settings.urgencyDrain / 1_000);
  const reference = Math.max(settings.urgencyBacklog, drained);
  const pressure = Math.max(pool.backlog / reference, pool.oldestAgeMs / settings.urgencyMaxAge);
  const growth = Math.min(1, Math.max(0, (incoming - outgoing) / Math.max(outgoing, 1)));
  return settings.urgencyPressure * pressure + settings.urgencyGrowth * growth;
}
