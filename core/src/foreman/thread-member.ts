/**
 * The line to a Worker thread: two rings, a bell, seats, and the thread's life (elsewhere: thread handle).
 */
import { Worker } from "node:worker_threads";
import type { Clock } from "../base/clock.js";
import { createDuplexMemory, Duplex } from "../ring/duplex.js";
import { FrameReader, FrameWriter } from "../ring/frame.js";
import { asThreadMessage, THREAD_ENTRY, type WorkerBoot } from "../worker/boot.js";
import { ABANDONED, BEATS, BEGUN, CURRENT, createSeatsBuffer, HEAP_KB, Seats } from "../worker/seats.js";
import type { Line, LineEnd, LineEvents, RecordSink, Vitals } from "./line.js";
import { captureStack } from "./stack.js";

/** Bytes of each ring of a thread: a few thousand small Operations; larger records go in pieces. */
const RING_BYTES = 2 ** 20;
/** Records read before other things on this thread get their turn. */
const DRAIN_MAX = 4_096;

/** What a thread is started with. */
export interface ThreadLineOptions {
  readonly boot: Omit<WorkerBoot, "memory" | "seats" | "seatCount">;
  readonly seatCount: number;
  /** Largest heap, in MiB; a thread that needs more dies alone. */
  readonly maxHeapMb: number;
  readonly clock: Clock;
  readonly events: LineEvents;
}

/** The line to one Worker thread. */
export class ThreadLine implements Line {
  readonly seats: Seats;
  readonly sink: RecordSink;
  fulls = 0;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #duplex: Duplex;
  readonly #worker: Worker;
  readonly #clock: Clock;
  readonly #events: LineEvents;
  #error: unknown = null;
  #isOver = false;
  #isAgainPlanned = false;
  #elu: ReturnType<Worker["performance"]["eventLoopUtilization"]> | null = null;

  /** Starts the thread. */
  constructor(options: ThreadLineOptions) {
    const { boot, seatCount, maxHeapMb, clock, events } = options;
    this.#clock = clock;
    this.#events = events;
    const memory = createDuplexMemory(RING_BYTES, RING_BYTES);
    const seats = createSeatsBuffer(seatCount);
    this.seats = new Seats(seats, seatCount);
    const workerData: WorkerBoot = { ...boot, memory, seats, seatCount };
    // The thread inherits this process's flags; a debugger's among them bind no port and stop nothing in a thread.
    this.#worker = new Worker(THREAD_ENTRY, {
      workerData,
      name: boot.id,
      resourceLimits: { maxOldGenerationSizeMb: maxHeapMb },
    });
    this.#duplex = new Duplex("foreman", memory, this.#worker);
    this.#writer = new FrameWriter(this.#duplex.producer);
    this.#reader = new FrameReader(this.#duplex.consumer);
    this.sink = this.#writer;
    this.#worker.on("message", (message: unknown) => this.#hear(message));
    this.#worker.on("error", (error: unknown) => {
      this.#error = error;
    });
    this.#worker.once("exit", (code) => this.#ended({ code, signal: null, error: this.#error }));
    this.#listen();
  }

  get isFull(): boolean {
    return this.#writer.waitingBytes > 0;
  }

  get rings(): number {
    return this.#duplex.rings;
  }

  publish(): void {
    this.#writer.flush();
    this.#duplex.publish();
    // What waits for room leaves when the Worker rings to say that there is some.
    if (!this.isFull) return;
    this.fulls++;
    this.#listen();
  }

  drain(take: (source: Buffer, offset: number, length: number) => void): void {
    this.#duplex.wake();
    // After its exit there is no other turn: what it told last is read to the end.
    const max = this.#isOver ? Number.POSITIVE_INFINITY : DRAIN_MAX;
    let count = 0;
    for (; count < max; count++) {
      const length = this.#reader.next();
      if (length < 0) break;
      take(this.#reader.source, this.#reader.offset, length);
    }
    this.#duplex.release();
    this.#writer.flush();
    this.#duplex.publish();
    if (count === max) this.#again();
    else this.#listen();
  }

  vitals(): Vitals {
    const { seats } = this;
    return {
      beats: seats.read(BEATS),
      current: seats.read(CURRENT) - 1,
      begun: seats.read(BEGUN),
      heapKb: seats.read(HEAP_KB),
      isDirty: seats.read(ABANDONED) > 0,
    };
  }

  busyMs(): number | null {
    if (this.#isOver) return null;
    const now = this.#worker.performance.eventLoopUtilization();
    const { active } = this.#elu === null ? now : this.#worker.performance.eventLoopUtilization(now, this.#elu);
    this.#elu = now;
    return active;
  }

  captureStack(): Promise<string | null> {
    return this.#isOver ? Promise.resolve(null) : captureStack(this.#worker.threadId, this.#clock);
  }

  kill(): void {
    void this.#worker.terminate();
  }

  /** Goes back to the event loop until the Worker rings. */
  #listen(): void {
    if (!this.#isOver && !this.#duplex.listen(this.isFull)) this.#again();
  }

  #again(): void {
    if (this.#isAgainPlanned || this.#isOver) return;
    this.#isAgainPlanned = true;
    this.#clock.immediate(() => {
      this.#isAgainPlanned = false;
      if (!this.#isOver) this.#events.rung();
    });
  }

  #hear(told: unknown): void {
    const message = asThreadMessage(told);
    if (message === null) return this.#events.rung();
    switch (message?.type) {
      case "ready":
        return this.#events.ready(message.manifest);
      case "failed":
        return this.#events.failed(message.error);
      case "log":
        return this.#events.log(message);
    }
  }

  #ended(end: LineEnd): void {
    this.#isOver = true;
    this.#events.exited(end);
  }
}
