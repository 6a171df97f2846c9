/** The other side of a round trip: answers every record with one, until there were enough. */
import { parentPort, workerData } from "node:worker_threads";
import { Consumer, Producer, waitForFrame } from "@millrace/core/internal";
import type { EchoStart } from "./calibrate.js";

const start = workerData as EchoStart | null; // calibrate.ts gives exactly this
if (start === null) parentPort?.postMessage("there");
else echo(start);

function echo({ down, up, count }: EchoStart): void {
  const consumer = new Consumer(down);
  const producer = new Producer(up);
  for (let n = 0; n < count; n++) {
    let length = consumer.next();
    while (length < 0) {
      if (waitForFrame(consumer, down, 5_000) === "time") return;
      length = consumer.next();
    }
    consumer.release();
    if (producer.reserve(length) < 0) throw new Error("the ring is full");
    producer.commit(length);
    producer.publish();
  }
}
