/**
 * The BullMQ-compatible door: a program that uses BullMQ tries Millrace by changing an import. What it does not offer it
 * refuses with MR_COMPAT_UNSUPPORTED and the native way; docs/guides/from-bullmq.md has the table.
 */

export { DelayedError, RateLimitError, UnrecoverableError, WaitingError } from "./errors.js";
export { type FlowJob, type FlowOpts, FlowProducer, type FlowProducerListener, type JobNode } from "./flow-producer.js";
export { type Dependencies, Job, type QueueLike } from "./job.js";
export { PRIORITY_MAX as PRIORITY_LIMIT } from "./priority.js";
export { Queue, type QueueListener } from "./queue.js";
export { QueueEvents, type QueueEventsListener } from "./queue-events.js";
export type {
  BackoffOptions,
  BackoffStrategy,
  BulkJobOptions,
  ConnectionOptions,
  DeduplicationOptions,
  DefaultJobOptions,
  FinishedStatus,
  FlowProducerOptions,
  JobProgress,
  JobState,
  JobsOptions,
  JobType,
  KeepJobs,
  Loose,
  QueueEventsOptions,
  QueueOptions,
  WorkerOptions,
} from "./types.js";
export { type Processor, Worker, type WorkerListener } from "./worker.js";
