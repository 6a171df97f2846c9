/**
 * What runs on behalf of an Attempt on this thread (elsewhere: async context): so that its enqueues can be told from
 * those of the rest of the program. Made only where an App names a bound (bounded-sink.ts), since following every
 * promise has its price; entered by the Worker of this thread and by the desk that Workers call.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { SubmissionSink } from "./submission.js";

/** Remembers across awaits and timers that an Attempt started them. */
export class AttemptScope {
  readonly #storage = new AsyncLocalStorage<true>();

  /** Whether the code that asks was started by an Attempt. */
  get isInside(): boolean {
    return this.#storage.getStore() === true;
  }

  /** Calls `fn`; what it starts is inside. */
  run<T>(fn: () => T): T {
    return this.#storage.run(true, fn);
  }
}

/** A sink whose submissions are an Attempt's, whoever calls it. */
export function sinkInside(
  sink: Pick<SubmissionSink, "push" | "pushFull">,
  scope: AttemptScope,
): Pick<SubmissionSink, "push" | "pushFull"> {
  return {
    push: (queue, submission) => scope.run(() => sink.push(queue, submission)),
    pushFull: (submission) => scope.run(() => sink.pushFull(submission)),
  };
}
