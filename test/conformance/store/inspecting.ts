/** Sentences about looking into what is there, at any size: list, erase, check. */
import type { Claim, Listed, LocalDot, OperationRecord, SurveyAnswer, SurveyedLane } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { plain } from "../../helper/bytes.js";
import { at, type Lane, retainMs, type Scene, series, texts } from "./scene.js";

/** Every page of a state; `between` runs after each. */
async function pages(
  s: Scene,
  of: Listed,
  max: number,
  between: (page: number) => Promise<unknown> = async () => undefined,
): Promise<OperationRecord[]> {
  const found: OperationRecord[] = [];
  let cursor: string | null = null;
  for (let page = 0; page < 500; page++) {
    const answer: { records: readonly OperationRecord[]; cursor: string | null } = await s.store.list(s.segment, {
      of,
      cursor,
      max,
    });
    found.push(...answer.records);
    cursor = answer.cursor;
    if (cursor === null) return found;
    await between(page);
  }
  throw new Error("the list has no end");
}

const ready: Listed = { state: "ready", queue: "q" };

function erase(s: Scene, lane: Lane, counters: readonly number[]) {
  const dots = counters.map((counter) => ({ laneName: lane.laneName, counter }));
  return s.store.erase(s.segment, { dots }).then(({ answers }) => answers);
}

/** 1 to `count` behind a gate of one slot, which the first one has; and 15 more in five lines. */
async function parked(s: Scene, lane: Lane, count: number): Promise<readonly Claim[]> {
  const counters = series("", count).map((_, i) => i + 1);
  const gates = [{ name: "g", slots: 1 }];
  await s.enqueueFull(
    lane,
    counters.map((counter) => ({ counter, ties: { key: null, line: null, gates } })),
  );
  const held = await s.claim("o1", count);
  const more = series("", 15).map((_, i) => count + i + 1);
  await s.enqueueFull(
    lane,
    more.map((counter) => ({ counter, ties: { key: null, line: `l${counter % 5}`, gates: [] } })),
  );
  return held;
}

/** Runs a check to its end; the suspects that are left over are asked about as a caller would. */
export async function checkAll(s: Scene, isMending = false, max = 50) {
  const findings: { kind: string; id: string | null; about: string }[] = [];
  const suspects = new Set<string>();
  let cursor: string | null = null;
  for (let call = 0; call < 2_000; call++) {
    const answer: Awaited<ReturnType<typeof s.store.check>> = await s.store.check(s.segment, {
      cursor,
      max,
      isMending,
      suspects: [],
    });
    findings.push(...answer.findings);
    for (const id of answer.placeless) suspects.add(id);
    for (const id of answer.listed) suspects.delete(id);
    cursor = answer.cursor;
    if (cursor === null) break;
  }
  const dots = [...suspects].map((id) => {
    const rest = id.slice(s.segment.length + 1);
    const [incarnation = "", counter = ""] = rest.split(".");
    return { laneName: `${incarnation}.${counter.slice(-2)}`, counter: Number.parseInt(counter.slice(0, -2), 36) };
  });
  if (dots.length > 0) {
    findings.push(...(await s.store.check(s.segment, { cursor: null, max, isMending, suspects: dots })).findings);
  }
  return findings;
}

/**
 * Something in every place an Operation can be in. Fast path: 1 is completed, 2 a dead letter, 3 a retry, 4 and 5 run,
 * 6 to 12 wait, 9 and 10 of them cancelled. Full path: 1 and 5 are scheduled, 2 runs, 3 (priority −7) and 4 are ready.
 */
export async function everything(s: Scene): Promise<{ readonly lane: Lane; readonly full: Lane }> {
  const [lane, full] = [await s.fast(), await s.full()];
  await s.enqueue(lane, 1, series("n", 12));
  await s.enqueueFull(full, [
    { counter: 1, due: { in: 5_000 } },
    { counter: 2, priority: 7 },
    { counter: 3, priority: -7 },
    { counter: 4 },
    { counter: 5, due: { in: 50_000 }, priority: 3 },
  ]);
  const held = await s.claim("o1", 6);
  await s.complete("o1", [at(held, 1)]);
  await s.fail("o1", at(held, 2), null);
  await s.fail("o1", at(held, 3), 1_000);
  await s.release("o1", [at(held, 4)]);
  await s.progress("o1", at(held, 5), "half");
  await s.cancel(lane, [9, 10]);
  await s.claim("o2", 1);
  return { lane, full };
}

