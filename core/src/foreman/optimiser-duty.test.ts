/** The rim: samples in, Workers moved, decisions told, and nobody's error stops it. */
import { expect, it } from "vitest";
import { type Logger, silentLogger } from "../base/log.js";
import { ManualClock } from "../testing/manual-clock.js";
import type { Decision } from "./mix/decision.js";
import type { Mix } from "./mix/mix.js";
import { NO_PINS, type Pins } from "./mix/pins.js";
import { makeMixPlan } from "./mix-plan.js";
import { OptimiserDuty, type OptimiserDutyOptions } from "./optimiser-duty.js";
import { type MixSource, NO_FIGURES, type PoolFigures } from "./sampler.js";

function setUp(options: Partial<OptimiserDutyOptions> = {}, pins: Pins = NO_PINS) {
  const clock = new ManualClock();
  const warnings: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (_, message) => warnings.push(message),
    error: (_, message) => warnings.push(message),
  };
  const pools = {
    blocking: { ...NO_FIGURES, isRegistered: true, workers: 2 },
    async: { ...NO_FIGURES, isRegistered: true, workers: 4 },
  };
  const source: MixSource = {
    figures: (kind): PoolFigures => ({ ...pools[kind] }),
    slots: 8,
    get backlogReadMs() {
      return clock.monotonicMs();
    },
    foremen: 1,
    isStoreReachable: true,
  };
  const decisions: Decision[] = [];
  const plan = makeMixPlan({ blocking: 2, async: 4, slots: 8 }, {}, pins);
  const duty = new OptimiserDuty({
    plan,
    isRegistered: { blocking: true, async: true },
    source,
    clock,
    log,
    nodeId: "node-a",
    mixLog: null,
    decided: (decision) => decisions.push(decision),
    ...options,
  });
  const target = {
    mix: duty.startMix,
    applied: [] as Mix[],
    applyMix(mix: Mix) {
      this.mix = mix;
      this.applied.push(mix);
      pools.blocking.workers = mix.blocking;
      pools.async.workers = mix.async;
    },
  };
  /** Blocking work of 100 ms that arrives at 40/s: four Workers' worth. */
  const second = async () => {
    const room = pools.blocking.workers * 10;
    const done = Math.min(room, pools.blocking.backlog + 40);
    pools.blocking.backlog += 40 - done;
    pools.blocking.dequeued += done;
    pools.blocking.ended += done;
    pools.blocking.runMs += done * 100;
    clock.moveTo(clock.nowMs() + 1_000);
    await duty.run();
  };
  const run = async (seconds: number) => {
    for (let i = 0; i < seconds; i++) await second();
  };
  return { clock, duty, target, pools, source, decisions, warnings, run, plan };
}

it("B17: moves Workers to where work waits and tells each step with place and time", async () => {
  const { duty, target, decisions, run } = setUp();
  duty.attach(target);
  await run(60);
  expect(target.mix.blocking).toBeGreaterThanOrEqual(4);
  expect(decisions.map(({ event }) => event)).toEqual(expect.arrayContaining(["override", "stage", "applied"]));
  expect(decisions[0]).toMatchObject({
    node_id: "node-a",
    timestamp: expect.stringMatching(/^2026-01-01T00:0\d:\d\d\.000Z$/),
  });
  expect(duty.decisions()).toEqual(decisions);
  expect(duty.metrics.snapshot()).toMatchObject({ mixOverrides: 1, mixApplied: 1, mixBlocking: target.mix.blocking });
  expect(duty.view()).toMatchObject({ mix: target.mix, isChanging: false });
});

it("judges nothing before there is a crew", async () => {
  const { duty, decisions, run } = setUp();
  await run(60);
  expect(decisions).toEqual([]);
  expect(duty.startMix).toEqual({ blocking: 2, async: 4, slots: 8 });
});

it("keeps the mix and says so when nothing is known", async () => {
  const { duty, target, pools, warnings, run } = setUp();
  duty.attach(target);
  pools.blocking.backlog = Number.NaN;
  await run(65);
  expect(target.applied).toEqual([]);
  expect(warnings).toEqual(Array.from({ length: 3 }, () => "the mix is kept: blocking.backlog is missing"));
  expect(duty.metrics.get("mixKept")).toBe(3);
});

it("pins that are too large are clipped with a warning before any Worker starts", () => {
  const { duty, warnings } = setUp({}, { blocking: null, async: null, slots: 64 });
  expect(duty.startMix).toEqual({ blocking: 2, async: 4, slots: 49 });
  expect(warnings).toEqual(["MILLRACE_FORCE_SLOTS=64 does not fit, 49 is used"]);
});

it("takes other settings while it runs", async () => {
  const { duty, target, run, plan } = setUp();
  duty.attach(target);
  await run(3);
  duty.reload({ ...plan, start: { blocking: 2, async: 16, slots: 4 } });
  await run(1);
  expect(target.mix).toEqual({ blocking: 2, async: 16, slots: 4 });
});

it("says once when a pool stands still, and once more when that is critical", async () => {
  const { duty, target, pools, clock, warnings } = setUp();
  duty.attach(target);
  pools.blocking.backlog = 5;
  for (let i = 0; i < 40; i++) {
    clock.moveTo(clock.nowMs() + 1_000);
    await duty.run();
  }
  const told = warnings.filter((warning) => warning.includes("nothing dequeued"));
  expect(told).toEqual([
    "blocking: nothing dequeued for 15 s (unknown)",
    "blocking: nothing dequeued for 25 s (unknown)",
  ]);
});

it("a listener that throws stops nothing", async () => {
  const { duty, target, run, warnings } = setUp({
    decided: () => {
      throw new Error("not mine");
    },
  });
  duty.attach(target);
  await run(60);
  expect(target.mix.blocking).toBeGreaterThanOrEqual(4);
  expect(warnings).toContain("a listener of the mix threw");
});
