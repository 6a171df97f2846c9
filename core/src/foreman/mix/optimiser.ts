/**
 * The mix optimiser (elsewhere: autoscaler of a fixed pool): a sample in, the next state and what to do out. No clock
 * and no I/O, so the same samples give the same decisions in a Foreman, in a test and in the simulator of `bench tune`.
 *
 * Each second, in this order: are the figures usable · does the mix keep its bounds (cap, pilot light, chains, pins) ·
 * a change under way is judged · a pool in need is helped at once · else gain, hysteresis, dwell and the next decision.
 * docs/mix.md tells the same with reasons, an example and the log it leaves.
 */
import { type Advice, NO_ADVICE, watchAdvice } from "./advice.js";
import { continueChange } from "./change.js";
import { help, weigh } from "./choice.js";
import { type Figures, makeVerdict, type Verdict } from "./decision.js";
import { restingHysteresis, settle } from "./hysteresis.js";
import { NO_MINIMUMS, watchMinimums } from "./minimums.js";
import { isSameMix, isWithin, type Mix, mixText, type PerPool } from "./mix.js";
import { boundsOf, isPinned, type PinnedBounds, type Pins } from "./pins.js";
import { judgeBy } from "./score.js";
import { findNearest } from "./search.js";
import { CALM_STALLS, NO_STALLS, type Stall, watchStalls } from "./stalls.js";
import { type Judgement, type MixPlan, type OptimiserState, type Outcome, STAY, verdictOf } from "./state.js";
import { absorb, loadOf, type MixSample, NO_TELEMETRY, NOBODY, timesOf, whyUnusable } from "./telemetry.js";
import { urgencyOf } from "./urgency.js";

/** What one sample led to. */
export interface StepResult {
  readonly state: OptimiserState;
  /** Lines for the log, in order. */
  readonly verdicts: readonly Verdict[];
  /** The mix to move to now; null to stay. */
  readonly stage: Mix | null;
  /** Sentences for the program's log; each is said once while it holds. */
  readonly warnings: readonly string[];
  readonly stalls: PerPool<Stall>;
  readonly advice: Advice | null;
  readonly urgencies: PerPool<number>;
}

/** Begins: the configured mix within its bounds, for the Workers to start with. */
export function beginOptimiser(
  plan: MixPlan,
  isRegistered: PerPool<boolean>,
  nowMs: number,
): { readonly state: OptimiserState; readonly warnings: readonly string[] } {
  const { settings, start, pins } = plan;
  const pilot = { blocking: settings.pilotBlocking, async: settings.pilotAsync };
  const { bounds, warnings } = boundsIn(plan, isRegistered, pilot);
  const state: OptimiserState = {
    mix: findNearest(bounds, start) ?? start,
    start,
    pins: null,
    telemetry: NO_TELEMETRY,
    hysteresis: restingHysteresis(settings),
    rollout: null,
    refused: null,
    minimums: NO_MINIMUMS,
    stallWatch: NO_STALLS,
    adviceWatch: NO_ADVICE,
    nextDecisionMs: nowMs + settings.optimizationInterval,
    keptAgainMs: nowMs,
    warned: warnings,
  };
  return { state: isPinned(pins) ? state : { ...state, pins }, warnings };
}

/** Takes one sample; null: none could be made. `nowMs` is by a monotonic clock, the one of `sample.readAtMs`. */
export function step(state: OptimiserState, sample: MixSample | null, nowMs: number, plan: MixPlan): StepResult {
  const problem = whyUnusable(sample, nowMs, plan.settings.telemetryMaxAge);
  if (sample === null || problem !== null) return keep(state, nowMs, plan, problem ?? "no telemetry");

  const { settings } = plan;
  const isRegistered = { blocking: sample.blocking.isRegistered, async: sample.async.isRegistered };
  const least = { blocking: settings.pilotBlocking, async: settings.pilotAsync };
  const workers = plan.start.blocking + plan.start.async;
  const minimums = watchMinimums(state.minimums, sample, { mix: state.mix, workers, least }, nowMs, settings);
  const workersMin = { blocking: minimums.blocking.workers, async: minimums.async.workers };
  const { bounds, warnings } = boundsIn(plan, isRegistered, workersMin);

  const telemetry = absorb(state.telemetry, sample);
  const load = loadOf(telemetry, sample, settings.demandHorizon);
  const times = timesOf(telemetry);
  const urgencies = {
    blocking: urgencyOf("blocking", sample, telemetry, settings),
    async: urgencyOf("async", sample, telemetry, settings),
  };
  const { watch: stallWatch, stalls } = watchStalls(state.stallWatch, sample, nowMs, settings);
  const { watch: adviceWatch, advice } = watchAdvice(state.adviceWatch, sample, stalls, nowMs, settings);

  const seen = { ...state, telemetry, minimums, stallWatch, adviceWatch, keptAgainMs: nowMs, warned: warnings };
  const figures = { sample, load, times, urgencies, minimums: workersMin, objective: settings.objective };
  const judge = judgeBy(settings.objective, times, load);
  const outcome = decide({ state: seen, plan, sample, nowMs, bounds, figures, judge });
  return {
    state: { ...seen, start: plan.start, pins: plan.pins, ...outcome.change },
    verdicts: outcome.verdicts,
    stage: outcome.stage,
    warnings: warnings.filter((warning) => !state.warned.includes(warning)),
    stalls,
    advice,
    urgencies,
  };
}

