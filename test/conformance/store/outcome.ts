/** Sentences about how an Attempt ends: complete, fail, release; and what it says on the way: progress. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { at, proof, retainMs, type Scene, series, texts } from "./scene.js";

export function outcomeSentences(scene: () => Scene): void {
  describe("complete", () => {
    it("F4: ends a running Operation with its result", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.complete("o1", [held], "result")).toEqual(["ok"]);
      const record = await s.record(lane, 1);
      expect(plain(record)).toEqual({
        id: s.id(lane, 1),
        state: "completed",
        queue: null,
        priority: 0,
        generation: held.generation,
        attempt: 1,
        recoveries: 0,
        returns: 0,
        token: held.token,
        owner: null,
        isCancelMarked: false,
        dueAtMs: null,
        finishedAtMs: record.finishedAtMs,
        body: null,
        value: plain(bytes("result")),
        progress: null,
        parked: null,
      });
      expect(record.finishedAtMs).toBeGreaterThan(0);
    });

    it("answers `duplicate` when it is sent again, and keeps the first result", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.complete("o1", [held], "first");
      const before = await s.snapshot();
      expect(await s.complete("o1", [held], "second")).toEqual(["duplicate"]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("works alike on full-path Operations, and frees their record", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, priority: 7 }]);
      const held = await s.claimOne("o1");
      expect(await s.complete("o1", [held])).toEqual(["ok"]);
      expect(await s.complete("o1", [held])).toEqual(["duplicate"]);
      expect(await s.record(lane, 1)).toMatchObject({ state: "completed", queue: null, priority: 0, body: null });
    });

    it("completes what was marked for cancelling: work that got done is done", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.cancel(lane, [1])).toEqual(["requested"]);
      expect(await s.complete("o1", [held], "result")).toEqual(["ok"]);
      expect(plain(await s.record(lane, 1))).toMatchObject({
        state: "completed",
        isCancelMarked: false,
        value: plain(bytes("result")),
      });
    });

    it("keeps results as the bytes they are, an empty one too", async () => {
      const s = scene();
      const lane = await s.fast();
      const values = [
        bytes(""),
        bytes("\0"),
        Uint8Array.from({ length: 256 }, (_, i) => i),
        new Uint8Array(70_000).fill(7),
      ];
      await s.enqueue(lane, 1, series("n", values.length));
      const held = (await s.claim("o1")).map(proof);
      await s.store.complete(s.segment, { owner: "o1", retainMs, held, values });
      const dots = held.map(({ counter }) => ({ laneName: lane.laneName, counter }));
      const { records } = await s.store.find(s.segment, { dots, wait: false });
      expect(plain(records.map((record) => (typeof record === "string" ? record : record.value)))).toEqual(
        plain(values),
      );
    });

    it("takes a thousand at once", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 1000));
      const answers = await s.complete("o1", await s.claim("o1", 1000));
      expect(answers).toHaveLength(1000);
      expect(answers.every((answer) => answer === "ok")).toBe(true);
      expect(await s.counts()).toMatchObject({ running: 0, totals: { enqueued: 1000, completed: 1000 } });
    });
  });

  describe("fail", () => {
    it("plans a retry: scheduled, one Attempt burned, the error kept", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.fail("o1", held, 500, "boom")).toBe("ok");
      const record = await s.record(lane, 1);
      expect(plain(record)).toMatchObject({
        state: "scheduled",
        queue: "q",
        attempt: 1,
        recoveries: 0,
        returns: 1,
        token: held.token,
        owner: null,
        finishedAtMs: null,
        body: plain(bytes("a")),
        value: plain(bytes("boom")),
      });
      expect((await s.counts()).nextDueInMs).toBe(500);
    });

    it("gives the retry the next Attempt number, and the same bytes", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.fail("o1", await s.claimOne("o1"), 500);
      await s.advance(500);
      expect(await s.promote()).toMatchObject({ promoted: 1 });
      const second = await s.claimOne("o1");
      expect(plain(second)).toMatchObject({ attempt: 2, recoveries: 0, queue: "q", body: plain(bytes("a")) });
      expect(await s.record(lane, 1)).toMatchObject({ state: "running", attempt: 2, returns: 1, owner: "o1" });
    });

    it("puts what has no Attempt left into the dead letters, whole", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.fail("o1", held, null, "boom")).toBe("ok");
      expect(plain(await s.record(lane, 1))).toMatchObject({
        state: "failed",
        queue: "q",
        attempt: 1,
        token: held.token,
        owner: null,
        dueAtMs: null,
        body: plain(bytes("a")),
        value: plain(bytes("boom")),
      });
      const page = await s.store.peek(s.segment, { of: "dead", offset: 0, limit: 10 });
      expect(page.total).toBe(1);
      expect(texts(page.records)).toEqual(["a"]);
    });

    it("answers `duplicate` when it is sent again, in every form, and plans nothing twice", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      const [first, second] = await s.claim("o1");
      if (first === undefined || second === undefined) throw new Error("two were enqueued");
      await s.fail("o1", first, 500);
      await s.fail("o1", second, null);
      const before = await s.snapshot();
      expect(await s.fail("o1", first, 500)).toBe("duplicate");
      expect(await s.fail("o1", second, null)).toBe("duplicate");
      expect(await s.complete("o1", [first, second])).toEqual(["duplicate", "duplicate"]);
      expect(await s.release("o1", [first, second])).toEqual(["duplicate", "duplicate"]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("is `stale` by the token of an Attempt before the one that runs now", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const first = await s.claimOne("o1");
      await s.fail("o1", first, 0);
      await s.promote();
      await s.claimOne("o1");
      const before = await s.snapshot();
      expect(await s.fail("o1", first, 0)).toBe("stale");
      expect(await s.complete("o1", [first])).toEqual(["stale"]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("cancels what was marked, with a retry left or not, for the reason given first", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      const claims = await s.claim("o1");
      await s.cancel(lane, [1, 2], "first reason");
      await s.cancel(lane, [1, 2], "second reason");
      expect(await s.fail("o1", at(claims, 0), 500)).toBe("ok");
      expect(await s.fail("o1", at(claims, 1), null)).toBe("ok");
      for (const counter of [1, 2]) {
        expect(plain(await s.record(lane, counter))).toMatchObject({
          state: "cancelled",
          attempt: 1,
          isCancelMarked: false,
          value: plain(bytes("first reason")),
          body: null,
        });
      }
      expect(await s.counts()).toMatchObject({
        scheduled: 0,
        running: 0,
        dead: 0,
        totals: { cancelled: 2, failed: 0 },
      });
    });
  });

  describe("release", () => {
    it("X8: gives work back unharmed, at the front, in the order of the call", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 5));
      const claims = await s.claim("o1", 3);
      expect(await s.release("o1", claims)).toEqual(["ok", "ok", "ok"]);
      expect(await s.record(lane, 1)).toMatchObject({
        state: "ready",
        queue: "q",
        attempt: 0,
        returns: 1,
        recoveries: 0,
      });
      expect(await s.claimTexts("o2")).toEqual(["n1", "n2", "n3", "n4", "n5"]);
    });

    it("X8: gives back once what a call names twice, at the front or later, and counts it once", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const claims = await s.claim("o1", 2);
      const [one, two] = [at(claims, 0), at(claims, 1)];
      const wrong = { ...one, token: one.token + 1_000 };
      expect(await s.release("o1", [one, two, one, wrong])).toEqual(["ok", "ok", "duplicate", "stale"]);
      expect(await s.counts()).toMatchObject({ running: 0, totals: { released: 2 } });
      const again = await s.claim("o2", 9);
      expect(texts(again)).toEqual(["n1", "n2", "n3"]);
      const first = at(again, 0);
      expect(await s.release("o2", [first, first], 700)).toEqual(["ok", "duplicate"]);
      expect(await s.counts()).toMatchObject({ running: 2, totals: { released: 3 } });
      const elements = [1, 1].map(() => ({ ...proof(at(again, 1)), retryInMs: null, value: bytes("no") }));
      const failed = await s.store.fail(s.segment, { owner: "o2", retainMs, elements });
      expect(failed.answers).toEqual(["ok", "duplicate"]);
      expect(await s.counts()).toMatchObject({ running: 1, totals: { failed: 1 } });
    });

    it("keeps the order of the array, whatever it is", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 4));
      const claims = await s.claim("o1", 3);
      await s.release("o1", [at(claims, 2), at(claims, 0), at(claims, 1)]);
      expect(await s.claimTexts("o2")).toEqual(["n3", "n1", "n2", "n4"]);
    });

    it("returns each to the list of its own priority", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [
        { counter: 1, priority: 5, text: "five1" },
        { counter: 2, priority: 5, text: "five2" },
        { counter: 3, priority: -1, text: "low1" },
        { counter: 4, priority: -1, text: "low2" },
      ]);
      const claims = await s.claim("o1", 3);
      await s.release("o1", claims);
      expect(await s.claimTexts("o2")).toEqual(["five1", "five2", "low1", "low2"]);
    });

    it("burns no Attempt", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.release("o1", [await s.claimOne("o1")]);
      expect(await s.claimOne("o1")).toMatchObject({ attempt: 1, recoveries: 0 });
    });

    it("waits for the delay it is given", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect(await s.release("o1", [held], 700)).toEqual(["ok"]);
      expect(await s.record(lane, 1)).toMatchObject({ state: "scheduled", attempt: 0, returns: 1, token: held.token });
      await s.advance(699);
      expect(await s.promote()).toMatchObject({ promoted: 0 });
      await s.advance(1);
      expect(await s.promote()).toMatchObject({ promoted: 1, nextDueInMs: null });
      expect(await s.claimTexts("o1")).toEqual(["a"]);
    });

    it("answers `duplicate` when it is sent again, until it is claimed anew", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 2));
      const claims = await s.claim("o1");
      await s.release("o1", claims);
      const before = await s.snapshot();
      expect(await s.release("o1", claims)).toEqual(["duplicate", "duplicate"]);
      expect(await s.complete("o1", claims)).toEqual(["duplicate", "duplicate"]);
      expect(await s.snapshot()).toEqual(before);
      await s.claim("o2");
      expect(await s.release("o1", claims)).toEqual(["stale", "stale"]);
    });

    it("cancels what was marked, at once or delayed", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      const claims = await s.claim("o1");
      await s.cancel(lane, [1, 2], "reason");
      expect(await s.release("o1", [at(claims, 0)])).toEqual(["ok"]);
      expect(await s.release("o1", [at(claims, 1)], 500)).toEqual(["ok"]);
      for (const counter of [1, 2]) {
        expect(plain(await s.record(lane, counter))).toMatchObject({
          state: "cancelled",
          value: plain(bytes("reason")),
        });
      }
      expect(await s.claimTexts("o2")).toEqual([]);
    });
  });

  describe("progress", () => {
    it("is shown with the running Operation, the latest only", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      expect((await s.record(lane, 1)).progress).toBeNull();
      expect(await s.progress("o1", held, "10 %")).toBe("ok");
      expect(await s.progress("o1", held, "20 %")).toBe("ok");
      expect(plain(await s.record(lane, 1))).toMatchObject({ state: "running", progress: plain(bytes("20 %")) });
    });

    it("goes when the Attempt ends, however it ends", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 5));
      const claims = await s.claim("o1");
      for (const claim of claims) await s.progress("o1", claim, "half");
      await s.complete("o1", [at(claims, 0)]);
      await s.fail("o1", at(claims, 1), 500);
      await s.fail("o1", at(claims, 2), null);
      await s.release("o1", [at(claims, 3)]);
      await s.rescue("o1");
      for (const counter of [1, 2, 3, 4, 5]) expect((await s.record(lane, counter)).progress).toBeNull();
    });
  });
}
