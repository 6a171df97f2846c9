/** The inline Worker against handlers that misbehave: every Attempt gets one outcome, every slot comes back. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.js";
import { RetryAfter, TerminalError } from "../base/errors.js";
import { silentLogger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { encodeEnvelope } from "../engine/envelope.js";
import type { Claim } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Registry } from "../workflow/registry.js";
import { defineStep, type StepFunction, type StepOptions } from "../workflow/step.js";
import { InlineWorker, type SeatKeeper } from "./inline.js";

function setUp(fn: StepFunction<unknown, unknown>, seats?: SeatKeeper, more: StepOptions = {}) {
  const registry = new Registry();
  registry.register(defineStep("odd", { kind: "async", retries: 1, retryDelay: 7, ...more }, fn, undefined));
  const outcomes: string[] = [];
  const worker = new InlineWorker({
    registry,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    slots: 1,
    hungry: () => undefined,
    began: () => undefined,
    ...(seats === undefined ? {} : { seats }),
    port: {
      completed: ({ claim }) => outcomes.push(`${claim.counter} completed`),
      failed: ({ claim }, _value, retryInMs) => outcomes.push(`${claim.counter} failed, retry in ${retryInMs}`),
      released: ({ claim }, delayMs) => outcomes.push(`${claim.counter} released for ${delayMs}`),
      progressed: ({ claim }) => outcomes.push(`${claim.counter} noted`),
    },
  });
  const claim = (counter: number): Claim => ({
    lane: 1,
    counter,
    token: counter,
    laneName: "x.01",
    queue: "async",
    priority: 0,
    attempt: 1,
    generation: 0,
    recoveries: 0,
    body: encodeEnvelope("odd", Date.now(), null, counter),
  });
  return { worker, outcomes, claim };
}

it("lets a handler take `progress` out of its context, and hears nothing after its end", async () => {
  let note: (done: number) => void = refuse;
  const { worker, outcomes, claim } = setUp((_, { progress }) => {
    note = progress;
    progress(1);
  });
  worker.push("s", [claim(1)]);
  await worker.whenIdle();
  note(2);
  expect(outcomes).toEqual(["1 noted", "1 completed"]);
});

describe("F3: onError", () => {
  const fail = () => {
    throw new TerminalError("no use");
  };

  it("gives the result where no Attempt is left, at once or later, with the input", async () => {
    for (const wrap of [(value: unknown) => value, async (value: unknown) => value]) {
      const asked: unknown[] = [];
      const onError = (error: Error, input: unknown) => {
        asked.push((error as Error & { code?: string }).code, input);
        return wrap("instead");
      };
      const { worker, outcomes, claim } = setUp(fail, undefined, { onError });
      worker.push("s", [claim(1)]);
      await worker.whenIdle();
      expect([asked, outcomes]).toEqual([["MR_TERMINAL", 1], ["1 completed"]]);
    }
  });

  it("is not asked while Attempts are left", async () => {
    const onError = () => expect.fail("asked too early");
    const throws = () => {
      throw new Error("again");
    };
    const { worker, outcomes, claim } = setUp(throws, undefined, { onError });
    worker.push("s", [claim(1)]);
    await worker.whenIdle();
    expect(outcomes).toEqual(["1 failed, retry in 7"]);
  });

  it("ends the Operation when it throws, rejects, or gives what cannot be kept, and is asked once", async () => {
    const broken = [
      () => {
        throw new Error("worse");
      },
      async () => {
        throw new RetryAfter("1s");
      },
      () => () => "a function",
    ];
    for (const way of broken) {
      let asked = 0;
      const onError = () => {
        asked++;
        return way();
      };
      const { worker, outcomes, claim } = setUp(fail, undefined, { onError });
      worker.push("s", [claim(1)]);
      await worker.whenIdle();
      expect([asked, outcomes]).toEqual([1, ["1 failed, retry in null"]]);
    }
  });
});

it("begins nothing that has waited long enough to be another's by now", async () => {
  const clock = new ManualClock();
  const registry = new Registry();
  let end: () => void = refuse;
  const begun: unknown[] = [];
  const fn = (input: unknown) => {
    begun.push(input);
    return new Promise<void>((resolve) => {
      end = resolve;
    });
  };
  registry.register(defineStep("odd", { kind: "async" }, fn, undefined));
  const taken: number[] = [];
  const worker: InlineWorker = new InlineWorker({
    ...{ registry, clock, slots: 1, log: silentLogger, random: seededRandom(1) },
    hungry: () => undefined,
    began: () => undefined,
    overdue: () => {
      for (const { claims } of worker.takeUnstarted(0)) taken.push(...claims.map(({ counter }) => counter));
    },
    port: {
      completed: () => undefined,
      failed: () => undefined,
      released: () => undefined,
      progressed: () => undefined,
    },
  });
  const { claim } = setUp(() => undefined);
  worker.push("s", [claim(1), claim(2), claim(3)]);
  clock.moveTo(clock.nowMs() + 5_000); // the process stood still
  end();
  await worker.whenIdle();
  expect({ begun, taken }).toEqual({ begun: [1], taken: [2, 3] });
});

/** An object whose `then` is this. */
function thenable(then: PropertyDescriptor): object {
  // biome-ignore lint/suspicious/noThenProperty: thenables are what is tested here
  return Object.defineProperty({}, "then", then);
}

