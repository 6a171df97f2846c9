import { describe, expect, it } from "vitest";
import { forSeeds } from "../testing/seeds.js";
import { ANY, keyHash, type SearchRow, SearchTable, type SearchWish, tagHash } from "./search-table.js";

const row = (counter: number, more: Partial<SearchRow> = {}): SearchRow => ({
  lane: 1,
  counter,
  step: "a",
  enqueuedAtMs: counter,
  queue: null,
  tags: null,
  key: null,
  head: null,
  ...more,
});

/** Every candidate, in pages of so many. */
function all(table: SearchTable, wish: SearchWish, max = 1_000, looks = Number.POSITIVE_INFINITY) {
  const counters: number[] = [];
  for (let from: number | null = 0; from !== null; ) {
    const { found, next } = table.scan(wish, from, max, looks);
    counters.push(...found.map(({ dot }) => dot.counter));
    from = next;
  }
  return counters;
}

describe("SearchTable", () => {
  it("X18: finds by Step, tag and moment, all of them at once", () => {
    const table = new SearchTable();
    const lane = table.laneOf("web-1", "abc.01");
    expect(table.laneOf("web-1", "abc.01")).toBe(lane);
    for (let n = 1; n <= 100; n++) {
      const tags = n % 2 === 0 ? { even: "yes", third: String(n % 3) } : null;
      table.add(row(n, { lane, step: n % 5 === 0 ? "five" : "other", tags, enqueuedAtMs: n === 60 ? null : n }));
    }
    const wish = (step: string | null, tags: number[][], from = 0): SearchWish => ({
      ...ANY,
      isStep: step === null ? null : (name) => name === step,
      tags,
      isMoment: (ms) => ms >= from,
    });
    expect(all(table, wish("five", [[tagHash("even", "yes")], [tagHash("third", "0")]]))).toEqual([30, 60, 90]);
    // A time that is not known is left to who judges.
    expect(all(table, wish("five", [[tagHash("third", "0"), tagHash("third", "1")]], 65))).toEqual([60, 70, 90, 100]);
    expect(all(table, wish("none", []))).toEqual([]);
    expect(all(table, wish(null, [[tagHash("even", "no")]]))).toEqual([]);
    expect(table.count(wish("five", []), 7, 1)).toBe(7);
    expect(table.count(wish("five", []), 70, 1)).toBe(20);
  });

  it("X18: finds by key, and by words in ids, Steps and Queues", () => {
    const table = new SearchTable();
    const lanes = [table.laneOf("web-1", "abc.01"), table.laneOf("Other", "xyz.00")];
    const model = Array.from({ length: 3_000 }, (_, n) => ({
      lane: lanes[n % 2] ?? 0,
      counter: n + 1,
      step: n % 3 === 0 ? "Charge" : null,
      queue: n % 5 === 0 ? "bills" : null,
      key: n % 7 === 0 ? `k${n % 21}` : null,
    }));
    for (const one of model) table.add(row(one.counter, one));
    const idOf = (n: number) => (n % 2 === 1 ? `web-1.abc.${n.toString(36)}01` : `other.xyz.${n.toString(36)}00`);
    const expected = (word: string) =>
      model
        .filter(({ counter, step, queue }) =>
          [idOf(counter), step ?? "", queue ?? ""].some((text) => text.toLowerCase().includes(word)),
        )
        .map(({ counter }) => counter);
    for (const word of [
      "charge",
      "bill",
      "other",
      "b-1.abc.1",
      "abc",
      ".xyz.2",
      "201",
      "e00",
      "z.1",
      "nothing",
      ".",
      "a",
    ]) {
      expect({ word, found: all(table, { ...ANY, words: [word] }) }).toEqual({ word, found: expected(word) });
    }
    expect(all(table, { ...ANY, words: ["bill", "charge"] })).toEqual(
      expected("bill").filter((n) => expected("charge").includes(n)),
    );
    expect(all(table, { ...ANY, tags: [[keyHash("k7"), keyHash("k14")]] })).toEqual(
      model.filter(({ key }) => key === "k7" || key === "k14").map(({ counter }) => counter),
    );
    table.moved(1, "elsewhere");
    table.moved(5_000, "elsewhere");
    expect(all(table, { ...ANY, words: ["elsewhere"] })).toEqual([2]);
  });

  it("X18: keeps the bytes of what waits unread", () => {
    const table = new SearchTable();
    for (let n = 1; n <= 500; n++) table.add(row(n, { head: n % 2 === 0 ? Buffer.from(`head ${n}`) : null }));
    const { found } = table.scan(ANY, 0, 1_000, 1_000);
    expect(found.map(({ head }) => (head === null ? null : Buffer.from(head).toString()))).toEqual(
      Array.from({ length: 500 }, (_, i) => ((i + 1) % 2 === 0 ? `head ${i + 1}` : null)),
    );
  });

  it("X18: is the same as a list of rows, whatever goes, and pages go on where they stopped", async () => {
    await forSeeds(5, (seed) => {
      let dice = seed;
      const below = (n: number) => {
        dice = (Math.imul(dice, 1_103_515_245) + 12_345) >>> 0;
        return (dice >>> 8) % n;
      };
      const table = new SearchTable();
      const model = new Map<number, { counter: number; tag: string; head: string }>();
      const count = 50_000;
      for (let n = 0; n < count; n++) {
        const [tag, head] = [String(below(50)), `h${n}`];
        model.set(table.end, { counter: n, tag, head });
        table.add(row(n, { tags: { tag }, head: Buffer.from(head) }));
      }
      // Some chunks lose most of their rows, some all, some few.
      for (let n = 0; n < count; n++) {
        if (below(100) >= ([95, 30, 100, 10][Math.floor(n / 14_000)] ?? 0)) continue;
        table.remove(n);
        table.remove(n);
        model.delete(n);
      }
      expect(table.size).toBe(model.size);
      const wish: SearchWish = { ...ANY, tags: [[tagHash("tag", "7")]] };
      const expected = [...model.values()].filter(({ tag }) => tag === "7").map(({ counter }) => counter);
      expect(all(table, wish, 100, 5_000)).toEqual(expected);
      const heads = table.scan(wish, 0, count, count).found.map(({ head }) => Buffer.from(head ?? []).toString());
      expect(heads).toEqual([...model.values()].filter(({ tag }) => tag === "7").map(({ head }) => head));
      for (const { row: number, dot } of table.scan(wish, 0, count, count).found) {
        expect(model.get(number)?.counter).toBe(dot.counter);
      }
      expect(table.scan(ANY, table.end, 10, count)).toEqual({ found: [], next: null });
    });
  });
});
