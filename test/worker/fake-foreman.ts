/**
 * The Foreman's end of a Worker thread, as small as the contract allows: it writes the records that go down by hand,
 * keeps what comes up, and holds a call desk if a test gives it services. Record numbers are spelt out on purpose: the
 * Worker must speak the protocol, not share our constants.
 */
import { Worker } from "node:worker_threads";
import {
  type Asker,
  CallDesk,
  createDuplexMemory,
  createSeatsBuffer,
  type DeskServices,
  Duplex,
  decode,
  decodeOutcome,
  encode,
  encodeEnvelope,
  FrameReader,
  FrameWriter,
  type Manifest,
  Seats,
  THREAD_ENTRY,
  type ThreadMessage,
  type WorkerBoot,
} from "@millrace/core/internal";
import { poll, within } from "../helper/wait.js";

/** An Operation's end, or a progress note. */
export interface Reported {
  readonly kind: "completed" | "failed" | "released" | "progress";
  readonly seat: number;
  readonly counter: number;
  /** Result, error record or note. */
  readonly value: unknown;
  readonly abort: number;
  /** Retry or delay in ms; NaN for none. */
  readonly ms: number;
}

/** How the thread is started. */
export interface FakeForemanOptions {
  readonly kind?: "async" | "blocking";
  readonly slots?: number;
  readonly ringBytes?: number;
  readonly exportName?: string;
  readonly appId?: string | null;
  readonly services?: DeskServices;
  readonly isScout?: boolean;
}

const KINDS = [undefined, "completed", "failed", "released", "progress"] as const;
const SEATS = 1_024;

/** File URL of a module of test/worker/modules, as built. */
export function moduleUrl(name: string): string {
  return new URL(`../dist/worker/modules/${name}.js`, import.meta.url).href;
}

/** One Worker thread and what is known of it. */
export class FakeForeman implements Asker, AsyncDisposable {
  readonly seats: Seats;
  readonly reported: Reported[] = [];
  readonly log: Extract<ThreadMessage, { type: "log" }>[] = [];
  readonly ready: Promise<Manifest>;
  /** Exit code. */
  readonly exited: Promise<number>;
  readonly thread: Worker;
  readonly desk: CallDesk | null;
  readonly #duplex: Duplex;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #free = Array.from({ length: SEATS }, (_, i) => SEATS - 1 - i);
  #passing: number[] = [];
  /** Whether it leaves its rings alone. */
  #isAway = false;
  readonly #counters = new Map<number, number>();

  constructor(module: string, options: FakeForemanOptions = {}) {
    const { kind = "async", slots = 8, ringBytes = 2 ** 18, exportName = null, appId = "test" } = options;
    const memory = createDuplexMemory(ringBytes, ringBytes);
    const seats = createSeatsBuffer(SEATS);
    this.seats = new Seats(seats, SEATS);
    const workerData: WorkerBoot = {
      module: moduleUrl(module),
      exportName,
      id: "async-1",
      kind,
      slots,
      memory: options.isScout === true ? null : memory,
      seats,
      seatCount: SEATS,
      options: {
        appId,
        nodeId: "node",
        durability: { level: "fsync", isChecked: true, best: "fsync", replicates: true },
        isDebug: false,
      },
    };
    this.desk = options.services === undefined ? null : new CallDesk(options.services);
    this.thread = new Worker(THREAD_ENTRY, { workerData });
    this.#duplex = new Duplex("foreman", memory, this.thread);
    this.#writer = new FrameWriter(this.#duplex.producer);
    this.#reader = new FrameReader(this.#duplex.consumer);
    this.ready = new Promise((resolve, reject) => {
      this.thread.on("message", (message: ThreadMessage) => {
        if (message === null) this.#drain();
        else if (message.type === "ready") resolve(message.manifest);
        else if (message.type === "failed") reject(Object.assign(new Error(message.error.message), message.error));
        else this.log.push(message);
      });
    });
    this.ready.catch(() => undefined);
    this.exited = new Promise((resolve) => {
      this.thread.once("exit", (code) => {
        this.#drain();
        resolve(code);
      });
    });
    this.thread.on("error", () => undefined);
    this.#text(0, "node");
    this.#text(1, "incarnation.01");
    this.#listen();
  }

