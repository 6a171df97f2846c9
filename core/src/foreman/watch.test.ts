/** Who is stuck and who is only slow; who is to blame and who merely was there. */
import { describe, expect, it } from "vitest";
import { type AttemptSight, blame, causeOf, judgeWorker, type WorkerSight } from "./watch.js";

const NEVER = Number.POSITIVE_INFINITY;
const STUCK_AFTER_MS = 30_000;

function attempt(seat: number, ranMs: number, limitMs: number): AttemptSight {
  return { seat, ranMs, limitMs };
}

function sight(parts: Partial<WorkerSight>): WorkerSight {
  return { kind: "async", silentMs: 0, current: -1, begun: [], ...parts };
}

describe("X2: a Worker", () => {
  it("that turns is fine, however long its Attempts take", () => {
    const begun = [attempt(0, 10_000, 2_000)];
    expect(judgeWorker(sight({ begun, silentMs: 400 }), STUCK_AFTER_MS)).toBeNull();
  });

  it("that stands still within all limits is fine, a blocking one for ever", () => {
    const begun = [attempt(0, 60_000, 300_000)];
    expect(judgeWorker(sight({ kind: "blocking", begun, silentMs: 60_000, current: 0 }), STUCK_AFTER_MS)).toBeNull();
    expect(judgeWorker(sight({ begun, silentMs: 29_000, current: 0 }), STUCK_AFTER_MS)).toBeNull();
  });

  it("that stands still past a limit is stuck", () => {
    const begun = [attempt(0, 2_001, 2_000)];
    for (const kind of ["async", "blocking"] as const) {
      expect(judgeWorker(sight({ kind, begun, silentMs: 500 }), STUCK_AFTER_MS)).toBe("limit");
    }
    expect(judgeWorker(sight({ kind: "process", begun, silentMs: 2_000 }), STUCK_AFTER_MS)).toBeNull();
    expect(judgeWorker(sight({ kind: "process", begun, silentMs: 2_500 }), STUCK_AFTER_MS)).toBe("limit");
  });

  it("that is async and stands still for long is stuck also without a limit, or without work", () => {
    expect(judgeWorker(sight({ begun: [attempt(0, 5, NEVER)], silentMs: 30_000 }), STUCK_AFTER_MS)).toBe("silent");
    expect(judgeWorker(sight({ silentMs: 30_000 }), STUCK_AFTER_MS)).toBe("silent");
    expect(judgeWorker(sight({ kind: "blocking", silentMs: 3_000_000 }), STUCK_AFTER_MS)).toBeNull();
  });
});

describe("blame", () => {
  it("falls on the one whose handler was being called", () => {
    const begun = [attempt(0, 2_100, 2_000), attempt(1, 2_200, 2_000), attempt(2, 5, NEVER)];
    expect(blame({ current: 1, begun }, "limit")).toEqual({ culprit: 1, suspects: [] });
    expect(blame({ current: 2, begun }, null)).toEqual({ culprit: 2, suspects: [] });
  });

  it("falls on nobody when one within its limit kept another from hearing that its time is over", () => {
    const begun = [attempt(0, 2_100, 2_000), attempt(1, 1_900, 300_000)];
    expect(blame({ current: 1, begun }, "limit")).toEqual({ culprit: -1, suspects: [1] });
  });

  it("falls on the only one past its limit, or the only one there", () => {
    const begun = [attempt(0, 2_100, 2_000), attempt(1, 1_900, 300_000)];
    expect(blame({ current: -1, begun }, "limit")).toEqual({ culprit: 0, suspects: [] });
    expect(blame({ current: -1, begun: [attempt(7, 5, NEVER)] }, null)).toEqual({ culprit: 7, suspects: [] });
  });

  it("falls on nobody when it could be any of several", () => {
    const begun = [attempt(0, 2_100, 2_000), attempt(1, 2_200, 2_000)];
    expect(blame({ current: -1, begun }, "limit")).toEqual({ culprit: -1, suspects: [0, 1] });
    expect(blame({ current: -1, begun }, null)).toEqual({ culprit: -1, suspects: [0, 1] });
    expect(blame({ current: -1, begun: [] }, "silent")).toEqual({ culprit: -1, suspects: [] });
  });
});

it("says what a Worker died of", () => {
  const end = { code: 1, signal: null, error: null };
  expect(causeOf("async", { ...end, code: 3 })).toBe("process.exit(3)");
  expect(causeOf("process", { ...end, code: 134 })).toBe("exit code 134");
  expect(causeOf("process", { ...end, code: null, signal: "SIGSEGV" })).toBe("killed by SIGSEGV");
  expect(causeOf("async", { ...end, error: new TypeError("no") })).toBe("uncaught TypeError: no");
  const memory = Object.assign(new Error("terminated"), { code: "ERR_WORKER_OUT_OF_MEMORY" });
  expect(causeOf("async", { ...end, error: memory })).toBe("out of memory");
  expect(causeOf("async", { ...end, error: "a text" })).toBe("uncaught a text");
  expect(causeOf("async", { ...end, error: { toString: 5 } })).toBe("uncaught an object");
});
