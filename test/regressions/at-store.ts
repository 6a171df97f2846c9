/**
 * Bugs that other queues paid for, as far as a store alone can have them: part of the suite that every store passes
 * (conformance/store.suite.ts). Names are those of scripts/src/features/regressions.ts.
 */
import type { Claim, Ties } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { only, retainMs, type Scene, series, texts } from "../conformance/store/scene.js";
import { bytes } from "../helper/bytes.js";

/** Keys, lines and gates of one element. */
function tied(ties: Partial<Ties>): { readonly ties: Ties } {
  return { ties: { key: null, line: null, gates: [], ...ties } };
}

const held = { name: "k", mode: "return", windowMs: null, digest: bytes("d"), replaced: null } as const;

/** Beyond every retention and every window of remembered ids. */
const LONG_MS = 4 * 86_400_000;

export function regressionSentences(scene: () => Scene): void {
  describe("bugs others paid for", () => {
    it("regression: a stale owner writes another run's fields", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      const old = await s.claimOne("o1");
      await s.rescue("o1");
      const present = await s.claimOne("o2");
      await s.progress("o2", present, "half");
      const before = await s.snapshot();
      // Its own old token, the new one it may have read somewhere, and the right token of a wrong owner.
      for (const claim of [old, present]) {
        expect(await s.complete("o1", [claim])).toEqual(["stale"]);
        expect(await s.fail("o1", claim, 5)).toBe("stale");
        expect(await s.fail("o1", claim, null)).toBe("stale");
        expect(await s.release("o1", [claim])).toEqual(["stale"]);
        expect(await s.progress("o1", claim, "lies")).toBe("stale");
      }
      expect(await s.complete("o2", [old])).toEqual(["stale"]);
      expect((await s.store.extend(s.segment, { owner: "o1" })).answer).toBe("missing");
      expect(await s.snapshot()).toEqual(before);
      expect(await s.complete("o2", [present], "right")).toEqual(["ok"]);
    });

    it("regression: rescue by time re-runs live work", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["a"]);
      const claim = await s.claimOne("o1");
      // For hours, by the store's clock; it beats all the time, each time after somebody has read its beat.
      for (let hour = 0; hour < 5; hour++) {
        const beat = await s.beatSeen("o1");
        await s.beat("o1");
        await s.advance(3_600_000);
        const ask = { owner: "o1", beat, max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
        expect(await s.store.rescue(s.segment, ask)).toMatchObject({ answer: "stale", rescued: 0 });
      }
      expect(await s.complete("o1", [claim])).toEqual(["ok"]);
      await s.advance(-s.movedMs);
    });

    it("regression: two reapers race", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 20));
      await s.claim("o1");
      const beat = await s.beatSeen("o1");
      const ask = { owner: "o1", beat, max: 7, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      const answers = await Promise.all(Array.from({ length: 9 }, () => s.store.rescue(s.segment, ask)));
      expect(answers.reduce((sum, { rescued }) => sum + rescued, 0)).toBe(20);
      expect((await s.counts()).owners).toEqual([]);
      expect(await s.claimTexts("o2")).toEqual(series("n", 20));
      for (let counter = 1; counter <= 20; counter++) expect((await s.record(lane, counter)).recoveries).toBe(1);
    });

    it("regression: one stalled entry is below the threshold and never re-sent", async () => {
      const s = scene();
      await s.enqueue(await s.fast(), 1, ["alone"]);
      await s.claimOne("o1");
      expect(await s.rescue("o1")).toMatchObject({ answer: "ok", rescued: 1, left: 0 });
      expect(await s.claimTexts("o2")).toEqual(["alone"]);
    });

    it("regression: recovery lowers the attempts, and poison lives for ever", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["poison"]);
      await s.fail("o0", await s.claimOne("o0"), 1);
      await s.advance(10);
      await s.promote();
      const seen: (readonly [number, number])[] = [];
      for (let life = 1; life <= 20; life++) {
        const claim = (await s.claim(`o${life}`))[0];
        if (claim === undefined) break;
        seen.push([claim.attempt, claim.recoveries]);
        await s.rescue(`o${life}`, { recoveriesMax: 3 });
      }
      expect(seen).toEqual([0, 1, 2, 3].map((recoveries) => [2, recoveries]));
      expect(await s.record(lane, 1)).toMatchObject({ state: "failed", attempt: 2 });
    });

    it("regression: a dead Worker leaks limit slots", async () => {
      const s = scene();
      const lane = await s.full();
      const element = tied({ gates: [{ name: "g", slots: 2 }] });
      await s.enqueueFull(
        lane,
        [1, 2, 3, 4].map((counter) => ({ counter, ...element })),
      );
      for (let life = 1; life <= 5; life++) {
        const claims = await s.claim(`dead${life}`);
        expect(claims).toHaveLength(2);
        expect(await s.claim("other")).toEqual([]);
        await s.rescue(`dead${life}`, { recoveriesMax: 9 });
      }
      const done: string[] = [];
      for (let turn = 0; turn < 2; turn++) {
        const claims = await s.claim("alive");
        expect(claims).toHaveLength(2);
        done.push(...texts(claims));
        await s.complete("alive", claims);
      }
      expect(done.toSorted()).toEqual(["f1", "f2", "f3", "f4"]);
    });

    it("regression: a ghost record swallows a re-used id", async () => {
      const s = scene();
      const lane = await s.full();
      const ends: ((claim: () => Promise<Claim>, counter: number) => Promise<unknown>)[] = [
        async (claim) => s.complete("o", [await claim()]),
        async (claim) => s.fail("o", await claim(), null),
        async (_, counter) => s.cancel(lane, [counter]),
        async (claim) => {
          await claim();
          return s.rescue("o", { recoveriesMax: 0 });
        },
      ];
      for (const [index, end] of ends.entries()) {
        const counter = index + 1;
        // Each is taken although the one before it had the same key, and it is the one that runs.
        expect(await s.enqueueFull(lane, [{ counter, ...tied({ key: held }) }])).toEqual(["ok"]);
        expect(await s.state(lane, counter)).toBe("ready");
        await end(() => s.claimOne("o"), counter);
      }
      // The record's end takes what remembers it along: nothing of the key is left when all is over.
      const empty = await sizeAfterAll(s);
      expect(await s.enqueueFull(lane, [{ counter: 9, ...tied({ key: held }) }])).toEqual(["ok"]);
      await s.complete("o", [await s.claimOne("o")]);
      await s.rescue("o", { max: 0 }); // it leaves
      expect(await sizeAfterAll(s)).toBe(empty);
      await s.advance(-s.movedMs);
    });

    it("regression: a counter underflows on a duplicate completion", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 6));
      const [a, b, c, d, e] = (await s.claim("o1", 5)) as [Claim, Claim, Claim, Claim, Claim]; // five wait
      for (let again = 0; again < 3; again++) {
        await s.complete("o1", [a]);
        await s.fail("o1", b, null);
        await s.fail("o1", c, 60_000);
        await s.release("o1", [d]);
        await s.cancel(lane, [6, 6]);
      }
      const counts = await s.counts();
      expect(counts.owners).toEqual([expect.objectContaining({ owner: "o1", held: 1 })]);
      expect(only(counts.queues).ready).toBe(1);
      expect(counts).toMatchObject({ scheduled: 1, running: 1 });
      const states = await Promise.all([1, 2, 3, 4, 5, 6].map((counter) => s.state(lane, counter)));
      expect(states).toEqual(["completed", "failed", "scheduled", "ready", "running", "cancelled"]);
      expect(await s.complete("o1", [e])).toEqual(["ok"]);
      expect((await s.counts()).running).toBe(0);
    });

    it("regression: an unbounded promote freezes the store", async () => {
      const s = scene();
      const lane = await s.full();
      const due = (first: number) => Array.from({ length: 500 }, (_, i) => ({ counter: first + i, due: { in: 10 } }));
      for (let first = 1; first <= 2_000; first += 500) await s.enqueueFull(lane, due(first));
      await s.advance(20);
      const moved: number[] = [];
      for (let call = 0; call < 9; call++) {
        const { promoted } = await s.promote(300);
        if (promoted === 0) break;
        moved.push(promoted);
      }
      expect(moved).toEqual([300, 300, 300, 300, 300, 300, 200]);
      await s.advance(-s.movedMs);
    });

    it("regression: events and results eat memory", async () => {
      const s = scene();
      const sizes: number[] = [];
      for (let round = 0; round < 3; round++) {
        const lane = await s.fast("q", `a${round + 1}.01`);
        await s.enqueue(lane, 1, series(`payload-${"x".repeat(200)}-`, 100));
        const claims = await s.claim("o1");
        await s.complete("o1", claims.slice(0, 60), "result".repeat(50));
        for (const claim of claims.slice(60)) await s.fail("o1", claim, null);
        sizes.push(await sizeAfterAll(s));
      }
      const text = JSON.stringify(await s.snapshot());
      expect(text).not.toContain("payload-");
      expect(text).not.toContain("result");
      // What stays of a round is its lane's mark.
      expect((sizes[2] ?? 0) - (sizes[1] ?? 0)).toBeLessThan(200);
      await s.advance(-s.movedMs);
    });
  });
}

/** How much is stored once everything finished is past its time and pruned. */
async function sizeAfterAll(s: Scene): Promise<number> {
  await s.advance(LONG_MS);
  for (let call = 0; call < 1_000; call++) {
    const before = JSON.stringify(await s.snapshot());
    await s.prune();
    if (JSON.stringify(await s.snapshot()) === before) return before.length;
  }
  throw new Error("pruning does not end");
}
