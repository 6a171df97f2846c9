/**
 * One call as the bytes that go on the wire: a RESP array of bulk strings, written once into one Buffer.
 *
 *   *N⏎ $5⏎FCALL⏎ $n⏎name⏎ $1⏎1⏎ $m⏎root⏎   the prefix, the same for every call of a function and Segment
 *   $k⏎ address · enqueued bytes ⏎ …         one argument per element, its parts copied side by side
 *
 * The client's own encoder builds a string and a Buffer per argument; this costs a fraction of it and makes nothing
 * per element. Knows no meaning of arguments; used by calls.ts.
 */
import { invariant } from "../../base/assert.js";

const DOLLAR = 0x24;
const STAR = 0x2a;
const CR = 0x0d;
const LF = 0x0a;
const ZERO = 0x30;
const TWO_32 = 2 ** 32;

/** Most bytes an argument needs beyond its content: sign, ten digits, two line ends. */
const ARGUMENT_OVERHEAD = 15;

/** Writes the constant head of calls: command, function or script, the root as the one key. */
export function framePrefix(command: string, name: string, root: string): Buffer {
  const parts = [command, name, "1", root].map((text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`);
  return Buffer.from(parts.join(""));
}

/** How many arguments a prefix holds. */
const PREFIX_ARGUMENTS = 4;

/**
 * Writes one frame.
 *
 * Empty at first; each argument is written in one go, or begun by `open` with its length and filled by the parts
 * that follow. `finish` ends it: the Buffer belongs to the socket then, and the writer is done with.
 */
export class FrameWriter {
  readonly #bytes: Buffer;
  #at = 0;

  /** `contentBytes` is the sum of all argument lengths, or more. */
  constructor(prefix: Buffer, argumentCount: number, contentBytes: number) {
    this.#bytes = Buffer.allocUnsafe(ARGUMENT_OVERHEAD * (argumentCount + 1) + prefix.length + contentBytes);
    this.#lengthLine(STAR, PREFIX_ARGUMENTS + argumentCount);
    this.#bytes.set(prefix, this.#at);
    this.#at += prefix.length;
  }

  /** A whole argument of text. */
  text(value: string): this {
    this.open(Buffer.byteLength(value));
    this.#at += this.#bytes.write(value, this.#at);
    return this.close();
  }

  /** A whole argument: a number as decimal text. */
  number(value: number): this {
    return this.text(String(value));
  }

  /** A whole argument of bytes. */
  bytes(value: Uint8Array): this {
    return this.open(value.length).part(value).close();
  }

  /** Begins an argument of this many bytes. */
  open(length: number): this {
    this.#lengthLine(DOLLAR, length);
    return this;
  }

  /** Part of the open argument: bytes. */
  part(value: Uint8Array): this {
    this.#bytes.set(value, this.#at);
    this.#at += value.length;
    return this;
  }

  /** Part of the open argument: one ASCII sign. */
  sign(code: number): this {
    this.#bytes[this.#at++] = code;
    return this;
  }

  /** Part of the open argument: 3 bytes, big-endian. */
  uint24(value: number): this {
    const bytes = this.#bytes;
    bytes[this.#at++] = value >>> 16;
    bytes[this.#at++] = value >>> 8;
    bytes[this.#at++] = value;
    return this;
  }

  /** Part of the open argument: 5 bytes, big-endian. */
  uint40(value: number): this {
    this.#bytes[this.#at++] = Math.floor(value / TWO_32);
    return this.uint32(value);
  }

  /** Part of the open argument: 8 bytes, big-endian. */
  uint64(value: number): this {
    return this.uint32(Math.floor(value / TWO_32)).uint32(value);
  }

  /** Part of the open argument: 8 bytes, a double. */
  double(value: number): this {
    this.#at = this.#bytes.writeDoubleBE(value, this.#at);
    return this;
  }

  /** Ends the open argument. */
  close(): this {
    this.#bytes[this.#at++] = CR;
    this.#bytes[this.#at++] = LF;
    return this;
  }

  /** The frame. */
  finish(): Buffer {
    invariant(this.#at <= this.#bytes.length, "a frame fits the size it was made with", {
      at: this.#at,
      length: this.#bytes.length,
    });
    return this.#bytes.subarray(0, this.#at);
  }

  /** Part of the open argument: 4 bytes, big-endian. */
  uint32(value: number): this {
    const bytes = this.#bytes;
    bytes[this.#at++] = value >>> 24;
    bytes[this.#at++] = value >>> 16;
    bytes[this.#at++] = value >>> 8;
    bytes[this.#at++] = value;
    return this;
  }

  #lengthLine(sign: number, value: number): void {
    const bytes = this.#bytes;
    bytes[this.#at++] = sign;
    if (value >= 10) {
      let unit = 10;
      while (unit * 10 <= value) unit *= 10;
      let rest = value;
      for (; unit >= 1; unit /= 10) {
        const digit = Math.floor(rest / unit);
        bytes[this.#at++] = ZERO + digit;
        rest -= digit * unit;
      }
    } else {
      bytes[this.#at++] = ZERO + value;
    }
    bytes[this.#at++] = CR;
    bytes[this.#at++] = LF;
  }
}
