/** Either end of a ring under torture, as it runs in a thread: what it is told, what it does, what it reports. */
import type { Ring } from "./door.js";
import { findDifference, keyOf, lengthOf, mix, type Pattern, writePayload } from "./pattern.js";

/** What both ends are told. */
export interface Torture extends Pattern {
  readonly buffer: SharedArrayBuffer;
  /** Shared words: see the indices below. */
  readonly signals: SharedArrayBuffer;
  readonly frames: number;
  /** Frames committed before they are published, and taken before their room is given back: 1…this. */
  readonly batchMax: number;
  /** How long one wait may last. */
  readonly waitMs: number;
  /** Turns of a loop that the producer spends in the middle of a payload. */
  readonly linger: number;
}

/** In `signals`: 1 when somebody found trouble · frames begun · what the producer does, as below · frames read. */
export const STOP = 0;
export const BEGUN = 1;
export const DOING = 2;
export const READ = 3;

/** What the producer does: writes a payload · has committed · publishes · waits for room. */
export const WRITING = 1;
export const COMMITTED = 2;
export const PUBLISHING = 3;
export const WAITING = 4;

/** What an end saw. */
export interface Report {
  /** Frames written or read, whole. */
  readonly frames: number;
  /** How often it went to sleep, and how the waits ended. */
  readonly waits: number;
  readonly early: number;
  readonly time: number;
  readonly rescued: number;
  /** What must never happen, in words. */
  readonly trouble: string | null;
}

class Waits {
  waits = 0;
  early = 0;
  time = 0;
  rescued = 0;

  count(end: ReturnType<Ring["waitForFrame"]>): void {
    this.waits++;
    if (end !== "there") this[end]++;
  }
}

/** Stops to think at one frame of 256, so that now one end is ahead and now the other. */
function dawdle(signals: Int32Array, chance: number): void {
  if ((chance & 255) !== 0) return;
  for (let turns = (chance >>> 8) & 2047; turns > 0; turns--) Atomics.load(signals, STOP);
}

/** Writes the frames. */
export function produce(ring: Ring, told: Torture): Report {
  const { buffer, frames, batchMax, waitMs } = told;
  const signals = new Int32Array(told.signals);
  const words = new Int32Array(buffer, ring.HEADER_BYTES);
  const producer = new ring.Producer(buffer);
  const waits = new Waits();
  let left = batchMax;
  let n = 0;
  const publish = (): void => {
    Atomics.store(signals, DOING, PUBLISHING);
    producer.publish();
    left = 1 + (mix(n, told.seed) % batchMax);
  };
  for (; n < frames; n++) {
    const length = lengthOf(told, n);
    let at = producer.reserve(length);
    while (at < 0) {
      publish();
      if (Atomics.load(signals, STOP) !== 0) return { ...waits, frames: n, trouble: null };
      Atomics.store(signals, DOING, WAITING);
      const end = ring.waitForRoom(producer, buffer, length, waitMs);
      waits.count(end);
      if (end === "rescued") Atomics.store(signals, STOP, 1);
      at = producer.reserve(length);
    }
    Atomics.store(signals, BEGUN, n + 1);
    Atomics.store(signals, DOING, WRITING);
    const key = keyOf(told, n);
    writePayload(producer.bytes, words, at, length >> 1, key);
    for (let turns = told.linger; turns > 0; turns--) Atomics.load(signals, STOP);
    writePayload(producer.bytes, words, at, length, key);
    producer.commit(length);
    Atomics.store(signals, DOING, COMMITTED);
    dawdle(signals, mix(n, told.seed + 1));
    if (--left === 0) publish();
  }
  publish();
  return { ...waits, frames: n, trouble: null };
}

/** Reads them: right away what is there, asleep while nothing is. */
export function consume(ring: Ring, told: Torture): Report {
  const { buffer, frames, batchMax, waitMs } = told;
  const signals = new Int32Array(told.signals);
  const reader = new Reader(ring, told);
  const waits = new Waits();
  let left = batchMax;
  while (reader.frames < frames && reader.trouble === null) {
    if (reader.take()) {
      Atomics.store(signals, READ, reader.frames);
      dawdle(signals, mix(reader.frames, told.seed + 2));
      if (--left > 0) continue;
      left = 1 + (mix(reader.frames, ~told.seed) % batchMax);
    }
    reader.consumer.release();
    if (!reader.consumer.isEmpty) continue;
    if (Atomics.load(signals, STOP) !== 0) break;
    if (reader.frames === frames) break;
    const end = ring.waitForFrame(reader.consumer, buffer, waitMs);
    waits.count(end);
    if (end === "rescued") break;
  }
  reader.consumer.release();
  if (reader.frames < frames) Atomics.store(signals, STOP, 1);
  return { ...waits, frames: reader.frames, trouble: reader.trouble };
}

/** Reads frames one by one and compares each with what it must be. */
export class Reader {
  readonly consumer: InstanceType<Ring["Consumer"]>;
  readonly #pattern: Pattern;
  readonly #words: Int32Array;
  /** Frames read and found right. */
  frames = 0;
  trouble: string | null = null;

  constructor(ring: Ring, told: Pattern & { readonly buffer: SharedArrayBuffer }) {
    this.consumer = new ring.Consumer(told.buffer);
    this.#pattern = told;
    this.#words = new Int32Array(told.buffer, ring.HEADER_BYTES);
  }

  /** Takes one frame; false when there is none, or when there is trouble. */
  take(): boolean {
    const length = this.#next();
    if (length < 0) return false;
    const expected = lengthOf(this.#pattern, this.frames);
    if (length !== expected) return this.#fail(`is ${length} bytes long, not ${expected}`);
    const { bytes, offset } = this.consumer;
    const differs = findDifference(bytes, this.#words, offset, length, keyOf(this.#pattern, this.frames));
    if (differs >= 0) return this.#fail(`differs at byte ${differs} of ${length}`);
    this.frames++;
    return true;
  }

  #next(): number {
    try {
      return this.consumer.next();
    } catch (error) {
      this.#fail(String(error));
      return -1;
    }
  }

  #fail(what: string): false {
    this.trouble = `frame ${this.frames} ${what}`;
    return false;
  }
}
