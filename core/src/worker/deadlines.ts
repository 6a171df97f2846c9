/**
 * Deadlines of running Attempts: one list per time limit, in order of start, hence of deadline.
 *
 * Adding and removing cost O(1) and no timer; one timer a list looks at its oldest member. A timer per Attempt would
 * cost more than the Attempt. The lists together are also the set of what runs.
 */
import type { Clock } from "../base/clock.js";
import type { Attempt } from "./attempt.js";

interface List {
  readonly limitMs: number;
  first: Attempt | null;
  last: Attempt | null;
  isArmed: boolean;
}

/** The running Attempts of one Worker. */
export class Deadlines {
  readonly #clock: Clock;
  readonly #expired: (attempt: Attempt) => void;
  readonly #lists = new Map<number, List>();

  /** `expired` is called once for each Attempt that is still in its list when its time is up. */
  constructor(clock: Clock, expired: (attempt: Attempt) => void) {
    this.#clock = clock;
    this.#expired = expired;
  }

  /** Adds an Attempt that starts now. */
  add(attempt: Attempt): void {
    const limitMs = attempt.timeoutMs;
    let list = this.#lists.get(limitMs);
    if (list === undefined) {
      list = { limitMs, first: null, last: null, isArmed: false };
      this.#lists.set(limitMs, list);
    }
    attempt.previous = list.last;
    if (list.last === null) list.first = attempt;
    else list.last.next = attempt;
    list.last = attempt;
    if (!list.isArmed && limitMs !== Number.POSITIVE_INFINITY) this.#arm(list, limitMs);
  }

  /** Takes an Attempt out; it must be in. */
  remove(attempt: Attempt): void {
    const list = this.#lists.get(attempt.timeoutMs);
    if (list === undefined) return;
    if (attempt.previous === null) list.first = attempt.next;
    else attempt.previous.next = attempt.next;
    if (attempt.next === null) list.last = attempt.previous;
    else attempt.next.previous = attempt.previous;
    attempt.previous = null;
    attempt.next = null;
    // Limits given with single Operations come and go; the timer of a list that is armed still knows it.
    if (list.first === null && !list.isArmed) this.#lists.delete(list.limitMs);
  }

  /** All running Attempts, oldest first within each time limit. */
  *running(): Iterable<Attempt> {
    for (const list of this.#lists.values()) {
      for (let attempt = list.first; attempt !== null; ) {
        const next: Attempt | null = attempt.next; // the visitor may remove this one
        yield attempt;
        attempt = next;
      }
    }
  }

  #arm(list: List, ms: number): void {
    list.isArmed = true;
    this.#clock.setTimer(ms, () => this.#check(list)).unref();
  }

  #check(list: List): void {
    list.isArmed = false;
    const nowMs = this.#clock.monotonicMs();
    for (let attempt = list.first; attempt !== null; ) {
      const next: Attempt | null = attempt.next;
      const leftMs = attempt.startedMonotonicMs + list.limitMs - nowMs;
      if (leftMs > 0) return this.#arm(list, leftMs);
      if (attempt.abortKind === null) this.#expired(attempt);
      attempt = next;
    }
    if (list.first === null) this.#lists.delete(list.limitMs);
  }
}
