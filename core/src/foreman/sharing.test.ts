import { describe, expect, it } from "vitest";
import { seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import { createCounters } from "../queue/counters.js";
import { CALL_AFTER_MS, CALL_PERIOD_MS } from "../queue/help-calls.js";
import { SPAN_MS_FIRST, SPAN_MS_MAX } from "../queue/hold-off.js";
import type { Rotation } from "../queue/rotation.js";
import { Segments } from "../queue/segments.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Sharing } from "./sharing.js";

describe("a Foreman that shares Segments", () => {
  it("follows the bell of what it attends at once, and calls nobody while claims empty it", async () => {
    const one = await makeForeman();
    one.ring("mine", "attended");
    expect(one.next()).toBe("mine");
    one.answer("mine", 1, false);
    one.pass(1_000);
    expect(one.calls).toEqual([]);
  });

  it("calls for help when what rang finds no room, soon and once a period", async () => {
    const one = await makeForeman();
    one.ring("mine", "attended"); // nobody takes the hint
    one.pass(CALL_AFTER_MS);
    expect(one.calls).toEqual(["mine mail"]);
    one.pass(10 * CALL_PERIOD_MS);
    expect(one.calls.length).toBe(11);
  });

  it("calls for help when claims never empty it, and stops calling when one does", async () => {
    const one = await makeForeman();
    one.ring("mine", "attended");
    for (let i = 0; i < 5; i++) {
      one.next();
      one.answer("mine", 10, true);
      one.pass(10);
    }
    expect(one.calls.length).toBeGreaterThan(0);
    const called = one.calls.length;
    one.next();
    one.answer("mine", 10, false);
    one.pass(1_000);
    expect(one.calls.length).toBe(called);
  });

  it("goes within the first span to a Segment that nobody attends, busy or not", async () => {
    const one = await makeForeman();
    one.ring("far", "unattended");
    one.pass(SPAN_MS_FIRST);
    expect(one.next()).toBe("far");
  });

  it("helps only when a pool has room and nothing else", async () => {
    const one = await makeForeman();
    one.ring("far", "help");
    one.pass(SPAN_MS_FIRST);
    expect(one.next()).toBeNull();
    expect(one.sharing.seek(["video"])).toBe(false);
    expect(one.sharing.seek(["mail"])).toBe(true);
    expect(one.next()).toBe("far");
  });

  it("B27: helps where something of a higher priority waits than it has to do itself", async () => {
    const one = await makeForeman();
    one.ring("mine", "attended", 3);
    one.ring("far", "help", 3);
    one.pass(SPAN_MS_FIRST);
    expect(one.sharing.isAsked).toBe(true);
    expect(one.sharing.seek(["mail"], one.rotation.highest)).toBe(false);
    one.ring("far", "help", 4);
    expect(one.sharing.seek(["mail"], one.rotation.highest)).toBe(true);
    expect(one.sharing.isAsked).toBe(false);
    expect(one.next()).toBe("far");
    one.answer("far", 1, true, 3); // what is left there is for its own Foreman
    expect([one.next(), one.next()]).toEqual(["mine", "far"]);
  });

  it("B27: calls for help with the priority that waits", async () => {
    const one = await makeForeman();
    one.ring("mine", "attended", -2);
    one.ring("mine", "attended", 8);
    one.pass(CALL_AFTER_MS);
    expect(one.calls).toEqual(["mine mail 8"]);
    one.next();
    one.answer("mine", 1, true, -2);
    one.pass(CALL_PERIOD_MS);
    expect(one.calls).toEqual(["mine mail 8", "mine mail -2"]);
  });

  it("hears of a call at once where it found work last", async () => {
    const one = await makeForeman();
    one.answer("far", 5, false);
    one.ring("far", "help");
    expect(one.sharing.seek(["mail"])).toBe(true);
  });

  it("holds no call back that it could make itself when it stops", async () => {
    const one = await makeForeman();
    await one.sharing.stop();
    expect(one.attended).toEqual([["mail"], []]);
    expect(one.calls).toEqual(["mine mail"]);
    one.pass(1_000);
    expect(one.calls).toEqual(["mine mail"]);
  });

  it("calls nobody where there can be no others", async () => {
    const one = await makeForeman(false);
    one.ring("mine", "attended");
    one.pass(1_000);
    await one.sharing.stop();
    expect(one.calls).toEqual([]);
    expect(one.clock.nextMs).toBeNull();
  });

  it("needs no bell for what its own process enqueues, and calls for help there, too", async () => {
    const one = await makeForeman();
    expect(one.sharing.attends("mine", "mail")).toBe(true);
    expect(one.sharing.attends("mine", "video")).toBe(false);
    expect(one.sharing.attends("far", "mail")).toBe(false);
    one.sharing.sent("mine", "mail"); // nobody takes the hint
    one.sharing.looked();
    one.pass(CALL_AFTER_MS);
    expect(one.calls).toEqual(["mine mail"]);
    await one.sharing.stop();
    expect(one.sharing.attends("mine", "mail")).toBe(false);
  });

  it("costs one claim a bell among ten, once it is known who goes to a Segment nobody attends", async () => {
    const clock = new ManualClock();
    const all = await Promise.all(Array.from({ length: 10 }, (_, seed) => makeForeman(true, clock, seed + 1)));
    const claimsOf = (bells: number, everyMs: number): number => {
      let claims = 0;
      for (let bell = 0; bell < bells; bell++) {
        let isThere = true;
        for (const one of all) one.ring("far", "unattended");
        for (let ms = 0; ms < everyMs; ms++) {
          for (const one of all) {
            if (one.next() === null) continue;
            claims++;
            one.answer("far", isThere ? 1 : 0, false);
            isThere = false;
          }
          clock.moveTo(clock.nowMs() + 1);
        }
        expect(isThere).toBe(false);
      }
      return claims / bells;
    };
    claimsOf(20, SPAN_MS_MAX + 1); // they get to know it
    expect(claimsOf(200, SPAN_MS_MAX / 4)).toBeLessThan(1.5);
  });
});

interface Simulated {
  readonly clock: ManualClock;
  readonly sharing: Sharing;
  readonly segments: Segments;
  readonly rotation: Rotation;
  readonly calls: string[];
  readonly attended: (readonly string[])[];
  ring(segment: string, cause: "attended" | "unattended" | "help", priority?: number): void;
  /** The Segment a pool with room claims from next. */
  next(): string | null;
  answer(segment: string, brought: number, mayHoldMore: boolean, highest?: number): void;
  pass(ms: number): void;
}

async function makeForeman(isShared = true, clock = new ManualClock(), seed = 7): Promise<Simulated> {
  const calls: string[] = [];
  const attended: (readonly string[])[] = [];
  const store = {
    attend: (queues: readonly string[]) => {
      attended.push(queues);
      return Promise.resolve(isShared);
    },
    callForHelp: (segment: string, queue: string, priority: number) => {
      calls.push(`${segment} ${queue}${priority === 0 ? "" : ` ${priority}`}`);
      return Promise.resolve();
    },
  } as unknown as Store; // what sharing uses of it
  const segments = new Segments(store, clock);
  const rotation = segments.join(["mail"]);
  segments.view("mine").isAttended = true;
  const sharing = new Sharing({
    ...{ store, clock, random: seededRandom(seed), counters: createCounters(), segments },
    queues: ["mail"],
    wake: () => undefined,
  });
  await sharing.start();
  return {
    ...{ clock, sharing, segments, rotation, calls, attended },
    ring: (segment, cause, priority = 0) => {
      sharing.rang({ segment, queue: "mail", priority }, cause);
      sharing.looked();
    },
    next: () => rotation.next()?.view.name ?? null,
    answer: (segment, brought, mayHoldMore, highest = 0) => {
      const view = segments.view(segment);
      const left = { waiting: mayHoldMore ? 1 : 0, highest: mayHoldMore ? highest : null, takenMs: null };
      rotation.settle(rotation.turn(view), left);
      sharing.answered({ view, queues: ["mail"], brought, mayHoldMore, claimMs: 0 });
    },
    pass: (ms) => {
      for (const end = clock.nowMs() + ms; clock.nowMs() < end; ) clock.moveTo(Math.min(end, clock.nowMs() + 1));
    },
  };
}