function refuse(): never {
  throw new Error("no");
}

describe("a handler that returns a thenable", () => {
  it("whose `then` cannot be read fails its own Attempt and no other", async () => {
    const { worker, outcomes, claim } = setUp((n) => (n === 1 ? thenable({ get: refuse }) : n));
    worker.push("s", [claim(1), claim(2)]);
    await worker.whenIdle();
    expect(outcomes).toEqual(["1 failed, retry in 7", "2 completed"]);
  });

  it("whose `then` throws fails its own Attempt and no other", async () => {
    const { worker, outcomes, claim } = setUp((n) => (n === 1 ? thenable({ value: refuse }) : n));
    worker.push("s", [claim(1), claim(2)]);
    await worker.whenIdle();
    expect(outcomes).toEqual(["1 failed, retry in 7", "2 completed"]);
  });
});

describe("a handler that throws something odd", () => {
  const broken = new Proxy(
    {},
    {
      getPrototypeOf: () => {
        throw new Error("no");
      },
    },
  );
  const values: [string, unknown][] = [
    ["null", null],
    ["a Symbol", Symbol("s")],
    ["an object without a prototype", Object.create(null)],
    ["a Proxy that refuses", broken],
  ];
  for (const [name, value] of values) {
    it(`(${name}) is tried again like any other`, async () => {
      const { worker, outcomes, claim } = setUp(() => {
        throw value;
      });
      worker.push("s", [claim(1)]);
      await worker.whenIdle();
      expect(outcomes).toEqual(["1 failed, retry in 7"]);
    });
  }
});

describe("a Worker that keeps seats", () => {
  function keeper(takenBack: readonly number[] = []) {
    const log: string[] = [];
    let turnIsOver = false;
    const seats: SeatKeeper = {
      begin: ({ counter }, limitMs) => {
        log.push(`begin ${counter} of ${limitMs} ms`);
        return !takenBack.includes(counter);
      },
      entered: ({ counter }) => log.push(`entered ${counter}`),
      left: () => log.push("left"),
      ended: () => log.push("ended"),
      abandoned: (by) => log.push(`abandoned ${by}`),
      isTurnOver: () => turnIsOver,
      keep: () => undefined,
      turned: () => {
        log.push("turned");
        turnIsOver = false;
      },
    };
    return {
      seats,
      log,
      endTurn: () => {
        turnIsOver = true;
      },
    };
  }

  it("asks before each begin, and shows while it calls the handler", async () => {
    const { seats, log } = keeper();
    const { worker, claim } = setUp((n) => {
      log.push(`handler ${n}`);
      return n;
    }, seats);
    worker.push("s", [claim(1)]);
    await worker.whenIdle();
    expect(log).toEqual(["turned", "begin 1 of 300000 ms", "entered 1", "handler 1", "ended", "left"]);
  });

  it("drops what was taken back, without an outcome", async () => {
    const { seats } = keeper([2, 3]);
    const { worker, outcomes, claim } = setUp((n) => n, seats);
    worker.push("s", [claim(1), claim(2)]);
    await worker.whenIdle();
    worker.push("s", [claim(3)]);
    await worker.whenIdle();
    expect(outcomes).toEqual(["1 completed"]);
    expect(worker.running + worker.buffered).toBe(0);
  });

  it("begins one Attempt a turn at least, and no more once the turn is over", async () => {
    const { seats, log, endTurn } = keeper();
    const { worker, claim } = setUp((n) => {
      log.push(`handler ${n}`);
      endTurn();
      return n;
    }, seats);
    worker.push("s", [claim(1), claim(2), claim(3)]);
    expect(log.filter((line) => line.startsWith("handler"))).toEqual(["handler 1"]);
    await worker.whenIdle();
    expect(log.filter((line) => line === "turned" || line.startsWith("handler"))).toEqual([
      "turned",
      "handler 1",
      "turned",
      "handler 2",
      "turned",
      "handler 3",
    ]);
  });

  it("counts a handler that goes on after it was given up on, until it ends", async () => {
    const { seats, log } = keeper();
    let end: (value: unknown) => void = () => undefined;
    const { worker, outcomes, claim } = setUp(
      () =>
        new Promise((resolve) => {
          end = resolve;
        }),
      seats,
    );
    worker.push("s", [claim(1)]);
    worker.giveUp();
    expect(outcomes).toEqual(["1 released for null"]);
    expect(log).toContain("abandoned 1");
    end(1);
    await new Promise((resolve) => setImmediate(resolve));
    expect(log.at(-1)).toBe("abandoned -1");
    expect(outcomes.length).toBe(1);
  });
});