function decide(at: Judgement): Outcome {
  const held = holdBounds(at);
  if (held !== null) return held;
  const { rollout } = at.state;
  if (!at.plan.settings.autoOptimize) {
    // Switched off during a change: what was asked for last is what stays.
    return rollout === null ? STAY : { ...STAY, change: { rollout: null, mix: rollout.stage } };
  }
  return rollout === null ? (help(at) ?? weigh(at)) : continueChange(at, rollout);
}

/** Bounds and what was configured come before everything: a mix that breaks them is left at once, in one move. */
function holdBounds(at: Judgement): Outcome | null {
  const { state, plan, bounds } = at;
  const isConfigured = isSameMix(state.start, plan.start) && isSamePins(state.pins, plan.pins);
  const asked = state.rollout?.stage ?? state.mix;
  if (isConfigured && isWithin(state.rollout?.to ?? state.mix, bounds)) return null;
  const after = findNearest(bounds, isSameMix(state.start, plan.start) ? state.mix : plan.start) ?? state.mix;
  const hysteresis = isSameMix(asked, after) ? state.hysteresis : settle(state.hysteresis, at.nowMs, plan.settings);
  const verdict = verdictOf(at, {
    event: isPinned(plan.pins) ? "pinned" : "applied",
    before: asked,
    after,
    reason: `${isConfigured ? "the bounds have moved" : "this mix is configured"}: ${boundsText(at)}`,
    hysteresis,
    binding: isPinned(plan.pins) ? "pins" : "bounds",
  });
  return { change: { mix: after, rollout: null, hysteresis }, verdicts: [verdict], stage: after };
}

/** The figures cannot be used: nothing moves, which is said once in each interval. */
function keep(state: OptimiserState, nowMs: number, { settings }: MixPlan, problem: string): StepResult {
  const silent = { stage: null, stalls: CALM_STALLS, advice: null, urgencies: NOTHING };
  if (nowMs < state.keptAgainMs) return { ...silent, state, verdicts: [], warnings: [] };
  const figures: Figures = {
    sample: { ...NO_SAMPLE, mix: state.mix },
    load: { demand: NOTHING, pressure: NOTHING, blockingShare: 0.5 },
    times: timesOf(state.telemetry),
    urgencies: NOTHING,
    minimums: { blocking: state.minimums.blocking.workers, async: state.minimums.async.workers },
    objective: settings.objective,
  };
  const verdict = makeVerdict(figures, {
    event: "kept",
    before: state.mix,
    after: state.mix,
    state: state.hysteresis.state,
    confirmations: state.hysteresis.confirmations,
    binding: "telemetry",
    reason: `${mixText(state.mix)} is kept: ${problem}`,
  });
  const next = { ...state, keptAgainMs: nowMs + settings.optimizationInterval };
  return { ...silent, state: next, verdicts: [verdict], warnings: [`the mix is kept: ${problem}`] };
}

const NOTHING: PerPool<number> = { blocking: 0, async: 0 };
const NO_SAMPLE: Omit<MixSample, "mix"> = {
  blocking: NOBODY,
  async: NOBODY,
  readAtMs: 0,
  spanMs: 1_000,
  isMoving: false,
  isStoreReachable: false,
};

function boundsIn(plan: MixPlan, isRegistered: PerPool<boolean>, workersMin: PerPool<number>): PinnedBounds {
  const { start, pins, settings } = plan;
  // Who keeps the mix himself may run as much as he likes; the cap is for what is decided here, and for pins.
  const isCapped = settings.autoOptimize || isPinned(pins);
  const concurrentMax = isCapped ? settings.maxConcurrent : Number.POSITIVE_INFINITY;
  return boundsOf({ start, isRegistered, pins, concurrentMax, workersMin });
}

function boundsText({ bounds, figures }: Judgement): string {
  const { blocking, async } = figures.minimums;
  return `${bounds.workers} Workers, at least P ${blocking} · A ${async}, at most ${bounds.concurrentMax} at once`;
}

function isSamePins(a: Pins | null, b: Pins): boolean {
  return a !== null && a.blocking === b.blocking && a.async === b.async && a.slots === b.slots;
}
