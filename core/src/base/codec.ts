/**
 * Payloads: values of user code ↔ bytes, in MessagePack. JSON values, Date, bigint and Uint8Array come back exactly
 * as they were; anything else is refused where it enters, by its path. Stores never look inside.
 *
 * Written here rather than left to msgpackr, so that checking and writing are one walk, which costs about what
 * msgpackr's pack costs unchecked. That library also changes what we promise to keep (−0, a leading byte order mark,
 * a key `__proto__`), calls `toJSON`, and compiles code for some bytes it reads. Any MessagePack reader understands
 * a JSON payload; what MessagePack has no word for are the extension types of codec-format.ts.
 */
import { types } from "node:util";
import { EXTENSION, float, floatBytes, isLittleEndian, PAYLOAD_DEPTH_MAX } from "./codec-format.js";
import { createError, isMillraceError, type MillraceError, show, toRemoteError } from "./errors.js";

export { PAYLOAD_DEPTH_MAX, type Payload } from "./codec-format.js";
export { decode } from "./codec-read.js";

/** Largest payload when nothing is said: 16 MiB. */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

/**
 * Turns a value into bytes.
 *
 * Kept exactly: −0, NaN and infinities, lone surrogates, bigints of any size, the milliseconds of a Date,
 * `undefined` as the whole value or in an array. As in JSON, properties that are undefined, not enumerable or keyed
 * by a symbol are left out; holes in an array become undefined; a Buffer comes back as a Uint8Array, an object
 * without prototype as an ordinary one. `toJSON` is not called.
 *
 * `what` names the value in messages ("input"). Later calls never write to these bytes; but small ones share a
 * block of memory, so do not transfer their `buffer` elsewhere. `headBytes` are left free before the payload, for
 * the caller to fill: a record around a payload then needs no second buffer. They do not count towards `bytesMax`.
 *
 * Errors: MR_NOT_SERIALISABLE naming the path · MR_TOO_LARGE above `bytesMax`.
 */
export function encode(value: unknown, what = "payload", bytesMax = PAYLOAD_BYTES_MAX, headBytes = 0): Buffer {
  if (isWriting) return encodeInside(value, what, bytesMax, headBytes);
  isWriting = true;
  start = at;
  head = headBytes;
  limit = bytesMax + headBytes;
  let isDone = false;
  try {
    makeRoom(headBytes);
    at += headBytes;
    write(value, 0);
    if (at - start > limit) throw tooLarge(at - start);
    isDone = true;
    // A buffer grown for one payload may be far too large to keep for it.
    return out === block || at > out.length * 0.75 ? out.subarray(start, at) : Buffer.from(out.subarray(0, at)); // copies
  } catch (error) {
    throw explain(error, value, what);
  } finally {
    if (out !== block) {
      out = block;
      at = blockAt;
    } else if (!isDone) {
      at = start;
    }
    isWriting = false;
  }
}

// One encode runs at a time, so its state is kept here instead of in an object made for each call.
const BLOCK_BYTES = 16 * 1024;
// A text of up to this length reserves room for its worst case; longer ones are measured first.
const MEASURED_FROM = 2048;
// How far room may be reserved past the limit without the payload itself being too large.
const SLACK_BYTES = 3 * MEASURED_FROM + 16;

let block: Buffer = Buffer.allocUnsafeSlow(BLOCK_BYTES);
/** Where the block is free, while `out` is a buffer of its own. */
let blockAt = 0;
let out: Buffer = block;
let at = 0;
/** Where the payload being written begins in `out`. */
let start = 0;
let limit = 0;
/** How much of what is written belongs to the caller. */
let head = 0;
let isWriting = false;
/** Keys from the whole value down to the part being written; only the first `depth` count. */
const trail: (string | number)[] = [];

/** Why a part cannot be stored. Thrown and caught inside encode, which adds the path. */
class Refusal {
  readonly reason: string;
  /** How many keys of the trail lead to the part. */
  readonly depth: number;

  constructor(reason: string, depth: number) {
    this.reason = reason;
    this.depth = depth;
  }
}

