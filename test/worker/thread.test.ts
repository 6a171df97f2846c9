/** A Worker thread at the Foreman's rings: what it is given ends once, in order, whatever its size and its temper. */
import { ABANDONED, BEATS, BEGUN, CURRENT, ENDED, HEAP_KB } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { poll, within } from "../helper/wait.js";
import { FakeForeman } from "./fake-foreman.js";

describe("a Worker thread", () => {
  it("reports what its module declares as data", async () => {
    await using foreman = new FakeForeman("steps");
    const { app, steps } = await within(foreman.ready, "ready");
    expect(app.id).toBe("test");
    expect(app.options).toMatchObject({ id: "test", store: "embedded:.millrace", workers: { slots: 8 } });
    const byName = new Map(steps.map((step) => [step.name, step]));
    expect(byName.get("echo")).toMatchObject({ kind: "async", executor: "io", queue: "async", retries: 0 });
    expect(byName.get("cpu")).toMatchObject({ kind: "blocking", executor: "cpu", queue: "blocking" });
    expect(byName.get("forked")).toMatchObject({ kind: "blocking", executor: "process", queue: "process" });
    expect(byName.get("checked")).toMatchObject({
      backoff: null,
      hasRetryOn: true,
      timeoutMs: Number.POSITIVE_INFINITY,
    });
  });

  it("completes, fails, retries and puts aside as the same Steps do inline", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    expect(await foreman.run("echo", { a: [1, "ü", 10n] })).toMatchObject({
      kind: "completed",
      value: { a: [1, "ü", 10n] },
    });
    expect(await foreman.run("fail", "no")).toMatchObject({
      kind: "failed",
      ms: Number.NaN,
      value: { name: "TypeError", message: "no" },
    });
    expect(await foreman.run("again", null)).toMatchObject({ kind: "failed", ms: 7 });
    expect(await foreman.run("unknown-step", null)).toMatchObject({ kind: "released", ms: 15_000 });
    expect(await foreman.run("context", null)).toMatchObject({
      value: {
        operationId: "node.incarnation.101",
        attempt: 1,
        fence: "77",
        idempotencyKey: "node.incarnation.101#0",
      },
    });
  });

  it("ends 10,000 Operations, each once, in the order they were given", async () => {
    await using foreman = new FakeForeman("steps", { slots: 1 });
    await foreman.ready;
    const total = 10_000;
    let given = 0;
    while (given < total) {
      const ended = foreman.reported.length;
      while (given < total && given - ended < 900) foreman.give("echo", { n: given }, ++given);
      foreman.publish();
      await foreman.outcomes(Math.min(total, ended + 1));
    }
    const outcomes = await foreman.outcomes(total);
    expect(outcomes.map(({ counter }) => counter)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
    expect(
      outcomes.every(({ kind, value, counter }) => kind === "completed" && (value as { n: number }).n === counter - 1),
    ).toBe(true);
    expect(foreman.seats.read(BEGUN)).toBe(total);
    expect(foreman.seats.read(ENDED)).toBe(total);
  });

  it("takes and gives records many times as large as its rings", async () => {
    await using foreman = new FakeForeman("steps", { ringBytes: 2 ** 18 });
    await foreman.ready;
    for (const bytes of [1, 2 ** 16 - 1, 2 ** 16, 2 ** 18, 2 ** 20, 8 * 2 ** 20]) {
      const input = new Uint8Array(bytes).fill(1);
      expect(await foreman.run("length", input)).toMatchObject({ kind: "completed", value: bytes });
      const { value } = await foreman.run("bytes", bytes);
      expect(Buffer.compare(value as Uint8Array, new Uint8Array(bytes).fill(7))).toBe(0);
    }
    // Texts of every kind are read right where the ring holds them.
    for (const text of [
      "ascii",
      "ümläut",
      "\u{1F600}".repeat(10),
      "\ud800 alone",
      "x".repeat(5_000),
      "ö".repeat(5_000),
    ]) {
      expect(await foreman.run("echo", { [text]: text })).toMatchObject({ value: { [text]: text } });
    }
  });

  it("keeps what has not begun while the ring's memory is used again", async () => {
    await using foreman = new FakeForeman("steps", { slots: 1, ringBytes: 2 ** 14 });
    await foreman.ready;
    foreman.give("sleep", 150, 1);
    for (let counter = 2; counter <= 200; counter++) foreman.give("echo", `${counter} ${"x".repeat(300)}`, counter);
    foreman.publish();
    const outcomes = await foreman.outcomes(200);
    for (const { counter, value } of outcomes.slice(1)) expect(value).toBe(`${counter} ${"x".repeat(300)}`);
  });

  it("gives a fallback its own input, although the ring's memory was used again meanwhile", async () => {
    await using foreman = new FakeForeman("steps", { ringBytes: 2 ** 14 });
    await foreman.ready;
    const seat = foreman.give("falls-back", "its own input");
    foreman.publish();
    for (let counter = 2; counter <= 200; counter++) foreman.give("echo", "x".repeat(300), counter);
    foreman.publish();
    expect(await foreman.end(seat)).toMatchObject({ kind: "completed", value: "its own input" });
    await foreman.outcomes(200);
  });

  it("begins nothing that was taken back, and ends everything else, whoever is faster", async () => {
    await using foreman = new FakeForeman("steps", { slots: 4 });
    await foreman.ready;
    let counter = 0;
    const mustEnd = new Set<number>();
    let takenBack = 0;
    for (let round = 0; round < 300; round++) {
      const batch = new Map<number, number>();
      for (let i = 0; i < 16; i++) batch.set(foreman.give(i % 3 === 0 ? "spin" : "echo", 0, ++counter), counter);
      foreman.publish();
      if (round % 2 === 0) await new Promise((resolve) => setImmediate(resolve));
      for (const [seat, of] of batch) {
        if (foreman.takeBack(seat)) takenBack++;
        else mustEnd.add(of);
      }
      await foreman.outcomes(mustEnd.size);
      for (const seat of batch.keys())
        await poll(() => (foreman.seats.stateOf(seat) === 0 ? true : null), "a free seat");
    }
    expect(takenBack).toBeGreaterThan(0);
    expect(mustEnd.size).toBeGreaterThan(0);
    expect(takenBack + mustEnd.size).toBe(counter);
    const ended = foreman.reported.map((one) => one.counter);
    expect(ended.length).toBe(mustEnd.size);
    expect(new Set(ended)).toEqual(mustEnd);
  });

  it("tells a handler to end, and says why in the outcome", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    const seat = foreman.give("until-aborted", null);
    foreman.publish();
    await poll(() => (foreman.seats.read(BEGUN) === 1 ? true : null), "the begin");
    foreman.abort(seat, 1);
    expect(await foreman.end(seat)).toMatchObject({
      kind: "failed",
      abort: 1,
      value: { code: "MR_OPERATION_CANCELLED" },
    });
    const other = foreman.give("until-aborted", null, 2, { timeoutMs: 20 });
    foreman.publish();
    expect(await foreman.end(other)).toMatchObject({ kind: "failed", abort: 2, value: { code: "MR_TIMEOUT" } });
  });

  it("gives up on a deaf handler after its grace, and counts it until it has ended", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    const seat = foreman.give("deaf", 400);
    foreman.publish();
    await poll(() => (foreman.seats.read(BEGUN) === 1 ? true : null), "the begin");
    foreman.abort(seat, 3);
    expect(await foreman.end(seat)).toMatchObject({ kind: "released", abort: 3, ms: Number.NaN });
    expect(foreman.seats.read(ABANDONED)).toBe(1);
    await poll(() => (foreman.seats.read(ABANDONED) === 0 ? true : null), "the end of the handler");
  });

  it("runs as many at once as it has slots, also after they were changed", async () => {
    await using foreman = new FakeForeman("steps", { slots: 2 });
    await foreman.ready;
    const seats = Array.from({ length: 8 }, (_, i) => foreman.give("until-aborted", null, i + 1));
    foreman.publish();
    await poll(() => (foreman.seats.read(BEGUN) === 2 ? true : null), "two begins");
    foreman.setSlots(8);
    await poll(() => (foreman.seats.read(BEGUN) === 8 ? true : null), "all begins");
    for (const seat of seats) foreman.abort(seat, 3);
    await foreman.outcomes(8);
  });

  it("shows which handler it is calling, and that its loop turns", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    await poll(() => (foreman.seats.read(HEAP_KB) > 1_000 ? true : null), "the heap's size");
    const seat = foreman.give("spin", 500);
    foreman.publish();
    await poll(() => (foreman.seats.read(CURRENT) === seat + 1 ? true : null), "the call");
    const beats = foreman.seats.read(BEATS);
    await foreman.end(seat);
    await poll(() => (foreman.seats.read(CURRENT) === 0 ? true : null), "the end of the call");
    expect(foreman.seats.read(BEATS) - beats).toBeLessThanOrEqual(3);
    await poll(() => (foreman.seats.read(BEATS) > beats + 5 ? true : null), "beats");
  });

  it("rests in its event loop when there is nothing to do", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    await foreman.run("echo", 1);
    await new Promise((resolve) => setTimeout(resolve, 300));
    const before = foreman.thread.performance.eventLoopUtilization();
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(foreman.thread.performance.eventLoopUtilization(before).utilization).toBeLessThan(0.3);
    expect(await foreman.run("echo", 2)).toMatchObject({ value: 2 });
  });

  it("hears every bell, also one that rings as it goes to rest", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    // Something that keeps the event loop: the thread listens and never rests at its ring.
    await foreman.run("open-timer", null);
    let chance = 1;
    for (let counter = 1; counter <= 4_000; counter++) {
      chance = (Math.imul(chance, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      const untilMs = performance.now() + (chance % 100) / 1_000;
      while (performance.now() < untilMs);
      foreman.give("sync", counter, counter);
      foreman.publish();
      if (counter % 16 === 0) await foreman.outcomes(counter - 16);
    }
    await foreman.outcomes(4_001);
  });

  it("serves a timer that a Step left behind, hot or not", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    await foreman.run("open-timer", null);
    for (let i = 0; i < 50; i++) expect(await foreman.run("sleep", 1)).toMatchObject({ value: 1 });
  });

  it("loses nothing while the Foreman is away and its ring is full", async () => {
    await using foreman = new FakeForeman("steps", { ringBytes: 2 ** 14, slots: 64 });
    await foreman.ready;
    foreman.goAway();
    foreman.give("late-bytes", [300, 2 ** 20], 1);
    for (let counter = 2; counter <= 40; counter++) foreman.give("late-bytes", [counter, 4_000], counter);
    foreman.publish();
    await poll(() => (foreman.seats.read(ENDED) === 40 ? true : null), "the end of all Attempts");
    const beats = foreman.seats.read(BEATS);
    await poll(() => (foreman.seats.read(BEATS) > beats + 5 ? true : null), "signs of life");
    foreman.comeBack();
    const outcomes = await foreman.outcomes(40);
    const lengths = outcomes.map(({ counter, value }) => [counter, (value as Uint8Array).length]);
    expect(new Set(lengths.map(([counter]) => counter)).size).toBe(40);
    expect(lengths).toContainEqual([1, 2 ** 20]);
    expect(await foreman.run("echo", 1)).toMatchObject({ value: 1 });
  });

  it("tells progress before the outcome, in order", async () => {
    await using foreman = new FakeForeman("steps", { ringBytes: 2 ** 14 });
    await foreman.ready;
    const seat = foreman.give("notes", 2_000);
    foreman.publish();
    await foreman.end(seat);
    const notes = foreman.reported.filter((one) => one.kind === "progress");
    expect(notes.map(({ value }) => (value as { done: number }).done)).toEqual(
      Array.from({ length: 2_000 }, (_, i) => i + 1),
    );
    expect(foreman.reported.at(-1)?.kind).toBe("completed");
  });

  it("hands log lines to the Foreman with fields that are plain data", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    await foreman.run("log", null);
    const [line] = await poll(() => (foreman.log.length > 0 ? foreman.log : null), "a line");
    expect(line).toMatchObject({
      level: "info",
      message: "hello",
      fields: {
        worker: "async-1",
        app: "test",
        step: "log",
        attempt: 1,
        answer: 42,
        error: { name: "Error", message: "shown" },
        nested: { fn: "a function" },
      },
    });
  });

  it("finishes what it was given when told to stop, and ends with code 0", async () => {
    await using foreman = new FakeForeman("steps", { slots: 2, ringBytes: 2 ** 14 });
    await foreman.ready;
    for (let counter = 1; counter <= 20; counter++)
      foreman.give(counter % 2 === 0 ? "sleep" : "bytes", 1 + counter * 10, counter);
    foreman.stop();
    expect(await within(foreman.exited, "the end")).toBe(0);
    expect(foreman.reported.length).toBe(20);
    expect(foreman.reported.every(({ kind }) => kind === "completed")).toBe(true);
  });
});

