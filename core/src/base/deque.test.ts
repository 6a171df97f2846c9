import fc from "fast-check";
import { expect, it } from "vitest";
import { Deque } from "./deque.js";

it("behaves as an array does, whatever the order of calls", () => {
  const step = fc.oneof(
    fc.tuple(fc.constant("push" as const), fc.integer({ min: 1, max: 60 })),
    fc.tuple(fc.constant("pushFront" as const), fc.integer({ min: 1, max: 60 })),
    fc.tuple(fc.constant("shift" as const), fc.integer({ min: 1, max: 60 })),
    fc.tuple(fc.constant("shiftMany" as const), fc.integer({ min: -1, max: 200 })),
    fc.tuple(fc.constant("clear" as const), fc.constant(0)),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const deque = new Deque<number>();
      const model: number[] = [];
      let next = 0;
      for (const [call, count] of steps) {
        if (call === "clear") {
          deque.clear();
          model.length = 0;
        } else if (call === "shiftMany") {
          expect(deque.shiftMany(count)).toStrictEqual(model.splice(0, Math.max(0, count)));
        } else {
          for (let i = 0; i < count; i++) {
            if (call === "shift") expect(deque.shift()).toBe(model.shift());
            else deque[call](next);
            if (call === "push") model.push(next);
            if (call === "pushFront") model.unshift(next);
            next++;
          }
        }
        expect([...deque]).toStrictEqual(model);
        expect(deque.length).toBe(model.length);
        expect([deque.at(-1), deque.at(0), deque.at(model.length - 1), deque.at(model.length)]).toStrictEqual([
          undefined,
          model[0],
          model.at(-1),
          undefined,
        ]);
      }
    }),
  );
});

it("grows, gives memory back and keeps order over a long life", () => {
  const deque = new Deque<number>();
  for (let i = 0; i < 100_000; i++) deque.push(i);
  for (let i = 0; i < 99_990; i++) expect(deque.shift()).toBe(i);
  expect(deque.shiftMany(100)).toStrictEqual([
    99_990, 99_991, 99_992, 99_993, 99_994, 99_995, 99_996, 99_997, 99_998, 99_999,
  ]);
  expect(deque.shift()).toBeUndefined();
});
