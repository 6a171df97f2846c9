/**
 * The bytes of the embedded store: every LMDB key, and how values are framed. The only speller of a key.
 *
 *   key    | kind 1 B | …                                      of the store as a whole
 *          | 0x10 | Segment number 4 B | kind 1 B | …          of one Segment
 *   value  | CRC-32 of key and rest 4 B | version 1 B | fields |
 *
 * Addresses are lane 3 B, counter 5 B; numbers are big-endian, so keys sort as the numbers do; texts are UTF-8 behind
 * their length. Knows no state: journal.ts says what is written, recovery.ts reads it back.
 */
import { crc32 } from "node:zlib";

/** Number of the key and value formats below; a file of another schema is refused. */
export const FILE_SCHEMA = 1;

const VALUE_VERSION = 1;
const FRAME = 5;
const SEGMENT_SPACE = 0x10;

/** Kinds of records of the whole store. */
export const STORE_KIND = { about: 0x01, occupant: 0x02, segment: 0x03, pause: 0x04 } as const;

/** Kinds of records of a Segment. */
export const SEGMENT_KIND = {
  root: 0x01,
  queue: 0x02,
  lane: 0x03,
  owner: 0x04,
  window: 0x05,
  slice: 0x06,
  operation: 0x07,
  taking: 0x08,
  run: 0x09,
  notes: 0x0a,
  withdrawn: 0x0b,
  erased: 0x0c,
  key: 0x0d,
  pace: 0x0e,
  fair: 0x0f,
  live: 0x10,
} as const;

/** The kinds of records of a Segment, as numbers. */
export type SegmentKind = (typeof SEGMENT_KIND)[keyof typeof SEGMENT_KIND];

// ── Keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Key of a record of the whole store; `name` is empty where there is one of a kind. */
export function storeKey(kind: number, name = ""): Buffer {
  return Buffer.concat([Buffer.of(kind), Buffer.from(name, "utf8")]);
}

/** Key of a Segment's record that there is one of. */
export function rootKey(segment: number): Buffer {
  return head(segment, SEGMENT_KIND.root, 0);
}

/** Key of a record named by text. */
export function nameKey(segment: number, kind: SegmentKind, name: string): Buffer {
  const text = Buffer.from(name, "utf8");
  const key = head(segment, kind, text.length);
  key.set(text, HEAD);
  return key;
}

/** Key of a lane. */
export function laneKey(segment: number, lane: number): Buffer {
  const key = head(segment, SEGMENT_KIND.lane, 3);
  key.writeUIntBE(lane, HEAD, 3);
  return key;
}

/** Key of a record of one Operation, or of the Run that begins with it. */
export function addressKey(segment: number, kind: SegmentKind, lane: number, counter: number): Buffer {
  const key = head(segment, kind, 8);
  key.writeUIntBE(lane, HEAD, 3);
  key.writeUIntBE(counter, HEAD + 3, 5);
  return key;
}

/** Key of a mark that a finished record was deleted: its dot may have had another life, which may have ended with it. */
export function erasedKey(
  segment: number,
  lane: number,
  counter: number,
  finishedAtMs: number,
  isLater: boolean,
): Buffer {
  const key = head(segment, SEGMENT_KIND.erased, 15);
  key.writeUIntBE(lane, HEAD, 3);
  key.writeUIntBE(counter, HEAD + 3, 5);
  key.writeUIntBE(finishedAtMs, HEAD + 8, 6);
  key[HEAD + 14] = isLater ? 1 : 0;
  return key;
}

/** Key of a claim. */
export function takingKey(segment: number, number: number): Buffer {
  const key = head(segment, SEGMENT_KIND.taking, 6);
  key.writeUIntBE(number, HEAD, 6);
  return key;
}

/** Key of one chunk of a slice of finished records. */
export function sliceKey(segment: number, bits: number, number: number, chunk: number): Buffer {
  const key = head(segment, SEGMENT_KIND.slice, 11);
  key[HEAD] = bits;
  key.writeUIntBE(number, HEAD + 1, 6);
  key.writeUInt32BE(chunk, HEAD + 7);
  return key;
}

/** Key of one chunk of a memory window. */
export function windowKey(segment: number, number: number, chunk: number): Buffer {
  const key = head(segment, SEGMENT_KIND.window, 8);
  key.writeUInt32BE(number, HEAD);
  key.writeUInt32BE(chunk, HEAD + 4);
  return key;
}

const HEAD = 6;

function head(segment: number, kind: SegmentKind, rest: number): Buffer {
  const key = Buffer.allocUnsafe(HEAD + rest);
  key[0] = SEGMENT_SPACE;
  key.writeUInt32BE(segment, 1);
  key[5] = kind;
  return key;
}

/** The Segment number and kind of a key, and a reader for the rest of it; null for records of the whole store. */
export function readSegmentKey(key: Buffer): { segment: number; kind: number; rest: RecordReader } | null {
  if (key[0] !== SEGMENT_SPACE) return null;
  if (key.length < HEAD) throw new Damage("a key is cut short");
  return { segment: key.readUInt32BE(1), kind: key[5] ?? 0, rest: new RecordReader(key, HEAD) };
}

/** The text after the kind of a record of the whole store. */
export function readStoreKey(key: Buffer): string {
  return key.toString("utf8", 1);
}

// ── Writing ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** One put, or with `value` null one removal. */
export interface Write {
  readonly key: Buffer;
  readonly value: Buffer | null;
}

