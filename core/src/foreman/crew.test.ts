/** The crew and its pools with Workers the test plays, on a clock that moves when told. */
import { describe, expect, it } from "vitest";
import { decode, encode } from "../base/codec.js";
import type { RemoteError } from "../base/errors.js";
import { silentLogger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { encodeEnvelope } from "../engine/envelope.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { Claim } from "../engine/transitions.js";
import { createCounters } from "../queue/counters.js";
import { FakeLine } from "../testing/fake-line.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Registry } from "../workflow/registry.js";
import { defineStep, type PoolKind } from "../workflow/step.js";
import { Crew, type CrewLimits, type SquadSpec, WATCH_MS } from "./crew.js";
import type { WorkerPool } from "./worker-pool.js";

const NO_LIMITS: CrewLimits = {
  maxRssMb: Number.POSITIVE_INFINITY,
  maxOperations: Number.POSITIVE_INFINITY,
  maxAgeMs: Number.POSITIVE_INFINITY,
  stuckAfterMs: 30_000,
};

const ASYNC: SquadSpec = { kind: "async", count: 2, slots: 2, queues: ["async"] };
const BLOCKING: SquadSpec = { kind: "blocking", count: 2, slots: 1, queues: ["blocking"] };

/** Lets promise callbacks run. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

function setUp(squads: readonly SquadSpec[] = [ASYNC], limits: Partial<CrewLimits> = {}) {
  const clock = new ManualClock();
  const registry = new Registry();
  registry.register(defineStep("io", { kind: "async", retries: 0, timeout: "2s" }, () => 1, undefined));
  registry.register(defineStep("long", { kind: "async", retries: 0, timeout: "none" }, () => 1, undefined));
  registry.register(defineStep("cpu", { kind: "blocking", retries: 1, retryDelay: 7 }, () => 1, undefined));
  const lines: FakeLine[] = [];
  const ends: string[] = [];
  const errors = new Map<number, RemoteError>();
  const counters = createCounters();
  const readOf = (value: Uint8Array) => decode(decodeOutcome(value).value) as RemoteError;
  const lapsed = new Set<string>();
  const crew = new Crew({
    squads,
    isLapsed: (segment) => lapsed.has(segment),
    limits: { ...NO_LIMITS, ...limits },
    openLine: (_kind, id, _slots, events) => {
      const line = new FakeLine(id, events);
      lines.push(line);
      return line;
    },
    ...{ registry, clock, counters, log: silentLogger, random: seededRandom(1) },
    port: {
      completed: ({ claim }) => ends.push(`${claim.counter} completed`),
      failed: ({ claim }, value, retryInMs) => {
        errors.set(claim.counter, readOf(value));
        ends.push(`${claim.counter} failed${retryInMs === null ? "" : `, again in ${retryInMs}`}`);
      },
      released: ({ claim }, delayMs) => ends.push(`${claim.counter} released${delayMs === null ? "" : " for later"}`),
      progressed: () => undefined,
    },
    hungry: () => undefined,
    asked: () => undefined,
    gone: () => undefined,
  });
  const pool = (kind: PoolKind): WorkerPool => {
    const found = crew.pools.find((one) => one.kind === kind);
    if (found === undefined) throw new Error(`no pool of kind ${kind}`);
    return found;
  };
  let token = 0;
  const claim = (step: string, counters: readonly number[], parts: Partial<Claim> = {}): Claim[] => {
    token++;
    const queue = step === "cpu" ? "blocking" : "async";
    return counters.map((counter) => ({
      ...{ lane: 1, counter, token, laneName: "x.01", queue, priority: 0, attempt: 1, generation: 0, recoveries: 0 },
      body: encodeEnvelope(step, clock.nowMs(), null, null),
      ...parts,
    }));
  };
  /** The living line of a name. */
  const line = (id: string): FakeLine => {
    const found = lines.filter((one) => one.id === id && !one.isOver).at(-1);
    if (found === undefined) throw new Error(`no line ${id}`);
    return found;
  };
  /** Moves time, with the Watch looking as often as it does; beats wherever nothing is said against it. */
  const pass = async (ms: number, still: readonly string[] = []) => {
    for (let left = ms; left > 0; left -= WATCH_MS) {
      clock.moveTo(clock.nowMs() + Math.min(left, WATCH_MS));
      for (const one of lines) if (!still.includes(one.id)) one.beat();
      crew.watch();
      await turns();
    }
  };
  const start = async () => {
    const starting = crew.start();
    for (const one of lines) one.ready();
    await starting;
  };
  return { crew, clock, registry, lines, line, ends, errors, counters, lapsed, pool, claim, pass, start };
}

