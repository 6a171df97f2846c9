/** Sentences about ties: keys that one Operation holds, lines that go in order, gates that let so many run. */
import type { FullElement, KeyMode, KeyTie, Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { type Lane, only, retainMs, type Scene, texts, waysOut } from "./scene.js";

type Element = Partial<FullElement> & { counter: number; text?: string };

function key(mode: KeyMode, options: Partial<KeyTie> = {}): Ties {
  const replaced = mode === "replace" || mode === "postpone" ? { retainMs, value: bytes("replaced") } : null;
  const tie = { name: "k", mode, windowMs: null, digest: bytes("digest-1"), replaced, ...options };
  return { key: tie, line: null, gates: [] };
}

const line = (name = "l"): Ties => ({ key: null, line: name, gates: [] });
const gate = (slots = 1, ...names: string[]): Ties => ({
  key: null,
  line: null,
  gates: (names.length === 0 ? ["g"] : names).map((name) => ({ name, slots })),
});

const flow = (name: string, weight = 1, gates: Ties["gates"] = []): Ties => ({
  ...{ key: null, line: null, gates },
  flow: { name, weight },
});

/** Enqueues and answers words and holders' counters. */
async function ask(s: Scene, lane: Lane, elements: readonly Element[]) {
  const { answers, holders } = await s.store.enqueueFull(s.segment, {
    ...lane,
    elements: elements.map(({ text, ...element }) => ({
      ...{ queue: "q", priority: 0, due: null, body: bytes(text ?? `f${element.counter}`) },
      ...element,
    })),
  });
  return { answers, holders: holders.map(({ counter }) => counter) };
}

export function tieSentences(scene: () => Scene): void {
  describe("a key", () => {
    it("X13: is held by one Operation; others of the same key are kept from coming in, and hear of it", async () => {
      const s = scene();
      const lane = await s.full();
      expect(await ask(s, lane, [{ counter: 1, ties: key("return") }])).toEqual({ answers: ["ok"], holders: [] });
      expect(
        await ask(s, lane, [
          { counter: 2, ties: key("return") },
          { counter: 3, ties: key("reject") },
          { counter: 4, ties: key("match") },
          { counter: 5, ties: key("match", { digest: bytes("digest-2") }) },
          { counter: 6, ties: key("return", { name: "other" }) },
        ]),
      ).toEqual({ answers: ["kept", "rejected", "kept", "mismatch", "ok"], holders: [1, 1, 1, 1] });
      expect(await s.claimTexts("o1")).toEqual(["f1", "f6"]);
      expect(await s.state(lane, 2)).toBe("missing");
    });

    it("X13: counts within one call too", async () => {
      const s = scene();
      const lane = await s.full();
      const elements = [1, 2, 3].map((counter) => ({ counter, ties: key("return") }));
      expect(await ask(s, lane, elements)).toEqual({ answers: ["ok", "kept", "kept"], holders: [1, 1] });
    });

    it.each(["complete", "fail", "cancel", "cancel running", "poison"])(
      "X13: without a window it is free in the call that ends its Operation: %s",
      async (end) => {
        const s = scene();
        const lane = await s.full();
        await ask(s, lane, [{ counter: 1, ties: key("return") }]);
        if (end === "cancel") await s.cancel(lane, [1]);
        else {
          const claim = await s.claimOne("o1");
          expect((await ask(s, lane, [{ counter: 2, ties: key("return") }])).answers).toEqual(["kept"]);
          if (end === "complete") await s.complete("o1", [claim]);
          if (end === "fail") await s.fail("o1", claim, null);
          if (end === "cancel running") {
            await s.cancel(lane, [1]);
            await s.release("o1", [claim]);
          }
          if (end === "poison") await s.rescue("o1", { recoveriesMax: 0 });
        }
        expect((await ask(s, lane, [{ counter: 2, ties: key("return") }])).answers).toEqual(["ok"]);
      },
    );

    it.each(["retry", "release", "rescue"])("X13: stays held while its Operation comes back: %s", async (back) => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [{ counter: 1, ties: key("return") }]);
      const claim = await s.claimOne("o1");
      if (back === "retry") await s.fail("o1", claim, 500);
      if (back === "release") await s.release("o1", [claim]);
      if (back === "rescue") await s.rescue("o1");
      expect(await ask(s, lane, [{ counter: 2, ties: key("return") }])).toEqual({ answers: ["kept"], holders: [1] });
    });

    it("X13: with a window it outlives its Operation until the window is over, and not longer", async () => {
      const s = scene();
      const lane = await s.full();
      const windowed = key("return", { windowMs: 1000 });
      await ask(s, lane, [{ counter: 1, ties: windowed }]);
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(999);
      expect(await ask(s, lane, [{ counter: 2, ties: windowed }])).toEqual({ answers: ["kept"], holders: [1] });
      await s.advance(1);
      expect(await ask(s, lane, [{ counter: 2, ties: windowed }])).toEqual({ answers: ["ok"], holders: [] });
      await s.complete("o1", [await s.claimOne("o1")]);
      await s.advance(1000);
      await s.prune();
      const { keys } = (await s.snapshot()) as { keys: unknown[] };
      expect(keys).toEqual([]);
    });

    it("X13: a timed key is held through its window and no longer, whatever becomes of its holder", async () => {
      const s = scene();
      const lane = await s.full();
      const timed = key("return", { windowMs: 1000, isTimed: true });
      await ask(s, lane, [{ counter: 1, ties: timed }]);
      await s.advance(999);
      expect(await ask(s, lane, [{ counter: 2, ties: timed }])).toEqual({ answers: ["kept"], holders: [1] });
      await s.advance(1);
      expect(await ask(s, lane, [{ counter: 2, ties: timed }])).toEqual({ answers: ["ok"], holders: [] });
      await s.complete("o1", await s.claim("o1", 2));
      expect(await ask(s, lane, [{ counter: 3, ties: timed }])).toEqual({ answers: ["kept"], holders: [2] });
    });

    it("X13: `postpone` replaces a holder that is scheduled, and answers with any other", async () => {
      const s = scene();
      const lane = await s.full();
      const ties = key("postpone");
      await ask(s, lane, [{ counter: 1, due: { in: 1000 }, ties }]);
      expect(await ask(s, lane, [{ counter: 2, ties }])).toEqual({ answers: ["ok"], holders: [] });
      expect(await s.state(lane, 1)).toBe("cancelled");
      expect(await ask(s, lane, [{ counter: 3, ties }])).toEqual({ answers: ["kept"], holders: [2] });
      const claim = await s.claimOne("o1");
      expect(await ask(s, lane, [{ counter: 3, ties }])).toEqual({ answers: ["kept"], holders: [2] });
      await s.complete("o1", [claim]);
      expect(await ask(s, lane, [{ counter: 3, ties }])).toEqual({ answers: ["ok"], holders: [] });
    });

    it("X13: `known` holds a key while a record of its holder is kept that was not cancelled", async () => {
      const s = scene();
      const lane = await s.full();
      const ties = key("known", { windowMs: 1e9 });
      const ask1 = (counter: number) => ask(s, lane, [{ counter, ties }]);
      await ask1(1);
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await ask1(2)).toEqual({ answers: ["kept"], holders: [1] });
      await s.store.erase(s.segment, { dots: [{ laneName: lane.laneName, counter: 1 }] });
      expect(await ask1(2)).toEqual({ answers: ["ok"], holders: [] });
      await s.cancel(lane, [2]);
      expect(await ask1(3)).toEqual({ answers: ["ok"], holders: [] });
      await s.fail("o1", await s.claimOne("o1"), null);
      expect(await ask1(4)).toEqual({ answers: ["kept"], holders: [3] });
    });

    it("X13: who holds a key can be asked", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [{ counter: 7, ties: key("return") }]);
      const { holders } = await s.store.holders(s.segment, { keys: ["none", "k"] });
      expect(holders).toEqual([null, { laneName: lane.laneName, counter: 7 }]);
    });

    it("X13: a window that is over does not free the key of an Operation that lives", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [{ counter: 1, ties: key("return", { windowMs: 10 }) }]);
      await s.advance(1000);
      await s.prune();
      expect((await ask(s, lane, [{ counter: 2, ties: key("return") }])).answers).toEqual(["kept"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      expect((await ask(s, lane, [{ counter: 2, ties: key("return") }])).answers).toEqual(["ok"]);
    });

    it("X13: `replace` cancels the one that waits and takes its place", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [{ counter: 1, ties: key("replace"), due: { in: 500 } }]);
      expect((await ask(s, lane, [{ counter: 2, ties: key("replace") }])).answers).toEqual(["ok"]);
      const { state, value } = await s.record(lane, 1);
      expect([state, plain(value)]).toEqual(["cancelled", plain(bytes("replaced"))]);
      expect(
        (
          await ask(s, lane, [
            { counter: 3, ties: key("replace") },
            { counter: 4, ties: key("replace") },
          ])
        ).answers,
      ).toEqual(["ok", "ok"]);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      expect((await s.counts()).scheduled).toBe(0);
    });

    it("X13: `debounce` puts off what waits, and no further than so long after the first", async () => {
      const s = scene();
      const lane = await s.full();
      const maxWait = Buffer.alloc(8);
      maxWait.writeDoubleBE(250);
      const one = (counter: number) => {
        const replaced = { retainMs, value: bytes("replaced") };
        return {
          counter,
          ties: { ...key("return", { digest: maxWait, replaced, mode: "debounce" }) },
          due: { in: 100 },
        };
      };
      await ask(s, lane, [one(1)]);
      for (let counter = 2; counter <= 4; counter++) {
        await s.advance(80);
        await s.promote();
        await ask(s, lane, [one(counter)]);
      }
      // 240 ms after the first: the fourth would be due at 340, and is at 250.
      await s.advance(9);
      await s.promote();
      expect(await s.claim("o1")).toEqual([]);
      await s.advance(1);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      await ask(s, lane, [one(5)]);
      await s.advance(90);
      await s.promote();
      expect(await s.claim("o1")).toEqual([]);
    });

    it("X13: `debounce` takes the digest of one that was not debounced for no time", async () => {
      const s = scene();
      const lane = await s.full();
      const maxWait = Buffer.alloc(8);
      maxWait.writeDoubleBE(250);
      const replaced = { retainMs, value: bytes("replaced") };
      const digest = Uint8Array.of(0x3f, 1, 2, 3, 4, 5, 6, 7); // as a number, a time long ago
      await ask(s, lane, [
        { counter: 1, ties: key("return", { digest, replaced, mode: "replace" }), due: { in: 100 } },
      ]);
      const ties = key("return", { digest: maxWait, replaced, mode: "debounce" });
      expect(await ask(s, lane, [{ counter: 2, ties, due: { in: 100 } }])).toEqual({ answers: ["ok"], holders: [] });
      expect(await s.claim("o1")).toEqual([]);
      await s.advance(100);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
    });

    it("X13: `replace` lets one that runs go on, and its end frees nothing that is another's", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [{ counter: 1, ties: key("replace") }]);
      const claim = await s.claimOne("o1");
      expect((await ask(s, lane, [{ counter: 2, ties: key("replace") }])).answers).toEqual(["ok"]);
      expect(await s.complete("o1", [claim])).toEqual(["ok"]);
      expect(await ask(s, lane, [{ counter: 3, ties: key("return") }])).toEqual({ answers: ["kept"], holders: [2] });
    });

    it("X13: a dot enqueued twice is a duplicate, not another one of its key", async () => {
      const s = scene();
      const lane = await s.full();
      const element = { counter: 1, ties: key("replace") };
      expect((await ask(s, lane, [element])).answers).toEqual(["ok"]);
      expect((await ask(s, lane, [element])).answers).toEqual(["duplicate"]);
      expect(await s.claimTexts("o1")).toEqual(["f1"]);
    });
  });

  describe("a line", () => {
    const three = [1, 2, 3].map((counter) => ({ counter, ties: line() }));

    it("X14: lets one go on at a time, in the order of their enqueue", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [...three, { counter: 4, ties: line("m") }, { counter: 5 }]);
      const claims = await s.claim("o1");
      expect(texts(claims)).toEqual(["f1", "f4", "f5"]);
      expect(await s.state(lane, 2)).toBe("ready");
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", claims);
      const second = await s.claimOne("o1");
      expect(texts([second])).toEqual(["f2"]);
      await s.complete("o1", [second]);
      expect(await s.claimTexts("o1")).toEqual(["f3"]);
    });

    it("X14: is kept through retries, delays, hand-backs and rescues; an end of any kind lets the next go on", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, three);
      await s.fail("o1", await s.claimOne("o1"), 500);
      expect(await s.claim("o2")).toEqual([]);
      await s.advance(500);
      await s.promote();
      await s.release("o1", [await s.claimOne("o1")], 500);
      expect(await s.claim("o2")).toEqual([]);
      await s.advance(500);
      await s.promote();
      await s.claimOne("o1");
      await s.rescue("o1");
      const claim = await s.claimOne("o2");
      expect(texts([claim])).toEqual(["f1"]);
      await s.fail("o2", claim, null);
      expect(await s.cancel(lane, [2])).toEqual(["cancelled"]);
      expect(await s.claimTexts("o2")).toEqual(["f3"]);
    });

    it("X14: a due time holds up those behind it; one behind it waits for its own when its turn comes", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: line(), due: { in: 100 } },
        { counter: 2, ties: line(), due: { in: 500 } },
        { counter: 3, ties: line() },
      ]);
      expect(await s.claim("o1")).toEqual([]);
      await s.advance(100);
      await s.promote();
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await s.state(lane, 2)).toBe("scheduled");
      await s.advance(400);
      await s.promote();
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await s.claimTexts("o1")).toEqual(["f3"]);
    });

    it("X14: what leaves from the middle or both ends at once leaves the order as it was", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(
        s,
        lane,
        [1, 2, 3, 4, 5].map((counter) => ({ counter, ties: line() })),
      );
      expect(await s.cancel(lane, [1, 2, 4])).toEqual(["cancelled", "cancelled", "cancelled"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await s.claimTexts("o1")).toEqual(["f5"]);
    });

    it("X14: a requeued one joins the end", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, three);
      await s.fail("o1", await s.claimOne("o1"), null);
      expect(await s.requeue(lane, 1)).toBe("ok");
      const order: string[] = [];
      for (let i = 0; i < 3; i++) {
        const claim = only(await s.claim("o1"));
        order.push(...texts([claim]));
        await s.complete("o1", [claim]);
      }
      expect(order).toEqual(["f2", "f3", "f1"]);
    });

    it("a replaced one gives up its place in the line", async () => {
      const s = scene();
      const lane = await s.full();
      const both = { ...key("replace"), line: "l" };
      await ask(s, lane, [
        { counter: 1, ties: line() },
        { counter: 2, ties: both },
        { counter: 3, ties: line() },
      ]);
      await ask(s, lane, [{ counter: 4, ties: both }]);
      const order: string[] = [];
      for (let i = 0; i < 3; i++) {
        const claim = only(await s.claim("o1"));
        order.push(...texts([claim]));
        await s.complete("o1", [claim]);
      }
      expect(order).toEqual(["f1", "f3", "f4"]);
    });
  });

  describe("a gate", () => {
    const some = (count: number, ties: Ties): Element[] =>
      Array.from({ length: count }, (_, i) => ({ counter: i + 1, ties }));

    it("X4: lets as many run as it has slots; the rest is parked and costs claims nothing", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [...some(5, gate(2)), { counter: 6 }]);
      const claims = await s.claim("o1");
      expect(texts(claims)).toEqual(["f1", "f2", "f6"]);
      expect(await s.state(lane, 3)).toBe("ready");
      expect(only((await s.counts()).queues).ready).toBe(0);
      await s.complete("o1", claims.slice(0, 1));
      expect(await s.claimTexts("o2")).toEqual(["f3"]);
      expect(await s.claim("o2")).toEqual([]);
    });

    it.each(waysOut)("X4: a slot is free in the call that ends or takes back what held it: %s", async (way) => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [...some(2, gate()), { counter: 3, queue: "other" }]);
      const claim = await s.claimOne("o1");
      expect(await s.claim("o2")).toEqual([]);
      s.events.length = 0;
      await s.letGo(way, "o1", lane, claim);
      await s.bell("q");
      expect(await s.claimTexts("o2", 1)).toEqual(["f2"]);
      expect(await s.claim("o2")).toEqual([]);
    });

    it("X4: what was parked moves on in the order it came, before what is ready", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(4, gate(2)));
      const claims = await s.claim("o1");
      expect(claims).toHaveLength(2);
      await ask(s, lane, [{ counter: 5 }]);
      await s.complete("o1", claims);
      expect(await s.claimTexts("o1")).toEqual(["f3", "f4", "f5"]);
    });

    it("X4: one that is parked can be cancelled, and its turn goes to the next", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(4, gate()));
      const claim = only(await s.claim("o1"));
      expect(await s.cancel(lane, [2])).toEqual(["cancelled"]);
      await s.complete("o1", [claim]);
      // It is on its list now, and has not taken the slot yet.
      expect(await s.cancel(lane, [3])).toEqual(["cancelled"]);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
    });

    it("X4: of several gates all must have a slot, and none is held by one that waits for another", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: gate(1, "b") },
        { counter: 2, ties: gate(1, "a", "b") },
        { counter: 3, ties: gate(1, "a") },
      ]);
      const claims = await s.claim("o1");
      expect(texts(claims)).toEqual(["f1", "f3"]);
      await s.complete("o1", claims.slice(0, 1));
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", claims.slice(1));
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
    });

    it("X4: a candidate that must wait elsewhere makes room for the next", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: gate(1, "a") },
        { counter: 2, ties: gate(1, "a", "b") },
        { counter: 3, ties: gate(1, "a") },
      ]);
      const first = only(await s.claim("o1"));
      await ask(s, lane, [{ counter: 4, ties: gate(1, "b") }]);
      const fourth = only(await s.claim("o1"));
      await s.complete("o1", [first]);
      await s.claim("o2"); // f2 goes on to gate b
      expect(await s.claimTexts("o2")).toEqual(["f3"]);
      await s.complete("o1", [fourth]);
      expect(await s.claim("o2")).toEqual([]);
    });

    it("X4: a lost claim's answer is given again, and takes no second slot", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(3, gate(2)));
      const params = { owner: "o1", request: 1, queues: ["q"], max: 10 };
      const { claims } = await s.store.claim(s.segment, params);
      expect((await s.store.claim(s.segment, params)).claims).toEqual(claims);
      await s.complete("o1", claims);
      expect((await s.store.claim(s.segment, { ...params, request: 2 })).claims).toHaveLength(1);
    });

    it("X4: the newest limit is the gate's: a larger one lets on at once what was parked by the old", async () => {
      const s = scene();
      const lane = await s.full();
      const some = (from: number, count: number, slots: number) =>
        Array.from({ length: count }, (_, i) => ({ counter: from + i, ties: gate(slots) }));
      await ask(s, lane, some(1, 6, 1));
      const [first] = await s.claim("o1");
      expect(await s.claim("o1")).toEqual([]);
      await ask(s, lane, some(7, 3, 3));
      expect(await s.claimTexts("o1")).toEqual(["f2", "f3"]);
      // While new ones keep coming, the old ones have their turn.
      await s.complete("o1", first === undefined ? [] : [first]);
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
    });

    it("X4: a smaller limit counts for what came before it, too", async () => {
      const s = scene();
      const lane = await s.full();
      const some = (from: number, count: number, slots: number) =>
        Array.from({ length: count }, (_, i) => ({ counter: from + i, ties: gate(slots) }));
      await ask(s, lane, some(1, 6, 3));
      const held = await s.claim("o1");
      expect(held).toHaveLength(3);
      await ask(s, lane, some(7, 1, 1));
      await s.complete("o1", held.slice(0, 2));
      expect(await s.claim("o1")).toEqual([]);
      await s.complete("o1", held.slice(2));
      await s.prune();
      expect(await s.claim("o1", 1)).toHaveLength(1);
    });

    it("X4: a thousand in one call are looked at, not claimed", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(900, gate(3)));
      expect(await s.claim("o1", 1000)).toHaveLength(3);
      expect(await s.claim("o1", 1000)).toEqual([]);
    });
  });

  describe("what is parked", () => {
    it("is in its place for a check, which mends nothing there", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: gate() },
        { counter: 2, ties: gate() },
        { counter: 3, ties: line() },
        { counter: 4, ties: line() },
      ]);
      await s.claim("o1");
      const before = await s.snapshot();
      let cursor: string | null = null;
      do {
        const answer = await s.store.check(s.segment, { isMending: true, cursor, max: 100, suspects: [] });
        expect(answer.findings).toEqual([]);
        expect(answer.placeless).toEqual([]);
        cursor = answer.cursor;
      } while (cursor !== null);
      expect(await s.snapshot()).toEqual(before);
    });

    it("X14: a redriven one joins the end of its line", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: line() },
        { counter: 2, ties: line() },
      ]);
      await s.fail("o1", await s.claimOne("o1"), null);
      const elements = [{ laneName: lane.laneName, counter: 1, queue: "other", body: null }];
      expect((await s.store.redrive(s.segment, { elements })).answers).toEqual(["ok"]);
      expect(await s.claim("o1", 10, ["other"])).toEqual([]);
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await s.claim("o1", 10, ["other"])).toHaveLength(1);
    });
  });

  describe("a flow", () => {
    const of = (flowName: string, from: number, count: number, weight = 1, gates: Ties["gates"] = []) =>
      Array.from({ length: count }, (_, i) => ({
        ...{ counter: from + i, text: flowName, ties: flow(flowName, weight, gates) },
      }));

    it("X4: of two flows each has its turn, whoever came first and however many it has", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, of("a", 1, 50));
      await ask(s, lane, of("b", 51, 3));
      const claims = await s.claim("o1", 8);
      expect(texts(claims).join("")).toBe("abababaa");
      // Who was away begins where the others are, with no claim to what it left out.
      await ask(s, lane, of("c", 60, 4));
      expect(texts(await s.claim("o1", 6)).join("")).toMatch(/^a?(ca){2,3}c?$/);
    });

    it("X4: a flow of three times the weight is let through three times as often", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [...of("a", 1, 200, 1), ...of("b", 201, 200, 3)]);
      let a = 0;
      for (let i = 0; i < 10; i++) a += texts(await s.claim("o1", 10)).filter((name) => name === "a").length;
      expect(a).toBeGreaterThanOrEqual(24);
      expect(a).toBeLessThanOrEqual(26);
    });

    it("X4: flows share slots as they share claims", async () => {
      const s = scene();
      const lane = await s.full();
      const gates = [{ name: "g", slots: 2 }];
      await ask(s, lane, of("a", 1, 40, 1, gates));
      const held = [...(await s.claim("o1"))];
      await ask(s, lane, of("b", 41, 5, 1, gates));
      expect(await s.claim("o1")).toEqual([]);
      const order: string[] = [];
      for (let i = 0; i < 10; i++) {
        await s.complete("o1", held.splice(0, 1));
        const claims = await s.claim("o1");
        held.push(...claims);
        order.push(...texts(claims));
      }
      expect(order.join("")).toBe("bababababa");
    });

    it("X4: who is new at a fair gate does not go before those that wait for the same slots already", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(
        s,
        lane,
        Array.from({ length: 6 }, (_, i) => ({ counter: i + 1, text: `t${i + 1}`, ties: gate() })),
      );
      const order: string[] = [];
      const [held] = await s.claim("o1");
      await ask(s, lane, of("new", 7, 2, 1, gate().gates));
      expect(await s.claim("o1")).toEqual([]);
      // Another priority is another clock, and begins where this one stands.
      await ask(s, lane, [{ counter: 9, text: "other", ties: flow("new", 1, gate().gates), priority: 5 }]);
      expect(await s.claim("o1")).toEqual([]);
      let next = held;
      while (next !== undefined) {
        order.push(...texts([next]));
        await s.complete("o1", [next]);
        [next] = await s.claim("o1");
      }
      expect(order.slice(0, 6)).toEqual(["t1", "t2", "t3", "t4", "t5", "t6"]);
    });

    it("X4: what is handed back is ahead of its flow; a retry queues up again; what is cancelled goes", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        { counter: 1, ties: flow("a") },
        { counter: 2, ties: flow("a") },
        { counter: 3, ties: flow("a") },
      ]);
      await s.release("o1", [await s.claimOne("o1")]);
      await s.fail("o1", await s.claimOne("o1"), 10);
      await s.advance(10);
      await s.promote();
      expect(await s.cancel(lane, [2])).toEqual(["cancelled"]);
      expect(await s.claimTexts("o1")).toEqual(["f3", "f1"]);
      expect(await s.state(lane, 2)).toBe("cancelled");
    });

    it("X4: what waits for its turn counts as ready, not as parked; what a limit keeps is parked", async () => {
      const s = scene();
      const lane = await s.full();
      const none = { key: null, line: null, gates: [] };
      await s.enqueueFull(lane, [
        ...of("a", 1, 3),
        ...of("b", 4, 2).map((element) => ({ ...element, priority: 7 })),
        { counter: 6, queue: "gated", ties: { ...none, gates: [{ name: "g", slots: 1 }] } },
        { counter: 7, queue: "gated", ties: { ...none, gates: [{ name: "g", slots: 1 }] } },
      ]);
      await s.claim("o1", 2, ["gated"]);
      const ready = async () => {
        const { queues, parked } = await s.counts();
        return { q: queues.find(({ queue }) => queue === "q")?.ready, parked };
      };
      expect(await ready()).toEqual({ q: 5, parked: 1 });
      expect(await s.claim("o1", 2)).toHaveLength(2);
      expect(await ready()).toEqual({ q: 3, parked: 1 });
    });

    it("X4: goes behind larger priorities, and takes turns with work without a flow", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, [
        ...of("a", 1, 4),
        { counter: 5, text: "-" },
        { counter: 6, text: "-" },
        { counter: 7, text: "!", ties: flow("a"), priority: 5 },
      ]);
      const order = [];
      for (let i = 0; i < 7; i++) order.push(...texts(await s.claim("o1", 1)));
      expect(order.join("")).toBe("!-a-aaa");
    });

    it("X4: rings the bell of its Queue, and nothing is left of it when all is done", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, of("a", 1, 3));
      await s.bell("q");
      const claims = await s.claim("o1");
      await s.complete("o1", claims);
      await s.prune();
      const { gates } = (await s.snapshot()) as { gates: unknown[] };
      expect(gates).toEqual([]);
    });
  });

  describe("a pace", () => {
    const pace = (everyMs: number, burst = 1): Ties => ({
      key: null,
      line: null,
      gates: [{ name: "p", everyMs, burst }],
    });
    const some = (count: number, ties: Ties): Element[] =>
      Array.from({ length: count }, (_, i) => ({ counter: i + 1, ties }));

    it("X4: lets one through every so often; what comes sooner is parked until `promote` lets it on", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(4, pace(100)));
      expect(await s.claimTexts("o1")).toEqual(["f1"]);
      expect(await s.claim("o1")).toEqual([]);
      expect((await s.counts()).nextDueInMs).toBe(100);
      await s.advance(99);
      await s.promote();
      expect(await s.claim("o1")).toEqual([]);
      await s.advance(1);
      expect((await s.promote()).nextDueInMs).toBe(100);
      expect(await s.claimTexts("o1")).toEqual(["f2"]);
      await s.advance(250);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["f3"]);
      await s.advance(100);
      await s.promote();
      expect(await s.claimTexts("o1")).toEqual(["f4"]);
      expect((await s.counts()).nextDueInMs).toBeNull();
    });

    it("X4: lets a burst through after a pause, and no more in any window", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(20, pace(100, 3)));
      expect(await s.claim("o1")).toHaveLength(3);
      await s.advance(1000);
      await s.promote();
      expect(await s.claim("o1")).toHaveLength(3);
      await s.advance(100);
      await s.promote();
      expect(await s.claim("o1")).toHaveLength(1);
    });

    it("X4: tells when the next one may pass", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(2, pace(100)));
      s.events.length = 0;
      await s.claim("o1");
      await s.heard((event) => event.kind === "due" && event.inMs === 100, "the time of the next one");
    });

    it("X4: one `promote` lets at most `max` through, of however many paces; one `prune` forgets as many", async () => {
      const s = scene();
      const lane = await s.full();
      const each = (name: string, from: number): Element[] =>
        [0, 1, 2, 3, 4].map((i) => {
          return { counter: from + i, ties: { ...pace(100), gates: [{ name, everyMs: 100, burst: 3 }] } };
        });
      await ask(s, lane, [...each("p1", 1), ...each("p2", 6), ...each("p3", 11)]);
      expect(await s.claim("o1")).toHaveLength(9);
      await s.advance(1000);
      const claimed: number[] = [];
      for (let turn = 0; turn < 3; turn++) {
        const { nextDueInMs } = await s.promote(2);
        claimed.push((await s.claim("o1")).length);
        if (turn < 2) expect(nextDueInMs).toBeLessThanOrEqual(0);
      }
      expect(claimed).toEqual([2, 2, 2]);
      await s.advance(1000);
      expect((await s.prune(2)).more).toBe(true);
      expect((await s.prune(2)).more).toBe(false);
    });

    it("X4: a candidate that is cancelled passes its turn on", async () => {
      const s = scene();
      const lane = await s.full();
      await ask(s, lane, some(3, pace(100)));
      await s.claim("o1");
      await s.advance(100);
      await s.promote();
      await s.cancel(lane, [2]);
      expect(await s.claimTexts("o1")).toEqual(["f3"]);
    });
  });
}
