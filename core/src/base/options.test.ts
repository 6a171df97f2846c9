import fc from "fast-check";
import { describe, expect, expectTypeOf, it } from "vitest";
import { describeRow, nearest, type OptionTable, resolveOptions } from "./options.js";

const table = {
  leaseMs: { type: "duration", default: "10s", min: "1s", max: "1h", sentence: "How long a lease lasts." },
  timeout: { type: "duration", default: "5m", words: ["none"], sentence: "Per Attempt." },
  slots: { type: "integer", default: 8, min: 1, max: 64, unit: "slots", sentence: "Slots per Worker." },
  jitter: { type: "number", min: 0, max: 1, sentence: "Share of a wait left to chance." },
  kind: { type: "string", choices: ["async", "blocking"], sentence: "Where it runs." },
  isActive: { type: "boolean", default: true, sentence: "Whether it is on." },
  network: {
    type: "table",
    sentence: "About the network.",
    table: { retries: { type: "integer", default: 3, min: 0, sentence: "Extra tries." } },
  },
  tags: {
    type: "custom",
    expected: "a list of texts",
    parse: (value: unknown) =>
      Array.isArray(value) && value.every((tag) => typeof tag === "string") ? (value as string[]) : null,
    sentence: "Labels.",
  },
} as const satisfies OptionTable;

const resolve = (given: unknown) => resolveOptions(table, given, "app");
const defaults = { leaseMs: 10_000, timeout: 300_000, slots: 8, isActive: true, network: { retries: 3 } };

describe("resolving", () => {
  it("fills in defaults, leaves out what has none, and freezes", () => {
    for (const given of [undefined, {}, { jitter: undefined }]) expect(resolve(given)).toStrictEqual(defaults);
    expect(Object.isFrozen(resolve({}))).toBe(true);
    expect(Object.isFrozen(resolve({}).network)).toBe(true);
  });

  it("keeps what is given, durations as milliseconds", () => {
    const given = {
      leaseMs: "2s",
      timeout: "none",
      slots: 64,
      jitter: 0.5,
      kind: "async",
      isActive: false,
      network: { retries: 0 },
      tags: ["a"],
    };
    expect(resolve(given)).toStrictEqual({ ...given, leaseMs: 2000 });
  });

  it("infers its types from the table", () => {
    const options = resolve({});
    expectTypeOf(options.leaseMs).toEqualTypeOf<number>();
    expectTypeOf(options.timeout).toEqualTypeOf<number | "none">();
    expectTypeOf(options.kind).toEqualTypeOf<"async" | "blocking" | undefined>();
    expectTypeOf(options.network.retries).toEqualTypeOf<number>();
    expectTypeOf(options.tags).toEqualTypeOf<string[] | undefined>();
  });
});

describe("refusing", () => {
  const cases: [string, unknown, string][] = [
    ["an unknown key, with the nearest", { lesaeMs: 5 }, "app: unknown option `lesaeMs`, did you mean `leaseMs`?"],
    ["an unknown key far from all", { colour: 5 }, "app: unknown option `colour`; known are leaseMs,"],
    [
      "an unknown key below",
      { network: { retires: 1 } },
      "app.network: unknown option `retires`, did you mean `retries`?",
    ],
    ["below the range", { leaseMs: 50 }, "app.leaseMs: expected a duration 1s…1h"],
    ["above the range", { slots: 65 }, "app.slots: expected an integer 1…64 slots, got 65"],
    ["a fraction", { slots: 1.5 }, "app.slots: expected an integer 1…64 slots, got 1.5"],
    ["a wrong type", { slots: "8" }, 'app.slots: expected an integer 1…64 slots, got "8"'],
    ["no number", { jitter: Number.NaN }, "app.jitter: expected a number 0…1, got NaN"],
    ["a choice that is none", { kind: "Async" }, 'app.kind: expected one of "async", "blocking", got "Async"'],
    ["a truthy value", { isActive: 1 }, "app.isActive: expected true or false, got 1"],
    ["null", { leaseMs: null }, "app.leaseMs: expected a duration"],
    ["a custom value", { tags: [1] }, "app.tags: expected a list of texts, got an array of 1"],
    ["no object", [], "app: expected an object of options, got an array of 0"],
    ["inherited names", JSON.parse('{"__proto__": 1}'), "app: unknown option `__proto__`"],
    ["constructor", { constructor: 1 }, "app: unknown option `constructor`"],
  ];
  it.each(cases)("%s", (_, given, message) => {
    expect(() => resolve(given)).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
    expect(() => resolve(given)).toThrow(message);
  });

  it("names a required option that is missing", () => {
    const strict = { name: { type: "string", required: true, sentence: "Its name." } } as const;
    expect(() => resolveOptions(strict, {}, "queue")).toThrow("queue.name: is required: expected a text");
  });

  it("throws nothing but MR_INVALID_OPTION, whatever is given", () => {
    const key = fc.oneof(fc.constantFrom(...Object.keys(table)), fc.string());
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.dictionary(key, fc.anything())), (given) => {
        try {
          resolve(given);
        } catch (error) {
          expect(error).toMatchObject({ code: "MR_INVALID_OPTION" });
        }
      }),
    );
  });
});

it("resolving what was resolved changes nothing", () => {
  const given = fc.record(
    {
      leaseMs: fc.integer({ min: 1000, max: 3_600_000 }),
      slots: fc.integer({ min: 1, max: 64 }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(given, (value) => {
      expect(resolve(resolve(value))).toStrictEqual(resolve(value));
    }),
  );
});

it("the nearest word is at most two edits away", () => {
  expect(nearest("lesaeMs", ["leaseMs", "slots"])).toBe("leaseMs");
  expect(nearest("LEASEMS", ["leaseMs"])).toBe("leaseMs");
  expect(nearest("leaseMsxyz", ["leaseMs"])).toBeNull();
  expect(nearest("id", ["at", "ix"])).toBe("ix");
  expect(nearest("x", [])).toBeNull();
});

it("a row says what it allows", () => {
  expect(describeRow(table.timeout)).toMatch(/^a duration \(.*\) or "none"$/);
  expect(describeRow(table.network.table.retries)).toBe("an integer of at least 0");
});
