/**
 * The executors of one Worker (elsewhere: executor host): started before it takes work, bounded, asked for their health,
 * stopped after its last Attempt.
 *
 * A call beyond an executor's `concurrency` waits here. Its Attempt has begun by then: its time limit includes the wait.
 */
import type { Clock } from "../base/clock.js";
import { Deque } from "../base/deque.js";
import { RetryAfter, toRemoteError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Executor } from "../workflow/executor.js";
import type { StepDefinition } from "../workflow/step.js";
import type { Attempt } from "./attempt.js";
import type { StepCaller } from "./inline.js";

/** How often an executor is asked for its health. */
const HEALTH_MS = 10_000;
/** How long an Operation is put aside while its executor is unwell. */
const UNWELL_DELAY_MS = 5_000;

/** All executors of a Worker. */
export class ExecutorHost implements StepCaller {
  readonly #hosted = new Map<string, Hosted>();

  constructor(executors: ReadonlyMap<string, Executor>, clock: Clock, log: Logger) {
    for (const [name, executor] of executors) this.#hosted.set(name, new Hosted(name, executor, clock, log));
  }

  /** Starts all, together. Errors: what the first to fail threw; those that did start are stopped again. */
  async start(): Promise<void> {
    const starts = await Promise.allSettled([...this.#hosted.values()].map((hosted) => hosted.start()));
    const failed = starts.find((start) => start.status === "rejected");
    if (failed === undefined) return;
    await this.stop();
    throw failed.reason;
  }

  /** Stops all, together; what a stop throws is logged. */
  async stop(): Promise<void> {
    await Promise.all([...this.#hosted.values()].map((hosted) => hosted.stop()));
  }

  call(step: StepDefinition, input: unknown, attempt: Attempt): unknown {
    const hosted = this.#hosted.get(step.executor);
    return hosted === undefined ? step.fn(input, attempt) : hosted.call(step, input, attempt);
  }
}

/** One executor. */
class Hosted {
  readonly #name: string;
  readonly #executor: Executor;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #concurrency: number;
  readonly #waiting = new Deque<() => void>();
  #active = 0;
  #isStarted = false;
  #isWell = true;

  constructor(name: string, executor: Executor, clock: Clock, log: Logger) {
    this.#name = name;
    this.#executor = executor;
    this.#clock = clock;
    this.#log = log.child({ executor: name });
    this.#concurrency = executor.concurrency ?? Number.POSITIVE_INFINITY;
  }

  async start(): Promise<void> {
    await this.#executor.start?.();
    this.#isStarted = true;
    if (this.#executor.health !== undefined) this.#planHealth();
  }

  async stop(): Promise<void> {
    if (!this.#isStarted) return;
    this.#isStarted = false;
    try {
      await this.#executor.stop?.();
    } catch (error) {
      this.#log.error({ error: toRemoteError(error) }, "an executor's stop failed");
    }
  }

  async call(step: StepDefinition, input: unknown, attempt: Attempt): Promise<unknown> {
    if (!this.#isWell) throw new RetryAfter(UNWELL_DELAY_MS);
    if (this.#active >= this.#concurrency) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#active++;
    try {
      // Whoever was aborted while it waited is not begun any more.
      if (attempt.isOver || attempt.abortKind !== null) throw attempt.abort.reason;
      const call = { step: step.name, input, context: attempt, run: () => step.fn(input, attempt) };
      return await this.#executor.execute(call, attempt.abort);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#active--;
      else next();
    }
  }

  #planHealth(): void {
    this.#clock.setTimer(HEALTH_MS, () => void this.#ask()).unref();
  }

  /** One that does not answer is unwell, too: until it does, it is not asked again. */
  async #ask(): Promise<void> {
    if (!this.#isStarted) return;
    const patience = this.#clock.setTimer(HEALTH_MS, () => this.#note(false, "it does not answer"));
    patience.unref();
    try {
      const isWell = (await this.#executor.health?.()) !== false;
      this.#note(isWell, isWell ? null : "it says so");
    } catch (error) {
      this.#note(false, toRemoteError(error).message);
    }
    patience.cancel();
    this.#planHealth();
  }

  #note(isWell: boolean, reason: string | null): void {
    if (isWell === this.#isWell) return;
    this.#isWell = isWell;
    if (isWell) this.#log.info({ executor: this.#name }, "the executor is well again");
    else this.#log.error({ executor: this.#name, reason }, "the executor is unwell: its Operations are put aside");
  }
}
