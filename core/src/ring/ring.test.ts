import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  ASK,
  AWAKE,
  BLOCKED,
  createRingBuffer,
  frameBytes,
  HEAD,
  HEADER_BYTES,
  LISTENING,
  ROOM,
  ROOM_ASK,
  SKIP,
  TAIL,
  WAKE,
} from "./layout.js";
import { Consumer, Producer } from "./ring.js";

/** Where counters wrap: below the sign, below zero, and far from both. */
const starts = [0, 2 ** 31 - 64, 2 ** 31 - 16, 2 ** 32 - 64, 2 ** 32 - 16];

interface Ends {
  readonly producer: Producer;
  readonly consumer: Consumer;
  readonly words: Int32Array;
  readonly frames: Int32Array;
}

function makeEnds(capacity = 64, startAt = 0): Ends {
  const buffer = createRingBuffer(capacity, startAt);
  return {
    producer: new Producer(buffer),
    consumer: new Consumer(buffer),
    words: new Int32Array(buffer, 0, HEADER_BYTES / 4),
    frames: new Int32Array(buffer, HEADER_BYTES),
  };
}

/** Writes and commits one frame; false when it finds no room. */
function put(producer: Producer, payload: Uint8Array): boolean {
  const at = producer.reserve(payload.length);
  if (at < 0) return false;
  producer.bytes.set(payload, at);
  producer.commit(payload.length);
  return true;
}

/** The next frame's payload, copied; null when there is none. */
function take(consumer: Consumer): Buffer | null {
  const length = consumer.next();
  return length < 0 ? null : Buffer.from(consumer.bytes.subarray(consumer.offset, consumer.offset + length));
}

function takeAll(consumer: Consumer): Buffer[] {
  const all: Buffer[] = [];
  for (let one = take(consumer); one !== null; one = take(consumer)) all.push(one);
  return all;
}

function textOf(payloads: readonly Uint8Array[]): string {
  return payloads.map((payload) => Buffer.from(payload).toString("latin1")).join("|");
}

const eight = (digit: number): Buffer => Buffer.alloc(8, String(digit % 10));

describe.each(starts)("a ring of 64 bytes with counters from %i", (startAt) => {
  it("holds four frames of 8 bytes and refuses the fifth until room is given back", () => {
    const { producer, consumer } = makeEnds(64, startAt);
    for (let n = 0; n < 4; n++) expect(put(producer, eight(n))).toBe(true);
    expect(put(producer, eight(4))).toBe(false);
    expect(producer.fill).toBe(64);
    producer.publish();
    expect(textOf([take(consumer), take(consumer)].filter((one) => one !== null))).toBe("00000000|11111111");
    expect(put(producer, eight(4)), "taken is not given back").toBe(false);
    consumer.release();
    expect(put(producer, eight(4))).toBe(true);
    expect(put(producer, eight(5))).toBe(true);
    expect(put(producer, eight(6))).toBe(false);
    producer.publish();
    expect(textOf(takeAll(consumer))).toBe("22222222|33333333|44444444|55555555");
    expect(producer.isDrained).toBe(false);
    consumer.release();
    expect(producer.isDrained).toBe(true);
    expect(producer.fill).toBe(0);
  });

  it("keeps frames of every length in order over many laps", () => {
    const { producer, consumer } = makeEnds(64, startAt);
    for (let n = 0; n < 2000; n++) {
      const payload = Buffer.alloc((n * 7) % (producer.payloadBytesMax + 1), n);
      expect(put(producer, payload)).toBe(true);
      producer.publish();
      expect(take(consumer)).toEqual(payload);
      expect(take(consumer)).toBeNull();
      consumer.release();
    }
  });

  it("finds room for the longest payload at every position of an empty ring", () => {
    for (let position = 0; position < 64; position += 8) {
      const { producer, consumer } = makeEnds(64, startAt + position);
      const payload = Buffer.alloc(producer.payloadBytesMax, "x");
      expect(put(producer, payload), `at ${position}`).toBe(true);
      producer.publish();
      expect(take(consumer)).toEqual(payload);
    }
  });

  it("skips what is left at the buffer's end, and gives it back with the frame behind it", () => {
    const { producer, consumer, frames } = makeEnds(64, startAt - (startAt % 64) + 48);
    const at = producer.reserve(16);
    expect(at).toBe(8);
    expect(frames[48 / 4]).toBe(SKIP);
    producer.bytes.fill("s", at, at + 16);
    producer.commit(16);
    producer.publish();
    expect(producer.fill).toBe(16 + 24);
    expect(textOf(takeAll(consumer))).toBe("s".repeat(16));
    consumer.release();
    expect(producer.fill).toBe(0);
  });
});

