/**
 * The store of `memory:`: machines without anything under them. It lasts as long as its process, survives nothing,
 * and needs nothing; tests and simulations run on it with a clock of their own.
 */
import { type Clock, systemClock } from "../../base/clock.js";
import { createError, type MillraceError } from "../../base/errors.js";
import type { Secured } from "../../engine/durability.js";
import { MachineStore, type StoreCall, type StoreEvent } from "./machine-store.js";

/** What a memory store is made with. */
export interface MemoryStoreOptions {
  /** Name of the App, for messages. */
  readonly app: string;
  readonly clock?: Clock;
}

/** A Store in this process's memory. Every answer is ready at once; nothing outlives `close`. */
export class MemoryStore extends MachineStore {
  readonly url = "memory:";
  readonly durability = { level: "memory", isChecked: true, best: "memory", replicates: false } as const;
  #isClosed = false;

  constructor(options: MemoryStoreOptions) {
    super(options.app, options.clock ?? systemClock, false);
  }

  open(): Promise<void> {
    return this.#isClosed ? Promise.reject(this.#closed("open")) : Promise.resolve();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  protected reach(): Promise<Omit<Secured, "missing">> {
    return Promise.resolve({ level: "memory", replicas: 0 });
  }

  ready(): Promise<void> {
    return this.#isClosed ? Promise.reject(this.#closed("ready")) : Promise.resolve();
  }

  protected refusal(call: StoreCall): MillraceError | null {
    return this.#isClosed ? this.#closed(call) : null;
  }

  protected answer<T>(_call: StoreCall, answer: T): Promise<T> {
    return Promise.resolve(answer);
  }

  protected publish(events: readonly StoreEvent[]): void {
    this.deliver(events);
  }

  protected broke(): void {
    // The error reaches the caller; there is nothing on disk to keep from it.
  }

  protected directoryChanged(): void {
    // Segments and pauses live in the maps of the base alone.
  }

  #closed(method: string): MillraceError {
    return createError("MR_APP_CLOSED", { app: this.app, method });
  }
}
