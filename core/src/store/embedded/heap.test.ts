/** The heap of due times: always in order, whatever is taken out of it. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { compareTimed, type Timed, TimeHeap } from "./heap.js";

function timed(timeMs: number, counter: number): Timed {
  return { lane: { number: 1 + (counter % 3) }, counter, timeMs, heapIndex: -1 };
}

const times = fc.array(fc.nat(20), { maxLength: 60 });

describe("a TimeHeap", () => {
  it("gives out what was put in, by time, then lane, then counter", () => {
    fc.assert(
      fc.property(times, (all) => {
        const heap = new TimeHeap<Timed>();
        const elements = all.map(timed);
        for (const element of elements) heap.add(element);
        const taken: Timed[] = [];
        for (let first = heap.first; first !== undefined; first = heap.first) {
          heap.remove(first);
          taken.push(first);
        }
        expect(taken).toEqual(elements.toSorted(compareTimed));
        expect(taken.every(({ heapIndex }) => heapIndex === -1)).toBe(true);
      }),
    );
  });

  it("stays in order when elements are taken from its middle", () => {
    fc.assert(
      fc.property(times, fc.array(fc.nat(59)), (all, removals) => {
        const heap = new TimeHeap<Timed>();
        const left = new Set(all.map(timed));
        const elements = [...left];
        for (const element of elements) heap.add(element);
        for (const index of removals) {
          const element = elements[index];
          if (element === undefined || !left.delete(element)) continue;
          heap.remove(element);
        }
        expect(heap.size).toBe(left.size);
        expect(heap.page(0, heap.size)).toEqual([...left].toSorted(compareTimed));
      }),
    );
  });

  it("shows any page of itself and stays as it is", () => {
    fc.assert(
      fc.property(times, fc.nat(30), fc.nat(30), (all, offset, limit) => {
        const heap = new TimeHeap<Timed>();
        const elements = all.map(timed);
        for (const element of elements) heap.add(element);
        const sorted = elements.toSorted(compareTimed);
        expect(heap.page(offset, limit)).toEqual(sorted.slice(offset, offset + limit));
        expect(heap.size).toBe(all.length);
        expect(heap.first).toBe(sorted[0]);
      }),
    );
  });

  it("refuses an element that is in a heap already", () => {
    const heap = new TimeHeap<Timed>();
    const element = timed(1, 1);
    heap.add(element);
    expect(() => heap.add(element)).toThrow("one heap at a time");
  });
});
