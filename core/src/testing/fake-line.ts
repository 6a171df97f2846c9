/**
 * A Worker played by the test: takes the Foreman's records as its thread would, begins, ends and dies when it is told.
 */
import type { Line, LineEnd, LineEvents, RecordSink, SeatBook, Vitals } from "../foreman/line.js";
import type { Manifest } from "../worker/manifest.js";
import {
  ABORT,
  ABORT_CODES,
  COMPLETED,
  COMPLETED_AT,
  FAILED,
  FAILED_AT,
  RELEASED,
  RUN,
  RUN_AT,
  SLOTS,
  STOP,
} from "../worker/protocol.js";
import { BEGUN_SEAT, FREE, GIVEN, TAKEN_BACK } from "../worker/seats.js";

/** An Operation the Worker was given. */
export interface FakeRun {
  readonly seat: number;
  readonly counter: number;
  readonly token: number;
  readonly body: Buffer;
}

/** A line without a thread. */
export class FakeLine implements Line {
  readonly id: string;
  isFull = false;
  readonly rings = 0;
  readonly fulls = 0;
  /** Given and not looked at yet: what would lie in the ring. */
  readonly waiting: FakeRun[] = [];
  /** Begun and not ended, by counter. */
  readonly running = new Map<number, FakeRun>();
  /** Told to end: counter and kind. */
  readonly aborts: string[] = [];
  /** Slots it was told of last; null for none. */
  slots: number | null = null;
  isStopped = false;
  isKilled = false;
  isOver = false;
  /** What it shows as its stack. */
  stack: string | null = null;
  current = -1;
  beats = 0;
  heapKb = 0;
  isDirty = false;
  /** Exits by itself when it is killed. */
  diesWhenKilled = true;
  readonly #events: LineEvents;
  readonly #states: number[] = [];
  #begun = 0;
  #down: Buffer[] = [];
  #up: Buffer[] = [];
  #target: Buffer = Buffer.alloc(0);

  constructor(id: string, events: LineEvents) {
    this.id = id;
    this.#events = events;
    const target = () => this.#target;
    this.sink = {
      get target() {
        return target();
      },
      begin: (bytes) => {
        this.#target = Buffer.alloc(bytes);
        return 0;
      },
      end: (bytes) => void this.#down.push(this.#target.subarray(0, bytes)),
    };
  }

  readonly sink: RecordSink;
  readonly seats: SeatBook = {
    count: 1_024,
    give: (seat) => {
      if ((this.#states[seat] ?? FREE) !== FREE) throw new Error(`seat ${seat} was given twice`);
      this.#states[seat] = GIVEN;
    },
    free: (seat) => {
      this.#states[seat] = FREE;
    },
    takeBack: (seat) => {
      if (this.#states[seat] !== GIVEN) return false;
      this.#states[seat] = TAKEN_BACK;
      return true;
    },
    stateOf: (seat) => this.#states[seat] ?? FREE,
  };

  publish(): void {
    const records = this.#down;
    this.#down = [];
    for (const record of records) this.#read(record);
  }

  drain(take: (source: Buffer, offset: number, length: number) => void): void {
    const records = this.#up;
    this.#up = [];
    for (const record of records) take(record, 0, record.length);
  }

  vitals(): Vitals {
    const { beats, current, heapKb, isDirty } = this;
    return { beats, current, begun: this.#begun, heapKb, isDirty };
  }

  busyMs(): null {
    return null;
  }

  captureStack(): Promise<string | null> {
    return Promise.resolve(this.stack);
  }

  kill(): void {
    this.isKilled = true;
    if (this.diesWhenKilled) queueMicrotask(() => this.exit({ code: 1 }));
  }

  /** Reports that it is ready. */
  ready(): void {
    const manifest: Manifest = { app: { id: "x", options: {} }, steps: [] };
    this.#events.ready(manifest);
  }

  /** Reports that it cannot run the module. */
  failed(message: string): void {
    this.#events.failed({ name: "Error", code: "MR_MODULE_FAILED", message });
  }

  /** Shows that its loop turns. */
  beat(): void {
    this.beats++;
  }

  /** Begins the oldest Operation it was given; passes over what was taken back. Returns its counter, or null. */
  begin(): number | null {
    for (let run = this.waiting.shift(); run !== undefined; run = this.waiting.shift()) {
      if (this.#states[run.seat] !== GIVEN) {
        this.#states[run.seat] = FREE;
        continue;
      }
      this.#states[run.seat] = BEGUN_SEAT;
      this.#begun++;
      this.running.set(run.counter, run);
      return run.counter;
    }
    return null;
  }

  /** Begins all it was given. */
  beginAll(): number[] {
    const begun: number[] = [];
    for (let counter = this.begin(); counter !== null; counter = this.begin()) begun.push(counter);
    return begun;
  }

  /** Ends an Operation with a result. */
  complete(counter: number): void {
    this.#end(counter, COMPLETED, COMPLETED_AT, null);
  }

  /** Ends an Operation with an error. */
  fail(counter: number, retryInMs: number | null): void {
    this.#end(counter, FAILED, FAILED_AT, retryInMs);
  }

  /** Gives an Operation back. */
  release(counter: number, delayMs: number | null): void {
    this.#end(counter, RELEASED, FAILED_AT, delayMs);
  }

  /** Says whose handler is being called. */
  call(counter: number): void {
    this.current = this.running.get(counter)?.seat ?? -1;
  }

  /** The thread or process is gone. */
  exit(end: Partial<LineEnd> = {}): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#events.exited({ code: 0, signal: null, error: null, ...end });
  }

  #end(counter: number, kind: number, bytes: number, ms: number | null): void {
    const run = this.running.get(counter);
    if (run === undefined) throw new Error(`${counter} does not run in ${this.id}`);
    this.running.delete(counter);
    const record = Buffer.alloc(bytes);
    record[0] = kind;
    record.writeInt32LE(run.seat, 4);
    if (bytes > 8) record.writeDoubleLE(ms ?? Number.NaN, 8);
    this.#up.push(record);
    this.#events.rung();
  }

  #read(record: Buffer): void {
    const number = record.readInt32LE(4);
    switch (record[0]) {
      case RUN: {
        const [token, counter] = [record.readDoubleLE(8), record.readDoubleLE(16)];
        this.waiting.push({ seat: number, token, counter, body: record.subarray(RUN_AT) });
        return;
      }
      case ABORT: {
        const run = [...this.running.values()].find(({ seat }) => seat === number);
        this.aborts.push(`${run?.counter} ${ABORT_CODES[record[1] ?? 0]}`);
        return;
      }
      case SLOTS:
        this.slots = number;
        return;
      case STOP:
        this.isStopped = true;
    }
  }
}
