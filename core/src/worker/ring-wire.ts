/**
 * The wire of a Worker thread: records straight into the memory of the up ring, published once a tick.
 *
 * Waiting for room blocks the thread for a while: a producer that ran on would only pile up more. The Foreman never
 * blocks, so it does read on; should it take long nevertheless, the event loop gets its turn in between.
 */
import type { Clock } from "../base/clock.js";
import { afterTick } from "../base/tick.js";
import type { Duplex, DuplexMemory } from "../ring/duplex.js";
import { FrameWriter } from "../ring/frame.js";
import { waitForRoom } from "../ring/wait.js";
import { PHASE_FULL, PHASE_TURNING } from "./seats.js";
import type { Vitals } from "./vitals.js";
import type { Wire } from "./wire.js";

/** What is ready leaves after so long even if the tick goes on. */
const PUBLISH_MS = 0.5;
/** How long the thread blocks for room before its event loop has a turn. */
const BLOCK_MS = 200;
/** Longest wait without a sign of life. */
const SLICE_MS = 20;

/** What a ring wire needs. */
export interface RingWireOptions {
  readonly duplex: Duplex;
  readonly memory: DuplexMemory;
  readonly vitals: Vitals;
  readonly clock: Clock;
  /** Publish every record at once: what comes next may block the thread for long. */
  readonly isEager: boolean;
}

/** Writes records into the up ring. */
export class RingWire implements Wire {
  target: Buffer;
  readonly #options: RingWireOptions;
  readonly #writer: FrameWriter;
  #publishedMs = 0;
  #isPlanned = false;

  constructor(options: RingWireOptions) {
    this.#options = options;
    this.#writer = new FrameWriter(options.duplex.producer);
    this.target = this.#writer.target;
  }

  begin(bytes: number): number {
    const at = this.#writer.begin(bytes);
    this.target = this.#writer.target;
    return at;
  }

  end(bytes: number): void {
    this.#writer.end(bytes);
    if (!this.#isPlanned) {
      this.#isPlanned = true;
      afterTick(this.#flushPlanned);
    }
    const { isEager, clock } = this.#options;
    if (isEager) return this.publish();
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#publishedMs <= PUBLISH_MS) return;
    this.#publishedMs = nowMs;
    this.publish();
  }

  /** A turn begins: what it brings leaves at its end. */
  turned(nowMs: number): void {
    this.#publishedMs = nowMs;
  }

  /** Makes visible what is in the ring. */
  publish(): void {
    this.#options.duplex.publish();
  }

  /** Whether records wait for room. */
  get isWaiting(): boolean {
    return this.#writer.waitingBytes > 0;
  }

  /** Makes all visible; if there is no room for it, blocks until there is, but not for longer than `blockMs`. */
  flush(blockMs = BLOCK_MS): void {
    const { duplex, memory, vitals, clock } = this.#options;
    this.#writer.flush();
    duplex.publish();
    if (!this.isWaiting) return;
    const untilMs = clock.monotonicMs() + blockMs;
    vitals.phase(PHASE_FULL);
    while (!this.#writer.flush() && clock.monotonicMs() < untilMs) {
      duplex.publish();
      const end = waitForRoom(duplex.producer, memory.up, this.#writer.nextBytes, SLICE_MS);
      vitals.beat();
      if (end === "rescued") vitals.rescued();
    }
    duplex.publish();
    vitals.phase(PHASE_TURNING);
    if (!this.isWaiting || this.#isPlanned) return;
    this.#isPlanned = true;
    clock.immediate(this.#flushPlanned);
  }

  readonly #flushPlanned = (): void => {
    this.#isPlanned = false;
    this.flush();
  };
}
