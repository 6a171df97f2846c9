/** Sentences about live limits: numbers of gates that are set from outside and go before what ties say. */
import { type LiveNumber, SEGMENT_PACE, SEGMENT_REST, SEGMENT_SLOTS, type Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes } from "../../helper/bytes.js";
import { type Lane, only, type Scene } from "./scene.js";

const gated = (name: string, slots: number): Ties => ({ key: null, line: null, gates: [{ name, slots }] });
const paced = (name: string, everyMs: number): Ties => ({
  key: null,
  line: null,
  gates: [{ name, everyMs, burst: 1 }],
});

/** Enqueues so many with these ties, from a counter on. */
async function put(s: Scene, lane: Lane, count: number, ties: Ties, from = 1): Promise<void> {
  const elements = Array.from({ length: count }, (_, i) => ({ counter: from + i, ties }));
  expect(new Set(await s.enqueueFull(lane, elements))).toEqual(new Set(["ok"]));
}

const set = (s: Scene, name: string, number: LiveNumber | null, max = 1000) =>
  s.store.limitSet(s.segment, { name, number, max });

export function liveSentences(scene: () => Scene): void {
  describe("a live limit", () => {
    it("X4: a larger one lets on at once what waits, a smaller one lets what runs end; taken back, ties count again", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 12, gated("g:", 2));
      const first = await s.claim("o1");
      expect(first).toHaveLength(2);
      s.events.length = 0;
      expect(await set(s, "g:", { slots: 5 })).toEqual({ answer: "ok", isSettled: true });
      await s.heard((event) => event.kind === "bell" && event.queue === "q", "the bell for what goes on");
      const more = await s.claim("o1");
      expect(more).toHaveLength(3);
      await set(s, "g:", { slots: 1 });
      await s.complete("o1", [...first, ...more.slice(0, 2)]);
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", more.slice(2));
      const alone = await s.claim("o1");
      expect(alone).toHaveLength(1);
      expect(await set(s, "g:", null)).toEqual({ answer: "ok", isSettled: true });
      expect(await s.claim("o1")).toHaveLength(1);
    });

    it("X4: a larger one lets on as many as it has room for of the Queues that are not paused; none too many on resume", async () => {
      const s = scene();
      const lane = await s.full();
      const both = ["z", "q"];
      const at = (queue: string, from: number, count: number) =>
        Array.from({ length: count }, (_, i) => ({ counter: from + i, queue, ties: gated("g:", 1) }));
      await s.enqueueFull(lane, [...at("q", 1, 1), ...at("z", 2, 2), ...at("q", 4, 4)]);
      const running = [only(await s.claim("o1", 1, ["q"]))];
      expect(await s.claim("o1", 1000, ["z"])).toEqual([]);
      expect(await s.claim("o1", 1000, ["q"])).toEqual([]);
      await s.store.queuePause(s.segment, { queue: "z" });
      await s.complete("o1", running.splice(0));
      running.push(only(await s.claim("o1", 1000, both)));
      await set(s, "g:", { slots: 3 });
      running.push(...(await s.claim("o1", 1000, both)));
      expect(running).toHaveLength(3);
      await s.store.queueResume(s.segment, { queue: "z" });
      expect(await s.claim("o1", 1000, both)).toEqual([]);
      await s.complete("o1", running.splice(0, 2));
      expect(await s.claimTexts("o1", 1000, both)).toEqual(["f2", "f3"]);
      await s.complete("o1", running);
      expect(await s.claimTexts("o1", 1000, both)).toEqual(["f7"]);
    });

    it("X4: 0 lets nothing begin; what waits goes on once there is more", async () => {
      const s = scene();
      const lane = await s.full();
      await set(s, "g", { slots: 0 });
      await put(s, lane, 3, gated("g", 2));
      expect(await s.claim("o1")).toEqual([]);
      await put(s, lane, 1, gated("g", 9), 4);
      expect(await s.claim("o1")).toEqual([]);
      await set(s, "g", { slots: 1 });
      expect(await s.claim("o1")).toHaveLength(1);
      await set(s, "g", null);
      // The newest number that came meanwhile is the gate's.
      expect(await s.claim("o1")).toHaveLength(3);
    });

    it("X4: of whatever gate leaves a claim of the most there is word of what waits behind it", async () => {
      const s = scene();
      await set(s, "elsewhere", { slots: 1 });
      const lane = await s.fast();
      for (const first of [1, 1_001]) {
        const bodies = Array.from({ length: 1_000 }, (_, n) => bytes(`n${first + n}`));
        await s.store.enqueue(s.segment, { ...lane, first, bodies });
      }
      const { claims, waiting } = await s.store.claim(s.segment, {
        owner: "o1",
        request: 1,
        queues: ["q"],
        max: 1_000,
      });
      expect([claims.length, waiting]).toEqual([1_000, 1_000]);
    });

    it("X4: goes before the newest number of what comes, whichever came later", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 5, gated("g:", 1));
      await s.claim("o1");
      await set(s, "g:", { slots: 2 });
      await put(s, lane, 5, gated("g:", 8), 6);
      expect(await s.claim("o1")).toHaveLength(1);
      expect(await s.claim("o1")).toEqual([]);
    });

    it("X4: stands for all before whose colon its name is, but for those that have one of their own", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 5, gated("host#0:a", 1));
      await put(s, lane, 5, gated("host#0:b", 1), 6);
      await put(s, lane, 5, gated("host#01:c", 1), 11);
      expect(await s.claim("o1")).toHaveLength(3);
      await set(s, "host#0:b", { slots: 2 });
      await set(s, "host#0", { slots: 4 });
      const texts = await s.claimTexts("o1");
      expect(texts.toSorted()).toEqual(["f2", "f3", "f4", "f7"]);
      await set(s, "host#0:b", null);
      expect(await s.claimTexts("o1")).toEqual(["f8", "f9"]);
    });

    it("X4: what is too much for one call goes on with `promote`, which is due at once; none is passed over", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 20, gated("g:", 1));
      await s.claim("o1");
      s.events.length = 0;
      expect(await set(s, "g:", { slots: 11 }, 3)).toEqual({ answer: "ok", isSettled: false });
      await s.heard((event) => event.kind === "due" && event.inMs <= 0, "that promote has to go on");
      expect((await s.counts()).nextDueInMs).toBe(0);
      expect(await s.claim("o1")).toHaveLength(3);
      await s.promote(4);
      expect(await s.claim("o1")).toHaveLength(4);
      expect((await s.promote(4)).nextDueInMs).toBeNull();
      expect(await s.claim("o1")).toHaveLength(3);
      expect(await set(s, "g:", { slots: 11 }, 3)).toEqual({ answer: "unchanged", isSettled: true });
      expect(await s.claim("o1")).toEqual([]);
    });

    it("X4: of a pace it gives what waits its new time at once, both ways", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 4, paced("p:", 3_600_000));
      expect(await s.claim("o1")).toHaveLength(1);
      expect(await s.claim("o1")).toEqual([]);
      s.events.length = 0;
      await set(s, "p:", { everyMs: 100, burst: 1 });
      await s.heard((event) => event.kind === "due" && event.inMs <= 0, "that the pace may open");
      await s.promote();
      // It begins anew.
      expect(await s.claim("o1")).toHaveLength(1);
      await s.advance(100);
      expect((await s.promote()).nextDueInMs).toBe(100);
      expect(await s.claim("o1")).toHaveLength(1);
      await set(s, "p:", { everyMs: 60_000, burst: 1 });
      await s.promote();
      expect(await s.claim("o1")).toHaveLength(1);
      await put(s, lane, 1, paced("p:", 1), 5);
      expect(await s.claim("o1")).toEqual([]);
      expect((await s.counts()).nextDueInMs).toBe(60_000);
    });

    it("X4: a pace of none lets all through; the same number again does not begin a pace anew", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 9, paced("p:", 60_000));
      expect(await s.claim("o1")).toHaveLength(1);
      await set(s, "p:", { everyMs: 50_000, burst: 2 });
      await s.promote();
      expect(await s.claim("o1")).toHaveLength(2);
      expect((await set(s, "p:", { everyMs: 50_000, burst: 2 })).answer).toBe("unchanged");
      await s.promote();
      expect(await s.claim("o1")).toEqual([]);
      await set(s, "p:", { everyMs: 0, burst: 1 });
      await s.promote();
      expect(await s.claim("o1")).toHaveLength(6);
    });

    it("X4: counts for what comes back: retries, hand-backs, rescues", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 3, gated("g:", 3));
      const [one, two, three] = await s.claim("o1");
      if (one === undefined || two === undefined || three === undefined) throw new Error("three were claimed");
      await set(s, "g:", { slots: 1 });
      await s.release("o1", [one]);
      expect(await s.claim("o2")).toEqual([]);
      await s.fail("o1", two, 500);
      expect(await s.claim("o2")).toEqual([]);
      await s.rescue("o1");
      expect(await s.claim("o2")).toHaveLength(1);
      await s.advance(500);
      await s.promote();
      expect(await s.claim("o2")).toEqual([]);
    });

    it("X4: of the Segment as a whole bounds what runs, and rings when more may go", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a", "b", "c", "d", "e"]);
      await put(s, await s.full(), 2, gated("g:", 5));
      await set(s, SEGMENT_SLOTS, { slots: 2 });
      const claims = await s.claim("o1");
      expect(claims).toHaveLength(2);
      const { claims: none, waiting } = await s.store.claim(s.segment, {
        ...{ owner: "o2", request: 1, queues: ["q"], max: 10 },
      });
      // Who is told that something waits would ask again and again.
      expect({ none, waiting }).toEqual({ none: [], waiting: 0 });
      for (const way of ["complete", "release", "rescue"] as const) {
        s.events.length = 0;
        const [one] = claims;
        if (way === "complete") await s.complete("o1", claims.slice(0, 1));
        if (way === "release") await s.release("o3", await s.claim("o3"));
        if (way === "rescue") await s.rescue("o1");
        expect(one).toBeDefined();
        await s.heard((event) => event.kind === "bell" && event.queue === "q", `the bell after ${way}`);
      }
      expect(await s.claim("o4")).toHaveLength(2);
      s.events.length = 0;
      await set(s, SEGMENT_SLOTS, null);
      await s.heard((event) => event.kind === "bell" && event.queue === "q", "the bell of the limit taken back");
      expect(await s.claim("o4")).toHaveLength(4);
    });

    it("X4: a pace of the Segment, or one that a claim brings, lets so many through; promote rings for the others", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a", "b", "c", "d", "e", "f"]);
      const asked = { owner: "o1", queues: ["q"], max: 10, pace: { everyMs: 100, burst: 2 } };
      s.events.length = 0;
      expect((await s.store.claim(s.segment, { ...asked, request: 1 })).claims).toHaveLength(2);
      await s.heard((event) => event.kind === "due" && event.inMs === 100, "when the next one may go");
      expect(await s.store.claim(s.segment, { ...asked, request: 2 })).toMatchObject({ claims: [], waiting: 0 });
      await s.advance(99);
      await s.promote();
      expect((await s.store.claim(s.segment, { ...asked, request: 3 })).claims).toEqual([]);
      await s.advance(1);
      s.events.length = 0;
      await s.promote();
      await s.heard((event) => event.kind === "bell" && event.queue === "q", "the bell for the next one");
      expect((await s.store.claim(s.segment, { ...asked, request: 4 })).claims).toHaveLength(1);
      // A live one goes before it, and begins anew.
      await set(s, SEGMENT_PACE, { everyMs: 1000, burst: 1 });
      expect((await s.store.claim(s.segment, { ...asked, request: 5 })).claims).toHaveLength(1);
      await s.advance(500);
      expect((await s.store.claim(s.segment, { ...asked, request: 6 })).claims).toEqual([]);
      await set(s, SEGMENT_PACE, null);
      expect((await s.store.claim(s.segment, { ...asked, request: 7 })).claims).toHaveLength(2);
    });

    it("X4: a rest of the Segment lets nothing begin until it is over, each time it is set", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a", "b"]);
      await set(s, SEGMENT_REST, { everyMs: 300, burst: 1 });
      expect(await s.claim("o1", 1)).toEqual([]);
      await s.advance(300);
      s.events.length = 0;
      await s.promote();
      await s.heard((event) => event.kind === "bell" && event.queue === "q", "the bell after the rest");
      expect(await s.claim("o1", 1)).toHaveLength(1);
      expect((await set(s, SEGMENT_REST, { everyMs: 300, burst: 1 })).answer).toBe("ok");
      expect(await s.claim("o1", 1)).toEqual([]);
      await s.advance(300);
      await s.prune();
      expect((await s.store.limits(s.segment, { max: 1 })).live).toEqual([]);
      expect(await s.claim("o1", 1)).toHaveLength(1);
    });

    it("X4: is named by `explain` and told by `limits`, with what is in use", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 4, gated("g#0:", 1));
      await put(s, lane, 2, paced("g@0:", 60_000), 5);
      await s.claim("o1");
      await set(s, "g#0", { slots: 2 });
      await set(s, "g@0", { everyMs: 1000, burst: 3 });
      await s.claim("o1");
      const { dot } = { dot: { laneName: lane.laneName, counter: 4 } };
      const { gates } = await s.store.explain(s.segment, { dot, max: 10 });
      expect(gates).toMatchObject([{ name: "g#0:", slots: 2, used: 2, isFull: true, isLive: true }]);
      const answer = await s.store.limits(s.segment, { max: 10 });
      expect(answer).toMatchObject({
        live: [
          { name: "g#0", number: { slots: 2 }, sinceMs: answer.nowMs, isSettling: false },
          { name: "g@0", number: { everyMs: 1000, burst: 3 }, sinceMs: answer.nowMs, isSettling: false },
        ],
        gates: [
          { name: "g#0:", kind: "slots", slots: 2, used: 2, parked: 2, isLive: true },
          { name: "g@0:", kind: "pace", slots: null, everyMs: 1000, burst: 3, parked: 1, isLive: true },
        ],
        isPartial: false,
      });
      expect(only((await s.store.limits(s.segment, { max: 1 })).gates).name).toBe("g#0:");
    });
  });
}
