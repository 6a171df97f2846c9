/**
 * Batch Steps (elsewhere: batch consumer, bulk handler): one call of the function for many Operations of the Step. Each
 * stays an Operation of its own, with its Attempt, its retries and its outcome; only the call is shared.
 *
 * What user code writes and gets, and how its answer is divided. Who gathers them: worker/gather.ts. Pure.
 */
import { createError, show } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { StepContext } from "./context.js";

/** What a batch Step's function gets beside its inputs. */
export interface BatchContext {
  /** The context of each input's own Attempt, in the order of the inputs. */
  readonly contexts: readonly StepContext[];
  /** Fires when nobody waits for the answer any more: every Attempt of the batch was told to end. The last one's reason. */
  readonly abort: AbortSignal;
  /** When the first Attempt of the batch times out, by this process's clock. */
  readonly deadline: Date;
  readonly log: Logger;
}

/** A batch Step's work: answers with a result or an `Error` for each input, in their order. */
export type BatchFunction<I, O> = (
  inputs: readonly I[],
  context: BatchContext,
) => readonly (O | Error)[] | Promise<readonly (O | Error)[]>;

/** Divides an answer. Errors: MR_BATCH_RESULT unless it is a list with one element for each input. */
export function divide(step: string, answer: unknown, count: number): readonly unknown[] {
  if (Array.isArray(answer) && answer.length === count) return answer;
  const got = Array.isArray(answer) ? `${answer.length} elements` : show(answer);
  throw createError("MR_BATCH_RESULT", { step, count, got });
}

/** The function of a batch of one: where a batch Step is called in place. Throws what its element says. */
export function singly(
  step: string,
  fn: BatchFunction<unknown, unknown>,
): (input: unknown, context: StepContext) => Promise<unknown> {
  return async (input, context) => {
    const { abort, deadline, log } = context;
    const [part] = divide(step, await fn([input], { contexts: [context], abort, deadline, log }), 1);
    if (part instanceof Error) throw part;
    return part;
  };
}
