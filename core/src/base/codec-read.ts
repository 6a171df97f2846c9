/**
 * The way back from bytes to values; its door is codec.ts. Reads what `encode` writes and nothing else, whoever
 * wrote the bytes.
 */
import { EXTENSION, float, floatBytes, isLittleEndian, PAYLOAD_DEPTH_MAX } from "./codec-format.js";
import { createError, type MillraceError } from "./errors.js";

/**
 * Turns bytes made by `encode`, from index `from` on, back into the value. The value shares no memory with the bytes.
 *
 * Errors: MR_DECODE if the bytes are anything but one whole payload. Bytes from strangers are safe to read: no code
 * of theirs runs, a key `__proto__` is a plain property, memory used is in proportion to the bytes.
 */
export function decode(bytes: Uint8Array, from = 0): unknown {
  src = bytes;
  pos = from;
  end = bytes.length;
  whole = null;
  try {
    const value = read(0);
    if (pos !== end) throw malformed("bytes are left over");
    return value;
  } finally {
    src = NOTHING;
    whole = null;
  }
}

const NOTHING = new Uint8Array(0);
// Up to this size all bytes become one text, of which the texts inside are cut: one call into the engine, not many.
const CUT_FROM_BYTES_MAX = 2048;

const RESERVED_MAX = 1024;

let src: Uint8Array = NOTHING;
let pos = 0;
let end = 0;
/** All of `src` as Latin-1, once a text of a small payload was asked for. */
let whole: string | null = null;

function read(depth: number): unknown {
  if (pos >= end) throw malformed("it ends too early");
  const token = src[pos++] as number; // pos was below end
  if (token < 0x80) return token;
  if (token >= 0xe0) return token - 0x100;
  if (token < 0x90) return readObject(token & 0x0f, depth);
  if (token < 0xa0) return readArray(token & 0x0f, depth);
  if (token < 0xc0) return readText(token & 0x1f);
  switch (token) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4:
      return readBytes(readUint(1));
    case 0xc5:
      return readBytes(readUint(2));
    case 0xc6:
      return readBytes(readUint(4));
    case 0xc7:
      return readExtension(readUint(1));
    case 0xc8:
      return readExtension(readUint(2));
    case 0xc9:
      return readExtension(readUint(4));
    case 0xcb:
      return readFloat64();
    case 0xcc:
      return readUint(1);
    case 0xcd:
      return readUint(2);
    case 0xce:
      return readUint(4);
    case 0xd0:
      return (readUint(1) << 24) >> 24;
    case 0xd1:
      return (readUint(2) << 16) >> 16;
    case 0xd2:
      return readUint(4) | 0;
    case 0xd4:
      return readExtension(1);
    case 0xd7:
      return readExtension(8);
    case 0xd9:
      return readText(readUint(1));
    case 0xda:
      return readText(readUint(2));
    case 0xdb:
      return readText(readUint(4));
    case 0xdc:
      return readArray(readUint(2), depth);
    case 0xdd:
      return readArray(readUint(4), depth);
    case 0xde:
      return readObject(readUint(2), depth);
    case 0xdf:
      return readObject(readUint(4), depth);
    case 0xc1:
      throw malformed("it is sealed or kept elsewhere: its key or its value is missing here, or was changed");
    default:
      throw malformed(`0x${token.toString(16)} is not one of our tokens`);
  }
}

function need(bytes: number): void {
  if (bytes > end - pos) throw malformed("it ends too early");
}

function readUint(bytes: number): number {
  need(bytes);
  let value = 0;
  for (let i = 0; i < bytes; i++) value = value * 256 + (src[pos++] ?? 0);
  return value;
}

function readFloat64(): number {
  need(8);
  for (let i = 0; i < 8; i++) floatBytes[isLittleEndian ? 7 - i : i] = src[pos++] ?? 0;
  return float[0] ?? 0;
}

function readArray(length: number, depth: number): unknown[] {
  enter(length, depth);
  // Lists nested in one another could each claim all the bytes left; a long one therefore grows as it is read.
  const value = length <= RESERVED_MAX ? new Array<unknown>(length) : [];
  for (let i = 0; i < length; i++) value[i] = read(depth + 1);
  return value;
}

