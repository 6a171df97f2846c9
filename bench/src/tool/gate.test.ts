import { expect, test } from "vitest";
import { atLeast, atMost, gateLine, missed } from "./gate.js";

test("a lower bound holds at the bound itself", () => {
  expect(atLeast("rate", 6, 6)).toEqual({ name: "rate", value: 6, bound: "≥ 6", ok: true });
  expect(atLeast("rate", 5.99, 6).ok).toBe(false);
});

test("an upper bound holds at the bound itself", () => {
  expect(atMost("bytes", 60, 60).ok).toBe(true);
  expect(atMost("bytes", 60.1, 60).ok).toBe(false);
});

test("what was not measured misses its gate", () => {
  expect(atLeast("rate", Number.NaN, 6)).toEqual({ name: "rate", value: null, bound: "≥ 6", ok: false });
  expect(atMost("ratio", Number.POSITIVE_INFINITY, 1).ok).toBe(false);
});

test("missed gates are found and printed with their bound", () => {
  const gates = [atLeast("a", 1, 2), atMost("b", 1, 2)];
  expect(missed(gates).map(gateLine)).toEqual(["MISSED a: 1.00 (≥ 2)"]);
});
