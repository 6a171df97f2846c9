import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseDuration } from "./duration.js";

describe("a duration is read as milliseconds", () => {
  it.each([
    ["250ms", 250],
    ["5s", 5_000],
    ["2m", 120_000],
    ["1h", 3_600_000],
    ["7d", 604_800_000],
    ["1.5s", 1_500],
    ["0s", 0],
    [0, 0],
    [1234, 1234],
    [0.4, 0],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  ])("%j → %i", (given, ms) => expect(parseDuration(given)).toBe(ms));
});

describe("anything else is refused", () => {
  it.each<unknown>([
    "",
    "5",
    "5 s",
    "-5s",
    "5S",
    "5sec",
    "1h30m",
    "s",
    "1e3s",
    "Infinitys",
    ".5s",
    "5.s",
    `${"9".repeat(16)}d`,
    " 5s",
    "5s\n",
    -1,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    2 ** 53,
    null,
    undefined,
    {},
    [5],
  ])("%j", (given) => {
    expect(() => parseDuration(given, "timeout")).toThrow(/^timeout: expected milliseconds or a text like/);
  });
});

it("a written duration is read back", () => {
  fc.assert(fc.property(fc.maxSafeNat(), (ms) => parseDuration(formatDuration(ms)) === ms));
  expect([0, 1, 1500, 90_000, 5_400_000, 86_400_000].map(formatDuration)).toStrictEqual([
    "0s",
    "1ms",
    "1500ms",
    "90s",
    "90m",
    "1d",
  ]);
});