function readObject(count: number, depth: number): Record<string, unknown> {
  enter(count * 2, depth);
  const value: Record<string, unknown> = {};
  for (let i = 0; i < count; i++) {
    const key = readKey();
    const part = read(depth + 1);
    if (key === "__proto__") {
      Object.defineProperty(value, key, { value: part, configurable: true, enumerable: true, writable: true });
    } else {
      value[key] = part;
    }
  }
  return value;
}

/** Refuses depth, and counts that the bytes left cannot hold, before memory is set aside for them. */
function enter(parts: number, depth: number): void {
  if (depth >= PAYLOAD_DEPTH_MAX) throw malformed(`it is nested deeper than ${PAYLOAD_DEPTH_MAX} levels`);
  need(parts);
}

function readText(bytes: number): string {
  need(bytes);
  const from = pos;
  pos += bytes;
  for (let i = from; i < pos; i++) {
    if ((src[i] as number) >= 0x80) return utf8.call(src, from, pos); // i is below pos
  }
  if (end > CUT_FROM_BYTES_MAX) return latin1.call(src, from, pos);
  whole ??= latin1.call(src, 0, end);
  return whole.slice(from, pos);
}

// Keys repeat from payload to payload. A key seen before is found by its bytes and costs no new text; as it is the
// very text that objects of this shape already have for key, setting the property is faster as well.
const KEYS_MAX = 1024;
const keys: string[] = new Array<string>(KEYS_MAX).fill("");

function readKey(): string {
  if (pos >= end) throw malformed("it ends too early");
  const token = src[pos] as number; // pos is below end
  const bytes = token & 0x1f;
  if ((token & 0xe0) !== 0xa0 || bytes > end - pos - 1) return readLongKey();
  const from = pos + 1;
  let hash = bytes;
  for (let i = 0; i < bytes; i++) hash = (Math.imul(hash, 31) + (src[from + i] as number)) | 0; // checked above
  const place = (hash ^ (hash >>> 10)) & (KEYS_MAX - 1);
  const known = keys[place] as string; // the place is masked
  if (known.length === bytes) {
    let i = 0;
    while (i < bytes && known.charCodeAt(i) === src[from + i]) i++;
    if (i === bytes) {
      pos = from + bytes;
      return known;
    }
  }
  pos = from;
  const key = readText(bytes);
  // Only ASCII has a unit for each byte, which the comparison relies on. The copy lets go of the payload.
  if (key.length === bytes) keys[place] = latin1.call(src, from, pos);
  return key;
}

function readLongKey(): string {
  const key = read(PAYLOAD_DEPTH_MAX);
  if (typeof key !== "string") throw malformed("a key is not a text");
  return key;
}

function readBytes(bytes: number): Uint8Array {
  need(bytes);
  const value = new Uint8Array(bytes);
  value.set(src.subarray(pos, pos + bytes));
  pos += bytes;
  return value;
}

function readExtension(bytes: number): unknown {
  need(bytes + 1);
  const type = src[pos++];
  const from = pos;
  if (type === EXTENSION.date && bytes === 8) return readDate();
  pos += bytes;
  if (type === EXTENSION.undefined && bytes === 1) return undefined;
  if (type === EXTENSION.utf16 && bytes % 2 === 0) return utf16.call(src, from, pos);
  if (type === EXTENSION.bigint && bytes >= 2) {
    const magnitude = BigInt(`0x${hex.call(src, from + 1, pos)}`);
    return src[from] === 1 ? -magnitude : magnitude;
  }
  throw malformed(`extension ${type} of ${bytes} bytes is not ours`);
}

function readDate(): Date {
  const date = new Date(readFloat64());
  if (Number.isNaN(date.getTime())) throw malformed("it holds an invalid Date");
  return date;
}

function malformed(reason: string): MillraceError {
  return createError("MR_DECODE", { reason, at: pos, bytes: end });
}

// Buffer's own readers, which work on any Uint8Array and save making a Buffer of it; @types/node leaves them out.
type Slice = (this: Uint8Array, from: number, to: number) => string;
const slices = Buffer.prototype as unknown as Record<"latin1Slice" | "utf8Slice" | "ucs2Slice" | "hexSlice", Slice>;
const latin1 = slices.latin1Slice;
const utf8 = slices.utf8Slice;
const utf16 = slices.ucs2Slice;
const hex = slices.hexSlice;