it("shows nothing before it is published, and then all of it", () => {
  const { producer, consumer } = makeEnds();
  for (let n = 0; n < 3; n++) {
    put(producer, eight(n));
    expect(consumer.isEmpty).toBe(true);
    expect(take(consumer)).toBeNull();
  }
  producer.reserve(8); // half-done: no frame of its own yet
  producer.publish();
  expect(consumer.isEmpty).toBe(false);
  expect(takeAll(consumer)).toHaveLength(3);
  expect(consumer.isEmpty).toBe(true);
});

it("ends a frame shorter than was reserved, and reserves again what was never ended", () => {
  const { producer, consumer } = makeEnds();
  producer.reserve(24);
  const at = producer.reserve(20);
  producer.bytes.write("abc", at, "latin1");
  producer.commit(3);
  producer.publish();
  expect(producer.fill).toBe(frameBytes(3));
  expect(textOf(takeAll(consumer))).toBe("abc");
});

it("refuses lengths that were not reserved or fit no ring of its size", () => {
  const { producer } = makeEnds();
  expect(() => producer.reserve(producer.payloadBytesMax + 1)).toThrow("a frame fits its ring");
  expect(() => producer.reserve(-1)).toThrow("a frame fits its ring");
  expect(() => producer.commit(0)).toThrow("a frame was reserved");
  producer.reserve(8);
  expect(() => producer.commit(9)).toThrow("a frame was reserved");
  expect(() => producer.commit(-1)).toThrow("a frame was reserved");
  producer.commit(8);
  expect(() => producer.commit(8)).toThrow("a frame was reserved");
});

it("a second pair of ends takes up a ring where its counters stand", () => {
  const buffer = createRingBuffer(64, 2 ** 31 - 8);
  const producer = new Producer(buffer);
  put(producer, eight(1));
  producer.publish();
  const consumer = new Consumer(buffer);
  expect(textOf(takeAll(consumer))).toBe("11111111");
});

describe("asking", () => {
  it("a blocked consumer is woken by its word, once for each asking", () => {
    const { producer, consumer, words } = makeEnds();
    consumer.ask(BLOCKED);
    for (let n = 0; n < 2; n++) {
      put(producer, eight(n));
      expect(producer.publish()).toBe(false);
      expect(words[WAKE]).toBe(1);
    }
    consumer.ask(AWAKE);
    expect(words[ASK]).toBe(AWAKE);
    put(producer, eight(3));
    producer.publish();
    expect(words[WAKE]).toBe(1);
    consumer.ask(BLOCKED);
    put(producer, eight(4));
    producer.publish();
    expect(words[WAKE]).toBe(2);
  });

  it("a listening consumer is rung once for each asking, whether it has given room back or not", () => {
    const { producer, consumer, words } = makeEnds();
    const putAndPublish = (): boolean => {
      expect(put(producer, Buffer.alloc(0))).toBe(true);
      return producer.publish();
    };
    expect(putAndPublish()).toBe(false);
    consumer.ask(LISTENING);
    expect([putAndPublish(), putAndPublish()]).toEqual([true, false]);
    consumer.ask(AWAKE);
    expect(putAndPublish()).toBe(false);
    takeAll(consumer);
    consumer.ask(LISTENING);
    expect([putAndPublish(), putAndPublish()]).toEqual([true, false]);
    consumer.ask(LISTENING);
    expect(putAndPublish()).toBe(true);
    expect(words[WAKE]).toBe(0);
  });

  it("publishing or releasing nothing wakes nobody", () => {
    const { producer, consumer } = makeEnds();
    consumer.ask(LISTENING);
    producer.askForRoom(LISTENING);
    expect(producer.publish()).toBe(false);
    expect(consumer.release()).toBe(false);
  });

  it("a producer is told of room in the way it waits, once for each asking", () => {
    const { producer, consumer, words } = makeEnds();
    const giveBack = (): boolean => {
      take(consumer);
      return consumer.release();
    };
    for (let n = 0; n < 8; n++) put(producer, Buffer.alloc(0));
    producer.publish();
    expect(giveBack()).toBe(false);
    producer.askForRoom(LISTENING);
    expect([giveBack(), giveBack()]).toEqual([true, false]);
    producer.askForRoom(BLOCKED);
    expect([giveBack(), giveBack()]).toEqual([false, false]);
    expect(words[ROOM]).toBe(1);
    producer.askForRoom(AWAKE);
    expect(words[ROOM_ASK]).toBe(AWAKE);
    expect(giveBack()).toBe(false);
    expect(words[ROOM]).toBe(1);
  });

  it("there is room when what was refused last would fit", () => {
    const { producer, consumer } = makeEnds();
    for (let n = 0; n < 4; n++) put(producer, eight(n));
    producer.publish();
    expect(producer.reserve(16)).toBe(-1);
    take(consumer);
    consumer.release();
    expect(producer.hasRoom).toBe(false); // 16 bytes are free, 24 are needed
    take(consumer);
    consumer.release();
    expect(producer.hasRoom).toBe(true);
  });
});