describe("X15: a pool", () => {
  it("gathers per key over all Segments and gives a batch to one Worker, for one slot of it", async () => {
    const { pool, claim, start, lines, clock, ends, registry } = setUp();
    const batch = { maxSize: 3, wait: "1s", key: "k" };
    registry.register(defineStep("many", { kind: "async", batch }, async () => [], undefined, undefined, true));
    await start();
    const of = (counters: readonly number[], key: string) =>
      claim("many", counters, { body: encodeEnvelope("many", clock.nowMs(), encode({ batch: key }), null) });
    pool("async").push("s", [...of([1, 2], "a"), ...of([3], "b")]);
    expect(lines.flatMap(({ waiting }) => waiting)).toEqual([]);
    expect(pool("async")).toMatchObject({ running: 0, buffered: 0, gathering: 3 });
    pool("async").push("elsewhere", of([4], "a"));
    const [busy] = lines.filter(({ waiting }) => waiting.length > 0);
    expect(busy?.waiting.map(({ counter }) => counter)).toEqual([1, 2, 4]);
    // Three of four slots are free.
    pool("async").push("s", claim("long", [5, 6, 7, 8]));
    expect(pool("async")).toMatchObject({ running: 6, buffered: 1, gathering: 1 });
    for (const one of lines) one.beginAll();
    clock.moveTo(clock.nowMs() + 1_000);
    expect(pool("async")).toMatchObject({ running: 6, buffered: 2, gathering: 0 });
    for (const counter of [1, 2]) busy?.complete(counter);
    expect(pool("async")).toMatchObject({ running: 4, buffered: 2 });
    busy?.complete(4);
    expect(pool("async")).toMatchObject({ running: 4, buffered: 1 });
    expect(ends).toEqual(["1 completed", "2 completed", "4 completed"]);
    expect(pool("async").takeUnstarted(0)).toHaveLength(1);
  });

  it("lets those of a batch that killed its Worker run alone", async () => {
    const { pool, claim, start, line, ends, registry, pass } = setUp([{ ...ASYNC, count: 1 }]);
    const batch = { maxSize: 3, wait: "1s" };
    registry.register(
      defineStep("many", { kind: "async", batch, retries: 0 }, async () => [], undefined, undefined, true),
    );
    await start();
    pool("async").push("s", claim("many", [1, 2, 3]));
    const first = line("async-1");
    first.beginAll();
    first.exit({ code: 1 });
    expect(ends).toEqual(["1 released", "2 released", "3 released"]);
    await pass(1_000);
    line("async-1").ready();
    pool("async").push("s", claim("many", [1, 2, 3]));
    expect(line("async-1").waiting.map(({ counter }) => counter)).toEqual([1]);
  });
});

