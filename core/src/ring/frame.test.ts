import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameReader, FrameWriter } from "./frame.js";
import { createRingBuffer, HEADER_BYTES, LISTENING, ROOM_ASK } from "./layout.js";
import { Consumer, Producer } from "./ring.js";

interface Pair {
  readonly producer: Producer;
  readonly consumer: Consumer;
  readonly writer: FrameWriter;
  readonly reader: FrameReader;
  readonly words: Int32Array;
}

function makePair(capacity = 64, startAt = 0): Pair {
  const buffer = createRingBuffer(capacity, startAt);
  const producer = new Producer(buffer);
  const consumer = new Consumer(buffer);
  return {
    producer,
    consumer,
    writer: new FrameWriter(producer),
    reader: new FrameReader(consumer),
    words: new Int32Array(buffer, 0, HEADER_BYTES / 4),
  };
}

function write(writer: FrameWriter, record: Buffer, reserved = record.length): void {
  const at = writer.begin(reserved);
  record.copy(writer.target, at);
  writer.end(record.length);
}

/** Reads every whole record there is and gives their room back. */
function readAll({ reader, consumer }: Pair): Buffer[] {
  const records: Buffer[] = [];
  for (let length = reader.next(); length >= 0; length = reader.next()) {
    records.push(Buffer.from(reader.source.subarray(reader.offset, reader.offset + length)));
  }
  consumer.release();
  return records;
}

/** A record whose bytes tell its number and place. */
function recordOf(number: number, bytes: number): Buffer {
  return Buffer.from(Array.from({ length: bytes }, (_, i) => (number * 31 + i * 7) & 255));
}

it("writes a short record in place, with the length it ends with", () => {
  const pair = makePair();
  const at = pair.writer.begin(16);
  expect(pair.writer.target).toBe(pair.producer.bytes);
  pair.writer.target.write("abc", at, "latin1");
  pair.writer.end(3);
  expect(pair.writer.waitingBytes).toBe(0);
  expect(pair.reader.next()).toBe(-1);
  pair.producer.publish();
  expect(readAll(pair).map(String)).toEqual(["abc"]);
});

it("sends a long record in pieces while the other side reads, and later ones behind it", () => {
  const pair = makePair();
  const records = [recordOf(1, 200), recordOf(2, 0), recordOf(3, 5)];
  for (const record of records) write(pair.writer, record);
  const got: Buffer[] = [];
  for (let turns = 0; pair.writer.waitingBytes > 0; turns++) {
    expect(turns, "every turn must move something").toBeLessThan(20);
    expect(pair.writer.nextBytes).toBeLessThanOrEqual(16);
    pair.producer.publish();
    got.push(...readAll(pair));
    pair.writer.flush();
  }
  pair.producer.publish();
  got.push(...readAll(pair));
  expect(got).toEqual(records);
  expect(pair.writer.nextBytes).toBe(0);
});

it("what finds no room waits in order, and nothing overtakes it", () => {
  const pair = makePair();
  const records = Array.from({ length: 12 }, (_, n) => recordOf(n, 8));
  for (const record of records) write(pair.writer, record);
  expect(pair.writer.waitingBytes).toBe(8 * 8);
  expect(pair.writer.flush(), "there is no room yet").toBe(false);
  pair.producer.publish();
  expect(readAll(pair)).toEqual(records.slice(0, 4));
  write(pair.writer, recordOf(12, 0)); // would find room, but others wait
  expect(pair.writer.waitingBytes).toBe(4 * 8 + 1);
  pair.producer.publish();
  expect(readAll(pair)).toEqual(records.slice(4, 8));
  expect(pair.writer.flush()).toBe(false);
  pair.producer.publish();
  expect(readAll(pair)).toEqual(records.slice(8));
  expect(pair.writer.flush()).toBe(true);
  expect(pair.writer.waitingBytes).toBe(0);
  pair.producer.publish();
  expect(readAll(pair)).toEqual([recordOf(12, 0)]);
});

it("a record that was begun and never ended leaves nothing behind, in place or aside", () => {
  const pair = makePair();
  pair.writer.begin(8);
  pair.writer.begin(1000);
  write(pair.writer, recordOf(1, 4));
  pair.producer.publish();
  expect(readAll(pair)).toEqual([recordOf(1, 4)]);
});

it("flushing all says that no room is wanted any more", () => {
  const pair = makePair();
  for (let n = 0; n < 5; n++) write(pair.writer, recordOf(n, 8));
  pair.producer.publish();
  pair.producer.askForRoom(LISTENING);
  readAll(pair);
  expect(pair.writer.flush()).toBe(true);
  expect(pair.words[ROOM_ASK]).toBe(0);
});

it("many records that wait cost each its own bytes, not the length of the line", () => {
  const pair = makePair(1024);
  const count = 50_000;
  for (let n = 0; n < count; n++) write(pair.writer, recordOf(n, 4));
  let got = 0;
  while (got < count) {
    pair.producer.publish();
    for (const record of readAll(pair)) if (record[0] === ((got * 31) & 255)) got++;
    pair.writer.flush();
  }
  expect(pair.writer.waitingBytes).toBe(0);
});

describe("any records, any lengths, any turns", () => {
  const turn = fc.record({
    lengths: fc.array(fc.oneof(fc.nat(20), fc.nat(400)), { maxLength: 6 }),
    slack: fc.nat(30),
    reads: fc.boolean(),
  });
  it("arrive whole and in order", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(64, 128, 1024),
        fc.constantFrom(0, 2 ** 31 - 64, 2 ** 32 - 8),
        fc.array(turn, { maxLength: 40 }),
        (capacity, startAt, turns) => {
          const pair = makePair(capacity, startAt);
          const sent: Buffer[] = [];
          const got: Buffer[] = [];
          for (const { lengths, slack, reads } of turns) {
            for (const length of lengths) {
              const record = recordOf(sent.length, length);
              write(pair.writer, record, length + slack);
              sent.push(record);
            }
            pair.producer.publish();
            if (reads) got.push(...readAll(pair));
            expect(got).toEqual(sent.slice(0, got.length));
          }
          for (let guard = 0; got.length < sent.length; guard++) {
            expect(guard).toBeLessThan(100_000);
            pair.writer.flush();
            pair.producer.publish();
            got.push(...readAll(pair));
          }
          expect(got).toEqual(sent);
          expect(pair.writer.waitingBytes).toBe(0);
          expect(pair.producer.isDrained).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});
