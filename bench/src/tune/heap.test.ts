/** The heap against sorting. */
import fc from "fast-check";
import { expect, it } from "vitest";
import { Heap } from "./heap.js";

it("gives things back by key, and in order of putting in among equals", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 20 })), (keys) => {
      const heap = new Heap();
      keys.forEach((key, thing) => {
        heap.push(key, thing);
      });
      const expected = keys.map((key, thing) => ({ key, thing })).sort((a, b) => a.key - b.key || a.thing - b.thing);
      const got: number[] = [];
      while (heap.size > 0) got.push(heap.pop());
      expect(got).toEqual(expected.map(({ thing }) => thing));
    }),
  );
  expect(new Heap().key).toBe(Number.POSITIVE_INFINITY);
});
