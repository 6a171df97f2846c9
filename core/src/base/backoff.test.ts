import fc from "fast-check";
import { expect, it } from "vitest";
import { type BackoffPolicy, defaultBackoff, delayAfter } from "./backoff.js";
import { parseDuration } from "./duration.js";
import { seededRandom } from "./random.js";

const error = new Error("failed");
const waits = (policy: Partial<BackoffPolicy>, count = 5) =>
  Array.from({ length: count }, (_, i) => delayAfter({ ...defaultBackoff, ...policy }, i + 1, error, seededRandom(1)));

const rows: [string, Partial<BackoffPolicy>, number[]][] = [
  ["the default", {}, [1000, 2000, 4000, 8000, 16_000]],
  ["2s doubling", { retryDelayMs: parseDuration("2s") }, [2000, 4000, 8000, 16_000, 32_000]],
  ["a factor of 1.5", { factor: 1.5 }, [1000, 1500, 2250, 3375, 5063]],
  ["linear", { backoff: "linear" }, [1000, 2000, 3000, 4000, 5000]],
  ["fixed", { backoff: "fixed", retryDelayMs: 700 }, [700, 700, 700, 700, 700]],
  ["capped", { maxRetryDelayMs: 3000 }, [1000, 2000, 3000, 3000, 3000]],
  ["no delay", { retryDelayMs: 0 }, [0, 0, 0, 0, 0]],
  ["a function", { backoff: (failed) => `${failed * 2}s` }, [2000, 4000, 6000, 8000, 10_000]],
  ["a function, capped", { backoff: () => "9d" }, [3_600_000, 3_600_000, 3_600_000, 3_600_000, 3_600_000]],
];
it.each(rows)("waits grow as told: %s", (_, policy, expected) => expect(waits(policy)).toStrictEqual(expected));

it("the thousandth wait is still the cap", () => {
  expect(delayAfter(defaultBackoff, 5000, error, seededRandom(1))).toBe(3_600_000);
  expect(delayAfter({ ...defaultBackoff, retryDelayMs: 0 }, 5000, error, seededRandom(1))).toBe(0);
});

it("jitter only shortens, by its share at most, and repeats with its seed", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 50 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.integer(),
      (failed, jitter, seed) => {
        const full = delayAfter(defaultBackoff, failed, error, seededRandom(seed));
        const wait = delayAfter({ ...defaultBackoff, jitter }, failed, error, seededRandom(seed));
        expect(wait).toBeLessThanOrEqual(full);
        expect(wait).toBeGreaterThanOrEqual(Math.floor(full * (1 - jitter)));
        expect(wait).toBe(delayAfter({ ...defaultBackoff, jitter }, failed, error, seededRandom(seed)));
      },
    ),
  );
});

it("a function's own error and a value that is no duration are passed on", () => {
  expect(() =>
    waits({
      backoff: () => {
        throw new TypeError("mine");
      },
    }),
  ).toThrow("mine");
  expect(() => waits({ backoff: () => Number.NaN })).toThrow(/^backoff\(…\): expected/);
});
