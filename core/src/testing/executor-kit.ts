/**
 * The contract of an executor as checks: for tests of executors, with whatever test runner. Each check makes an executor
 * of its own, starts it, and stops it whatever happens.
 *
 * With a runner: `for (const { name, run } of executorChecks(sample)) it(name, run)`. Without: `checkExecutor(sample)`.
 */
import { systemClock } from "../base/clock.js";
import { createError, show } from "../base/errors.js";
import { silentLogger } from "../base/log.js";
import type { StepContext } from "../workflow/context.js";
import type { Executor, ExecutorCall } from "../workflow/executor.js";

/** An executor, and a call whose answer is known. */
export interface ExecutorSample {
  readonly make: () => Executor;
  /** Name of the Step that is called, default "sample". */
  readonly step?: string;
  readonly input: unknown;
  /** The Step's function, for executors that call it with `run()`. */
  readonly fn: (input: never, context: StepContext) => unknown;
  /** What the call gives; compared as JSON. */
  readonly expected: unknown;
}

/** One sentence of the contract. */
export interface ExecutorCheck {
  readonly name: string;
  /** Errors: MR_CONTRACT_BROKEN with what was seen. */
  run(): Promise<void>;
}

/** Longest anything may take here, in milliseconds. */
const PATIENCE_MS = 5_000;
const CALLS = 20;

/** Runs every check, one after the other. Errors: MR_CONTRACT_BROKEN of the first that fails. */
export async function checkExecutor(sample: ExecutorSample): Promise<void> {
  for (const check of executorChecks(sample)) await check.run();
}

/** The contract, check by check. */
export function executorChecks(sample: ExecutorSample): readonly ExecutorCheck[] {
  const check = (name: string, body: (executor: Executor) => Promise<void>): ExecutorCheck => ({
    name,
    run: () => around(sample.make(), body),
  });
  return [
    check("starts and stops without a call", async () => undefined),
    check("gives what the call gives", async (executor) => {
      await expectSample(executor, sample, new AbortController().signal);
    }),
    check(`takes ${CALLS} calls at once, as far as its concurrency allows`, async (executor) => {
      const width = Math.min(CALLS, executor.concurrency ?? CALLS);
      const calls = Array.from({ length: width }, () => expectSample(executor, sample, new AbortController().signal));
      await Promise.all(calls);
    }),
    check("throws what the Step's function throws", async (executor) => {
      const thrown = new RangeError("thrown by the Step's function");
      let isCalled = false;
      const fn = () => {
        isCalled = true;
        throw thrown;
      };
      const end = await endOf(executor, { ...sample, fn }, new AbortController().signal);
      // An executor that does not call the function here (it runs the Step elsewhere) cannot show it.
      if (!isCalled) return;
      const isSame = "error" in end && end.error instanceof Error && end.error.message === thrown.message;
      demand(isSame, `the Step's error was swallowed: it ${textOf(end)}`);
    }),
    check("lets go of a call whose Attempt is aborted", async (executor) => {
      const controller = new AbortController();
      const fn = (_input: never, { abort }: StepContext) =>
        new Promise((_resolve, reject) => {
          abort.addEventListener("abort", () => reject(abort.reason as Error)); // an Error, by this very check
        });
      const end = endOf(executor, { ...sample, fn }, controller.signal);
      controller.abort(createError("MR_OPERATION_CANCELLED", { id: "sample", reason: "cancel" }));
      await within(end, "it holds on to a call after its signal");
    }),
    check("is usable after a call that failed", async (executor) => {
      const fn = () => {
        throw new RangeError("no");
      };
      await endOf(executor, { ...sample, fn }, new AbortController().signal);
      await expectSample(executor, sample, new AbortController().signal);
    }),
    check("says whether it is well, if it can be asked", async (executor) => {
      if (executor.health === undefined) return;
      const health = await within(Promise.resolve(executor.health()), "health() does not answer");
      demand(health === true, `health() says ${show(health)} after a good start`);
    }),
  ];
}

async function around(executor: Executor, body: (executor: Executor) => Promise<void>): Promise<void> {
  await within(Promise.resolve(executor.start?.()), "start() does not end");
  try {
    await body(executor);
  } finally {
    await within(Promise.resolve(executor.stop?.()), "stop() does not end");
  }
}

type End = { readonly value: unknown } | { readonly error: unknown };

async function expectSample(executor: Executor, sample: ExecutorSample, signal: AbortSignal): Promise<void> {
  const end = await within(endOf(executor, sample, signal), "a call does not end");
  const isSame = "value" in end && JSON.stringify(end.value) === JSON.stringify(sample.expected);
  demand(isSame, `the call ${textOf(end)}, expected was ${JSON.stringify(sample.expected)}`);
}

/** Makes a call; how it ended, also when it throws at once. */
async function endOf(executor: Executor, sample: ExecutorSample, signal: AbortSignal): Promise<End> {
  const { step = "sample", input, fn } = sample;
  const context = contextOf(step, signal);
  const call: ExecutorCall = { step, input, context, run: () => fn(input as never, context) }; // the sample's own types
  try {
    return { value: await executor.execute(call, signal) };
  } catch (error) {
    return { error };
  }
}

function contextOf(step: string, abort: AbortSignal): StepContext {
  return {
    operationId: `local.${step}.1`,
    unitId: null,
    attempt: 1,
    idempotencyKey: `local.${step}.1#0`,
    fence: "1",
    deadline: new Date(8.64e15),
    abort,
    log: silentLogger,
    progress: () => undefined,
  };
}

function textOf(end: End): string {
  return "value" in end ? `gave ${show(end.value)}` : `threw ${show(end.error)}`;
}

async function within<Value>(promise: Promise<Value>, problem: string): Promise<Value> {
  return await new Promise<Value>((resolve, reject) => {
    const timer = systemClock.setTimer(PATIENCE_MS, () => reject(broken(`${problem} within ${PATIENCE_MS} ms`)));
    promise.then(resolve, reject).finally(() => timer.cancel());
  });
}

function demand(isKept: boolean, problem: string): void {
  if (!isKept) throw broken(problem);
}

function broken(problem: string): Error {
  return createError("MR_CONTRACT_BROKEN", { what: "the executor", problem });
}
