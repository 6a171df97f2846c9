/**
 * The Steps of an App as users see them (elsewhere: task registry): looked up, declared, taken out by name.
 *
 * Thin over workflow/registry.ts, which the engine room reads. What a Step that is taken out leaves waiting stays in the
 * store: for other processes that serve it, and for the next Step of that name here.
 */

import { createError } from "../base/errors.js";
import { type OptionTable, resolveOptions } from "../base/options.js";
import type { Registry } from "../workflow/registry.js";
import type { StepDefinition } from "../workflow/step.js";
import type { AnyStep, Step } from "./step.js";

/** Every option of `registry.unregister`. */
export const unregisterTable = {
  force: {
    type: "boolean",
    default: false,
    sentence: "Take the Step out although it has work: what waits stays and is not run here, what runs ends normally.",
  },
} as const satisfies OptionTable;

/** What it needs of its App. */
export interface StepRegistryServices {
  readonly registry: Registry;
  /** `app.step`. */
  readonly declare: (name: string, ...rest: readonly unknown[]) => AnyStep;
  /** Whether Steps can be taken out here. Errors: MR_APP_STATE where Workers run them. */
  readonly checkPlace: () => void;
  /** An Operation of this Step that has not ended, anywhere; null if there is none. */
  readonly unended: (name: string) => Promise<{ readonly id: string; readonly state: string } | null>;
  /** Called when a Step was taken out: what this process has claimed and not begun must be looked at again. */
  readonly withdrawn: (step: StepDefinition) => Promise<void>;
}

/** The Steps of one App. */
export class StepRegistry {
  readonly #services: StepRegistryServices;
  readonly #faces = new Map<string, AnyStep>();

  constructor(services: StepRegistryServices) {
    this.#services = services;
  }

  /** Notes what users hold of a Step. Called by App, as Steps are declared. */
  note(step: AnyStep): void {
    this.#faces.set(step.stepName, step);
  }

  /** Declares a Step: the same as `app.step`. Errors: those of `app.step`. */
  register(name: string, ...optionsAndFn: readonly unknown[]): AnyStep {
    return this.#services.declare(name, ...optionsAndFn);
  }

  /** Whether a Step of this name is declared. */
  has(name: string): boolean {
    return this.#services.registry.has(name);
  }

  /** The names of all Steps, in the order they were declared. */
  list(): readonly string[] {
    return this.#services.registry.list().map((step) => step.name);
  }

  /** The Step of this name, or undefined. */
  get(name: string): Step<unknown, unknown> | undefined {
    return this.has(name) ? (this.#faces.get(name) as Step<unknown, unknown> | undefined) : undefined; // its input is checked by its schema alone
  }

  /** The Step of this name. Errors: MR_UNKNOWN_TARGET with the nearest known name. */
  getOrThrow(name: string): Step<unknown, unknown> {
    this.#services.registry.get(name);
    return this.#faces.get(name) as Step<unknown, unknown>; // noted when it was declared; as above
  }

  /**
   * Takes a Step out of this process: it is enqueued and run here no more, until one of that name is declared again.
   *
   * Without `force` it is refused while any Operation of it, of any process, waits or runs: that is looked for page by
   * page, so a long list of other work takes its time. With `force` nothing is looked for: what waits stays in the store,
   * for other processes that serve the Step and for a later declaration here, without spending an Attempt; in a Queue that
   * other Steps here share it is put aside for 15 s each time it is met. What runs ends normally. What is enqueued by others meanwhile waits in the same way.
   * Errors: MR_UNKNOWN_TARGET · MR_STEP_IN_USE · MR_INVALID_OPTION · MR_APP_STATE in a Step that runs in a Worker ·
   * MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async unregister(name: string, options: { readonly force?: boolean } = {}): Promise<void> {
    const { registry, checkPlace, unended, withdrawn } = this.#services;
    checkPlace();
    const { force } = resolveOptions(unregisterTable, options, "unregister");
    const definition = registry.get(name);
    const found = force ? null : await unended(name);
    if (found !== null) throw createError("MR_STEP_IN_USE", { name, ...found });
    // Somebody may have taken it out, or declared it anew, while the store was asked.
    if (registry.find(name) !== definition) return;
    registry.withdraw(name);
    this.#faces.delete(name);
    await withdrawn(definition);
  }
}
