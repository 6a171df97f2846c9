/**
 * Faults a test asks for (elsewhere: fault injection, chaos): what happens to an Attempt when its process dies, its
 * Lease is lost or an acknowledgement comes late, at a point of the test's choice. Used by test-app.ts.
 */
import { createError, RetryAfter } from "../base/errors.js";
import type { Store } from "../engine/store.js";

/**
 * Where it happens. `before`: the process dies before the handler is called · `after_effect`: when the handler has ended
 * and nobody knows yet · `after_record`: the result is stored, and the acknowledgement is lost · `duplicate`: the handler
 * is called twice, as when a process that stood still for longer than its Lease goes on beside its successor.
 */
export type CrashPoint = "before" | "after_effect" | "after_record" | "duplicate";

/** All of them, in the order in which an Attempt comes to them. */
export const CRASH_POINTS: readonly CrashPoint[] = ["before", "after_effect", "after_record", "duplicate"];

/** What is to happen, Step by Step. */
export class Faults {
  readonly #planned = new Map<string, CrashPoint[]>();
  /** Acknowledgements to lose. */
  #lost = 0;
  /** One was lost, and what was sent is not acknowledged yet: it is sent again after a pause. */
  isUnheard = false;

  /** Plans one for the next call of a Step that has none. */
  plan(step: string, point: CrashPoint): void {
    const planned = this.#planned.get(step) ?? [];
    this.#planned.set(step, planned);
    planned.push(point);
  }

  /** Calls a handler, with what was planned for this call. */
  call<T>(step: string, run: () => T): T | Promise<Awaited<T>> {
    switch (this.#planned.get(step)?.shift()) {
      case undefined:
        return run();
      case "before":
        throw lostWorker();
      case "after_effect":
        return endedUnheard(run);
      case "after_record":
        this.#lost++;
        return run();
      case "duplicate":
        return twice(run);
    }
  }

  /** Loses acknowledgements of a store, after the fact. */
  tapInto(store: Store): void {
    const complete = store.complete.bind(store);
    store.complete = async (segment, params) => {
      const answer = await complete(segment, params);
      this.isUnheard = this.#lost > 0;
      if (this.#lost === 0) return answer;
      this.#lost--;
      throw createError("MR_INDETERMINATE", { call: "complete", id: "of a fault that was asked for" });
    };
  }
}

/** The Operation is given back as after a rescue: no Attempt is spent, and its next claim has a larger fence. */
function lostWorker(): Error {
  return new RetryAfter(0);
}

async function endedUnheard(run: () => unknown): Promise<never> {
  await Promise.resolve(run()).catch(() => undefined);
  throw lostWorker();
}

async function twice<T>(run: () => T): Promise<Awaited<T>> {
  await Promise.resolve(run()).catch(() => undefined);
  return await run();
}
