/**
 * A Step as users hold it: call it to run the function here and now, or enqueue it.
 */

import { silentLogger } from "../base/log.js";
import type { Handle } from "../handle.js";
import type { StepContext, StepDefinition } from "../workflow/step.js";
import type { EnqueueOptions } from "./options.js";

/**
 * A declared Step.
 *
 * Calling it runs its function in place, with a context of its own, and enqueues nothing: for unit tests and for
 * composing Steps. `enqueue` makes an Operation.
 */
export interface Step<I, O> {
  (input: I): Promise<O>;
  /** The Step's name. */
  readonly stepName: string;
  /** What was declared, with defaults filled in. */
  readonly definition: StepDefinition;
  /** Enqueues one Operation; the same as `app.enqueue(step, …)`. */
  enqueue(input: I, options?: EnqueueOptions): Promise<Handle<O>>;
}

/** Any Step: what App needs to know of one whose types are its caller's business. */
export type AnyStep = Step<never, unknown>;

/** Makes the callable Step of a definition. */
export function makeStep(
  definition: StepDefinition,
  enqueue: (input: unknown, options: EnqueueOptions | undefined) => Promise<Handle>,
): AnyStep {
  const call = async (input: unknown) => await definition.fn(input, localContext(definition));
  return Object.assign(call, {
    stepName: definition.name,
    definition,
    enqueue: (input: unknown, options?: EnqueueOptions) => enqueue(input, options),
  });
}

function localContext(definition: StepDefinition): StepContext {
  const controller = new AbortController();
  return {
    operationId: `local.${definition.name}`,
    unitId: null,
    attempt: 1,
    idempotencyKey: `local.${definition.name}`,
    fence: "0",
    deadline: new Date(8.64e15),
    abort: controller.signal,
    log: silentLogger,
    progress: () => undefined,
  };
}