describe("a Lease that has lapsed", () => {
  it("lets nothing begin that waits here: it may be another's by now", async () => {
    const { pool, claim, start, lapsed, lines, ends } = setUp();
    await start();
    lapsed.add("s");
    pool("async").push("s", claim("io", [5, 6]));
    pool("async").push("elsewhere", claim("io", [7]));
    expect(ends).toEqual(["5 released", "6 released"]);
    expect(lines.flatMap(({ waiting }) => waiting.map(({ counter }) => counter))).toEqual([7]);
  });
});

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe("a start", () => {
  it("resolves when every Worker is ready", async () => {
    const { crew, lines } = setUp([ASYNC, BLOCKING]);
    let isStarted = false;
    const starting = crew.start().then(() => {
      isStarted = true;
    });
    for (const line of lines.slice(1)) line.ready();
    await turns();
    expect(isStarted).toBe(false);
    lines[0]?.ready();
    await starting;
    expect(crew.workers().map(({ id, state }) => `${id} ${state}`)).toEqual([
      "async-1 open",
      "async-2 open",
      "blocking-1 open",
      "blocking-2 open",
    ]);
  });

  it("names who is missing after half a minute, and why, and leaves nobody behind", async () => {
    const { crew, clock, lines } = setUp([ASYNC, BLOCKING]);
    const starting = expect(crew.start()).rejects.toMatchObject({
      code: "MR_WORKERS_NOT_READY",
      message:
        "2 Worker(s) were not ready within 30000 ms: async-2 (the module is still being imported), blocking-1 (out of memory)",
    });
    lines[0]?.ready();
    lines[3]?.ready();
    const died = Object.assign(new Error("x"), { code: "ERR_WORKER_OUT_OF_MEMORY" });
    for (let turn = 0; turn < 40; turn++) {
      for (const line of lines) if (line.id === "blocking-1") line.exit({ code: 1, error: died });
      clock.moveTo(clock.nowMs() + 1_000);
      await turns();
    }
    for (const line of lines) line.exit();
    await starting;
    expect(lines.every((line) => line.isOver)).toBe(true);
    expect(crew.workers()).toEqual([]);
  });

  it("fails at once when a Worker cannot run the module", async () => {
    const { crew, lines } = setUp();
    const starting = expect(crew.start()).rejects.toMatchObject({ code: "MR_MODULE_FAILED", message: "no such file" });
    lines[1]?.failed("no such file");
    lines[1]?.exit({ code: 1 });
    await turns();
    await starting;
    expect(lines.every((line) => line.isOver)).toBe(true);
  });
});

