/**
 * What an App can run, by name. A misspelt name is answered with the nearest known one.
 */
import { createError } from "../base/errors.js";
import { nearest } from "../base/options.js";
import type { StepDefinition } from "./step.js";

/** The Steps of one App. */
export class Registry {
  readonly #steps = new Map<string, StepDefinition>();
  /** Names that were taken out and not declared again: Workers whose module still declares them get none of their work. */
  readonly #withdrawn = new Set<string>();

  /** Adds a Step; one that was withdrawn is known again. Errors: MR_DUPLICATE_NAME. */
  register(step: StepDefinition): void {
    if (this.#steps.has(step.name)) throw createError("MR_DUPLICATE_NAME", { kind: "Step", name: step.name });
    this.#steps.set(step.name, step);
    this.#withdrawn.delete(step.name);
  }

  /** Takes a Step out. Errors: MR_UNKNOWN_TARGET. */
  withdraw(name: string): void {
    this.get(name);
    this.#steps.delete(name);
    this.#withdrawn.add(name);
  }

  /** Whether a Step of this name was taken out and is not known since. */
  isWithdrawn(name: string): boolean {
    return this.#withdrawn.size > 0 && this.#withdrawn.has(name);
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
