/**
 * Runnable: anything with a start and a stop. Group: several of them as one.
 * A program is a tree of these; nothing else in core starts timers, sockets or threads on its own.
 */

/** Something with a life. */
export interface Runnable {
  /** Resolves when it does its work; rejects if it cannot, leaving nothing behind. */
  start(): Promise<void>;
  /**
   * Resolves when it has let go of everything.
   *
   * `deadlineMs` is a moment of the injected clock's `monotonicMs`: by then it should have finished politely, after
   * it lets go by force. Stopping twice, or before start, is safe and resolves.
   */
  stop(deadlineMs: number): Promise<void>;
}

/**
 * Starts its members in order and stops them in reverse, one after the other.
 *
 * *down*: no member runs. `start` → up; `stop` resolves, after a stop that is still going on.
 * *up*: members start, or all run. If one fails, those before it are stopped in reverse, `start` rejects with its
 * error → down. Further starts give the same promise. `stop` ends a start after the member at hand (that start
 * resolves), then takes down what runs, also past a member that fails → down.
 *
 * Calls take effect in the order they were made: a start during a stop waits for its end.
 */
export class Group implements Runnable {
  readonly #members: readonly Runnable[];
  /** What the latest call asked for. */
  #wanted: "up" | "down" = "down";
  /** The work of the latest call; those before it have ended when it begins. */
  #latest: Promise<void> = Promise.resolve();
  /** How many members run, counted from the first. */
  #running = 0;

  constructor(members: readonly Runnable[]) {
    this.#members = members;
  }

  start(): Promise<void> {
    if (this.#wanted === "up") return this.#latest;
    this.#wanted = "up";
    return this.#then(() => this.#startAll());
  }

  stop(deadlineMs: number): Promise<void> {
    if (this.#wanted === "down") return this.#latest;
    this.#wanted = "down";
    return this.#then(() => this.#stopAll(deadlineMs));
  }

  #then(work: () => Promise<void>): Promise<void> {
    // Whoever made the call before has its error; here only its end matters.
    this.#latest = this.#latest.then(work, work);
    return this.#latest;
  }

  async #startAll(): Promise<void> {
    try {
      for (const member of this.#members) {
        if (this.#wanted === "down") return; // the stop behind us takes down what runs
        await member.start();
        this.#running++;
      }
    } catch (error) {
      // A failed start has no deadline of its own: what came up has had no work yet, so it goes at once.
      await this.#stopAll(Number.NEGATIVE_INFINITY).catch(() => undefined);
      if (this.#wanted === "up") {
        this.#wanted = "down";
        this.#latest = Promise.resolve();
      }
      throw error;
    }
  }

  async #stopAll(deadlineMs: number): Promise<void> {
    const errors: unknown[] = [];
    while (this.#running > 0) {
      this.#running--;
      try {
        await this.#members[this.#running]?.stop(deadlineMs);
      } catch (error) {
        errors.push(error);
      }
    }
    if (errors.length === 1) throw errors[0];
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} members failed to stop`);
  }
}
