/**
 * The two ends of a ring: Producer and Consumer, one of each, on different threads. Knows bytes and frames, not what
 * they mean, and does not wait (wait.ts, duplex.ts).
 *
 * A frame is written in place, then committed, then published with its neighbours by one store of TAIL; the consumer
 * reads it in place and gives room back with its neighbours by one store of HEAD. Both keep the other's counter as last
 * seen and look again only when it does not suffice. A thread that dies between has published nothing, or all of it.
 *
 * What is read from the memory is believed only if a sound other side could have written it; if not, the ring is broken
 * and both its ends must be given up. docs/ring.md argues why no lock is needed and no wake-up is lost.
 */
import { invariant } from "../base/assert.js";
import { createError } from "../base/errors.js";
import {
  ASK,
  type Asking,
  AWAKE,
  askWord,
  BLOCKED,
  checkWord,
  FRAME_HEADER_BYTES,
  frameBytes,
  HEAD,
  HEADER_BYTES,
  howOf,
  MORE,
  payloadBytesMax,
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
  /** Bytes for frames. */
  readonly capacity: number;
  /** Longest payload that fits whatever the position. */
  readonly payloadBytesMax: number;
  readonly #words: Int32Array;
  readonly #frames: Int32Array;
  readonly #mask: number;
  #tail: number;
  #published: number;
  #head: number;
  #sequence = 0;
  /** The asking that was answered last: each is answered once. */
  #answered = AWAKE;
  /** How this end waits for room, as ROOM_ASK says it. */
  #roomAsk = AWAKE;
  #roomAskings = 0;
  /** What is reserved: where the frame begins, the unused bytes before it at the buffer's end, its payload at most. */
  #at = 0;
  #skipped = 0;
  #reserved = -1;
  /** The payload `reserve` found no room for last. */
  #refused = 0;
  #isBroken = false;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#frames = new Int32Array(buffer, HEADER_BYTES);
    this.bytes = Buffer.from(buffer, HEADER_BYTES);
    this.capacity = this.bytes.length;
    this.payloadBytesMax = payloadBytesMax(this.capacity);
    this.#mask = this.capacity - 1;
    this.#tail = Atomics.load(this.#words, TAIL);
    this.#published = this.#tail;
    this.#head = Atomics.load(this.#words, HEAD);
  }

  /**
   * Makes room for a payload of up to `payloadBytes`; its offset in `bytes`, or -1 while the ring is too full.
   *
   * A ring whose HEAD stands where no consumer would put it stays full from then on: `assertSound` tells.
   */
  reserve(payloadBytes: number): number {
    if (payloadBytes >>> 0 > this.payloadBytesMax) invariant(false, "a frame fits its ring", { payloadBytes });
    const tail = this.#tail;
    const at = tail & this.#mask;
    const need = frameBytes(payloadBytes);
    const toEnd = this.capacity - at;
    const skip = need > toEnd ? toEnd : 0;
    if (((tail - this.#head) | 0) > this.capacity - need - skip && !this.#findRoom(need + skip)) {
      this.#refused = payloadBytes;
      return -1;
    }
    this.#reserved = payloadBytes;
    this.#skipped = skip;
    if (skip === 0) {
      this.#at = at;
      return at + FRAME_HEADER_BYTES;
    }
    this.#frames[at >> 2] = SKIP;
    this.#at = 0;
    return FRAME_HEADER_BYTES;
  }

  /**
   * Ends the reserved frame with its true length, at most what was reserved. It is not visible yet.
   * `hasMore`: the record goes on in the next frame (frame.ts).
   */
  commit(payloadBytes: number, hasMore = false): void {
    if (payloadBytes >>> 0 > this.#reserved) invariant(false, "a frame was reserved", { payloadBytes });
    this.#reserved = -1;
    const word = this.#at >> 2;
    const length = hasMore ? payloadBytes | MORE : payloadBytes;
    this.#frames[word] = length;
    this.#frames[word + 1] = checkWord(this.#sequence, length);
    this.#sequence = (this.#sequence + 1) | 0;
    this.#tail = (this.#tail + this.#skipped + frameBytes(payloadBytes)) | 0;
  }

  /** Makes what was committed visible, and wakes a consumer that is blocked. True: the caller must ring its port. */
  publish(): boolean {
    if (this.#published === this.#tail) return false;
    this.#published = this.#tail;
    Atomics.store(this.#words, TAIL, this.#tail);
    // Sequentially consistent: either the consumer sees TAIL when it looks again, or this sees how it waits.
    const ask = Atomics.load(this.#words, ASK);
    if (ask === AWAKE || ask === this.#answered) return false;
    this.#answered = ask;
    return answer(this.#words, ask, WAKE);
  }

  /** Says how this end waits for room; look again (`hasRoom` or `reserve`) after saying it and before waiting. */
  askForRoom(how: Asking): void {
    if (how === AWAKE && this.#roomAsk === AWAKE) return;
    this.#roomAsk = askWord(how, ++this.#roomAskings);
    Atomics.store(this.#words, ROOM_ASK, this.#roomAsk);
  }

  /** Whether there is room by now for the payload that `reserve` refused last. */
  get hasRoom(): boolean {
    return this.reserve(this.#refused) >= 0;
  }

  /** Whether HEAD was seen where no consumer would put it. */
  get isBroken(): boolean {
    return this.#isBroken;
  }

  /** Errors: MR_RING_BROKEN when `isBroken`. */
  assertSound(): void {
    if (this.#isBroken) throw broken(this.#sequence, this.fill);
  }

  /** Whether all that was published has been given back. */
  get isDrained(): boolean {
    return Atomics.load(this.#words, HEAD) === this.#published;
  }

  /** Bytes in use, what is not yet published included, 0…capacity: for figures, not for decisions. */
  get fill(): number {
    return (this.#tail - Atomics.load(this.#words, HEAD)) | 0;
  }

  #findRoom(bytes: number): boolean {
    const head = Atomics.load(this.#words, HEAD);
    const used = (this.#tail - head) | 0;
    const moved = (head - this.#head) | 0;
    this.#isBroken ||= moved < 0 || used < 0 || (head & 7) !== 0;
    if (this.#isBroken) return false;
    this.#head = head;
    return used <= this.capacity - bytes;
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
  readonly #payloadBytesMax: number;
  readonly #mask: number;
  #head: number;
  #released: number;
  #tail: number;
  #sequence = 0;
  /** The asking that was answered last: each is answered once. */
  #answered = AWAKE;
  /** How this end waits for frames, as ASK says it. */
  #ask = AWAKE;
  #askings = 0;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
    this.#frames = new Int32Array(buffer, HEADER_BYTES);
    this.bytes = Buffer.from(buffer, HEADER_BYTES);
    this.#capacity = this.bytes.length;
    this.#payloadBytesMax = payloadBytesMax(this.#capacity);
    this.#mask = this.#capacity - 1;
    this.#head = Atomics.load(this.#words, HEAD);
    this.#released = this.#head;
    this.#tail = this.#head;
  }

  /**
   * Takes the next frame: the length of its payload, which begins at `offset`; -1 when there is none.
   *
   * Errors: MR_RING_BROKEN when the memory holds what no producer writes.
   */
  next(): number {
    let head = this.#head;
    if (head === this.#tail && !this.#findFrames()) return -1;
    let at = head & this.#mask;
    let word = this.#frames[at >> 2] ?? 0;
    if (word === SKIP) {
      head = (head + this.#capacity - at) | 0;
      at = 0;
      word = this.#frames[0] ?? 0;
    }
    const length = word & ~MORE;
    const end = (head + frameBytes(length)) | 0;
    const isSound =
      this.#frames[(at >> 2) + 1] === checkWord(this.#sequence, word) &&
      length >>> 0 <= this.#payloadBytesMax &&
      ((this.#tail - end) | 0) >= 0 &&
      this.#words[HEAD] === this.#released; // a HEAD that is not ours lets the producer write over what is read here
    if (!isSound) throw broken(this.#sequence, length);
    this.#sequence = (this.#sequence + 1) | 0;
    this.#head = end;
    this.hasMore = word !== length;
    this.offset = at + FRAME_HEADER_BYTES;
    return length;
  }

  /** Gives back the room of all frames taken so far; wakes a producer that is blocked. True: ring its port. */
  release(): boolean {
    if (this.#released === this.#head) return false;
    this.#released = this.#head;
    Atomics.store(this.#words, HEAD, this.#head);
    // As in `publish`: either the producer sees HEAD when it looks again, or this sees how it waits.
    const ask = Atomics.load(this.#words, ROOM_ASK);
    if (ask === AWAKE || ask === this.#answered) return false;
    this.#answered = ask;
    return answer(this.#words, ask, ROOM);
  }

  /** Says how this end waits for frames; look again (`isEmpty` or `next`) after saying it and before waiting. */
  ask(how: Asking): void {
    if (how === AWAKE && this.#ask === AWAKE) return;
    this.#ask = askWord(how, ++this.#askings);
    Atomics.store(this.#words, ASK, this.#ask);
  }

  /** Whether nothing is published beyond what was taken. */
  get isEmpty(): boolean {
    return this.#head === this.#tail && this.#head === Atomics.load(this.#words, TAIL);
  }

  #findFrames(): boolean {
    const tail = Atomics.load(this.#words, TAIL);
    const there = (tail - this.#head) | 0;
    if (there < 0 || there > this.#capacity || (tail & 7) !== 0) throw broken(this.#sequence, there);
    this.#tail = tail;
    return there > 0;
  }
}

/** Wakes a side that is blocked on `word`; true if it must be rung instead. */
function answer(words: Int32Array, ask: number, word: typeof WAKE | typeof ROOM): boolean {
  if (howOf(ask) !== BLOCKED) return true;
  Atomics.add(words, word, 1);
  Atomics.notify(words, word);
  return false;
}

function broken(sequence: number, length: number): Error {
  return createError("MR_RING_BROKEN", { sequence, length });
}
