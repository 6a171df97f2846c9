/** Sentences about lapses: what waits too long fails, what runs too long is marked for it. */
import type { FullElement, LapseTie, Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { retainMs, type Scene } from "./scene.js";

const within = (times: Partial<LapseTie>, others: Partial<Ties> = {}): Pick<FullElement, "ties"> => ({
  ties: {
    ...{ key: null, line: null, gates: [] },
    ...others,
    lapse: { startInMs: null, endInMs: null, retainMs, value: bytes("too late"), ...times },
  },
});
const startWithin = (ms: number, others: Partial<Ties> = {}) => within({ startInMs: ms }, others);
const endWithin = (ms: number) => within({ endInMs: ms });

export function lapseSentences(scene: () => Scene): void {
  describe("a lapse", () => {
    it("X3: ends what was not claimed in time, and tells who waits for it", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, ...startWithin(100) }, { counter: 2 }]);
      await s.find(lane, 1, { wait: true });
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 0, nextDueInMs: 100 });
      await s.advance(100);
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 1, nextDueInMs: null });
      expect(await s.settled(lane, 1)).toMatchObject({ state: "failed", attempt: 0 });
      expect(plain(await s.record(lane, 1))).toMatchObject({ state: "failed", attempt: 0, value: "≡too late" });
      expect(await s.counts()).toMatchObject({ dead: 1, queues: [{ queue: "q", ready: 1 }] });
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
      expect(await s.counts()).toMatchObject({ queues: [{ queue: "q", ready: 0 }] });
    });

    it("X3: is met by a claim before anybody promotes: what is over never starts", async () => {
      const s = scene();
      const lane = await s.full();
      const elements = [1, 2, 3].map((counter) => ({ counter, ...(counter === 2 ? {} : startWithin(100)) }));
      await s.enqueueFull(lane, elements);
      await s.advance(100);
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
      expect(await s.state(lane, 1)).toBe("failed");
      expect(await s.state(lane, 3)).toBe("failed");
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 0, nextDueInMs: null });
    });

    it("X3: does not touch what was claimed in time, nor its retries", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, ...startWithin(100) }]);
      await s.fail("o1", await s.claimOne("o1"), 500);
      await s.advance(500);
      expect(await s.promote()).toMatchObject({ promoted: 1, lapsed: 0 });
      expect(await s.claimTexts("o1")).toEqual(["f1"]);
    });

    it.each([
      ["scheduled", { due: { in: 500 } }],
      ["of another priority", { priority: 7 }],
      ["in a paused Queue", {}],
    ] as const)("X3: ends what is %s", async (kind, element) => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, ...element, ...startWithin(100) }]);
      if (kind === "in a paused Queue") await s.store.queuePause(s.segment, { queue: "q" });
      await s.advance(100);
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 1, nextDueInMs: null });
      expect(await s.state(lane, 1)).toBe("failed");
    });

    it("X3: lets go of keys, lines and places at gates", async () => {
      const s = scene();
      const lane = await s.full();
      const key = { name: "k", mode: "reject", windowMs: null, digest: bytes("digest-1"), replaced: null } as const;
      const ties = { key, line: "l", gates: [{ name: "g", slots: 1 }] };
      await s.enqueueFull(lane, [
        { counter: 1, ...startWithin(100, ties) },
        { counter: 2, ties: { key: null, line: "l", gates: [] } },
      ]);
      expect(await s.enqueueFull(lane, [{ counter: 3, ties }])).toEqual(["rejected"]);
      await s.advance(100);
      expect(await s.claimTexts("o1")).toEqual([]);
      expect(await s.state(lane, 1)).toBe("failed");
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
      expect(await s.enqueueFull(lane, [{ counter: 4, ties: { ...ties, line: null } }])).toEqual(["ok"]);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
    });

    it("X3: with an end marks what runs, and that fails with it, not cancelled", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(
        lane,
        [1, 2, 3].map((counter) => ({ counter, ...endWithin(100) })),
      );
      const [failing, released, completed] = await s.claim("o1");
      if (failing === undefined || released === undefined || completed === undefined) throw new Error("three ran");
      await s.advance(100);
      expect(await s.promote()).toEqual({ promoted: 0, lapsed: 3, nextDueInMs: null });
      await s.heard((event) => event.kind === "marked" && event.owner === "o1", "the mark");
      expect((await s.store.extend(s.segment, { owner: "o1" })).marked).toHaveLength(3);
      expect(await s.fail("o1", failing, 500)).toBe("ok");
      expect(await s.release("o1", [released])).toEqual(["ok"]);
      expect(await s.complete("o1", [completed])).toEqual(["ok"]);
      expect(plain(await s.record(lane, 1))).toMatchObject({ state: "failed", attempt: 1, value: "≡too late" });
      expect(plain(await s.record(lane, 2))).toMatchObject({ state: "failed", attempt: 1, value: "≡too late" });
      expect(await s.state(lane, 3)).toBe("completed");
    });

    it("X3: with an end also ends what waits for a retry", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, ...endWithin(100) }]);
      await s.fail("o1", await s.claimOne("o1"), 5000);
      await s.advance(100);
      expect(await s.promote()).toMatchObject({ lapsed: 1 });
      expect(await s.record(lane, 1)).toMatchObject({ state: "failed", attempt: 1 });
    });

    it("X12: what lapsed on a list can be requeued, where it stands, once, and does not lapse again", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 1, ...startWithin(100) }, { counter: 2 }]);
      await s.advance(100);
      await s.promote();
      expect(await s.requeue(lane, 1)).toBe("ok");
      expect(await s.counts()).toMatchObject({ dead: 0, queues: [{ queue: "q", ready: 2 }] });
      await s.advance(1000);
      expect(await s.promote()).toMatchObject({ lapsed: 0 });
      expect(await s.claimTexts("o1")).toEqual(["f1", "f2"]);
      expect(await s.claimTexts("o1")).toEqual([]);
    });

    it("X12: of many that lapsed on a list some go back in place, some to another Queue, some wait in line", async () => {
      const s = scene();
      const lane = await s.full();
      const inLine = { line: "l" };
      await s.enqueueFull(lane, [
        ...[1, 2, 3].map((counter) => ({ counter, priority: 5, ...startWithin(100) })),
        { counter: 4, priority: 5, ...startWithin(100, inLine) },
        { counter: 5, priority: 5 },
        { counter: 6, queue: "other", priority: 5, ties: { key: null, gates: [], ...inLine } },
      ]);
      await s.advance(100);
      expect(await s.promote()).toMatchObject({ lapsed: 4 });
      const elements = [1, 3, 4].map((counter) => {
        return { laneName: lane.laneName, counter, queue: counter === 3 ? "other" : null, body: null };
      });
      expect((await s.store.redrive(s.segment, { elements })).answers).toEqual(["ok", "ok", "ok"]);
      expect(await s.requeue(lane, 2)).toBe("ok");
      expect(await s.claimTexts("o1")).toEqual(["f1", "f2", "f5"]);
      const others = await s.claim("o1", 10, ["other"]);
      expect(others.map(({ body }) => Buffer.from(body).toString())).toEqual(["f6", "f3"]);
      await s.complete("o1", others);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      expect(await s.counts()).toMatchObject({ dead: 0, parked: 0 });
    });

    it("X19: leaves nothing behind that a check would find, whatever it ended", async () => {
      const s = scene();
      const lane = await s.full();
      const gates = [{ name: "g", slots: 1 }];
      await s.enqueueFull(lane, [
        { counter: 1, ...startWithin(100) },
        { counter: 2, due: { in: 500 }, ...startWithin(100) },
        { counter: 3, ...endWithin(100) },
        { counter: 4, ...startWithin(100, { gates, line: "l" }) },
        { counter: 5, ...startWithin(100, { gates, line: "l" }) },
        { counter: 6, ...within({ startInMs: 100, endInMs: 5000 }) },
      ]);
      await s.claim("o1", 3);
      await s.advance(100);
      await s.promote();
      for (let cursor: string | null = null; ; ) {
        const answer: Awaited<ReturnType<typeof s.store.check>> = await s.store.check(s.segment, {
          ...{ isMending: false, cursor, max: 100, suspects: [] },
        });
        expect(answer.findings).toEqual([]);
        cursor = answer.cursor;
        if (cursor === null) break;
      }
    });

    it("RT6: ends a bounded number in one call", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(
        lane,
        [1, 2, 3].map((counter) => ({ counter, ...startWithin(100) })),
      );
      await s.advance(100);
      expect(await s.promote(2)).toEqual({ promoted: 0, lapsed: 2, nextDueInMs: 0 });
      expect(await s.promote(2)).toEqual({ promoted: 0, lapsed: 1, nextDueInMs: null });
    });
  });
}
