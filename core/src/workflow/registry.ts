/**
 * What an App can run, by name. A misspelt name is answered with the nearest known one.
 */
import { createError } from "../base/errors.js";
import { nearest } from "../base/options.js";
import type { StepDefinition } from "./step.js";

/** The Steps of one App. */
export class Registry {
  readonly #steps = new Map<string, StepDefinition>();

  /** Adds a Step. Errors: MR_DUPLICATE_NAME. */
  register(step: StepDefinition): void {
    if (this.#steps.has(step.name)) throw createError("MR_DUPLICATE_NAME", { kind: "Step", name: step.name });
    this.#steps.set(step.name, step);
  }

  /** Puts another definition in the place of a known Step of that name. Errors: MR_UNKNOWN_TARGET. */
  replace(step: StepDefinition): void {
    this.get(step.name);
    this.#steps.set(step.name, step);
  }

  /** Whether a name is known. */
  has(name: string): boolean {
    return this.#steps.has(name);
  }

  /** Returns a Step, or undefined. */
  find(name: string): StepDefinition | undefined {
    return this.#steps.get(name);
  }

  /** Returns a Step. Errors: MR_UNKNOWN_TARGET with the nearest known name. */
  get(name: string): StepDefinition {
    const step = this.#steps.get(name);
    if (step !== undefined) return step;
    const guess = nearest(name, this.#steps.keys());
    const hint = guess === null ? "" : `, did you mean \`${guess}\`?`;
    throw createError("MR_UNKNOWN_TARGET", { name, hint });
  }

  /** All Steps, in the order they were defined. */
  list(): readonly StepDefinition[] {
    return [...this.#steps.values()];
  }
}
