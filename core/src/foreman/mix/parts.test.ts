/** The smaller parts alone: urgency, hysteresis, rollout, minimums, stalls, advice, settings. */
import { describe, expect, it } from "vitest";
import { NO_ADVICE, utilisationOf, watchAdvice } from "./advice.js";
import { directionOf, isConfirmed, recoil, restingHysteresis, settle, watch } from "./hysteresis.js";
import { NO_MINIMUMS, neededWorkers, watchMinimums } from "./minimums.js";
import type { Bounds, Mix } from "./mix.js";
import { beginRollout, judgeStage, nextStage, type Rollout } from "./rollout.js";
import { resolveMixSettings, DEFAULT_MIX_SETTINGS as settings } from "./settings.js";
import { CALM_STALLS, NO_STALLS, type StallWatch, watchStalls } from "./stalls.js";
import { absorb, type MixSample, NO_TELEMETRY, NOBODY, type PoolSample } from "./telemetry.js";
import { urgencyOf } from "./urgency.js";

const mix: Mix = { blocking: 2, async: 4, slots: 8 };

function sample(
  blocking: Partial<PoolSample>,
  async: Partial<PoolSample> = {},
  rest: Partial<MixSample> = {},
): MixSample {
  return {
    blocking: { ...NOBODY, isRegistered: true, ...blocking },
    async: { ...NOBODY, isRegistered: true, ...async },
    readAtMs: 0,
    spanMs: 1_000,
    mix,
    isMoving: false,
    isStoreReachable: true,
    ...rest,
  };
}

describe("urgency", () => {
  const published = {
    urgencyPressure: 3,
    urgencyGrowth: 1,
    urgencyBacklog: 500,
    urgencyDrain: 5_000,
    urgencyMaxAge: 30_000,
  };
  const of = (pool: Partial<PoolSample>) => {
    const seen = sample(pool);
    return urgencyOf("blocking", seen, absorb(NO_TELEMETRY, seen), published);
  };

  it("is three times the backlog in 500s, or the oldest age in 30 s, whichever is larger, and growth", () => {
    expect(of({ backlog: 250, dequeued: 10, enqueued: 10 })).toBeCloseTo(1.5, 12);
    expect(of({ backlog: 1, oldestAgeMs: 20_000, dequeued: 10, enqueued: 10 })).toBeCloseTo(2, 12);
    expect(of({ backlog: 250, dequeued: 10, enqueued: 15 })).toBeCloseTo(2, 12);
    expect(of({ backlog: 250, dequeued: 0, enqueued: 600 })).toBeCloseTo(2.5, 12);
    expect(of({ backlog: 0, dequeued: 20, enqueued: 0 })).toBe(0);
  });

  it("a pool that drains 5,000 in 5 s is not urgent with 600 waiting", () => {
    expect(of({ backlog: 600, dequeued: 1_000, enqueued: 1_000 })).toBeCloseTo(0.36, 12);
  });

  it("a paused pool is not urgent", () => {
    expect(of({ backlog: 0, oldestAgeMs: 900_000, isPaused: true })).toBe(0);
  });
});

describe("hysteresis", () => {
  const up = "to_blocking" as const;
  const rest = restingHysteresis(settings);
  const run = (gains: readonly number[]) =>
    gains.reduce((state, gain, i) => watch(state, { gain, direction: up }, i * 1_000, settings), rest);

  it("10 % begins to be watched, 8 % keeps being watched, five in a row confirm", () => {
    expect(run([0.09]).state).toBe("stable");
    expect(run([0.1]).state).toBe("evaluating");
    expect(isConfirmed(run([0.1, 0.08, 0.08, 0.08]), settings)).toBe(false);
    expect(isConfirmed(run([0.1, 0.08, 0.08, 0.08, 0.08]), settings)).toBe(true);
    expect(isConfirmed(run([0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5]), settings)).toBe(true);
  });

  it("one sample below, or one for another way, begins anew", () => {
    expect(run([0.5, 0.5, 0.5, 0.5, 0.07])).toEqual(rest);
    const turned = watch(run([0.5, 0.5]), { gain: 0.5, direction: "to_async" }, 9_000, settings);
    expect(turned).toEqual(rest);
  });

  it("settling hears nothing until the dwell is over", () => {
    const settling = settle(run([0.5]), 1_000, settings);
    expect(watch(settling, { gain: 5, direction: up }, 60_999, settings).state).toBe("settling");
    expect(watch(settling, { gain: 5, direction: up }, 61_000, settings).state).toBe("stable");
  });

  it("the dwell doubles with each revert up to ten minutes, and an applied change makes it ordinary again", () => {
    let state = rest;
    const dwells = Array.from({ length: 6 }, () => {
      state = recoil(state, 0, settings);
      return state.dwellMs / 1_000;
    });
    expect(dwells).toEqual([120, 240, 480, 600, 600, 600]);
    expect(settle(state, 0, settings).dwellMs).toBe(60_000);
  });

  it("names the way from one mix to another", () => {
    expect(directionOf(mix, mix)).toBeNull();
    expect(directionOf(mix, { blocking: 3, async: 3, slots: 64 })).toBe("to_blocking");
    expect(directionOf(mix, { blocking: 1, async: 5, slots: 1 })).toBe("to_async");
    expect(directionOf(mix, { ...mix, slots: 9 })).toBe("more_slots");
    expect(directionOf(mix, { ...mix, slots: 7 })).toBe("fewer_slots");
  });
});

