import { describe, expect, test } from "vitest";
import { systemRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import type { OwnerCounts, RescueParams } from "../engine/transitions.js";
import { createCounters } from "../queue/counters.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Rescuer } from "./rescuer.js";

const LEASE_MS = 10_000;

function setUp() {
  const clock = new ManualClock();
  const rescues: { readonly owner: string; readonly beat: number; readonly max: number }[] = [];
  const rescue = (_segment: string, { owner, beat, max }: RescueParams) => {
    rescues.push({ owner, beat, max });
    return Promise.resolve({ answer: "ok" as const, rescued: 1, failed: 0, cancelled: 0, left: 0 });
  };
  /** What is read when the Rescuer looks by itself. */
  const found: OwnerCounts[] = [];
  const counts = () => Promise.resolve({ owners: found });
  const store = { rescue, counts } as unknown as Store; // the calls a Rescuer makes
  const counters = createCounters();
  const rescuer = new Rescuer({
    store,
    clock,
    random: systemRandom,
    counters,
    owner: "self",
    leaseMs: LEASE_MS,
    recoveriesMax: 3,
  });
  /** Lets time pass, in which other Segments are looked at as always. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 2_000) {
      clock.moveTo(clock.nowMs() + Math.min(left, 2_000));
      await turns();
      await rescuer.see("elsewhere", []);
    }
  };
  return { clock, rescues, rescuer, counters, found, pass };
}

/** Lets promises that have settled go on. */
const turns = () => new Promise((resolve) => setImmediate(resolve));

const owner = (name: string, beat: number, held = 1): OwnerCounts => ({ owner: name, beat, held });

describe("the Rescuer", () => {
  test("regression: lock time is confused with the check interval: takes only when a whole Lease has passed", async () => {
    const { clock, rescues, rescuer } = setUp();
    for (const passMs of [4_000, 4_000, 1_999]) {
      await rescuer.see("n", [owner("other", 7)]);
      clock.moveTo(clock.nowMs() + passMs);
    }
    await rescuer.see("n", [owner("other", 7)]);
    expect(rescues).toEqual([]);
    clock.moveTo(clock.nowMs() + 1);
    await rescuer.see("n", [owner("other", 7)]);
    expect(rescues).toEqual([{ owner: "other", beat: 7, max: 1_000 }]);
  });

  test("regression: lock time is confused with the check interval: looks when the Lease ends, between two surveys", async () => {
    const { rescues, rescuer, found, pass } = setUp();
    const others = [owner("other", 7), owner("idle", 2, 0)];
    await rescuer.see("n", others);
    await pass(2_000);
    await rescuer.see("n", [...others, owner("late", 1)]);
    found.push(...others, owner("late", 1));
    await pass(LEASE_MS - 2_001);
    expect(rescues).toEqual([]);
    await pass(1);
    expect(rescues).toEqual([
      { owner: "other", beat: 7, max: 1_000 },
      { owner: "idle", beat: 2, max: 0 },
    ]);
    rescues.length = 0;
    found.splice(0, 2);
    await pass(2_000);
    expect(rescues).toEqual([{ owner: "late", beat: 1, max: 1_000 }]);
  });

  test("takes nothing at the end of a Lease that a beat renewed, or that a reconnect began anew", async () => {
    const { rescues, rescuer, found, pass } = setUp();
    await rescuer.see("n", [owner("other", 7)]);
    found.push(owner("other", 8));
    await pass(LEASE_MS);
    await pass(LEASE_MS - 1);
    rescuer.reset();
    await pass(1);
    expect(rescues).toEqual([]);
  });

  test("takes from nobody when it stood still itself: the others may have, too", async () => {
    const { clock, rescues, rescuer, found } = setUp();
    await rescuer.see("n", [owner("other", 7)]);
    found.push(owner("other", 7));
    clock.moveTo(clock.nowMs() + 30 * LEASE_MS);
    await turns();
    await rescuer.see("n", [owner("other", 7)]);
    expect(rescues).toEqual([]);
  });

  test("takes from a buried owner at the first survey, with the beat read there, and from nobody else", async () => {
    const { rescues, rescuer, counters } = setUp();
    rescuer.bury("dead");
    await rescuer.see("n", [owner("other", 3), owner("dead", 41), owner("self", 9)]);
    await rescuer.see("m", [owner("dead", 12)]);
    expect(rescues).toEqual([
      { owner: "dead", beat: 41, max: 1_000 },
      { owner: "dead", beat: 12, max: 1_000 },
    ]);
    expect(counters.get("rescued")).toBe(2);
  });

  test("still knows the buried after a reconnect, when every other owner gets a full Lease again", async () => {
    const { clock, rescues, rescuer } = setUp();
    rescuer.bury("dead");
    await rescuer.see("n", [owner("other", 3)]);
    clock.moveTo(clock.nowMs() + LEASE_MS - 1);
    rescuer.reset();
    clock.moveTo(clock.nowMs() + 1);
    await rescuer.see("n", [owner("other", 3), owner("dead", 1)]);
    expect(rescues.map((one) => one.owner)).toEqual(["dead"]);
  });

  test("lets the entry of a buried owner go that held nothing, and takes nothing", async () => {
    const { rescues, rescuer } = setUp();
    rescuer.bury("dead");
    await rescuer.see("n", [owner("dead", 5, 0)]);
    expect(rescues).toEqual([{ owner: "dead", beat: 5, max: 0 }]);
  });

  test("never buries itself", async () => {
    const { rescues, rescuer } = setUp();
    rescuer.bury("self");
    await rescuer.see("n", [owner("self", 5)]);
    expect(rescues).toEqual([]);
  });
});
