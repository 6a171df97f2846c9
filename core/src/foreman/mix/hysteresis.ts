/**
 * When a better mix is good enough to change to, not counting emergencies.
 *
 *   stable ──gain ≥ 10 %──▶ evaluating ──5 samples ≥ 8 %, then the next decision──▶ transitioning
 *     ▲ ▲                       │                                                       │ rollout.ts
 *     │ └──one sample below─────┘                                                       ▼
 *     └────────────────────── dwell over ◀───────────────────────────────────────── settling
 *
 * stable: the present mix is as good as any. evaluating: another one has been better for `confirmations` samples, all
 * in one direction. transitioning: stages are under way. settling: nothing is judged until the dwell is over, because
 * the figures still describe the change. Must not know: why a change is urgent, or what it costs.
 */
import type { Mix } from "./mix.js";
import type { MixSettings } from "./settings.js";

/** Where the optimiser stands; the names are those of the decision log. */
export type HysteresisState = "stable" | "evaluating" | "transitioning" | "settling";

/** Which way a change goes: Workers from one kind to the other, or more or fewer slots. */
export type Direction = "to_blocking" | "to_async" | "more_slots" | "fewer_slots";

/** The state of this file, a plain record. */
export interface Hysteresis {
  readonly state: HysteresisState;
  /** Samples in a row that spoke for `direction`; 0 unless evaluating. */
  readonly confirmations: number;
  readonly direction: Direction | null;
  /** End of settling, by the monotonic clock. */
  readonly settledAtMs: number;
  /** Length of the next settling. */
  readonly dwellMs: number;
  /** Until then a change must gain twice as much: one was made lately. */
  readonly restrainedUntilMs: number;
}

/** The part of the settings this file reads. */
export type HysteresisSettings = Pick<
  MixSettings,
  "gainToEvaluate" | "gainToConfirm" | "confirmSamples" | "dwell" | "dwellMax"
>;

/**
 * How much more the next change must gain for a while after one was applied, and for how long. Noise that lifts a gain
 * of 5 % to 10 % now and then moved the mix a second time in one of 40 steady quarter hours; this keeps it.
 */
const RESTRAINT = 2;
const RESTRAINT_MS = 15 * 60_000;

/** At rest, with an ordinary dwell. */
export function restingHysteresis(settings: HysteresisSettings): Hysteresis {
  return {
    state: "stable",
    confirmations: 0,
    direction: null,
    settledAtMs: 0,
    dwellMs: settings.dwell,
    restrainedUntilMs: 0,
  };
}

/** Which way `to` lies from `from`; null if they are the same. */
export function directionOf(from: Mix, to: Mix): Direction | null {
  if (to.blocking !== from.blocking) return to.blocking > from.blocking ? "to_blocking" : "to_async";
  if (to.async !== from.async) return to.async > from.async ? "to_async" : "to_blocking";
  if (to.slots === from.slots) return null;
  return to.slots > from.slots ? "more_slots" : "fewer_slots";
}

/** Takes one sample: the gain of the best mix and the way to it. */
export function watch(
  hysteresis: Hysteresis,
  seen: { readonly gain: number; readonly direction: Direction | null },
  nowMs: number,
  settings: HysteresisSettings,
): Hysteresis {
  const factor = nowMs < hysteresis.restrainedUntilMs ? RESTRAINT : 1;
  switch (hysteresis.state) {
    case "transitioning":
      return hysteresis;
    case "settling":
      return nowMs < hysteresis.settledAtMs ? hysteresis : rest(hysteresis);
    case "evaluating": {
      const isSameCall = seen.gain >= factor * settings.gainToConfirm && seen.direction === hysteresis.direction;
      return isSameCall ? { ...hysteresis, confirmations: hysteresis.confirmations + 1 } : rest(hysteresis);
    }
    case "stable":
      return seen.gain >= factor * settings.gainToEvaluate && seen.direction !== null
        ? { ...hysteresis, state: "evaluating", confirmations: 1, direction: seen.direction }
        : hysteresis;
  }
}

/** Whether the next decision may change the mix. */
export function isConfirmed(hysteresis: Hysteresis, settings: HysteresisSettings): boolean {
  return hysteresis.state === "evaluating" && hysteresis.confirmations >= settings.confirmSamples;
}

/** Stages begin. */
export function transition(hysteresis: Hysteresis): Hysteresis {
  return { ...hysteresis, state: "transitioning", confirmations: 0, direction: null };
}

/** A change has ended well: rest for the ordinary dwell. */
export function settle(hysteresis: Hysteresis, nowMs: number, settings: HysteresisSettings): Hysteresis {
  const dwellMs = settings.dwell;
  const restrainedUntilMs = nowMs + RESTRAINT_MS;
  return { ...rest(hysteresis), state: "settling", settledAtMs: nowMs + dwellMs, dwellMs, restrainedUntilMs };
}

/** A change was taken back: rest twice as long as before, up to the longest dwell. */
export function recoil(hysteresis: Hysteresis, nowMs: number, settings: HysteresisSettings): Hysteresis {
  const dwellMs = Math.min(2 * Math.max(hysteresis.dwellMs, settings.dwell), settings.dwellMax);
  return { ...rest(hysteresis), state: "settling", settledAtMs: nowMs + dwellMs, dwellMs };
}

function rest(hysteresis: Hysteresis): Hysteresis {
  return { ...hysteresis, state: "stable", confirmations: 0, direction: null };
}