describe("a pool", () => {
  it("gives to whom has most free slots and no more than slots while nothing is measured", async () => {
    const { pool, claim, line, start } = setUp();
    await start();
    pool("async").push("s", claim("io", range(1, 9)));
    expect(line("async-1").waiting.map((run) => run.counter)).toEqual([1, 3]);
    expect(line("async-2").waiting.map((run) => run.counter)).toEqual([2, 4]);
    expect(pool("async")).toMatchObject({ running: 4, buffered: 5 });
  });

  it("hands on what follows, in order, and frees each seat", async () => {
    const { pool, claim, lines, start, ends } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 300)));
    const [line] = lines;
    for (let round = 0; round < 150; round++) for (const counter of line?.beginAll() ?? []) line?.complete(counter);
    expect(ends).toEqual(range(1, 300).map((counter) => `${counter} completed`));
    expect(pool("async")).toMatchObject({ running: 0, buffered: 0 });
  });

  it("gives ahead of slots once Operations are short, and moves what waits when another Worker is idle", async () => {
    const { pool, claim, line, start, clock, counters } = setUp();
    await start();
    pool("async").push("s", claim("io", range(1, 40)));
    const [one, two] = [line("async-1"), line("async-2")];
    for (const each of [one, two]) for (const counter of each.beginAll()) each.complete(counter);
    expect(one.waiting.length).toBeGreaterThan(2);
    // The first begins two and hangs; the second does all it has.
    one.begin();
    one.begin();
    const held = one.waiting.length;
    expect(held).toBeGreaterThan(0);
    for (let begun = two.beginAll(); begun.length > 0; begun = two.beginAll())
      for (const each of begun) two.complete(each);
    clock.moveTo(clock.nowMs() + 4);
    for (let round = 0; round < 40; round++) {
      for (const each of two.beginAll()) two.complete(each);
      clock.moveTo(clock.nowMs() + 4);
    }
    expect(pool("async")).toMatchObject({ running: 2, buffered: 0 });
    expect(one.running.size).toBe(2);
    expect(counters.get("takenBack")).toBeGreaterThanOrEqual(held);
    expect(one.beginAll()).toEqual([]);
  });

  it("gives a Worker that turned slow nothing ahead until it has ended something", async () => {
    const { pool, claim, line, start, clock } = setUp([{ ...ASYNC, slots: 1 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 4)));
    const [one, two] = [line("async-1"), line("async-2")];
    for (const each of [one, two]) each.complete(each.begin() as number);
    // Work is short, so each has more than its slot; then the first takes its time and the second goes on.
    pool("async").push("s", claim("io", range(5, 1_500)));
    const slow = one.begin() as number;
    let last = 0;
    for (let ms = 0; ms < 30; ms++) {
      for (let many = 0; many < 10; many++) {
        const counter = two.begin();
        if (counter === null) continue;
        two.complete(counter);
        last = counter;
      }
      clock.moveTo(clock.nowMs() + 1);
    }
    expect(last).toBeGreaterThan(5);
    // What waited behind the slow one has gone to the other, and nothing followed it.
    expect(pool("async").running - two.waiting.length).toBeLessThanOrEqual(2);
    expect(one.begin()).toBeNull();
    one.complete(slow);
    expect(one.waiting.length).toBeGreaterThan(0);
  });

  it("takes back what waits for too long, oldest first, and leaves alone what has begun", async () => {
    const { pool, claim, line, start, clock, crew } = setUp([{ ...ASYNC, count: 1, slots: 4 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 6)));
    const one = line("async-1");
    one.begin();
    clock.moveTo(clock.nowMs() + 1_000);
    pool("async").push("t", claim("io", [7]));
    expect(pool("async").takeUnstarted(1_000)).toEqual([
      { segment: "s", claims: range(2, 6).map((counter) => expect.objectContaining({ counter })) },
    ]);
    expect(pool("async")).toMatchObject({ running: 1, buffered: 1 });
    crew.pools[0]?.pump();
    // The records of what was taken back lie in front of the new one: they begin nothing.
    expect(one.beginAll()).toEqual([7]);
  });

  it("does not give a seat again before its old record was passed", async () => {
    const { pool, claim, line, start } = setUp([{ ...ASYNC, count: 1, slots: 1_024 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 1_024)));
    expect(pool("async").takeUnstarted(0)[0]?.claims).toHaveLength(1_024);
    pool("async").push("s", claim("io", range(2_001, 3_024)));
    const one = line("async-1");
    // All seats are in the way of records that were taken back, so nothing new was given.
    expect(pool("async")).toMatchObject({ running: 0, buffered: 1_024 });
    expect(one.beginAll()).toEqual([]);
    pool("async").pump();
    expect(one.beginAll()).toEqual(range(2_001, 3_024));
  });

  it("passes on what is for the other kind and then leaves that Queue out while the other has plenty", async () => {
    const both = ["shared"];
    const { pool, claim, line, start } = setUp([
      { ...ASYNC, queues: ["async", "shared"] },
      { ...BLOCKING, queues: both },
    ]);
    await start();
    pool("async").push("s", claim("cpu", range(1, 8), { queue: "shared" }));
    expect(line("blocking-1").waiting.map((run) => run.counter)).toEqual([1]);
    expect(line("blocking-2").waiting.map((run) => run.counter)).toEqual([2]);
    expect(pool("async").queues).toEqual(["async"]);
    for (let done = 0; done < 6; done++) {
      const worker = line(`blocking-${1 + (done % 2)}`);
      worker.complete(worker.begin() as number);
    }
    expect(pool("async").queues).toEqual(["async", "shared"]);
  });

  it("releases what is cancelled before it began and tells what runs", async () => {
    const { pool, claim, line, start, ends } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 4)));
    const one = line("async-1");
    one.begin();
    pool("async").abortWhere(
      "s",
      range(1, 3).map((counter) => ({ lane: 1, counter })),
      "cancel",
    );
    expect(ends).toEqual(["2 released", "3 released"]);
    expect(one.aborts).toEqual(["1 cancel"]);
    expect(one.beginAll()).toEqual([4]);
  });

  it("claims nothing when no Worker is open", async () => {
    const { pool, start, lines } = setUp();
    expect(pool("async").room(1)).toBe(0);
    await start();
    expect(pool("async").room(1)).toBe(4);
    for (const line of lines) line.exit({ code: 1 });
    expect(pool("async").room(1)).toBe(0);
  });
});

