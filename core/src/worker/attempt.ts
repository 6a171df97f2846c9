/**
 * One Attempt of an Operation on a Worker (elsewhere: activity execution): its claim, its context, its end.
 *
 * It *is* the context user code gets; what is seldom asked for (id, signal, logger) is made when asked for.
 * Life: `running` until the handler settles, or until it is aborted and given up on; then over, and what the handler
 * does later is ignored.
 */
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { formatId } from "../engine/dot.js";
import type { Claim } from "../engine/transitions.js";
import type { AbortKind, StepContext, StepDefinition } from "../workflow/step.js";

/** The reason of an abort signal. */
export type AbortReason = Error & { readonly kind: AbortKind };

/** What an Attempt calls back. */
export interface AttemptHost {
  readonly log: Logger;
  note(attempt: Attempt, done: number, total: number | undefined, note: string | undefined): void;
}

/** A running or ended Attempt. */
export class Attempt implements StepContext {
  readonly claim: Claim;
  readonly segment: string;
  readonly step: StepDefinition;
  readonly retries: number;
  /** By the producer's wall clock. */
  readonly enqueuedAtMs: number;
  /** By this process's wall clock. */
  readonly startedAtMs: number;
  /** By this process's monotonic clock. */
  readonly startedMonotonicMs: number;
  /** Infinity for none. */
  readonly timeoutMs: number;
  /** Whether its outcome was handed over; nothing more is taken from its handler. */
  isOver = false;
  /** Whether it was given up on and its handler still goes on (counted in Worker threads only). */
  isAbandoned = false;
  /** Its Step was asked for a result in place of its last error. */
  isFallenBack = false;
  /** Why it was aborted, or null. */
  abortKind: AbortKind | null = null;
  /** Neighbours in its deadline list (deadlines.ts). */
  previous: Attempt | null = null;
  next: Attempt | null = null;
  readonly #host: AttemptHost;
  #controller: AbortController | null = null;
  #log: Logger | null = null;

  /** Positional on purpose: one is made for every Operation, and an object to carry the arguments costs as much again. */
  constructor(
    host: AttemptHost,
    segment: string,
    claim: Claim,
    step: StepDefinition,
    retries: number,
    timeoutMs: number,
    enqueuedAtMs: number,
    startedAtMs: number,
    startedMonotonicMs: number,
  ) {
    this.#host = host;
    this.segment = segment;
    this.claim = claim;
    this.step = step;
    this.retries = retries;
    this.timeoutMs = timeoutMs;
    this.enqueuedAtMs = enqueuedAtMs;
    this.startedAtMs = startedAtMs;
    this.startedMonotonicMs = startedMonotonicMs;
  }

  get operationId(): string {
    return formatId(this.segment, this.claim.laneName, this.claim.counter);
  }

  get unitId(): null {
    return null;
  }

  get attempt(): number {
    return this.claim.attempt;
  }

  get idempotencyKey(): string {
    return `${this.operationId}#${this.claim.generation}`;
  }

  get fence(): string {
    return String(this.claim.token);
  }

  get deadline(): Date {
    // The largest Date stands for "none".
    return new Date(Math.min(this.startedAtMs + this.timeoutMs, 8.64e15));
  }

  get abort(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.abortKind !== null) this.#controller.abort(this.#reason(this.abortKind));
    }
    return this.#controller.signal;
  }

  get log(): Logger {
    this.#log ??= this.#host.log.child({
      operation: this.operationId,
      step: this.step.name,
      attempt: this.attempt,
    });
    return this.#log;
  }

  /** Made when asked for, like the rest: a Step may take it out of its context and call it alone. */
  get progress(): StepContext["progress"] {
    return (done, total, note) => {
      if (!this.isOver) this.#host.note(this, done, total, note);
    };
  }

  /** Tells the handler to end; the first reason stays. */
  tellAbort(kind: AbortKind): void {
    if (this.isOver || this.abortKind !== null) return;
    this.abortKind = kind;
    this.#controller?.abort(this.#reason(kind));
  }

  #reason(kind: AbortKind): AbortReason {
    const timeoutMs = this.timeoutMs;
    const error =
      kind === "timeout"
        ? createError("MR_TIMEOUT", { what: `Attempt ${this.attempt} of ${this.operationId}`, timeoutMs })
        : createError("MR_OPERATION_CANCELLED", { id: this.operationId, reason: kind });
    return Object.assign(error, { kind });
  }
}
