import { expect, test } from "vitest";
import { percentiles } from "./histogram.js";

test("percentiles of a thousand even steps lie where they should, within three digits", () => {
  const steps = Array.from({ length: 1000 }, (_, index) => (index + 1) * 1000);
  const found = percentiles(steps);
  expect(found.p50 / 500).toBeCloseTo(1, 2);
  expect(found.p99 / 990).toBeCloseTo(1, 2);
  expect(found.max / 1000).toBeCloseTo(1, 2);
  expect(found.count).toBe(1000);
});

test("one slow answer among many shows in the maximum and not in the middle", () => {
  const found = percentiles([...Array.from({ length: 999 }, () => 500), 40_000]);
  expect(found.p50).toBeCloseTo(0.5, 2);
  expect(found.max).toBeCloseTo(40, 0);
});

test("no value has no percentile", () => {
  expect(percentiles([]).p99).toBeNaN();
});
