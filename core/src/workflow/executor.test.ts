/** Which executor runs a Step: names, kinds, Queues, and what is refused at the declaration. */
import { describe, expect, it } from "vitest";
import { Executors } from "./executor.js";
import { defineStep, poolOf } from "./step.js";

const executor = { execute: () => undefined };

function define(options: object, fn: unknown = async () => undefined, executors = new Executors()) {
  return defineStep("one", options, fn, undefined, executors);
}

describe("B2: kind and executor of a Step", () => {
  it("follow from each other and from the function", () => {
    expect(define({})).toMatchObject({ kind: "async", executor: "io", queue: "async" });
    expect(define({}, () => undefined)).toMatchObject({ kind: "blocking", executor: "cpu", queue: "blocking" });
    expect(define({ kind: "blocking" })).toMatchObject({ kind: "blocking", executor: "cpu" });
    expect(define({ executor: "io" }, () => undefined)).toMatchObject({ kind: "async", queue: "async" });
    expect(define({ executor: "cpu" })).toMatchObject({ kind: "blocking", queue: "blocking" });
    expect(define({ executor: "process" })).toMatchObject({ kind: "blocking", queue: "process" });
    expect(define({ executor: "process", queue: "q" })).toMatchObject({ queue: "q" });
    expect(define({ executor: "process", kind: "blocking" })).toMatchObject({ executor: "process" });
  });

  it("tell which Workers run it", () => {
    expect(poolOf(define({}))).toBe("async");
    expect(poolOf(define({ executor: "cpu" }))).toBe("blocking");
    expect(poolOf(define({ executor: "process" }))).toBe("process");
  });

  it("must not contradict each other", () => {
    expect(() => define({ kind: "async", executor: "cpu" })).toThrow(
      'step one.executor: "cpu" runs Steps of kind "blocking": leave out `kind`, or choose another executor',
    );
    expect(() => define({ kind: "blocking", executor: "io" })).toThrow('runs Steps of kind "async"');
  });
});

describe("F10: an App's executors", () => {
  it("run async Steps, plain functions among them", () => {
    const executors = new Executors();
    executors.register("mine", executor);
    expect(define({ executor: "mine" }, () => undefined, executors)).toMatchObject({ kind: "async", executor: "mine" });
    expect(() => define({ executor: "mine", kind: "blocking" }, async () => undefined, executors)).toThrow(
      expect.objectContaining({ code: "MR_INVALID_OPTION" }),
    );
  });

  it("are known before the Steps that name them", () => {
    const executors = new Executors();
    executors.register("remote", executor);
    expect(() => define({ executor: "remot" }, async () => undefined, executors)).toThrow(
      "no executor is called `remot`, did you mean `remote`? (known here: io, cpu, process, remote; register one before the Steps that name it)",
    );
    expect(() => define({ executor: "toString" })).toThrow(expect.objectContaining({ code: "MR_UNKNOWN_EXECUTOR" }));
  });

  it("have names of their own and the methods of an executor", () => {
    const executors = new Executors();
    executors.register("mine", executor);
    const refused: [name: string, value: unknown, code: string][] = [
      ["mine", executor, "MR_DUPLICATE_NAME"],
      ["io", executor, "MR_DUPLICATE_NAME"],
      ["not allowed", executor, "MR_INVALID_NAME"],
      ["empty", {}, "MR_INVALID_OPTION"],
      ["start", { ...executor, start: 1 }, "MR_INVALID_OPTION"],
      ["narrow", { ...executor, concurrency: 0 }, "MR_INVALID_OPTION"],
      ["nothing", null, "MR_INVALID_OPTION"],
    ];
    for (const [name, value, code] of refused) {
      expect(() => executors.register(name, value)).toThrow(expect.objectContaining({ code }));
    }
  });
});
