import { expect, it } from "vitest";
import { Metrics, type MetricTable } from "./metrics.js";

const table = {
  claims: { kind: "counter", sentence: "Claim calls." },
  depth: { kind: "gauge", unit: "Operations", sentence: "Waiting now." },
} as const satisfies MetricTable;

it("counts, sets and copies by name", () => {
  const metrics = new Metrics(table);
  metrics.add("claims");
  metrics.add("claims", 4);
  metrics.set("depth", 7);
  metrics.values[metrics.at.depth] = 8;
  const before = metrics.snapshot();
  metrics.add("claims");
  expect(before).toStrictEqual({ claims: 5, depth: 8 });
  expect(metrics.get("claims")).toBe(6);
});

it("lies over memory it is given, if that is large enough", () => {
  const shared = new Float64Array(new SharedArrayBuffer(16));
  new Metrics(table, shared).add("claims", 3);
  expect(shared[0]).toBe(3);
  expect(() => new Metrics(table, new Float64Array(1))).toThrow(/every metric has a place/);
});
