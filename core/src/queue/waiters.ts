/**
 * Waiting for outcomes: every wait registers here, then subscribes and reads in one store call, so that no completion
 * slips between. A slow poll, counted, covers a lost message. Coalesces the waits of a tick per Segment.
 */
import { formatId } from "../engine/dot.js";
import type { LocalDot } from "../engine/lease.js";
import { isTerminal, type OperationRecord, type OperationState } from "../engine/operation.js";
import type { Settled } from "../engine/transitions.js";
import { type ResendContext, resend } from "./resend.js";
import { afterTick } from "./tick.js";

/** How an awaited Operation ended. `pruned` and `missing` leave the value null. */
export interface Ending {
  readonly state: OperationState | "pruned" | "missing";
  readonly attempt: number;
  readonly value: Uint8Array | null;
}

/** One who waits. Exactly one method is called, once, unless the wait is cancelled before. */
export interface Waiter {
  settled(ending: Ending): void;
  failed(error: Error): void;
}

interface Entry {
  readonly id: string;
  readonly segment: string;
  readonly dot: LocalDot;
  readonly waiters: Set<Waiter>;
  readonly listeners: Set<(value: Uint8Array) => void>;
  /** Reads of it without an answer yet. */
  reads: number;
}

/** Period of the safety poll by default. */
export const WAIT_POLL_MS = 5_000;
const FIND_MAX = 1_000;
/** A find for a wait is repeated across outages: the wait has its own deadline. */
const FIND_TIMEOUT_MS = Number.POSITIVE_INFINITY;

/** The waits of one process. */
export class Waiters {
  readonly #context: ResendContext;
  readonly #entries = new Map<string, Entry>();
  #fresh: Entry[] = [];
  readonly #pollMs: number;
  #isPolling = false;
  #isEnded = false;

  /** `pollMs`: period of the safety poll. */
  constructor(context: ResendContext, pollMs: number) {
    this.#context = context;
    this.#pollMs = pollMs;
  }

  /** Waits for an Operation; the returned function ends the wait. */
  wait(segment: string, dot: LocalDot, waiter: Waiter): () => void {
    const entry = this.#entry(segment, dot);
    entry.waiters.add(waiter);
    return () => {
      entry.waiters.delete(waiter);
      this.#forgetIfUnused(entry);
    };
  }

  /** Listens to an Operation's progress; the returned function ends it. */
  follow(segment: string, dot: LocalDot, listener: (value: Uint8Array) => void): () => void {
    const entry = this.#entry(segment, dot);
    entry.listeners.add(listener);
    return () => {
      entry.listeners.delete(listener);
      this.#forgetIfUnused(entry);
    };
  }

  /** Takes the store's word that an Operation ended. */
  settle(outcome: Settled): void {
    const entry = this.#entries.get(outcome.id);
    if (entry !== undefined) this.#end(entry, outcome);
  }

  /** Takes the store's word that an Operation made progress. */
  progress(id: string, value: Uint8Array): void {
    for (const listener of this.#entries.get(id)?.listeners ?? []) listener(value);
  }

  /** Reads awaited Operations of these Segments (`null`: all) again: after a reconnect, when messages may have been lost. */
  readAll(segments: readonly string[] | null = null): void {
    const entries = [...this.#entries.values()];
    const wanted = segments === null ? null : new Set(segments);
    this.#read(wanted === null ? entries : entries.filter(({ segment }) => wanted.has(segment)), false);
  }

  /** Fails all waits: the App is closing. */
  end(error: Error): void {
    this.#isEnded = true;
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const entry of entries) for (const waiter of entry.waiters) waiter.failed(error);
  }

  #entry(segment: string, dot: LocalDot): Entry {
    const id = formatId(segment, dot.laneName, dot.counter);
    let entry = this.#entries.get(id);
    if (entry === undefined) {
      entry = { id, segment, dot, waiters: new Set(), listeners: new Set(), reads: 0 };
      this.#entries.set(id, entry);
      this.#fresh.push(entry);
      if (this.#fresh.length === 1) {
        afterTick(() => {
          const fresh = this.#fresh;
          this.#fresh = [];
          this.#read(fresh, false);
        });
      }
      this.#planPoll();
    }
    return entry;
  }

  #read(entries: readonly Entry[], isPoll: boolean): void {
    const bySegment = new Map<string, Entry[]>();
    for (const entry of entries) {
      const list = bySegment.get(entry.segment);
      if (list === undefined) bySegment.set(entry.segment, [entry]);
      else list.push(entry);
    }
    for (const [segment, list] of bySegment) {
      for (let at = 0; at < list.length; at += FIND_MAX)
        void this.#find(segment, list.slice(at, at + FIND_MAX), isPoll);
    }
  }

  async #find(segment: string, entries: readonly Entry[], isPoll: boolean): Promise<void> {
    const { store, counters } = this.#context;
    const params = { dots: entries.map((entry) => entry.dot), wait: true };
    for (const entry of entries) entry.reads++;
    try {
      const { records } = await resend(this.#context, FIND_TIMEOUT_MS, () => store.find(segment, params), segment);
      for (const [i, entry] of entries.entries()) {
        const record = records[i];
        const isOver = record === undefined || typeof record === "string" || isTerminal(record.state);
        // Another wait for the same id may have begun since: its entry is not this one and gets its own answer.
        if (!isOver || this.#entries.get(entry.id) !== entry) continue;
        if (isPoll) counters.add("safetyFinds");
        this.#end(entry, endingOf(record));
      }
    } catch (error) {
      for (const entry of entries) {
        if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
        for (const waiter of entry.waiters) waiter.failed(error as Error); // stores reject with errors only
      }
    } finally {
      for (const entry of entries) entry.reads--;
    }
  }

  #end(entry: Entry, ending: Ending): void {
    this.#entries.delete(entry.id);
    for (const waiter of entry.waiters) waiter.settled(ending);
  }

  #forgetIfUnused(entry: Entry): void {
    if (entry.waiters.size > 0 || entry.listeners.size > 0) return;
    if (this.#entries.get(entry.id) === entry) this.#entries.delete(entry.id);
  }

  #planPoll(): void {
    if (this.#isPolling || this.#isEnded) return;
    this.#isPolling = true;
    const timer = this.#context.clock.setTimer(this.#pollMs, () => {
      this.#isPolling = false;
      if (this.#entries.size === 0 || this.#isEnded) return;
      this.#context.counters.add("safetyPolls");
      // What is being read already needs no second read: while the store is away they would pile up.
      this.#read(
        [...this.#entries.values()].filter((entry) => entry.reads === 0),
        true,
      );
      this.#planPoll();
    });
    timer.unref();
  }
}

function endingOf(record: OperationRecord | "pruned" | "missing" | undefined): Ending {
  if (record === undefined) return { state: "missing", attempt: 0, value: null };
  if (typeof record === "string") return { state: record, attempt: 0, value: null };
  return { state: record.state, attempt: record.attempt, value: record.value };
}
