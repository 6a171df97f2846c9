import { describe, expect, it } from "vitest";
import { seededRandom } from "./random.js";
import { SortedList } from "./sorted-list.js";

describe("SortedList", () => {
  it("keeps its order through random additions and removals (seed 5)", () => {
    const random = seededRandom(5);
    const list = new SortedList<{ readonly key: number }>((a, b) => a.key - b.key);
    const inside = new Map<number, { readonly key: number }>();
    for (let step = 0; step < 2_000; step++) {
      const key = Math.floor(random.next() * 100);
      const entry = inside.get(key);
      if (entry === undefined) {
        const made = { key };
        inside.set(key, made);
        list.add(made);
        expect(list.remove({ key })).toBe(false); // another one of the same key
      } else {
        inside.delete(key);
        expect(list.remove(entry)).toBe(true);
      }
      const seen: number[] = [];
      list.find((one) => seen.push(one.key) < 0);
      expect(seen).toEqual([...inside.keys()].sort((a, b) => a - b));
      expect(list.size).toBe(inside.size);
    }
    expect(list.find((one) => one.key >= 1_000)).toBeNull();
  });
});
