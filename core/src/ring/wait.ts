/**
 * Blocking waits at a ring, for Worker threads only: the one file with Atomics.wait. A thread may block only while
 * nothing asynchronous is in flight in it: it hears no timer and no socket meanwhile.
 *
 * Order is everything: read the word, say that one waits, look once more, then sleep on the word as it was read. Saying
 * it after looking loses the wake-up of a frame published in between.
 */
import { AWAKE, HEADER_BYTES, PARKED, ROOM, WAKE } from "./layout.js";
import type { Consumer, Producer } from "./ring.js";

/** What ended a wait. `rescued`: the time was over although something was there; each is a lost wake-up, and a bug. */
export type WaitEnd = "there" | "time" | "rescued";

/** Blocks until a frame can be taken, or for `timeoutMs`. */
export function waitForFrame(consumer: Consumer, buffer: SharedArrayBuffer, timeoutMs: number): WaitEnd {
  const words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  const seen = Atomics.load(words, WAKE);
  consumer.ask(PARKED);
  if (!consumer.isEmpty) {
    consumer.ask(AWAKE);
    return "there";
  }
  const end = Atomics.wait(words, WAKE, seen, timeoutMs);
  consumer.ask(AWAKE);
  if (consumer.isEmpty) return "time";
  return end === "timed-out" ? "rescued" : "there";
}

/** Blocks until `reserve(payloadBytes)` succeeds, or for `timeoutMs`. */
export function waitForRoom(
  producer: Producer,
  buffer: SharedArrayBuffer,
  payloadBytes: number,
  timeoutMs: number,
): WaitEnd {
  const words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  const seen = Atomics.load(words, ROOM);
  producer.askForRoom(PARKED);
  if (producer.reserve(payloadBytes) >= 0) {
    producer.askForRoom(AWAKE);
    return "there";
  }
  const end = Atomics.wait(words, ROOM, seen, timeoutMs);
  producer.askForRoom(AWAKE);
  if (producer.reserve(payloadBytes) < 0) return "time";
  return end === "timed-out" ? "rescued" : "there";
}