describe("B13: a Worker that ends", () => {
  it("is settled on its exit: unbegun work waits again, the one being called fails, the others are released", async () => {
    const { pool, claim, line, start, ends, errors } = setUp([{ ...ASYNC, count: 2, slots: 3 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 6)));
    const [one, two] = [line("async-1"), line("async-2")];
    one.begin();
    one.begin();
    one.call(3);
    one.exit({ code: 3 });
    expect(ends).toEqual(["1 released", "3 failed"]);
    expect(errors.get(3)).toMatchObject({
      code: "MR_WORKER_LOST",
      message: expect.stringContaining("process.exit(3)"),
    });
    for (const counter of two.beginAll()) two.complete(counter);
    expect(two.beginAll()).toEqual([5]);
  });

  it("counts what it published before", async () => {
    const { pool, claim, line, start, ends } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("cpu", []));
    pool("async").push("s", claim("io", [1, 2]));
    const one = line("async-1");
    one.beginAll();
    one.complete(1);
    one.exit({ code: 1 });
    expect(ends).toEqual(["1 completed", "2 failed"]);
  });

  it("is judged like any failed Attempt: it is tried again while there are retries", async () => {
    const { pool, claim, line, start, ends } = setUp([BLOCKING]);
    await start();
    pool("blocking").push("s", claim("cpu", [1]));
    line("blocking-1").begin();
    line("blocking-1").exit({ code: 1 });
    expect(ends).toEqual(["1 failed, again in 7"]);
    pool("blocking").push("s", claim("cpu", [1], { attempt: 2 }));
    line("blocking-2").begin();
    line("blocking-2").exit({ code: 1 });
    expect(ends.at(-1)).toBe("1 failed");
  });

  it("regression: leaky Workers are kept, dying ones are forked in a storm: the next comes at once, or after growing waits", async () => {
    const { lines, start, clock, pass } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    await pass(10_000);
    lines[0]?.exit({ code: 1 });
    expect(lines).toHaveLength(2);
    for (const [i, waitMs] of [200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000].entries()) {
      lines.at(-1)?.ready();
      lines.at(-1)?.exit({ code: 1 });
      clock.moveTo(clock.nowMs() + waitMs - 1);
      expect(lines).toHaveLength(2 + i);
      clock.moveTo(clock.nowMs() + 1);
      expect(lines).toHaveLength(3 + i);
    }
    lines.at(-1)?.ready();
    await pass(10_000);
    lines.at(-1)?.exit({ code: 1 });
    expect(lines).toHaveLength(13);
  });
});

it("B13: a Worker that dies of its Operations is replaced after the same short wait each time", async () => {
  const { pool, claim, lines, start, clock } = setUp([{ ...ASYNC, count: 1 }]);
  await start();
  for (let death = 1; death <= 20; death++) {
    pool("async").push("s", claim("io", [death]));
    const line = lines.at(-1) as FakeLine;
    line.begin();
    line.exit({ code: 1 });
    clock.moveTo(clock.nowMs() + 199);
    expect(lines).toHaveLength(death);
    clock.moveTo(clock.nowMs() + 1);
    expect(lines).toHaveLength(death + 1);
    lines.at(-1)?.ready();
  }
});