describe("rollout", () => {
  const bounds: Bounds = {
    workers: 6,
    concurrentMax: 200,
    workersMin: { blocking: 1, async: 1 },
    asyncPlacesMin: 3,
    slotsMax: 64,
    slotsPinned: null,
    blockingPinned: null,
  };
  /** 50 s of a steady 20 blocking and 100 async Operations a second. */
  const steady = Array.from({ length: 50 }, () =>
    sample({ ended: 20, runMs: 2_000, backlog: 9 }, { ended: 100, runMs: 5_000, loopMs: 500 }),
  ).reduce(absorb, NO_TELEMETRY);
  const begin = (isUrgent: boolean): Rollout =>
    beginRollout({ from: mix, to: { ...mix, blocking: 4, async: 2 }, isUrgent }, bounds, steady, 0);
  const judge = (rollout: Rollout, ends: readonly number[], pool: Partial<PoolSample> = { backlog: 9 }) => {
    let now = rollout;
    const verdicts = ends.map((ended) => {
      const seen = judgeStage(now, sample({ ...pool, ended }, { ended: 100 }, { mix: now.stage }), 1_000, settings);
      now = seen.rollout;
      return seen.verdict;
    });
    return verdicts.at(-1);
  };

  it("moves one Worker a stage, or a quarter of the slots, at least one; more slots first, fewer last", () => {
    expect(nextStage(mix, { blocking: 4, async: 2, slots: 8 }, bounds)).toEqual({ blocking: 3, async: 3, slots: 8 });
    expect(nextStage(mix, { ...mix, slots: 40 }, bounds).slots).toBe(10);
    expect(nextStage({ ...mix, slots: 2 }, { ...mix, slots: 40 }, bounds).slots).toBe(3);
    expect(nextStage(mix, { blocking: 3, async: 3, slots: 9 }, bounds)).toEqual({ ...mix, slots: 9 });
    expect(nextStage(mix, { blocking: 3, async: 3, slots: 3 }, bounds)).toEqual({ blocking: 3, async: 3, slots: 8 });
  });

  it("makes room under the cap before it adds a Worker that would not fit", () => {
    const tight = { ...bounds, concurrentMax: 34 };
    const full = { blocking: 2, async: 4, slots: 8 };
    expect(nextStage(full, { blocking: 1, async: 5, slots: 6 }, tight)).toEqual({ blocking: 2, async: 4, slots: 6 });
  });

  it("in a hurry one good sample confirms, but it takes three low ones to take a change back", () => {
    expect(judge(begin(true), [20])).toBe("confirmed");
    expect(judge(begin(true), [10])).toBe("confirming");
    expect(judge(begin(true), [10, 20])).toBe("confirmed");
    expect(judge(begin(true), [10, 10, 10])).toBe("harmful");
  });

  it("waits for the Workers, then for three samples, one if urgent", () => {
    const rollout = begin(false);
    const early = judgeStage(rollout, sample({}, {}, { isMoving: true, mix: rollout.stage }), 1_000, settings);
    expect(early.verdict).toBe("moving");
    expect(judge(rollout, [20, 20])).toBe("confirming");
    expect(judge(rollout, [20, 20, 20])).toBe("confirmed");
    expect(judge(begin(true), [20])).toBe("confirmed");
  });

  it("O5: less than 95 % in every confirming sample, while work waits, is harm", () => {
    expect(judge(begin(false), [18, 18, 18])).toBe("harmful");
    expect(judge(begin(false), [18, 18, 20])).toBe("confirmed");
    expect(judge(begin(false), [19, 19, 19])).toBe("confirmed");
  });

  it("a pool without backlog does what it is asked for: that is no harm", () => {
    expect(judge(begin(false), [2, 2, 2], { backlog: 0 })).toBe("confirmed");
  });

  it("what a pool gives up by plan is no harm either", () => {
    const seen = sample({ ended: 20 }, { ended: 75, backlog: 50 }, { mix: { blocking: 3, async: 3, slots: 8 } });
    const rollout = begin(true);
    expect(judgeStage(rollout, seen, 1_000, settings).verdict).toBe("confirmed");
    const worse = { ...seen, async: { ...seen.async, ended: 60 } };
    let now = rollout;
    const verdicts = [1, 2, 3].map(() => {
      const judged = judgeStage(now, worse, 1_000, settings);
      now = judged.rollout;
      return judged.verdict;
    });
    expect(verdicts).toEqual(["confirming", "confirming", "harmful"]);
  });

  it("what is within the usual restlessness is no harm", () => {
    const restless = Array.from({ length: 50 }, (_, i) =>
      sample({ ended: i % 2 === 0 ? 1 : 3, runMs: 1_000, backlog: 9 }),
    ).reduce(absorb, NO_TELEMETRY);
    const rollout = beginRollout(
      { from: mix, to: { ...mix, blocking: 4, async: 2 }, isUrgent: true },
      bounds,
      restless,
      0,
    );
    expect(judge(rollout, [1, 1, 1])).toBe("confirmed");
  });

  it("a Worker that never becomes free is not waited for for ever", () => {
    const rollout = begin(false);
    expect(judgeStage(rollout, sample({}), 89_999, settings).verdict).toBe("moving");
    expect(judgeStage(rollout, sample({}), 90_000, settings).verdict).toBe("stuck");
  });
});