describe("a broken memory", () => {
  const isBroken = expect.objectContaining({ code: "MR_RING_BROKEN" });

  it("is noticed at the frame whose length or check word was written over", () => {
    const scribble = fc.record({
      frame: fc.nat(3),
      word: fc.constantFrom(0, 1),
      value: fc.oneof(fc.integer(), fc.constantFrom(0, SKIP, 8, 9, 7, -(2 ** 31), 2 ** 30, (2 ** 30) | 8)),
    });
    fc.assert(
      fc.property(scribble, fc.constantFrom(...starts), ({ frame, word, value }, startAt) => {
        const { producer, consumer, frames } = makeEnds(64, startAt);
        for (let n = 0; n < 4; n++) put(producer, eight(n));
        producer.publish();
        const at = ((startAt % 64) / 4 + frame * 4 + word) % 16;
        fc.pre(frames[at] !== value);
        frames[at] = value;
        for (let n = 0; n < frame; n++) expect(take(consumer)).toEqual(eight(n));
        expect(() => consumer.next()).toThrow(isBroken);
        expect(() => consumer.next()).toThrow(isBroken);
      }),
      { numRuns: 2000 },
    );
  });

  it("is noticed where TAIL stands in no place of a producer; a place behind it shows a beginning, nothing wrong", () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer(), fc.integer({ min: -20, max: 20 })),
        fc.constantFrom(...starts),
        (by, startAt) => {
          const { producer, consumer, words } = makeEnds(64, startAt);
          for (let lap = 0; lap < 6; lap++) {
            put(producer, eight(lap)); // old frames and their headers lie about
            producer.publish();
            takeAll(consumer);
            consumer.release();
          }
          const sent = [6, 7, 8].map(eight);
          for (const payload of sent) put(producer, payload);
          producer.publish();
          words[TAIL] = ((words[TAIL] ?? 0) + by) | 0;
          const got: Buffer[] = [];
          try {
            got.push(...takeAllInto(got, consumer));
          } catch (error) {
            expect(error).toEqual(isBroken);
          }
          expect(got).toEqual(sent.slice(0, got.length));
          if (by > 0) expect(got.length).toBeLessThanOrEqual(3);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("is noticed where HEAD stands in no place of a consumer: nothing is written any more, and nothing read", () => {
    for (const head of [-8, 72, 4, 1, 2 ** 30, -(2 ** 31)]) {
      const { producer, consumer, words } = makeEnds();
      for (let n = 0; n < 4; n++) put(producer, eight(n));
      producer.publish();
      producer.assertSound();
      words[HEAD] = head;
      expect(() => consumer.next(), `HEAD at ${head}`).toThrow(isBroken);
      expect(producer.reserve(8), `HEAD at ${head}`).toBe(-1);
      expect(() => producer.assertSound()).toThrow(isBroken);
      words[HEAD] = 64; // what was broken once is not believed again
      expect(producer.reserve(8)).toBe(-1);
      expect(producer.isBroken).toBe(true);
    }
  });

  it("is noticed by the consumer where HEAD stands in a place that only it knows to be wrong", () => {
    const { producer, consumer, words } = makeEnds();
    for (let n = 0; n < 4; n++) put(producer, eight(n));
    producer.publish();
    words[HEAD] = 32;
    expect(() => consumer.next()).toThrow(isBroken);
  });

  it("zeroes hold no frame, wherever TAIL stands", () => {
    for (let tail = 8; tail <= 64; tail += 8) {
      const { consumer, words } = makeEnds();
      words[TAIL] = tail;
      expect(() => consumer.next()).toThrow(isBroken);
    }
  });

  it("words that only wake cannot make a frame wrong", () => {
    for (const word of [ASK, ROOM_ASK, WAKE, ROOM]) {
      const { producer, consumer, words } = makeEnds();
      for (let n = 0; n < 20; n++) {
        words[word] = Math.imul(n, 0x9e3779b1);
        put(producer, eight(n));
        producer.publish();
        expect(takeAll(consumer)).toEqual([eight(n)]);
        consumer.release();
      }
    }
  });
});

/** Takes until nothing is left or it throws; what was taken before is in `got` either way. */
function takeAllInto(got: Buffer[], consumer: Consumer): Buffer[] {
  for (let one = take(consumer); one !== null; one = take(consumer)) got.push(one);
  return [];
}

/** What a ring is, with plain numbers that do not wrap and an array for its frames. */
class Model {
  readonly frames: { payload: Buffer; end: number }[] = [];
  readonly capacity: number;
  tail: number;
  head: number;
  published = 0;
  taken = 0;

  constructor(capacity: number, startAt: number) {
    this.capacity = capacity;
    this.tail = startAt;
    this.head = startAt;
  }

  /** Where a frame of so much payload would end; null if it found no room. */
  endOf(payloadBytes: number): number | null {
    const size = 8 + Math.ceil(payloadBytes / 8) * 8;
    const toEnd = this.capacity - (this.tail % this.capacity);
    const end = this.tail + size + (size > toEnd ? toEnd : 0);
    return end - this.head > this.capacity ? null : end;
  }
}

type Command =
  | { readonly kind: "put"; readonly reserved: number; readonly bytes: number; readonly fill: number }
  | { readonly kind: "publish" | "next" | "release" };

const command: fc.Arbitrary<Command> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc
      .record({ reserved: fc.nat(300), less: fc.nat(20), fill: fc.nat(255) })
      .map(({ reserved, less, fill }) => ({
        kind: "put" as const,
        reserved,
        bytes: Math.max(0, reserved - less),
        fill,
      })),
  },
  { weight: 4, arbitrary: fc.constantFrom("publish", "next", "next", "release").map((kind) => ({ kind }) as const) },
);

