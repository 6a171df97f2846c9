/**
 * A thread is terminated at a random moment, mostly in the middle of writing: the other side sees a beginning of what
 * was written, whole frames only, and the ring's sums come out. Every life has a new ring.
 *
 * MILLRACE_LONG=1 kills 1,000 producers; MILLRACE_SEED repeats a run.
 */
import { HEAD, HEADER_BYTES, TAIL } from "@millrace/core/internal";
import { afterAll, describe, expect, it } from "vitest";
import { poll, within } from "../helper/wait.js";
import { makeDoor, type Ring } from "./door.js";
import { BEGUN, COMMITTED, DOING, PUBLISHING, READ, Reader, WAITING, WRITING } from "./end.js";
import { type EndThread, newTorture, startEnd } from "./pair.js";
import { keyOf, lengthOf, mix, writePayload } from "./pattern.js";

const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
const isLong = process.env.MILLRACE_LONG === "1";
const kills = { producers: isLong ? 1000 : 200, consumers: isLong ? 300 : 30 };
const capacities = [64, 1024, 16_384, 65_536];
const patienceMs = 30_000;

const door = makeDoor();
afterAll(() => door.remove());

/** A thread with an end of a new ring, of a size and with frames that follow from the seed. */
function startLife(end: "producer" | "consumer", life: number) {
  const chance = mix(end === "producer" ? seed : ~seed, life);
  const capacity = capacities[chance % capacities.length] ?? 64;
  const startAt = end === "producer" ? 2 ** 31 - 64 : 2 ** 32 - 64;
  const told = newTorture({ capacity, frames: 2 ** 30, seed: chance, startAt, batchMax: 4, linger: 3000 });
  return { chance, told, thread: startEnd({ door: door.url, end, told }) };
}

/** Works until something holds, with pauses for the threads that are to bring it about. */
async function workUntil(what: string, work: () => void, holds: () => boolean): Promise<void> {
  const seen = (): true | null => {
    work();
    return holds() ? true : null;
  };
  await poll(seen, what, patienceMs);
}

/** How a test meets the thread it is going to kill. */
interface Meeting {
  readonly work: () => void;
  /** Sleeps until the other side has done something, or a moment. */
  readonly wait: () => void;
  /** How much the other side has done. */
  readonly done: () => number;
  readonly isAtWork: () => boolean;
}

/**
 * Works until so much more is done and the other side is seen at work, and a moment longer; how much and how long
 * follow from `chance`.
 */
function workOn(chance: number, { work, wait, done, isAtWork }: Meeting): void {
  const goal = done() + ((chance >>> 8) & 31);
  const giveUpAt = performance.now() + patienceMs;
  for (work(); (done() < goal || !isAtWork()) && performance.now() < giveUpAt; work()) wait();
  const until = performance.now() + ((chance >>> 16) & 127) / 1000;
  while (performance.now() < until) work();
}

/** Terminates a thread, works on while it dies, and waits for its exit. */
async function kill({ worker }: EndThread, work: () => void): Promise<void> {
  const exit = worker.terminate();
  work();
  await within(exit, "the exit of a terminated thread", patienceMs);
}

describe(`threads that are terminated (seed ${seed})`, () => {
  it(`${kills.producers} producers: nothing torn, nothing invented, order kept`, {
    timeout: 600_000,
  }, async (context) => {
    const ring = (await import(door.url)) as Ring; // makeDoor writes exactly this
    const diedWhile = new Map<number, number>();
    let frames = 0;
    let next = startLife("producer", 0);
    for (let life = 0; life < kills.producers; life++) {
      const { chance, told, thread } = next;
      next = startLife("producer", life + 1); // while this one is at work: starting a thread takes longest
      const signals = new Int32Array(told.signals);
      const words = new Int32Array(told.buffer, 0, HEADER_BYTES / 4);
      const reader = new Reader(ring, told);
      const read = (): void => {
        for (let some = 1 + (chance & 7); some > 0 && reader.take(); some--);
        reader.consumer.release();
      };
      await workUntil("a producer's first frame", read, () => reader.frames > 0 || reader.trouble !== null);
      workOn(chance, {
        work: read,
        wait: () => void ring.waitForFrame(reader.consumer, told.buffer, 10),
        done: () => (reader.trouble === null ? reader.frames : Number.POSITIVE_INFINITY),
        isAtWork: () => Atomics.load(signals, DOING) !== WAITING,
      });
      await kill(thread, read);
      const doing = Atomics.load(signals, DOING);
      diedWhile.set(doing, (diedWhile.get(doing) ?? 0) + 1);

      while (reader.take());
      reader.consumer.release();
      expect(reader.trouble, `life ${life} (seed ${told.seed})`).toBeNull();
      expect(reader.consumer.isEmpty).toBe(true);
      expect(words[HEAD], "all room is given back").toBe(words[TAIL]);
      expect(reader.frames).toBeLessThanOrEqual(Atomics.load(signals, BEGUN));
      frames += reader.frames;
    }
    await next.thread.worker.terminate();
    const counts = [WRITING, COMMITTED, PUBLISHING, WAITING].map((doing) => diedWhile.get(doing) ?? 0);
    await context.annotate(
      `${frames} frames; died writing, after a commit, publishing, waiting for room: ${counts.join(", ")}`,
    );
    expect(counts[0], "some died in the middle of a frame").toBeGreaterThan(kills.producers / 20);
  });

  it(`${kills.consumers} consumers: what they gave back ends with a frame they read, the rest is still accounted for`, {
    timeout: 600_000,
  }, async () => {
    const ring = (await import(door.url)) as Ring; // makeDoor writes exactly this
    let next = startLife("consumer", 0);
    for (let life = 0; life < kills.consumers; life++) {
      const { chance, told, thread } = next;
      next = startLife("consumer", life + 1); // while this one is at work: starting a thread takes longest
      const signals = new Int32Array(told.signals);
      const words = new Int32Array(told.buffer, 0, HEADER_BYTES / 4);
      const frames = new Int32Array(told.buffer, HEADER_BYTES);
      const producer = new ring.Producer(told.buffer);
      // Where the ring stands after each frame.
      const standsAfter = [words[TAIL] ?? 0];
      const write = (): void => {
        for (let some = 1 + (chance & 7); some > 0; some--) {
          const n = standsAfter.length - 1;
          const length = lengthOf(told, n);
          const at = producer.reserve(length);
          if (at < 0) break;
          writePayload(producer.bytes, frames, at, length, keyOf(told, n));
          producer.commit(length);
          producer.publish();
          standsAfter.push(words[TAIL] ?? 0);
        }
      };
      await workUntil("a consumer's first frame", write, () => Atomics.load(signals, READ) > 0);
      workOn(chance, {
        work: write,
        wait: () => void ring.waitForRoom(producer, told.buffer, 8, 10),
        done: () => Atomics.load(signals, READ),
        isAtWork: () => true,
      });
      await kill(thread, write);
      write();

      const givenBack = standsAfter.indexOf(words[HEAD] ?? 0);
      const where = `life ${life} (seed ${told.seed})`;
      expect(givenBack, `${where}: HEAD is the end of a frame`).toBeGreaterThanOrEqual(0);
      expect(givenBack, where).toBeLessThanOrEqual(Atomics.load(signals, READ) + 1);
      expect(producer.fill, where).toBe(((standsAfter.at(-1) ?? 0) - (words[HEAD] ?? 0)) | 0);
      expect(producer.fill, where).toBeLessThanOrEqual(producer.capacity);
    }
    await next.thread.worker.terminate();
  });
});
