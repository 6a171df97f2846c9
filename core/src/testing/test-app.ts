/**
 * An App under test: memory store, time that moves when told, chance from a seed.
 *
 * `virtual`: work waits until `clock.advance` or `clock.runUntilIdle`, then runs in a fixed order, timers at their
 * time. `inline`: every enqueue runs all work there is, retries included, before it resolves.
 */

import { AsyncLocalStorage } from "node:async_hooks";
import type { Step } from "../app/step.js";
import { type App, type AppWorld, SETTLE_IN } from "../app.js";
import { type Duration, parseDuration } from "../base/duration.js";
import { type Random, seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import type { BatchFunction, StepContext, StepDefinition, StepFunction } from "../workflow/step.js";
import { type CrashPoint, Faults } from "./faults.js";
import { ManualClock } from "./manual-clock.js";

/** How an App is tested. */
export interface TestAppOptions {
  /** Default `virtual`. */
  readonly mode?: "inline" | "virtual";
  /** What chance is drawn from. Default 1; print it when a test fails (`forSeeds` does). */
  readonly seed?: number;
  /**
   * In which order handlers begin that might begin now: `fifo` as claimed, `seeded` shuffled by the seed, as many
   * Workers would. Default `fifo`.
   */
  readonly order?: "fifo" | "seeded";
  /** Default 2026-01-01T00:00:00Z. */
  readonly now?: Date;
}

/** One recorded call of a Step. */
export interface RecordedCall<I> {
  readonly input: I;
  readonly attempt: number;
}

/** Real time after which an Operation that still runs is taken to hang, in milliseconds. */
const HANG_MS = 10_000;
/** Turns of the event loop without any change that count as quiet. */
const QUIET_TURNS = 4;

/** An App whose time is in the test's hands. */
export class TestApp implements AsyncDisposable {
  readonly app: App;
  readonly clock: {
    now(): Date;
    /** Moves time, firing every timer on the way at its own time, and lets the work that follows run. */
    advance(by: Duration): Promise<void>;
    /** Runs everything there is, jumping to the next due time until nothing is scheduled, ready or running. */
    runUntilIdle(): Promise<void>;
  };
  readonly #clock: ManualClock;
  readonly #gate: Gate;
  readonly #stores: readonly Store[];
  readonly #replace: (name: string, fn: StepFunction<unknown, unknown>) => void;
  readonly #calls: Map<string, RecordedCall<unknown>[]>;
  readonly #faults: Faults;
  /** The last move of the clock that was asked for. */
  #last: Promise<void> = Promise.resolve();

  /** Use `createTestApp`. */
  constructor(
    app: App,
    clock: ManualClock,
    gate: Gate,
    stores: readonly Store[],
    replace: (name: string, fn: StepFunction<unknown, unknown>) => void,
    calls: Map<string, RecordedCall<unknown>[]>,
    faults: Faults,
  ) {
    this.app = app;
    this.#clock = clock;
    this.#gate = gate;
    this.#stores = stores;
    this.#replace = replace;
    this.#calls = calls;
    this.#faults = faults;
    this.clock = {
      now: () => new Date(clock.nowMs()),
      advance: (by) => this.#alone(() => this.#advance(parseDuration(by, "advance"))),
      runUntilIdle: () => this.#alone(() => this.#runUntilIdle()),
    };
  }

  /** Puts another function in a Step's place. */
  mock<I, O>(step: Step<I, O>, fn: StepFunction<I, O>): void {
    this.#replace(step.stepName, fn as StepFunction<unknown, unknown>); // the Step's own types
  }

  /** The calls of a Step so far, mocked or not, in order. */
  calls<I, O>(step: Step<I, O>): readonly RecordedCall<I>[] {
    return (this.#calls.get(step.stepName) ?? []) as RecordedCall<I>[]; // recorded from this Step alone
  }

  /**
   * Lets a crash, or what comes of one, happen to the next call of a Step; asked for again, to the one after it. What a
   * crash has given back runs again without spending an Attempt.
   */
  crash<I, O>(at: { readonly step: Step<I, O>; readonly point: CrashPoint }): void {
    this.#faults.plan(at.step.stepName, at.point);
  }

  /** Stops and closes the App; time moves meanwhile, so that work which never ends is drained at once. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#gate.open();
    let isClosed = false;
    const closing = this.app.close().finally(() => {
      isClosed = true;
    });
    for (let turn = 0; !isClosed; turn++) {
      await ioTurn();
      const { nextMs } = this.#clock;
      // Work that can end by itself gets its turns first.
      if (turn >= QUIET_TURNS && nextMs !== null) this.#clock.moveTo(nextMs);
    }
    await closing;
  }

  /** One hand on the clock at a time: two that move it would stop each other's work. */
  #alone(work: () => Promise<void>): Promise<void> {
    const done = this.#last.then(work);
    this.#last = done.catch(() => undefined);
    return done;
  }

  async #advance(ms: number): Promise<void> {
    const targetMs = this.#clock.nowMs() + ms;
    await this.#quiet();
    for (let nextMs = this.#clock.nextMs; nextMs !== null && nextMs <= targetMs; nextMs = this.#clock.nextMs) {
      this.#clock.moveTo(nextMs);
      await this.#quiet();
    }
    this.#clock.moveTo(targetMs);
    await this.#quiet();
  }

  async #runUntilIdle(): Promise<void> {
    for (;;) {
      await this.#quiet();
      const isPausing = this.app.metrics().gathering > 0 || this.#faults.isUnheard;
      const dueMs = isPausing ? this.#clock.nextMs : await this.#nextDueMs();
      if (dueMs === null) return;
      await this.#advance(Math.max(0, dueMs - this.#clock.nowMs()) + 1);
    }
  }

  /** Lets work run until nothing changes any more. */
  async #quiet(): Promise<void> {
    this.#gate.open();
    const deadlineMs = performance.now() + HANG_MS;
    let before = "";
    for (let turns = 0; turns < QUIET_TURNS; ) {
      await ioTurn();
      const { running, buffered, ...counters } = this.app.metrics();
      const now = JSON.stringify(counters);
      const isBusy = (running > 0 && performance.now() < deadlineMs) || buffered > 0;
      turns = isBusy || now !== before ? 0 : turns + 1;
      before = now;
    }
    this.#gate.close();
  }

  async #nextDueMs(): Promise<number | null> {
    let earliestMs: number | null = null;
    for (const store of this.#stores) {
      for (const segment of await store.segments()) {
        const { nextDueInMs } = await store.counts(segment);
        if (nextDueInMs === null) continue;
        const dueMs = this.#clock.nowMs() + nextDueInMs;
        earliestMs = Math.min(earliestMs ?? dueMs, dueMs);
      }
    }
    return earliestMs;
  }
}

