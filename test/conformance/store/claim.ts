/** Sentences about taking work and keeping it: claim and extend. */
import { describe, expect, it } from "vitest";
import { bytes, plain } from "../../helper/bytes.js";
import { at, only, proof, type Scene, series, texts } from "./scene.js";

export function claimSentences(scene: () => Scene): void {
  describe("claim", () => {
    it("answers everything needed to run the Operation", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const claim = await s.claimOne("o1");
      expect(plain(claim)).toEqual({
        lane: lane.lane,
        laneName: "a1.01",
        counter: 1,
        token: claim.token,
        queue: "q",
        priority: 0,
        attempt: 1,
        generation: claim.generation,
        recoveries: 0,
        body: plain(bytes("a")),
      });
      expect(Number.isSafeInteger(claim.token)).toBe(true);
    });

    it("answers the same of a full-path Operation", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [{ counter: 40, priority: -3, text: "a" }]);
      expect(await s.claimOne("o1")).toMatchObject({
        ...lane,
        counter: 40,
        queue: "q",
        priority: -3,
        attempt: 1,
        recoveries: 0,
      });
    });

    it("takes at most `max`, oldest first, and says how many wait", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 5));
      const answer = await s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 3 });
      expect(texts(answer.claims)).toEqual(["n1", "n2", "n3"]);
      expect(answer.waiting).toBe(2);
    });

    it("empties Queues in the order given", async () => {
      const s = scene();
      await s.enqueue(await s.fast("q", "a1.01"), 1, ["q1", "q2"]);
      await s.enqueue(await s.fast("z", "a1.02"), 1, ["z1", "z2"]);
      expect(await s.claimTexts("o1", 3, ["z", "q"])).toEqual(["z1", "z2", "q1"]);
    });

    it("prefers the order of Queues to priorities: they rank within a Queue", async () => {
      const s = scene();
      const lane = await s.full();
      await s.enqueueFull(lane, [
        { counter: 1, queue: "q", priority: 0, text: "q0" },
        { counter: 2, queue: "z", priority: 9, text: "z9" },
      ]);
      expect(await s.claimTexts("o1", 2, ["q", "z"])).toEqual(["q0", "z9"]);
    });

    it("leaves Queues it was not asked for alone", async () => {
      const s = scene();
      await s.enqueue(await s.fast("z"), 1, ["z1"]);
      expect(await s.claimTexts("o1", 10, ["q"])).toEqual([]);
    });

    it("gives one token to all it takes, and larger ones to later claims", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 4));
      const [first, second] = [await s.claim("o1", 2), await s.claim("o2", 2)];
      expect(at(first, 0).token).toBe(at(first, 1).token);
      expect(at(second, 0).token).toBeGreaterThan(at(first, 0).token);
    });

    it("gives tokens that rise with the store's clock, and rise though the clock falls", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const first = await s.claimOne("o1");
      await s.advance(1000);
      const second = await s.claimOne("o1");
      expect(second.token - first.token).toBeGreaterThanOrEqual(1_000_000);
      await s.advance(-1000);
      const third = await s.claimOne("o1");
      expect(third.token).toBe(second.token + 1);
      await s.advance(1000);
    });

    it("B29: answers a request sent again with the same claims, in the same order, and takes nothing new", async () => {
      const s = scene();
      const lane = await s.fast();
      const full = await s.full();
      await s.enqueue(lane, 1, series("n", 3));
      await s.enqueueFull(full, [{ counter: 1, priority: 2 }]);
      const ask = () => s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 3 });
      const first = await ask();
      const before = await s.snapshot();
      const again = await ask();
      expect(plain(again.claims)).toEqual(plain(first.claims));
      expect(await s.snapshot()).toEqual(before);
    });

    it("answers a repeated request with what is still held of it", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const ask = () => s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 3 });
      const first = await ask();
      await s.complete("o1", [at(first.claims, 1)]);
      expect(texts((await ask()).claims)).toEqual(["n1", "n3"]);
    });

    it("refuses a lower request as `stale`", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 4));
      const ask = (request: number) => s.store.claim(s.segment, { owner: "o1", request, queues: ["q"], max: 1 });
      expect((await ask(5)).answer).toBe("ok");
      const before = await s.snapshot();
      expect(await ask(4)).toMatchObject({ answer: "stale", claims: [] });
      expect(await s.snapshot()).toEqual(before);
      expect(texts((await ask(6)).claims)).toEqual(["n2"]);
    });

    it("writes nothing when there is nothing to take: the request number stays unused", async () => {
      const s = scene();
      const lane = await s.fast();
      const ask = () => s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 1 });
      const before = await s.snapshot();
      expect(await ask()).toEqual({ answer: "ok", claims: [], waiting: 0, highest: null });
      expect(await s.snapshot()).toEqual(before);
      await s.enqueue(lane, 1, ["a"]);
      expect(texts((await ask()).claims)).toEqual(["a"]);
    });

    it("numbers requests per owner", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 2));
      const ask = (owner: string) => s.store.claim(s.segment, { owner, request: 1, queues: ["q"], max: 1 });
      expect(texts((await ask("o1")).claims)).toEqual(["n1"]);
      expect(texts((await ask("o2")).claims)).toEqual(["n2"]);
    });

    it("drops what was cancelled while waiting", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 4));
      await s.cancel(lane, [1, 3]);
      expect(await s.claimTexts("o1")).toEqual(["n2", "n4"]);
      expect(await s.state(lane, 1)).toBe("cancelled");
    });

    it("B41: pops at most twice `max` elements, however many were cancelled", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 6));
      await s.cancel(lane, [1, 2, 3, 4, 5]);
      const ask = (request: number) => s.store.claim(s.segment, { owner: "o1", request, queues: ["q"], max: 2 });
      const first = await ask(1);
      expect(first).toMatchObject({ answer: "ok", claims: [], waiting: 2 });
      expect(texts((await ask(2)).claims)).toEqual(["n6"]);
    });

    it("counts what waits in the unpaused Queues it was asked for, all priorities together", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueue(await s.fast("q", "a1.01"), 1, ["q1", "q2"]);
      await s.enqueueFull(full, [
        { counter: 1, queue: "q", priority: 5 },
        { counter: 2, queue: "q", priority: -5 },
        { counter: 3, queue: "z" },
        { counter: 4, queue: "y" },
      ]);
      await s.store.queuePause(s.segment, { queue: "y" });
      const ask = { owner: "o1", request: 1, queues: ["q", "z", "y"], max: 1 };
      expect((await s.store.claim(s.segment, ask)).waiting).toBe(4);
    });

    it("B27: says the highest priority among what it left, of the unpaused Queues it was asked for", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueue(await s.fast("z", "a2.01"), 1, ["z1", "z2"]);
      await s.enqueueFull(full, [
        { counter: 1, queue: "q", priority: 5 },
        { counter: 2, queue: "q", priority: -1000 },
        { counter: 3, queue: "q", priority: 1000 },
        { counter: 4, queue: "p", priority: 9 },
      ]);
      await s.store.queuePause(s.segment, { queue: "p" });
      let request = 0;
      const ask = async (queues: readonly string[], max = 1) => {
        const answer = await s.store.claim(s.segment, { owner: "o1", request: ++request, queues, max });
        return [answer.claims.map(({ priority }) => priority), answer.waiting, answer.highest];
      };
      expect(await ask(["q", "p"])).toEqual([[1000], 2, 5]);
      expect(await ask(["q", "z"])).toEqual([[5], 3, 0]);
      const again = await s.store.claim(s.segment, { owner: "o1", request, queues: ["q", "p"], max: 1 });
      expect([again.claims.length, again.waiting, again.highest]).toEqual([1, 1, -1000]);
      expect(await ask(["q"])).toEqual([[-1000], 0, null]);
      expect(await ask(["z"])).toEqual([[0], 1, 0]);
      const { queues } = await s.counts();
      expect(queues.map(({ queue, highest }) => [queue, highest])).toEqual([
        ["p", 9],
        ["q", null],
        ["z", 0],
      ]);
    });

    it("B29: never gives one Operation to two owners", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 300));
      const rounds = await Promise.all(
        Array.from({ length: 30 }, (_, i) =>
          s.store.claim(s.segment, { owner: `o${i % 5}`, request: Math.floor(i / 5) + 1, queues: ["q"], max: 17 }),
        ),
      );
      const taken = rounds.flatMap(({ claims }) => claims.map(({ counter }) => counter));
      expect(new Set(taken).size).toBe(taken.length);
      expect(taken).toHaveLength(300);
      const held = (await s.counts()).owners.reduce((sum, owner) => sum + owner.held, 0);
      expect(held).toBe(300);
    });

    it("B29: of a thousand who ask for one Operation at the same time one gets it, and the same again", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const ask = (n: number) => s.store.claim(s.segment, { owner: `racer-${n}`, request: 1, queues: ["q"], max: 10 });
      const answers = await Promise.all(Array.from({ length: 1_000 }, (_, n) => ask(n)));
      const winners = answers.flatMap(({ claims }, n) => (claims.length > 0 ? [n] : []));
      expect(winners).toHaveLength(1);
      const [winner = -1] = winners;
      expect((await s.record(lane, 1)).owner).toBe(`racer-${winner}`);
      expect(await ask(winner)).toEqual(answers[winner]);
    });

    it("takes a thousand at once", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 1000));
      expect(await s.claim("o1", 1000)).toHaveLength(1000);
    });
  });

  describe("extend", () => {
    it("does not know an owner before its first claim that took something", async () => {
      const s = scene();
      await s.claim("o1");
      expect(await s.store.extend(s.segment, { owner: "o1" })).toMatchObject({
        answer: "missing",
        held: 0,
        marked: [],
      });
    });

    it("raises the beat by one and says how much is held", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, series("n", 3));
      await s.claim("o1");
      const first = await s.store.extend(s.segment, { owner: "o1" });
      const second = await s.store.extend(s.segment, { owner: "o1" });
      expect(first).toMatchObject({ answer: "ok", held: 3, marked: [] });
      expect(second.beat).toBe(first.beat + 1);
    });

    it("names what was marked for cancelling, in address order", async () => {
      const s = scene();
      const first = await s.fast("q", "a1.01");
      const second = await s.fast("q", "a1.02");
      await s.enqueue(second, 1, ["s1", "s2"]);
      await s.enqueue(first, 1, ["f1", "f2"]);
      await s.claim("o1");
      await s.cancel(second, [2, 1]);
      await s.cancel(first, [2]);
      const { marked } = await s.store.extend(s.segment, { owner: "o1" });
      expect(marked).toEqual([
        { lane: first.lane, counter: 2 },
        { lane: second.lane, counter: 1 },
        { lane: second.lane, counter: 2 },
      ]);
    });

    it("still knows an owner that holds nothing any more", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await s.store.extend(s.segment, { owner: "o1" })).toMatchObject({ answer: "ok", held: 0 });
    });
  });

  describe("ownership", () => {
    it("B30: is the owner and the token together: anything else is `stale` and changes nothing", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const held = await s.claimOne("o1");
      await s.claim("o2");
      const before = await s.snapshot();
      const wrong = [
        ["o2", held],
        ["o1", { ...proof(held), token: held.token + 1 }],
        ["o1", { ...proof(held), token: held.token - 1 }],
        ["o1", { ...proof(held), counter: 2 }],
        ["o1", { ...proof(held), lane: held.lane + 5 }],
        ["nobody", held],
      ] as const;
      for (const [owner, claim] of wrong) {
        expect(await s.complete(owner, [claim])).toEqual(["stale"]);
        expect(await s.fail(owner, claim, 10)).toBe("stale");
        expect(await s.fail(owner, claim, null)).toBe("stale");
        expect(await s.release(owner, [claim])).toEqual(["stale"]);
        expect(await s.release(owner, [claim], 10)).toEqual(["stale"]);
        expect(await s.progress(owner, claim, "half")).toBe("stale");
      }
      expect(await s.snapshot()).toEqual(before);
      expect(await s.complete("o1", [held])).toEqual(["ok"]);
    });

    it("B30: ends with a rescue: the old owner is stale, the new one is not", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const old = await s.claimOne("o1");
      await s.rescue("o1");
      const present = await s.claimOne("o2");
      expect(await s.complete("o1", [old], "late")).toEqual(["stale"]);
      expect(await s.complete("o2", [present], "mine")).toEqual(["ok"]);
      expect(await s.complete("o1", [old], "later")).toEqual(["stale"]);
      expect(plain(await s.record(lane, 1))).toMatchObject({ state: "completed", value: plain(bytes("mine")) });
    });

    it("of one element of a batch says nothing about the others", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      const claims = await s.claim("o1");
      const mixed = [at(claims, 0), { ...at(claims, 1), token: 1 }, at(claims, 2)];
      expect(await s.complete("o1", mixed)).toEqual(["ok", "stale", "ok"]);
      expect(await s.state(lane, 2)).toBe("running");
      expect(only((await s.counts()).owners)).toMatchObject({ owner: "o1", held: 1 });
    });
  });
}
