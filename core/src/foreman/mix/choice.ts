/**
 * Which mix would be better, and whether it is to be: at once for a pool in need, else by gain, hysteresis and dwell.
 */
import { beginChange } from "./change.js";
import { headroomText } from "./decision.js";
import { directionOf, type Hysteresis, isConfirmed, watch } from "./hysteresis.js";
import { type Bounds, KINDS, type Mix, mixText } from "./mix.js";
import { gainOf, ratesOf } from "./score.js";
import { findBest } from "./search.js";
import { type Judgement, type Outcome, verdictOf } from "./state.js";

/**
 * Least factor by which a change must raise the rate of a pool in need. Where loops are full, T_s grows with the slots:
 * more of them would always seem to give a little more, and never do.
 */
const RAISE_MIN = 1.05;

/**
 * Helps a pool in need without waiting for interval, hysteresis and dwell; null if none is in need or none can be
 * helped. Only mixes that give it more qualify; if both are in need neither may be robbed, and only slots can grow.
 */
export function help(at: Judgement): Outcome | null {
  const { figures, plan, judge } = at;
  const { mix } = at.state;
  const urgent = KINDS.filter((kind) => figures.urgencies[kind] >= plan.settings.urgencyThreshold);
  const [first] = urgent;
  if (first === undefined) return null;
  const present = ratesOf(mix, figures.times);
  const givesMore = (to: Mix): boolean => {
    const rates = ratesOf(to, figures.times);
    if (urgent.length === 1) return rates[first] >= present[first] * RAISE_MIN;
    return to.blocking === mix.blocking && to.slots > mix.slots && rates.async >= present.async * RAISE_MIN;
  };
  const best = findBest(at.bounds, mix, judge, (to) => givesMore(to) && !isRefused(at, to));
  if (best === null) return null;
  // By `headroom` a worse score means that the other pool would then be the worse off. By `weighted` it means nothing
  // of the kind: that sum would always rather starve the slower pool.
  if (plan.settings.objective === "headroom" && best.score < judge.scoreOf(mix)) return null;
  const u = Math.max(...urgent.map((kind) => figures.urgencies[kind])).toFixed(1);
  return beginChange(at, {
    to: best.mix,
    isUrgent: true,
    reason: `${urgent.join(" and ")} urgent at ${u}: ${headroomText(figures, mix)}`,
    binding: bindingOf(at, best.mix),
  });
}

/** Watches the best mix, and changes to it at the next decision if it was confirmed. */
export function weigh(at: Judgement): Outcome {
  const { state, plan, nowMs, judge } = at;
  const { mix } = state;
  const best = isWorthALook(at) ? findBest(at.bounds, mix, judge, (to) => !isRefused(at, to)) : null;
  const to = best?.mix ?? mix;
  const gain = best === null ? 0 : gainOf(best.score, judge.scoreOf(mix));
  const hysteresis = watch(state.hysteresis, { gain, direction: directionOf(mix, to) }, nowMs, plan.settings);
  if (nowMs < state.nextDecisionMs) return { change: { hysteresis }, verdicts: [], stage: null };

  const nextDecisionMs = nowMs + plan.settings.optimizationInterval;
  if (isConfirmed(hysteresis, plan.settings)) {
    const reason = `${headroomText(at.figures, mix)}; ${mixText(to)} is better by ${percent(gain)}`;
    const watched = { ...at, state: { ...state, hysteresis } };
    const begun = beginChange(watched, { to, isUrgent: false, reason, binding: bindingOf(at, to) });
    return { ...begun, change: { ...begun.change, nextDecisionMs } };
  }
  const reason = `${mixText(mix)} stays: ${headroomText(at.figures, mix)}${waitText(hysteresis, to, gain, nowMs)}`;
  const looked = verdictOf(at, {
    event: "worker_mix_evaluated",
    before: mix,
    after: mix,
    reason,
    hysteresis,
    binding: bindingOf(at, mix),
  });
  return { change: { hysteresis, nextDecisionMs }, verdicts: [looked], stage: null };
}

/** Whether a search could change anything: not while settling, nor where not even the highest score were a gain. */
function isWorthALook({ state, plan, nowMs, judge }: Judgement): boolean {
  if (nowMs >= state.nextDecisionMs || state.hysteresis.state === "evaluating") return true;
  if (nowMs < state.hysteresis.settledAtMs) return false;
  return gainOf(judge.scoreMax, judge.scoreOf(state.mix)) >= plan.settings.gainToEvaluate;
}

/** Whether this way did harm lately. */
function isRefused(at: Judgement, to: Mix): boolean {
  const { refused, mix } = at.state;
  return refused !== null && at.nowMs < refused.untilMs && directionOf(mix, to) === refused.direction;
}

function waitText(hysteresis: Hysteresis, to: Mix, gain: number, nowMs: number): string {
  if (hysteresis.state === "settling") {
    return `; settling for ${Math.round((hysteresis.settledAtMs - nowMs) / 1_000)} s more`;
  }
  if (hysteresis.state === "evaluating") {
    return `; ${mixText(to)} is better by ${percent(gain)}, confirmed ${hysteresis.confirmations} times`;
  }
  return gain > 0 ? `; ${mixText(to)} would be better by only ${percent(gain)}` : "";
}

/** Which bound keeps this mix from being better; null if no mix of any size would be. */
function bindingOf(at: Judgement, mix: Mix): string | null {
  const { bounds, judge } = at;
  const score = judge.scoreOf(mix);
  const isBetterWithin = (relaxed: Bounds): boolean => {
    const best = findBest(relaxed, mix, judge);
    return best !== null && best.score > score * (1 + 1e-9);
  };
  if (bounds.blockingPinned !== null || bounds.slotsPinned !== null) {
    if (isBetterWithin({ ...bounds, blockingPinned: null, slotsPinned: null })) return "pins";
  }
  if (isBetterWithin({ ...bounds, concurrentMax: Number.POSITIVE_INFINITY })) return "max_concurrent";
  if (isBetterWithin({ ...bounds, workersMin: { blocking: 0, async: 0 }, asyncPlacesMin: 0 })) return "minimums";
  return isBetterWithin({ ...bounds, workers: bounds.workers + 1 }) ? "workers" : null;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
