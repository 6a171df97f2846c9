/**
 * What this door does not offer, and what to do instead: one table per place, so that nothing is ever ignored in
 * silence. The guide (docs/guides/from-bullmq.md) tells the same in prose.
 */
import { createError, show } from "../../base/errors.js";

/** Refuses a use of the door. `what` is named as the program spells it. */
export function unsupported(what: string, instead: string): Error {
  return createError("MR_COMPAT_UNSUPPORTED", { what, instead });
}

/** By option: true if it is taken, else what to do instead. */
export type OptionRows = Readonly<Record<string, true | string>>;

const SCHEDULES = "schedules are not there yet; enqueue with `delay` or `at`, or let cron call `add`";
const LEASE =
  "leave it out: a Foreman renews its Lease (10 s) for all it holds, and others take over when it is silent";
const TELEMETRY = "leave it out: use the App's events and metrics, or listeners";
const THREADS =
  'declare the work as a Step with `kind: "blocking"` and give the App `module`: it runs on Worker threads';

/** Options every class takes. */
export const CONNECTION_ROWS: OptionRows = {
  connection: true,
  store: true,
  prefix: true,
  logger: true,
  skipVersionCheck: true, // nothing is checked by version numbers of a package
  skipWaitingForReady: true, // a constructor never waits
  blockingConnection: "leave it out: no connection of Millrace blocks",
  telemetry: TELEMETRY,
};

/** Options of a Queue. */
export const QUEUE_ROWS: OptionRows = {
  ...CONNECTION_ROWS,
  defaultJobOptions: true,
  skipMetasUpdate: true, // there is no such record
  streams: "leave it out: there is no event stream to be trimmed",
  settings: SCHEDULES,
};

/** Options of a Worker. */
export const WORKER_ROWS: OptionRows = {
  ...CONNECTION_ROWS,
  name: true,
  autorun: true,
  concurrency: true,
  maxStalledCount: true,
  maxStartedAttempts: true,
  removeOnComplete: true,
  removeOnFail: true,
  settings: true,
  limiter: true,
  maximumRateLimitDelay: "leave it out: who is limited does not poll, it is told when it may go on",
  metrics: TELEMETRY,
  lockDuration: LEASE,
  lockRenewTime: LEASE,
  stalledInterval: LEASE,
  skipStalledCheck: LEASE,
  skipLockRenewal: LEASE,
  drainDelay: "leave it out: an idle Worker is woken by a bell, it does not poll",
  runRetryDelay: "leave it out: a store that is away is asked again with growing pauses",
  useWorkerThreads: THREADS,
  workerForkOptions: THREADS,
  workerThreadsOptions: THREADS,
};

/** Options of QueueEvents. */
export const EVENTS_ROWS: OptionRows = {
  ...CONNECTION_ROWS,
  autorun: true,
  lastEventId: "leave it out: events are not stored, one hears what happens from now on",
  blockingTimeout: "leave it out: nothing blocks",
};

/** Options of one job. */
export const JOB_ROWS: OptionRows = {
  timestamp: true,
  priority: true,
  delay: true,
  attempts: true,
  backoff: true,
  removeOnComplete: true,
  removeOnFail: true,
  stackTraceLimit: true,
  sizeLimit: true,
  failParentOnFailure: true,
  continueParentOnFailure: true,
  ignoreDependencyOnFailure: true,
  removeDependencyOnFailure: true,
  lifo: true, // looked at by its value
  jobId: true,
  deduplication: true, // looked at by its value
  debounce: true, // the same
  keepLogs: "leave it out: write to the logger of the App, its lines name the Operation",
  parent: "add the tree with FlowProducer",
  repeat: SCHEDULES,
  repeatJobKey: SCHEDULES,
  prevMillis: SCHEDULES,
  telemetry: TELEMETRY,
};

/** Methods that would need what the engine does not have yet, and what to do instead. */
export const METHOD_HINTS = {
  addJobLog: "write to the logger of the App, its lines name the Operation",
  changeDelay: "remove the job and add it again",
  changePriority: "remove the job and add it again",
  clean: "finished jobs go by age: set removeOnComplete and removeOnFail with `age`",
  exactState: "prioritised jobs are listed and counted with what waits (getWaiting), parents with what is delayed",
  extendLock: "a Foreman renews its Lease for all it holds",
  freeKey: "it is free when its job has ended or its `ttl` is over; to free it now, remove the job that waits",
  manualFetch: "give the Worker a processor; hand a job back with DelayedError or RateLimitError",
  obliterate: "drain it, and let finished jobs go by age; or use another `prefix`",
  promote: "remove the job and add it again without `delay`",
  sandbox: THREADS,
  schedules: SCHEDULES,
  telemetry: TELEMETRY,
  updateData: "data is fixed once a job was added: add another job, or keep state of your own by `job.id`",
  waitForChildren: "add the tree with FlowProducer: a parent then waits for its children before it begins",
} as const;

/**
 * Checks options against their rows. `where` names the place, such as `"Queue"` or `"job"`.
 *
 * Errors: MR_COMPAT_UNSUPPORTED for an option that is set and not taken, also for one nobody knows.
 */
export function checkOptions(given: object, rows: OptionRows, where: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined) continue;
    const row = Object.hasOwn(rows, name) ? rows[name] : undefined;
    if (row === true) continue;
    throw unsupported(`${where} option \`${name}\``, row ?? `it is not known here (${show(value)})`);
  }
}
