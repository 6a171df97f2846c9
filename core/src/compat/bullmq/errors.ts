/**
 * The errors a BullMQ processor throws to steer its job. Each is one of Millrace's own, so that the engine obeys it
 * wherever it comes from.
 */
import { RetryAfter, TerminalError } from "../../base/errors.js";

/** Thrown by a processor: the job fails at once, whatever attempts it has left. */
export class UnrecoverableError extends TerminalError {
  constructor(message = "this job is not worth another attempt") {
    super(message);
  }
}

/** Thrown by a processor after `job.moveToDelayed`: the job comes again then, without spending an attempt. */
export class DelayedError extends RetryAfter {
  constructor(message?: string) {
    super(0);
    if (message !== undefined) this.message = message;
  }
}

/** Thrown by a processor after `worker.rateLimit`: the job comes again when the limit is over, no attempt spent. */
export class RateLimitError extends RetryAfter {
  constructor(message?: string) {
    super(0);
    if (message !== undefined) this.message = message;
  }
}

/** Thrown by a processor after `job.moveToWait`: the job comes again at once, without spending an attempt. */
export class WaitingError extends RetryAfter {
  constructor(message?: string) {
    super(0);
    if (message !== undefined) this.message = message;
  }
}

/** Whether an error says that another attempt is of no use: also one made by the package this door stands in for. */
export function isUnrecoverable(error: Error): boolean {
  return error instanceof UnrecoverableError || error.name === "UnrecoverableError";
}
