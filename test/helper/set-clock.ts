/** A wall clock that a test sets to the microsecond; timers stay real, so that stores can do their own housework. */
import { type Clock, systemClock, type Timer } from "@millrace/core/internal";

export class SetClock implements Clock {
  atUs: number;

  constructor(atUs: number) {
    this.atUs = atUs;
  }

  /** A quarter of a microsecond is added: after the way through fractions, cutting and rounding both give `atUs` again. */
  nowMs(): number {
    return (this.atUs + 0.25) / 1000;
  }

  monotonicMs(): number {
    return systemClock.monotonicMs();
  }

  setTimer(ms: number, fn: () => void): Timer {
    return systemClock.setTimer(ms, fn);
  }

  immediate(fn: () => void): void {
    systemClock.immediate(fn);
  }
}
