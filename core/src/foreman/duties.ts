/**
 * The table of duties that recur: what, and how often. A duty never overlaps itself; one that throws is logged and
 * comes again.
 */
import type { Clock, Timer } from "../base/clock.js";
import type { Logger } from "../base/log.js";

/** One recurring duty. `periodMs` counts from the end of one run to the begin of the next. */
export interface Duty {
  readonly name: string;
  readonly periodMs: number;
  run(): Promise<void>;
}

/** Runs duties until stopped. */
export class Duties {
  readonly #duties: readonly Duty[];
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #timers = new Map<Duty, Timer>();
  #isOpen = false;

  constructor(duties: readonly Duty[], clock: Clock, log: Logger) {
    this.#duties = duties;
    this.#clock = clock;
    this.#log = log;
  }

  /** Begins; each duty runs first after its period. */
  start(): void {
    this.#isOpen = true;
    for (const duty of this.#duties) this.#arm(duty);
  }

  /** Ends; a duty that runs now finishes by itself. */
  stop(): void {
    this.#isOpen = false;
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }

  #arm(duty: Duty): void {
    if (!this.#isOpen) return;
    this.#timers.set(
      duty,
      this.#clock.setTimer(duty.periodMs, () => {
        void this.#run(duty);
      }),
    );
  }

  async #run(duty: Duty): Promise<void> {
    try {
      await duty.run();
    } catch (error) {
      this.#log.warn({ duty: duty.name, error }, "a duty failed and will come again");
    }
    this.#arm(duty);
  }
}
