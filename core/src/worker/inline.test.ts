/** The inline Worker against handlers that misbehave: every Attempt gets one outcome, every slot comes back. */
import { describe, expect, it } from "vitest";
import { systemClock } from "../base/clock.js";
import { silentLogger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { encodeEnvelope } from "../engine/envelope.js";
import type { Claim } from "../engine/transitions.js";
import { Registry } from "../workflow/registry.js";
import { defineStep } from "../workflow/step.js";
import { InlineWorker } from "./inline.js";

function setUp(fn: (input: unknown) => unknown) {
  const registry = new Registry();
  registry.register(defineStep("odd", { kind: "async", retries: 1, retryDelay: 7 }, fn, undefined));
  const outcomes: string[] = [];
  const worker = new InlineWorker({
    registry,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLogger,
    slots: 1,
    hungry: () => undefined,
    began: () => undefined,
    port: {
      completed: ({ claim }) => outcomes.push(`${claim.counter} completed`),
      failed: ({ claim }, _value, retryInMs) => outcomes.push(`${claim.counter} failed, retry in ${retryInMs}`),
      released: ({ claim }, delayMs) => outcomes.push(`${claim.counter} released for ${delayMs}`),
      progressed: () => undefined,
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
