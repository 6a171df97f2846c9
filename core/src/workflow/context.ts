/**
 * What a Step's function sees of the Attempt it runs in. Types only.
 */
import type { Logger } from "../base/log.js";

/** Why a running Attempt is told to end: `abort.reason.kind`. */
export type AbortKind = "cancel" | "timeout" | "drain" | "lease_lost";

/** What a Step's function gets beside its input. Valid while the Attempt runs. */
export interface StepContext {
  /** The Operation's id, the same for every Attempt. */
  readonly operationId: string;
  /** The Unit it belongs to; null for a task. */
  readonly unitId: string | null;
  /** From 1; grows with failed Attempts only. */
  readonly attempt: number;
  /** The same for every Attempt of an Operation: hand it to systems that can deduplicate. */
  readonly idempotencyKey: string;
  /** Fencing token: larger for each later claim of this Operation. */
  readonly fence: string;
  /** When the Attempt times out, by this process's clock. */
  readonly deadline: Date;
  /** Fires on cancel, timeout, drain and a lost Lease; `reason` is a StepAborted error with `kind`. */
  readonly abort: AbortSignal;
  readonly log: Logger;
  /** Notes how far the work is; the latest note is kept while the Attempt runs and sent to who watches. */
  progress(done: number, total?: number, note?: string): void;
}
