import { expect, it } from "vitest";
import { silentLogger } from "./log.js";

it("the silent logger takes every line and its children are silent too", () => {
  expect(silentLogger.child({ node: "a" })).toBe(silentLogger);
  for (const level of ["debug", "info", "warn", "error"] as const) expect(silentLogger[level]({}, "x")).toBeUndefined();
});