describe("X8: suspects", () => {
  it("run alone after a death without a culprit; the next death names it, the innocent end unharmed", async () => {
    const { pool, claim, line, lines, start, ends, errors, pass, clock } = setUp([{ ...ASYNC, slots: 3 }]);
    await start();
    pool("async").push("s", claim("io", range(1, 6)));
    for (const one of lines) one.beginAll();
    line("async-1").exit({ code: 9 });
    expect(ends).toEqual(["1 released", "3 released", "5 released"]);
    // They are claimed again, behind them fresh work.
    pool("async").push("s", claim("io", [1, 3, 5, 7, 8]));
    clock.moveTo(clock.nowMs() + 200);
    line("async-1").ready();
    const alone: number[][] = [];
    for (let round = 0; round < 30 && !ends.includes("5 completed"); round++) {
      for (const one of lines.filter((each) => !each.isOver)) {
        one.beginAll();
        const here = [...one.running.keys()];
        if (here.some((counter) => [1, 3, 5].includes(counter))) alone.push(here);
        if (here.includes(3)) one.exit({ code: 9 });
        else for (const counter of here) one.complete(counter);
      }
      await pass(WATCH_MS);
      for (const one of lines) if (!one.isOver) one.ready();
    }
    expect(alone).toEqual([[1], [3], [5]]);
    expect(ends.filter((end) => end.includes("failed"))).toEqual(["3 failed"]);
    expect(errors.get(3)?.message).toContain("process.exit(9)");
    for (const counter of [1, 2, 4, 5, 6, 7, 8]) expect(ends).toContain(`${counter} completed`);
  });

  it("never include an innocent among the failed, whoever dies when", async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seededRandom(seed);
      const { pool, claim, lines, start, ends, pass, clock } = setUp([{ ...ASYNC, count: 3, slots: 4 }]);
      await start();
      const poison = new Set([Math.floor(random.next() * 30), Math.floor(random.next() * 30)]);
      let ready = range(0, 29);
      const over = () =>
        new Set(ends.filter((end) => /completed|failed/.test(end)).map((end) => Number.parseInt(end, 10)));
      for (let round = 0; round < 600 && over().size < 30; round++) {
        // What was released is claimed again, as the store would give it.
        const released = ends.filter((end) => end.includes("released")).map((end) => Number.parseInt(end, 10));
        for (const [i, end] of [...ends.entries()].reverse()) if (end.includes("released")) ends.splice(i, 1);
        ready = [...released, ...ready];
        const count = Math.max(0, Math.min(ready.length, pool("async").room(1)));
        pool("async").push("s", claim("io", ready.splice(0, count)));
        for (const line of lines.filter((one) => !one.isOver)) {
          if (random.next() < 0.5) line.begin();
          for (const counter of [...line.running.keys()]) {
            if (random.next() < 0.6) continue;
            if (poison.has(counter)) {
              line.exit({ code: 1 });
              break;
            }
            line.complete(counter);
          }
        }
        if (round % 5 === 0) await pass(WATCH_MS);
        clock.moveTo(clock.nowMs() + 100);
        for (const line of lines) if (!line.isOver) line.ready();
      }
      const failed = ends.filter((end) => end.includes("failed")).map((end) => Number.parseInt(end, 10));
      expect({ seed, failed: failed.sort((a, b) => a - b), over: over().size }).toEqual({
        seed,
        failed: [...poison].sort((a, b) => a - b),
        over: 30,
      });
    }
  });

  it("are not those whose Foremen died twice: how many of them are here is decided before, and they wait for no Worker to be empty", async () => {
    const { pool, claim, line, start } = setUp([ASYNC, BLOCKING]);
    await start();
    pool("async").push("s", claim("io", [1]));
    pool("async").push("s", claim("io", [2, 3, 4], { recoveries: 2 }));
    pool("blocking").push("s", claim("cpu", [5], { recoveries: 3 }));
    const all = ["async-1", "async-2", "blocking-1"].map(line);
    expect(all.map((one) => one.waiting.map((run) => run.counter))).toEqual([[1, 3], [2, 4], [5]]);
  });
});

