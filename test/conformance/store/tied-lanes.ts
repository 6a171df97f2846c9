/** Sentences about tied lanes: what is tied to gates alone takes the fast path, and is limited like all that is. */
import type { GateTie, LiveNumber, OperationRecord, Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes } from "../../helper/bytes.js";
import { checkAll } from "./inspecting.js";
import { at, type Lane, only, retainMs, type Scene, series, texts, waysOut } from "./scene.js";

const slots = (count = 1, name = "g"): GateTie[] => [{ name, slots: count }];
const tied = (gates: readonly GateTie[]): Ties => ({ key: null, line: null, gates });

async function open(s: Scene, queue = "q", laneName = "a1.05"): Promise<Lane> {
  const { answer, lane } = await s.store.laneOpen(s.segment, { laneName, queue, isTied: true });
  expect(answer).toBe("ok");
  return { lane, laneName };
}

/** Enqueues `n<first>` and so on, all with the same gates. */
async function put(s: Scene, lane: Lane, first: number, count: number, gates: readonly GateTie[]) {
  const bodies = Array.from({ length: count }, (_, i) => bytes(`n${first + i}`));
  return await s.store.enqueue(s.segment, { ...lane, first, bodies, gates: bodies.map(() => gates) });
}

async function listed(s: Scene, state: "parked" | "running" | "scheduled" | "failed") {
  return texts((await s.store.list(s.segment, { of: { state }, cursor: null, max: 100 })).records);
}

async function explain(s: Scene, lane: Lane, counter: number) {
  const { laneName } = lane;
  return (await s.store.explain(s.segment, { dot: { laneName, counter }, max: 10 })).gates;
}

/** How many slots of `g` are taken. */
async function used(s: Scene): Promise<number> {
  const { gates } = (await s.snapshot()) as { gates: { gate: string; used: number }[] };
  return gates.find(({ gate }) => gate === "g")?.used ?? 0;
}

