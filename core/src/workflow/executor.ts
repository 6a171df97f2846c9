/**
 * Executors (elsewhere: executor backend, runner): user code that stands around the functions of chosen Steps, such as
 * a pool of its own, a sandbox or a remote machine. Registered on an App by name, one instance in each Worker.
 */
import { createError, show } from "../base/errors.js";
import { checkName } from "../base/names.js";
import { nearest } from "../base/options.js";
import type { StepContext } from "./context.js";

/** One call an executor is asked for. */
export interface ExecutorCall {
  /** Name of the Step. */
  readonly step: string;
  readonly input: unknown;
  readonly context: StepContext;
  /** Calls the Step's own function with the input and the context, here. */
  run(): unknown;
}

/** What runs Steps of its name. Made in every Worker by the module that registers it. */
export interface Executor {
  /** Called once in each Worker before it takes work; it does not begin if this throws. */
  start?(): Promise<void> | void;
  /** Does one call; what it returns, or throws, is the Attempt's result. `signal` is the Attempt's abort signal. */
  execute(call: ExecutorCall, signal: AbortSignal): unknown;
  /** Called once when the Worker has finished its last Attempt. */
  stop?(): Promise<void> | void;
  /** Calls at once in each Worker; further ones wait here. Default: as many as the Worker has slots. */
  readonly concurrency?: number;
  /** Asked every 10 s if it is there; while it says no, Operations are put aside for 5 s without spending an Attempt. */
  health?(): Promise<boolean> | boolean;
}

/** The executors every App has, and the kind of Step each runs. */
export const BUILT_IN_EXECUTORS: ReadonlyMap<string, "async" | "blocking"> = new Map([
  ["io", "async"],
  ["cpu", "blocking"],
  ["process", "blocking"],
]);

/** The executors of one App. */
export class Executors {
  readonly #registered = new Map<string, Executor>();

  /**
   * Adds one; Steps that name it are declared after it.
   *
   * Errors: MR_INVALID_NAME, MR_DUPLICATE_NAME, MR_INVALID_OPTION for what is no executor.
   */
  register(name: unknown, executor: unknown): void {
    const checked = checkName(name, "executor");
    if (BUILT_IN_EXECUTORS.has(checked) || this.#registered.has(checked)) {
      throw createError("MR_DUPLICATE_NAME", { kind: "executor", name: checked });
    }
    this.#registered.set(checked, checkExecutor(executor, `executor ${checked}`));
  }

  /** Refuses a name nobody registered. Errors: MR_UNKNOWN_EXECUTOR with the known names. */
  check(name: string): void {
    const known = [...BUILT_IN_EXECUTORS.keys(), ...this.#registered.keys()];
    if (known.includes(name)) return;
    const guess = nearest(name, known);
    const hint = guess === null ? "" : `, did you mean \`${guess}\`?`;
    throw createError("MR_UNKNOWN_EXECUTOR", { name, hint, known: known.join(", ") });
  }

  /** Those registered, by name. */
  registered(): ReadonlyMap<string, Executor> {
    return this.#registered;
  }
}

function checkExecutor(value: unknown, path: string): Executor {
  const given = typeof value === "object" && value !== null ? (value as Partial<Record<keyof Executor, unknown>>) : {};
  if (typeof given.execute !== "function") {
    throw createError("MR_INVALID_OPTION", { path, problem: `expected an object with execute(), got ${show(value)}` });
  }
  for (const method of ["start", "stop", "health"] as const) {
    const part = given[method];
    if (part === undefined || typeof part === "function") continue;
    throw createError("MR_INVALID_OPTION", { path: `${path}.${method}`, problem: "expected a function" });
  }
  const { concurrency } = given;
  if (concurrency !== undefined && !(Number.isSafeInteger(concurrency) && (concurrency as number) >= 1)) {
    const problem = `expected an integer of at least 1, got ${show(concurrency)}`;
    throw createError("MR_INVALID_OPTION", { path: `${path}.concurrency`, problem });
  }
  return value as Executor; // checked above, part by part
}
