/** Sentences about what a store tells on its own account: bells, ends, progress. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { at, type Event, retainMs, type Scene, series } from "./scene.js";

export function eventSentences(scene: () => Scene): void {
  describe("word of a due time", () => {
    it("is given when something comes due before all that is scheduled, and only then", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [
        { counter: 1, due: { in: 500 } },
        { counter: 2, due: { in: 300 } },
      ]);
      const events = await s.eventsSoFar();
      expect(events.at(-1)).toEqual({ kind: "due", inMs: 300 });
      await s.enqueueFull(full, [{ counter: 3, due: { in: 400 } }]);
      expect(await s.eventsSoFar()).toEqual([]);
      await s.enqueueFull(full, [{ counter: 4, due: { in: 200 } }]);
      expect(await s.eventsSoFar()).toEqual([{ kind: "due", inMs: 200 }]);
    });
  });

  describe("the bell of a Queue", () => {
    it("rings when the first Operation is put on an empty list, by either path", async () => {
      const s = scene();
      await s.enqueue(await s.fast("q", "a1.01"), 1, ["a"]);
      await s.bell("q");
      await s.enqueueFull(await s.full(), [{ counter: 1, queue: "z" }]);
      await s.bell("z");
    });

    it("does not ring for what joins others, nor for a repeat, nor for what is not due", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, ["a"]);
      await s.eventsSoFar();
      await s.enqueue(lane, 2, ["b"]);
      await s.enqueue(lane, 1, ["a"]);
      await s.enqueueFull(full, [
        { counter: 1, queue: "z", due: { in: 100 } },
        { counter: 2, queue: "q" },
      ]);
      expect(await s.eventsSoFar()).toEqual([{ kind: "due", inMs: 100 }]);
    });

    it("does not ring for an enqueue whose caller looks by itself, and rings again for the next one", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"], true);
      expect(await s.claimTexts("o1")).toEqual(["a"]);
      expect(await s.eventsSoFar()).toEqual([]);
      await s.enqueue(lane, 2, ["b"]);
      await s.bell("q");
    });

    it("B27: says the priority it rings for, the largest of a call; after a pause, the largest that waits", async () => {
      const s = scene();
      const full = await s.full();
      const bell = { kind: "bell", queue: "q" } as const;
      await s.enqueueFull(full, [
        { counter: 1, priority: -4 },
        { counter: 2, priority: 300 },
        { counter: 3, priority: 0 },
      ]);
      expect(await s.eventsSoFar()).toEqual([{ ...bell, priority: 300 }]);
      await s.enqueueFull(full, [{ counter: 4, priority: -1000 }]);
      expect(await s.eventsSoFar()).toEqual([{ ...bell, priority: -1000 }]);
      expect(await s.claimTexts("o1", 2)).toEqual(["f2", "f3"]);
      await s.store.queuePause(s.segment, { queue: "q" });
      await s.store.queueResume(s.segment, { queue: "q" });
      expect(await s.eventsSoFar()).toEqual([{ ...bell, priority: -4 }]);
    });

    it("rings for each priority's list on its own", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(full, [{ counter: 1, priority: 0 }]);
      await s.eventsSoFar();
      await s.enqueueFull(full, [{ counter: 2, priority: 5 }]);
      expect(await s.eventsSoFar()).toEqual([{ kind: "bell", queue: "q", priority: 5 }]);
    });

    it("rings again after the list was emptied", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.claim("o1");
      await s.eventsSoFar();
      await s.enqueue(lane, 2, ["b"]);
      expect(await s.eventsSoFar()).toEqual([{ kind: "bell", queue: "q" }]);
    });

    it("rings for every way back to an empty list: release, rescue, promote, requeue", async () => {
      const s = scene();
      const bell: readonly Event[] = [{ kind: "bell", queue: "q" }];
      await s.enqueue(await s.fast(), 1, ["a"]);
      let held = await s.claimOne("o1");
      await s.eventsSoFar();
      await s.release("o1", [held]);
      expect(await s.eventsSoFar()).toEqual(bell);
      await s.claimOne("o1");
      await s.rescue("o1");
      expect(await s.eventsSoFar()).toEqual(bell);
      held = await s.claimOne("o2");
      await s.fail("o2", held, 0);
      expect(await s.eventsSoFar()).toEqual([{ kind: "due", inMs: 0 }]);
      await s.promote();
      expect(await s.eventsSoFar()).toEqual(bell);
      held = await s.claimOne("o2");
      await s.fail("o2", held, null);
      await s.requeue({ lane: held.lane, laneName: held.laneName }, held.counter);
      expect(await s.eventsSoFar()).toEqual(bell);
    });

    it("rings when the Queue is resumed, and only if it was paused", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.store.queuePause(s.segment, { queue: "q" });
      await s.eventsSoFar();
      await s.store.queueResume(s.segment, { queue: "q" });
      expect(await s.eventsSoFar()).toEqual([{ kind: "bell", queue: "q" }]);
      await s.store.queueResume(s.segment, { queue: "q" });
      expect(await s.eventsSoFar()).toEqual([]);
    });
  });

  describe("a waiter", () => {
    it("is told the end with all it says", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.find(lane, 1, { wait: true });
      const held = await s.claimOne("o1");
      await s.complete("o1", [held], "result");
      const { finishedAtMs, generation } = await s.record(lane, 1);
      expect(await s.settled(lane, 1)).toEqual({
        kind: "settled",
        id: s.id(lane, 1),
        state: "completed",
        generation,
        attempt: 1,
        finishedAtMs,
        value: plain(bytes("result")),
      });
    });

    it("is told of every kind of end", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, series("n", 6));
      await s.enqueueFull(full, [{ counter: 1, due: { in: 900 } }]);
      for (const counter of [1, 2, 3, 4, 5, 6]) await s.find(lane, counter, { wait: true });
      await s.find(full, 1, { wait: true });
      const claims = await s.claim("o1", 5);
      await s.complete("o1", [at(claims, 0)], "result");
      await s.fail("o1", at(claims, 1), null, "error");
      await s.cancel(lane, [3, 4], "marked");
      await s.fail("o1", at(claims, 2), 500);
      await s.cancel(lane, [6], "waiting");
      await s.cancel(full, [1], "scheduled");
      await s.rescue("o1", { recoveriesMax: 0 });
      const ends = await Promise.all([
        ...[1, 2, 3, 4, 5, 6].map((counter) => s.settled(lane, counter)),
        s.settled(full, 1),
      ]);
      expect(ends.map((end) => (end.kind === "settled" ? [end.state, end.value] : []))).toEqual([
        ["completed", plain(bytes("result"))],
        ["failed", plain(bytes("error"))],
        ["cancelled", plain(bytes("marked"))],
        ["cancelled", plain(bytes("marked"))],
        ["failed", plain(bytes("poison"))],
        ["cancelled", plain(bytes("waiting"))],
        ["cancelled", plain(bytes("scheduled"))],
      ]);
    });

    it("is told once, however often it asked and whatever is sent again", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.find(lane, 1, { wait: true });
      await s.find(lane, 1, { wait: true });
      const held = await s.claimOne("o1");
      await s.complete("o1", [held]);
      await s.complete("o1", [held]);
      const ends = (await s.eventsSoFar()).filter((event) => event.kind === "settled");
      expect(ends).toHaveLength(1);
    });

    it("hears nothing of ways back from running", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.find(lane, 1, { wait: true });
      await s.release("o1", [await s.claimOne("o1")]);
      await s.fail("o1", await s.claimOne("o1"), 0);
      expect((await s.eventsSoFar()).filter((event) => event.kind === "settled")).toEqual([]);
      await s.promote();
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.settled(lane, 1);
    });

    it("is not made by asking for what has ended: the record says it all", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      const before = await s.snapshot();
      expect(await s.find(lane, 1, { wait: true })).toMatchObject({ state: "completed" });
      expect(await s.snapshot()).toEqual(before);
    });

    it("leaves nothing behind when its wait is over", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.find(lane, 1, { wait: true });
      await s.complete("o1", [held]);
      await s.advance(10 * retainMs);
      await s.prune();
      const waited = await s.snapshot();

      await s.enqueue(lane, 2, ["a"]);
      const [second] = await s.claim("o1");
      if (second === undefined) throw new Error("one was enqueued");
      await s.complete("o1", [second]);
      await s.advance(10 * retainMs);
      await s.prune();
      expect(sizes(await s.snapshot())).toEqual(sizes(waited));
    });

    it("of a running Operation is told its progress", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.find(lane, 1, { wait: true });
      await s.progress("o1", held, "half");
      const event = await s.heard(({ kind }) => kind === "progressed", "progress");
      expect(event).toEqual({ kind: "progressed", id: s.id(lane, 1), value: plain(bytes("half")) });
    });
  });

  describe("a listener", () => {
    it("that was removed hears nothing", async () => {
      const s = scene();
      let rings = 0;
      const ignore = (): void => {};
      const unlisten = s.store.listen({
        bell: () => {
          rings += 1;
        },
        settled: ignore,
        progressed: ignore,
        due: ignore,
        marked: ignore,
        restored: ignore,
      });
      unlisten();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.bell("q");
      expect(rings).toBe(0);
    });
  });
}

/** How much a snapshot holds, whatever it is made of: the sizes of all its arrays. */
function sizes(value: unknown): unknown {
  if (Array.isArray(value)) return value.length;
  if (typeof value !== "object" || value === null) return typeof value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, sizes(inner)]));
}
