/** Bounds hold for every mix that is searched, fitted or passed through. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fitToCap, isWithin, type Mix, placesOf, SLOTS_MAX } from "./mix.js";
import { boundsOf, type Pins, parsePins } from "./pins.js";
import { advance, beginRollout, isLastStage } from "./rollout.js";
import { findNearest, mixesWithin } from "./search.js";
import { NO_TELEMETRY } from "./telemetry.js";

const mixes = fc.record<Mix>({
  blocking: fc.integer({ min: 0, max: 24 }),
  async: fc.integer({ min: 0, max: 24 }),
  slots: fc.integer({ min: 1, max: SLOTS_MAX }),
});
const pin = fc.option(fc.integer({ min: 1, max: 80 }));
const pins = fc.record<Pins>({ blocking: pin, async: pin, slots: pin });
const inputs = fc.record({
  start: mixes,
  isRegistered: fc.record({ blocking: fc.boolean(), async: fc.boolean() }),
  pins,
  concurrentMax: fc.integer({ min: 4, max: 400 }),
  workersMin: fc.record({ blocking: fc.integer({ min: 1, max: 12 }), async: fc.integer({ min: 1, max: 12 }) }),
});

describe("O4: P and A are at least one whenever registered, and the cap is never exceeded", () => {
  it("in every mix the search may take, whatever was configured, pinned and needed", () => {
    fc.assert(
      fc.property(inputs, (input) => {
        const { bounds } = boundsOf(input);
        const all = [...mixesWithin(bounds)];
        expect(all.length).toBeGreaterThan(0);
        for (const mix of all) {
          expect(placesOf(mix)).toBeLessThanOrEqual(input.concurrentMax);
          expect(mix.blocking).toBeGreaterThanOrEqual(input.isRegistered.blocking ? 1 : 0);
          if (input.isRegistered.async) {
            expect(mix.async).toBeGreaterThanOrEqual(1);
            expect(mix.async * mix.slots).toBeGreaterThanOrEqual(3);
          }
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it("in every stage between any two allowed mixes, which reaches its goal", () => {
    const pairs = inputs.chain((input) => {
      const { bounds } = boundsOf({ ...input, pins: { blocking: null, async: null, slots: null } });
      const all = [...mixesWithin(bounds)];
      return fc.tuple(fc.constant(bounds), fc.constantFrom(...all), fc.constantFrom(...all));
    });
    fc.assert(
      fc.property(pairs, ([bounds, from, to]) => {
        let rollout = beginRollout({ from, to, isUrgent: false }, bounds, NO_TELEMETRY, 0);
        for (let stages = 0; !isLastStage(rollout); stages++) {
          expect(stages).toBeLessThan(200);
          expect(isWithin(rollout.stage, bounds)).toBe(true);
          rollout = advance(rollout, bounds, 0);
        }
        expect(rollout.stage).toEqual(to);
      }),
    );
  });
});

describe("fitting under the cap", () => {
  const least = { blocking: 1, async: 1, slots: 1 };

  it("takes slots first, then async Workers, then blocking ones", () => {
    expect(fitToCap({ blocking: 2, async: 4, slots: 64 }, 200, least)).toEqual({ blocking: 2, async: 4, slots: 49 });
    expect(fitToCap({ blocking: 2, async: 30, slots: 8 }, 20, least)).toEqual({ blocking: 2, async: 18, slots: 1 });
    expect(fitToCap({ blocking: 30, async: 4, slots: 8 }, 20, least)).toEqual({ blocking: 19, async: 1, slots: 1 });
  });

  it("stops at the least", () => {
    expect(fitToCap({ blocking: 9, async: 9, slots: 9 }, 1, least)).toEqual(least);
  });
});

describe("what is configured", () => {
  const input = {
    start: { blocking: 2, async: 4, slots: 8 },
    isRegistered: { blocking: true, async: true },
    pins: { blocking: null, async: null, slots: null } satisfies Pins,
    concurrentMax: 200,
    workersMin: { blocking: 1, async: 1 },
  };

  it("a kind without Steps gets no Workers", () => {
    const { bounds } = boundsOf({ ...input, isRegistered: { blocking: false, async: true } });
    expect(bounds.workers).toBe(4);
    expect(findNearest(bounds, input.start)).toEqual({ blocking: 0, async: 4, slots: 8 });
  });

  it("with both kinds there are at least two Workers", () => {
    const { bounds } = boundsOf({ ...input, start: { blocking: 0, async: 1, slots: 8 } });
    expect(bounds.workers).toBe(2);
  });

  it("more slots than 64 stay if they were configured, as far as they fit under the cap", () => {
    const wide = boundsOf({ ...input, start: { blocking: 2, async: 4, slots: 500 }, concurrentMax: 10_000 });
    expect(findNearest(wide.bounds, { blocking: 2, async: 4, slots: 500 })?.slots).toBe(500);
    expect(wide.warnings).toEqual([]);
    const cut = boundsOf({ ...input, start: { blocking: 2, async: 4, slots: 500 } });
    expect(findNearest(cut.bounds, { blocking: 2, async: 4, slots: 500 })).toEqual({
      blocking: 2,
      async: 4,
      slots: 49,
    });
    expect(cut.warnings).toEqual(["P 2 · A 4 · C 500 is more than 200 at once, P 2 · A 4 · C 49 is used"]);
  });

  it("minimums of both pools never raise N", () => {
    const { bounds } = boundsOf({ ...input, workersMin: { blocking: 5, async: 5 } });
    expect(bounds.workers).toBe(6);
    expect(bounds.workersMin).toEqual({ blocking: 3, async: 3 });
  });
});

describe("O6: pins", () => {
  const input = {
    start: { blocking: 2, async: 4, slots: 8 },
    isRegistered: { blocking: true, async: true },
    concurrentMax: 200,
    workersMin: { blocking: 1, async: 1 },
  };
  const read = (blocking?: string, async?: string, slots?: string) => parsePins({ blocking, async, slots });

  it("one pinned kind takes its Workers from the other", () => {
    const { bounds, warnings } = boundsOf({ ...input, pins: read("5") });
    expect(findNearest(bounds, input.start)).toEqual({ blocking: 5, async: 1, slots: 8 });
    expect(warnings).toEqual([]);
  });

  it("both pinned kinds set the number of Workers", () => {
    const { bounds } = boundsOf({ ...input, pins: read("3", "9", "4") });
    expect([...mixesWithin(bounds)]).toEqual([{ blocking: 3, async: 9, slots: 4 }]);
  });

  it("too large ones are clipped to the cap, with a warning for each", () => {
    const { bounds, warnings } = boundsOf({ ...input, pins: read("2", "4", "64") });
    expect([...mixesWithin(bounds)]).toEqual([{ blocking: 2, async: 4, slots: 49 }]);
    expect(warnings).toEqual(["MILLRACE_FORCE_SLOTS=64 does not fit, 49 is used"]);
    const many = boundsOf({ ...input, pins: read("999999999", undefined, "2") });
    expect(many.warnings.map((warning) => warning.split("=")[0])).toContain("MILLRACE_FORCE_BLOCKING");
    for (const mix of mixesWithin(many.bounds)) expect(placesOf(mix)).toBeLessThanOrEqual(200);
  });

  it("a pin cannot put the pilot light out", () => {
    const { bounds, warnings } = boundsOf({ ...input, pins: read("0", "0", "1") });
    expect([...mixesWithin(bounds)]).toEqual([{ blocking: 1, async: 1, slots: 3 }]);
    expect(warnings).toHaveLength(3);
  });

  it.each(["two", "1.5", "", " ", "1e3", "0x2", "-1", "NaN"])("%j is refused", (text) => {
    expect(() => read(text)).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
  });

  it("slots must be one at least", () => {
    expect(() => read(undefined, undefined, "0")).toThrow("MILLRACE_FORCE_SLOTS");
  });
});
