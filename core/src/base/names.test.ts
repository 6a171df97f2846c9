import { describe, expect, it } from "vitest";
import { checkName, isName } from "./names.js";

it.each(["a", "A", "0", "send-mail", "a.b_c-d", "x".repeat(128), "toString"])("%s is a name", (name) => {
  expect(checkName(name, "Step")).toBe(name);
});

describe("is no name", () => {
  it.each<unknown>([
    "",
    ".a",
    "-a",
    "_a",
    "a b",
    "a/b",
    "é",
    "a\n",
    "x".repeat(129),
    "__proto__",
    "constructor",
    "prototype",
    null,
    5,
    {},
  ])("%j", (name) => {
    expect(isName(name)).toBe(false);
    expect(() => checkName(name, "Step")).toThrow(expect.objectContaining({ code: "MR_INVALID_NAME" }));
  });
});
