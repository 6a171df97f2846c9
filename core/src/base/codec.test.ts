import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { Unpackr } from "msgpackr";
import { describe, expect, it } from "vitest";
import { decode, encode, PAYLOAD_DEPTH_MAX } from "./codec.js";
import { isMillraceError, type MillraceError } from "./errors.js";

/** Any UTF-16 units, lone surrogates among them. */
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 80 }).map((units) => String.fromCharCode(...units)),
);
const anyDate = fc.date({ noInvalidDate: true });
const { value: anyPayload } = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "medium", withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    anyText,
    fc.bigInt(),
    anyDate,
    fc.uint8Array(),
    fc.array(tie("value"), { maxLength: 20 }),
    // Without this prototype key the oracle below (===, own keys) is exact; that key has a test of its own.
    fc.dictionary(
      anyText.filter((key) => key !== "__proto__"),
      tie("value"),
      { maxKeys: 20, noNullPrototype: true },
    ),
  ),
}));

function refusal(value: unknown): MillraceError {
  try {
    encode(value, "input");
  } catch (error) {
    if (isMillraceError(error)) return error;
    throw error;
  }
  throw new Error("encode accepted the value");
}

describe("a payload comes back exactly", () => {
  it("whatever it is made of", () => {
    fc.assert(
      fc.property(anyPayload, (value) => {
        expect(decode(encode(value))).toStrictEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("as any JSON value, read by a common MessagePack reader", () => {
    const reader = new Unpackr({ useRecords: false, mapsAsObjects: true });
    const keys = fc.stringMatching(/^[a-z]{0,40}$/);
    const values = fc.oneof(fc.integer(), fc.double({ noNaN: true }), fc.boolean(), keys, fc.constant(null));
    fc.assert(
      fc.property(fc.array(fc.dictionary(keys, values, { maxKeys: 40, noNullPrototype: true })), (value) => {
        expect(reader.unpack(Buffer.from(encode(value)))).toStrictEqual(value);
      }),
    );
  });

  const samples: [string, unknown][] = [
    ["undefined", undefined],
    ["minus zero", -0],
    ["not a number", Number.NaN],
    ["infinities", [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    [
      "number edges",
      [0, 31, 127, 128, 255, 256, 65535, 65536, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, 2 ** 53, 1e308, 5e-324],
    ],
    ["negative edges", [-1, -32, -33, -128, -129, -32768, -32769, -(2 ** 31), -(2 ** 31) - 1, -(2 ** 53)]],
    ["a bigint beyond doubles", 2n ** 53n + 1n],
    ["huge bigints", [-(7n ** 20_000n), 7n ** 20_000n, 0n, -1n, 255n, 256n]],
    ["empty things", [[], {}, "", new Uint8Array(0)]],
    ["NUL and controls", "a\0b\u0001"],
    ["a byte order mark, short and long", ["\uFEFFx", `\uFEFF${"x".repeat(9000)}`]],
    ["lone surrogates", ["\uD800", "a\uDC00b", { "\uDFFF": "\uD800".repeat(300) }]],
    [
      "text lengths at header borders",
      [31, 32, 33, 85, 86, 255, 256, 2047, 2048, 65535, 65536].map((n) => "x".repeat(n)),
    ],
    ["wide text at header borders", [10, 11, 15, 16, 85, 86, 128, 683, 21845, 21846].map((n) => "猫".repeat(n))],
    ["lengths of lists", [15, 16, 17, 65535, 65536].map((n) => Array.from({ length: n }, (_, i) => i))],
    ["many keys", Object.fromEntries(Array.from({ length: 70_000 }, (_, i) => [`key${i}`, i]))],
    ["keys of every object", { constructor: 1, toJSON: "x", hasOwnProperty: null, length: 3, "": 0 }],
    ["dates", [new Date(0), new Date(-1), new Date(8.64e15), new Date(-8.64e15), new Date(1_700_000_000_123)]],
    ["undefined in a list", [undefined, 1, undefined]],
    ["more than one block", { bytes: new Uint8Array(100_000).fill(7), after: "end" }],
  ];
  it.each(samples)("%s", (_, value) => {
    expect(decode(encode(value))).toStrictEqual(value);
  });

  it("keeps the sign of zero", () => {
    expect(Object.is(decode(encode(-0)), -0)).toBe(true);
    expect(Object.is(decode(encode(0)), 0)).toBe(true);
  });

  it("from and into views that begin in the middle of a buffer, also of shared memory", () => {
    const bytes = encode({ text: "Zoë", at: new Date(5) });
    const shared = new Uint8Array(new SharedArrayBuffer(bytes.length + 8), 5, bytes.length);
    shared.set(bytes);
    expect(decode(shared)).toStrictEqual({ text: "Zoë", at: new Date(5) });
  });
});

describe("what JSON also leaves out", () => {
  it("is left out: undefined properties, symbol keys, hidden properties", () => {
    const value = { a: undefined, b: 1, [Symbol("s")]: 2 };
    Object.defineProperty(value, "hidden", { value: 3, enumerable: false });
    expect(decode(encode(value))).toStrictEqual({ b: 1 });
  });

  it("is left out of large objects too, with the count corrected", () => {
    const value = Object.fromEntries(
      Array.from({ length: 3000 }, (_, i) => [`key${i}`, i % 3 === 0 ? undefined : "x".repeat(40)]),
    );
    expect(decode(encode([value, "after"]))).toStrictEqual([JSON.parse(JSON.stringify(value)), "after"]);
  });

  it("is taken plainly: Buffers as bytes, no prototype, other realms, holes; toJSON is not called", () => {
    const toJsonDate = Object.assign(new Date(1), { toJSON: () => "called" });
    expect(decode(encode(Buffer.from("ab")))).toStrictEqual(new Uint8Array([97, 98]));
    expect(decode(encode(Object.assign(Object.create(null), { a: 1 })))).toStrictEqual({ a: 1 });
    expect(decode(encode(runInNewContext("({ list: [1, { a: new Date(5) }] })")))).toStrictEqual({
      list: [1, { a: new Date(5) }],
    });
    // biome-ignore lint/suspicious/noSparseArray: the hole is the case
    expect(decode(encode([1, , 2]))).toStrictEqual([1, undefined, 2]);
    expect(decode(encode(toJsonDate))).toStrictEqual(new Date(1));
  });
});

describe("what a payload cannot hold is refused with its path", () => {
  class Order {
    id = 1;
  }
  const circle: Record<string, unknown> = { name: "x" };
  circle.list = [1, { circle }];
  const throwing = {
    ok: 1,
    get bad() {
      throw new TypeError("no");
    },
  };
  const revoked = Proxy.revocable({}, {});
  revoked.revoke();
  const cases: [string, unknown, string, string | RegExp][] = [
    ["a function", { items: [1, 2, 3, { fn: () => 1 }] }, "input.items[3].fn", "it is a function"],
    ["a symbol", [Symbol("x")], "input[0]", "it is a symbol"],
    ["a Map", { "odd key": new Map() }, 'input["odd key"]', "it is a Map"],
    ["a Set", new Set(), "input", "it is a Set"],
    ["a class instance", { order: new Order() }, "input.order", "it is a Order"],
    ["an error", new RangeError("x"), "input", "it is a RangeError"],
    ["an invalid Date", [new Date(Number.NaN)], "input[0]", "it is an invalid Date"],
    ["another typed array", new Float32Array(1), "input", "it is a Float32Array"],
    ["an array of a class of its own", new (class Rows extends Array {})(), "input", /class of its own/],
    ["a circle", circle, "input.list[1].circle", "it contains itself"],
    ["a promise", { later: Promise.resolve() }, "input.later", "it is a Promise"],
    ["a throwing getter", { a: { throwing } }, "input.a.throwing.bad", "reading it threw TypeError: no"],
    ["a revoked Proxy", [revoked.proxy], "input[0]", /reading it threw TypeError/],
  ];
  it.each(cases)("%s", (_, value, path, reason) => {
    const error = refusal(value);
    expect(error.code).toBe("MR_NOT_SERIALISABLE");
    expect(error.details.path).toBe(path);
    expect(error.details.reason).toMatch(reason);
  });

  it("nesting beyond the limit, but not at it", () => {
    const nest = (depth: number) => {
      let value: unknown = [];
      for (let i = 1; i < depth; i++) value = [value];
      return value;
    };
    expect(decode(encode(nest(PAYLOAD_DEPTH_MAX)))).toStrictEqual(nest(PAYLOAD_DEPTH_MAX));
    expect(refusal(nest(PAYLOAD_DEPTH_MAX + 1)).details.reason).toMatch(/nested deeper/);
    expect(refusal(nest(100_000)).details.reason).toMatch(/nested deeper/);
  });

  it("what is too large, without building it first", () => {
    const tooLarge = (value: unknown, bytesMax?: number) => {
      try {
        encode(value, "input", bytesMax);
      } catch (error) {
        return isMillraceError(error, "MR_TOO_LARGE") && error.details.path;
      }
      return "accepted";
    };
    const half = encode("x".repeat(98));
    expect(half.length).toBe(100);
    expect(tooLarge("x".repeat(98), 100)).toBe("accepted");
    expect(tooLarge("x".repeat(99), 100)).toBe("input");
    expect(tooLarge("猫".repeat(6_000_000))).toBe("input");
    expect(tooLarge(new Uint8Array(17 * 1024 * 1024))).toBe("input");
    expect(tooLarge(new Array(2 ** 31))).toBe("input");
    let shared: unknown = ["x"];
    for (let i = 0; i < 60; i++) shared = [shared, shared];
    expect(tooLarge(shared)).toBe("input");
  });

  it("and leaves the next call untouched", () => {
    const before = encode({ a: 1 });
    refusal({ a: "x".repeat(50_000), b: () => 1 });
    refusal({ a: 1, b: () => 1 });
    expect(decode(encode({ b: 2 }))).toStrictEqual({ b: 2 });
    expect(decode(before)).toStrictEqual({ a: 1 });
  });
});

it("bytes are never written again by later calls", () => {
  fc.assert(
    fc.property(fc.array(anyPayload, { minLength: 2, maxLength: 30 }), (values) => {
      const encoded = values.map((value) => encode(value));
      expect(encoded.map((bytes) => decode(bytes))).toStrictEqual(values);
    }),
  );
});

it("a getter that encodes does not disturb the payload it is read for", () => {
  const value = {
    a: "x",
    get b() {
      return [...encode({ inner: "y".repeat(20_000) })].length;
    },
    c: "z",
  };
  expect(decode(encode(value))).toStrictEqual({ a: "x", b: 20_010, c: "z" });
});

describe("bytes from strangers", () => {
  it("are a payload or MR_DECODE, never anything else", () => {
    const outcome = (bytes: Uint8Array) => {
      try {
        decode(bytes);
      } catch (error) {
        expect(isMillraceError(error, "MR_DECODE")).toBe(true);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), outcome), { numRuns: 3000 });
    fc.assert(
      fc.property(anyPayload, fc.nat(), fc.integer({ min: 0, max: 255 }), (value, at, byte) => {
        const bytes = Uint8Array.from(encode(value));
        bytes[at % bytes.length] = byte;
        outcome(bytes);
        outcome(bytes.subarray(0, at % bytes.length));
      }),
    );
  });

  const hostile: [string, number[]][] = [
    ["nothing", []],
    ["a length beyond the end", [0xdd, 0xff, 0xff, 0xff, 0xff]],
    ["a map beyond the end", [0xdf, 0x7f, 0xff, 0xff, 0xff]],
    ["deep nesting", new Array<number>(200_000).fill(0x91)],
    [
      "nested lists that each claim all the rest",
      [
        ...Array.from({ length: 500 }, () => [0xdd, 0x00, 0x0f, 0x00, 0x00]).flat(),
        ...new Array<number>(1_000_000).fill(0x01),
      ],
    ],
    ["two values", [0x01, 0x01]],
    ["msgpackr's record definition, which compiles code", [0xd4, 0x72, 0x40, 0x91, 0xa1, 0x61, 0x01]],
    ["msgpackr's extension for errors", [0xc7, 0x00, 0x65, 0x92, 0xa4, 0x65, 0x76, 0x61, 0x6c, 0xa1, 0x31]],
    ["a key that is no text", [0x81, 0x01, 0x01]],
    ["a key that is a list", [0x81, 0x90, 0x01]],
    ["a date out of range", [0xd7, 0x01, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0]],
  ];
  it.each(hostile)("%s", (_, bytes) => {
    expect(() => decode(Uint8Array.from(bytes))).toThrow(expect.objectContaining({ code: "MR_DECODE" }));
  });

  it("cannot reach a prototype", () => {
    const value = decode(encode(JSON.parse('{"__proto__": {"polluted": true}, "a": {"__proto__": 1}}'))) as object;
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype);
    expect(Object.keys(value)).toStrictEqual(["__proto__", "a"]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
