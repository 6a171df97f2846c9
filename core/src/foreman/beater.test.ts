import { describe, expect, it } from "vitest";
import { systemRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import { createCounters } from "../queue/counters.js";
import { Segments } from "../queue/segments.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Beater, isLapsed } from "./beater.js";

const LEASE_MS = 10_000;

function setUp() {
  const clock = new ManualClock();
  const beats: string[] = [];
  const extend = (segment: string) => {
    beats.push(segment);
    return Promise.resolve({ answer: "missing", beat: 0, held: 0, marked: [] });
  };
  const store = { extend } as unknown as Store; // the call a Beater makes
  const segments = new Segments(store, clock);
  const surroundings = { store, clock, random: systemRandom, counters: createCounters() };
  const lost = () => undefined;
  const beater = new Beater({ ...surroundings, segments, pools: [], owner: "o", leaseMs: LEASE_MS, lost });
  return { clock, beats, beater, view: segments.view("n1") };
}

describe("the Beater", () => {
  it("beats while a claim is under way: it may hold something long before its answer is here", async () => {
    const { clock, beats, beater, view } = setUp();
    await beater.run();
    expect(beats).toEqual([]);
    view.askedMs = clock.monotonicMs();
    for (let round = 0; round < 3; round++) {
      await beater.run();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(beats).toEqual(["n1", "n1", "n1"]);
    view.askedMs = null;
    await beater.run();
    expect(beats).toHaveLength(3);
    expect(view.provenMs).toBeNull();
    beater.stop();
  });

  it("counts the Lease of a claim under way from its sending, not from the beat behind it", async () => {
    const { clock, beater, view } = setUp();
    view.askedMs = clock.monotonicMs();
    clock.moveTo(clock.nowMs() + 3_000);
    void beater.beat(view);
    expect(view.provenMs).toBe(view.askedMs);
    clock.moveTo(clock.nowMs() + LEASE_MS);
    void beater.beat(view);
    expect(view.provenMs).toBe(view.askedMs);
    beater.stop();
  });

  it("I16: lets nothing begin that a claim from before the Lease was lost brings, also while something is held", async () => {
    const { clock, beater, view } = setUp();
    view.held = 1;
    view.provenMs = clock.monotonicMs();
    view.askedMs = clock.monotonicMs() + 1_000;
    clock.moveTo(clock.nowMs() + LEASE_MS + 2_000);
    void beater.beat(view);
    expect(isLapsed(view, clock.monotonicMs(), LEASE_MS)).toBe(true);
    view.askedMs = null;
    void beater.beat(view);
    expect(isLapsed(view, clock.monotonicMs(), LEASE_MS)).toBe(false);
    beater.stop();
  });
});
