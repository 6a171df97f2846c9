/**
 * The bytes an Operation is enqueued as, opaque to every store: which Step, since when, with what overrides and input.
 *
 *   ┌ 1 B ────────────────┬ n B ──┬ 5 B ──────────────┬ 2 B + m B (if flagged) ┬ rest ────┐
 *   │ flag · length n - 1 │ Step  │ ms since EPOCH_MS │ length m · overrides   │ payload  │
 *   └─────────────────────┴───────┴───────────────────┴────────────────────────┴──────────┘
 *
 * A waiting Operation costs 6 + n bytes beyond its payload here (plus what the store adds). Step names are ASCII.
 * The enqueue time is the producer's wall clock: for people, latency figures and in what order a Foreman asks Segments; no
 * outcome hangs on it.
 */
import { invariant } from "../base/assert.js";
import { encode, PAYLOAD_BYTES_MAX } from "../base/codec.js";
import { createError } from "../base/errors.js";

/** Start of the 40-bit millisecond clock inside envelopes: 2020-01-01T00:00:00Z; it lasts until 2054. */
export const EPOCH_MS = Date.UTC(2020, 0, 1);

const OPTIONS_FLAG = 0x80;
const TWO_32 = 2 ** 32;

/** What an envelope carries. `overrides` are codec bytes of per-call options, null if there are none. */
export interface Envelope {
  readonly step: string;
  readonly enqueuedAtMs: number;
  readonly overrides: Uint8Array | null;
  /** Where the payload (codec bytes) begins. */
  readonly payloadAt: number;
}

/** Writes milliseconds since 1970 as 5 bytes since EPOCH_MS, big-endian; times outside the range are clamped. */
export function writeTime40(target: Uint8Array, timeMs: number, offset: number): void {
  const since = Math.min(Math.max(0, Math.round(timeMs) - EPOCH_MS), 2 ** 40 - 1);
  const low = since % TWO_32;
  target[offset] = Math.floor(since / TWO_32);
  target[offset + 1] = low >>> 24;
  target[offset + 2] = low >>> 16;
  target[offset + 3] = low >>> 8;
  target[offset + 4] = low;
}

/** Reads what `writeTime40` wrote. */
export function readTime40(source: Uint8Array, offset: number): number {
  const high = source[offset] ?? 0;
  const a = source[offset + 1] ?? 0;
  const b = source[offset + 2] ?? 0;
  const c = source[offset + 3] ?? 0;
  const d = source[offset + 4] ?? 0;
  return EPOCH_MS + high * TWO_32 + (((a << 24) | (b << 16) | (c << 8) | d) >>> 0);
}

/** Writes a Step's name, which is ASCII: for so few bytes a loop is several times faster than a call into Node. */
export function writeName(target: Uint8Array, name: string, offset: number): void {
  for (let i = 0; i < name.length; i++) target[offset + i] = name.charCodeAt(i);
}

/** The name read last: neighbours are nearly always of one Step, and the same text is found by name without hashing it. */
let lastName = "";

/** Reads a Step's name. */
export function readName(source: Buffer, offset: number, length: number): string {
  if (length !== lastName.length || !isNameAt(source, offset, lastName)) {
    lastName = source.toString("latin1", offset, offset + length);
  }
  return lastName;
}

function isNameAt(source: Uint8Array, offset: number, name: string): boolean {
  for (let i = 0; i < name.length; i++) if (source[offset + i] !== name.charCodeAt(i)) return false;
  return true;
}

/**
 * Encodes an envelope around an input. `step` is 1…128 ASCII characters (names.ts), `overrides` below 64 KiB.
 *
 * Errors: MR_NOT_SERIALISABLE, MR_TOO_LARGE: see codec.ts.
 */
export function encodeEnvelope(
  step: string,
  enqueuedAtMs: number,
  overrides: Uint8Array | null,
  input: unknown,
): Buffer {
  invariant(step.length > 0 && step.length <= OPTIONS_FLAG, "a Step name has 1…128 characters");
  const bytes = encode(
    input,
    "input",
    PAYLOAD_BYTES_MAX,
    6 + step.length + (overrides === null ? 0 : 2 + overrides.length),
  );
  bytes[0] = (step.length - 1) | (overrides === null ? 0 : OPTIONS_FLAG);
  writeName(bytes, step, 1);
  writeTime40(bytes, enqueuedAtMs, 1 + step.length);
  if (overrides !== null) {
    bytes.writeUInt16BE(overrides.length, 6 + step.length);
    bytes.set(overrides, 8 + step.length);
  }
  return bytes;
}

/** Views bytes as a Buffer without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Decodes an envelope; `overrides` is a view into `bytes`. Errors: MR_DECODE when it is cut or malformed. */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const envelope = emptyEnvelope();
  readEnvelope(bytes, envelope);
  return envelope;
}

/** An envelope to read others into. */
export type EnvelopeSpace = { -readonly [Part in keyof Envelope]: Envelope[Part] };

/** Makes a space for `readEnvelope`. */
export function emptyEnvelope(): EnvelopeSpace {
  return { step: "", enqueuedAtMs: 0, overrides: null, payloadAt: 0 };
}

/** When an envelope was made, in milliseconds since 1970, by its producer's wall clock; null if it is cut short. */
export function enqueuedAtMsOf(bytes: Uint8Array): number | null {
  const at = 2 + ((bytes[0] ?? 0) & (OPTIONS_FLAG - 1));
  return bytes.length < at + 5 ? null : readTime40(bytes, at);
}

/** `decodeEnvelope` into a space that is there already, for who reads one after another. Errors: the same. */
export function readEnvelope(bytes: Uint8Array, into: EnvelopeSpace): void {
  const source = asBuffer(bytes);
  const first = source[0] ?? 0;
  const nameLength = (first & (OPTIONS_FLAG - 1)) + 1;
  let at = 6 + nameLength;
  if (source.length < at) throw cutShort(source.length);
  into.step = readName(source, 1, nameLength);
  into.enqueuedAtMs = readTime40(source, 1 + nameLength);
  into.overrides = null;
  if ((first & OPTIONS_FLAG) !== 0) {
    if (source.length < at + 2) throw cutShort(source.length);
    const length = source.readUInt16BE(at);
    into.overrides = source.subarray(at + 2, at + 2 + length);
    at += 2 + length;
    if (source.length < at) throw cutShort(source.length);
  }
  into.payloadAt = at;
}

function cutShort(bytes: number): Error {
  return createError("MR_DECODE", { reason: "an envelope is cut short", at: bytes, bytes });
}
