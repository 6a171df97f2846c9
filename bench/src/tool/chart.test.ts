import { expect, test } from "vitest";
import { barChart, lineChart, makeAxis } from "./chart.js";

test("a linear axis for bars starts at zero and ends at a round number at or above the largest value", () => {
  const axis = makeAxis([30, 87], "linear", true);
  expect(axis.ticks).toEqual([0, 20, 40, 60, 80, 100]);
  expect(axis.position(0)).toBe(0);
  expect(axis.position(50)).toBe(0.5);
});

test("a logarithmic axis runs between powers of ten that enclose the values", () => {
  const axis = makeAxis([250, 90_000], "log", true);
  expect(axis.ticks).toEqual([100, 1000, 10_000, 100_000]);
  expect(axis.position(1000)).toBeCloseTo(1 / 3);
});

test("the smallest bar of a logarithmic axis keeps some length", () => {
  expect(makeAxis([100, 1000], "log", true).position(100)).toBeGreaterThan(0);
});

test("an axis of nothing, of zeros, or of one value still has two ends", () => {
  for (const values of [[], [0], [5]]) {
    for (const scale of ["linear", "log"] as const) {
      expect(makeAxis(values, scale, true).ticks.length).toBeGreaterThanOrEqual(2);
    }
  }
});

test("bars carry their values, missing ones say so, and text is escaped", () => {
  const svg = barChart({
    title: "a < b",
    axis: "per second",
    scale: "linear",
    series: ["ours", "theirs & others"],
    groups: [{ label: "enqueue", values: [120_000, null] }],
  });
  expect(svg).toContain("a &lt; b");
  expect(svg).toContain("theirs &amp; others");
  expect(svg).toContain(">120k<");
  expect(svg).toContain("not measured");
  expect(svg).toContain("prefers-color-scheme:dark");
  expect(svg).not.toContain("NaN");
});

test("a longer bar means a larger value", () => {
  const svg = barChart({
    title: "t",
    axis: "a",
    scale: "linear",
    series: ["s"],
    groups: [
      { label: "small", values: [10] },
      { label: "large", values: [20] },
    ],
  });
  const widths = [...svg.matchAll(/<rect class="f0" x="[\d.]+" y="[\d.]+" width="([\d.]+)" height="20"/g)].map(
    (found) => Number(found[1]),
  );
  expect(widths).toHaveLength(2);
  expect(widths[1]).toBeCloseTo((widths[0] ?? 0) * 2, 0);
});

test("lines are drawn through their points, without a number that is none", () => {
  const svg = lineChart({
    title: "t",
    xAxis: "batch",
    yAxis: "µs",
    xScale: "log",
    yScale: "log",
    lines: [
      { label: "claim", points: [1, 10, 100].map((x) => ({ x, y: 50 / x })) },
      { label: "empty", points: [] },
    ],
  });
  expect(svg.match(/<circle/g)).toHaveLength(3);
  expect(svg).not.toContain("NaN");
});
