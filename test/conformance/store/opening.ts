/** Sentences about Segments, lanes and pauses. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import type { Scene } from "./scene.js";

export function openingSentences(scene: () => Scene): void {
  describe("a Segment", () => {
    it("is listed once it was opened", async () => {
      const { store, segment } = scene();
      expect(await store.segments()).toContain(segment);
    });

    it("may be opened again without harm", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const before = await s.snapshot();
      await s.store.openSegment(s.segment);
      expect(await s.snapshot()).toEqual(before);
      expect((await s.store.segments()).filter((name) => name === s.segment)).toHaveLength(1);
    });

    it("knows nothing of its neighbour", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["mine"]);
      const other = `${s.segment}-b`;
      await s.store.openSegment(other);
      await s.advance(0);
      expect((await s.store.counts(other)).totals.enqueued).toBe(0);
      const claim = await s.store.claim(other, { owner: "o1", request: 1, queues: ["q"], max: 10 });
      expect(claim.claims).toEqual([]);
      expect(await s.claimTexts("o1")).toEqual(["mine"]);
    });

    it("begins with the pauses recorded before it was opened", async () => {
      const s = scene();
      const [paused, resumed] = [`p-${s.segment}`, `r-${s.segment}`];
      await s.store.recordPause(paused, true);
      await s.store.recordPause(resumed, true);
      await s.store.recordPause(resumed, false);
      const later = `${s.segment}-later`;
      await s.store.openSegment(later);
      await s.advance(0);
      const { queues } = await s.store.counts(later);
      expect(queues.filter(({ isPaused }) => isPaused).map(({ queue }) => queue)).toContain(paused);
      expect(queues.filter(({ isPaused }) => isPaused).map(({ queue }) => queue)).not.toContain(resumed);
      await s.store.recordPause(paused, false);
    });
  });

  describe("lane_open", () => {
    it("numbers lanes from what it has not given out, and answers their marks", async () => {
      const s = scene();
      const first = await s.store.laneOpen(s.segment, { laneName: "a1.01", queue: "q" });
      const second = await s.store.laneOpen(s.segment, { laneName: "a1.02", queue: "other" });
      expect(first).toMatchObject({ answer: "ok", accepted: 0 });
      expect(second).toMatchObject({ answer: "ok", accepted: 0 });
      expect(second.lane).not.toBe(first.lane);
      expect(first.lane).toBeGreaterThanOrEqual(1);
    });

    it("answers an open lane's present marks, however often it is asked", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b", "c"]);
      const before = await s.snapshot();
      const again = await s.store.laneOpen(s.segment, { laneName: "a1.01", queue: "q" });
      expect(again).toEqual({ answer: "ok", lane: lane.lane, accepted: 3 });
      expect(await s.snapshot()).toEqual(before);
    });

    it("refuses a lane that is open with another Queue, as `conflict`", async () => {
      const s = scene();
      await s.fast("q");
      const before = await s.snapshot();
      expect(await s.store.laneOpen(s.segment, { laneName: "a1.01", queue: "z" })).toMatchObject({
        answer: "conflict",
      });
      expect(await s.snapshot()).toEqual(before);
    });

    it("opens the lane of the full path, which has no Queue of its own", async () => {
      const s = scene();
      expect(await s.store.laneOpen(s.segment, { laneName: "a1.00", queue: null })).toMatchObject({ answer: "ok" });
      expect(await s.store.laneOpen(s.segment, { laneName: "a1.00", queue: null })).toMatchObject({ answer: "ok" });
    });

    it("lets two incarnations write the same Queue through lanes of their own", async () => {
      const s = scene();
      const a = await s.fast("q", "a1.01");
      const b = await s.fast("q", "b2.01");
      await s.enqueue(a, 1, ["a1"]);
      await s.enqueue(b, 1, ["b1"]);
      await s.enqueue(a, 2, ["a2"]);
      expect(await s.claimTexts("o1")).toEqual(["a1", "b1", "a2"]);
    });
  });

  describe("queue_pause and queue_resume", () => {
    it("stop claims from a Queue and let them go on", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      expect(await s.store.queuePause(s.segment, { queue: "q" })).toEqual({ answer: "ok" });
      expect(await s.claimTexts("o1")).toEqual([]);
      expect(await s.store.queueResume(s.segment, { queue: "q" })).toEqual({ answer: "ok" });
      expect(await s.claimTexts("o1")).toEqual(["a"]);
    });

    it("answer `unchanged` when it was so before, and write nothing", async () => {
      const s = scene();
      expect(await s.store.queueResume(s.segment, { queue: "q" })).toEqual({ answer: "unchanged" });
      await s.store.queuePause(s.segment, { queue: "q" });
      const before = await s.snapshot();
      expect(await s.store.queuePause(s.segment, { queue: "q" })).toEqual({ answer: "unchanged" });
      expect(await s.snapshot()).toEqual(before);
    });

    it("leave enqueue and outcomes alone: a pause stops starts, nothing else", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.store.queuePause(s.segment, { queue: "q" });
      expect(await s.enqueue(lane, 2, ["b"])).toMatchObject({ answer: "ok", fresh: 1 });
      expect(await s.complete("o1", [held])).toEqual(["ok"]);
      expect((await s.counts()).queues).toEqual([{ queue: "q", ready: 1, highest: 0, isPaused: true }]);
    });

    it("are seen by a claim only for the Queue they name", async () => {
      const s = scene();
      await s.enqueue(await s.fast("q", "a1.01"), 1, ["q1"]);
      await s.enqueue(await s.fast("z", "a1.02"), 1, ["z1"]);
      await s.store.queuePause(s.segment, { queue: "q" });
      const answer = await s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q", "z"], max: 10 });
      expect(plain(answer.claims.map(({ body }) => body))).toEqual(plain([bytes("z1")]));
      expect(answer.waiting).toBe(0);
    });
  });
}
