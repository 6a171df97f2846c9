/**
 * Two real threads at one ring: every frame arrives once, whole, in order, and nobody oversleeps. The seed of a run is
 * in the test's name; MILLRACE_SEED repeats it.
 */
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { makeDoor } from "./door.js";
import { newTorture, type PairOptions, runPair } from "./pair.js";

const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
const long = process.env.MILLRACE_LONG === "1" ? 20 : 1;
const door = makeDoor();
afterAll(() => door.remove());

const runs: readonly (Omit<PairOptions, "seed"> & { readonly name: string })[] = [
  { name: "four frames of 8 bytes, one at a time", capacity: 64, lengthMax: 8, batchMax: 1, frames: 50_000 },
  { name: "64 bytes, below 2^31", capacity: 64, startAt: 2 ** 31 - 64, frames: 60_000 },
  { name: "64 bytes, below 2^32", capacity: 64, startAt: 2 ** 32 - 64, frames: 60_000 },
  { name: "256 bytes, below 2^31", capacity: 256, startAt: 2 ** 31 - 4096, frames: 200_000 },
  { name: "1 KiB, below 2^32", capacity: 1024, startAt: 2 ** 32 - 8, frames: 500_000 },
  { name: "4 KiB, waits of 1 ms at most", capacity: 4096, lengthMax: 100, waitMs: 1, frames: 500_000 },
  { name: "16 KiB, long frames", capacity: 16_384, startAt: 2 ** 31 - 8, frames: 20_000 },
  { name: "64 KiB, short frames", capacity: 65_536, lengthMax: 64, batchMax: 64, frames: 2_000_000 },
  { name: "64 KiB, long frames, below 2^32", capacity: 65_536, startAt: 2 ** 32 - 1024, frames: 5000 },
];

describe(`two threads at one ring (seed ${seed})`, () => {
  it.each(runs)("$name: $frames frames", { timeout: 60_000 * long }, async ({ name: _, ...options }) => {
    const told = newTorture({ ...options, frames: options.frames * long, seed });
    const { producer, consumer } = await runPair(door.url, told, 60_000 * long);
    expect({ producer, consumer }).toMatchObject({
      producer: { frames: told.frames, rescued: 0, trouble: null },
      consumer: { frames: told.frames, rescued: 0, trouble: null },
    });
    // A run in which nobody ever waited would show nothing of waiting.
    expect(consumer.waits).toBeGreaterThan(0);
    expect(producer.waits).toBeGreaterThan(0);
  });

  it("being woken for nothing, again and again, makes nobody miss anything", { timeout: 60_000 }, async (context) => {
    const told = newTorture({ capacity: 64, lengthMax: 8, batchMax: 1, waitMs: 1, frames: 30_000, seed });
    const workerData = { door: door.url, buffer: told.buffer };
    const storm = new Worker(new URL("../dist/ring/storm-thread.js", import.meta.url), { workerData });
    try {
      const { producer, consumer } = await runPair(door.url, told, 60_000);
      await context.annotate(`woken for nothing: ${producer.early} and ${consumer.early} times`);
      expect(consumer).toMatchObject({ frames: told.frames, rescued: 0, trouble: null });
      expect(producer).toMatchObject({ frames: told.frames, rescued: 0, trouble: null });
      expect(producer.early + consumer.early).toBeGreaterThan(0);
    } finally {
      await storm.terminate();
    }
  });
});
