/** A Worker's log lines: any fields become plain data, and nothing in them can hurt. */
import { describe, expect, it } from "vitest";
import type { LogMessage } from "./boot.js";
import { portLogger } from "./port-log.js";

function setUp(isDebug = false) {
  const lines: LogMessage[] = [];
  return { lines, log: portLogger((line) => lines.push(structuredClone(line)), isDebug, { worker: "async-1" }) };
}

describe("a log line of a Worker", () => {
  it("carries its level, its sentence and the fields of all its loggers", () => {
    const { lines, log } = setUp();
    log.child({ app: "shop" }).child({ step: "charge" }).warn({ n: 1 }, "sentence");
    expect(lines).toEqual([
      {
        type: "log",
        level: "warn",
        fields: { worker: "async-1", app: "shop", step: "charge", n: 1 },
        message: "sentence",
      },
    ]);
  });

  it("of level debug goes nowhere unless it is wanted", () => {
    const silent = setUp();
    silent.log.debug({}, "unwanted");
    expect(silent.lines).toEqual([]);
    const wanted = setUp(true);
    wanted.log.child({}).debug({}, "wanted");
    expect(wanted.lines.map(({ level }) => level)).toEqual(["debug"]);
  });

  it("turns fields of every kind into plain data", () => {
    const { lines, log } = setUp();
    const loop: Record<string, unknown> = {};
    loop.loop = loop;
    const fields = {
      error: new TypeError("no", { cause: new Error("because") }),
      when: new Date(5),
      list: [1, () => 2, Symbol("s")],
      bytes: new Uint8Array(3),
      map: new Map([[1, 2]]),
      nothing: undefined,
      big: 5n,
      loop,
    };
    log.error(fields, "odd");
    expect(lines[0]?.fields).toMatchObject({
      error: { name: "TypeError", message: "no", cause: { message: "because" } },
      when: new Date(5),
      list: [1, "a function", "Symbol(s)"],
      bytes: "a Uint8Array",
      map: "a Map",
      big: "5n",
      loop: { loop: { loop: { loop: "an object" } } },
    });
  });

  it("is written also when its fields cannot be read", () => {
    const { lines, log } = setUp();
    const broken = {
      get field(): unknown {
        throw new Error("no");
      },
    };
    log.info(broken, "sentence");
    expect(lines).toMatchObject([{ fields: { worker: "async-1", fields: "cannot be read" }, message: "sentence" }]);
  });
});