it("does what an array with plain counters does, whatever is called in whatever order", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(64, 128, 1024),
      fc.constantFrom(...starts, 2 ** 31 - 8, 2 ** 32 - 8, 2 ** 31 - 512, 2 ** 32 - 512),
      fc.array(command, { maxLength: 300 }),
      (capacity, startAt, commands) => {
        const { producer, consumer } = makeEnds(capacity, startAt);
        const model = new Model(capacity, startAt);
        for (const each of commands) {
          if (each.kind === "put") {
            const reserved = Math.min(each.reserved, producer.payloadBytesMax);
            const bytes = Math.min(each.bytes, reserved);
            const at = producer.reserve(reserved);
            expect(at >= 0).toBe(model.endOf(reserved) !== null);
            if (at < 0) continue;
            const payload = Buffer.alloc(bytes, each.fill);
            payload.copy(producer.bytes, at);
            producer.commit(bytes);
            // The place is the one reserved, even if so short a frame would have fitted before the buffer's end.
            const skipped = at === 8 && model.tail % capacity !== 0 ? capacity - (model.tail % capacity) : 0;
            model.tail += skipped + 8 + Math.ceil(bytes / 8) * 8;
            model.frames.push({ payload, end: model.tail });
          } else if (each.kind === "publish") {
            producer.publish();
            model.published = model.frames.length;
          } else if (each.kind === "next") {
            const expected = model.taken < model.published ? model.frames[model.taken++]?.payload : null;
            expect(take(consumer)).toEqual(expected);
          } else {
            consumer.release();
            model.head = model.frames[model.taken - 1]?.end ?? startAt;
          }
          expect(producer.fill).toBe(model.tail - model.head);
          expect(consumer.isEmpty).toBe(model.taken === model.published);
        }
      },
    ),
    { numRuns: 400 },
  );
});
