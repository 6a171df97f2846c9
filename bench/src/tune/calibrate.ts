/**
 * What the simulator takes from this machine: what an Operation costs beside its work, how long a record takes to a
 * Worker thread and back, how long a thread takes to start, and how true a millisecond of computing is.
 *
 * Where times are wall times the least disturbed tenth of the measurements counts: what others do here meanwhile is no
 * property of a Foreman.
 */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { App } from "@millrace/core";
import { Consumer, createRingBuffer, Producer, waitForFrame } from "@millrace/core/internal";

/** Measured here, rounded to two digits: a run can be repeated with the figures it printed. */
export interface Calibration {
  /** Processor time of a whole life of a no-op Operation in a `memory:` App, in ms. */
  readonly operationMs: number;
  /** A record to a Worker thread and one back, through rings, in ms. */
  readonly roundTripMs: number;
  /** From asking for a thread to its first sign of life, in ms. */
  readonly threadStartMs: number;
  /** Wall time of a spin that was to take 5 ms on a core, over 5 ms; near 1, or the other figures are doubtful. */
  readonly spinRatio: number;
}

/** What the two threads of a round trip share. */
export interface EchoStart {
  readonly down: SharedArrayBuffer;
  readonly up: SharedArrayBuffer;
  readonly count: number;
}

const OPERATIONS = 20_000;
const ROUND_TRIPS = 5_000;
const STARTS = 9;
const SPINS = 40;
const SPIN_MS = 5;
const RING_BYTES = 65_536;
const FRAME_BYTES = 64;

/** Measures; takes about two seconds. */
export async function calibrate(): Promise<Calibration> {
  return {
    operationMs: twoDigits(await measureOperation()),
    roundTripMs: twoDigits(await measureRoundTrip()),
    threadStartMs: twoDigits(await measureThreadStart()),
    spinRatio: twoDigits(measureSpin()),
  };
}

async function measureOperation(): Promise<number> {
  await using app = new App({ id: "tune", store: "memory:", nodeId: "tune" });
  const noop = app.step("noop", async (n: number) => n);
  await app.start();
  const run = async () => {
    const { handles } = await app.enqueueMany(
      noop,
      Array.from({ length: OPERATIONS }, (_, i) => i),
    );
    const last = handles.at(-1);
    if (last === undefined || last instanceof Error) throw new Error("nothing was enqueued");
    await last.result();
  };
  await run(); // warms up
  const before = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000 / OPERATIONS;
}

async function measureRoundTrip(): Promise<number> {
  const start: EchoStart = {
    down: createRingBuffer(RING_BYTES),
    up: createRingBuffer(RING_BYTES),
    count: 2 * ROUND_TRIPS,
  };
  const worker = new Worker(new URL("./echo-thread.js", import.meta.url), { workerData: start });
  await once(worker, "online");
  const producer = new Producer(start.down);
  const consumer = new Consumer(start.up);
  const times: number[] = [];
  for (let n = 0; n < start.count; n++) {
    const sentMs = performance.now();
    if (producer.reserve(FRAME_BYTES) < 0) throw new Error("the ring is full");
    producer.commit(FRAME_BYTES);
    producer.publish();
    while (consumer.next() < 0) {
      if (waitForFrame(consumer, start.up, 5_000) === "time") throw new Error("no echo within 5 s");
    }
    consumer.release();
    if (n >= ROUND_TRIPS) times.push(performance.now() - sentMs);
  }
  await worker.terminate();
  return leastDisturbed(times);
}

async function measureThreadStart(): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < STARTS; n++) {
    const askedMs = performance.now();
    const worker = new Worker(new URL("./echo-thread.js", import.meta.url), { workerData: null });
    await once(worker, "message");
    times.push(performance.now() - askedMs);
    await worker.terminate();
  }
  return leastDisturbed(times);
}

function measureSpin(): number {
  const ratios = Array.from({ length: SPINS }, () => {
    const before = process.cpuUsage();
    const beganMs = performance.now();
    let computedMs = 0;
    while (computedMs < SPIN_MS) {
      for (let i = 0; i < 1_000; i++) Math.sqrt(i);
      const { user, system } = process.cpuUsage(before);
      computedMs = (user + system) / 1_000;
    }
    return (performance.now() - beganMs) / SPIN_MS;
  });
  return leastDisturbed(ratios);
}

function leastDisturbed(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 10)] ?? Number.NaN;
}

function twoDigits(value: number): number {
  return Number(value.toPrecision(2));
}
