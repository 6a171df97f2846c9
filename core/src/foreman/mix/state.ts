/**
 * What the optimiser is told about itself, what it remembers between samples, and what its parts hand each other.
 */
import type { AdviceWatch } from "./advice.js";
import { type DecisionEvent, type Figures, makeVerdict, type Verdict } from "./decision.js";
import type { Direction, Hysteresis } from "./hysteresis.js";
import type { Minimums } from "./minimums.js";
import type { Bounds, Mix } from "./mix.js";
import type { Pins } from "./pins.js";
import type { Rollout } from "./rollout.js";
import type { Judge } from "./search.js";
import type { MixSettings } from "./settings.js";
import type { StallWatch } from "./stalls.js";
import type { MixSample, Telemetry } from "./telemetry.js";

/** What a Foreman was told about its mix. May be another one at each step. */
export interface MixPlan {
  readonly settings: MixSettings;
  /** The configured mix; its Workers are N. */
  readonly start: Mix;
  readonly pins: Pins;
}

/** All the optimiser remembers: a plain record. */
export interface OptimiserState {
  /** The mix in force; while a change is under way, the last confirmed one. */
  readonly mix: Mix;
  /** The configured mix and the pins it was judged by: others are a new beginning. */
  readonly start: Mix;
  /** Null until pins were first looked at: they are logged then. */
  readonly pins: Pins | null;
  readonly telemetry: Telemetry;
  readonly hysteresis: Hysteresis;
  /** The change under way, if any. */
  readonly rollout: Rollout | null;
  /** A way that did harm is not tried again before this. */
  readonly refused: { readonly direction: Direction; readonly untilMs: number } | null;
  readonly minimums: Minimums;
  readonly stallWatch: StallWatch;
  readonly adviceWatch: AdviceWatch;
  readonly nextDecisionMs: number;
  /** When an unusable sample is logged again. */
  readonly keptAgainMs: number;
  /** The warnings that hold now: each is said once. */
  readonly warned: readonly string[];
}

/** One usable sample with all that was made of it. */
export interface Judgement {
  readonly state: OptimiserState;
  readonly plan: MixPlan;
  readonly sample: MixSample;
  readonly nowMs: number;
  readonly bounds: Bounds;
  readonly figures: Figures;
  readonly judge: Judge;
}

/** A part's answer: what changes in the state, what is logged, and the mix to move to now, if any. */
export interface Outcome {
  readonly change: Partial<OptimiserState>;
  readonly verdicts: readonly Verdict[];
  readonly stage: Mix | null;
}

/** Nothing changes. */
export const STAY: Outcome = { change: {}, verdicts: [], stage: null };

/** Builds a verdict from a judgement. */
export function verdictOf(
  at: Judgement,
  parts: {
    readonly event: DecisionEvent;
    readonly before: Mix;
    readonly after: Mix;
    readonly reason: string;
    readonly hysteresis: Hysteresis;
    readonly binding?: string | null;
  },
): Verdict {
  const { event, before, after, reason, hysteresis } = parts;
  return makeVerdict(at.figures, {
    event,
    before,
    after,
    reason,
    state: hysteresis.state,
    confirmations: hysteresis.confirmations,
    binding: parts.binding ?? null,
  });
}
