/**
 * The memory of one ring (elsewhere: SPSC queue, pipe): which word lies where, who writes it, who reads it.
 *
 *   byte 0          64          128         192                 256                              256 + capacity
 *        ┌───────────┬───────────┬───────────┬───────────────────┬────────────────────────────────────┐
 *        │ TAIL      │ HEAD      │ WAKE      │ ROOM              │ frames, each 8-byte aligned        │
 *        │ ROOM_ASK  │ ASK       │           │                   │ [length][check][payload, pad to 8] │
 *        └───────────┴───────────┴───────────┴───────────────────┴────────────────────────────────────┘
 *        producer's   consumer's   producer's  consumer's
 *        line         line         bell        bell
 *
 * TAIL and HEAD count bytes since the beginning and only grow; being 32-bit they wrap, which is why they are compared
 * by `(a - b) | 0` and used as `count & mask`. The capacity is a power of two, at most 2^29.
 *
 * | word     | written by | read by  | meaning                                                              |
 * | TAIL     | producer   | consumer | bytes published; stored last, so a frame is seen whole or not at all |
 * | ROOM_ASK | producer   | consumer | how the producer waits for room: AWAKE, BLOCKED or LISTENING         |
 * | HEAD     | consumer   | producer | bytes given back                                                     |
 * | ASK      | consumer   | producer | how the consumer waits for frames: AWAKE, BLOCKED or LISTENING       |
 * | WAKE     | producer   | consumer | a consumer that is BLOCKED sleeps on it                              |
 * | ROOM     | consumer   | producer | a producer that is BLOCKED sleeps on it                              |
 *
 * Each group has a cache line of its own, so that the two sides do not fight over one. docs/ring.md says why this order
 * of stores and looks needs no lock.
 */
import { invariant } from "../base/assert.js";

/** Bytes before the frames. */
export const HEADER_BYTES = 256;
/** Bytes of a frame before its payload: length, then check word, both 32-bit. */
export const FRAME_HEADER_BYTES = 8;

/** Index of each control word in the Int32Array over the header. */
export const TAIL = 0;
export const ROOM_ASK = 1;
export const HEAD = 16;
export const ASK = 17;
export const WAKE = 32;
export const ROOM = 48;

/** How a side waits: the other side need do nothing · must notify the word · must ring the port. */
export const AWAKE = 0;
export const BLOCKED = 1;
export const LISTENING = 2;

/** One of the three. */
export type Asking = typeof AWAKE | typeof BLOCKED | typeof LISTENING;

/** What stands in ASK or ROOM_ASK: how a side waits, and which time it asks, since each asking is answered once. */
export function askWord(how: Asking, asking: number): number {
  return how === AWAKE ? AWAKE : (asking << 2) | how;
}

/** How the side waits that wrote `word`. */
export function howOf(word: number): number {
  return word & 3;
}

/** Flag in the length word: the record goes on in the next frame. */
export const MORE = 2 ** 30;

/** In the place of a length: the rest of the buffer is unused, the next frame begins at its start. */
export const SKIP = -1;

/**
 * The second word of a frame: its place in the sequence and its length word in one. For a given sequence number every
 * length has another check, so that a scribble over either word is noticed; zeroed memory is no frame.
 */
export function checkWord(sequence: number, length: number): number {
  return sequence ^ Math.imul(length ^ 0x2545f491, 0x9e3779b1);
}

const CAPACITY_MIN = 64;
const CAPACITY_MAX = 2 ** 29;

/**
 * Makes the memory of a ring: `capacity` bytes for frames, a power of two from 64 to 2^29.
 *
 * `startAt` presets both counters (tests start them just below 2^31 and 2^32); a multiple of 8.
 */
export function createRingBuffer(capacity: number, startAt = 0): SharedArrayBuffer {
  const isPower = Number.isInteger(Math.log2(capacity));
  invariant(isPower && capacity >= CAPACITY_MIN && capacity <= CAPACITY_MAX, "a ring's capacity is a power of two", {
    capacity,
  });
  invariant(Number.isInteger(startAt) && startAt % 8 === 0, "counters of a ring are multiples of 8", { startAt });
  const buffer = new SharedArrayBuffer(HEADER_BYTES + capacity);
  const words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  words[TAIL] = startAt | 0;
  words[HEAD] = startAt | 0;
  return buffer;
}

/** Bytes a frame of so much payload takes in the ring. */
export function frameBytes(payloadBytes: number): number {
  return FRAME_HEADER_BYTES + ((payloadBytes + 7) & ~7);
}

/** Longest payload that fits a ring of `capacity` at any position, with the bytes skipped before it at worst. */
export function payloadBytesMax(capacity: number): number {
  return capacity / 2 - FRAME_HEADER_BYTES;
}
