/**
 * The public door of @millrace/core: everything a program needs, nothing else. Tests use `@millrace/core/testing`.
 */

export type { AppEvents, AttemptEvent, FailureEvent } from "./app/events.js";
export { Inspect } from "./app/inspect.js";
export {
  type BulkOptions,
  type BulkProgress,
  BulkRun,
  type BulkSummary,
  type RequeueOptions,
} from "./app/inspect-bulk.js";
export type { CountRow, CountsView } from "./app/inspect-counts.js";
export type { Explanation } from "./app/inspect-explain.js";
export { type FsckFinding, type FsckOptions, type FsckReport, FsckRun, type FsckStep } from "./app/inspect-fsck.js";
export type { DeadGroup, DeadGroupsAnswer } from "./app/inspect-groups.js";
export type { Reason, ReasonCode } from "./app/inspect-reason.js";
export type { OperationPage, SearchPage } from "./app/inspect-search.js";
export type { StepPage, StepView } from "./app/inspect-steps.js";
export type { OperationView } from "./app/inspect-view.js";
export { type LimitFilter, type LimitList, Limits, type LimitView, type LiveLimit } from "./app/limits.js";
export type { AppOptions, EnqueueOptions } from "./app/options.js";
export { QueueFace, type QueueSummary } from "./app/queue-face.js";
export type { Blocked, Progress, StatusView } from "./app/status.js";
export type { Step } from "./app/step.js";
export { StepRegistry } from "./app/step-registry.js";
export { App, type AppMetrics, type AppState } from "./app.js";
export type { Backoff, BackoffFunction } from "./base/backoff.js";
export type { Payload } from "./base/codec.js";
export type { Duration } from "./base/duration.js";
export {
  type ErrorCode,
  isMillraceError,
  MillraceError,
  OperationCancelled,
  OperationFailed,
  type RemoteError,
  RetryAfter,
  TerminalError,
  WaitTimeout,
} from "./base/errors.js";
export type { LogFields, Logger } from "./base/log.js";
export type { Durability, DurabilityLevel } from "./engine/durability.js";
export type { CheckFinding, FindingKind } from "./engine/findings.js";
export type { OperationState, TerminalState } from "./engine/operation.js";
export type { StopReport } from "./foreman/foreman.js";
export { type CancelOutcome, Handle, type Outcome, type Receipt, type WaitOptions } from "./handle.js";
export type { SearchIndexView } from "./queue/search-index.js";
export type { AbortReason } from "./worker/attempt.js";
export type { Executor, ExecutorCall } from "./workflow/executor.js";
export type { ErrorClass, RetryOn } from "./workflow/retry-on.js";
export type {
  AbortKind,
  BatchContext,
  BatchFunction,
  BatchStepOptions,
  KeyOf,
  LimitOption,
  RateOption,
  StepContext,
  StepFunction,
  StepOptions,
} from "./workflow/step.js";
