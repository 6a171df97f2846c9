/** One measurement of the bench `ring`: this thread writes, another reads. */
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { createRingBuffer, HEADER_BYTES, Producer, waitForRoom } from "@millrace/core/internal";
import { writeFrame } from "./ring-frame.js";
import {
  ANSWER_EVERY,
  CAPACITY,
  MESSAGE_BATCH,
  MESSAGE_WINDOW,
  type ReaderReport,
  type ReaderStart,
  RING_BATCH,
  type RingFigures,
  type RingSpec,
} from "./ring-way.js";

/** Measures one way for one size. */
export async function measurePair(spec: RingSpec): Promise<RingFigures> {
  const buffer = spec.way.startsWith("ring") ? createRingBuffer(CAPACITY) : null;
  const workerData: ReaderStart = { spec, buffer };
  const reader = new Worker(new URL("./ring-reader-thread.js", import.meta.url), { workerData });
  await once(reader, "online");
  const reported = new Promise<ReaderReport>((resolve, reject) => {
    reader.on("error", reject);
    reader.on("message", (report: ReaderReport | null) => report !== null && resolve(report));
  });
  const written = buffer === null ? await writeMessages(reader, spec) : writeRing(buffer, spec);
  const report = await reported;
  await reader.terminate();
  return { ...report, ...written };
}

interface Written {
  readonly fulls: number;
  readonly writerRescued: number;
}

function writeRing(buffer: SharedArrayBuffer, { way, bytes, warmUp, frames }: RingSpec): Written {
  const producer = new Producer(buffer);
  const words = new Int32Array(buffer, HEADER_BYTES);
  const batch = way === "ring-each" ? 1 : RING_BATCH;
  let fulls = 0;
  let writerRescued = 0;
  let left = batch;
  for (let n = 0; n < warmUp + frames; n++) {
    let at = producer.reserve(bytes);
    while (at < 0) {
      producer.publish();
      fulls++;
      if (waitForRoom(producer, buffer, bytes, 1000) === "rescued") writerRescued++;
      at = producer.reserve(bytes);
    }
    writeFrame(words, at >> 2, bytes / 4, n);
    producer.commit(bytes);
    if (--left > 0) continue;
    producer.publish();
    left = batch;
  }
  producer.publish();
  return { fulls, writerRescued };
}

/** The reader answers now and then; a sender with a full window waits for it, as one with a full ring for room. */
async function writeMessages(reader: Worker, { way, bytes, warmUp, frames }: RingSpec): Promise<Written> {
  const batch = way === "message-batch" ? MESSAGE_BATCH : 1;
  let underWay = 0;
  let fulls = 0;
  let resume = (): void => undefined;
  reader.on("message", () => {
    underWay -= ANSWER_EVERY;
    resume();
  });
  for (let n = 0; n < warmUp + frames; n += batch) {
    if (underWay + batch > MESSAGE_WINDOW) {
      fulls++;
      await new Promise<void>((resolve) => {
        resume = resolve;
      });
    }
    const message = new Uint8Array(bytes * batch);
    const words = new Int32Array(message.buffer);
    for (let k = 0; k < batch; k++) writeFrame(words, (k * bytes) / 4, bytes / 4, n + k);
    reader.postMessage(message);
    underWay += batch;
  }
  return { fulls, writerRescued: 0 };
}
