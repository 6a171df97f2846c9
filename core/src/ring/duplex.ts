/**
 * Two rings and a bell between the Foreman and one Worker thread. A new one for every life of a thread: what a dead
 * thread left half-done in the old one can disturb nobody.
 *
 * The *outgoing* ring's frames go to the other side, the *incoming* ring's come from it. A port message carries nothing:
 * it says "look at your rings".
 */
import type { MessagePort } from "node:worker_threads";
import { AWAKE, createRingBuffer, LISTENING } from "./layout.js";
import { Consumer, Producer } from "./ring.js";

/** What is handed to the other thread. */
export interface DuplexMemory {
  /** Foreman → Worker. */
  readonly down: SharedArrayBuffer;
  /** Worker → Foreman. */
  readonly up: SharedArrayBuffer;
}

/** Makes the memory of both rings; capacities are powers of two, in bytes. */
export function createDuplexMemory(downBytes: number, upBytes: number): DuplexMemory {
  return { down: createRingBuffer(downBytes), up: createRingBuffer(upBytes) };
}

/** What rings the other side: a MessagePort, or parentPort. */
export type BellPort = Pick<MessagePort, "postMessage">;

/** One end of a duplex. */
export class Duplex {
  readonly producer: Producer;
  readonly consumer: Consumer;
  readonly #port: BellPort;
  /** How often the other side was rung: a figure. */
  rings = 0;

  constructor(side: "foreman" | "worker", memory: DuplexMemory, port: BellPort) {
    const isForeman = side === "foreman";
    this.producer = new Producer(isForeman ? memory.down : memory.up);
    this.consumer = new Consumer(isForeman ? memory.up : memory.down);
    this.#port = port;
  }

  /** Makes committed frames visible; rings if the other side waits for them in its event loop. */
  publish(): void {
    if (this.producer.publish()) this.ring();
  }

  /**
   * Gives back the room of frames taken; rings if the other side waits for room in its event loop.
   *
   * Errors: MR_RING_BROKEN when the outgoing ring is broken. It is told here, and not by whoever writes, so that one
   * place hears of both rings: where the incoming one is read. What came is read by then.
   */
  release(): void {
    if (this.consumer.release()) this.ring();
    this.producer.assertSound();
  }

  /** This end looks at its rings by itself: no bell is needed. */
  wake(): void {
    this.producer.askForRoom(AWAKE);
    this.consumer.ask(AWAKE);
  }

  /**
   * This end goes back to its event loop and wants to be rung, once. False: there is something to do already, look first.
   *
   * With `wantsRoom` it is also rung when room is given back, and room for what was refused last counts as something
   * to do. Publish and release before: the other side may sleep, too.
   */
  listen(wantsRoom = false): boolean {
    this.producer.askForRoom(wantsRoom ? LISTENING : AWAKE);
    this.consumer.ask(LISTENING);
    // Said first, looked at then: what comes in between either is seen here or rings.
    const hasRoom = wantsRoom && this.producer.hasRoom;
    if (this.consumer.isEmpty && !hasRoom && !this.producer.isBroken) return true;
    this.wake();
    return false;
  }

  /** Rings the other side, whatever it does. */
  ring(): void {
    this.rings++;
    this.#port.postMessage(null);
  }
}
