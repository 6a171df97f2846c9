/** What is believed, and what is made of it. */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.js";
import {
  absorb,
  blockingShareOf,
  loadOf,
  type MixSample,
  NO_TELEMETRY,
  NOBODY,
  type PoolSample,
  rateOf,
  type Telemetry,
  timesOf,
  whyUnusable,
} from "./telemetry.js";

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
    mix: { blocking: 2, async: 4, slots: 8 },
    isMoving: false,
    isStoreReachable: true,
    ...rest,
  };
}

function absorbAll(samples: readonly MixSample[]): Telemetry {
  return samples.reduce(absorb, NO_TELEMETRY);
}

describe("times", () => {
  it("are assumed under 20 Operations: 100, 5 and 50 ms", () => {
    const few = absorbAll([sample({ ended: 19, runMs: 19 * 700 }, { ended: 19, runMs: 19, loopMs: 19 })]);
    expect(timesOf(few)).toEqual({ blockingMs: 100, loopMs: 5, asyncMs: 50 });
    const enough = absorb(few, sample({ ended: 1, runMs: 700 }));
    expect(timesOf(enough).blockingMs).toBeCloseTo(700, 9);
    expect(timesOf(enough).asyncMs).toBe(50);
  });

  it("follow a change by a fifth each second", () => {
    const before = absorbAll(Array.from({ length: 40 }, () => sample({ ended: 10, runMs: 1_000 })));
    expect(timesOf(before).blockingMs).toBeCloseTo(100, 6);
    const after = absorb(before, sample({ ended: 10, runMs: 6_000 }));
    expect(timesOf(after).blockingMs).toBeCloseTo(200, 0);
  });

  it("one slow Operation alone in its second moves the mean by a fiftieth only", () => {
    const before = absorbAll(Array.from({ length: 40 }, () => sample({ ended: 10, runMs: 1_000 })));
    expect(timesOf(absorb(before, sample({ ended: 1, runMs: 2_100 }))).blockingMs).toBeCloseTo(140, 0);
  });

  it("seconds without an end change nothing", () => {
    const before = absorbAll([sample({ ended: 30, runMs: 6_000 })]);
    expect(timesOf(absorb(before, sample({})))).toEqual(timesOf(before));
  });
});

describe("the blocking share", () => {
  it("counts what was enqueued, not what was executed", () => {
    const starved = absorbAll([sample({ enqueued: 30, ended: 1 }, { enqueued: 70, ended: 70 })]);
    expect(blockingShareOf(starved)).toBeCloseTo(0.3, 12);
  });

  it("looks back on the last 10,000 Operations and no further", () => {
    const old = Array.from({ length: 50 }, () => sample({ enqueued: 400 }, { enqueued: 0 }));
    const recent = Array.from({ length: 50 }, () => sample({ enqueued: 0 }, { enqueued: 200 }));
    expect(blockingShareOf(absorbAll([...old, ...recent]))).toBe(0);
    expect(blockingShareOf(absorbAll([...old, ...recent.slice(25)]))).toBeCloseTo(0.5, 12);
  });

  it("stays short at one Operation a second, and right at a million", () => {
    const slow = absorbAll(
      Array.from({ length: 12_000 }, (_, i) => sample({ enqueued: i % 2 }, { enqueued: 1 - (i % 2) })),
    );
    expect(slow.shares.length).toBeLessThan(110);
    expect(blockingShareOf(slow)).toBeCloseTo(0.5, 2);
    const fast = absorbAll([sample({ enqueued: 900_000 }, { enqueued: 100_000 })]);
    expect(blockingShareOf(fast)).toBeCloseTo(0.9, 12);
  });

  it("is a half while nothing was enqueued", () => {
    expect(blockingShareOf(NO_TELEMETRY)).toBe(0.5);
  });
});

describe("demand and pressure", () => {
  it("demand is what arrives and the backlog within the horizon", () => {
    const seen = sample({ enqueued: 4, backlog: 60 });
    const load = loadOf(absorb(NO_TELEMETRY, seen), seen, 30_000);
    expect(load.demand.blocking).toBeCloseTo(6, 9);
    expect(load.demand.async).toBe(0);
  });

  it("pressure is the backlog and its growth, never its shrinking", () => {
    const seen = sample(
      { enqueued: 10, dequeued: 4, backlog: 50 },
      { enqueued: 1, dequeued: 9, backlog: 5 },
      { spanMs: 2_000 },
    );
    expect(loadOf(absorb(NO_TELEMETRY, seen), seen, 30_000).pressure).toEqual({ blocking: 53, async: 5 });
  });

  it("a rate is known from its first second and forgets", () => {
    const random = seededRandom(1);
    let telemetry = NO_TELEMETRY;
    for (let i = 0; i < 200; i++)
      telemetry = absorb(telemetry, sample({ enqueued: 80 + Math.round(40 * random.next()) }));
    expect(rateOf(telemetry.enqueueRate.blocking)).toBeGreaterThan(90);
    expect(rateOf(telemetry.enqueueRate.blocking)).toBeLessThan(110);
    expect(rateOf(absorb(NO_TELEMETRY, sample({ enqueued: 80 })).enqueueRate.blocking)).toBeCloseTo(80, 9);
  });
});

describe("a rate", () => {
  const after = (seconds: number, from: number, to: number) => {
    const random = seededRandom(5);
    let telemetry = NO_TELEMETRY;
    for (let i = 0; i < 200; i++)
      telemetry = absorb(telemetry, sample({ enqueued: from * (0.8 + 0.4 * random.next()) }));
    for (let i = 0; i < seconds; i++)
      telemetry = absorb(telemetry, sample({ enqueued: to * (0.8 + 0.4 * random.next()) }));
    return rateOf(telemetry.enqueueRate.blocking);
  };

  it("that changes is believed within seconds, both up and down", () => {
    expect(after(5, 20, 800)).toBeGreaterThan(450);
    expect(after(10, 20, 800)).toBeGreaterThan(650);
    expect(after(10, 800, 20)).toBeLessThan(150);
  });

  it("that only wobbles stays where it is", () => {
    for (let seconds = 0; seconds < 200; seconds++) {
      expect(Math.abs(after(seconds, 100, 100) - 100)).toBeLessThan(8);
    }
  });
});

describe("O6: what may not be used", () => {
  const good = sample({ backlog: 3 });

  it("a good sample may, up to 5 s of age", () => {
    expect(whyUnusable(good, 5_000, 5_000)).toBeNull();
    expect(whyUnusable(good, 5_001, 5_000)).toBe("telemetry is 5001 ms old");
  });

  it("missing, NaN and negative figures may not", () => {
    expect(whyUnusable(null, 0, 5_000)).toBe("no telemetry");
    expect(whyUnusable(sample({ backlog: Number.NaN }), 0, 5_000)).toBe("blocking.backlog is missing");
    expect(whyUnusable(sample({}, { loopMs: -1 }), 0, 5_000)).toBe("async.loopMs is -1");
    expect(whyUnusable(sample({}, {}, { readAtMs: Number.NaN }), 0, 5_000)).toContain("old");
    expect(whyUnusable(sample({}, {}, { spanMs: 0 }), 0, 5_000)).toBe("span of 0 ms");
    const { runMs: _, ...rest } = good.blocking;
    const hollow = { ...good, blocking: { ...rest, runMs: undefined } };
    expect(whyUnusable(hollow as unknown as MixSample, 0, 5_000)).toBe("blocking.runMs is missing");
  });
});
