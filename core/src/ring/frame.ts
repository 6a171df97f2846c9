/**
 * Records of any length over a ring: short ones are written in place, long ones go in pieces, and what finds no room
 * waits here in order. The reader puts the pieces together again.
 */
import { Deque } from "../base/deque.js";
import { AWAKE } from "./layout.js";
import type { Consumer, Producer } from "./ring.js";

interface Waiting {
  readonly bytes: Buffer;
  /** How much of it is in the ring already. */
  sent: number;
}

/** Writes records; the caller publishes (duplex.ts). */
export class FrameWriter {
  /** Where to write the record that `begin` opened. */
  target: Buffer;
  readonly #producer: Producer;
  /** Longest piece: a quarter of the ring, so that a long record moves on while the other side reads. */
  readonly #pieceBytes: number;
  readonly #waiting = new Deque<Waiting>();
  #waitingBytes = 0;
  #isAside = false;

  constructor(producer: Producer) {
    this.#producer = producer;
    this.target = producer.bytes;
    this.#pieceBytes = Math.min(producer.payloadBytesMax, producer.capacity / 4);
  }

  /**
   * Bytes that wait here for room in the ring; while there are any, later records wait behind them. Nothing bounds
   * them here: a producer that may not outrun its reader looks at this, and waits or refuses.
   */
  get waitingBytes(): number {
    return this.#waitingBytes;
  }

  /**
   * Opens a record of up to `bytes`: write it into `target` from the offset returned on, then call `end`.
   *
   * A record that is never ended (its encoder threw) leaves nothing behind.
   */
  begin(bytes: number): number {
    if (this.#waitingBytes === 0 && bytes <= this.#pieceBytes) {
      const at = this.#producer.reserve(bytes);
      if (at >= 0) {
        this.#isAside = false;
        this.target = this.#producer.bytes;
        return at;
      }
    }
    this.#isAside = true;
    this.target = Buffer.allocUnsafe(bytes);
    return 0;
  }

  /** Ends the record with its true length. */
  end(bytes: number): void {
    if (!this.#isAside) return this.#producer.commit(bytes);
    this.#waiting.push({ bytes: this.target.subarray(0, bytes), sent: 0 });
    this.#waitingBytes += weight(bytes);
    this.flush();
  }

  /** Moves what waits into the ring as far as there is room; true when nothing waits any more. */
  flush(): boolean {
    for (let first = this.#waiting.at(0); first !== undefined; first = this.#waiting.at(0)) {
      const { bytes, sent } = first;
      const length = Math.min(this.#pieceBytes, bytes.length - sent);
      const at = this.#producer.reserve(length);
      if (at < 0) return false;
      bytes.copy(this.#producer.bytes, at, sent, sent + length);
      first.sent += length;
      this.#waitingBytes -= weight(length);
      this.#producer.commit(length, first.sent < bytes.length);
      if (first.sent >= bytes.length) this.#waiting.shift();
    }
    this.#producer.askForRoom(AWAKE);
    return true;
  }

  /** The size of the next piece that waits: what to wait for room for. */
  get nextBytes(): number {
    const first = this.#waiting.at(0);
    return first === undefined ? 0 : Math.min(this.#pieceBytes, first.bytes.length - first.sent);
  }
}

/** What a record or piece counts while it waits: an empty one waits, too. */
function weight(bytes: number): number {
  return Math.max(1, bytes);
}

/** Reads records. */
export class FrameReader {
  /** The present record: from `offset` in `source`; valid until the next `next` or until the consumer releases. */
  source: Buffer;
  offset = 0;
  readonly #consumer: Consumer;
  #pieces: Buffer[] = [];

  constructor(consumer: Consumer) {
    this.#consumer = consumer;
    this.source = consumer.bytes;
  }

  /** Takes the next whole record: its length, or -1 when none is there yet. Errors: MR_RING_BROKEN. */
  next(): number {
    for (;;) {
      const length = this.#consumer.next();
      if (length < 0) return -1;
      const { offset } = this.#consumer;
      if (this.#pieces.length === 0 && !this.#consumer.hasMore) {
        this.source = this.#consumer.bytes;
        this.offset = offset;
        return length;
      }
      this.#pieces.push(Buffer.from(this.#consumer.bytes.subarray(offset, offset + length)));
      if (this.#consumer.hasMore) continue;
      this.source = Buffer.concat(this.#pieces);
      this.#pieces = [];
      this.offset = 0;
      return this.source.length;
    }
  }
}
