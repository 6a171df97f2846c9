/**
 * Time, injected. The only file in core that reads a clock or sets a timer, so that a test can stand in for it.
 * Due times use the wall clock (of the store); leases and deadlines use the monotonic one.
 */

/** A timer that was set. Both calls may be repeated, also after it fired. */
export interface Timer {
  /** The function will not be called any more. */
  cancel(): void;
  /** Lets the process end although the timer is set. */
  unref(): void;
}

/** A source of time and of later calls. */
export interface Clock {
  /** Milliseconds since 1970 by the wall clock; may jump, also backwards. */
  nowMs(): number;
  /** Milliseconds since some moment in the past, with fractions; never goes back. */
  monotonicMs(): number;
  /** Calls `fn` once, not before `ms` milliseconds; any length, negative counts as zero, Infinity never fires. */
  setTimer(ms: number, fn: () => void): Timer;
  /** Calls `fn` once, after the input and output that is already waiting. */
  immediate(fn: () => void): void;
}

// Node keeps the delay in a signed 32-bit number and fires at once when it is larger.
const DELAY_MAX_MS = 2 ** 31 - 1;

/** The clock of this machine. */
export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  setTimer: (ms, fn) => (ms <= DELAY_MAX_MS ? shortTimer(ms, fn) : longTimer(ms, fn)),
  immediate: (fn) => {
    setImmediate(fn);
  },
};

function shortTimer(ms: number, fn: () => void): Timer {
  const handle = setTimeout(fn, ms);
  return {
    cancel: () => clearTimeout(handle),
    unref: () => {
      handle.unref();
    },
  };
}

/** Sleeps in pieces and keeps `unref` over the change from one piece to the next. */
function longTimer(ms: number, fn: () => void): Timer {
  const due = performance.now() + ms;
  let isUnref = false;
  let handle = setTimeout(goOn, DELAY_MAX_MS);
  function goOn(): void {
    const left = due - performance.now();
    if (left <= 0) {
      fn();
      return;
    }
    handle = setTimeout(goOn, Math.min(left, DELAY_MAX_MS));
    if (isUnref) handle.unref();
  }
  return {
    cancel: () => clearTimeout(handle),
    unref: () => {
      isUnref = true;
      handle.unref();
    },
  };
}
