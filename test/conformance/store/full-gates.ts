/** Sentences about full gates that do more than keep one waiting: who ends for meeting one, and who makes room. */
import type { FullElement, FullMode, GateTie, Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { checkAll } from "./inspecting.js";
import { type Lane, only, type Scene, texts } from "./scene.js";

const full = (mode: FullMode, slots = 1, name = "g"): GateTie => ({
  ...{ name, slots },
  full: { mode, value: bytes(`${mode} at ${name}`) },
});
const tied = (...gates: GateTie[]): Ties => ({ key: null, line: null, gates });
const skips = tied(full("skip"));
const newest = tied(full("cancel_newest"));
const oldest = tied(full("cancel_oldest"));

type Given = Partial<FullElement>;

/** Enqueues one by the full path, and answers where it is then. */
async function put(s: Scene, lane: Lane, counter: number, ties: Ties, given: Given = {}): Promise<string> {
  expect(await s.enqueueFull(lane, [{ counter, ties, ...given }])).toEqual(["ok"]);
  return await s.state(lane, counter);
}

async function statesOf(s: Scene, lane: Lane, ...counters: number[]): Promise<string[]> {
  const states: string[] = [];
  for (const counter of counters) states.push(await s.state(lane, counter));
  return states;
}

/** How many slots of `g` are taken, and how many are parked there. */
async function gateNow(s: Scene): Promise<readonly [number, number]> {
  const { gates } = await s.store.limits(s.segment, { max: 10 });
  const found = gates.find(({ name }) => name === "g");
  return [found?.used ?? 0, found?.parked ?? 0];
}

export function fullGateSentences(scene: () => Scene): void {
  describe("a full gate", () => {
    it.each([
      [skips, "skipped", "skip at g"],
      [newest, "cancelled", "cancel_newest at g"],
    ] as const)(
      "X4: ends who comes while its slots are taken, at the enqueue, and says why",
      async (ties, state, why) => {
        const s = scene();
        const lane = await s.full();
        expect(await put(s, lane, 1, ties)).toBe("ready");
        const first = await s.claimOne("o1");
        expect(await put(s, lane, 2, ties)).toBe(state);
        const ended = await s.record(lane, 2);
        expect(plain(ended.value)).toEqual(plain(bytes(why)));
        expect(ended).toMatchObject({ attempt: 0, token: 0, queue: null, body: null });
        // Sent again it is the same one.
        expect(await s.enqueueFull(lane, [{ counter: 2, ties }])).toEqual(["duplicate"]);
        expect(await s.claim("o1")).toEqual([]);
        await s.complete("o1", [first]);
        expect(await put(s, lane, 3, ties)).toBe("ready");
        expect(await s.claimTexts("o1")).toEqual(["f3"]);
        const { totals } = await s.counts();
        expect([totals.enqueued, totals.skipped, totals.cancelled]).toEqual(
          state === "skipped" ? [3, 1, 0] : [3, 0, 1],
        );
        const listed = await s.store.list(s.segment, { of: { state }, cursor: null, max: 10 });
        expect(only(listed.records).id).toBe(s.id(lane, 2));
        expect(await checkAll(s)).toEqual([]);
      },
    );

    it("X4: ends several that come in one call, each once, and lets those beside them in", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 1, skips);
      await s.claimOne("o1");
      const elements = [
        { counter: 2, ties: skips },
        { counter: 3, ties: newest },
        { counter: 2, ties: skips },
        { counter: 4 },
        { counter: 5, ties: skips, due: { in: 100 } },
      ];
      expect(await s.enqueueFull(lane, elements)).toEqual(["ok", "ok", "duplicate", "ok", "ok"]);
      expect(await statesOf(s, lane, 2, 3, 4, 5)).toEqual(["skipped", "cancelled", "ready", "scheduled"]);
      const { totals } = await s.counts();
      expect([totals.enqueued, totals.skipped, totals.cancelled]).toEqual([5, 1, 1]);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: ends who meets it in a claim, and tells who waits for that", async () => {
      const s = scene();
      const lane = await s.full();
      for (const counter of [1, 2, 3]) expect(await put(s, lane, counter, skips)).toBe("ready");
      expect(await s.find(lane, 2, { wait: true })).toMatchObject({ state: "ready" });
      expect(await s.claimTexts("o1")).toEqual(["f1"]);
      expect(await s.settled(lane, 2)).toMatchObject({ state: "skipped", attempt: 0 });
      expect(await statesOf(s, lane, 1, 2, 3)).toEqual(["running", "skipped", "skipped"]);
      expect(await gateNow(s)).toEqual([1, 0]);
      // It is kept for a day, and no longer.
      await s.advance(23 * 3_600_000);
      await s.prune();
      expect(await s.state(lane, 2)).toBe("skipped");
      await s.advance(3 * 3_600_000);
      await s.prune();
      expect(await s.find(lane, 2)).toBe("pruned");
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: lets go of the key and the line of whom it ends", async () => {
      const s = scene();
      const lane = await s.full();
      const key = { name: "k", mode: "return", windowMs: null, digest: bytes("digest-1"), replaced: null } as const;
      const bound = (): Ties => ({ ...skips, key, line: "l" });
      await put(s, lane, 1, skips);
      const first = await s.claimOne("o1");
      expect(await put(s, lane, 2, bound())).toBe("skipped");
      await s.complete("o1", [first]);
      expect(await put(s, lane, 3, bound())).toBe("ready");
      expect(await s.claimTexts("o1")).toEqual(["f3"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it.each(["retry", "release", "rescue"])(
      "X4: lets who has run before wait for a slot, and ends it not: %s",
      async (way) => {
        const s = scene();
        const lane = await s.full();
        await put(s, lane, 1, skips);
        const first = await s.claimOne("o1");
        if (way === "retry") await s.fail("o1", first, 500);
        if (way === "release") await s.release("o1", [first], 500);
        if (way === "rescue") await s.rescue("o1");
        // Another of its gate, of a higher priority, is claimed meanwhile.
        await put(s, lane, 2, skips, { priority: 5 });
        const second = await s.claimOne("o2");
        expect(second.counter).toBe(2);
        await s.advance(500);
        await s.promote();
        expect(await s.claim("o1")).toEqual([]);
        expect(await s.state(lane, 1)).toBe("ready");
        expect(await gateNow(s)).toEqual([1, 1]);
        await s.complete("o2", [second]);
        expect(await s.claimTexts("o1")).toEqual(["f1"]);
        expect(await checkAll(s)).toEqual([]);
      },
    );

    it("X4: judges what is requeued, or due, like one that comes", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 1, newest);
      await s.fail("o1", await s.claimOne("o1"), null);
      await put(s, lane, 2, newest);
      expect(await put(s, lane, 3, newest, { due: { in: 100 } })).toBe("scheduled");
      await s.claimOne("o1");
      expect(await s.requeue(lane, 1)).toBe("ok");
      await s.advance(100);
      await s.promote();
      expect(await s.claim("o1")).toEqual([]);
      expect(await statesOf(s, lane, 1, 2, 3)).toEqual(["cancelled", "running", "cancelled"]);
    });

    it("X4: says it by the live number, too", async () => {
      const s = scene();
      const lane = await s.full();
      const set = (slots: number) => s.store.limitSet(s.segment, { name: "g", number: { slots }, max: 10 });
      await set(0);
      expect(await put(s, lane, 1, skips)).toBe("skipped");
      await set(2);
      for (const counter of [2, 3]) expect(await put(s, lane, counter, skips)).toBe("ready");
      expect(await s.claimTexts("o1")).toEqual(["f2", "f3"]);
      expect(await put(s, lane, 4, skips)).toBe("skipped");
    });

    it("X4: with `cancel_oldest` marks who has been there longest, and gives its slot to who came when it has ended", async () => {
      const s = scene();
      const lane = await s.full();
      const two = tied(full("cancel_oldest", 2));
      await put(s, lane, 1, two);
      const first = await s.claimOne("o1");
      await put(s, lane, 2, two);
      const second = await s.claimOne("o2");
      s.events.length = 0;
      expect(await put(s, lane, 3, two)).toBe("ready");
      expect(await s.heard(({ kind }) => kind === "marked", "the mark")).toMatchObject({ owner: "o1" });
      expect(await s.record(lane, 1)).toMatchObject({ state: "running", isCancelMarked: true });
      expect(await s.record(lane, 2)).toMatchObject({ state: "running", isCancelMarked: false });
      // The limit is not exceeded: nothing is let through until the marked one has ended.
      expect(await gateNow(s)).toEqual([2, 1]);
      expect(await s.claim("o3")).toEqual([]);
      await s.fail("o1", first, 500);
      expect(await s.state(lane, 1)).toBe("cancelled");
      expect(plain((await s.record(lane, 1)).value)).toEqual(plain(bytes("cancel_oldest at g")));
      const third = await s.claimOne("o3");
      expect(third.counter).toBe(3);
      await s.complete("o2", [second]);
      await s.complete("o3", [third]);
      expect(await gateNow(s)).toEqual([0, 0]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: with `cancel_oldest` keeps the newest that came, and cancels one for each, running ones first", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 1, oldest);
      const first = await s.claimOne("o1");
      for (const counter of [2, 3, 4]) await put(s, lane, counter, oldest);
      // 2 and 3 waited for the slot of 1 and were displaced in turn; 1 was marked once.
      expect(await statesOf(s, lane, 1, 2, 3, 4)).toEqual(["running", "cancelled", "cancelled", "ready"]);
      expect(plain((await s.record(lane, 3)).value)).toEqual(plain(bytes("cancel_oldest at g")));
      expect(await gateNow(s)).toEqual([1, 1]);
      // A result it had got by then still counts.
      await s.complete("o1", [first]);
      expect(await s.state(lane, 1)).toBe("completed");
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: with `cancel_oldest` cancels nobody where a slot is free, or one is about to be", async () => {
      const s = scene();
      const lane = await s.full();
      const two = tied(full("cancel_oldest", 2));
      for (const counter of [1, 2]) await put(s, lane, counter, two);
      const [first, second] = await s.claim("o1");
      expect([first?.counter, second?.counter]).toEqual([1, 2]);
      // Somebody cancelled both: who comes has their slots, and nobody else has to go.
      await s.cancel(lane, [1, 2]);
      for (const counter of [3, 4]) await put(s, lane, counter, two);
      expect(await statesOf(s, lane, 3, 4)).toEqual(["ready", "ready"]);
      if (first !== undefined && second !== undefined) await s.complete("o1", [first, second]);
      expect((await s.claimTexts("o1")).toSorted()).toEqual(["f3", "f4"]);
    });

    it("X4: with `cancel_oldest` cancels one for each that comes, and not another when its slot went to somebody else", async () => {
      const s = scene();
      const lane = await s.full();
      await put(s, lane, 1, oldest);
      const first = await s.claimOne("o1");
      await put(s, lane, 2, oldest);
      await s.fail("o1", first, null);
      // It is on its list again, and the slot is free: one of a higher priority comes before it.
      expect(await put(s, lane, 3, oldest, { priority: 5 })).toBe("ready");
      const third = await s.claimOne("o1");
      expect(third.counter).toBe(3);
      expect(await s.claim("o2")).toEqual([]);
      expect(await s.record(lane, 3)).toMatchObject({ state: "running", isCancelMarked: false });
      expect(await s.state(lane, 2)).toBe("ready");
      await s.complete("o1", [third]);
      expect(await s.claimTexts("o2")).toEqual(["f2"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: with `cancel_oldest` at several gates cancels one for each that comes, at whichever it meets first", async () => {
      const s = scene();
      const lane = await s.full();
      const [a, b] = [full("cancel_oldest", 1, "a"), full("cancel_oldest", 1, "b")];
      await put(s, lane, 1, tied(a));
      const first = await s.claimOne("o1");
      await put(s, lane, 2, tied(b));
      const second = await s.claimOne("o1");
      expect(await put(s, lane, 3, tied(a, b))).toBe("ready");
      expect(await s.record(lane, 1)).toMatchObject({ isCancelMarked: true });
      await s.fail("o1", first, null);
      // Its slot of `a` is there: at `b` it waits, and leaves `a` to others until it has both.
      expect(await s.claim("o2")).toEqual([]);
      expect((await s.record(lane, 3)).parked).toEqual({ kind: "gate", name: "b" });
      expect(await s.record(lane, 2)).toMatchObject({ isCancelMarked: false });
      await put(s, lane, 4, tied(a));
      const fourth = await s.claimOne("o1");
      await s.complete("o1", [second]);
      expect(await s.claim("o2")).toEqual([]);
      expect((await s.record(lane, 3)).parked).toEqual({ kind: "gate", name: "a" });
      expect(await s.record(lane, 4)).toMatchObject({ state: "running", isCancelMarked: false });
      await s.complete("o1", [fourth]);
      expect(await s.claimTexts("o2")).toEqual(["f3"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: with `cancel_oldest` what a claim meets makes room, be its holder claimed just now", async () => {
      const s = scene();
      const lane = await s.full();
      for (const counter of [1, 2, 3]) await put(s, lane, counter, oldest);
      expect(texts(await s.claim("o1"))).toEqual(["f1"]);
      expect(await s.record(lane, 1)).toMatchObject({ state: "running", isCancelMarked: true });
      expect(await statesOf(s, lane, 2, 3)).toEqual(["cancelled", "ready"]);
      expect(await gateNow(s)).toEqual([1, 1]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: with `cancel_oldest` sees who has a slot on the fast path", async () => {
      const s = scene();
      const { lane } = await s.store.laneOpen(s.segment, { laneName: "a1.05", queue: "q", isTied: true });
      const fast = { lane, laneName: "a1.05" };
      await s.store.enqueue(s.segment, {
        ...fast,
        first: 1,
        bodies: [bytes("n1")],
        gates: [[{ name: "g", slots: 1 }]],
      });
      await s.claimOne("o1");
      await put(s, await s.full(), 1, oldest);
      expect(await s.record(fast, 1)).toMatchObject({ state: "running", isCancelMarked: true });
    });

    it("X4: of several full ones the first that ends counts; where it would wait anyway, nobody is cancelled for it", async () => {
      const s = scene();
      const lane = await s.full();
      const mine = full("cancel_oldest", 1, "mine");
      await put(s, lane, 1, tied({ name: "all", slots: 1 }, mine));
      const first = await s.claimOne("o1");
      // Waits at `all`, which says nothing: the holder of `mine` is left alone.
      await put(s, lane, 2, tied({ name: "all", slots: 1 }, mine));
      expect(await s.claim("o1")).toEqual([]);
      expect(await s.record(lane, 1)).toMatchObject({ isCancelMarked: false });
      expect((await s.record(lane, 2)).parked).toEqual({ kind: "gate", name: "all" });
      // One of them skips: nothing is taken, nobody cancelled.
      expect(await put(s, lane, 3, tied({ name: "all", slots: 1 }, mine, full("skip", 1, "other")))).toBe("ready");
      expect(await put(s, lane, 4, tied(mine, full("skip", 1, "all")))).toBe("skipped");
      expect(await s.record(lane, 1)).toMatchObject({ isCancelMarked: false });
      await s.complete("o1", [first]);
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: ends what bears a flow, and gives it its turn where it displaces another", async () => {
      const s = scene();
      const lane = await s.full();
      const flowing = (ties: Ties, name: string): Ties => ({ ...ties, flow: { name, weight: 1 } });
      await put(s, lane, 1, flowing(oldest, "a"));
      await s.claimOne("o1");
      expect(await put(s, lane, 2, flowing(oldest, "b"))).toBe("ready");
      expect(await s.record(lane, 1)).toMatchObject({ isCancelMarked: false });
      expect(await s.claim("o1")).toEqual([]);
      expect(await s.record(lane, 1)).toMatchObject({ isCancelMarked: true });
      expect(await put(s, lane, 3, flowing(skips, "b"))).toBe("skipped");
      expect(await checkAll(s)).toEqual([]);
    });
  });
}