/** Lets waiting input and output through. */
function ioTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Holds claims back while closed. */
class Gate {
  #isOpen = false;
  #waiting: (() => void)[] = [];

  open(): void {
    this.#isOpen = true;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  close(): void {
    this.#isOpen = false;
  }

  passed(): Promise<void> {
    if (this.#isOpen) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/**
 * Puts an unused App into a test world and starts it. Dispose the TestApp (`await using`) to close the App.
 *
 * Errors: MR_APP_STATE if the App was used before.
 */
export async function createTestApp(app: App, options: TestAppOptions = {}): Promise<TestApp> {
  const clock = new ManualClock(options.now?.getTime());
  const gate = new Gate();
  const stores: Store[] = [];
  const calls = new Map<string, RecordedCall<unknown>[]>();
  // An enqueue made by a running Step must not wait until nothing runs: the one that runs that Step does.
  const insideStep = new AsyncLocalStorage<true>();
  const afterEnqueue = async () => {
    if (insideStep.getStore() === undefined) await testApp?.clock.runUntilIdle();
  };
  let testApp: TestApp | null = null;
  const faults = new Faults();
  // Of its own: whether handlers are shuffled does not change what jitter draws.
  const shuffler = options.order === "seeded" ? seededRandom((options.seed ?? 1) + 1) : null;
  const world: Partial<AppWorld> = {
    clock,
    random: seededRandom(options.seed ?? 1),
    // No duty recurs: due times have their own timers, and nothing else may move time's order.
    times: { leaseMs: NEVER, beatMs: NEVER, surveyMs: NEVER, pruneMs: NEVER, relieveMs: NEVER, recoveriesMax: 3 },
    waitPollMs: NEVER,
    hasThreads: false,
    makeStore: async ({ app: id }) => {
      const store = new MemoryStore({ app: id, clock });
      stores.push(store);
      const claim = store.claim.bind(store);
      store.claim = async (segment, params) => {
        await gate.passed();
        const answer = await claim(segment, params);
        return shuffler === null ? answer : { ...answer, claims: shuffled(answer.claims, shuffler) };
      };
      faults.tapInto(store);
      return store;
    },
    ...(options.mode === "inline" ? { afterEnqueue } : {}),
  };
  const registry = app[SETTLE_IN](world);
  const note = (name: string, input: unknown, { attempt }: StepContext) => {
    const list = calls.get(name) ?? [];
    calls.set(name, list);
    list.push({ input, attempt });
  };
  const record = (definition: StepDefinition, fn: StepFunction<unknown, unknown>): StepDefinition => ({
    ...definition,
    // A batch Step that is mocked is called for one at a time.
    batch: null,
    batchFn: null,
    fn: (input, context) => {
      note(definition.name, input, context);
      return insideStep.run(true, () => faults.call(definition.name, () => fn(input, context)));
    },
  });
  const recordBatch = (definition: StepDefinition, fn: BatchFunction<unknown, unknown>): StepDefinition => ({
    ...definition,
    batchFn: (inputs, context) => {
      for (const [i, one] of context.contexts.entries()) note(definition.name, inputs[i], one);
      return insideStep.run(true, () => faults.call(definition.name, () => fn(inputs, context)));
    },
  });
  for (const definition of registry.list()) {
    const { fn, batchFn } = definition;
    registry.replace(batchFn === null ? record(definition, fn) : recordBatch(definition, batchFn));
  }
  const replace = (name: string, fn: StepFunction<unknown, unknown>) => {
    registry.replace(record(registry.get(name), fn));
  };
  testApp = new TestApp(app, clock, gate, stores, replace, calls, faults);
  await app.start();
  return testApp;
}

/** Fisher and Yates, from the back. */
function shuffled<T>(values: readonly T[], random: Random): T[] {
  const left = [...values];
  const order: T[] = [];
  while (left.length > 0) order.push(...left.splice(Math.floor(random.next() * left.length), 1));
  return order;
}

const NEVER = Number.POSITIVE_INFINITY;
