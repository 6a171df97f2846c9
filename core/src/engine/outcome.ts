/**
 * The bytes an Attempt ends with, opaque to every store: the Step, its times, and the encoded result or error.
 *
 *   ┌ 1 B ─────┬ n B ──┬ 5 B ─────────┬ 5 B ────────┬ rest ─────────────────────────────────┐
 *   │ length n │ Step  │ enqueued at  │ started at  │ codec bytes: result, error or reason  │
 *   └──────────┴───────┴──────────────┴─────────────┴───────────────────────────────────────┘
 *
 * Kept so that a finished Operation can still be named and timed when its envelope is gone.
 */
import { encode, PAYLOAD_BYTES_MAX } from "../base/codec.js";
import { createError } from "../base/errors.js";
import { asBuffer, EPOCH_MS, readName, readTime40, writeName, writeTime40 } from "./envelope.js";

/**
 * What an outcome carries; times are wall-clock milliseconds of the processes that enqueued and ran it. Who ends an
 * Operation from outside has not seen it: then the Step is empty, and the times are null.
 */
export interface Outcome {
  readonly step: string;
  readonly enqueuedAtMs: number | null;
  readonly startedAtMs: number | null;
  readonly value: Uint8Array;
}

/**
 * Encodes an outcome around a result, an error record or a reason, called `what` in messages. A time that is not known
 * is 0.
 *
 * Errors: MR_NOT_SERIALISABLE, MR_TOO_LARGE: see codec.ts.
 */
export function encodeOutcome(
  step: string,
  enqueuedAtMs: number,
  startedAtMs: number,
  value: unknown,
  what: string,
): Buffer {
  const bytes = encode(value, what, PAYLOAD_BYTES_MAX, 11 + step.length);
  bytes[0] = step.length;
  writeName(bytes, step, 1);
  writeTime40(bytes, enqueuedAtMs, 1 + step.length);
  writeTime40(bytes, startedAtMs, 6 + step.length);
  return bytes;
}

/** Decodes an outcome; `value` is a view into `bytes`. Errors: MR_DECODE when it is cut or malformed. */
export function decodeOutcome(bytes: Uint8Array): Outcome {
  const source = asBuffer(bytes);
  const nameLength = source[0] ?? 0;
  if (source.length < 11 + nameLength) throw cutShort(source.length);
  return {
    step: readName(source, 1, nameLength),
    enqueuedAtMs: readKnown(source, 1 + nameLength),
    startedAtMs: readKnown(source, 6 + nameLength),
    value: source.subarray(11 + nameLength),
  };
}

/** Times before the epoch of these bytes are written as the epoch itself. */
function readKnown(source: Buffer, offset: number): number | null {
  const timeMs = readTime40(source, offset);
  return timeMs === EPOCH_MS ? null : timeMs;
}

function cutShort(bytes: number): Error {
  return createError("MR_DECODE", { reason: "an outcome is cut short", at: bytes, bytes });
}
