/**
 * A pool: the Workers of one kind as the Feeder, the Beater and a graceful stop see them. What is claimed goes into a
 * pool, waits there for a slot, runs, and ends at the Completer.
 *
 * `InlinePool` is the Worker of this thread seen that way; pools of threads and processes are worker-pool.ts.
 */
import type { Claim } from "../engine/transitions.js";
import type { InlineWorker, Meant, Unstarted } from "../worker/inline.js";
import type { AbortKind } from "../workflow/context.js";
import type { PoolKind } from "../workflow/step.js";

/** A claimed Operation that this process has. */
export interface Held {
  readonly segment: string;
  readonly claim: Claim;
}

/** Workers of one kind. */
export interface Pool {
  /** `inline`: this thread, which runs everything. */
  readonly kind: PoolKind | "inline";
  /** Queues to claim from, all of them or those for which there is room just now. */
  readonly queues: readonly string[];
  /** Operations that run now, or were handed to a Worker to begin at once. */
  readonly running: number;
  /** Operations that wait here for a slot. */
  readonly buffered: number;
  /** Operations that wait here for others of their batch. */
  readonly gathering: number;
  /** How many more Operations may be claimed, given how long a claim takes; none when 0 or less. */
  room(claimMs: number): number;
  /** Takes claims of one Segment. */
  push(segment: string, claims: readonly Claim[]): void;
  /** Takes out what has waited for a slot for `ageMs` or longer, oldest first. */
  takeUnstarted(ageMs: number): Unstarted[];
  /** Everything it has: what runs, and what waits for a slot. */
  held(): Iterable<Held>;
  /** Tells Attempts of some addresses (with a token: of those claims alone), or all of a Segment, to end. */
  abortWhere(segment: string, addresses: readonly Meant[] | "all", kind: AbortKind): void;
  /** Tells every Attempt to end. */
  abortAll(kind: AbortKind): void;
  /** Gives up on all that still runs and releases it; resolves when none of it can go on beside its next Attempt. */
  giveUp(): void | Promise<void>;
  /** Resolves when nothing runs and nothing is buffered. */
  whenIdle(): Promise<void>;
}

/** The Worker of this thread. */
export class InlinePool implements Pool {
  readonly kind = "inline";
  readonly queues: readonly string[];
  readonly #worker: InlineWorker;

  constructor(worker: InlineWorker, queues: readonly string[]) {
    this.#worker = worker;
    this.queues = queues;
  }

  get running(): number {
    return this.#worker.running;
  }

  get buffered(): number {
    return this.#worker.buffered;
  }

  get gathering(): number {
    return this.#worker.gathering;
  }

  room(claimMs: number): number {
    return this.#worker.room(claimMs);
  }

  push(segment: string, claims: readonly Claim[]): void {
    this.#worker.push(segment, claims);
  }

  takeUnstarted(ageMs: number): Unstarted[] {
    return this.#worker.takeUnstarted(ageMs);
  }

  held(): Iterable<Held> {
    return this.#worker.held();
  }

  abortWhere(segment: string, addresses: readonly Meant[] | "all", kind: AbortKind): void {
    this.#worker.abortWhere(segment, addresses, kind);
  }

  abortAll(kind: AbortKind): void {
    this.#worker.abortAll(kind);
  }

  giveUp(): void {
    this.#worker.giveUp();
  }

  whenIdle(): Promise<void> {
    return this.#worker.whenIdle();
  }

  /** Changes how many Attempts run at once; what runs beyond that goes on. */
  setSlots(slots: number): void {
    this.#worker.setSlots(slots);
  }
}
