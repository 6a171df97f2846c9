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
  let answers: (() => void)[] = [];
  const giveBack = (unstarted: readonly Unstarted[], delayMs: number | null = null): Promise<void> => {
    backs.push({ counters: unstarted.flatMap(({ claims }) => claims.map(({ counter }) => counter)), delayMs });
    return new Promise((resolve) => answers.push(resolve));
  };
  const world = { isOpen: true };
  const clock = new ManualClock();
  const quarantine = new Quarantine({
    completer: { giveBack },
    clock,
    recoveriesMax: 3,
    random: seededRandom(1),
    isOpen: () => world.isOpen,
  });
  const sift = (claims: readonly Claim[]) =>
    quarantine.sift("s", claims, ({ counter }) => admitted.push(counter)).map(({ counter }) => counter);
  const answered = async () => {
    for (const answer of answers) answer();
    answers = [];
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
    expect(backs.map(({ counters }) => counters)).toEqual([[4, 3]]);
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
    quarantine.left(claim(9, 2), true);
    sift([claim(3, 2)]);
    quarantine.left(first, false);
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
    sift([claim(1, 3), claim(2, 2)]);
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

  test("has as many on trial as have done no harm, and one more", async () => {
    const { quarantine, sift, admitted, answered } = setUp();
    const all = Array.from({ length: 40 }, (_, i) => claim(i, 2));
    const rounds: number[] = [];
    for (let inside: Claim[] = []; admitted.length < 40; ) {
      for (const one of inside) quarantine.left(one, true);
      const before = admitted.length;
      sift(all.filter(({ counter }) => !admitted.includes(counter)));
      await answered();
      inside = all.filter(({ counter }) => admitted.indexOf(counter) >= before);
      rounds.push(inside.length);
    }
    expect(rounds).toEqual([1, 2, 4, 8, 16, 9]);
  });

  test("takes what has been inside for two seconds for harmless, and what was given back for nothing", async () => {
    const { quarantine, sift, admitted, answered, clock } = setUp();
    const back = claim(1, 2);
    sift([back]);
    quarantine.left(back, false);
    sift([claim(2, 2), claim(3, 2)]);
    await answered();
    expect(admitted).toEqual([1, 2]);
    clock.moveTo(clock.nowMs() + 1_999);
    sift([claim(3, 2)]);
    expect(admitted).toEqual([1, 2]);
    clock.moveTo(clock.nowMs() + 1);
    sift([claim(3, 2), claim(4, 2), claim(5, 2)]);
    await answered();
    expect(admitted).toEqual([1, 2, 3, 4]);
  });

  test("begins anew when no suspect was seen for half a minute", async () => {
    const { quarantine, sift, admitted, answered, clock } = setUp();
    const first = claim(1, 2);
    sift([first]);
    await answered();
    quarantine.left(first, true);
    clock.moveTo(clock.nowMs() + 30_000);
    sift([claim(2, 2), claim(3, 2)]);
    await answered();
    expect(admitted).toEqual([1, 2]);
  });

  test("X8: lets nobody in beside one that the next death would end, and keeps itself free for it", async () => {
    const { quarantine, sift, admitted, backs, answered, clock } = setUp();
    const first = claim(1, 2);
    sift([first]);
    await answered();
    clock.moveTo(clock.nowMs() + 5_000);
    sift([claim(2, 2), claim(3, 3)]); // 2 may be beside 1, 3 may not
    await answered();
    expect(admitted).toEqual([1, 2]);
    quarantine.left(first, true);
    sift([claim(4, 2)]);
    quarantine.left(claim(2, 2), true);
    expect(admitted).toEqual([1, 2]);
    expect(backs.map(({ counters }) => counters)).toEqual([[3], [4]]);
  });

  test("X8: one that must be alone finds nobody when it comes again, and is alone", async () => {
    const { quarantine, sift, admitted, answered, clock } = setUp();
    const [first, last] = [claim(1, 2), claim(2, 3)];
    sift([first]);
    sift([last]);
    quarantine.left(first, true);
    sift([claim(3, 2)]);
    await answered();
    expect(admitted).not.toContain(3);
    sift([last, claim(3, 2)]);
    await answered();
    clock.moveTo(clock.nowMs() + 60_000);
    sift([claim(3, 2), claim(4, 3)]);
    await answered();
    expect(admitted).toEqual([1, 2]);
    quarantine.left(last, true);
    clock.moveTo(clock.nowMs() + 10_000); // 4 went elsewhere
    sift([claim(3, 2)]);
    await answered();
    expect(admitted).toEqual([1, 2, 3]);
  });

  test("X8: keeps itself free for one that must be alone half of the time at most, while a slow one is inside", async () => {
    const { sift, admitted, answered, clock } = setUp();
    sift([claim(1, 2)]); // runs for hours
    await answered();
    const met: boolean[] = [];
    for (let second = 0; second < 120; second++) {
      clock.moveTo(clock.nowMs() + 1_000);
      sift([claim(2, 3)]); // comes again and again
      const before = admitted.length;
      sift([claim(100 + second, 2)]);
      await answered();
      met.push(admitted.length > before);
    }
    expect(admitted).not.toContain(2);
    expect(met.slice(0, 30)).not.toContain(true);
    expect(met.slice(40, 60)).toContain(true);
  });

  test("lets many come again in slices, not all at once", () => {
    const { sift, backs } = setUp();
    sift(Array.from({ length: 97 }, (_, i) => claim(i, 2)));
    const [first, second, third] = backs;
    expect(backs.map(({ counters }) => counters.length)).toEqual([32, 32, 32]);
    expect(second?.delayMs).toBe(2 * (first?.delayMs ?? 0));
    expect(third?.delayMs).toBe(3 * (first?.delayMs ?? 0));
  });
});