describe("what belongs to no Attempt", () => {
  for (const [step, text] of [
    ["throw-later", "RangeError: thrown by a timer"],
    ["reject-later", "RangeError: rejected beside"],
  ] as const) {
    it(`(${step}) ends the thread with code 1, a log line and its stack`, async () => {
      await using foreman = new FakeForeman("steps");
      await foreman.ready;
      foreman.give("echo", 1, 1);
      const lost = foreman.give(step, null, 2);
      foreman.publish();
      expect(await within(foreman.exited, "the end")).toBe(1);
      const line = foreman.log.find(({ level }) => level === "error");
      expect(line?.message).toBe("an error that belongs to no Attempt ends this Worker");
      const { stack } = (line?.fields.error ?? {}) as { stack?: string };
      expect(stack).toContain(text);
      expect(stack).toContain("modules/steps.js");
      // What was finished is not lost with it, and what was not says so by its seat.
      expect(foreman.reported.map(({ counter }) => counter)).toEqual([1]);
      expect(foreman.seats.stateOf(lost)).toBe(2);
    });
  }

  it("process.exit ends only the thread, with what was finished told", async () => {
    await using foreman = new FakeForeman("steps");
    await foreman.ready;
    await warmUp(foreman, "sync");
    const before = foreman.reported.length;
    for (let counter = 1; counter <= 100; counter++) foreman.give("sync", counter, counter);
    foreman.give("exit", null, 101);
    foreman.publish();
    expect(await within(foreman.exited, "the end")).toBe(3);
    expect(foreman.reported.slice(before).map(({ counter }) => counter)).toEqual(
      Array.from({ length: 100 }, (_, i) => i + 1),
    );
  });
});

