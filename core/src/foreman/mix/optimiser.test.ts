/**
 * The optimiser in front of a small model of a Foreman, second by second: queues in cohorts, rates by the same
 * arithmetic as λ, Workers that need a second to change their kind. `bench tune` has the model that counts every
 * Operation; this one is small enough to see through.
 */
import { describe, expect, it } from "vitest";
import { seededRandom } from "../../base/random.js";
import type { Verdict } from "./decision.js";
import { isSameMix, KINDS, type Kind, type Mix, type PerPool, placesOf } from "./mix.js";
import { beginOptimiser, step } from "./optimiser.js";
import { NO_PINS, type Pins } from "./pins.js";
import { ratesOf, type Times } from "./score.js";
import { resolveMixSettings } from "./settings.js";
import type { MixPlan, OptimiserState } from "./state.js";
import { type MixSample, NOBODY, type PoolSample } from "./telemetry.js";

const BOTH = { blocking: true, async: true };

interface Second {
  readonly arrivals: PerPool<number>;
  readonly times: Times;
  /** Rates are multiplied by this: something is wrong with the machine. */
  readonly speed?: number;
}

/** A Foreman in which everything of one kind is alike. */
class Plant {
  state: OptimiserState;
  nowMs = 0;
  mix: Mix;
  asked: Mix;
  readonly plan: MixPlan;
  readonly verdicts: (Verdict & { readonly atS: number })[] = [];
  readonly warnings: string[] = [];
  readonly done: { [K in Kind]: number } = { blocking: 0, async: 0 };
  readonly #queues: { [K in Kind]: { atMs: number; count: number }[] } = { blocking: [], async: [] };
  readonly #owed: { [K in Kind]: number } = { blocking: 0, async: 0 };
  #carry: { [K in Kind]: number } = { blocking: 0, async: 0 };

  constructor(
    given: Record<string, unknown> = {},
    start: Mix = { blocking: 2, async: 4, slots: 8 },
    pins: Pins = NO_PINS,
  ) {
    this.plan = { settings: resolveMixSettings(given), start, pins };
    const begun = beginOptimiser(this.plan, BOTH, 0);
    this.state = begun.state;
    this.warnings.push(...begun.warnings);
    this.mix = this.state.mix;
    this.asked = this.mix;
  }

  backlog(kind: Kind): number {
    return this.#queues[kind].reduce((sum, cohort) => sum + cohort.count, 0);
  }

