import { hostname } from "node:os";
import { afterEach, expect, it, vi } from "vitest";
import { readEnv, resolveNodeId } from "./env.js";

afterEach(() => void vi.unstubAllEnvs());

it("an empty variable counts as absent", () => {
  vi.stubEnv("MILLRACE_TEST", "");
  expect(readEnv("MILLRACE_TEST")).toBeUndefined();
  vi.stubEnv("MILLRACE_TEST", "x");
  expect(readEnv("MILLRACE_TEST")).toBe("x");
});

it("the Node's name is the one given, else NODE_ID, else the host's", () => {
  vi.stubEnv("NODE_ID", "from-env");
  expect(resolveNodeId("given")).toBe("given");
  expect(resolveNodeId()).toBe("from-env");
  vi.stubEnv("NODE_ID", "");
  expect(resolveNodeId()).toBe(hostname());
});

it("a name that does not fit a Segment is refused, not changed", () => {
  for (const name of ["", "a b", "a:b", "{a}", "x".repeat(65)]) {
    expect(() => resolveNodeId(name)).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
  }
  vi.stubEnv("NODE_ID", "a/b");
  expect(() => resolveNodeId()).toThrow(/^NODE_ID \(environment\)/);
});
