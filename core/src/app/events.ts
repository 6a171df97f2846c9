/**
 * What an App tells listeners in its process, after the store has acknowledged it. Nothing is built while nobody
 * listens; what a listener throws is its own affair.
 */

import { type RemoteError, toRemoteError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { SettledKind } from "../foreman/completer.js";
import type { Assignment } from "../worker/port.js";
import { remoteErrorOf } from "./status.js";

/** The end of an Attempt. */
export interface AttemptEvent {
  readonly id: string;
  readonly step: string;
  readonly attempt: number;
  /** Milliseconds from enqueue to the begin of this Attempt, over the clocks of both processes. */
  readonly waitedMs: number;
}

/** The end of an Attempt by an error. */
export interface FailureEvent extends AttemptEvent {
  readonly error: RemoteError;
}

/** Events by name. `stale`: the store refused an outcome, since the Operation had another owner by then. */
export interface AppEvents {
  readonly "operation.completed": AttemptEvent;
  readonly "operation.failed": FailureEvent;
  readonly "operation.cancelled": AttemptEvent;
  readonly "operation.retrying": FailureEvent;
  readonly "operation.released": AttemptEvent;
  readonly "operation.stale": AttemptEvent;
}

type Listener = (payload: never) => void;

/** Listeners by event. */
export class EventHub {
  readonly #log: Logger;
  readonly #listeners = new Map<keyof AppEvents, Set<Listener>>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof AppEvents>(event: Name, listener: (payload: AppEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(event) ?? new Set();
    this.#listeners.set(event, listeners);
    listeners.add(listener);
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#listeners.delete(event);
    };
  }

  /** Whether anybody listens. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Tells how the store took an outcome. */
  settled(attempt: Assignment, kind: SettledKind, value: Uint8Array | null): void {
    if (this.#listeners.size === 0) return;
    switch (kind) {
      case "failed":
        return this.#emit("operation.failed", () => ({ ...eventOf(attempt), error: remoteErrorOf(value) }));
      case "retried":
        return this.#emit("operation.retrying", () => ({ ...eventOf(attempt), error: remoteErrorOf(value) }));
      default:
        return this.#emit(`operation.${kind}`, () => eventOf(attempt));
    }
  }

  #emit<Name extends keyof AppEvents>(event: Name, make: () => AppEvents[Name]): void {
    const listeners = this.#listeners.get(event);
    if (listeners === undefined) return;
    const payload = make();
    for (const listener of listeners) {
      try {
        const returned = (listener as (payload: AppEvents[Name]) => unknown)(payload); // `on` put it under its own event's name
        if (returned instanceof Promise) returned.catch((error: unknown) => this.#failed(event, error));
      } catch (error) {
        this.#failed(event, error);
      }
    }
  }

  /** Neither the work's failure nor one to end the process for. */
  #failed(event: keyof AppEvents, error: unknown): void {
    this.#log.error({ event, error: toRemoteError(error) }, "a listener failed");
  }
}

function eventOf(attempt: Assignment): AttemptEvent {
  const { step, enqueuedAtMs, startedAtMs } = attempt;
  return {
    id: attempt.operationId,
    step: step.name,
    attempt: attempt.attempt,
    waitedMs: Math.max(0, startedAtMs - enqueuedAtMs),
  };
}
