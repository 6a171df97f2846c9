import { describe, expect, test } from "vitest";
import { seededRandom } from "../base/random.js";
import type { Claim } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import type { Unstarted } from "../worker/inline.js";
import { Quarantine } from "./quarantine.js";

const claim = (counter: number, recoveries: number) => ({ lane: 1, counter, token: 1, recoveries }) as Claim; // what is looked at

function setUp() {
  const admitted: number[] = [];
  const backs: { readonly counters: readonly number[]; readonly delayMs: number | null }[] = [];
  let answer: () => void = () => undefined;
  const giveBack = (unstarted: readonly Unstarted[], delayMs: number | null = null): Promise<void> => {
    backs.push({ counters: unstarted.flatMap(({ claims }) => claims.map(({ counter }) => counter)), delayMs });
    return new Promise((resolve) => {
      answer = resolve;
    });
  };
  const world = { isOpen: true };
  const clock = new ManualClock();
  const quarantine = new Quarantine({
    completer: { giveBack },
    clock,
    random: seededRandom(1),
    isOpen: () => world.isOpen,
  });
  const sift = (claims: readonly Claim[]) =>
    quarantine.sift("s", claims, ({ counter }) => admitted.push(counter)).map(({ counter }) => counter);
  const answered = async () => {
    answer();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { quarantine, sift, admitted, backs, answered, world, clock };
}

describe("the quarantine", () => {
  test("lets pass what was not rescued, or only once", () => {
    const { sift, backs } = setUp();
    const claims = [claim(1, 0), claim(2, 1)];
    expect(sift(claims)).toEqual([1, 2]);
    expect(backs).toEqual([]);
  });

  test("sends all suspects but one away, and admits that one only when they are back in their Queue", async () => {
    const { sift, admitted, backs, answered } = setUp();
    expect(sift([claim(1, 2), claim(2, 0), claim(3, 2), claim(4, 3)])).toEqual([2]);
    expect(backs.map(({ counters }) => counters)).toEqual([[3, 4]]);
    expect(admitted).toEqual([]);
    await answered();
    expect(admitted).toEqual([1]);
  });

  test("admits the next only when the one inside has left", async () => {
    const { quarantine, sift, admitted, backs, answered } = setUp();
    const first = claim(1, 2);
    sift([first]);
    await answered();
    sift([claim(2, 2)]);
    await answered();
    expect(admitted).toEqual([1]);
    expect(backs.map(({ counters }) => counters)).toEqual([[2]]);
    quarantine.left(claim(9, 2));
    sift([claim(3, 2)]);
    quarantine.left(first);
    sift([claim(4, 2)]);
    await answered();
    expect(admitted).toEqual([1, 4]);
  });

  test("gives the one inside back when its Lease was lost while the others were on their way", async () => {
    const { quarantine, sift, admitted, backs, answered } = setUp();
    sift([claim(1, 2), claim(2, 2)]);
    quarantine.lapse();
    await answered();
    expect(admitted).toEqual([]);
    expect(backs.map(({ counters }) => counters)).toEqual([[2], [1]]);
  });

  test("sends the others away for longer, the longer one is inside", async () => {
    const { sift, backs, clock } = setUp();
    sift([claim(1, 2), claim(2, 2)]);
    clock.moveTo(clock.nowMs() + 1_000);
    sift([claim(3, 2)]);
    clock.moveTo(clock.nowMs() + 60_000);
    sift([claim(4, 2)]);
    const [soon = 0, later = 0, last = 0] = backs.map(({ delayMs }) => delayMs ?? 0);
    expect([soon >= 150 && soon <= 300, later >= 1_000 && later <= 2_000, last >= 2_500 && last <= 5_000]).toEqual([
      true,
      true,
      true,
    ]);
  });

  test("gives the last one back too, to the front, when the Foreman has stopped meanwhile", async () => {
    const { quarantine, sift, admitted, backs, answered, world } = setUp();
    sift([claim(1, 2), claim(2, 2)]);
    world.isOpen = false;
    let isSettled = false;
    void quarantine.whenSettled().then(() => {
      isSettled = true;
    });
    await answered();
    expect(backs.at(-1)).toEqual({ counters: [1], delayMs: null });
    expect(isSettled).toBe(false);
    await answered();
    expect(isSettled).toBe(true);
    expect(admitted).toEqual([]);
  });
});
