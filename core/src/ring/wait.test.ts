/** What one thread can see of waiting; two threads meet in test/ring. */
import { expect, it } from "vitest";
import { ASK, AWAKE, createRingBuffer, HEAD, HEADER_BYTES, ROOM_ASK } from "./layout.js";
import { Consumer, Producer } from "./ring.js";
import { waitForFrame, waitForRoom } from "./wait.js";

function makeRing() {
  const buffer = createRingBuffer(64);
  return {
    buffer,
    producer: new Producer(buffer),
    consumer: new Consumer(buffer),
    words: new Int32Array(buffer, 0, HEADER_BYTES / 4),
  };
}

function put(producer: Producer): boolean {
  if (producer.reserve(8) < 0) return false;
  producer.commit(8);
  producer.publish();
  return true;
}

it("does not sleep when a frame is there, and gives up when none comes in time; either way it is awake after", () => {
  const { buffer, producer, consumer, words } = makeRing();
  expect(waitForFrame(consumer, buffer, 1)).toBe("time");
  expect(words[ASK]).toBe(AWAKE);
  put(producer);
  expect(waitForFrame(consumer, buffer, 60_000)).toBe("there");
  expect(words[ASK]).toBe(AWAKE);
});

it("does not sleep when there is room, and gives up when none comes in time; either way it is awake after", () => {
  const { buffer, producer, consumer, words } = makeRing();
  while (put(producer));
  expect(waitForRoom(producer, buffer, 8, 1)).toBe("time");
  expect(words[ROOM_ASK]).toBe(AWAKE);
  consumer.next();
  consumer.release();
  expect(waitForRoom(producer, buffer, 16, 1), "room for less is no room").toBe("time");
  expect(waitForRoom(producer, buffer, 8, 60_000)).toBe("there");
  expect(words[ROOM_ASK]).toBe(AWAKE);
});

it("finds no room in a broken ring, however long it waits", () => {
  const { buffer, producer, words } = makeRing();
  while (put(producer));
  words[HEAD] = 3;
  expect(waitForRoom(producer, buffer, 8, 1)).toBe("time");
  expect(producer.isBroken).toBe(true);
});