describe("X2: the Watch", () => {
  it("ends a blocked Worker within a second of its Attempt's limit, with its stack", async () => {
    const { pool, claim, line, start, ends, errors, pass, counters } = setUp([{ ...ASYNC, slots: 3 }]);
    await start();
    pool("async").push("s", claim("io", [1]));
    pool("async").push("s", claim("long", [2, 3, 4, 5, 6]));
    const one = line("async-1");
    one.begin();
    one.begin();
    one.call(1);
    one.stack = "    at loop (file:///app.js:7:3)";
    await pass(1_900, ["async-1"]);
    expect(one.isKilled).toBe(false);
    await pass(1_000, ["async-1"]);
    expect(one.isKilled).toBe(true);
    expect(ends).toEqual(["1 failed", "3 released"]);
    expect(errors.get(1)).toMatchObject({
      code: "MR_TIMEOUT",
      message: "Attempt 1 of s.x.101 did not end within 2000 ms",
      stack: "MillraceError: Attempt 1 of s.x.101 did not end within 2000 ms\n    at loop (file:///app.js:7:3)",
    });
    expect(counters.get("workersStuck")).toBe(1);
  });

  it("ends a blocked Worker whose Attempt was cancelled, once its grace is over: nobody there hears an abort", async () => {
    const { lines, line, ends, errors, pool, claim, pass, start } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("long", [1]));
    const one = line("async-1");
    one.begin();
    await pass(20_000, ["async-1"]);
    pool("async").abortWhere("s", [{ lane: 1, counter: 1 }], "cancel");
    await pass(4_500, ["async-1"]);
    expect(one.isKilled).toBe(false);
    await pass(1_000, ["async-1"]);
    expect(lines[0]?.isOver).toBe(true);
    expect(ends).toEqual(["1 failed"]);
    expect(errors.get(1)?.code).toBe("MR_OPERATION_CANCELLED");
  });

  it("settles nothing before the exit: what is blamed stays its own until the thread is gone", async () => {
    const { pool, claim, line, start, ends, pass } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("io", [1, 2, 3]));
    const one = line("async-1");
    one.diesWhenKilled = false;
    one.begin();
    one.call(1);
    await pass(20_000, ["async-1"]);
    expect(one.isKilled).toBe(true);
    expect(ends).toEqual([]);
    // What had not begun was taken back before: nobody else could begin it meanwhile but a Worker that lives.
    expect(pool("async")).toMatchObject({ running: 1, buffered: 2 });
    one.exit({ code: 1 });
    expect(ends).toEqual(["1 failed"]);
  });

  it("lets a CPU loop of a minute go on within its limit, and a slow handler whatever its limit", async () => {
    const { pool, claim, line, start, ends, pass } = setUp([ASYNC, BLOCKING]);
    await start();
    pool("blocking").push("s", claim("cpu", [1]));
    pool("async").push("s", claim("io", [2]));
    const [cpu, io] = [line("blocking-1"), line("async-1")];
    cpu.begin();
    cpu.call(1);
    io.begin();
    await pass(60_000, ["blocking-1"]);
    expect([cpu.isKilled, io.isKilled]).toEqual([false, false]);
    cpu.complete(1);
    expect(ends).toEqual(["1 completed"]);
  });

  it("regression: the beat renews a hung Worker: one that stands still for long is ended, also without a limit", async () => {
    const { pool, claim, line, start, ends, errors, pass } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("long", [1]));
    const one = line("async-1");
    one.begin();
    one.call(1);
    await pass(29_500, ["async-1"]);
    expect(one.isKilled).toBe(false);
    await pass(1_000, ["async-1"]);
    expect(ends).toEqual(["1 failed"]);
    expect(errors.get(1)?.code).toBe("MR_TIMEOUT");
  });

  it("blames nobody for time in which the whole process stood still", async () => {
    const { pool, claim, line, start, clock, crew, pass } = setUp([{ ...ASYNC, count: 1 }]);
    await start();
    pool("async").push("s", claim("long", [1]));
    const one = line("async-1");
    one.begin();
    await pass(1_000);
    clock.moveTo(clock.nowMs() + 3_600_000);
    crew.watch();
    await pass(5_000);
    expect(one.isKilled).toBe(false);
  });
});

describe("the mix", () => {
  it("changes while work goes on: slots at once, Workers softly", async () => {
    const { crew, pool, claim, lines, line, start } = setUp([{ ...ASYNC, count: 1, slots: 4 }, BLOCKING]);
    await start();
    pool("async").push("s", claim("io", range(1, 16)));
    expect(line("async-1").waiting).toHaveLength(4);
    crew.applyMix({ blocking: 1, async: 1, slots: 16 });
    expect(line("async-1").slots).toBe(16);
    expect(line("async-1").waiting).toHaveLength(16);
    expect(line("blocking-1").isStopped !== line("blocking-2").isStopped).toBe(true);
    for (const one of lines) if (one.isStopped) one.exit({ code: 0 });
    expect(crew.mix).toEqual({ blocking: 1, async: 1, slots: 16 });
    expect(crew.workers().map(({ id }) => id.replace(/\d/, ""))).toEqual(["async-", "blocking-"]);
    crew.applyMix({ blocking: 3, async: 2, slots: 2 });
    expect(crew.workers()).toHaveLength(5);
    expect(lines.filter((one) => one.isKilled)).toEqual([]);
  });

  it("a Worker too many finishes what it has", async () => {
    const { crew, pool, claim, line, start, ends, pass } = setUp([{ ...ASYNC, slots: 1 }]);
    await start();
    pool("async").push("s", claim("long", [1, 2]));
    for (const id of ["async-1", "async-2"]) line(id).begin();
    crew.applyMix({ blocking: 0, async: 1, slots: 1 });
    const closing = ["async-1", "async-2"].map(line).find((one) => one.isStopped) as FakeLine;
    await pass(120_000);
    expect(closing.isKilled).toBe(false);
    const [counter] = closing.running.keys();
    closing.complete(counter as number);
    closing.exit({ code: 0 });
    expect(ends).toEqual([`${counter} completed`]);
    await pass(60_000);
    expect(crew.workers()).toHaveLength(1);
  });
});