  /** Gives an Operation; `publish` sends it. Returns its seat. */
  give(
    step: string,
    input: unknown,
    counter = 1,
    overrides: { timeoutMs?: number; retries?: number } | null = null,
  ): number {
    const seat = this.#free.pop() ?? this.#passed();
    if (seat === undefined) throw new Error("no seat is free");
    this.#counters.set(seat, counter);
    const body = encodeEnvelope(step, Date.now(), overrides === null ? null : encode(overrides), input);
    this.seats.give(seat);
    this.#write(40 + body.length, (target, at) => {
      target[at] = 2;
      target.writeInt32LE(seat, at + 4);
      target.writeDoubleLE(77, at + 8);
      target.writeDoubleLE(counter, at + 16);
      target.writeInt32LE(1, at + 24);
      target.writeInt32LE(0, at + 28);
      target.writeInt32LE(0, at + 32);
      target.writeInt32LE(1, at + 36);
      target.set(body, at + 40);
    });
    return seat;
  }

  /** Takes back what has not begun; its seat is free again once the Worker has passed over it. */
  takeBack(seat: number): boolean {
    const isTaken = this.seats.takeBack(seat);
    if (isTaken) this.#passing.push(seat);
    return isTaken;
  }

  abort(seat: number, kind: 1 | 2 | 3 | 4): void {
    this.#short(3, kind, seat);
  }

  setSlots(slots: number): void {
    this.#short(5, 0, slots);
  }

  stop(): void {
    this.#short(6, 0, 0);
  }

  publish(): void {
    this.#writer.flush();
    this.#duplex.publish();
    if (this.#writer.waitingBytes > 0) this.#listen();
  }

  answer(how: number, request: number, value: Uint8Array): void {
    this.#write(8 + value.length, (target, at) => {
      target[at] = 4;
      target[at + 1] = how;
      target.writeInt32LE(request, at + 4);
      target.set(value, at + 8);
    });
  }

  /** Runs one Operation to its end. */
  async run(step: string, input: unknown, deadlineMs?: number): Promise<Reported> {
    const seat = this.give(step, input);
    this.publish();
    return await this.end(seat, deadlineMs);
  }

  /** Waits for the end of what sits in a seat. */
  async end(seat: number, deadlineMs?: number): Promise<Reported> {
    const find = () => this.reported.find((one) => one.seat === seat && one.kind !== "progress") ?? null;
    return await poll(find, `the end of seat ${seat}`, deadlineMs);
  }

  /** Waits until so many outcomes came. */
  async outcomes(count: number, deadlineMs?: number): Promise<readonly Reported[]> {
    const ended = () => this.reported.filter((one) => one.kind !== "progress");
    return await poll(() => (ended().length >= count ? ended() : null), `${count} outcomes`, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.thread.terminate();
    await within(this.exited, "the end of the thread");
  }

  /** Reads nothing and hears no bell until `comeBack`. */
  goAway(): void {
    this.#isAway = true;
  }

  comeBack(): void {
    this.#isAway = false;
    this.#drain();
  }

  #drain(): void {
    if (this.#isAway) return;
    this.#duplex.wake();
    for (let length = this.#reader.next(); length >= 0; length = this.#reader.next()) {
      this.#take(this.#reader.source, this.#reader.offset, length);
    }
    this.#duplex.release();
    this.publish();
    this.#listen();
  }

  #take(source: Buffer, offset: number, length: number): void {
    const kind = KINDS[source[offset] ?? 0];
    if (kind === undefined) return this.desk?.take(this, source, offset, length);
    const seat = source.readInt32LE(offset + 4);
    const valueAt = kind === "completed" || kind === "progress" ? 8 : 16;
    const bytes = Buffer.from(source.subarray(offset + valueAt, offset + length));
    const payload = kind === "progress" ? bytes : kind === "released" ? null : decodeOutcome(bytes).value;
    this.reported.push({
      kind,
      seat,
      counter: this.#counters.get(seat) ?? -1,
      value: payload === null ? null : decode(payload),
      abort: source[offset + 1] ?? 0,
      ms: valueAt === 16 ? source.readDoubleLE(offset + 8) : Number.NaN,
    });
    if (kind === "progress") return;
    this.seats.free(seat);
    this.#free.unshift(seat);
  }

  /** A seat whose taken-back record the Worker has passed over. */
  #passed(): number | undefined {
    const seat = this.#passing.find((one) => this.seats.stateOf(one) === 0);
    this.#passing = this.#passing.filter((one) => one !== seat);
    return seat;
  }

  #listen(): void {
    if (!this.#duplex.listen(this.#writer.waitingBytes > 0)) setImmediate(() => this.#drain());
  }

  #text(id: number, text: string): void {
    this.#write(8 + text.length, (target, at) => {
      target[at] = 1;
      target.writeInt32LE(id, at + 4);
      target.write(text, at + 8, "latin1");
    });
  }

  #short(kind: number, small: number, value: number): void {
    this.#write(8, (target, at) => {
      target[at] = kind;
      target[at + 1] = small;
      target.writeInt32LE(value, at + 4);
    });
    this.publish();
  }

  #write(bytes: number, fill: (target: Buffer, at: number) => void): void {
    const at = this.#writer.begin(bytes);
    fill(this.#writer.target, at);
    this.#writer.end(bytes);
  }
}
