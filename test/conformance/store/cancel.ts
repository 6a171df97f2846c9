/** Sentences about cancelling, in every state there is. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { retainMs, type Scene, series } from "./scene.js";

export function cancelSentences(scene: () => Scene): void {
  describe("cancel", () => {
    it("ends what is ready; nobody can claim it any more", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b"]);
      expect(await s.cancel(lane, [1], "reason")).toEqual(["cancelled"]);
      const record = await s.record(lane, 1);
      expect(plain(record)).toMatchObject({
        id: s.id(lane, 1),
        state: "cancelled",
        queue: null,
        priority: 0,
        attempt: 0,
        token: 0,
        owner: null,
        body: null,
        value: plain(bytes("reason")),
      });
      expect(record.finishedAtMs).toBeGreaterThan(0);
      expect(await s.claimTexts("o1")).toEqual(["b"]);
    });

    it("ends what is ready on the full path, in every priority", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [
        { counter: 1, priority: 0 },
        { counter: 2, priority: 5 },
        { counter: 3, priority: -1 },
      ]);
      expect(await s.cancel(lane, [1, 2, 3])).toEqual(["cancelled", "cancelled", "cancelled"]);
      expect(await s.claimTexts("o1")).toEqual([]);
      expect((await s.counts()).queues.every(({ ready }) => ready === 0)).toBe(true);
    });

    it("ends what is scheduled", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, due: { in: 500 } }]);
      expect(await s.cancel(lane, [1], "reason")).toEqual(["cancelled"]);
      await s.advance(1000);
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 0, nextDueInMs: null });
      expect(plain(await s.record(lane, 1))).toMatchObject({
        state: "cancelled",
        dueAtMs: null,
        value: plain(bytes("reason")),
      });
    });

    it("ends a retry that waits; the Attempts burned are kept", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.fail("o1", held, 500);
      expect(await s.cancel(lane, [1])).toEqual(["cancelled"]);
      expect(await s.record(lane, 1)).toMatchObject({ state: "cancelled", attempt: 1, returns: 1, token: held.token });
    });

    it("ends what was given back to the front", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      await s.release("o1", await s.claim("o1"));
      expect(await s.cancel(lane, [1])).toEqual(["cancelled"]);
      expect(await s.claimTexts("o2")).toEqual(["n2"]);
    });

    it("only marks what runs: `requested`, also the second time", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.claimOne("o1");
      expect(await s.cancel(lane, [1])).toEqual(["requested"]);
      expect(await s.cancel(lane, [1])).toEqual(["requested"]);
      expect(await s.record(lane, 1)).toMatchObject({ state: "running", isCancelMarked: true, owner: "o1" });
      expect((await s.counts()).totals.cancelled).toBe(0);
    });

    it("tells the owner by the `marked` event", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.claimOne("o1");
      await s.cancel(lane, [1]);
      await s.heard((event) => event.kind === "marked" && event.owner === "o1", "the mark of o1");
    });

    it("leaves what has ended alone: `terminal`", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      const [first, second] = await s.claim("o1", 2);
      if (first === undefined || second === undefined) throw new Error("three were enqueued");
      await s.complete("o1", [first]);
      await s.fail("o1", second, null);
      await s.cancel(lane, [3]);
      const before = await s.snapshot();
      expect(await s.cancel(lane, [1, 2, 3], "late")).toEqual(["terminal", "terminal", "terminal"]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("does not know what was never accepted: `missing`", async () => {
      const s = scene();
      const [fast, full] = [await s.fast(), await s.full()];
      await s.enqueue(fast, 1, ["a"]);
      expect(await s.cancel(fast, [2])).toEqual(["missing"]);
      expect(await s.cancel(full, [1])).toEqual(["missing"]);
      expect(await s.cancel({ lane: 99, laneName: "zz.01" }, [1])).toEqual(["missing"]);
    });

    it("answers `terminal` for what is past its retention", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(3 * retainMs);
      await s.prune();
      expect(await s.state(lane, 1)).toBe("pruned");
      expect(await s.cancel(lane, [1])).toEqual(["terminal"]);
    });

    it("answers each element of a batch by itself, a dot named twice too", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      await s.claimOne("o1");
      expect(await s.cancel(lane, [1, 2, 2, 9])).toEqual(["requested", "cancelled", "terminal", "missing"]);
      expect((await s.counts()).totals.cancelled).toBe(1);
    });

    it("still holds when its record is gone and the element is still on the list", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      await s.cancel(lane, [2]);
      await s.advance(3 * retainMs);
      await s.prune();
      expect(await s.state(lane, 2)).toBe("pruned");
      expect(await s.cancel(lane, [2])).toEqual(["terminal"]);
      expect(await s.claimTexts("o1")).toEqual(["n1"]);
      expect(await s.state(lane, 2)).toBe("pruned");
    });

    it("takes a thousand at once", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 1000));
      const counters = Array.from({ length: 1000 }, (_, i) => i + 1);
      expect((await s.cancel(lane, counters)).every((answer) => answer === "cancelled")).toBe(true);
      expect(await s.claimTexts("o1", 500)).toEqual([]);
    });
  });
}
