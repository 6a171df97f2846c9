import { describe, expect, it } from "vitest";
import { PRIORITY_EXACT_MAX, PRIORITY_MAX, priorityOf } from "./priority.js";

describe("X27: priorities of BullMQ", () => {
  it("leaves a job without one on the fast path", () => {
    expect(priorityOf(0)).toBe(0);
  });

  it("keeps the order of any two, over the whole scale", () => {
    let last = 0;
    for (let given = 1; given <= PRIORITY_MAX; given += 1 + Math.floor(given / 300)) {
      const here = priorityOf(given);
      expect(here).toBeLessThanOrEqual(last);
      expect(here).toBeGreaterThanOrEqual(-1000);
      last = here;
    }
    expect(priorityOf(PRIORITY_MAX)).toBe(-1000);
  });

  it("tells each of the first numbers apart", () => {
    const found = new Set(Array.from({ length: PRIORITY_EXACT_MAX + 1 }, (_, given) => priorityOf(given)));
    expect(found.size).toBe(PRIORITY_EXACT_MAX + 1);
    expect(priorityOf(PRIORITY_EXACT_MAX + 1)).toBeLessThan(priorityOf(PRIORITY_EXACT_MAX));
  });

  it("refuses what BullMQ refuses", () => {
    for (const bad of [-1, 1.5, PRIORITY_MAX + 1, Number.NaN]) expect(() => priorityOf(bad)).toThrow(/priority/);
  });
});
