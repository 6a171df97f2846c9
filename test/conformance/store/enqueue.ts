/** Sentences about the two ways in: the fast path and the full path. */
import { ID_MEMORY_MS } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { retainMs, type Scene, series, texts } from "./scene.js";

/** Bodies that a careless store would confuse, cut or translate. */
const hardBodies: readonly Uint8Array[] = [
  bytes("\0"),
  bytes("x"),
  Uint8Array.from({ length: 256 }, (_, i) => i),
  new Uint8Array(Buffer.from("9007199254740993 -0 [] {} 1e308 \ud7ff snowman ☃", "utf8")),
  bytes("*3\r\n$5\r\nhello\r\n"),
  bytes("1:2:3"),
  bytes("nil"),
  bytes("\xff\xfe\x80\xed\xa0\x80"),
  new Uint8Array(100_000).fill(0xee),
];

export function enqueueSentences(scene: () => Scene): void {
  describe("enqueue", () => {
    it("appends to the lane's Queue in order and raises the mark", async () => {
      const s = scene();
      const lane = await s.fast();
      expect(await s.enqueue(lane, 1, ["a", "b"])).toEqual({ answer: "ok", accepted: 2, fresh: 2 });
      expect(await s.enqueue(lane, 3, ["c"])).toEqual({ answer: "ok", accepted: 3, fresh: 1 });
      expect(await s.claimTexts("o1")).toEqual(["a", "b", "c"]);
    });

    it("passes over what lies at or below the mark: a repeat adds nothing", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b"]);
      const before = await s.snapshot();
      expect(await s.enqueue(lane, 1, ["a", "b"])).toEqual({ answer: "ok", accepted: 2, fresh: 0 });
      expect(await s.enqueue(lane, 2, ["b"])).toEqual({ answer: "ok", accepted: 2, fresh: 0 });
      expect(await s.snapshot()).toEqual(before);
    });

    it("takes only the new part of a batch that straddles the mark", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a", "b"]);
      expect(await s.enqueue(lane, 2, ["b", "c", "d"])).toEqual({ answer: "ok", accepted: 4, fresh: 2 });
      expect(await s.claimTexts("o1")).toEqual(["a", "b", "c", "d"]);
    });

    it("refuses a batch whose predecessor is not there, as `gap`, and writes nothing", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const before = await s.snapshot();
      expect(await s.enqueue(lane, 3, ["c"])).toMatchObject({ answer: "gap", accepted: 1, fresh: 0 });
      expect(await s.snapshot()).toEqual(before);
      expect(await s.enqueue(lane, 2, ["b", "c"])).toMatchObject({ answer: "ok", accepted: 3, fresh: 2 });
    });

    it("refuses a lane it does not know, or knows by another name, as `unknown_lane`", async () => {
      const s = scene();
      const lane = await s.fast();
      const before = await s.snapshot();
      expect(await s.enqueue({ lane: lane.lane + 7, laneName: "a1.01" }, 1, ["a"])).toMatchObject({
        answer: "unknown_lane",
      });
      expect(await s.enqueue({ lane: lane.lane, laneName: "b2.01" }, 1, ["a"])).toMatchObject({
        answer: "unknown_lane",
      });
      expect(await s.snapshot()).toEqual(before);
    });

    it("keeps the bytes as they are", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.store.enqueue(s.segment, { ...lane, first: 1, bodies: hardBodies });
      expect(plain((await s.claim("o1")).map(({ body }) => body))).toEqual(plain(hardBodies));
    });

    it("takes a thousand at once, in order", async () => {
      const s = scene();
      const lane = await s.fast();
      const bodies = series("n", 1000);
      expect(await s.enqueue(lane, 1, bodies)).toEqual({ answer: "ok", accepted: 1000, fresh: 1000 });
      expect(await s.claimTexts("o1", 1000)).toEqual(bodies);
    });

    it("does not look at what became of the Operation: a late repeat adds nothing after all is done and pruned", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(10 * retainMs);
      await s.prune();
      expect(await s.enqueue(lane, 1, ["a"])).toEqual({ answer: "ok", accepted: 1, fresh: 0 });
      expect(await s.claimTexts("o2")).toEqual([]);
    });
  });

  describe("enqueue_full", () => {
    it("makes what is due ready and what is due later scheduled", async () => {
      const s = scene();
      const lane = await s.full();
      const answers = await s.enqueueFull(lane, [
        { counter: 1 },
        { counter: 2, due: { in: 0 } },
        { counter: 3, due: { in: 500 } },
        { counter: 4, due: { at: 1 } },
      ]);
      expect(answers).toEqual(["ok", "ok", "ok", "ok"]);
      expect(await s.state(lane, 1)).toBe("ready");
      expect(await s.state(lane, 2)).toBe("ready");
      expect(await s.state(lane, 3)).toBe("scheduled");
      expect(await s.state(lane, 4)).toBe("ready");
    });

    it("reads `at` and `in` on the store's clock", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, due: { in: 500 } }]);
      const { dueAtMs } = await s.record(lane, 1);
      if (dueAtMs === null) throw new Error("a scheduled Operation has a due time");
      await s.enqueueFull(lane, [
        { counter: 2, due: { at: dueAtMs } },
        { counter: 3, due: { at: dueAtMs - 500 } },
        { counter: 4, due: { at: dueAtMs - 499 } },
      ]);
      expect((await s.record(lane, 2)).dueAtMs).toBe(dueAtMs);
      expect(await s.state(lane, 3)).toBe("ready");
      expect(await s.state(lane, 4)).toBe("scheduled");
    });

    it("puts each element into the Queue it names, larger priorities first, FIFO among equals", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [
        { counter: 1, priority: 0, text: "zero1" },
        { counter: 2, priority: -1000, text: "low" },
        { counter: 3, priority: 5, text: "five1" },
        { counter: 4, priority: 1000, text: "high" },
        { counter: 5, priority: 5, text: "five2" },
        { counter: 6, priority: 0, text: "zero2" },
        { counter: 7, priority: 9, text: "elsewhere", queue: "z" },
      ]);
      expect(await s.claimTexts("o1")).toEqual(["high", "five1", "five2", "zero1", "zero2", "low"]);
      expect(await s.claimTexts("o1", 10, ["z"])).toEqual(["elsewhere"]);
    });

    it("shares the priority-0 list with the fast path", async () => {
      const s = scene();
      const [fast, full] = [await s.fast(), await s.full()];
      await s.enqueue(fast, 1, ["fast1"]);
      await s.enqueueFull(full, [{ counter: 1, text: "full1" }]);
      await s.enqueue(fast, 2, ["fast2"]);
      await s.enqueueFull(full, [{ counter: 2, text: "full2", priority: 1 }]);
      expect(await s.claimTexts("o1")).toEqual(["full2", "fast1", "full1", "fast2"]);
    });

    it("answers `duplicate` to the same bytes and `conflict` to others, and changes nothing", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, text: "a" }]);
      const before = await s.snapshot();
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "a" }])).toEqual(["duplicate"]);
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "b" }])).toEqual(["conflict"]);
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "a", priority: 9, due: { in: 99 } }])).toEqual([
        "duplicate",
      ]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("sees a dot repeated within one call", async () => {
      const s = scene();
      const lane = await s.full();
      expect(
        await s.enqueueFull(lane, [
          { counter: 1, text: "a" },
          { counter: 1, text: "a" },
          { counter: 1, text: "b" },
          { counter: 2, text: "c" },
        ]),
      ).toEqual(["ok", "duplicate", "conflict", "ok"]);
      expect(await s.claimTexts("o1")).toEqual(["a", "c"]);
    });

    it("lets each element stand alone: a conflict does not spoil its neighbours", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 2, text: "b" }]);
      expect(
        await s.enqueueFull(lane, [
          { counter: 1, text: "a" },
          { counter: 2, text: "other" },
          { counter: 3, text: "c" },
        ]),
      ).toEqual(["ok", "conflict", "ok"]);
      expect(await s.claimTexts("o1")).toEqual(["b", "a", "c"]);
    });

    it("takes counters in any order; the mark is the highest seen", async () => {
      const s = scene();
      const lane = await s.full();
      expect(await s.enqueueFull(lane, [{ counter: 7 }])).toEqual(["ok"]);
      expect(await s.enqueueFull(lane, [{ counter: 3 }])).toEqual(["ok"]);
      expect(await s.store.laneOpen(s.segment, { laneName: lane.laneName, queue: null })).toMatchObject({
        accepted: 7,
      });
    });

    it("refuses a lane it does not know, or knows by another name, whole", async () => {
      const s = scene();
      const lane = await s.full();
      const before = await s.snapshot();
      const elements = [{ counter: 1, queue: "q", priority: 0, due: null, body: bytes("a") }];
      for (const wrong of [
        { ...lane, lane: lane.lane + 7 },
        { ...lane, laneName: "b2.00" },
      ]) {
        expect(await s.store.enqueueFull(s.segment, { ...wrong, elements })).toEqual({
          answer: "unknown_lane",
          answers: [],
          holders: [],
        });
      }
      expect(await s.snapshot()).toEqual(before);
    });

    it("remembers a dot for a day after it was enqueued, also when the Operation is long gone", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, text: "a" }]);
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(ID_MEMORY_MS);
      await s.prune();
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "a" }])).toEqual(["duplicate"]);
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "b" }])).toEqual(["conflict"]);
      expect(await s.state(lane, 1)).toBe("pruned");
    });

    it("forgets a dot after two windows, unless its record is still there", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [
        { counter: 1, text: "a" },
        { counter: 2, text: "b", due: { in: 30 * ID_MEMORY_MS } },
      ]);
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(2 * ID_MEMORY_MS);
      await s.prune();
      expect(await s.state(lane, 1)).toBe("missing");
      expect(await s.enqueueFull(lane, [{ counter: 2, text: "b" }])).toEqual(["duplicate"]);
      expect(await s.enqueueFull(lane, [{ counter: 2, text: "x" }])).toEqual(["conflict"]);
      expect(await s.enqueueFull(lane, [{ counter: 1, text: "other" }])).toEqual(["ok"]);
    });

    it("keeps the bytes as they are", async () => {
      const s = scene();
      const lane = await s.full();
      await s.store.enqueueFull(s.segment, {
        ...lane,
        elements: hardBodies.map((body, i) => ({ counter: i + 1, queue: "q", priority: i % 2, due: null, body })),
      });
      const got = (await s.claim("o1")).toSorted((a, b) => a.counter - b.counter).map(({ body }) => body);
      expect(plain(got)).toEqual(plain(hardBodies));
    });

    it("takes a thousand at once", async () => {
      const s = scene();
      const lane = await s.full();
      const counters = Array.from({ length: 1000 }, (_, i) => i + 1);
      const answers = await s.enqueueFull(
        lane,
        counters.map((counter) => ({ counter })),
      );
      expect(answers.every((answer) => answer === "ok")).toBe(true);
      expect(texts(await s.claim("o1"))).toEqual(counters.map((counter) => `f${counter}`));
    });
  });
}
