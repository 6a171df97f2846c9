/**
 * The options of one job, checked and translated: which Step, which options of an enqueue, what is stored beside it.
 */
import { createError, show } from "../../base/errors.js";
import type { EnqueueOptions } from "../../index.js";
import { type JobKey, keyOf } from "./keys.js";
import { priorityOf } from "./priority.js";
import { checkOptions, JOB_ROWS, unsupported } from "./refusals.js";
import { completedMsOf, PLAIN_STEP, stepNameOf } from "./retention.js";
import type { DefaultJobOptions, JobsOptions } from "./types.js";

/** What to do with a job. */
export interface Plan {
  readonly step: string;
  readonly enqueue: EnqueueOptions | undefined;
  /** Of a job with a name of the program's own. */
  readonly key: JobKey | null;
  /** Stored with the job; undefined if nothing was said. */
  readonly opts: JobsOptions | undefined;
}

/** A job about which nothing was said: by far the most frequent one. */
export const PLAIN: Plan = { step: PLAIN_STEP, enqueue: undefined, key: null, opts: undefined };

/**
 * Plans a job. `defaults` are the queue's. `keepAtLeastMs`: children of a flow are kept for their parent.
 *
 * Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION, MR_TOO_LARGE by `sizeLimit`.
 */
export function planOf(
  given: JobsOptions | undefined,
  defaults: DefaultJobOptions | undefined,
  data: unknown,
  keepAtLeastMs = 0,
): Plan {
  if (given === undefined && defaults === undefined) return PLAIN;
  const opts: JobsOptions = defaults === undefined ? { ...given } : { ...defaults, ...given };
  if (Object.keys(opts).length === 0) return PLAIN;
  checkOptions(opts, JOB_ROWS, "job");
  if (opts.lifo === true) {
    throw unsupported("job option `lifo: true`", "give what is to go first a priority, and the others a lower one");
  }
  checkBackoff(opts.backoff);
  checkSize(opts.sizeLimit, data);
  const enqueue = enqueueOf(opts);
  const step = stepNameOf(opts, keepAtLeastMs);
  return { step, enqueue, key: keyOf(opts, completedMsOf(step)), opts };
}

function enqueueOf({ priority, delay, timestamp, attempts }: JobsOptions): EnqueueOptions | undefined {
  const ours = priority === undefined ? 0 : priorityOf(priority);
  const hasDelay = delay !== undefined && delay !== 0;
  if (hasDelay && !(typeof delay === "number" && delay > 0)) throw invalid("delay", "milliseconds", delay);
  if (attempts !== undefined && !(Number.isInteger(attempts) && attempts >= 0)) {
    throw invalid("attempts", "an integer of at least 0", attempts);
  }
  if (timestamp !== undefined && !Number.isFinite(timestamp)) throw invalid("timestamp", "milliseconds", timestamp);
  const retries = attempts === undefined || attempts < 2 ? 0 : attempts - 1;
  if (ours === 0 && !hasDelay && retries === 0) return undefined;
  return {
    ...(ours === 0 ? {} : { priority: ours }),
    ...(retries === 0 ? {} : { retries }),
    // A delay counts from the job's own time if it has one.
    ...(!hasDelay ? {} : timestamp === undefined ? { delay } : { at: new Date(timestamp + delay) }),
  };
}

function checkBackoff(backoff: DefaultJobOptions["backoff"]): void {
  if (backoff === undefined) return;
  const delay = typeof backoff === "number" ? backoff : backoff?.delay;
  const isFit =
    (typeof backoff === "number" || (typeof backoff === "object" && typeof backoff?.type === "string")) &&
    (delay === undefined || (typeof delay === "number" && delay >= 0));
  if (!isFit) throw invalid("backoff", "milliseconds or { type, delay, jitter }", backoff);
  const jitter = typeof backoff === "object" ? backoff.jitter : undefined;
  if (jitter !== undefined && !(jitter >= 0 && jitter <= 1)) throw invalid("backoff.jitter", "0 to 1", jitter);
}

function checkSize(sizeLimit: number | undefined, data: unknown): void {
  if (sizeLimit === undefined) return;
  const bytes = Buffer.byteLength(JSON.stringify(data) ?? "");
  if (bytes > sizeLimit) throw createError("MR_TOO_LARGE", { path: "job.data", bytes, bytesMax: sizeLimit });
}

function invalid(name: string, expected: string, value: unknown): Error {
  return createError("MR_INVALID_OPTION", { path: `job.${name}`, problem: `expected ${expected}, got ${show(value)}` });
}
