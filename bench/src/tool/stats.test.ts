import { expect, test } from "vitest";
import { median, summarise } from "./stats.js";

test("the median is the middle value, whatever the order", () => {
  expect(median([9, 1, 5])).toBe(5);
});

test("the median of an even count is the mean of the middle two", () => {
  expect(median([4, 1, 3, 2])).toBe(2.5);
});

test("nothing has no median", () => {
  expect(median([])).toBeNaN();
});

test("the spread is the distance of the extremes relative to the median", () => {
  expect(summarise([100, 90, 120])).toEqual({ median: 100, min: 90, max: 120, spread: 0.3, count: 3 });
});

test("a series of zeros has no spread", () => {
  expect(summarise([0, 0]).spread).toBe(0);
});
