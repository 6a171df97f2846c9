/**
 * Where the records of finished Operations are kept: packed into boards of bytes, one shelf for each slice.
 *
 * Finished records are by far the most there is: each Operation leaves one for a day. An object of numbers and a view of
 * its result took 280 bytes, most of which the collector copied twice while they were young; an object that knows its
 * place takes 95, and its place 64. Results are copied, so that none holds on to the block it was encoded in.
 *
 *   ┌ 8 B ──┬ 8 B ─────────┬ 4 B ───────┬ 4 B ─────┬ 4 B ────────┬ 4 B ─────┬ 4 B ──────────┬ 4 B ───┬ n B ────┐
 *   │ token │ finished at  │ generation │ Attempts │ recoveries  │ returns  │ length n      │ is     │ value,  │
 *   │       │ (ms)         │            │          │             │          │ (all ones: –) │ later  │ filled  │
 *   └───────┴──────────────┴────────────┴──────────┴─────────────┴──────────┴───────────────┴────────┴ to 8 B ─┘
 *
 * In the byte order of this machine: boards never leave the process.
 */

/** What is kept of the life that ended: an Operation has them. */
export interface Counts {
  readonly generation: number;
  readonly attempt: number;
  readonly recoveries: number;
  readonly returns: number;
}

/** What is kept of how it ended. */
export interface KeptEnd {
  /** The token whose outcome was taken last. */
  readonly token: number;
  readonly value: Uint8Array | null;
}

const HEAD_BYTES = 40;
/** The length of a value that is not there. */
const NO_VALUE = 0xff_ff_ff_ff;
/** Boards of a shelf grow from the smallest to the largest; a larger record has one of its own. */
const BOARD_BYTES_MIN = 1024;
const BOARD_BYTES_MAX = 64 * 1024;
/** Shorter values are copied byte by byte: a call that copies costs more. */
const LOOP_BYTES = 48;

/** One run of memory, filled from its front. */
class Board {
  readonly bytes: Uint8Array;
  readonly doubles: Float64Array;
  readonly words: Uint32Array;
  #free = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
    this.doubles = new Float64Array(this.bytes.buffer);
    this.words = new Uint32Array(this.bytes.buffer);
  }

  hasRoom(bytes: number): boolean {
    return this.#free + bytes <= this.bytes.length;
  }

  /** Writes a record, for which there is room, and answers at which byte. */
  put({ generation, attempt, recoveries, returns }: Counts, { token, value }: KeptEnd, finishedAtMs: number): number {
    const at = this.#free;
    const { words } = this;
    const word = at >>> 2;
    this.doubles[at >>> 3] = token;
    this.doubles[(at >>> 3) + 1] = finishedAtMs;
    words[word + 4] = generation;
    words[word + 5] = attempt;
    words[word + 6] = recoveries;
    words[word + 7] = returns;
    words[word + 8] = value === null ? NO_VALUE : value.length;
    words[word + 9] = 0;
    if (value !== null) copy(value, this.bytes, at + HEAD_BYTES);
    this.#free = at + sizeOf(value);
    return at;
  }
}

/** The boards of one slice. They go when the last of its records goes. */
export class Shelf {
  #board: Board | null = null;

  /** A board with room for a record with this value. */
  boardFor(value: Uint8Array | null): Board {
    const size = sizeOf(value);
    const board = this.#board;
    if (board?.hasRoom(size) === true) return board;
    if (size > BOARD_BYTES_MAX / 4) return new Board(size);
    const next = board === null ? BOARD_BYTES_MIN : Math.min(2 * board.bytes.length, BOARD_BYTES_MAX);
    this.#board = new Board(Math.max(next, 4 * size - ((4 * size) % 8)));
    return this.#board;
  }
}

/** A record on a shelf. */
export class Shelved implements Counts, KeptEnd {
  readonly #board: Board;
  readonly #at: number;

  // Not one object of all that: it would be made for each Operation, and thrown away.
  constructor(shelf: Shelf, counts: Counts, outcome: KeptEnd, finishedAtMs: number) {
    this.#board = shelf.boardFor(outcome.value);
    this.#at = this.#board.put(counts, outcome, finishedAtMs);
  }

  get token(): number {
    return this.#board.doubles[this.#at >>> 3] as number; // each `at` is where a whole record stands
  }

  get finishedAtMs(): number {
    return this.#board.doubles[(this.#at >>> 3) + 1] as number; // as above
  }

  get generation(): number {
    return this.#word(4);
  }

  get attempt(): number {
    return this.#word(5);
  }

  get recoveries(): number {
    return this.#word(6);
  }

  get returns(): number {
    return this.#word(7);
  }

  /** The result or reason, a view; null where there is none, and once erased: what nobody finds need not be shown. */
  get value(): Uint8Array | null {
    const length = this.#word(8);
    const from = this.#at + HEAD_BYTES;
    return length === NO_VALUE ? null : this.#board.bytes.subarray(from, from + length);
  }

  /** Bytes it takes on its board. */
  get shelvedBytes(): number {
    const length = this.#word(8);
    return paddedBytes(length === NO_VALUE ? 0 : length);
  }

  /** The life before of its dot ended in the same millisecond: nothing else on disk says which of them is the later. */
  get isLater(): boolean {
    return this.#word(9) !== 0;
  }

  noteLater(): void {
    this.#board.words[(this.#at >>> 2) + 9] = 1;
  }

  eraseValue(): void {
    this.#board.words[(this.#at >>> 2) + 8] = NO_VALUE;
  }

  #word(index: number): number {
    return this.#board.words[(this.#at >>> 2) + index] as number; // each `at` is where a whole record stands
  }
}

function sizeOf(value: Uint8Array | null): number {
  return paddedBytes(value === null ? 0 : value.length);
}

function paddedBytes(length: number): number {
  return (HEAD_BYTES + length + 7) & ~7;
}

function copy(from: Uint8Array, to: Uint8Array, at: number): void {
  const { length } = from;
  if (length > LOOP_BYTES) to.set(from, at);
  else for (let i = 0; i < length; i++) to[at + i] = from[i] as number; // i < length
}
