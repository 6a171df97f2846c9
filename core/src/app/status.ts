/**
 * An Operation as people read it: the store's record with its envelope, outcome and progress decoded.
 */
import { decode } from "../base/codec.js";
import type { RemoteError } from "../base/errors.js";
import { decodeEnvelope } from "../engine/envelope.js";
import type { Barrier, OperationRecord, OperationState } from "../engine/operation.js";
import { decodeOutcome } from "../engine/outcome.js";
import { isFairGate, shownKey } from "../engine/ties.js";
import { gateKind } from "./ties.js";

/** The latest progress note of a running Attempt. */
export interface Progress {
  readonly done: number;
  readonly total?: number;
  readonly note?: string;
}

/** What `status()` and lists answer. Times are null when they do not apply or are no longer known. */
export interface StatusView {
  readonly id: string;
  readonly state: OperationState;
  readonly step: string | null;
  readonly queue: string | null;
  readonly priority: number;
  readonly attempt: number;
  readonly generation: number;
  readonly recoveries: number;
  readonly isCancelRequested: boolean;
  readonly progress: Progress | null;
  /** The last error, also while a retry is waiting. */
  readonly error: RemoteError | null;
  /** When it was enqueued, by the producer's clock. */
  readonly enqueuedAt: Date | null;
  /** When its last Attempt began, by the Worker's clock. */
  readonly startedAt: Date | null;
  readonly finishedAt: Date | null;
  readonly dueAt: Date | null;
  /** It is ready and would be claimed if it were not for its order key, a limit or a rate: which one. */
  readonly blocked: Blocked | null;
}

/** What keeps one from its Queue. */
export interface Blocked {
  readonly by: "order" | "limit" | "rate";
  /** The key, empty if the limit has none. */
  readonly key: string;
}

/** Decodes a record. Bytes that cannot be decoded leave their fields null: a view must not fail because of one. */
export function viewOf(record: OperationRecord): StatusView {
  const envelope = record.body === null ? null : attempt(() => decodeEnvelope(record.body as Uint8Array));
  const outcome = record.value === null ? null : attempt(() => decodeOutcome(record.value as Uint8Array));
  const hasError =
    outcome !== null && record.state !== "completed" && record.state !== "cancelled" && record.state !== "skipped";
  const startedAtMs = outcome?.startedAtMs ?? null;
  const enqueuedAtMs = envelope?.enqueuedAtMs ?? outcome?.enqueuedAtMs ?? null;
  return {
    id: record.id,
    state: record.state,
    step: envelope?.step ?? (outcome?.step || null),
    queue: record.queue,
    priority: record.priority,
    attempt: record.attempt,
    generation: record.generation,
    recoveries: record.recoveries,
    isCancelRequested: record.isCancelMarked,
    progress:
      record.progress === null ? null : (attempt(() => decode(record.progress as Uint8Array)) as Progress | null),
    error: hasError ? (attempt(() => decode(outcome.value)) as RemoteError | null) : null,
    enqueuedAt: dateOf(enqueuedAtMs),
    startedAt: dateOf(startedAtMs),
    finishedAt: dateOf(record.finishedAtMs),
    dueAt: dateOf(record.dueAtMs),
    blocked: record.parked === null ? null : blockedBy(record.parked),
  };
}

function blockedBy({ kind, name }: Barrier): Blocked | null {
  if (isFairGate(name)) return null; // it waits for nothing but a claim
  return { by: kind === "line" ? "order" : gateKind(name), key: shownKey(name) };
}

/** Decodes a result. Errors: MR_DECODE. */
export function resultOf(value: Uint8Array): unknown {
  return decode(decodeOutcome(value).value);
}

/** Decodes the error of a failed Operation; bytes nobody can read become an error that says so. */
export function remoteErrorOf(value: Uint8Array | null): RemoteError {
  const decoded = value === null ? null : attempt(() => decode(decodeOutcome(value).value));
  if (typeof decoded === "object" && decoded !== null && "message" in decoded) return decoded as RemoteError;
  return { name: "Error", message: "the recorded error cannot be read" };
}

/** Decodes the reason a cancel was given. */
export function reasonOf(value: Uint8Array | null): string {
  const decoded = value === null ? null : attempt(() => decode(decodeOutcome(value).value));
  if (typeof decoded === "string") return decoded;
  if (typeof decoded === "object" && decoded !== null && "message" in decoded) return String(decoded.message);
  return "no reason was given";
}

function dateOf(ms: number | null): Date | null {
  return ms === null || ms === 0 ? null : new Date(ms);
}

function attempt<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch {
    return null;
  }
}
