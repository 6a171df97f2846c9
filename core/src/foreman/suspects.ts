/**
 * Suspects (elsewhere: poison-pill quarantine): Operations that were in a Worker when it died and nobody could tell
 * which of them killed it, and those whose Foremen died twice. Each runs alone in its Worker, so that the next death
 * names its culprit and costs nobody else; of the latter, which may end this whole process, one at a time.
 */
import type { Given } from "./given.js";

/** Recoveries after which an Operation is a suspect: its Foreman died twice while it ran. */
const RECOVERIES_MIN = 2;
/** Suspects remembered; the oldest are forgotten first. */
const REMEMBERED_MAX = 10_000;

/** The suspects of one Foreman. */
export class Suspects {
  readonly #ids = new Set<string>();
  /** Of those that may end this process, the one whose turn it is. */
  #current: Given | null = null;
  readonly #wakes: (() => void)[] = [];

  /** Whether an Operation has to run alone. */
  has(given: Given): boolean {
    return isDeadly(given) || (this.#ids.size > 0 && this.#ids.has(given.operationId));
  }

  /** Remembers an Operation that was there when a Worker died. */
  add(given: Given): void {
    this.#ids.add(given.operationId);
    if (this.#ids.size <= REMEMBERED_MAX) return;
    const [oldest] = this.#ids;
    if (oldest !== undefined) this.#ids.delete(oldest);
  }

  /** Forgets an Operation that ended by itself. */
  clear(given: Given): void {
    if (this.#ids.size > 0) this.#ids.delete(given.operationId);
  }

  /** Whether it may run alone now; if so, its turn lasts until `leave`. */
  take(given: Given): boolean {
    if (!isDeadly(given)) return true;
    if (this.#current !== null && this.#current !== given) return false;
    this.#current = given;
    return true;
  }

  /** Its turn is over. */
  leave(given: Given): void {
    if (this.#current !== given) return;
    this.#current = null;
    for (const wake of this.#wakes) wake();
  }

  /** Calls `wake` whenever the next one may have its turn. */
  whenFree(wake: () => void): void {
    this.#wakes.push(wake);
  }
}

function isDeadly(given: Given): boolean {
  return given.claim.recoveries >= RECOVERIES_MIN;
}