export function inspectingSentences(scene: () => Scene): void {
  describe("list", () => {
    it("gives what is ready in claim order, over priorities, page by page, without what was cancelled", async () => {
      const s = scene();
      const [lane, full] = [await s.fast(), await s.full()];
      await s.enqueue(lane, 1, series("n", 5));
      await s.enqueueFull(full, [
        { counter: 1, priority: 5, text: "high" },
        { counter: 2, priority: -5, text: "low" },
        { counter: 3, text: "plain" },
      ]);
      await s.cancel(lane, [2]);
      for (const max of [1, 2, 3, 1000]) {
        expect(texts(await pages(s, ready, max)), `max ${max}`).toEqual([
          "high",
          "n1",
          "n3",
          "n4",
          "n5",
          "plain",
          "low",
        ]);
      }
      expect(await pages(s, { state: "ready", queue: "nobody" }, 10)).toEqual([]);
    });

    it("gives in every state what find gives, once each, whatever the page", async () => {
      const s = scene();
      const { lane, full } = await everything(s);
      const dots = [
        ...series("", 12).map((_, i) => ({ laneName: lane.laneName, counter: i + 1 })),
        ...series("", 5).map((_, i) => ({ laneName: full.laneName, counter: i + 1 })),
      ];
      const { records } = await s.store.find(s.segment, { dots, wait: false });
      const known = records.flatMap((record) => (typeof record === "string" ? [] : [record]));
      for (const state of ["scheduled", "running", "failed", "completed", "cancelled"] as const) {
        const expected: unknown[] = known.filter((record) => record.state === state).map((record) => plain(record));
        for (const max of [1, 3, 1000]) {
          const listed: unknown[] = (await pages(s, { state }, max)).map((record) => plain(record));
          expect(listed, `${state} by ${max}`).toHaveLength(expected.length);
          expect(listed).toEqual(expect.arrayContaining(expected));
        }
      }
      // `find` does not read the bodies of what waits on the fast path.
      const waiting = known.filter((record) => record.state === "ready").map(({ id }) => id);
      expect((await pages(s, ready, 2)).map(({ id }) => id).sort()).toEqual(waiting.sort());
    });

    it("B8, B20: gives what is parked, page by page, once each, with what keeps it; counts agree", async () => {
      const s = scene();
      const lane = await s.full();
      const held = await parked(s, lane, 30);
      const { parked: count, queues } = await s.counts();
      // Of the gate one runs; of the lines the first ones are on the list.
      expect({ count, ready: queues[0]?.ready }).toEqual({ count: 29 + 10, ready: 5 });
      for (const max of [1, 7, 1000]) {
        const found = await pages(s, { state: "parked" }, max);
        const ids = new Set(found.map(({ id }) => id));
        expect(ids.size, `by ${max}`).toBe(39);
        for (const record of found) {
          const { id, state, queue, parked: at } = record;
          expect({ state, queue }).toEqual({ state: "ready", queue: "q" });
          const [, counter] = /\.([^.]+)..$/.exec(id) ?? [];
          const n = Number.parseInt(counter ?? "", 36);
          expect(at).toEqual(n <= 30 ? { kind: "gate", name: "g" } : { kind: "line", name: `l${n % 5}` });
        }
      }
      expect((await s.record(lane, 2)).parked).toEqual({ kind: "gate", name: "g" });
      expect((await s.record(lane, 1)).parked).toBeNull();
      expect((await s.record(lane, 31)).parked).toBeNull();
      await s.cancel(lane, [2, 40]);
      expect((await s.counts()).parked).toBe(37);
      await s.complete("o1", held);
      expect((await s.counts()).parked).toBe(36);
      expect(await pages(s, { state: "parked" }, 1000)).toHaveLength(36);
    });

    it("misses nothing that stays while others are claimed and join between the pages", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 40));
      let next = 41;
      const found = await pages(s, ready, 5, async (page) => {
        await s.claim("o1", 3);
        if (page < 5) await s.enqueue(lane, next++, [`late${next}`]);
      });
      const left = texts(await pages(s, ready, 1000));
      const seen = texts(found);
      expect(left.filter((text) => text.startsWith("n") && !seen.includes(text))).toEqual([]);
      expect(new Set(seen).size).toBe(seen.length);
    });

    it("goes on when what a page ended with is gone", async () => {
      const s = scene();
      const full = await s.full();
      await s.enqueueFull(
        full,
        series("", 20).map((_, i) => ({ counter: i + 1, due: { in: 1_000 * (i + 1) } })),
      );
      const found = await pages(s, { state: "scheduled" }, 4, async (page) => {
        if (page < 3) await s.cancel(full, [4 * page + 4]);
      });
      expect(found.map(({ id }) => id)).toEqual(series("", 20).map((_, i) => s.id(full, i + 1)));
    });

    it("takes a cursor it never wrote for the beginning", async () => {
      const s = scene();
      await everything(s);
      for (const state of ["scheduled", "running", "failed", "completed"] as const) {
        const whole = await s.store.list(s.segment, { of: { state }, cursor: null, max: 1000 });
        const odd = await s.store.list(s.segment, { of: { state }, cursor: "odd", max: 1000 });
        expect(plain(odd.records)).toEqual(plain(whole.records));
      }
    });

    it("changes nothing", async () => {
      const s = scene();
      await everything(s);
      const before = await s.snapshot();
      for (const state of ["scheduled", "running", "failed", "completed", "cancelled"] as const) {
        await pages(s, { state }, 2);
      }
      await pages(s, ready, 2);
      expect(await s.snapshot()).toEqual(before);
    });
  });

  describe("explain", () => {
    const ask = (s: Scene, lane: Lane, counter: number, max = 100) =>
      s.store.explain(s.segment, { dot: { laneName: lane.laneName, counter }, max });

    it("X6: says how full each gate is, who has its slots, and how many wait before", async () => {
      const s = scene();
      const lane = await s.full();
      const gates = [
        { name: "g", slots: 2 },
        { name: "p", everyMs: 1000, burst: 3 },
      ];
      await s.enqueueFull(
        lane,
        [1, 2, 3, 4, 5].map((counter) => ({ counter, ties: { key: null, line: null, gates } })),
      );
      const [one, two] = await s.claim("o1");
      const g = { name: "g", slots: 2, used: 2, isFull: true, isLive: false, opensAtMs: null, everyMs: null };
      const holders = [1, 2].map((counter) => s.id(lane, counter));
      const { nowMs, ...said } = await ask(s, lane, 5);
      const p = {
        name: "p",
        slots: null,
        used: 0,
        isFull: false,
        isLive: false,
        opensAtMs: nowMs,
        everyMs: 1000,
        before: 0,
        holders: [],
      };
      expect(said).toEqual({ key: null, line: null, gates: [{ ...g, before: 2, holders }, p] });
      expect((await ask(s, lane, 5, 1)).gates[0]?.holders).toHaveLength(1);
      await s.complete(
        "o1",
        [one, two].flatMap((held) => held ?? []),
      );
      await s.claim("o1");
      const [, paced] = (await ask(s, lane, 5)).gates;
      expect(paced).toMatchObject({ isFull: true, opensAtMs: nowMs + 1000 });
    });

    it("X6: says who is first in a line and until when one waits behind it; nothing of what has no ties", async () => {
      const s = scene();
      const [fast, lane] = [await s.fast(), await s.full()];
      await s.enqueue(fast, 1, ["a"]);
      const ties = { key: null, line: "l", gates: [] };
      await s.enqueueFull(lane, [
        { counter: 1, ties },
        { counter: 2, ties },
        { counter: 3, ties, due: { in: 5_000 } },
      ]);
      const { nowMs, line } = await ask(s, lane, 3);
      expect(line).toEqual({ name: "l", before: 2, firstId: s.id(lane, 1), dueAtMs: nowMs + 5_000 });
      expect((await ask(s, lane, 1)).line).toMatchObject({ before: 0, dueAtMs: null });
      for (const of of [fast, lane, { lane: 9, laneName: "zz.09" }]) {
        expect(await ask(s, of, of === lane ? 99 : 1)).toEqual({
          nowMs: expect.any(Number),
          key: null,
          line: null,
          gates: [],
        });
      }
    });
  });

  describe("erase", () => {
    it("B8: deletes what is over, never what waits or runs", async () => {
      const s = scene();
      const { lane, full } = await everything(s);
      const all = [
        ...series("", 12).map((_, i) => [lane, i + 1] as const),
        ...series("", 5).map((_, i) => [full, i + 1] as const),
      ];
      for (const [of, counter] of all) {
        const state = await s.state(of, counter);
        const isOver = ["failed", "completed", "cancelled"].includes(state);
        expect(await erase(s, of, [counter]), state).toEqual([isOver ? "ok" : "illegal"]);
        expect(await s.state(of, counter)).toBe(isOver ? "pruned" : state);
        expect(await erase(s, of, [counter])).toEqual([isOver ? "missing" : "illegal"]);
      }
      expect((await s.counts()).dead).toBe(0);
      expect(await pages(s, { state: "completed" }, 10)).toEqual([]);
      expect(await checkAll(s)).toEqual([]);
    });

    it("answers a batch in order, one dot once", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      await s.complete("o1", [await s.claimOne("o1")]);
      expect(await erase(s, lane, [1, 2, 1, 99])).toEqual(["ok", "illegal", "missing", "missing"]);
      expect(await erase(s, { lane: 9, laneName: "zz.09" }, [1])).toEqual(["missing"]);
    });

    it("leaves the rest of a slice to be pruned in its time, and counts what is pruned", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 5));
      await s.complete("o1", await s.claim("o1", 5));
      expect(await erase(s, lane, [2, 4])).toEqual(["ok", "ok"]);
      await s.advance(3 * retainMs);
      expect(await s.prune()).toMatchObject({ finished: 3 });
    });

    it("lets a dead letter that was deleted not be requeued", async () => {
      const s = scene();
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.fail("o1", await s.claimOne("o1"), null);
      expect(await erase(s, lane, [1])).toEqual(["ok"]);
      expect(await s.requeue(lane, 1)).toBe("illegal");
      expect(await s.claim("o1")).toEqual([]);
    });
  });

  describe("check", () => {
    it("X19: finds nothing in a Segment that has something in every place, and changes nothing", async () => {
      const s = scene();
      await everything(s);
      const before = await s.snapshot();
      for (const max of [1, 7, 1000]) expect(await checkAll(s, false, max)).toEqual([]);
      expect(await checkAll(s, true)).toEqual([]);
      expect(await s.snapshot()).toEqual(before);
    });

    it("X19: finds nothing in an empty one", async () => {
      expect(await checkAll(scene())).toEqual([]);
    });
  });
  describe("survey", () => {
    /** Every page; `between` runs after each. */
    const surveyed = async (
      s: Scene,
      of: "lanes" | "records",
      max: number,
      between = async (): Promise<unknown> => 0,
    ) => {
      const lanes: SurveyedLane[] = [];
      const dots: LocalDot[] = [];
      let cursor: string | null = null;
      for (let page = 0; page < 500; page++) {
        const answer: SurveyAnswer = await s.store.survey(s.segment, { of, cursor, max });
        lanes.push(...answer.lanes);
        dots.push(...answer.dots);
        cursor = answer.cursor;
        if (cursor === null) return { lanes, names: dots.map(({ laneName, counter }) => `${laneName} ${counter}`) };
        await between();
      }
      throw new Error("the survey has no end");
    };

    it("X18: tells how far each lane is", async () => {
      const s = scene();
      expect(await surveyed(s, "lanes", 10)).toEqual({ lanes: [], names: [] });
      await s.enqueue(await s.fast(), 1, series("a", 5));
      await s.fast("other", "a1.02");
      await s.claim("o1", 3);
      await s.enqueueFull(await s.full(), [{ counter: 7 }, { counter: 4 }]);
      for (const max of [1, 1000]) {
        const { lanes, names } = await surveyed(s, "lanes", max);
        expect(names).toEqual([]);
        expect([...lanes].sort((a, b) => (a.laneName < b.laneName ? -1 : 1))).toEqual([
          { laneName: "a1.00", queue: null, accepted: 7, claimed: 0 },
          { laneName: "a1.01", queue: "q", accepted: 5, claimed: 3 },
          { laneName: "a1.02", queue: "other", accepted: 0, claimed: 0 },
        ]);
      }
    });

    it("X18: names all that runs or has a record, whatever moves meanwhile; what waits unread or is over it leaves out", async () => {
      const s = scene();
      const fast = await s.fast();
      const full = await s.full();
      await s.enqueue(fast, 1, series("a", 1000));
      const held = [...(await s.claim("o1", 900))];
      await s.enqueueFull(
        full,
        series("b", 300).map((_, i) => ({ counter: i + 1, due: i % 2 === 0 ? { in: 60_000 } : null })),
      );
      const done = held.splice(0, 100);
      await s.complete("o1", done);
      const before = await surveyed(s, "records", 1000);
      const wanted = [
        ...held.map(({ laneName, counter }) => `${laneName} ${counter}`),
        ...series("b", 300).map((_, i) => `${full.laneName} ${i + 1}`),
      ];
      expect([...new Set(before.names)].sort()).toEqual([...wanted].sort());
      let moved = 0;
      const move = async (): Promise<void> => {
        const one = held.pop();
        if (one === undefined) return;
        moved++;
        if (moved % 3 === 0) await s.release("o1", [one]);
        else await s.fail("o1", one, moved % 3 === 1 ? null : 60_000);
      };
      const { names } = await surveyed(s, "records", 20, move);
      expect(moved).toBeGreaterThan(20);
      expect(wanted.filter((name) => !names.includes(name))).toEqual([]);
      const waiting = series("", 100).map((_, i) => `${fast.laneName} ${901 + i}`);
      expect(waiting.filter((name) => names.includes(name))).toEqual([]);
    });
  });
}
