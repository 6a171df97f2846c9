/** Sentences about what nobody asked for by name: promote, rescue, requeue, prune. */
import { ID_MEMORY_MS } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { at, only, proof, retainMs, type Scene, series, texts } from "./scene.js";

/** When the slice of what finished at `nowMs` expires, as the contract says it. */
function sliceExpiryMs(finishedAtMs: number, keepMs: number): number {
  const width = 2 ** Math.max(10, Math.ceil(Math.log2(keepMs / 32)));
  return (Math.floor((finishedAtMs + keepMs) / width) + 1) * width;
}

export function housekeepingSentences(scene: () => Scene): void {
  describe("promote", () => {
    it("makes due Operations ready, by due time, then address, at the end of their lists", async () => {
      const s = scene();
      const [fast, full] = [await s.fast(), await s.full()];
      await s.enqueueFull(full, [
        { counter: 4, due: { in: 200 }, text: "second2" },
        { counter: 3, due: { in: 300 }, text: "third" },
        { counter: 2, due: { in: 200 }, text: "second1" },
        { counter: 1, due: { in: 100 }, text: "first" },
        { counter: 5, due: { in: 400 }, text: "later" },
      ]);
      await s.enqueue(fast, 1, ["there before"]);
      await s.advance(300);
      expect(await s.promote()).toEqual({ promoted: 4, lapsed: 0, nextDueInMs: 100 });
      expect(await s.claimTexts("o1")).toEqual(["there before", "first", "second1", "second2", "third"]);
    });

    it("never comes early, and comes on the millisecond", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [{ counter: 1, due: { in: 100 } }]);
      await s.advance(99);
      expect(await s.promote()).toMatchObject({ promoted: 0 });
      await s.advance(1);
      expect(await s.promote()).toEqual({ promoted: 1, lapsed: 0, nextDueInMs: null });
    });

    it("B41: takes at most `max`, and says when the next is due", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(
        full,
        [1, 2, 3].map((counter) => ({ counter, due: { in: counter * 10 } })),
      );
      await s.advance(100);
      expect(await s.promote(2)).toEqual({ promoted: 2, lapsed: 0, nextDueInMs: -70 });
      expect(await s.promote(2)).toEqual({ promoted: 1, lapsed: 0, nextDueInMs: null });
      expect(await s.promote(2)).toEqual({ promoted: 0, lapsed: 0, nextDueInMs: null });
    });

    it("respects the priority of each", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [
        { counter: 1, due: { in: 10 }, priority: -1, text: "low" },
        { counter: 2, due: { in: 20 }, priority: 5, text: "high" },
      ]);
      await s.advance(20);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["high", "low"]);
    });
  });

  describe("rescue", () => {
    it("X8: gives back what a silent owner held, in the order it was claimed, at the front", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 5));
      await s.claim("o1", 2);
      await s.claim("o1", 2);
      expect(await s.rescue("o1")).toEqual({ answer: "ok", rescued: 4, failed: 0, cancelled: 0, left: 0 });
      expect(await s.record(lane, 1)).toMatchObject({
        state: "ready",
        queue: "q",
        attempt: 0,
        recoveries: 1,
        returns: 1,
        token: 0,
        owner: null,
      });
      expect(await s.claimTexts("o2")).toEqual(["n1", "n2", "n3", "n4", "n5"]);
    });

    it("burns no Attempt and counts itself", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.claimOne("o1");
      await s.rescue("o1");
      expect(await s.claimOne("o2")).toMatchObject({ attempt: 1, recoveries: 1 });
    });

    it("with `max` 0 takes nothing, and forgets an owner that holds nothing", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.rescue("o1", { max: 0 })).toMatchObject({ answer: "ok", rescued: 0, left: 1 });
      await s.release("o1", [held]);
      expect(await s.rescue("o1", { max: 0 })).toMatchObject({ answer: "ok", rescued: 0, left: 0 });
      expect(await s.rescue("o1", { max: 0 }).catch(() => "no owner")).toBe("no owner");
    });

    it("takes a claim for a beat: what was decided before it takes nothing of what it brought", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 2));
      await s.claim("o1", 1);
      const beat = await s.beatSeen("o1");
      const ask = { owner: "o1", beat, max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      const held = await s.claim("o1", 1);
      expect(await s.store.rescue(s.segment, ask)).toMatchObject({ answer: "stale", rescued: 0, left: 2 });
      expect(await s.complete("o1", held)).toEqual(["ok"]);
      // One that brings nothing writes nothing.
      const seen = await s.beatSeen("o1");
      await s.claim("o1", 10);
      expect(await s.beatSeen("o1")).toBe(seen);
      expect(await s.rescue("o1")).toMatchObject({ answer: "ok", rescued: 1 });
    });

    it("compares: refuses another beat than the present one, and writes nothing", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.claimOne("o1");
      const seen = await s.beatSeen("o1");
      await s.beat("o1");
      const before = await s.snapshot();
      const ask = { owner: "o1", max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      expect(await s.store.rescue(s.segment, { ...ask, beat: seen })).toMatchObject({ answer: "stale", rescued: 0 });
      expect(await s.store.rescue(s.segment, { ...ask, beat: seen + 2 })).toMatchObject({
        answer: "stale",
        rescued: 0,
      });
      expect(await s.snapshot()).toEqual(before);
      expect(await s.store.rescue(s.segment, { ...ask, beat: seen + 1 })).toMatchObject({ answer: "ok", rescued: 1 });
    });

    it("does not know an owner that never took anything", async () => {
      const s = scene();
      const ask = { owner: "nobody", beat: 0, max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      expect(await s.store.rescue(s.segment, ask)).toMatchObject({ answer: "missing", rescued: 0, left: 0 });
    });

    it("works in bounded batches and restores the order of claims over all of them", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 5));
      await s.claim("o1", 3);
      await s.claim("o1", 2);
      expect(await s.rescue("o1", { max: 2 })).toMatchObject({ rescued: 2, left: 3 });
      expect(await s.rescue("o1", { max: 2 })).toMatchObject({ rescued: 2, left: 1 });
      expect(await s.rescue("o1", { max: 2 })).toMatchObject({ rescued: 1, left: 0 });
      expect(await s.claimTexts("o2")).toEqual(["n1", "n2", "n3", "n4", "n5"]);
    });

    it("restores each priority to its own list", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [
        { counter: 1, priority: 0, text: "zero1" },
        { counter: 2, priority: 5, text: "five1" },
        { counter: 3, priority: 5, text: "five2" },
        { counter: 4, priority: 0, text: "zero2" },
      ]);
      await s.claim("o1", 3);
      await s.rescue("o1");
      expect(await s.claimTexts("o2")).toEqual(["five1", "five2", "zero1", "zero2"]);
    });

    it("forgets the owner when it holds nothing any more; its next claims start anew", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 2));
      await s.claim("o1", 1);
      await s.rescue("o1");
      expect((await s.counts()).owners).toEqual([]);
      expect(await s.store.extend(s.segment, { owner: "o1" })).toMatchObject({ answer: "missing" });
      const again = await s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 1 });
      expect(texts(again.claims)).toEqual(["n1"]);
    });

    it("of oneself, holding nothing, is how a Foreman leaves", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      const beat = await s.beat("o1");
      const ask = { owner: "o1", beat, max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      expect(await s.store.rescue(s.segment, ask)).toEqual({
        answer: "ok",
        rescued: 0,
        failed: 0,
        cancelled: 0,
        left: 0,
      });
      expect(await s.store.rescue(s.segment, ask)).toMatchObject({ answer: "missing" });
    });

    it("ends as failed what was rescued too often", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.claimOne("o1");
      expect(await s.rescue("o1", { recoveriesMax: 1 })).toMatchObject({ rescued: 1, failed: 0 });
      await s.claimOne("o2");
      expect(await s.rescue("o2", { recoveriesMax: 1 })).toMatchObject({ rescued: 0, failed: 1, left: 0 });
      expect(plain(await s.record(lane, 1))).toMatchObject({
        state: "failed",
        attempt: 1,
        recoveries: 1,
        body: plain(bytes("a")),
        value: plain(bytes("poison")),
      });
      expect(await s.counts()).toMatchObject({ dead: 1, running: 0, totals: { rescued: 1, failed: 1 } });
    });

    it("cancels what was marked", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      await s.claim("o1");
      await s.cancel(lane, [1], "reason");
      expect(await s.rescue("o1")).toEqual({ answer: "ok", rescued: 1, failed: 0, cancelled: 1, left: 0 });
      expect(plain(await s.record(lane, 1))).toMatchObject({ state: "cancelled", value: plain(bytes("reason")) });
      expect(await s.claimTexts("o2")).toEqual(["n2"]);
    });
  });

  describe("requeue", () => {
    it("X12: opens a new generation with fresh counters, at the end of the list", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      const held = await s.claimOne("o1");
      await s.fail("o1", held, null);
      expect(await s.requeue(lane, 1)).toBe("ok");
      expect(plain(await s.record(lane, 1))).toMatchObject({
        state: "ready",
        generation: held.generation + 1,
        attempt: 0,
        recoveries: 0,
        returns: 0,
        finishedAtMs: null,
        queue: "q",
        body: plain(bytes("n1")),
      });
      const claims = await s.claim("o1");
      expect(texts(claims)).toEqual(["n2", "n1"]);
      expect(at(claims, 1)).toMatchObject({ generation: held.generation + 1, attempt: 1, recoveries: 0 });
      expect(await s.counts()).toMatchObject({ dead: 0 });
    });

    it("keeps the Queue and the priority", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [{ counter: 1, queue: "z", priority: 4 }]);
      await s.fail("o1", await s.claimOne("o1", "z"), null);
      await s.requeue(full, 1);
      expect(await s.claimOne("o1", "z")).toMatchObject({ queue: "z", priority: 4 });
    });

    it("may happen once per failure: again is `illegal`", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.fail("o1", await s.claimOne("o1"), null);
      expect(await s.requeue(lane, 1)).toBe("ok");
      const before = await s.snapshot();
      expect(await s.requeue(lane, 1)).toBe("illegal");
      expect(await s.snapshot()).toEqual(before);
    });

    it("is `illegal` for anything that has not failed, `missing` for what is not known", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, series("n", 4));
      await s.enqueueFull(full, [{ counter: 1, due: { in: 100 } }]);
      const [first] = await s.claim("o1", 2);
      if (first === undefined) throw new Error("four were enqueued");
      await s.complete("o1", [first]);
      await s.cancel(lane, [4]);
      for (const counter of [1, 2, 3, 4]) expect(await s.requeue(lane, counter)).toBe("illegal");
      expect(await s.requeue(full, 1)).toBe("illegal");
      expect(await s.requeue(lane, 5)).toBe("missing");
      expect(await s.requeue(full, 2)).toBe("missing");
    });

    it("lets an outcome of the generation before count for nothing", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const first = await s.claimOne("o1");
      await s.fail("o1", first, null);
      await s.requeue(lane, 1);
      const second = await s.claimOne("o1");
      expect(await s.complete("o1", [first])).toEqual(["stale"]);
      expect(await s.complete("o1", [second])).toEqual(["ok"]);
    });
  });

  describe("prune", () => {
    it("deletes a finished slice at its expiry, not a millisecond before", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      const { finishedAtMs } = await s.record(lane, 1);
      if (finishedAtMs === null) throw new Error("it is finished");
      const expiry = sliceExpiryMs(finishedAtMs, retainMs);
      await s.advance(expiry - finishedAtMs - 1);
      expect(await s.prune()).toMatchObject({ finished: 0, more: false });
      expect(await s.state(lane, 1)).toBe("completed");
      await s.advance(1);
      expect(await s.prune()).toMatchObject({ finished: 1, more: false });
      expect(await s.state(lane, 1)).toBe("pruned");
    });

    it("F12: keeps each outcome for the time that outcome asked for", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      const claims = await s.claim("o1");
      const times = [1000, 100_000, 10_000_000];
      for (const [i, keepMs] of times.entries()) {
        const held = [proof(at(claims, i))];
        await s.store.complete(s.segment, { owner: "o1", retainMs: keepMs, held, values: [bytes("done")] });
      }
      const { finishedAtMs } = await s.record(lane, 1);
      if (finishedAtMs === null) throw new Error("it is finished");
      let passedMs = 0;
      for (const [i, keepMs] of times.entries()) {
        const wait = sliceExpiryMs(finishedAtMs, keepMs) - finishedAtMs - passedMs;
        await s.advance(wait);
        passedMs += wait;
        expect(await s.prune()).toMatchObject({ finished: 1 });
        for (const counter of [1, 2, 3]) {
          expect(await s.state(lane, counter)).toBe(counter <= i + 1 ? "pruned" : "completed");
        }
      }
    });

    it("deletes dead letters when their time is over, with all they were", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.fail("o1", await s.claimOne("o1"), null);
      await s.advance(retainMs - 1);
      expect(await s.prune()).toMatchObject({ dead: 0 });
      expect(await s.state(lane, 1)).toBe("failed");
      await s.advance(1);
      expect(await s.prune()).toMatchObject({ dead: 1, more: false });
      expect(await s.state(lane, 1)).toBe("pruned");
      expect((await s.counts()).dead).toBe(0);
    });

    it("deletes at most `max` dead letters, first to expire first, and says that more is left", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      const claims = await s.claim("o1");
      for (const [i, claim] of claims.entries()) {
        const elements = [{ ...proof(claim), retryInMs: null, value: bytes("e") }];
        await s.store.fail(s.segment, { owner: "o1", retainMs: 3000 - i * 1000, elements });
      }
      await s.advance(5000);
      expect(await s.prune(2)).toMatchObject({ dead: 2, more: true });
      expect(await s.state(lane, 1)).toBe("failed");
      expect(await s.prune(2)).toMatchObject({ dead: 1, more: false });
    });

    it("deletes at most `max` slices, earliest first", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      for (const claim of await s.claim("o1")) {
        await s.store.complete(s.segment, { owner: "o1", retainMs: 1000, held: [proof(claim)], values: [bytes("x")] });
        await s.advance(5000);
      }
      expect(await s.prune(1)).toMatchObject({ finished: 1, more: true });
      expect(await s.state(lane, 1)).toBe("pruned");
      expect(await s.state(lane, 2)).toBe("completed");
      expect(await s.prune(2)).toMatchObject({ finished: 2, more: false });
    });

    it("deletes id memory older than the last window", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [{ counter: 1 }]);
      await s.advance(ID_MEMORY_MS);
      expect(await s.prune()).toMatchObject({ windows: 0 });
      await s.advance(ID_MEMORY_MS);
      expect(await s.prune()).toMatchObject({ windows: 1 });
      expect(await s.prune()).toMatchObject({ windows: 0 });
    });

    it("leaves everything that is not over alone", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, series("n", 2));
      await s.enqueueFull(full, [{ counter: 1, due: { in: 10 * ID_MEMORY_MS } }]);
      await s.claimOne("o1");
      await s.advance(3 * ID_MEMORY_MS);
      await s.prune();
      expect([await s.state(lane, 1), await s.state(lane, 2), await s.state(full, 1)]).toEqual([
        "running",
        "ready",
        "scheduled",
      ]);
      expect(only((await s.counts()).owners).held).toBe(1);
    });

    it("changes nothing when there is nothing to delete", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      const before = await s.snapshot();
      expect(await s.prune()).toEqual({ finished: 0, dead: 0, windows: 0, more: false });
      expect(await s.snapshot()).toEqual(before);
    });
  });
}
