/** Scores computed by hand, and the example that decided which of the two is the default. */
import { describe, expect, it } from "vitest";
import type { Bounds, Mix } from "./mix.js";
import {
  blockingWeight,
  gainOf,
  headroomScore,
  judgeBy,
  type Load,
  ratesOf,
  type Times,
  weightedScore,
} from "./score.js";
import { findBest } from "./search.js";

const times: Times = { blockingMs: 100, loopMs: 5, asyncMs: 50 };
const mix: Mix = { blocking: 2, async: 4, slots: 8 };

function load(parts: Partial<Load>): Load {
  return { demand: { blocking: 0, async: 0 }, pressure: { blocking: 0, async: 0 }, blockingShare: 0.5, ...parts };
}

describe("rates", () => {
  it("a blocking Worker does one after the other, async Workers are bound by their slots", () => {
    // 2 / 0.1 s; min(4 / 0.005 s, 32 / 0.05 s)
    expect(ratesOf(mix, times)).toEqual({ blocking: 20, async: 640 });
  });

  it("async Workers are bound by their loops when slots are many", () => {
    expect(ratesOf({ ...mix, slots: 64 }, times).async).toBe(800);
  });

  it("no Operation is taken to need less than a millisecond", () => {
    expect(ratesOf(mix, { blockingMs: 0, loopMs: 0, asyncMs: 0 })).toEqual({ blocking: 2_000, async: 4_000 });
  });
});

describe("O7: `weighted` reproduces scores computed by hand", () => {
  it("without anything waiting the weight is the blocking share of what was enqueued", () => {
    expect(blockingWeight(load({ blockingShare: 0.25 }))).toBe(0.25);
    // 0.25 · 20 + 0.75 · 640
    expect(weightedScore({ blocking: 20, async: 640 }, load({ blockingShare: 0.25 }))).toBe(485);
  });

  it("with queues the weight is half that share and half the blocking share of pressure", () => {
    // backlog 30 growing by 10 each second against backlog 60 that shrinks: q = 40 / 100
    const queues = load({ blockingShare: 0.2, pressure: { blocking: 40, async: 60 } });
    expect(blockingWeight(queues)).toBeCloseTo(0.3, 12);
    // 0.3 · 20 + 0.7 · 640
    expect(weightedScore({ blocking: 20, async: 640 }, queues)).toBeCloseTo(454, 9);
  });

  it("all blocking, and all async", () => {
    const rates = { blocking: 20, async: 640 };
    expect(weightedScore(rates, load({ blockingShare: 1, pressure: { blocking: 5, async: 0 } }))).toBe(20);
    expect(weightedScore(rates, load({ blockingShare: 0, pressure: { blocking: 0, async: 5 } }))).toBe(640);
  });
});

describe("headroom", () => {
  it("is the least of the pools' rates over their demands", () => {
    const rates = { blocking: 20, async: 640 };
    expect(headroomScore(rates, load({ demand: { blocking: 40, async: 640 } }))).toBe(0.5);
    expect(headroomScore(rates, load({ demand: { blocking: 18, async: 800 } }))).toBe(0.8);
  });

  it("leaves pools without demand out, and is worth no more than 1.5", () => {
    expect(headroomScore({ blocking: 0, async: 640 }, load({ demand: { blocking: 0, async: 800 } }))).toBe(0.8);
    expect(headroomScore({ blocking: 20, async: 640 }, load({ demand: { blocking: 1, async: 1 } }))).toBe(1.5);
    expect(headroomScore({ blocking: 20, async: 640 }, load({}))).toBe(1.5);
  });

  it("a gain is relative, and finite where the present score is nothing", () => {
    expect(gainOf(0.6, 0.5)).toBeCloseTo(0.2, 12);
    expect(gainOf(1, 0)).toBe(1_000);
  });
});

describe("8 Workers, 2 blocking calls of 1 s and 100 async calls of 100 ms (2 ms of them on the loop) a second", () => {
  const slow: Times = { blockingMs: 1_000, loopMs: 2, asyncMs: 100 };
  const bounds: Bounds = {
    workers: 8,
    concurrentMax: 1_000, // at 200 the cap hides some of it: then it is two, which do exactly what arrives
    workersMin: { blocking: 1, async: 1 },
    asyncPlacesMin: 3,
    slotsMax: 64,
    slotsPinned: null,
    blockingPinned: null,
  };
  const start = { blocking: 4, async: 4, slots: 8 };
  const demand = { blocking: 2, async: 100 };

  it("`weighted` settles on one blocking Worker, which does half of what arrives, for ever", () => {
    // Even when only blocking work waits: w_b = 1/102 + 1/2, and a Worker is worth 1/s there, hundreds here.
    for (const pressure of [
      { blocking: 0, async: 0 },
      { blocking: 100_000, async: 0 },
    ]) {
      const seen = load({ demand, pressure, blockingShare: 2 / 102 });
      const best = findBest(bounds, start, judgeBy("weighted", slow, seen));
      expect(best?.mix.blocking).toBe(1);
      expect(ratesOf(best?.mix ?? start, slow).blocking).toBeLessThan(demand.blocking);
    }
  });

  it("`headroom` gives both pools half as much again as they need", () => {
    const seen = load({ demand, blockingShare: 2 / 102 });
    const best = findBest(bounds, { ...start, blocking: 1, async: 7 }, judgeBy("headroom", slow, seen));
    expect(best).toMatchObject({ mix: { blocking: 3, async: 5, slots: 8 }, score: 1.5 });
  });
});