/** Writes framed values one behind another into one growing buffer: a commit is one allocation, not thousands. */
export class RecordWriter {
  #bytes: Buffer;
  #at = 0;
  #from = 0;
  #written: { key: Buffer; from: number; to: number }[] = [];

  constructor(bytesExpected = 64 * 1024) {
    this.#bytes = Buffer.allocUnsafeSlow(bytesExpected);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#at;
  }

  /** Begins a value; the fields follow. */
  begin(): void {
    this.#from = this.#at;
    this.#reserve(FRAME);
    this.#at += FRAME;
  }

  /** Ends the value begun last and files it under a key. */
  end(key: Buffer): void {
    const bytes = this.#bytes;
    bytes[this.#from + 4] = VALUE_VERSION;
    const sum = crc32(bytes.subarray(this.#from + 4, this.#at), crc32(key));
    bytes.writeUInt32BE(sum, this.#from);
    this.#written.push({ key, from: this.#from, to: this.#at });
  }

  /** Removes a record. */
  remove(key: Buffer): void {
    this.#written.push({ key, from: 0, to: 0 });
  }

  /** Takes all writes in order; the writer is empty afterwards and must not be used before they are done with. */
  take(): Write[] {
    const bytes = this.#bytes;
    const writes = this.#written.map(({ key, from, to }) => ({
      key,
      value: to === 0 ? null : bytes.subarray(from, to),
    }));
    this.#written = [];
    this.#at = 0;
    return writes;
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#bytes[this.#at++] = value;
  }

  u24(value: number): void {
    this.#reserve(3);
    this.#at = this.#bytes.writeUIntBE(value, this.#at, 3);
  }

  u40(value: number): void {
    this.#reserve(5);
    const bytes = this.#bytes;
    bytes[this.#at] = Math.floor(value / TWO_32);
    this.#at = bytes.writeUInt32BE(value % TWO_32, this.#at + 1);
  }

  /** Any number; integers are exact up to 2^53. */
  f64(value: number): void {
    this.#reserve(8);
    this.#at = this.#bytes.writeDoubleBE(value, this.#at);
  }

  /** A whole number from 0 up, short when small. */
  uint(value: number): void {
    this.#reserve(8);
    const bytes = this.#bytes;
    let left = value;
    while (left >= 0x80) {
      bytes[this.#at++] = (left % 0x80) | 0x80;
      left = Math.floor(left / 0x80);
    }
    bytes[this.#at++] = left;
  }

  bytes(value: Uint8Array): void {
    const { length } = value;
    this.uint(length);
    this.#reserve(length);
    this.#bytes.set(value, this.#at);
    this.#at += length;
  }

  /** Bytes or null. */
  maybeBytes(value: Uint8Array | null): void {
    this.u8(value === null ? 0 : 1);
    if (value !== null) this.bytes(value);
  }

  text(value: string): void {
    const length = Buffer.byteLength(value, "utf8");
    this.uint(length);
    this.#reserve(length);
    this.#at += this.#bytes.write(value, this.#at, "utf8");
  }

  #reserve(count: number): void {
    if (this.#at + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#at + count));
    larger.set(this.#bytes.subarray(0, this.#at));
    this.#bytes = larger;
  }
}

const TWO_32 = 2 ** 32;

// ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Why stored bytes are not what was written. Caught where the store is opened, and nowhere else. */
export class Damage {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

/** Checks the frame of a value and returns a reader of its fields. Throws Damage. */
export function openValue(key: Buffer, value: Buffer): RecordReader {
  if (value.length < FRAME) throw new Damage(`a record of ${value.length} bytes is too short`);
  const sum = crc32(value.subarray(4), crc32(key));
  if (sum !== value.readUInt32BE(0)) throw new Damage(`the checksum of record ${key.toString("hex")} is wrong`);
  if (value[4] !== VALUE_VERSION) throw new Damage(`record ${key.toString("hex")} has version ${value[4]}`);
  return new RecordReader(value, FRAME);
}

/** Reads what RecordWriter wrote; every read past the end throws Damage. */
export class RecordReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, from: number) {
    this.#bytes = bytes;
    this.#at = from;
  }

  /** Whether all was read. */
  get isAtEnd(): boolean {
    return this.#at >= this.#bytes.length;
  }

  u8(): number {
    return this.#bytes[this.#skip(1)] as number; // #skip has checked the length
  }

  u24(): number {
    return this.#bytes.readUIntBE(this.#skip(3), 3);
  }

  u32(): number {
    return this.#bytes.readUInt32BE(this.#skip(4));
  }

  u40(): number {
    return this.#bytes.readUIntBE(this.#skip(5), 5);
  }

  u48(): number {
    return this.#bytes.readUIntBE(this.#skip(6), 6);
  }

  f64(): number {
    return this.#bytes.readDoubleBE(this.#skip(8));
  }

  uint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 0x80;
    }
  }

  /** A view, not a copy. */
  bytes(): Uint8Array {
    const length = this.uint();
    const from = this.#skip(length);
    return this.#bytes.subarray(from, from + length);
  }

  maybeBytes(): Uint8Array | null {
    return this.u8() === 0 ? null : this.bytes();
  }

  text(): string {
    const length = this.uint();
    const from = this.#skip(length);
    return this.#bytes.toString("utf8", from, from + length);
  }

  /** What is left, as text. */
  restText(): string {
    const from = this.#at;
    this.#at = this.#bytes.length;
    return this.#bytes.toString("utf8", from);
  }

  /** All must have been read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new Damage("a record is longer than its fields");
  }

  #skip(count: number): number {
    const from = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) throw new Damage("a record is shorter than its fields");
    return from;
  }
}
