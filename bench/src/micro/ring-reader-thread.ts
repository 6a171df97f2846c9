/** The reading thread: reads every word of every frame, and the time from the first measured frame to the last. */
import { parentPort, workerData } from "node:worker_threads";
import { Consumer, HEADER_BYTES, waitForFrame } from "@millrace/core/internal";
import { isFrame } from "./ring-frame.js";
import { ANSWER_EVERY, type ReaderReport, type ReaderStart, RING_BATCH, type RingSpec } from "./ring-way.js";

const { spec, buffer } = workerData as ReaderStart; // ring-pair.ts gives exactly this
if (parentPort === null) throw new Error("this is a thread's program");
const port = parentPort;

/** Counts frames and takes the time. */
class Count {
  n = 0;
  wrong = 0;
  #from: { readonly ns: bigint; readonly cpu: NodeJS.CpuUsage } | null = null;
  readonly #spec: RingSpec;
  readonly #words: number;

  constructor(of: RingSpec) {
    this.#spec = of;
    this.#words = of.bytes / 4;
  }

  take(words: Int32Array, at: number): void {
    if (!isFrame(words, at, this.#words, this.n)) this.wrong++;
    if (this.n++ === this.#spec.warmUp) this.#from = { ns: process.hrtime.bigint(), cpu: process.cpuUsage() };
  }

  get isOver(): boolean {
    return this.n >= this.#spec.warmUp + this.#spec.frames;
  }

  report(waits: number, rescued: number): ReaderReport {
    const ns = process.hrtime.bigint();
    const { user, system } = process.cpuUsage(this.#from?.cpu);
    const seconds = Number(ns - (this.#from?.ns ?? ns)) / 1e9;
    return { seconds, cpuSeconds: (user + system) / 1e6, wrong: this.wrong, waits, rescued };
  }
}

if (buffer === null) readMessages();
else port.postMessage(readRing(buffer));

function readRing(memory: SharedArrayBuffer): ReaderReport {
  const consumer = new Consumer(memory);
  const words = new Int32Array(memory, HEADER_BYTES);
  const count = new Count(spec);
  let waits = 0;
  let rescued = 0;
  let held = 0;
  while (!count.isOver) {
    if (consumer.next() < 0) {
      consumer.release();
      held = 0;
      waits++;
      if (waitForFrame(consumer, memory, 1000) === "rescued") rescued++;
      continue;
    }
    count.take(words, consumer.offset >> 2);
    if (++held < RING_BATCH) continue;
    consumer.release();
    held = 0;
  }
  consumer.release();
  return count.report(waits, rescued);
}

function readMessages(): void {
  const count = new Count(spec);
  let messages = 0;
  port.on("message", (bytes: Uint8Array) => {
    messages++;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let at = 0; at < words.length; at += spec.bytes / 4) count.take(words, at);
    if (count.isOver) port.postMessage(count.report(messages, 0));
    else if (count.n % ANSWER_EVERY === 0) port.postMessage(null);
  });
}
