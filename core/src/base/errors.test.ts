import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { invariant, unreachable } from "./assert.js";
import {
  createError,
  errorTable,
  fromRemoteError,
  isMillraceError,
  MillraceError,
  OperationCancelled,
  OperationFailed,
  REMOTE_TEXT_MAX,
  RetryAfter,
  show,
  TerminalError,
  toRemoteError,
  WaitTimeout,
} from "./errors.js";

describe("the table", () => {
  it("has codes that can be searched and templates whose slots are words", () => {
    for (const [code, row] of Object.entries(errorTable)) {
      expect(code).toMatch(/^MR_[A-Z_]+$/);
      expect(row.template.replace(/\{\w+\}/g, "")).not.toMatch(/[{}]/);
    }
  });

  it("fills its templates and keeps the values", () => {
    const error = createError("MR_NOT_FOUND", { kind: "Operation", id: "a.b.001" });
    expect(error.message).toBe("Operation a.b.001 is not known here");
    expect(error).toMatchObject({ code: "MR_NOT_FOUND", retryable: false, name: "MillraceError" });
    expect(error.details).toStrictEqual({ kind: "Operation", id: "a.b.001" });
    expect(error.docs).toBe("docs/reference/errors.md#mr_not_found");
  });

  it("does not compile with a slot left open", () => {
    // @ts-expect-error id is missing
    createError("MR_NOT_FOUND", { kind: "Operation" });
  });
});

describe("recognition", () => {
  it("is by mark, so a second copy of the package is recognised too", () => {
    const foreign = Object.assign(new Error("x"), {
      [Symbol.for("MillraceError")]: true,
      [Symbol.for("MR_TIMEOUT")]: true,
    });
    expect(isMillraceError(foreign)).toBe(true);
    expect(isMillraceError(foreign, "MR_TIMEOUT")).toBe(true);
    expect(isMillraceError(foreign, "MR_NOT_FOUND")).toBe(false);
    expect(isMillraceError(new Error("x"))).toBe(false);
    for (const hostile of hostileValues) expect(isMillraceError(hostile)).toBe(false);
  });

  it("holds for the public subclasses, under their own names", () => {
    const remote = toRemoteError(new TypeError("bad row"));
    const failed = new OperationFailed({ id: "a.b.001", attempts: 4, remote });
    expect(failed).toMatchObject({ code: "MR_OPERATION_FAILED", name: "OperationFailed", attempts: 4, remote });
    expect(failed.message).toBe("Operation a.b.001 failed after 4 Attempt(s): TypeError: bad row");
    expect((failed.cause as Error).stack).toBe(remote.stack);
    expect(new OperationCancelled({ id: "a.b.001", reason: "by hand" })).toMatchObject({
      code: "MR_OPERATION_CANCELLED",
      reason: "by hand",
    });
    expect(new WaitTimeout({ id: "a.b.001", timeoutMs: 5 })).toMatchObject({ code: "MR_WAIT_TIMEOUT", timeoutMs: 5 });
    expect(isMillraceError(new TerminalError("no"), "MR_TERMINAL")).toBe(true);
    expect(new TerminalError("no", { cause: 1 })).toMatchObject({ message: "no", cause: 1 });
    expect(new RetryAfter("30s")).toMatchObject({ delay: "30s", message: "asked to be tried again after 30s" });
  });
});

const hostileValues: unknown[] = [
  null,
  undefined,
  "text",
  5,
  10n ** 500n,
  Symbol("s"),
  () => 1,
  {},
  [],
  Object.create(null),
  new Proxy(
    {},
    {
      get: () => {
        throw new Error("trap");
      },
      getPrototypeOf: () => {
        throw new Error("trap");
      },
    },
  ),
  (() => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    return proxy;
  })(),
  { name: 5, message: {}, stack: [], code: Symbol("c"), cause: null },
  {
    get message() {
      throw new Error("getter");
    },
  },
  Object.assign(new Error("x"), { stack: "s".repeat(10_000_000), message: "m".repeat(10_000_000) }),
  {
    message: {
      toString() {
        throw new Error("toString");
      },
    },
  },
];

describe("a remote error", () => {
  it.each(hostileValues.map((value, index) => [index, value]))(
    "is a bounded plain record for hostile value %i",
    (_, thrown) => {
      const remote = toRemoteError(thrown);
      expect(JSON.parse(JSON.stringify(remote))).toStrictEqual(remote);
      expect(remote.name.length).toBeLessThanOrEqual(256);
      expect(remote.message.length).toBeLessThanOrEqual(REMOTE_TEXT_MAX);
      expect(remote.stack?.length ?? 0).toBeLessThanOrEqual(REMOTE_TEXT_MAX);
      expect(fromRemoteError(remote)).toBeInstanceOf(Error);
    },
  );

  it("is made of anything", () => {
    fc.assert(
      fc.property(
        fc.anything({ withProxy: true, withNullPrototype: true } as object),
        (thrown) => void toRemoteError(thrown),
      ),
    );
  });

  it("keeps name, message, code, stack and causes, and gives them back", () => {
    const cause = Object.assign(new RangeError("inner"), { code: "ECONN" });
    const error = new TypeError("outer", { cause });
    const back = fromRemoteError(toRemoteError(error));
    expect(back).toMatchObject({ name: "TypeError", message: "outer", stack: error.stack });
    expect(back.cause).toMatchObject({ name: "RangeError", message: "inner", code: "ECONN" });
  });

  it("is one of ours again if it was", () => {
    const back = fromRemoteError(toRemoteError(createError("MR_TIMEOUT", { what: "Step", timeoutMs: 5 })));
    expect(isMillraceError(back, "MR_TIMEOUT")).toBe(true);
    expect(back).toBeInstanceOf(MillraceError);
    expect(back).toMatchObject({ retryable: true, message: "Step did not end within 5 ms" });
  });

  it("ends a circle of causes", () => {
    const error = new Error("round");
    error.cause = error;
    expect(JSON.stringify(toRemoteError(error)).length).toBeLessThan(9 * 2 * REMOTE_TEXT_MAX);
  });
});

it("show never throws and stays short", () => {
  for (const value of hostileValues) expect(show(value).length).toBeLessThanOrEqual(120);
});

it("a broken invariant shows its values", () => {
  expect(() => invariant(true, "fine")).not.toThrow();
  expect(() => invariant(false, "counter rises", { before: 5, after: "4" })).toThrow(
    'broken invariant, please report it: counter rises (before = 5, after = "4")',
  );
  expect(() => unreachable("x" as never)).toThrow(expect.objectContaining({ code: "MR_INVARIANT" }));
});
