/**
 * The two ends of a ring: Producer and Consumer, one of each, on different threads. Knows bytes and frames, not what
 * they mean, and does not wait (wait.ts, bell.ts).
 *
 * A frame is written in place, then committed, then published with its neighbours by one store of TAIL; the consumer
 * reads it in place and gives room back with its neighbours by one store of HEAD. Both keep the other's counter as last
 * seen and look again only when it does not suffice. A thread that dies between has published nothing, or all of it.
 */
import { invariant } from "../base/assert.js";
import { createError } from "../base/errors.js";
import {
  ASK,
  AWAKE,
  FRAME_HEADER_BYTES,
  frameBytes,
  HEAD,
  HEADER_BYTES,
  type LISTENING,
  MORE,
  PARKED,
  ROOM,
  ROOM_ASK,
  SKIP,
  TAIL,
  WAKE,
} from "./layout.js";

/** The writing end. */
export class Producer {
  /** The frames' memory: write a payload at the offset `reserve` gave. */
  readonly bytes: Buffer;
  /** Longest payload that fits whatever the position. */
  readonly payloadBytesMax: number;
  readonly #words: Int32Array;
  readonly #frames: Int32Array;
  readonly #capacity: number;
  readonly #mask: number;
  #tail: number;
  #published: number;
  #head: number;
  #sequence = 0;
  /** HEAD when the port was rung last: while it stands there, the consumer has not come yet. */
  #rungAt: number | null = null;
  /** Where the reserved frame begins, and the unused bytes before it at the buffer's end. */
  #at = 0;
  #skipped = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#frames = new Int32Array(buffer, HEADER_BYTES);
    this.bytes = Buffer.from(buffer, HEADER_BYTES);
    this.#capacity = this.bytes.length;
    this.#mask = this.#capacity - 1;
    this.payloadBytesMax = this.#capacity / 2 - FRAME_HEADER_BYTES;
    this.#tail = Atomics.load(this.#words, TAIL);
    this.#published = this.#tail;
    this.#head = Atomics.load(this.#words, HEAD);
  }

  /** Makes room for a payload of up to `payloadBytes`; its offset in `bytes`, or -1 while the ring is too full. */
  reserve(payloadBytes: number): number {
    invariant(payloadBytes <= this.payloadBytesMax, "a frame fits its ring", { payloadBytes });
    const need = frameBytes(payloadBytes);
    let at = this.#tail & this.#mask;
    const toEnd = this.#capacity - at;
    const skip = need > toEnd ? toEnd : 0;
    if (this.#capacity - ((this.#tail - this.#head) | 0) < need + skip) {
      this.#head = Atomics.load(this.#words, HEAD);
      if (this.#capacity - ((this.#tail - this.#head) | 0) < need + skip) return -1;
    }
    if (skip > 0) {
      this.#frames[at >> 2] = SKIP;
      at = 0;
    }
    this.#at = at;
    this.#skipped = skip;
    return at + FRAME_HEADER_BYTES;
  }

  /**
   * Ends the reserved frame with its true length, at most what was reserved. It is not visible yet.
   * `hasMore`: the record goes on in the next frame (frame.ts).
   */
  commit(payloadBytes: number, hasMore = false): void {
    const word = this.#at >> 2;
    this.#frames[word] = hasMore ? payloadBytes | MORE : payloadBytes;
    this.#frames[word + 1] = this.#sequence;
    this.#sequence = (this.#sequence + 1) | 0;
    this.#tail = (this.#tail + this.#skipped + frameBytes(payloadBytes)) | 0;
  }

  /** Makes what was committed visible, and wakes a consumer that is parked. True: the caller must ring its port. */
  publish(): boolean {
    if (this.#published === this.#tail) return false;
    this.#published = this.#tail;
    Atomics.store(this.#words, TAIL, this.#tail);
    // Sequentially consistent: either the consumer sees TAIL when it looks again, or this sees how it waits.
    const ask = Atomics.load(this.#words, ASK);
    if (ask === AWAKE) return false;
    if (ask === PARKED) {
      Atomics.add(this.#words, WAKE, 1);
      Atomics.notify(this.#words, WAKE);
      return false;
    }
    const head = Atomics.load(this.#words, HEAD);
    if (this.#rungAt === head) return false;
    this.#rungAt = head;
    return true;
  }

  /** Says how this end waits for room; look again (`reserve`) after saying it and before waiting. */
  askForRoom(how: typeof AWAKE | typeof PARKED | typeof LISTENING): void {
    Atomics.store(this.#words, ROOM_ASK, how);
  }

  /** Whether all that was published has been given back. */
  get isDrained(): boolean {
    return Atomics.load(this.#words, HEAD) === this.#published;
  }

  /** Bytes in use as last seen, 0…capacity: for figures, not for decisions. */
  get fill(): number {
    return (this.#tail - Atomics.load(this.#words, HEAD)) | 0;
  }

  /** Bytes for frames. */
  get capacity(): number {
    return this.#capacity;
  }
}

/** The reading end. */
export class Consumer {
  /** The frames' memory: the payload of the present frame begins at `offset`. */
  readonly bytes: Buffer;
  /** Where the present frame's payload begins in `bytes`; valid until `release`. */
  offset = 0;
  /** Whether the present frame's record goes on in the next. */
  hasMore = false;
  readonly #words: Int32Array;
  readonly #frames: Int32Array;
  readonly #capacity: number;
  readonly #mask: number;
  #head: number;
  #released: number;
  #tail: number;
  #sequence = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#frames = new Int32Array(buffer, HEADER_BYTES);
    this.bytes = Buffer.from(buffer, HEADER_BYTES);
    this.#capacity = this.bytes.length;
    this.#mask = this.#capacity - 1;
    this.#head = Atomics.load(this.#words, HEAD);
    this.#released = this.#head;
    this.#tail = this.#head;
  }

  /**
   * Takes the next frame: the length of its payload, which begins at `offset`; -1 when there is none.
   *
   * Errors: MR_RING_BROKEN when the memory holds what no producer writes; the ring must be given up then.
   */
  next(): number {
    if (this.#head === this.#tail) {
      this.#tail = Atomics.load(this.#words, TAIL);
      if (this.#head === this.#tail) return -1;
    }
    let at = this.#head & this.#mask;
    let length = this.#frames[at >> 2] ?? 0;
    if (length === SKIP) {
      this.#head = (this.#head + this.#capacity - at) | 0;
      at = 0;
      length = this.#frames[0] ?? 0;
    }
    this.hasMore = (length & MORE) !== 0;
    length &= ~MORE;
    const end = (this.#head + frameBytes(length)) | 0;
    const isWhole = length >= 0 && length <= this.#capacity && ((this.#tail - end) | 0) >= 0;
    if (!isWhole || this.#frames[(at >> 2) + 1] !== this.#sequence) throw broken(this.#sequence, length);
    this.#sequence = (this.#sequence + 1) | 0;
    this.#head = end;
    this.offset = at + FRAME_HEADER_BYTES;
    return length;
  }

  /** Gives back the room of all frames taken so far; wakes a producer that is parked. True: ring its port. */
  release(): boolean {
    if (this.#released === this.#head) return false;
    this.#released = this.#head;
    Atomics.store(this.#words, HEAD, this.#head);
    const ask = Atomics.load(this.#words, ROOM_ASK);
    if (ask === AWAKE) return false;
    if (ask === PARKED) {
      Atomics.add(this.#words, ROOM, 1);
      Atomics.notify(this.#words, ROOM);
      return false;
    }
    return true;
  }

  /** Says how this end waits for frames; look again (`next`) after saying it and before waiting. */
  ask(how: typeof AWAKE | typeof PARKED | typeof LISTENING): void {
    Atomics.store(this.#words, ASK, how);
  }

  /** Whether nothing is published beyond what was taken. */
  get isEmpty(): boolean {
    if (this.#head !== this.#tail) return false;
    this.#tail = Atomics.load(this.#words, TAIL);
    return this.#head === this.#tail;
  }
}

function broken(sequence: number, length: number): Error {
  return createError("MR_RING_BROKEN", { sequence, length });
}
