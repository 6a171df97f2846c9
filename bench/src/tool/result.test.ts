import { expect, test } from "vitest";
import { atLeast } from "./gate.js";
import { type Result, reportMarkdown, resultJson, runName, settingLines } from "./result.js";

const result: Result = {
  name: "example",
  machine: {
    cpu: "a CPU",
    cores: 2,
    memoryBytes: 2 ** 31,
    kernel: "Linux 6",
    node: "v20",
    redis: null,
    packages: { ioredis: "6.0.0" },
    loadBefore: [0.1, 0.2, 0.3],
    loadAfter: [1, 2, 3],
  },
  settings: { jobs: 1000, stores: ["redis", "memory:"], places: { ours: 200, theirs: "best" } },
  metrics: { rate: 7 },
  gates: [atLeast("rate", 5, 6)],
};

test("a run is named by its UTC time and its bench, without colons", () => {
  expect(runName("lua", new Date("2026-01-02T03:04:05.678Z"))).toBe("2026-01-02T030405Z-lua");
});

test("the JSON has exactly the promised keys", () => {
  expect(Object.keys(JSON.parse(resultJson(result)))).toEqual(["name", "machine", "settings", "metrics", "gates"]);
});

test("the report names missed gates and says when a run is void", () => {
  const text = reportMarkdown(result, { tables: [], charts: [{ file: "rate.svg", svg: "" }], voids: ["2 jobs lost"] });
  expect(text).toContain("- MISSED rate: 5.00 (≥ 6)");
  expect(text).toContain("> **Void:** 2 jobs lost");
  expect(text).toContain("![rate](rate.svg)");
  expect(text).toContain("load      1 2 3 after");
});

test("settings are one line each, however deep", () => {
  expect(settingLines(result.settings)).toEqual([
    "jobs: 1000",
    "stores: redis, memory:",
    "places: ours 200; theirs best",
  ]);
});
