/**
 * Suspects (elsewhere: poison-pill quarantine): Operations that were in a Worker when it died and nobody could tell
 * which of them killed it. Each runs alone in its Worker, so that the next death names its culprit and costs nobody else.
 * Those that may end this whole process are the business of quarantine.ts.
 */
import type { Given } from "./given.js";

/** Suspects remembered; the oldest are forgotten first. */
const REMEMBERED_MAX = 10_000;

/** The suspects of one Foreman. */
export class Suspects {
  readonly #ids = new Set<string>();

  /** Whether an Operation has to run alone. */
  has(given: Given): boolean {
    return this.#ids.size > 0 && this.#ids.has(given.operationId);
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
}
