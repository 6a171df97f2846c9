/**
 * One call of a batch Step's function: the Attempts that share it and what the function sees of them.
 */
import type { Logger } from "../base/log.js";
import type { BatchContext } from "../workflow/batch.js";
import type { Attempt } from "./attempt.js";

/** The Attempts of one call. */
export class BatchRun implements BatchContext {
  readonly attempts: Attempt[] = [];
  readonly inputs: unknown[] = [];
  readonly log: Logger;
  /** Attempts without an outcome. */
  left = 0;
  #controller: AbortController | null = null;

  constructor(log: Logger) {
    this.log = log;
  }

  get contexts(): readonly Attempt[] {
    return this.attempts;
  }

  get deadline(): Date {
    return new Date(Math.min(...this.attempts.map(({ deadline }) => deadline.getTime())));
  }

  get abort(): AbortSignal {
    this.#controller ??= new AbortController();
    this.told();
    return this.#controller.signal;
  }

  /** Takes an Attempt in. */
  add(attempt: Attempt, input: unknown): void {
    this.attempts.push(attempt);
    this.inputs.push(input);
    this.left++;
  }

  /** One of them was told to end: when all were, so is the function. */
  told(): void {
    const last = this.attempts.at(-1);
    if (this.#controller === null || last === undefined || this.#controller.signal.aborted) return;
    if (this.attempts.some(({ isOver, abortKind }) => !isOver && abortKind === null)) return;
    const reasoned = this.attempts.findLast(({ abortKind }) => abortKind !== null);
    if (reasoned !== undefined) this.#controller.abort(reasoned.abort.reason);
  }
}
