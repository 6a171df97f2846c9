/**
 * An Operation as lists and searches show it: a StatusView with its tags and, if it failed, what groups it with others.
 */
import { decodeEnvelope } from "../engine/envelope.js";
import type { OperationRecord } from "../engine/operation.js";
import { fingerprintOf, stackHead } from "../queue/fingerprint.js";
import { type Labels, labelsIn } from "../queue/search-row.js";
import { type StatusView, viewOf } from "./status.js";

/** One Operation in a list. Queue and tags are null once it is completed or cancelled: they are not stored any more. */
export interface OperationView extends StatusView {
  /** The part of the App's Queues it lives in: the Node that enqueued it. */
  readonly segment: string;
  readonly tags: Readonly<Record<string, string>> | null;
  /** Its idempotency key, or that of its Step's `dedupe` or `debounce`; null where tags are. */
  readonly key: string | null;
  /** The incarnation that runs it. */
  readonly owner: string | null;
  /** Of a failed one: 12 hexadecimal digits, equal for failures of one cause. */
  readonly fingerprint: string | null;
  /** Of a failed one: name, message and the topmost frames. */
  readonly stackHead: string | null;
  /** Of a failed one: it took its Workers with it too often. */
  readonly isPoison: boolean;
}

/** Decodes a record for a list. Bytes that cannot be decoded leave their fields null. */
export function operationViewOf(record: OperationRecord, segment: string): OperationView {
  const view = viewOf(record);
  const error = record.state === "failed" ? view.error : null;
  return {
    ...view,
    segment,
    ...labelsOf(record.body),
    owner: record.owner,
    fingerprint: error === null ? null : fingerprintOf(error),
    stackHead: error === null ? null : stackHead(error),
    isPoison: error?.code === "MR_POISON",
  };
}

function labelsOf(body: Uint8Array | null): Labels {
  try {
    return labelsIn(body === null ? null : decodeEnvelope(body).overrides);
  } catch {
    return labelsIn(null); // a list must not fail because of one record
  }
}
