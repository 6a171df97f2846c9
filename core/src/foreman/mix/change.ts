/**
 * How a change of the mix begins, goes on and ends. Why one begins is decided elsewhere: choice.ts for gain and
 * urgency, optimiser.ts for bounds.
 */
import { directionOf, recoil, settle, transition } from "./hysteresis.js";
import { type Mix, mixText } from "./mix.js";
import { advance, beginRollout, isLastStage, judgeStage, type Rollout } from "./rollout.js";
import { type Judgement, type Outcome, verdictOf } from "./state.js";

/** Begins a change in stages; asks for the first of them. */
export function beginChange(
  at: Judgement,
  change: { readonly to: Mix; readonly isUrgent: boolean; readonly reason: string; readonly binding: string | null },
): Outcome {
  const { state, bounds, nowMs } = at;
  const rollout = beginRollout({ from: state.mix, ...change }, bounds, state.telemetry, nowMs);
  const hysteresis = transition(state.hysteresis);
  const decided = verdictOf(at, {
    event: change.isUrgent ? "override" : "worker_mix_evaluated",
    before: state.mix,
    after: change.to,
    reason: change.reason,
    hysteresis: { ...hysteresis, confirmations: state.hysteresis.confirmations },
    binding: change.binding,
  });
  const stage = verdictOf(at, {
    event: "stage",
    before: state.mix,
    after: rollout.stage,
    reason: `first stage on the way to ${mixText(change.to)}`,
    hysteresis,
  });
  return { change: { rollout, hysteresis }, verdicts: [decided, stage], stage: rollout.stage };
}

/** Takes a sample into the change under way. */
export function continueChange(at: Judgement, rollout: Rollout): Outcome {
  const judged = judgeStage(rollout, at.sample, at.nowMs, at.plan.settings);
  switch (judged.verdict) {
    case "moving":
    case "confirming":
      return { change: { rollout: judged.rollout }, verdicts: [], stage: null };
    case "harmful":
      return takeBack(at, rollout, rollout.from, "output fell below 95 % of what it was, while work waited");
    case "stuck":
      return takeBack(at, rollout, rollout.reached, "no Worker changed its kind in time");
    case "confirmed":
      return isLastStage(rollout) ? finish(at, rollout) : goOn(at, rollout);
  }
}

function goOn(at: Judgement, rollout: Rollout): Outcome {
  const next = advance(rollout, at.bounds, at.nowMs);
  const stage = verdictOf(at, {
    event: "stage",
    before: next.reached,
    after: next.stage,
    reason: `the stage before is confirmed; on to ${mixText(next.to)}`,
    hysteresis: at.state.hysteresis,
  });
  return { change: { mix: next.reached, rollout: next }, verdicts: [stage], stage: next.stage };
}

function finish(at: Judgement, rollout: Rollout): Outcome {
  const hysteresis = settle(at.state.hysteresis, at.nowMs, at.plan.settings);
  const applied = verdictOf(at, {
    event: "applied",
    before: rollout.from,
    after: rollout.to,
    reason: `all stages from ${mixText(rollout.from)} are confirmed`,
    hysteresis,
  });
  return { change: { mix: rollout.to, rollout: null, hysteresis }, verdicts: [applied], stage: null };
}

/** Back to `to`, and a longer rest; the same way is refused until it is over, in an emergency too. */
function takeBack(at: Judgement, rollout: Rollout, to: Mix, why: string): Outcome {
  const hysteresis = recoil(at.state.hysteresis, at.nowMs, at.plan.settings);
  const direction = directionOf(rollout.from, rollout.to);
  const reverted = verdictOf(at, {
    event: "reverted",
    before: rollout.stage,
    after: to,
    reason: `${why}; this way is closed for ${Math.round(hysteresis.dwellMs / 1_000)} s`,
    hysteresis,
  });
  return {
    change: {
      mix: to,
      rollout: null,
      hysteresis,
      refused: direction === null ? null : { direction, untilMs: hysteresis.settledAtMs },
    },
    verdicts: [reverted],
    stage: to,
  };
}
