/**
 * The line to a process Worker (elsewhere: child process pool): the same records as over rings, in lists over its IPC
 * channel. It runs one Operation at a time and may crash alone, whatever native code it loads.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { asProcessMessage, PROCESS_ENTRY, type ProcessBoot, type ProcessDownMessage } from "../worker/boot.js";
import { BEGUN_SEAT, FREE } from "../worker/seats.js";
import type { Line, LineEvents, RecordSink, SeatBook, Vitals } from "./line.js";

/** Flags a child must not inherit: it would wait for a debugger, or fight for its port. */
const INSPECTOR_FLAG = /^--inspect/;

/** What a process is started with. */
export interface ProcessLineOptions {
  readonly boot: ProcessBoot;
  /** Largest heap, in MiB. */
  readonly maxHeapMb: number;
  readonly events: LineEvents;
}

/** The line to one process Worker. */
export class ProcessLine implements Line {
  readonly seats: BegunSeats = new BegunSeats();
  readonly sink: RecordList = new RecordList();
  readonly isFull = false;
  rings = 0;
  readonly fulls = 0;
  readonly #child: ChildProcess;
  readonly #events: LineEvents;
  #came: Uint8Array[] = [];
  #beats = 0;
  #heapKb = 0;
  #isDirty = false;
  #isOver = false;

  /** Starts the process. */
  constructor(options: ProcessLineOptions) {
    const { boot, maxHeapMb, events } = options;
    this.#events = events;
    this.#child = fork(fileURLToPath(PROCESS_ENTRY), {
      serialization: "advanced",
      // A group of its own: what it starts ends with it, and a terminal's Ctrl-C is the Foreman's to answer.
      detached: true,
      execArgv: [...process.execArgv.filter((flag) => !INSPECTOR_FLAG.test(flag)), `--max-old-space-size=${maxHeapMb}`],
    });
    this.#child.on("message", (message: unknown) => this.#hear(message));
    this.#child.on("error", (error) => this.#ended(null, null, error));
    // Not `exit`: what it sent before is read first.
    this.#child.once("close", (code, signal) => this.#ended(code, signal, null));
    this.#send({ type: "boot", boot, parentPid: process.pid });
  }

  publish(): void {
    const records = this.sink.take();
    if (records.length === 0) return;
    this.rings++;
    this.#send({ type: "records", records });
  }

  drain(take: (source: Buffer, offset: number, length: number) => void): void {
    const records = this.#came;
    this.#came = [];
    for (const record of records) {
      const source = Buffer.from(record.buffer, record.byteOffset, record.byteLength);
      take(source, 0, source.length);
    }
  }

  vitals(): Vitals {
    const { begun, current } = this.seats;
    return { beats: this.#beats, current, begun, heapKb: this.#heapKb, isDirty: this.#isDirty };
  }

  busyMs(): null {
    return null;
  }

  captureStack(): Promise<null> {
    return Promise.resolve(null);
  }

  kill(): void {
    const { pid } = this.#child;
    if (this.#isOver || pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch {
      this.#child.kill("SIGKILL"); // no such group: it has not come so far, or is gone
    }
  }

  #send(message: ProcessDownMessage): void {
    // A channel that is closed means an exit that is about to be told.
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  #hear(told: unknown): void {
    const message = asProcessMessage(told);
    switch (message?.type) {
      case "ready":
        return this.#events.ready(message.manifest);
      case "failed":
        return this.#events.failed(message.error);
      case "log":
        return this.#events.log(message);
      case "beat":
        this.#beats = message.beats;
        this.#heapKb = message.heapKb;
        this.#isDirty = message.isDirty;
        return;
      case "records":
        this.#came.push(...message.records);
        return this.#events.rung();
    }
  }

  #ended(code: number | null, signal: string | null, error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#events.exited({ code, signal, error });
  }
}

/** The places in a process Worker, one but for batches: what was sent has begun. */
class BegunSeats implements SeatBook {
  readonly count = BATCH_MAX;
  begun = 0;
  readonly #taken = new Set<number>();

  /** The one that is called, if there is no other. */
  get current(): number {
    const [only] = this.#taken.size === 1 ? this.#taken : [];
    return only ?? -1;
  }

  give(seat: number): void {
    this.#taken.add(seat);
    this.begun++;
  }

  free(seat: number): void {
    this.#taken.delete(seat);
  }

  takeBack(): boolean {
    return false;
  }

  stateOf(seat: number): number {
    return this.#taken.has(seat) ? BEGUN_SEAT : FREE;
  }
}

/** Records that leave together. */
class RecordList implements RecordSink {
  target: Buffer = NO_BYTES;
  #records: Buffer[] = [];

  begin(bytes: number): number {
    this.target = Buffer.allocUnsafe(bytes);
    return 0;
  }

  end(bytes: number): void {
    this.#records.push(this.target.subarray(0, bytes));
  }

  take(): Buffer[] {
    const records = this.#records;
    this.#records = [];
    return records;
  }
}

const NO_BYTES = Buffer.alloc(0);
