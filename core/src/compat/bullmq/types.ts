/**
 * The shapes a BullMQ program writes down: options of queues, workers and jobs, and what listeners are called with.
 *
 * Only what this door takes part in is typed in full; what it refuses is typed loosely, so that a program that sets it
 * compiles and is told at run time what to do instead (refusals.ts).
 */
import type { Logger } from "../../index.js";

/**
 * A value whose type the program leaves open. BullMQ's classes default to it, and so must these: a program that says
 * no types reads `job.data.anything` without a cast.
 */
// biome-ignore lint/suspicious/noExplicitAny: the API this door stands in for is typed this way
export type Loose = any;

/** Where a job stands. */
export type JobState = "completed" | "failed" | "active" | "delayed" | "prioritized" | "waiting" | "waiting-children";

/** A kind of job to list or count. */
export type JobType = JobState | "repeat" | "wait";

/** What `updateProgress` takes. */
export type JobProgress = string | boolean | number | object;

/** The states a job ends in. */
export type FinishedStatus = "completed" | "failed";

/** How long finished jobs are kept: `age` in seconds. Counts of jobs are refused. */
export type KeepJobs =
  | { readonly count: number; readonly age?: number; readonly limit?: number }
  | { readonly age: number; readonly count?: number; readonly limit?: number };

/** How waits grow between two attempts. Types other than the two named ones ask `settings.backoffStrategy`. */
export interface BackoffOptions {
  readonly type: "fixed" | "exponential" | (string & {});
  /** Milliseconds. */
  readonly delay?: number;
  /** 0…1: how much of the wait chance may take away. */
  readonly jitter?: number;
}

/** Options of a job that a queue may set for all of its jobs. */
export interface DefaultJobOptions {
  /** Milliseconds since 1970; default now. */
  readonly timestamp?: number;
  /** 0 (default) goes before all others; from 1 to 2,097,152 a smaller number goes first. */
  readonly priority?: number;
  /** Milliseconds. */
  readonly delay?: number;
  /** Tries in all, default 1. */
  readonly attempts?: number;
  readonly backoff?: number | BackoffOptions;
  /** Refused. */
  readonly lifo?: boolean;
  readonly removeOnComplete?: boolean | number | KeepJobs;
  readonly removeOnFail?: boolean | number | KeepJobs;
  /** Refused. */
  readonly keepLogs?: number;
  /** The last stack is kept, none with 0. */
  readonly stackTraceLimit?: number;
  /** Largest JSON text of `data`, in bytes. */
  readonly sizeLimit?: number;
}

/**
 * What deduplicates jobs of one id. Alone: until the first one has ended. With `ttl` (milliseconds): so long after it was
 * added, and no longer. With `replace`: while the first one is delayed, the later one takes its place; `ttl` and `extend`
 * beside it count anew each time.
 */
export interface DeduplicationOptions {
  readonly id: string;
  readonly ttl?: number;
  readonly extend?: boolean;
  readonly replace?: boolean;
}

/** Options of one job. */
export interface JobsOptions extends DefaultJobOptions {
  /** A name of the caller's own for the job. While there is a job of that name, another one is not added. */
  readonly jobId?: string;
  /** For children in a flow: the parent fails when this child does. */
  readonly failParentOnFailure?: boolean;
  /** For children in a flow: the parent begins as soon as this child has failed. */
  readonly continueParentOnFailure?: boolean;
  /** For children in a flow: the parent does not care whether this child fails. */
  readonly ignoreDependencyOnFailure?: boolean;
  /** For children in a flow: the same, and the failure is not listed. */
  readonly removeDependencyOnFailure?: boolean;
  /** Refused outside of FlowProducer. */
  readonly parent?: Loose;
  /** Refused. */
  readonly repeat?: Loose;
  readonly deduplication?: DeduplicationOptions;
  /** The older name of `deduplication`. */
  readonly debounce?: DeduplicationOptions;
  /** Refused. */
  readonly telemetry?: Loose;
}

/** Options of jobs added in bulk. */
export type BulkJobOptions = JobsOptions;

/** Where jobs are kept. `connection` is what BullMQ takes; `store` is any store URL of Millrace and goes first. */
export interface ConnectionOptions {
  /** ioredis options, a Redis URL, or an ioredis instance (its options are read, it is not used). */
  readonly connection?: Loose;
  /** `"memory:"`, `"embedded:DIR"` or a Redis URL. */
  readonly store?: string;
  /** Default `"bull"`. */
  readonly prefix?: string;
  /** Silent by default. */
  readonly logger?: Logger;
  readonly skipVersionCheck?: boolean;
  readonly skipWaitingForReady?: boolean;
  /** Refused. */
  readonly telemetry?: Loose;
  /** Refused. */
  readonly blockingConnection?: boolean;
}

/** Options of a Queue. */
export interface QueueOptions extends ConnectionOptions {
  readonly defaultJobOptions?: DefaultJobOptions;
  readonly skipMetasUpdate?: boolean;
  /** Refused. */
  readonly streams?: Loose;
  /** Refused. */
  readonly settings?: Loose;
}

/** A rule of the program's own for the wait after a failed attempt, in milliseconds; -1 fails the job at once. */
export type BackoffStrategy = (
  attemptsMade: number,
  type?: string,
  error?: Error,
  job?: Loose,
) => number | Promise<number>;

/** Options of a Worker. */
export interface WorkerOptions extends ConnectionOptions {
  /** Told to jobs as `processedBy`. */
  readonly name?: string;
  /** Default true. */
  readonly autorun?: boolean;
  /** Jobs at once, default 1. */
  readonly concurrency?: number;
  /** A job that lost its worker more often than this fails; default: the native limit of 3. */
  readonly maxStalledCount?: number;
  /** A job that was begun so often fails. */
  readonly maxStartedAttempts?: number;
  readonly removeOnComplete?: KeepJobs;
  readonly removeOnFail?: KeepJobs;
  readonly settings?: { readonly backoffStrategy?: BackoffStrategy; readonly repeatStrategy?: Loose };
  /** At most `max` jobs of the queue begin in each `duration` (milliseconds), over all its Workers in all processes. */
  readonly limiter?: { readonly max: number; readonly duration: number };
  /** Refused. */
  readonly metrics?: Loose;
  /** Refused, like every other option that tunes locks, stalled checks and blocking reads. */
  readonly lockDuration?: number;
  /** Refused. */
  readonly lockRenewTime?: number;
  /** Refused. */
  readonly stalledInterval?: number;
  /** Refused. */
  readonly skipStalledCheck?: boolean;
  /** Refused. */
  readonly skipLockRenewal?: boolean;
  /** Refused. */
  readonly drainDelay?: number;
  /** Refused. */
  readonly runRetryDelay?: number;
  /** Refused. */
  readonly maximumRateLimitDelay?: number;
  /** Refused. */
  readonly useWorkerThreads?: boolean;
}

/** Options of QueueEvents. */
export interface QueueEventsOptions extends ConnectionOptions {
  /** Default true. */
  readonly autorun?: boolean;
  /** Refused. */
  readonly lastEventId?: string;
  /** Refused. */
  readonly blockingTimeout?: number;
}

/** Options of a FlowProducer. */
export type FlowProducerOptions = ConnectionOptions;