function write(value: unknown, depth: number): void {
  if (at + 16 > out.length) makeRoom(16);
  switch (typeof value) {
    case "string":
      writeText(value);
      return;
    case "number":
      writeNumber(value);
      return;
    case "boolean":
      out[at++] = value ? 0xc3 : 0xc2;
      return;
    case "object":
      if (value === null) out[at++] = 0xc0;
      else if (Array.isArray(value)) writeArray(value, depth);
      else writeObject(value, depth);
      return;
    case "undefined":
      out[at++] = 0xd4;
      out[at++] = EXTENSION.undefined;
      out[at++] = 0;
      return;
    case "bigint":
      writeBigint(value);
      return;
    default:
      throw new Refusal(`it is a ${typeof value}`, depth);
  }
}

function writeNumber(value: number): void {
  if (value >>> 0 === value && (value !== 0 || 1 / value > 0)) {
    if (value < 0x80) {
      out[at++] = value;
    } else if (value < 0x100) {
      out[at++] = 0xcc;
      out[at++] = value;
    } else if (value < 0x10000) {
      out[at++] = 0xcd;
      out[at++] = value >> 8;
      out[at++] = value;
    } else {
      out[at++] = 0xce;
      writeUint32(value);
    }
  } else if (value < 0 && value >> 0 === value) {
    writeNegative(value);
  } else {
    out[at++] = 0xcb;
    writeFloat64(value);
  }
}

function writeNegative(value: number): void {
  if (value >= -0x20) {
    out[at++] = value;
  } else if (value >= -0x80) {
    out[at++] = 0xd0;
    out[at++] = value;
  } else if (value >= -0x8000) {
    out[at++] = 0xd1;
    out[at++] = value >> 8;
    out[at++] = value;
  } else {
    out[at++] = 0xd2;
    writeUint32(value);
  }
}

function writeUint32(value: number): void {
  out[at++] = value >>> 24;
  out[at++] = value >>> 16;
  out[at++] = value >>> 8;
  out[at++] = value;
}

function writeFloat64(value: number): void {
  float[0] = value;
  for (let i = 0; i < 8; i++) out[at++] = floatBytes[isLittleEndian ? 7 - i : i] ?? 0;
}

function writeText(value: string): void {
  const length = value.length;
  if (length < 32) {
    if (at + 33 > out.length) makeRoom(33);
    const from = at + 1;
    let i = 0;
    for (; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit >= 0x80) break;
      out[from + i] = unit;
    }
    if (i === length) {
      out[at] = 0xa0 | length;
      at = from + length;
      return;
    }
  }
  if (!value.isWellFormed()) {
    writeUtf16(value);
    return;
  }
  const most = length < MEASURED_FROM ? length * 3 : Buffer.byteLength(value);
  if (at + most + 5 > out.length) makeRoom(most + 5);
  // The header goes before the text but depends on its length in bytes: guess it, then move the text if need be.
  const guess = textHeaderBytes(length);
  const bytes = out.write(value, at + guess);
  const header = textHeaderBytes(bytes);
  if (header !== guess) out.copyWithin(at + header, at + guess, at + guess + bytes);
  if (header === 1) out[at++] = 0xa0 | bytes;
  else writeHeader(bytes, 0xd9, 0xda, 0xdb);
  at += bytes;
}

function textHeaderBytes(bytes: number): number {
  return bytes < 0x20 ? 1 : bytes < 0x100 ? 2 : bytes < 0x10000 ? 3 : 5;
}

/** A text that UTF-8 cannot hold, as its UTF-16 units. */
function writeUtf16(value: string): void {
  const bytes = value.length * 2;
  makeRoom(bytes + 6);
  writeHeader(bytes, 0xc7, 0xc8, 0xc9);
  out[at++] = EXTENSION.utf16;
  at += out.write(value, at, "utf16le");
}

/** A length in the shortest of its three forms. */
function writeHeader(length: number, short: number, middle: number, long: number): void {
  if (length < 0x100) {
    out[at++] = short;
    out[at++] = length;
  } else if (length < 0x10000) {
    out[at++] = middle;
    out[at++] = length >> 8;
    out[at++] = length;
  } else {
    out[at++] = long;
    writeUint32(length);
  }
}