/** Runs a Step until it takes next to no time. */
async function warmUp(foreman: FakeForeman, step: string): Promise<void> {
  for (let round = 0; round < 10; round++) {
    const before = foreman.reported.length;
    for (let counter = 1; counter <= 200; counter++) foreman.give(step, counter, counter);
    foreman.publish();
    await foreman.outcomes(before + 200);
  }
}

describe("a blocking Worker", () => {
  it("tells each outcome before it begins the next Attempt", async () => {
    await using foreman = new FakeForeman("steps", { kind: "blocking", slots: 1 });
    await foreman.ready;
    await warmUp(foreman, "cpu");
    const before = foreman.reported.length;
    foreman.give("cpu", "first", 1);
    const long = foreman.give("spin", 600, 2);
    const last = foreman.give("cpu", "last", 3);
    foreman.publish();
    await poll(() => (foreman.seats.read(CURRENT) === long + 1 ? true : null), "the long one");
    await foreman.outcomes(before + 1);
    expect(foreman.reported.slice(before)).toMatchObject([{ counter: 1, value: "first" }]);
    expect(foreman.seats.read(CURRENT)).toBe(long + 1);
    // What waits behind it can still be taken away.
    expect(foreman.takeBack(last)).toBe(true);
    await foreman.end(long);
    await poll(() => (foreman.seats.stateOf(last) === 0 ? true : null), "the passing over");
    expect(foreman.reported.length).toBe(before + 2);
  });
});