  /** One second of work, then one step. `mend` may spoil the sample. */
  second(now: Second, mend: (sample: MixSample) => MixSample | null = (sample) => sample): readonly Verdict[] {
    this.nowMs += 1_000;
    const isMoving = !isSameMix(this.mix, this.asked);
    this.mix = this.asked;
    const rates = ratesOf(this.mix, now.times);
    const pools = { blocking: this.#work("blocking", now, rates), async: this.#work("async", now, rates) };
    const sample: MixSample = {
      ...pools,
      readAtMs: this.nowMs,
      spanMs: 1_000,
      mix: this.mix,
      isMoving,
      isStoreReachable: true,
    };
    const result = step(this.state, mend(sample), this.nowMs, this.plan);
    this.state = result.state;
    this.warnings.push(...result.warnings);
    this.verdicts.push(...result.verdicts.map((verdict) => ({ ...verdict, atS: this.nowMs / 1_000 })));
    if (result.stage !== null) this.asked = result.stage;
    expect(placesOf(this.asked)).toBeLessThanOrEqual(this.plan.settings.maxConcurrent);
    expect(Math.min(this.asked.blocking, this.asked.async)).toBeGreaterThanOrEqual(1);
    return result.verdicts;
  }

  run(seconds: number, of: (second: number) => Second, mend?: (sample: MixSample) => MixSample | null): this {
    for (let second = 0; second < seconds; second++) this.second(of(second), mend);
    return this;
  }

  /** Changes that were begun. */
  get changes(): number {
    return this.verdicts.filter(
      ({ event, payload: { mix_before, mix_after } }) =>
        event === "override" || (event === "worker_mix_evaluated" && !isSameLetters(mix_before, mix_after)),
    ).length;
  }

  events(): string[] {
    return this.verdicts.map((verdict) => verdict.event);
  }

  #work(kind: Kind, { arrivals, times, speed = 1 }: Second, rates: PerPool<number>): PoolSample {
    const queue = this.#queues[kind];
    // Rates may have fractions; Operations do not.
    this.#owed[kind] += arrivals[kind];
    const enqueued = Math.floor(this.#owed[kind]);
    this.#owed[kind] -= enqueued;
    if (enqueued > 0) queue.push({ atMs: this.nowMs, count: enqueued });
    this.#carry[kind] += rates[kind] * speed;
    let room = Math.floor(this.#carry[kind]);
    this.#carry[kind] -= room;
    let dequeued = 0;
    for (let cohort = queue[0]; cohort !== undefined && room > 0; cohort = queue[0]) {
      const taken = Math.min(room, cohort.count);
      cohort.count -= taken;
      room -= taken;
      dequeued += taken;
      if (cohort.count === 0) queue.shift();
    }
    this.done[kind] += dequeued;
    const oldest = queue[0];
    return {
      ...NOBODY,
      isRegistered: true,
      backlog: this.backlog(kind),
      oldestAgeMs: oldest === undefined ? 0 : this.nowMs - oldest.atMs,
      enqueued,
      dequeued,
      ended: dequeued,
      runMs: (dequeued * (kind === "blocking" ? times.blockingMs : times.asyncMs)) / speed,
      loopMs: kind === "blocking" ? 0 : dequeued * times.loopMs,
      busy: room > 0 ? 0 : kind === "blocking" ? this.mix.blocking : this.mix.async * this.mix.slots,
    };
  }
}

function isSameLetters(a: { P: number; A: number; C: number }, b: { P: number; A: number; C: number }): boolean {
  return a.P === b.P && a.A === b.A && a.C === b.C;
}

const times: Times = { blockingMs: 100, loopMs: 5, asyncMs: 50 };
const noisy = (random: { next(): number }, value: number) => value * (0.8 + 0.4 * random.next());

/** A steady load whose rates and times wobble by ±20 % each second. */
function steady(seed: number, base: Second): (second: number) => Second {
  const random = seededRandom(seed);
  return () => ({
    arrivals: { blocking: noisy(random, base.arrivals.blocking), async: noisy(random, base.arrivals.async) },
    times: {
      blockingMs: noisy(random, base.times.blockingMs),
      loopMs: noisy(random, base.times.loopMs),
      asyncMs: noisy(random, base.times.asyncMs),
    },
  });
}

/** A steady load that some mix of 6 Workers carries, filled to as much as 85 % of what it can do. */
function bearable(random: { next(): number }): Second {
  const blocking = 1 + Math.floor(5 * random.next());
  const filled = () => 0.1 + 0.75 * random.next();
  return { times, arrivals: { blocking: blocking * 10 * filled(), async: (6 - blocking) * 200 * filled() } };
}

describe("O1: a steady load with ±20 % noise", () => {
  it.each(Array.from({ length: 60 }, (_, seed) => seed))(
    "changes the mix at most once in 15 minutes (seed %i)",
    (seed) => {
      const base = bearable(seededRandom(1_000 + seed));
      const plant = new Plant().run(900, steady(seed, base));
      expect(plant.changes, JSON.stringify(base.arrivals)).toBeLessThanOrEqual(1);
    },
  );

  it.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "and at most once in any 10 minutes afterwards (seed %i)",
    (seed) => {
      const base = bearable(seededRandom(2_000 + seed));
      const plant = new Plant({}, { blocking: 3, async: 3, slots: 16 });
      const of = steady(seed, base);
      plant.run(600, of);
      const before = plant.changes;
      plant.run(600, of);
      expect(plant.changes - before).toBeLessThanOrEqual(1);
    },
  );
});

describe("O2: from CPU work to I/O", () => {
  it("takes at most three changes, and both queues drain", () => {
    const cpu: Second = { times, arrivals: { blocking: 40, async: 20 } };
    const io: Second = { times, arrivals: { blocking: 5, async: 800 } };
    const plant = new Plant().run(600, () => cpu);
    const settledAt = plant.changes;
    expect(plant.backlog("blocking")).toBeLessThan(10);
    plant.run(900, () => io);
    expect(plant.changes - settledAt).toBeLessThanOrEqual(3);
    expect(plant.backlog("async")).toBeLessThan(10);
    expect(plant.backlog("blocking")).toBeLessThan(10);
  });
});

describe("O3: a burst of 600 on a pool that drains 100 a second at most", () => {
  it.each([2, 8, 20])("overrides within two ticks (%i arrive each second)", (perSecond) => {
    const calm: Second = { times, arrivals: { blocking: perSecond, async: 50 } };
    const plant = new Plant({}, { blocking: 3, async: 5, slots: 8 }).run(300, () => calm);
    const burst = { ...calm, arrivals: { blocking: 600, async: 50 } };
    const first = plant.second(burst).map((verdict) => verdict.event);
    const second = plant.second(calm).map((verdict) => verdict.event);
    expect([...first, ...second]).toContain("override");
    plant.run(120, () => calm);
    expect(plant.backlog("blocking")).toBeLessThan(20);
  });

  it("an async pool gets slots before it gets Workers", () => {
    const waits: Times = { blockingMs: 100, loopMs: 1, asyncMs: 1_000 };
    const calm: Second = { times: waits, arrivals: { blocking: 2, async: 20 } };
    const plant = new Plant().run(100, () => calm);
    plant.second({ ...calm, arrivals: { blocking: 2, async: 600 } });
    const override = plant.verdicts.find((verdict) => verdict.event === "override");
    expect(override?.payload.mix_after).toMatchObject({ P: 2, A: 4 });
    expect(override?.payload.mix_after.C).toBeGreaterThan(8);
  });

  it("two pools in need: only slots may grow", () => {
    const waits: Times = { blockingMs: 100, loopMs: 1, asyncMs: 1_000 };
    const calm: Second = { times: waits, arrivals: { blocking: 5, async: 10 } };
    const plant = new Plant().run(100, () => calm);
    plant.second({ ...calm, arrivals: { blocking: 900, async: 900 } });
    const override = plant.verdicts.find((verdict) => verdict.event === "override");
    expect(override?.payload.reason).toContain("blocking and async urgent");
    expect(override?.payload.mix_after).toMatchObject({ P: 2, A: 4 });
  });
});

describe("O5: a change that does harm", () => {
  const cpu: Second = { times, arrivals: { blocking: 45, async: 20 } };

  it("an injected slowdown after the first stage takes everything back, and the dwell doubles", () => {
    const plant = new Plant();
    plant.run(200, () => ({ ...cpu, speed: plant.mix.blocking > 2 ? 0.4 : 1 }));
    const reverted = plant.verdicts.find((verdict) => verdict.event === "reverted");
    expect(reverted?.payload.mix_after).toEqual({ P: 2, A: 4, C: 8 });
    expect(reverted?.payload.reason).toContain("closed for 120 s");
    const again = plant.verdicts.filter(
      ({ event, atS }) => (event === "stage" || event === "override") && atS > (reverted?.atS ?? 0),
    );
    expect(again.every(({ atS }) => atS >= (reverted?.atS ?? 0) + 120)).toBe(true);
  });

  it("without it the same change is applied", () => {
    const plant = new Plant().run(200, () => cpu);
    expect(plant.events()).toContain("applied");
    expect(plant.events()).not.toContain("reverted");
    expect(plant.mix.blocking).toBe(5);
  });

  it("a Worker that never comes free leaves the mix where it got to", () => {
    const plant = new Plant();
    plant.run(
      400,
      () => cpu,
      (sample) => ({ ...sample, mix: { blocking: 2, async: 4, slots: 8 } }),
    );
    const reverted = plant.verdicts.find((verdict) => verdict.event === "reverted");
    expect(reverted?.payload.reason).toContain("no Worker changed its kind in time");
    expect(plant.state.mix).toMatchObject({ blocking: 2, async: 4 });
  });
});

describe("O6: pins and missing telemetry", () => {
  const cpu: Second = { times, arrivals: { blocking: 45, async: 20 } };

  it.each([
    ["missing", () => null],
    ["NaN", (sample: MixSample) => ({ ...sample, blocking: { ...sample.blocking, backlog: Number.NaN } })],
    ["negative", (sample: MixSample) => ({ ...sample, async: { ...sample.async, dequeued: -1 } })],
    ["more than 5 s old", (sample: MixSample) => ({ ...sample, readAtMs: sample.readAtMs - 5_001 })],
  ] as const)("%s telemetry keeps the mix, with a warning, whatever waits", (_, spoil) => {
    const plant = new Plant().run(300, () => cpu, spoil);
    expect(plant.mix).toEqual({ blocking: 2, async: 4, slots: 8 });
    expect(new Set(plant.events())).toEqual(new Set(["kept"]));
    expect(plant.events().length).toBe(10);
    expect(plant.warnings[0]).toContain("the mix is kept");
  });

  it("it moves again when telemetry is back", () => {
    const plant = new Plant()
      .run(
        60,
        () => cpu,
        () => null,
      )
      .run(200, () => cpu);
    expect(plant.mix.blocking).toBe(5);
  });

  it("pins hold against every urgency, and are logged", () => {
    const plant = new Plant({}, undefined, { blocking: 2, async: 4, slots: 8 }).run(300, () => cpu);
    expect(plant.mix).toEqual({ blocking: 2, async: 4, slots: 8 });
    expect(plant.events()[0]).toBe("pinned");
    expect(plant.events()).not.toContain("override");
    expect(plant.verdicts.at(-1)?.payload.binding).toBe("pins");
  });

  it("a pinned number of slots leaves the Workers free", () => {
    const plant = new Plant({}, undefined, { blocking: null, async: null, slots: 4 }).run(300, () => cpu);
    expect(plant.mix).toMatchObject({ blocking: 5, slots: 4 });
  });

  it("without autoOptimize a mix may be larger than the cap", () => {
    const start = { blocking: 2, async: 4, slots: 100 };
    const plan = { settings: resolveMixSettings({ autoOptimize: false }), start, pins: NO_PINS };
    expect(beginOptimiser(plan, BOTH, 0).state.mix).toEqual(start);
  });

  it("without autoOptimize the mix stays", () => {
    const plant = new Plant({ autoOptimize: false }).run(300, () => cpu);
    expect(plant.mix).toEqual({ blocking: 2, async: 4, slots: 8 });
    expect(plant.verdicts).toEqual([]);
  });
});

describe("scenarios", () => {
  it("steady: a load within reach changes nothing, and every interval says so", () => {
    const plant = new Plant().run(600, () => ({ times, arrivals: { blocking: 10, async: 200 } }));
    expect(plant.changes).toBe(0);
    expect(plant.events()).toEqual(Array.from({ length: 20 }, () => "worker_mix_evaluated"));
  });

  it("ramp: Workers follow a load that grows from one kind to the other", () => {
    const plant = new Plant().run(1_200, (second) => ({
      times,
      arrivals: { blocking: 5 + (45 * second) / 1_200, async: 500 - (460 * second) / 1_200 },
    }));
    expect(plant.mix.blocking).toBe(5);
    expect(plant.backlog("blocking")).toBeLessThan(100);
    expect(plant.changes).toBeLessThanOrEqual(6);
  });

  it("alternating: every half is served although the halves need opposite mixes", () => {
    const plant = new Plant().run(2_400, (second) => ({
      times,
      arrivals: Math.floor(second / 300) % 2 === 0 ? { blocking: 40, async: 20 } : { blocking: 5, async: 780 },
    }));
    expect(plant.done.blocking).toBeGreaterThan(0.98 * (4 * 300 * 45));
    expect(plant.done.async).toBeGreaterThan(0.98 * (4 * 300 * 800));
  });

  it.each([1, 2, 3, 4, 5])("heavy tail: rare slow seconds do not make the mix restless (seed %i)", (seed) => {
    const random = seededRandom(seed);
    const plant = new Plant().run(1_800, () => {
      const tail = Math.min(30, random.next() ** (-1 / 1.5)) / 3; // Pareto, mean 1
      return { times: { ...times, blockingMs: 100 * tail }, arrivals: { blocking: 8, async: 200 } };
    });
    expect(plant.changes).toBeLessThanOrEqual(4);
    expect(plant.backlog("blocking")).toBeLessThan(100);
  });

  it("a pool that nobody uses gives all but its pilot light, and gets it back when it is used", () => {
    const plant = new Plant().run(300, () => ({ times, arrivals: { blocking: 0, async: 900 } }));
    expect(plant.mix.blocking).toBe(1);
    plant.run(300, () => ({ times, arrivals: { blocking: 40, async: 20 } }));
    expect(plant.mix.blocking).toBeGreaterThanOrEqual(4);
    expect(plant.backlog("blocking")).toBeLessThan(10);
  });

  it("a chain that needs more Workers gets them at once, and they are given back later", () => {
    const calm: Second = { times, arrivals: { blocking: 1, async: 20 } };
    const plant = new Plant({}, { blocking: 2, async: 14, slots: 8 }).run(10, () => calm);
    const deep = (sample: MixSample) => ({ ...sample, blocking: { ...sample.blocking, chainDepth: 20 } });
    plant.run(2, () => calm, deep);
    expect(plant.mix.blocking).toBe(8);
    expect(plant.verdicts.at(-1)?.payload.depth_minimums.blocking).toBe(8);
  });

  it("B16: a change of the configured Workers is followed without a restart", () => {
    const calm: Second = { times, arrivals: { blocking: 1, async: 20 } };
    const plant = new Plant().run(10, () => calm);
    Object.assign(plant.plan, { start: { blocking: 2, async: 16, slots: 4 } });
    plant.run(2, () => calm);
    expect(plant.mix).toEqual({ blocking: 2, async: 16, slots: 4 });
    expect(plant.events()).toEqual(["applied"]);
  });

  it("the same samples give the same decisions", () => {
    const once = () => new Plant().run(900, steady(7, { times, arrivals: { blocking: 30, async: 300 } })).verdicts;
    expect(once()).toEqual(once());
  });
});

describe("the log", () => {
  it("an urgent change is told from its cause to its end", () => {
    const calm: Second = { times, arrivals: { blocking: 10, async: 50 } };
    const plant = new Plant({}, { blocking: 2, async: 4, slots: 8 }).run(100, () => calm);
    plant.second({ ...calm, arrivals: { blocking: 600, async: 50 } });
    plant.run(20, () => calm);
    const told = plant.verdicts.filter(({ atS }) => atS > 100);
    expect(told.map(({ event }) => event)).toEqual(expect.arrayContaining(["override", "stage", "applied"]));
    const payload = told[0]?.payload;
    expect(payload).toMatchObject({
      mix_before: { P: 2, A: 4, C: 8 },
      hysteresis_state: "transitioning",
      objective: "headroom",
      queues: { blocking: { delta_enqueued: 600 } },
      times_ms: { b: 100, p: 5, s: 50 },
    });
    expect(payload?.reason).toMatch(/^blocking urgent at \d/);
    expect(payload?.urgency).toBeGreaterThanOrEqual(3);
  });
});

for (const kind of KINDS) {
  it(`a ${kind} burst never costs the other pool its pilot light`, () => {
    const plant = new Plant({}, { blocking: 1, async: 1, slots: 3 });
    plant.run(200, () => ({
      times,
      arrivals: { blocking: kind === "blocking" ? 500 : 1, async: kind === "async" ? 5_000 : 1 },
    }));
    expect(plant.mix.blocking + plant.mix.async).toBe(2);
  });
}
