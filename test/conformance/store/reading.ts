/** Sentences about looking: find, peek, counts. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { at, retainMs, type Scene, series, texts } from "./scene.js";

export function readingSentences(scene: () => Scene): void {
  describe("find", () => {
    it("knows a waiting fast-path Operation by its marks alone, without its body", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const record = await s.record(lane, 1);
      expect(plain(record)).toEqual({
        id: s.id(lane, 1),
        state: "ready",
        queue: "q",
        priority: 0,
        generation: record.generation,
        attempt: 0,
        recoveries: 0,
        returns: 0,
        token: 0,
        owner: null,
        isCancelMarked: false,
        dueAtMs: null,
        finishedAtMs: null,
        body: null,
        value: null,
        progress: null,
        parked: null,
      });
    });

    it("knows a running one whole, and starts with the generation its record waited with", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const { generation } = await s.record(lane, 1);
      const held = await s.claimOne("o1");
      expect(plain(await s.record(lane, 1))).toEqual({
        id: s.id(lane, 1),
        state: "running",
        queue: "q",
        priority: 0,
        generation,
        attempt: 1,
        recoveries: 0,
        returns: 0,
        token: held.token,
        owner: "o1",
        isCancelMarked: false,
        dueAtMs: null,
        finishedAtMs: null,
        body: plain(bytes("a")),
        value: null,
        progress: null,
        parked: null,
      });
    });

    it("knows a full-path one whole in every state", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [
        { counter: 1, due: { in: 100 }, priority: 3, text: "late" },
        { counter: 2, priority: -3, text: "now" },
      ]);
      expect(plain(await s.record(full, 1))).toMatchObject({
        id: s.id(full, 1),
        state: "scheduled",
        queue: "q",
        priority: 3,
        attempt: 0,
        token: 0,
        body: plain(bytes("late")),
      });
      expect(plain(await s.record(full, 2))).toMatchObject({
        state: "ready",
        priority: -3,
        dueAtMs: null,
        body: plain(bytes("now")),
      });
      const held = await s.claimOne("o1");
      expect(await s.record(full, 2)).toMatchObject({ state: "running", owner: "o1", token: held.token, attempt: 1 });
    });

    it("does not know what is above the accepted mark, in a lane that is not there, or was never sent", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, ["a"]);
      await s.enqueueFull(full, [{ counter: 5 }]);
      expect(await s.find(lane, 2)).toBe("missing");
      expect(await s.find(full, 4)).toBe("missing");
      expect(await s.find(full, 6)).toBe("missing");
      expect(await s.find({ lane: 3, laneName: "zz.01" }, 1)).toBe("missing");
    });

    it("answers a batch in order, mixed as it is", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(3 * retainMs);
      await s.prune();
      await s.claimOne("o1");
      const dots = [3, 2, 1, 9, 2].map((counter) => ({ laneName: lane.laneName, counter }));
      const { records } = await s.store.find(s.segment, { dots, wait: false });
      expect(records.map((record) => (typeof record === "string" ? record : record.state))).toEqual([
        "ready",
        "running",
        "pruned",
        "missing",
        "running",
      ]);
    });

    it("changes nothing when nobody waits", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const before = await s.snapshot();
      await s.find(lane, 1);
      await s.find(lane, 2);
      expect(await s.snapshot()).toEqual(before);
    });

    it("takes a thousand at once", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 1000));
      await s.claim("o1", 500);
      const dots = Array.from({ length: 1000 }, (_, i) => ({ laneName: lane.laneName, counter: i + 1 }));
      const { records } = await s.store.find(s.segment, { dots, wait: false });
      const states = records.map((record) => (typeof record === "string" ? record : record.state));
      expect(states.slice(0, 500).every((state) => state === "running")).toBe(true);
      expect(states.slice(500).every((state) => state === "ready")).toBe(true);
    });
  });

  describe("peek", () => {
    it("shows a page of a Queue in claim order, with bodies", async () => {
      const s = scene();
      const [fast, full] = [await s.fast(), await s.full()];
      await s.enqueue(fast, 1, ["zero1"]);
      await s.enqueueFull(full, [
        { counter: 1, priority: 5, text: "five" },
        { counter: 2, priority: 0, text: "zero2" },
        { counter: 3, priority: -5, text: "low" },
      ]);
      const peek = (offset: number, limit: number) => s.store.peek(s.segment, { of: { queue: "q" }, offset, limit });
      const whole = await peek(0, 10);
      expect(texts(whole.records)).toEqual(["five", "zero1", "zero2", "low"]);
      expect(whole.total).toBe(4);
      expect(at(whole.records, 1)).toMatchObject({
        id: s.id(fast, 1),
        state: "ready",
        queue: "q",
        priority: 0,
        attempt: 0,
      });
      expect(texts((await peek(1, 2)).records)).toEqual(["zero1", "zero2"]);
      expect(texts((await peek(3, 2)).records)).toEqual(["low"]);
      expect(await peek(4, 2)).toEqual({ records: [], total: 4 });
    });

    it("takes nothing and changes nothing", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      const before = await s.snapshot();
      await s.store.peek(s.segment, { of: { queue: "q" }, offset: 0, limit: 10 });
      expect(await s.snapshot()).toEqual(before);
      expect(await s.claimTexts("o1")).toEqual(["a"]);
    });

    it("leaves out what was cancelled while waiting", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      await s.cancel(lane, [2]);
      const page = await s.store.peek(s.segment, { of: { queue: "q" }, offset: 0, limit: 10 });
      expect(texts(page.records)).toEqual(["n1", "n3"]);
    });

    it("shows work that was given back with the counters it has", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      await s.claimOne("o1");
      await s.rescue("o1");
      const { records } = await s.store.peek(s.segment, { of: { queue: "q" }, offset: 0, limit: 10 });
      expect(texts(records)).toEqual(["n1", "n2"]);
      expect(at(records, 0)).toMatchObject({ id: s.id(lane, 1), recoveries: 1, returns: 1 });
    });

    it("shows the dead letters, first to expire first", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      const claims = await s.claim("o1");
      for (const index of [2, 0, 1]) {
        await s.fail("o1", at(claims, index), null, `error${index + 1}`);
        await s.advance(10);
      }
      const peek = (offset: number, limit: number) => s.store.peek(s.segment, { of: "dead", offset, limit });
      expect(texts((await peek(0, 10)).records)).toEqual(["n3", "n1", "n2"]);
      expect(texts((await peek(1, 1)).records)).toEqual(["n1"]);
      expect((await peek(1, 1)).total).toBe(3);
      expect(plain(at((await peek(0, 1)).records, 0))).toMatchObject({
        state: "failed",
        value: plain(bytes("error3")),
      });
    });

    it("shows an empty page of a Queue nobody wrote to", async () => {
      const s = scene();
      expect(await s.store.peek(s.segment, { of: { queue: "never" }, offset: 0, limit: 10 })).toEqual({
        records: [],
        total: 0,
      });
      expect(await s.store.peek(s.segment, { of: "dead", offset: 0, limit: 10 })).toEqual({ records: [], total: 0 });
    });
  });

  describe("counts", () => {
    it("say how much is in every state, Queue and pair of hands", async () => {
      const s = scene();
      const [fast, full] = [await s.fast(), await s.full()];
      await s.enqueue(fast, 1, series("n", 6));
      await s.enqueueFull(full, [
        { counter: 1, due: { in: 900 } },
        { counter: 2, due: { in: 300 } },
        { counter: 3, queue: "b", priority: 2 },
      ]);
      await s.claim("o2", 1);
      const mine = await s.claim("o1", 3);
      await s.complete("o1", [at(mine, 0)]);
      await s.fail("o1", at(mine, 1), null);
      await s.cancel(fast, [6]);
      const { owners, ...counts } = await s.counts();
      expect(counts).toEqual({
        queues: [
          { queue: "b", ready: 1, highest: 2, isPaused: false },
          { queue: "q", ready: 1, highest: 0, isPaused: false },
        ],
        scheduled: 2,
        running: 2,
        dead: 1,
        parked: 0,
        nextDueInMs: 300,
        totals: { enqueued: 9, completed: 1, failed: 1, cancelled: 1, skipped: 0, retried: 0, released: 0, rescued: 0 },
      });
      expect(owners.map(({ owner, held }) => [owner, held])).toEqual([
        ["o1", 1],
        ["o2", 1],
      ]);
    });

    it("of an empty Segment are all zero", async () => {
      expect(await scene().counts()).toEqual({
        queues: [],
        owners: [],
        scheduled: 0,
        running: 0,
        dead: 0,
        parked: 0,
        nextDueInMs: null,
        totals: { enqueued: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0, retried: 0, released: 0, rescued: 0 },
      });
    });

    it("count ways back by their kind, and what a repeat repeats only once", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const claims = await s.claim("o1");
      for (const _ of [1, 2]) {
        await s.fail("o1", at(claims, 0), 500);
        await s.release("o1", [at(claims, 1)]);
      }
      await s.rescue("o1");
      expect((await s.counts()).totals).toEqual({
        enqueued: 3,
        completed: 0,
        failed: 0,
        cancelled: 0,
        skipped: 0,
        retried: 1,
        released: 1,
        rescued: 1,
      });
    });

    it("name Queues in byte order", async () => {
      const s = scene();
      const full = await s.full();
      const queues = ["b", "B", "a-1", "a.1", "a", "0"];
      await s.enqueueFull(
        full,
        queues.map((queue, i) => ({ counter: i + 1, queue })),
      );
      expect((await s.counts()).queues.map(({ queue }) => queue)).toEqual(["0", "B", "a", "a-1", "a.1", "b"]);
    });

    it("agree with a recount by find", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 40));
      const claims = await s.claim("o1", 30);
      await s.complete("o1", claims.slice(0, 5));
      for (const claim of claims.slice(5, 9)) await s.fail("o1", claim, 500);
      for (const claim of claims.slice(9, 12)) await s.fail("o1", claim, null);
      await s.release("o1", claims.slice(12, 15));
      await s.release("o1", claims.slice(15, 17), 100);
      await s.cancel(lane, [35, 36, 20]);
      await s.advance(200);
      await s.promote();
      const dots = Array.from({ length: 40 }, (_, i) => ({ laneName: lane.laneName, counter: i + 1 }));
      const { records } = await s.store.find(s.segment, { dots, wait: false });
      const recount = new Map<string, number>();
      for (const record of records) {
        const state = typeof record === "string" ? record : record.state;
        recount.set(state, (recount.get(state) ?? 0) + 1);
      }
      const counts = await s.counts();
      expect(counts).toMatchObject({
        queues: [{ queue: "q", ready: recount.get("ready") }],
        scheduled: recount.get("scheduled"),
        running: recount.get("running"),
        dead: recount.get("failed"),
      });
      expect(counts.totals).toMatchObject({ completed: recount.get("completed"), cancelled: recount.get("cancelled") });
    });
  });
}