describe("O8: chains of Operations that wait for each other", () => {
  const need = { placesPerWorker: 1, isGrowing: false, workers: 16, least: 1 };

  it("depth 20 on 16 Workers: a minimum of 8", () => {
    expect(neededWorkers({ ...need, chainDepth: 20 })).toBe(8);
  });

  it("a short chain needs its depth and one more, at least a quarter of the Workers; two more while it grows", () => {
    expect(neededWorkers({ ...need, chainDepth: 5 })).toBe(6);
    expect(neededWorkers({ ...need, chainDepth: 1 })).toBe(4);
    expect(neededWorkers({ ...need, chainDepth: 1, isGrowing: true })).toBe(6);
    expect(neededWorkers({ ...need, chainDepth: 0, isGrowing: true })).toBe(1);
  });

  it("slots of an async Worker are places too", () => {
    expect(neededWorkers({ ...need, chainDepth: 20, placesPerWorker: 8 })).toBe(4);
    expect(neededWorkers({ ...need, chainDepth: 39, placesPerWorker: 8 })).toBe(5);
  });

  it("rises at once and falls after 60 s", () => {
    const situation = { mix, workers: 16, least: { blocking: 1, async: 1 } };
    const at = (minimums: typeof NO_MINIMUMS, chainDepth: number, nowMs: number) =>
      watchMinimums(minimums, sample({ chainDepth }), situation, nowMs, settings);
    const risen = at(NO_MINIMUMS, 20, 1_000);
    expect(risen.blocking.workers).toBe(8);
    expect(at(risen, 0, 60_999).blocking.workers).toBe(8);
    expect(at(risen, 0, 61_000).blocking.workers).toBe(1);
  });

  it("a pool whose places all wait for each other stands still because of depth", () => {
    const stuck = sample({ backlog: 3, busy: 8, chainDepth: 20 }, {}, { mix: { blocking: 8, async: 8, slots: 8 } });
    let watch: StallWatch = NO_STALLS;
    const levels: string[] = [];
    for (let second = 1; second <= 30; second++) {
      const seen = watchStalls(watch, stuck, second * 1_000, settings);
      watch = seen.watch;
      levels.push(seen.stalls.blocking.level);
      if (second === 30) expect(seen.stalls.blocking).toMatchObject({ cause: "depth_exhaustion", neededWorkers: 21 });
    }
    expect(levels.indexOf("warning") + 1).toBe(15);
    expect(levels.indexOf("critical") + 1).toBe(25);
    const { advice } = watchAdvice(NO_ADVICE, stuck, CALM_STALLS, 0, settings);
    expect(advice?.reason).toBe("chain_too_deep");
  });
});

