import { expect, test } from "vitest";
import { inTurn } from "./queue-turns.js";

test("B27: every Queue is first in as many claims, in odd ones as in even ones", () => {
  const orders = Array.from({ length: 6 }, (_, count) => inTurn(["a", "b", "c"], count).join(""));
  expect(orders).toEqual(["abc", "abc", "bca", "bca", "cab", "cab"]);
});

test("B27: the order of one Queue costs nothing", () => {
  const queues = ["a"];
  expect(inTurn(queues, 7)).toBe(queues);
});