function writeBigint(value: bigint): void {
  // Through hexadecimal, which costs time in proportion to the length; decimal digits cost its square.
  const hex = (value < 0n ? -value : value).toString(16);
  const even = hex.length % 2 === 0 ? hex : `0${hex}`;
  const bytes = even.length / 2 + 1;
  makeRoom(bytes + 6);
  writeHeader(bytes, 0xc7, 0xc8, 0xc9);
  out[at++] = EXTENSION.bigint;
  out[at++] = value < 0n ? 1 : 0;
  at += out.write(even, at, "hex");
}

function writeArray(value: readonly unknown[], depth: number): void {
  if (depth >= PAYLOAD_DEPTH_MAX) throw new Refusal(TOO_DEEP, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Array.prototype && !isForeignArrayPrototype(prototype)) {
    throw new Refusal("it is an array of a class of its own", depth);
  }
  if (value.length > limit) throw tooLarge(value.length); // an element takes a byte at least
  const length = value.length >>> 0; // a Proxy may answer anything
  writeCount(length, 0x90, 0xdc, 0xdd);
  for (let i = 0; i < length; i++) {
    trail[depth] = i;
    write(value[i], depth + 1);
  }
}

function writeObject(value: object, depth: number): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null && writeSpecial(value, prototype, depth)) return;
  if (depth >= PAYLOAD_DEPTH_MAX) throw new Refusal(TOO_DEEP, depth);
  const keys = Object.keys(value);
  // How many properties are undefined is known at the end; the count is corrected then, counted from `start`
  // because the buffer may have been changed for a larger one meanwhile.
  const header = at - start;
  let count = keys.length;
  writeCount(count, 0x80, 0xde, 0xdf);
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string; // i is below the length
    trail[depth] = key;
    const part = (value as Record<string, unknown>)[key]; // its own key
    if (part === undefined) {
      count--;
      continue;
    }
    if (at + 16 > out.length) makeRoom(16);
    writeText(key);
    write(part, depth + 1);
  }
  if (count !== keys.length) correctCount(start + header, count);
}

/** Writes a smaller count over one, in the form that stands there. */
function correctCount(header: number, count: number): void {
  const form = out[header];
  if (form === 0xde) out.writeUInt16BE(count, header + 1);
  else if (form === 0xdf) out.writeUInt32BE(count, header + 1);
  else out[header] = 0x80 | count;
}

/** The number of parts of a list or object, in the shortest of its three forms. */
function writeCount(count: number, short: number, middle: number, long: number): void {
  if (count < 16) {
    out[at++] = short | count;
  } else if (count < 0x10000) {
    out[at++] = middle;
    out[at++] = count >> 8;
    out[at++] = count;
  } else {
    out[at++] = long;
    writeUint32(count);
  }
}

/** Writes a Date or bytes; returns false for a plain object of another realm; refuses all other classes. */
function writeSpecial(value: object, prototype: unknown, depth: number): boolean {
  if (types.isDate(value)) {
    const ms = Date.prototype.getTime.call(value);
    if (Number.isNaN(ms)) throw new Refusal("it is an invalid Date", depth);
    out[at++] = 0xd7;
    out[at++] = EXTENSION.date;
    writeFloat64(ms);
    return true;
  }
  if (types.isUint8Array(value)) {
    const bytes: number = trueLength.call(value);
    makeRoom(bytes + 5);
    writeHeader(bytes, 0xc4, 0xc5, 0xc6);
    out.set(value, at);
    at += bytes;
    return true;
  }
  // Another realm's Object.prototype ends its chain as ours does; the prototype of a class never does.
  if (Object.getPrototypeOf(prototype) !== null) throw new Refusal(`it is ${show(value)}`, depth);
  return false;
}

// A subclass may lie about its length, and what we do not overwrite is memory of someone else's.
const trueLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), "length")?.get as (
  this: Uint8Array,
) => number; // every engine has this getter

/** Another realm's Array.prototype is an array itself; the prototype of a class never is. */
function isForeignArrayPrototype(prototype: unknown): boolean {
  return Array.isArray(prototype) && Object.hasOwn(prototype, "constructor") && Object.hasOwn(prototype, "flatMap");
}

