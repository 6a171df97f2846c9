/**
 * Shared words about one Worker thread: a *seat* for each Operation it was given, and signs of life. Beside the rings,
 * because they are read while the thread is busy: they tell which Operations have begun, which may still be taken back,
 * and whether the event loop turns.
 *
 *   Int32   0 BEATS · 1 CURRENT · 2 BEGUN · 3 ENDED · 4 HEAP_KB · 5 PHASE        written by the Worker
 *           6 ABANDONED · 7 RESCUED                                               likewise
 *           16 + seat: FREE → GIVEN (Foreman) → BEGUN_SEAT (Worker) → FREE (Foreman, on the outcome)
 *                                     └→ TAKEN_BACK (Foreman) → FREE (Worker, as it passes over the record: until then
 *                                        the seat must not be given again, or the old record would begin the new one)
 *   Float64 one per seat: the Attempt's time limit in ms, Infinity for none; written by the Worker before BEGUN_SEAT
 *
 * GIVEN → BEGUN_SEAT and GIVEN → TAKEN_BACK race; both are one compare-and-swap, so exactly one of them happens.
 */

/** Index of each sign of life. */
export const BEATS = 0;
export const CURRENT = 1;
export const BEGUN = 2;
export const ENDED = 3;
export const HEAP_KB = 4;
export const PHASE = 5;
export const ABANDONED = 6;
export const RESCUED = 7;

/**
 * What they mean. BEATS: raised about every 100 ms while the thread turns or waits for us. CURRENT: 1 + the seat whose
 * handler is being called just now, synchronously; 0 for none. BEGUN, ENDED: Attempts so far. HEAP_KB: heap and buffers,
 * each second. ABANDONED: handlers given up on that have not ended: above 0 the thread is dirty. RESCUED: wake-ups lost.
 *
 * Values of PHASE: the module is being imported · in its event loop · asleep at its ring, with nothing to do · waiting
 * for room in its ring · draining.
 */
export const PHASE_STARTING = 0;
export const PHASE_TURNING = 1;
export const PHASE_RESTING = 2;
export const PHASE_FULL = 3;
export const PHASE_DRAINING = 4;

/** States of a seat. */
export const FREE = 0;
export const GIVEN = 1;
export const BEGUN_SEAT = 2;
export const TAKEN_BACK = 3;

const SEATS_AT = 16;

/** The memory for so many seats. */
export function createSeatsBuffer(seats: number): SharedArrayBuffer {
  const ints = SEATS_AT + seats + (seats % 2);
  return new SharedArrayBuffer(ints * 4 + seats * 8);
}

/** A view of it, for either side. */
export class Seats {
  readonly count: number;
  readonly #words: Int32Array;
  readonly #limits: Float64Array;

  constructor(buffer: SharedArrayBuffer, count: number) {
    this.count = count;
    const ints = SEATS_AT + count + (count % 2);
    this.#words = new Int32Array(buffer, 0, ints);
    this.#limits = new Float64Array(buffer, ints * 4, count);
  }

  /** Reads a sign of life. */
  read(word: number): number {
    return Atomics.load(this.#words, word);
  }

  /** Worker: sets a sign of life. */
  write(word: number, value: number): void {
    Atomics.store(this.#words, word, value);
  }

  /** Worker: counts one more. */
  count1(word: number): void {
    this.#words[word] = ((this.#words[word] ?? 0) + 1) | 0; // only the Worker writes it; a late reader loses nothing
  }

  /** The state of a seat. */
  stateOf(seat: number): number {
    return Atomics.load(this.#words, SEATS_AT + seat);
  }

  /** Foreman: gives a seat; before the frame is published. */
  give(seat: number): void {
    Atomics.store(this.#words, SEATS_AT + seat, GIVEN);
  }

  /** Frees a seat: the Foreman on its outcome, the Worker as it passes over what was taken back. */
  free(seat: number): void {
    Atomics.store(this.#words, SEATS_AT + seat, FREE);
  }

  /** Foreman: takes back what has not begun; false if it has. */
  takeBack(seat: number): boolean {
    return Atomics.compareExchange(this.#words, SEATS_AT + seat, GIVEN, TAKEN_BACK) === GIVEN;
  }

  /** Worker: begins an Attempt of `limitMs`; false if it was taken back, and then its seat is free. Once per record. */
  begin(seat: number, limitMs: number): boolean {
    this.#limits[seat] = limitMs;
    if (Atomics.compareExchange(this.#words, SEATS_AT + seat, GIVEN, BEGUN_SEAT) === GIVEN) return true;
    this.free(seat);
    return false;
  }

  /** Time limit of the Attempt in a seat that has begun, in ms. */
  limitOf(seat: number): number {
    return this.#limits[seat] ?? Number.POSITIVE_INFINITY;
  }
}