export function tiedLaneSentences(scene: () => Scene): void {
  describe("a tied lane", () => {
    it("X4: lets as many run as its gate has slots; the rest is parked, and shown as it was enqueued", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 5, slots(2));
      expect(only((await s.counts()).queues)).toMatchObject({ queue: "q", ready: 5 });
      const ready = await s.store.list(s.segment, { of: { state: "ready", queue: "q" }, cursor: null, max: 3 });
      expect(texts(ready.records)).toEqual(["n1", "n2", "n3"]);
      const peeked = await s.store.peek(s.segment, { of: { queue: "q" }, offset: 3, limit: 10 });
      expect(texts(peeked.records)).toEqual(["n4", "n5"]);
      const claims = await s.claim("o1");
      expect(texts(claims)).toEqual(["n1", "n2"]);
      expect(claims.map(({ attempt, generation, recoveries }) => [attempt, generation, recoveries])).toEqual([
        [1, 0, 0],
        [1, 0, 0],
      ]);
      expect(await s.counts()).toMatchObject({ parked: 3, running: 2 });
      expect((await listed(s, "parked")).toSorted()).toEqual(["n3", "n4", "n5"]);
      expect(await listed(s, "running")).toEqual(["n1", "n2"]);
      const [parked, running] = [await s.record(lane, 3), await s.record(lane, 1)];
      expect(parked).toMatchObject({ state: "ready", queue: "q", priority: 0 });
      expect(running).toMatchObject({ state: "running", attempt: 1 });
      expect(texts([parked, running])).toEqual(["n3", "n1"]);
      await s.complete("o1", claims.slice(0, 1));
      expect(await s.claimTexts("o2")).toEqual(["n3"]);
      expect(await s.claim("o2")).toEqual([]);
      expect(await used(s)).toBe(2);
      expect(await checkAll(s)).toEqual([]);
    });

    it.each(waysOut)("X4: a slot is free in the call that ends or takes back what held it: %s", async (way) => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 2, slots());
      const claim = await s.claimOne("o1");
      expect(await s.claim("o2")).toEqual([]);
      s.events.length = 0;
      await s.letGo(way, "o1", lane, claim);
      await s.bell("q");
      const second = await s.claimOne("o2");
      expect(texts([second])).toEqual(["n2"]);
      expect(await s.claim("o2")).toEqual([]);
      expect(await used(s)).toBe(1);
      expect(await checkAll(s)).toEqual([]);
      // What came back is tied as before.
      if (way !== "retry" && way !== "delay" && way !== "release" && way !== "rescue") return;
      await s.advance(500);
      await s.promote();
      expect(await s.claim("o2")).toEqual([]);
      await s.complete("o2", [second]);
      expect(await s.claimTexts("o2")).toEqual(["n1"]);
      expect(await used(s)).toBe(1);
    });

    it("X4: goes by one gate with the full path and with other lanes, and leaves the rest of its Queue alone", async () => {
      const s = scene();
      const [lane, other, full, plain] = [await open(s), await open(s, "q", "b2.05"), await s.full(), await s.fast()];
      await put(s, lane, 1, 1, slots(2));
      await s.enqueueFull(full, [{ counter: 1, ties: tied(slots(2)) }]);
      await s.enqueue(plain, 1, ["p1"]);
      await put(s, other, 1, 2, slots(2));
      await s.enqueue(plain, 2, ["p2"]);
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n1", "f1", "p1", "p2"]);
      await s.complete("o1", held.slice(0, 2));
      expect(await s.claimTexts("o1")).toEqual(["n1", "n2"]);
      expect(await used(s)).toBe(2);
    });

    it("X4: of several gates all must have a slot, and none is held by one that waits for another", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 1, slots(1, "b"));
      await put(s, lane, 2, 1, [...slots(1, "g"), ...slots(1, "b")]);
      await put(s, lane, 3, 1, slots(1, "g"));
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n1", "n3"]);
      await s.complete("o1", held.slice(0, 1));
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", held.slice(1));
      expect(await s.claimTexts("o1")).toEqual(["n2"]);
    });

    it("X4: the newest limit is the gate's, larger or smaller, once it was enqueued and not when it is sent again", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 6, slots(1));
      const [first] = await s.claim("o1");
      await put(s, lane, 7, 1, slots(3));
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n2", "n3"]);
      expect(await put(s, lane, 7, 1, slots(5))).toEqual({ answer: "ok", accepted: 7, fresh: 0 });
      expect(await s.claim("o1")).toEqual([]);
      // Of one call, what is sent again says nothing, and the last of the rest counts.
      await put(s, lane, 7, 2, slots(1));
      await s.complete("o1", held);
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", first === undefined ? [] : [first]);
      expect(await s.claimTexts("o1")).toEqual(["n4"]);
    });

    it("X4: numbers that came before anything ran agree once it waits: the newest counts, and no slot stays free", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 2, slots(1));
      await put(s, lane, 3, 8, slots(3));
      const held = [...(await s.claim("o1"))];
      expect(texts(held)).toEqual(["n1", "n3", "n4"]);
      const inTurn: string[] = [];
      for (let left = 9; left >= 0; left--) {
        await s.complete("o1", held.splice(0, 1));
        const more = await s.claim("o1");
        held.push(...more);
        inTurn.push(...texts(more));
        expect([held.length, await used(s)]).toEqual([Math.min(3, left), Math.min(3, left)]);
        expect(await checkAll(s)).toEqual([]);
      }
      expect(inTurn).toEqual(["n2", "n5", "n6", "n7", "n8", "n9", "n10"]);
    });

    it("X4: of one call the last limit counts", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 3, slots(1));
      await s.claimOne("o1");
      const bodies = [4, 5, 6].map((n) => bytes(`n${n}`));
      await s.store.enqueue(s.segment, { ...lane, first: 4, bodies, gates: [slots(5), slots(9), slots(2)] });
      await put(s, lane, 6, 2, slots(2));
      expect(await s.claimTexts("o1")).toHaveLength(1);
    });

    it("X4: a live limit counts for what waits on it, of slots and of a rate", async () => {
      const s = scene();
      const lane = await open(s);
      const set = (name: string, number: LiveNumber | null) => s.store.limitSet(s.segment, { name, number, max: 100 });
      await put(s, lane, 1, 3, slots(3));
      await set("g", { slots: 1 });
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n1"]);
      await set("g", { slots: 0 });
      await s.complete("o1", held);
      expect(await s.claim("o1")).toEqual([]);
      await set("g", null);
      expect(await s.claimTexts("o1")).toEqual(["n2", "n3"]);
      await put(s, lane, 4, 4, [{ name: "r", everyMs: 60_000, burst: 1 }]);
      await set("r", { everyMs: 60_000, burst: 2 });
      expect(await s.claimTexts("o1")).toEqual(["n4", "n5"]);
      await set("r", { everyMs: 0, burst: 1 });
      await s.promote();
      await put(s, lane, 8, 2, [{ name: "r", everyMs: 60_000, burst: 1 }]);
      expect(await s.claimTexts("o1")).toEqual(["n6", "n7", "n8", "n9"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: a rate lets one through every so often, and the rest when it is time", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 4, [{ name: "r", everyMs: 100, burst: 2 }]);
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n1", "n2"]);
      await s.complete("o1", held);
      expect(await s.claim("o1")).toEqual([]);
      expect(await s.counts()).toMatchObject({ parked: 2, nextDueInMs: 100 });
      await s.advance(100);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["n3"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: a lost claim's answer is given again, and takes no second slot", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 3, slots(2));
      const params = { owner: "o1", request: 1, queues: ["q"], max: 10 };
      const { claims } = await s.store.claim(s.segment, params);
      expect((await s.store.claim(s.segment, params)).claims).toEqual(claims);
      expect(await used(s)).toBe(2);
      await s.complete("o1", claims);
      expect(await s.complete("o1", claims)).toEqual(["duplicate", "duplicate"]);
      expect((await s.store.claim(s.segment, { ...params, request: 2 })).claims).toHaveLength(1);
      expect(await used(s)).toBe(1);
    });

    it("ends an Operation once that one call names twice, and gives its slot back once", async () => {
      const s = scene();
      const [lane, plain] = [await open(s), await s.fast()];
      await put(s, lane, 1, 3, slots(3));
      await s.enqueue(plain, 1, ["p1"]);
      const held = await s.claim("o1");
      const [a, b, , p] = [at(held, 0), at(held, 1), at(held, 2), at(held, 3)];
      const wrong = { ...b, token: b.token - 1 };
      expect(await s.complete("o1", [wrong, a, b, a, p, p, wrong])).toEqual([
        ...(["stale", "ok", "ok", "duplicate", "ok", "duplicate", "stale"] as const),
      ]);
      expect(await used(s)).toBe(1);
      expect(await s.counts()).toMatchObject({ running: 1, totals: { completed: 3 } });
    });

    it("X4: what waits can be cancelled, on its list and parked, and its turn goes to the next", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 6, slots());
      expect(await s.cancel(lane, [2])).toEqual(["cancelled"]);
      const first = only(await s.claim("o1", 3));
      expect(await s.cancel(lane, [3])).toEqual(["cancelled"]);
      await s.complete("o1", [first]);
      expect(await s.cancel(lane, [4])).toEqual(["cancelled"]);
      expect(await s.claimTexts("o1")).toEqual(["n5"]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("X4: a dead letter is what it was, and goes on by its gate when it is requeued or redriven", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 3, slots());
      await s.fail("o1", await s.claimOne("o1"), null);
      await s.fail("o1", await s.claimOne("o1"), null);
      const dead = await s.store.peek(s.segment, { of: "dead", offset: 0, limit: 10 });
      expect(texts(dead.records).toSorted()).toEqual(["n1", "n2"]);
      const third = await s.claimOne("o1");
      await s.requeue(lane, 1);
      const elements = [{ laneName: lane.laneName, counter: 2, queue: null, body: bytes("edited") }];
      await s.store.redrive(s.segment, { elements });
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", [third]);
      const again = await s.claim("o1");
      expect(texts(again)).toEqual(["n1"]);
      await s.complete("o1", again);
      expect(await s.claimTexts("o1")).toEqual(["edited"]);
    });

    it("X4: what was parked is behind its lane's mark: nothing is left of it when its record is pruned", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 2, slots());
      const held = await s.claimOne("o1");
      expect(await s.claim("o1", 1)).toEqual([]);
      await put(s, lane, 3, 1, slots(1, "other"));
      expect(await s.record(lane, 2)).toMatchObject({ state: "ready", parked: { kind: "gate", name: "g" } });
      await s.complete("o1", [held]);
      const second = await s.claimOne("o1");
      expect(texts([second])).toEqual(["n2"]);
      await s.complete("o1", [second]);
      await s.advance(2 * retainMs);
      await s.prune();
      expect(await s.state(lane, 2)).toBe("pruned");
      expect(await s.state(lane, 3)).toBe("ready");
    });

    it("X4: says of each, on its list, parked or running, what gates it has and who holds them", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 2, slots(1));
      await put(s, lane, 3, 1, slots(1));
      const shown = { name: "g", slots: 1, opensAtMs: null, everyMs: null, isLive: false };
      expect(await explain(s, lane, 3)).toEqual([{ ...shown, used: 0, isFull: false, before: 0, holders: [] }]);
      await s.claim("o1", 1);
      await s.claim("o1", 1);
      const full = { ...shown, used: 1, isFull: true, holders: [s.id(lane, 1)] };
      const shapes = [];
      for (const counter of [1, 2, 3]) shapes.push(...(await explain(s, lane, counter)));
      expect(shapes).toEqual([
        { ...full, before: 2 },
        { ...full, before: 0 },
        { ...full, before: 1 },
      ]);
      expect(await explain(s, lane, 9)).toEqual([]);
    });

    it("is tied for good: asked for otherwise it is refused, and opened for reading it is as it is", async () => {
      const s = scene();
      const lane = await open(s);
      const { store, segment } = s;
      const asPlain = await store.laneOpen(segment, { laneName: lane.laneName, queue: "q" });
      expect(asPlain).toEqual({ answer: "ok", lane: lane.lane, accepted: 0 });
      await s.fast("q", "a1.06");
      expect((await store.laneOpen(segment, { laneName: "a1.06", queue: "q", isTied: true })).answer).toBe("conflict");
      expect((await put(s, { ...lane, laneName: "a1.06" }, 1, 1, slots())).answer).toBe("unknown_lane");
    });

    it("X4: a Queue that is paused and goes on keeps its limits", async () => {
      const s = scene();
      const queue = "q";
      await s.store.queuePause(s.segment, { queue });
      const lane = await open(s);
      await put(s, lane, 1, 2, slots());
      expect(await s.claim("o1")).toEqual([]);
      expect(only((await s.counts()).queues)).toMatchObject({ isPaused: true });
      expect((await s.store.queuePause(s.segment, { queue })).answer).toBe("unchanged");
      expect((await s.store.queueResume(s.segment, { queue })).answer).toBe("ok");
      expect((await s.store.queueResume(s.segment, { queue })).answer).toBe("unchanged");
      expect(await s.claimTexts("o1")).toEqual(["n1"]);
      await s.store.queuePause(s.segment, { queue });
      await s.store.queueResume(s.segment, { queue });
      expect(await s.claim("o1")).toEqual([]);
    });

    it("X4: a thousand in one call are looked at, not claimed; any bytes may stand behind the gates", async () => {
      const s = scene();
      const lane = await open(s);
      const odd = [new Uint8Array([0]), new Uint8Array(8), new Uint8Array(300).fill(255), bytes("\0\0\0\u0001g")];
      const bodies = [...odd, ...series("n", 896).map(bytes)];
      const many = bodies.map((_, i): GateTie[] => (i < 4 ? slots(4) : slots(1, `key-${i % 3}`)));
      await s.store.enqueue(s.segment, { ...lane, first: 1, bodies, gates: many });
      const held = await s.claim("o1", 1000);
      expect(held.map(({ body }) => Buffer.from(body)).slice(0, 4)).toEqual(odd.map((one) => Buffer.from(one)));
      expect(held).toHaveLength(7);
      expect(await s.claim("o1", 1000)).toEqual([]);
      await s.complete("o1", held);
      expect(await s.claim("o1", 1000)).toHaveLength(3);
      expect(await checkAll(s, false, 1000)).toEqual([]);
    });

    it("X4: a candidate that must wait elsewhere makes room for the next, though its gate was idle meanwhile", async () => {
      const s = scene();
      const lane = await open(s);
      const pace: GateTie = { name: "r", everyMs: 1_000_000, burst: 1 };
      await put(s, lane, 1, 1, [pace]);
      await put(s, lane, 2, 1, slots());
      await put(s, lane, 3, 1, [...slots(), pace]);
      const held = await s.claim("o1");
      expect(texts(held)).toEqual(["n1", "n2"]);
      await s.complete("o1", held.slice(1));
      await put(s, lane, 4, 2, slots());
      const params = { owner: "o2", request: 1, queues: ["q"], max: 10 };
      const { claims, waiting } = await s.store.claim(s.segment, params);
      expect([texts(claims), waiting]).toEqual([["n4"], 1]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("is announced like any other: held it is kept, unknown it is put back without ties", async () => {
      const s = scene();
      const lane = await open(s);
      await put(s, lane, 1, 1, slots());
      const claim = await s.claimOne("o1");
      const { laneName, counter, token } = claim;
      const announce = (element: typeof claim, isAgain: boolean) =>
        s.store.announce(s.segment, {
          owner: "o1",
          elements: [{ laneName: element.laneName, counter: element.counter, token, again: isAgain ? element : null }],
        });
      expect((await announce(claim, false)).answers).toEqual(["keep"]);
      expect((await announce({ ...claim, counter: counter + 4 }, true)).answers).toEqual(["recovered"]);
      expect((await s.record({ ...lane, laneName }, counter + 4)) as OperationRecord).toMatchObject({ state: "ready" });
      const back = await s.claimOne("o2");
      expect([back.counter, ...texts([back])]).toEqual([counter + 4, "n1"]);
      expect(await used(s)).toBe(1);
      await s.complete("o2", [back]);
      expect(await used(s)).toBe(1);
    });
  });
}
