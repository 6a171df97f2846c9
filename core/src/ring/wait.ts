/**
 * Blocking waits at a ring, for Worker threads only: the one file with Atomics.wait. A thread may block only while
 * nothing asynchronous is in flight in it: it hears no timer and no socket meanwhile.
 *
 * Order is everything: read the word, say that one waits, look once more, then sleep on the word as it was read. Reading
 * it after looking loses the wake-up of a frame published in between.
 */
import { AWAKE, BLOCKED, HEADER_BYTES, ROOM, WAKE } from "./layout.js";
import type { Consumer, Producer } from "./ring.js";

/**
 * What ended a wait. `there`: what was waited for. `early`: woken for nothing, or for less room than is needed; wait
 * again. `time`: the time is over. `rescued`: the time was over although something was there: a lost wake-up. A side
 * that dies between publishing and waking loses one; any other is a bug, so rescues are counted.
 */
export type WaitEnd = "there" | "early" | "time" | "rescued";

/** What comes as the time runs out is seen before its waking arrives: how long that may be on its way, in ms. */
const ON_ITS_WAY_MS = 100;

/** Blocks until a frame can be taken, or for `timeoutMs`. */
export function waitForFrame(consumer: Consumer, buffer: SharedArrayBuffer, timeoutMs: number): WaitEnd {
  return sleep(buffer, WAKE, timeoutMs, {
    say: (how) => consumer.ask(how),
    look: () => !consumer.isEmpty,
  });
}

/** Blocks until `reserve(payloadBytes)` succeeds, or for `timeoutMs`. Publish first: what nobody sees gives no room. */
export function waitForRoom(
  producer: Producer,
  buffer: SharedArrayBuffer,
  payloadBytes: number,
  timeoutMs: number,
): WaitEnd {
  return sleep(buffer, ROOM, timeoutMs, {
    say: (how) => producer.askForRoom(how),
    look: () => producer.reserve(payloadBytes) >= 0,
  });
}

interface Side {
  readonly say: (how: typeof AWAKE | typeof BLOCKED) => void;
  readonly look: () => boolean;
}

function sleep(
  buffer: SharedArrayBuffer,
  word: typeof WAKE | typeof ROOM,
  timeoutMs: number,
  { say, look }: Side,
): WaitEnd {
  const words = new Int32Array(buffer, 0, HEADER_BYTES / 4);
  const seen = Atomics.load(words, word);
  say(BLOCKED);
  try {
    if (look()) return "there";
    const isWoken = Atomics.wait(words, word, seen, timeoutMs) !== "timed-out";
    if (!look()) return isWoken ? "early" : "time";
    return isWoken || Atomics.wait(words, word, seen, ON_ITS_WAY_MS) !== "timed-out" ? "there" : "rescued";
  } finally {
    say(AWAKE);
  }
}