describe("B13: recycling", () => {
  for (const [reason, limits, spoil] of [
    ["its heap", { maxRssMb: 100 }, (line: FakeLine) => Object.assign(line, { heapKb: 100 * 1_024 + 1 })],
    ["its age", { maxAgeMs: 60_000 }, () => undefined],
    ["a handler that never ends", {}, (line: FakeLine) => Object.assign(line, { isDirty: true })],
  ] as const) {
    it(`for ${reason}: another Worker is ready before the old one is told to end`, async () => {
      const { crew, pool, claim, lines, start, pass, ends } = setUp([{ ...ASYNC, count: 1 }], limits);
      await start();
      await pass(1_000);
      const [old] = lines as [FakeLine];
      pool("async").push("s", claim("long", [1]));
      old.begin();
      spoil(old);
      await pass(60_000);
      expect(lines).toHaveLength(2);
      expect(old.isStopped).toBe(false);
      lines[1]?.ready();
      expect(old.isStopped).toBe(true);
      pool("async").push("s", claim("io", [2]));
      expect(lines[1]?.waiting).toHaveLength(1);
      old.complete(1);
      old.exit({ code: 0 });
      await pass(1_000);
      expect(crew.workers()).toHaveLength(1);
      expect(ends).toEqual(["1 completed"]);
    });
  }

  it("does not chase its own tail when every Worker's heap is over the limit from the start", async () => {
    const { lines, start, pass } = setUp([{ ...ASYNC, count: 1 }], { maxRssMb: 100 });
    await start();
    for (let quarter = 0; quarter < 240; quarter++) {
      for (const line of lines) {
        Object.assign(line, { heapKb: 200 * 1_024 });
        if (line.isStopped && !line.isOver) line.exit({ code: 0 });
      }
      lines.at(-1)?.ready();
      await pass(WATCH_MS);
    }
    expect(lines.length).toBeLessThan(8);
  });

  it("ends by force a Worker that has nothing to do and does not end", async () => {
    const { crew, lines, start, pass } = setUp([{ ...ASYNC, count: 1 }], { maxAgeMs: 60_000 });
    await start();
    await pass(61_000);
    lines[1]?.ready();
    await pass(4_500);
    expect(lines[0]?.isKilled).toBe(false);
    await pass(1_000);
    expect(lines[0]?.isOver).toBe(true);
    expect(crew.workers()).toHaveLength(1);
  });
});

describe("a stop", () => {
  it("ends Workers softly, then by force, and does not wait for ever for one that cannot be ended", async () => {
    const { crew, lines, clock, start } = setUp([{ ...ASYNC, count: 3 }]);
    await start();
    const [quick, slow, never] = lines as [FakeLine, FakeLine, FakeLine];
    never.diesWhenKilled = false;
    let isStopped = false;
    void crew.stop().then(() => {
      isStopped = true;
    });
    expect(lines.map((line) => line.isStopped)).toEqual([true, true, true]);
    quick.exit({ code: 0 });
    clock.moveTo(clock.nowMs() + 4_999);
    await turns();
    expect(slow.isKilled).toBe(false);
    clock.moveTo(clock.nowMs() + 1);
    await turns();
    expect([slow.isOver, never.isKilled, isStopped]).toEqual([true, true, false]);
    clock.moveTo(clock.nowMs() + 5_000);
    await turns();
    expect(isStopped).toBe(true);
    expect(lines).toHaveLength(3);
  });

  it("that gives up releases all that still ran, and blames nobody, once the threads are gone", async () => {
    const { pool, claim, lines, start, ends } = setUp([ASYNC]);
    await start();
    pool("async").push("s", claim("io", range(1, 4)));
    for (const line of lines) {
      line.diesWhenKilled = false;
      line.beginAll();
      line.call(1);
    }
    let isGone = false;
    void pool("async")
      .giveUp()
      .then(() => {
        isGone = true;
      });
    await turns();
    expect([isGone, ends]).toEqual([false, []]);
    for (const line of lines) line.exit({ code: 1 });
    await turns();
    expect(isGone).toBe(true);
    expect([...ends].sort()).toEqual(["1 released", "2 released", "3 released", "4 released"]);
  });
});