function makeRoom(bytes: number): void {
  if (at + bytes <= out.length) return;
  const used = at - start;
  const needed = used + bytes;
  if (needed > limit + SLACK_BYTES) throw tooLarge(Math.max(used, limit + 1));
  const old = out;
  if (old === block && needed <= BLOCK_BYTES) {
    block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    out = block;
  } else {
    if (old === block) blockAt = start;
    out = Buffer.allocUnsafeSlow(Math.max(needed + BLOCK_BYTES, old === block ? 0 : old.length * 2));
  }
  old.copy(out, 0, start, at);
  start = 0;
  at = used;
}

/** A getter or Proxy in a payload may call encode again: that call gets a state of its own. */
function encodeInside(value: unknown, what: string, bytesMax: number, headBytes: number): Buffer {
  const outer = { block, blockAt, out, at, start, limit, head, trail: trail.slice() };
  block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
  out = block;
  at = 0;
  isWriting = false;
  try {
    return encode(value, what, bytesMax, headBytes);
  } finally {
    ({ block, blockAt, out, at, start, limit, head } = outer);
    trail.splice(0, trail.length, ...outer.trail);
    isWriting = true;
  }
}

const TOO_DEEP = `it is nested deeper than ${PAYLOAD_DEPTH_MAX} levels`;

function tooLarge(bytes: number): MillraceError {
  return createError("MR_TOO_LARGE", { path: "the payload", bytes: bytes - head, bytesMax: limit - head });
}

/** Turns what was thrown while writing into the error the caller sees. */
function explain(thrown: unknown, value: unknown, what: string): MillraceError {
  if (isMillraceError(thrown, "MR_TOO_LARGE")) {
    return createError("MR_TOO_LARGE", { path: what, bytes: thrown.details.bytes, bytesMax: limit - head });
  }
  if (thrown instanceof Refusal) {
    const circle = thrown.reason === TOO_DEEP ? findCircle(value) : null;
    if (circle !== null) return notSerialisable(pathOf(what, circle), "it contains itself");
    // Of a very deep path, the beginning says enough.
    return notSerialisable(pathOf(what, Math.min(thrown.depth, 16)), thrown.reason);
  }
  const remote = toRemoteError(thrown);
  return notSerialisable(
    pathOf(what, findThrower(value)),
    `reading it threw ${remote.name}: ${remote.message}`,
    thrown,
  );
}

function notSerialisable(path: string, reason: string, cause?: unknown): MillraceError {
  return createError("MR_NOT_SERIALISABLE", { path, reason }, cause === undefined ? {} : { cause });
}

/** Follows the trail again; returns how many of its keys lead to the first part that is one of its own parents. */
function findCircle(value: unknown): number | null {
  const parents = new Set<unknown>();
  let part = value;
  for (let depth = 0; depth < PAYLOAD_DEPTH_MAX; depth++) {
    if (parents.has(part)) return depth;
    parents.add(part);
    part = (part as Record<string | number, unknown>)[trail[depth] ?? 0]; // the trail led through objects
  }
  return null;
}

/** Follows the trail again until reading throws once more; returns how many of its keys lead there. */
function findThrower(value: unknown): number {
  let part = value;
  let depth = 0;
  try {
    while (typeof part === "object" && part !== null && depth < trail.length) {
      Object.keys(part); // a revoked Proxy throws here already, before any key of it was taken
      part = (part as Record<string | number, unknown>)[trail[depth++] ?? 0]; // any object can be read by any key
    }
    return 0;
  } catch {
    return depth;
  }
}

/** Writes the first `depth` keys of the trail as one would in code: `input.items[3].fn`. */
function pathOf(what: string, depth: number): string {
  let path = what;
  for (const key of trail.slice(0, depth)) {
    if (typeof key === "number") path += `[${key}]`;
    else path += IDENTIFIER.test(key) ? `.${key}` : `[${show(key)}]`;
  }
  return path;
}

const IDENTIFIER = /^[A-Za-z_$][\w$]{0,63}$/;
