/** Samples are differences of what is counted, and ages follow from first in, first out. */
import { expect, it } from "vitest";
import { ManualClock } from "../testing/manual-clock.js";
import { type MixSource, NO_FIGURES, type PoolFigures, Sampler } from "./sampler.js";

const mix = { blocking: 2, async: 4, slots: 8 };

function setUp() {
  const clock = new ManualClock();
  const pools = {
    blocking: { ...NO_FIGURES, isRegistered: true, workers: 2 },
    async: { ...NO_FIGURES, isRegistered: true, workers: 4 },
  };
  const source = {
    figures: (kind: "blocking" | "async"): PoolFigures => ({ ...pools[kind] }),
    slots: 8,
    backlogReadMs: 0,
    foremen: 1,
    isStoreReachable: true,
  };
  const sampler = new Sampler(source satisfies MixSource, clock);
  const second = (change: Partial<PoolFigures> = {}) => {
    Object.assign(pools.blocking, change);
    clock.moveTo(clock.nowMs() + 1_000);
    source.backlogReadMs = clock.monotonicMs();
    return sampler.take(mix);
  };
  return { clock, source, sampler, second, pools };
}

it("the first look has nothing to compare with", () => {
  const { second } = setUp();
  expect(second()).toBeNull();
  expect(second()).not.toBeNull();
});

it("counts what left, and tells what came from that and the backlog", () => {
  const { second } = setUp();
  second({ backlog: 10, dequeued: 100, ended: 90, runMs: 9_000 });
  const sample = second({ backlog: 25, dequeued: 130, ended: 115, runMs: 11_500 });
  expect(sample).toMatchObject({ spanMs: 1_000, isMoving: false, mix });
  expect(sample?.blocking).toMatchObject({ backlog: 25, enqueued: 45, dequeued: 30, ended: 25, runMs: 2_500 });
});

it("work that other Foremen took was no arrival here", () => {
  const { second } = setUp();
  second({ backlog: 100, dequeued: 10 });
  expect(second({ backlog: 60, dequeued: 20 })?.blocking.enqueued).toBe(0);
});

it("of several Foremen each sees its part of the backlog", () => {
  const { second, source } = setUp();
  source.foremen = 4;
  second({ backlog: 0 });
  expect(second({ backlog: 400, dequeued: 5 })?.blocking).toMatchObject({ backlog: 100, enqueued: 105 });
});

it("the oldest came when as many had come as have left by now", () => {
  const { second } = setUp();
  second();
  second({ backlog: 10 }); // 10 came in second 2
  second({ backlog: 15 }); // 5 in second 3
  expect(second({ backlog: 12, dequeued: 3 })?.blocking.oldestAgeMs).toBe(2_000);
  expect(second({ backlog: 5, dequeued: 10 })?.blocking.oldestAgeMs).toBe(2_000);
  expect(second({ backlog: 0, dequeued: 15 })?.blocking.oldestAgeMs).toBe(0);
});

it("an age that is known goes before one that is reckoned", () => {
  const { second } = setUp();
  second({ backlog: 3 });
  expect(second({ backlog: 3, oldestAgeMs: 77_000 })?.blocking.oldestAgeMs).toBe(77_000);
});

it("a sample is as old as its oldest figure", () => {
  const { clock, source, sampler, second } = setUp();
  second();
  source.backlogReadMs = 500;
  clock.moveTo(clock.nowMs() + 7_000);
  expect(sampler.take(mix)?.readAtMs).toBe(500);
});

it("Workers that are not there yet mean that the mix is moving", () => {
  const { second, pools } = setUp();
  second();
  pools.async.workers = 3;
  expect(second()).toMatchObject({ isMoving: true, mix: { blocking: 2, async: 3, slots: 8 } });
});

it("a backlog nobody knows is no sample to judge by", () => {
  const { second } = setUp();
  second({ backlog: Number.NaN });
  expect(second({ backlog: 4 })?.blocking.enqueued).toBeNaN();
});
