import type { Timer } from "@millrace/core/server";
import { describe, expect, test } from "vitest";
import { makeMask } from "../config/mask.js";
import { parseLevels } from "./levels.js";
import { createLogger, type LoggerOptions, loadPrettifier } from "./logger.js";

/** A clock that stands until it is moved. */
class HandClock {
  #now = 0;
  readonly #timers = new Set<{ readonly dueMs: number; readonly fn: () => void }>();

  nowMs = (): number => this.#now;
  monotonicMs = (): number => this.#now;
  immediate = (fn: () => void): void => fn();

  setTimer = (ms: number, fn: () => void): Timer => {
    const timer = { dueMs: this.#now + ms, fn };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer), unref: () => undefined };
  };

  advance(ms: number): void {
    this.#now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.dueMs > this.#now) continue;
      this.#timers.delete(timer);
      timer.fn();
    }
  }
}

function setUp(changes: Partial<LoggerOptions> & { readonly level?: string } = {}) {
  const lines: string[] = [];
  const clock = new HandClock();
  const levels = parseLevels(changes.level ?? "debug");
  if (levels === null) throw new Error("the test's levels are wrong");
  const log = createLogger({
    levels,
    prettify: null,
    base: { app_id: "shop", node_id: "web-1" },
    mask: (line) => line,
    write: (line) => lines.push(line),
    clock,
    ...changes,
  });
  const records = () => lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  return { log, lines, records, clock };
}

describe("a log line", () => {
  test("has the fields of every line, with the level in capitals", () => {
    const { log, records, lines } = setUp();
    log.info({ workers: 3 }, "ready");
    expect(records()).toEqual([
      {
        level: "INFO",
        timestamp: "1970-01-01T00:00:00.000Z",
        app_id: "shop",
        node_id: "web-1",
        pid: process.pid,
        target: "foreman",
        workers: 3,
        message: "ready",
      },
    ]);
    expect(lines[0]?.endsWith("\n")).toBe(true);
  });

  test("names core's fields as the log contract does, those of child loggers too", () => {
    const { log, records, lines } = setUp();
    log.child({ app: "other", owner: "x1" }).child({ worker: "async-1" }).debug({ operationId: "a.b.1" }, "begun");
    expect(records()[0]).toMatchObject({
      app_id: "other",
      incarnation: "x1",
      worker_id: "async-1",
      operation_id: "a.b.1",
    });
    expect(lines[0]?.match(/"app_id"/g), "no key stands twice").toHaveLength(1);
  });

  test("carries an error as a record", () => {
    const { log, records } = setUp();
    log.error({ error: Object.assign(new Error("no"), { code: "ECONNRESET" }) }, "lost");
    expect(records()[0]?.error).toMatchObject({ code: "ECONNRESET", message: "no", stack: expect.any(String) });
  });

  test("keeps text of users on one line, escaped", () => {
    const { log, lines } = setUp();
    log.info({ note: 'a\n{"level":"ERROR"}\u001b[31m' }, "noted");
    expect(lines).toHaveLength(1);
    expect([...(lines[0] ?? "").trimEnd()].filter((letter) => letter < " ")).toEqual([]);
  });

  test("shows no secret in any field, in any of its forms", () => {
    const { log, lines } = setUp({ mask: makeMask(['p"ss/word']) });
    const url = `redis://me:${encodeURIComponent('p"ss/word')}@host:1`;
    const base64 = Buffer.from('p"ss/word').toString("base64");
    log.warn({ url, base64, error: new Error('bad p"ss/word') }, "cannot");
    expect(lines.join("")).not.toMatch(/ss.{0,3}word|cCJzcy93b3Jk/);
  });
});

describe("levels", () => {
  test("hold for the target that is named", () => {
    const { log, records } = setUp({ level: "warn,store=debug" });
    log.info({}, "unseen");
    log.info({ target: "store" }, "seen");
    log.child({ target: "store" }).debug({}, "seen too");
    expect(records().map(({ message }) => message)).toEqual(["seen", "seen too"]);
  });

  test("can change while the logger is used", () => {
    const { log, records } = setUp({ level: "error" });
    log.info({}, "unseen");
    log.setLevels(parseLevels("info") ?? expect.fail());
    log.info({}, "seen");
    expect(records().map(({ message }) => message)).toEqual(["seen"]);
  });

  test("silent lets nothing through", () => {
    const { log, lines } = setUp({ level: "silent" });
    log.error({}, "unseen");
    expect(lines).toEqual([]);
  });

  test.each(["", "loud", "info,debug", "store=loud", "gate=info", "store=info,store=debug", "info=1=2", 7])(
    "refuses %j",
    (text) => {
      expect(parseLevels(text)).toBeNull();
    },
  );
});

describe("a repeated warning", () => {
  test("is written once in ten seconds, then with how many were held back", () => {
    const { log, records, clock } = setUp();
    for (let n = 1; n <= 5; n++) log.warn({ n }, "store is away");
    expect(records().map(({ n }) => n)).toEqual([1]);
    clock.advance(10_000);
    expect(records().map(({ n, suppressed }) => [n, suppressed])).toEqual([
      [1, undefined],
      [5, 3],
    ]);
    clock.advance(10_000);
    log.warn({ n: 6 }, "store is away");
    expect(records().at(-1)).toMatchObject({ n: 6 });
  });

  test("does not hold back another one", () => {
    const { log, records } = setUp();
    log.warn({}, "a");
    log.warn({}, "b");
    log.warn({ target: "store" }, "a");
    expect(records()).toHaveLength(3);
  });

  test("of a Step's own is never held back", () => {
    const { log, records } = setUp();
    const ofStep = log.child({ target: "worker", operationId: "a.b.1" });
    for (let n = 0; n < 3; n++) ofStep.warn({ n }, "strange input");
    expect(records()).toHaveLength(3);
  });

  test("is not lost when the process ends", () => {
    const { log, records } = setUp();
    log.warn({ n: 1 }, "store is away");
    log.warn({ n: 2 }, "store is away");
    log.flush();
    expect(records().map(({ n }) => n)).toEqual([1, 2]);
  });
});

describe("a pretty line", () => {
  test("has the time, the level and the fields, without colours unless they are wanted", async () => {
    const plain = setUp({ prettify: await loadPrettifier(false) });
    plain.log.info({ workers: 3 }, "ready");
    expect(plain.lines[0]).toMatch(/^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: ready \{.*"workers":3.*\}\n$/);
    const coloured = setUp({ prettify: await loadPrettifier(true) });
    coloured.log.info({}, "ready");
    expect(coloured.lines[0]).toContain("\u001b[");
  });
});
