/** The arithmetic of duties, counted by hand. */
import { expect, it } from "vitest";
import type { ServerCosts } from "./costs.js";
import { dutiesOf, nodesWithin, shareOf } from "./duties.js";

const ten = { callUs: 10, elementUs: 0 };
const costs: ServerCosts = {
  enqueue: ten,
  claim: ten,
  complete: ten,
  emptyClaim: ten,
  counts: ten,
  prune: ten,
  extend: ten,
  nodeBeat: ten,
  nodes: { callUs: 10, elementUs: 1 },
  segments: { callUs: 10, elementUs: 1 },
  publish: ten,
  roundTripMs: 0.1,
};

it("counts calls of ten Nodes: each surveys all ten every 2 s, beats every 3 s, prunes every 10 s", () => {
  const rates = Object.fromEntries(dutiesOf(10, costs).map(({ name, callsPerSecond }) => [name, callsPerSecond]));
  expect(rates["survey (counts)"]).toBe(50);
  expect(rates["list of Segments"]).toBeCloseTo(10 / 6, 12);
  expect(rates["beat in a Segment"]).toBeCloseTo(10 / 3, 12);
  expect(rates["Node index"]).toBeCloseTo(10 / 3, 12);
  expect(rates.prune).toBe(10);
});

it("a round of the survey is bounded: a thousand Nodes ask 32 times each in a second", () => {
  expect(dutiesOf(1_000, costs)[0]?.callsPerSecond).toBe(32_000);
});

it("adds elements up: the list of Segments grows with the square of the Nodes", () => {
  const list = (nodes: number) => dutiesOf(nodes, costs)[1]?.share ?? 0;
  expect(list(1_000)).toBeCloseTo(((1_000 / 6) * 1_010) / 1e6, 12);
  expect(list(10_000) / list(1_000)).toBeCloseTo(99.1, 1);
});

it("finds the number of Nodes at which a limit is reached", () => {
  expect(nodesWithin(0.5, (nodes) => nodes / 1_000)).toBe(500);
  const full = nodesWithin(1, (nodes) => shareOf(dutiesOf(nodes, costs)));
  expect(shareOf(dutiesOf(full, costs))).toBeLessThanOrEqual(1);
  expect(shareOf(dutiesOf(full + 1, costs))).toBeGreaterThan(1);
});
