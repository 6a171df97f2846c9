import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  compareDots,
  formatCounter,
  formatDot,
  isSegmentText,
  LANES_MAX,
  laneDigits,
  newIncarnation,
  parseDot,
  tryParseDot,
} from "./id.js";
import { seededRandom, systemRandom } from "./random.js";

const anyDot = fc.record(
  {
    segment: fc.oneof(fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/), fc.string({ minLength: 1 }).filter(isSegmentText)),
    incarnation: fc.stringMatching(/^[0-9a-z]{1,25}$/),
    lane: fc.integer({ min: 0, max: LANES_MAX - 1 }).map(laneDigits),
    n: fc.maxSafeNat(),
  },
  { noNullPrototype: true },
);

it("an id comes back from its text, and only from that text", () => {
  fc.assert(
    fc.property(anyDot, (dot) => {
      const text = formatDot(dot);
      expect(parseDot(text)).toStrictEqual(dot);
      expect(text.endsWith(`.${formatCounter(dot.n, dot.lane)}`)).toBe(true);
    }),
  );
});

it("any text is an id in one spelling, or none", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9.:{ ]{0,12}$/), (text) => {
      const dot = tryParseDot(text);
      if (dot !== null) expect(formatDot(dot)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

it("the counter carries its lane in the last two digits", () => {
  expect(formatCounter(42, "01")).toBe("1601");
  expect(parseDot("web-1.eu.m3k9.1601")).toStrictEqual({ segment: "web-1.eu", incarnation: "m3k9", lane: "01", n: 42 });
  expect([laneDigits(0), laneDigits(35), laneDigits(36), laneDigits(1295)]).toStrictEqual(["00", "0z", "10", "zz"]);
  expect(() => laneDigits(1296)).toThrow(/broken invariant/);
});

describe("a text that is no id is refused", () => {
  const texts = [
    "",
    "a",
    "a.b",
    "a.b.c",
    "a.b.01",
    ".b.001",
    "a..001",
    "a.b.",
    "a.B.001",
    "a.b.00A",
    "a.b.0001",
    "a:b.c.001",
    "{a}.c.001",
    "a b.c.001",
    "a\u00a0.c.001",
    "a\ud800.c.001",
    `a.b.${"z".repeat(14)}`,
    "a.b.001\n",
  ];
  it.each(texts)("%j", (text) => {
    expect(tryParseDot(text)).toBeNull();
    expect(() => parseDot(text)).toThrow(expect.objectContaining({ code: "MR_NOT_FOUND" }));
  });

  it.each([null, undefined, 5, {}, ["a.b.001"]])("%j", (value) => expect(tryParseDot(value)).toBeNull());
});

it("the order is total and agrees with equality", () => {
  fc.assert(
    fc.property(anyDot, anyDot, (a, b) => {
      expect(Math.sign(compareDots(a, b))).toBe(-Math.sign(compareDots(b, a)) + 0);
      expect(compareDots(a, b) === 0).toBe(formatDot(a) === formatDot(b));
    }),
  );
});

it("an incarnation is 25 characters of base36 and new each time", () => {
  const drawn = Array.from({ length: 1000 }, () => newIncarnation(systemRandom));
  expect(new Set(drawn).size).toBe(1000);
  for (const text of drawn) expect(text).toMatch(/^[0-9a-z]{25}$/);
  expect(newIncarnation(seededRandom(1))).toBe(newIncarnation(seededRandom(1)));
});
