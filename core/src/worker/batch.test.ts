/** Batch Steps on the Worker of this thread: what is gathered, called once, divided, and given back. */
import { describe, expect, it } from "vitest";
import { decode, encode } from "../base/codec.js";
import { RetryAfter, TerminalError } from "../base/errors.js";
import { silentLogger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { encodeEnvelope } from "../engine/envelope.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { Claim } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Registry } from "../workflow/registry.js";
import { type BatchContext, defineStep } from "../workflow/step.js";
import { InlineWorker } from "./inline.js";

type Answer = (inputs: readonly number[], context: BatchContext) => unknown;

function setUp(fn: Answer, batch: object = { maxSize: 3, wait: "1s" }, options: object = {}) {
  const clock = new ManualClock();
  const registry = new Registry();
  const calls: (readonly number[])[] = [];
  const called: Answer = (inputs, context) => {
    calls.push([...inputs]);
    return fn(inputs, context);
  };
  const given = { kind: "async", retries: 1, retryDelay: 7, batch, ...options };
  registry.register(defineStep("many", given, called, undefined, undefined, true));
  registry.register(defineStep("one", { kind: "async" }, () => 1, undefined));
  const outcomes: string[] = [];
  const errors: { code?: string; message: string }[] = [];
  let started = 0;
  const lapsed = new Set<string>();
  const worker = new InlineWorker({
    registry,
    clock,
    random: seededRandom(1),
    log: silentLogger,
    slots: 1,
    isLapsed: (segment) => lapsed.has(segment),
    hungry: () => undefined,
    began: (count) => {
      started += count;
    },
    port: {
      completed: ({ claim }) => outcomes.push(`${claim.counter} completed`),
      failed: ({ claim }, value, retryInMs) => {
        outcomes.push(`${claim.counter} failed${retryInMs === null ? "" : `, again in ${retryInMs}`}`);
        errors.push(decode(decodeOutcome(value).value) as { message: string });
      },
      released: ({ claim }, delayMs) => outcomes.push(`${claim.counter} released${delayMs ? ` for ${delayMs}` : ""}`),
      progressed: ({ claim }) => outcomes.push(`${claim.counter} noted`),
    },
  });
  const claim = (counter: number, parts: Partial<Claim> & { step?: string; overrides?: object } = {}): Claim => ({
    ...{ lane: 1, counter, token: counter, laneName: "x.01", queue: "async", priority: 0, attempt: 1 },
    ...{ generation: 0, recoveries: 0 },
    body: encodeEnvelope(
      parts.step ?? "many",
      clock.nowMs(),
      parts.overrides === undefined ? null : encode(parts.overrides),
      counter,
    ),
    ...parts,
  });
  const push = (...counters: number[]) =>
    worker.push(
      "s",
      counters.map((counter) => claim(counter)),
    );
  const pass = (ms: number) => clock.moveTo(clock.nowMs() + ms);
  return { worker, lapsed, clock, calls, outcomes, errors, claim, push, pass, started: () => started };
}

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("X15: a batch", () => {
  it("is called when it is full, at once, and holds one slot", async () => {
    const { calls, push, outcomes, worker, started } = setUp(async (inputs) => inputs);
    push(1, 2);
    expect([calls, worker.gathering, worker.running, started()]).toEqual([[], 2, 0, 0]);
    push(3, 4);
    expect([calls, worker.buffered, worker.running, started()]).toEqual([[[1, 2, 3]], 1, 3, 3]);
    await settled();
    expect(outcomes).toEqual(["1 completed", "2 completed", "3 completed"]);
    expect([worker.running, worker.gathering]).toEqual([0, 1]);
  });

  it("is called when the first of it has waited, with those there are", async () => {
    const { calls, push, pass } = setUp((inputs) => inputs);
    push(1);
    pass(999);
    push(2);
    expect(calls).toEqual([]);
    pass(1);
    expect(calls).toEqual([[1, 2]]);
  });

  it("is of one key, and every key has its own wait", () => {
    const { calls, worker, claim, pass } = setUp((inputs) => inputs, { maxSize: 2, wait: "1s", key: () => "" });
    const of = (counter: number, batch: string) => claim(counter, { overrides: { batch } });
    worker.push("s", [of(1, "a"), of(2, "b"), of(3, "a")]);
    expect(calls).toEqual([[1, 3]]);
    pass(1_000);
    expect(calls).toEqual([[1, 3], [2]]);
  });

  it("waits for a slot when its time has come, and nothing else waits for it", async () => {
    let end: (value: unknown) => void = () => undefined;
    const { calls, push, worker, claim, outcomes } = setUp((inputs) =>
      inputs[0] === 1 ? new Promise((resolve) => (end = resolve)) : inputs,
    );
    push(1, 2, 3, 4, 5, 6);
    worker.push("s", [claim(7, { step: "one" })]);
    expect([calls.length, worker.running, worker.buffered]).toEqual([1, 3, 4]);
    end([1, 2, 3]);
    await settled();
    expect(calls).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect(outcomes.at(-1)).toBe("7 completed");
    expect([worker.running, worker.buffered, worker.gathering]).toEqual([0, 0, 0]);
  });

  it("of 100 with a bad one has 99 done; the bad one alone is tried again", async () => {
    const range = Array.from({ length: 100 }, (_, n) => n + 1);
    const { push, outcomes, calls } = setUp(async (inputs) => inputs.map((n) => (n === 42 ? new Error("no") : n)), {
      maxSize: 100,
      wait: "1s",
    });
    push(...range);
    await settled();
    expect(calls).toEqual([range]);
    expect(outcomes.filter((line) => line.endsWith("completed"))).toHaveLength(99);
    expect(outcomes[41]).toBe("42 failed, again in 7");
  });

  it("judges each error of its answer by itself", async () => {
    const { push, outcomes } = setUp(async () => [new TerminalError("never"), new RetryAfter("5s"), 3]);
    push(1, 2, 3);
    await settled();
    expect(outcomes).toEqual(["1 failed", "2 released for 5000", "3 completed"]);
  });

  it("begins without those whose Lease lapsed while it was gathered: they are given back", async () => {
    const { worker, lapsed, claim, calls, outcomes, push, pass } = setUp(async (inputs) => inputs);
    push(1);
    worker.push("t", [claim(2)]);
    lapsed.add("s");
    pass(1_000);
    await settled();
    expect([calls, outcomes]).toEqual([[[2]], ["1 released", "2 completed"]]);
    push(3);
    pass(1_000);
    await settled();
    expect([calls.length, outcomes.at(-1), worker.running, worker.gathering]).toEqual([1, "3 released", 0, 0]);
  });

  it("that throws fails all of it, each by its own retries", async () => {
    const { worker, claim, outcomes } = setUp(async () => {
      throw new Error("all of it");
    });
    worker.push("s", [claim(1), claim(2, { attempt: 2 }), claim(3, { overrides: { retries: 0 } })]);
    await settled();
    expect(outcomes).toEqual(["1 failed, again in 7", "2 failed", "3 failed"]);
  });

  for (const [what, answer, got] of [
    ["too short", [1, 2], "2 elements"],
    ["too long", [1, 2, 3, 4], "4 elements"],
    ["no list", { length: 3 }, "an object"],
    ["nothing", undefined, "undefined"],
  ] as const) {
    it(`whose answer is ${what} fails for good and says why`, async () => {
      const { push, outcomes, errors } = setUp(async () => answer);
      push(1, 2, 3);
      await settled();
      expect(outcomes).toEqual(["1 failed", "2 failed", "3 failed"]);
      expect(errors[0]).toMatchObject({ code: "MR_BATCH_RESULT" });
      expect(errors[0]?.message).toContain("batch Step `many` must answer with a list of 3");
      expect(errors[0]?.message).toContain(got === "an object" ? "gave" : got);
    });
  }

  it("goes on without those that are cancelled, and hears of it when all are", async () => {
    const seen: string[] = [];
    let end: (value: unknown) => void = () => undefined;
    const { worker, push, outcomes, pass } = setUp(async (_, { abort, contexts }) => {
      abort.addEventListener("abort", () => seen.push(`all: ${abort.reason.kind}`));
      for (const { abort: one, operationId } of contexts) {
        one.addEventListener("abort", () => seen.push(`${operationId.split(".").at(-1)}: ${one.reason.kind}`));
      }
      return await new Promise((resolve) => (end = resolve));
    });
    push(1, 2, 3);
    worker.abortWhere("s", [{ lane: 1, counter: 2 }], "cancel");
    expect(seen).toHaveLength(1);
    pass(5_000);
    expect(outcomes).toEqual(["2 failed"]);
    worker.abortWhere("s", [{ lane: 1, counter: 1 }], "cancel");
    expect(seen).toHaveLength(2);
    worker.abortWhere("s", [{ lane: 1, counter: 3 }], "cancel");
    expect(seen.at(-1)).toBe("all: cancel");
    end([1, 2, 3]);
    await settled();
    expect(outcomes).toEqual(["2 failed", "1 completed", "3 completed"]);
    expect(worker.running).toBe(0);
  });

  it("times out as one: each Attempt loses its own", async () => {
    const { push, outcomes, errors, pass, worker } = setUp(
      () => new Promise<never>(() => undefined),
      { maxSize: 2, wait: 0 },
      { timeout: "2s", killGrace: "1s" },
    );
    push(1, 2);
    pass(3_000);
    expect(outcomes).toEqual(["1 failed, again in 7", "2 failed, again in 7"]);
    expect(errors[0]).toMatchObject({ code: "MR_TIMEOUT" });
    expect(worker.running).toBe(0);
    push(3, 4);
    expect(worker.running).toBe(2);
  });

  it("gives back what it gathered, begun by nobody, and what is cancelled before it is called ends at once", () => {
    const { worker, push, calls, outcomes, pass } = setUp((inputs) => inputs);
    push(1, 2);
    worker.abortWhere("s", [{ lane: 1, counter: 1 }], "cancel");
    expect(outcomes).toEqual(["1 released"]);
    expect(worker.takeUnstarted(1_000)).toEqual([]);
    expect(worker.takeUnstarted(0).map(({ claims }) => claims.map(({ counter }) => counter))).toEqual([[2]]);
    pass(10_000);
    expect([calls, worker.gathering, worker.running]).toEqual([[], 0, 0]);
  });

  it("takes none that was rescued twice: that one is called alone", () => {
    const { worker, claim, push, calls } = setUp((inputs) => inputs);
    push(1, 2);
    worker.push("s", [claim(3, { recoveries: 2 })]);
    expect(calls).toEqual([[3]]);
  });

  it("asks for twice what the last claims brought for it, up to what would fill it", () => {
    const { worker, push } = setUp(() => new Promise<never>(() => undefined), { maxSize: 100, wait: "1s" });
    const asked: number[] = [];
    for (let next = 1, left = 99; left > 0; left--) {
      const count = Math.min(left, worker.room(1));
      asked.push(count);
      push(...Array.from({ length: count }, () => next++));
      left -= count - 1;
    }
    expect(asked).toEqual([1, 3, 7, 15, 31, 42]);
  });

  it("does not make a claim bring hundreds of others that are in its Queue", () => {
    const { worker, claim, push } = setUp(() => new Promise<never>(() => undefined), { maxSize: 1_000, wait: "1s" });
    push(...Array.from({ length: 50 }, (_, i) => i));
    expect(worker.room(1)).toBe(101);
    for (let i = 0; i < 2; i++) worker.push("s", [claim(100 + i, { step: "one" })]);
    // The others end at once: a thousand of them may wait here, and none in the place of the 950 that are missing.
    expect(worker.room(1)).toBe(1_002);
  });

  it("asks for as much as would fill it", () => {
    const { worker, push, pass } = setUp(() => new Promise<never>(() => undefined), { maxSize: 100, wait: "1s" });
    expect(worker.room(1)).toBe(1);
    push(...Array.from({ length: 60 }, (_, i) => i + 1));
    expect(worker.room(1)).toBe(41);
    worker.abortWhere("s", [{ lane: 1, counter: 1 }], "cancel");
    expect(worker.room(1)).toBe(42);
    worker.takeUnstarted(0);
    expect(worker.room(1)).toBe(1);
    push(61);
    pass(1_000);
    expect(worker.room(1)).toBe(0);
  });
});

describe("X15: the declaration of a batch Step", () => {
  it("needs a batch, and only a batch Step has one", () => {
    const fn = async () => [];
    const define = (options: object, isBatch: boolean) => defineStep("s", options, fn, undefined, undefined, isBatch);
    expect(() => define({}, true)).toThrow("step s.batch: a batch Step needs it");
    expect(() => define({ batch: { maxSize: 2, wait: 1 } }, false)).toThrow("only Steps of app.batchStep have it");
    for (const batch of [
      { maxSize: 0, wait: 1 },
      { maxSize: 1_001, wait: 1 },
      { maxSize: 2 },
      { maxSize: 2, wait: "1h" },
    ]) {
      expect(() => define({ batch }, true)).toThrow(expect.objectContaining({ code: "MR_INVALID_OPTION" }));
    }
    expect(define({ batch: { maxSize: 2, wait: "5s", key: "a.b" } }, true)).toMatchObject({
      kind: "async",
      batch: { maxSize: 2, waitMs: 5_000, key: "a.b" },
    });
  });
});