describe("stalls", () => {
  const after30 = (pool: Partial<PoolSample>, rest: Partial<MixSample> = {}) => {
    const still = sample({ backlog: 3, ...pool }, {}, rest);
    const first = watchStalls(NO_STALLS, still, 1_000, settings);
    return watchStalls(first.watch, still, 30_000, settings).stalls.blocking;
  };

  it.each([
    ["store", { busy: 2 }, { isStoreReachable: false }],
    ["paused", { backlog: 0, isPaused: true }, {}],
    ["no_handler", { hasHandler: false }, {}],
    ["depth_exhaustion", { chainDepth: 2, busy: 2 }, {}],
    ["hung_worker", { busy: 2, hung: 1 }, {}],
    ["limit", { isLimited: true, busy: 1 }, {}],
    ["unknown", { busy: 0 }, {}],
  ] as const)("%s", (cause, pool, rest) => {
    expect(after30(pool, rest)).toMatchObject({ level: "critical", cause });
  });

  it("all places progressing is saturation, not a stall", () => {
    expect(after30({ busy: 2 })).toMatchObject({ level: "saturated", cause: null });
  });

  it("one dequeue ends it, and a pool without work or Workers never stalls", () => {
    expect(after30({ backlog: 0 }).level).toBe("none");
    expect(after30({}, { mix: { ...mix, blocking: 0 } }).level).toBe("none");
    const still = sample({ backlog: 3 });
    const { watch } = watchStalls(NO_STALLS, still, 1_000, settings);
    const moved = watchStalls(watch, sample({ backlog: 3, dequeued: 1 }), 30_000, settings);
    expect(moved.watch.blocking).toBeNull();
  });
});

describe("advice to scale out", () => {
  const full = sample({ busy: 2, backlog: 900 }, { busy: 32, backlog: 0 });

  it("after 60 s of more than 90 % with more waiting than may run at once, once in five minutes", () => {
    let watch = NO_ADVICE;
    const said: number[] = [];
    for (let second = 0; second <= 700; second++) {
      const seen = watchAdvice(watch, full, CALM_STALLS, second * 1_000, settings);
      watch = seen.watch;
      if (seen.advice !== null) said.push(second);
    }
    expect(said).toEqual([60, 360, 660]);
  });

  it("a moment of calm begins the minute anew", () => {
    const busy = watchAdvice(NO_ADVICE, full, CALM_STALLS, 0, settings);
    const calm = watchAdvice(busy.watch, sample({ busy: 1 }), CALM_STALLS, 30_000, settings);
    expect(watchAdvice(calm.watch, full, CALM_STALLS, 60_000, settings).advice).toBeNull();
  });

  it("at once when both pools stand still", () => {
    const stall = { level: "warning", cause: "store", forMs: 15_000, neededWorkers: null } as const;
    const seen = watchAdvice(NO_ADVICE, sample({}), { blocking: stall, async: stall }, 0, settings);
    expect(seen.advice?.reason).toBe("both_pools_stalled");
  });

  it("a busy loop counts as much as slots that are taken", () => {
    expect(utilisationOf(sample({ busy: 2 }, { busy: 4, loopMs: 4_000 }))).toBe(1);
    expect(utilisationOf(sample({ busy: 0 }, { busy: 16 }))).toBeCloseTo(1 / 3, 12);
  });
});

describe("settings", () => {
  it("illegal ones are refused, naming what is allowed", () => {
    const refuse = (given: unknown) => {
      try {
        resolveMixSettings(given);
      } catch (error) {
        expect(error).toMatchObject({ code: "MR_INVALID_OPTION" });
        return (error as Error).message;
      }
      return "accepted";
    };
    expect(refuse({ objectiv: "headroom" })).toContain("did you mean `objective`?");
    expect(refuse({ objective: "speed" })).toContain('one of "headroom", "weighted"');
    expect(refuse({ maxConcurrent: 3 })).toContain("4…");
    expect(refuse({ urgencyThreshold: 0 })).toContain("mix.urgencyThreshold");
    expect(refuse({ urgencyPressure: Number.NaN })).toContain("mix.urgencyPressure");
    expect(refuse({ confirmSamples: 2.5 })).toContain("integer");
    expect(refuse({ dwell: "soon" })).toContain("mix.dwell");
    expect(refuse({ gainToConfirm: 0.2 })).toContain("at most gainToEvaluate (0.1)");
    expect(refuse({ dwell: "20m" })).toContain("at most dwellMax");
    expect(refuse({ stallWarning: "30s" })).toContain("at most stallCritical");
  });
});