/** Some Foremen that share work: one Operation of it kills whoever runs it. Moves in ticks of 50 ms. */
async function playPoison(seed: number): Promise<{ readonly poisoned: readonly number[]; readonly isOver: boolean }> {
  const random = seededRandom(seed);
  const killsAfterMs = random.next() < 0.5 ? 0 : random.next() * 5_000;
  const clock = new ManualClock();
  interface Work {
    readonly counter: number;
    readonly ms: number;
    recoveries: number;
    dueMs: number;
  }
  const ready: Work[] = Array.from({ length: 40 }, (_, counter) => {
    return { counter, ms: random.next() < 0.7 ? 50 : random.next() * 6_000, recoveries: 0, dueMs: 0 };
  });
  const poison = Math.floor(random.next() * 40);
  const poisoned: number[] = [];
  const start = () => {
    const held = new Map<Claim, { readonly work: Work; readonly sinceMs: number }>();
    const works = new Map<Claim, Work>();
    const giveBack = async (unstarted: readonly Unstarted[], delayMs = 0) => {
      for (const one of unstarted.flatMap(({ claims }) => claims)) {
        const work = works.get(one);
        if (work !== undefined) ready.push(Object.assign(work, { dueMs: clock.nowMs() + delayMs }));
      }
    };
    const quarantine = new Quarantine({ completer: { giveBack }, clock, random, recoveriesMax: 3, isOpen: () => true });
    return { held, works, quarantine };
  };
  const foremen = [start(), start(), start()];
  for (
    let tick = 0;
    tick < 20_000 && ready.length + foremen.reduce((sum, { held }) => sum + held.size, 0) > 0;
    tick++
  ) {
    clock.moveTo(clock.nowMs() + 50);
    const nowMs = clock.nowMs();
    for (const [i, { held, works, quarantine }] of foremen.entries()) {
      const due = ready.filter(({ dueMs }) => dueMs <= nowMs).slice(0, 12 - held.size);
      const claims = due.map((work) => {
        ready.splice(ready.indexOf(work), 1);
        const one = claim(work.counter, work.recoveries);
        works.set(one, work);
        return one;
      });
      const run = (one: Claim) => {
        const work = works.get(one);
        if (work !== undefined) held.set(one, { work, sinceMs: nowMs });
      };
      for (const one of quarantine.sift("s", claims, run)) run(one);
      await quarantine.whenSettled();
      for (const [one, { work, sinceMs }] of held) {
        if (work.counter === poison || nowMs - sinceMs < work.ms) continue;
        held.delete(one);
        quarantine.left(one, true);
      }
      const deadly = [...held.values()].find(({ work }) => work.counter === poison);
      if (deadly === undefined || nowMs - deadly.sinceMs < killsAfterMs) continue;
      foremen[i] = start();
      for (const { work } of held.values()) {
        if (++work.recoveries > 3) poisoned.push(work.counter);
        else ready.push(work);
      }
    }
  }
  return { poisoned: poisoned.filter((counter) => counter !== poison), isOver: poisoned.includes(poison) };
}

test("X8: no innocent is taken for poison, whatever kills how late, and what kills always is", async () => {
  for (let seed = 1; seed <= 200; seed++)
    expect(await playPoison(seed), `seed ${seed}`).toEqual({ poisoned: [], isOver: true });
});
