/**
 * The turns of a Worker thread: ring → intake → Worker → ring.
 *
 * A turn takes every record there is, lets what they set off run, publishes the outcomes once and gives the room back.
 * Between turns the thread does one of two things:
 *
 * - *listening*: back in its event loop until the Foreman rings the port. Always right; a bell costs both sides
 *   several microseconds.
 * - *hot*: asleep at its ring, in slices of SLICE_MS between which the loop turns. Only for HOT_MS after the last work,
 *   and only while nothing in this thread could want the event loop: no Attempt, no call without an answer, and no
 *   socket, timer or request beyond those it had before the user's module was imported.
 */
import type { Clock } from "../base/clock.js";
import { afterTick } from "../base/tick.js";
import type { Duplex, DuplexMemory } from "../ring/duplex.js";
import { FrameReader } from "../ring/frame.js";
import { waitForFrame } from "../ring/wait.js";
import type { Intake } from "./intake.js";
import type { RingWire } from "./ring-wire.js";
import { PHASE_RESTING, PHASE_TURNING } from "./seats.js";
import type { Vitals } from "./vitals.js";

/** Longest sleep at the ring in one piece. */
const SLICE_MS = 20;
/** How long after the last work the thread stays hot. */
const HOT_MS = 100;
/** How long it is taken for granted that what was open still is: connections mostly stay. */
const CROWDED_MS = 1_000;

/** What a loop needs. */
export interface LoopOptions {
  readonly duplex: Duplex;
  readonly memory: DuplexMemory;
  readonly intake: Intake;
  readonly wire: RingWire;
  readonly vitals: Vitals;
  readonly clock: Clock;
  /** Whether nothing is under way in this thread. */
  readonly isIdle: () => boolean;
  /** Kinds of what keeps the event loop alive now, one entry each. */
  readonly activeResources: () => readonly string[];
}

/** The loop of one thread. */
export class Loop {
  readonly #options: LoopOptions;
  readonly #reader: FrameReader;
  /** What kept the event loop alive before the user's module was imported. */
  readonly #baseline: ReadonlyMap<string, number>;
  #isTurning = false;
  #workedMs = Number.NEGATIVE_INFINITY;
  /** Until when it does not try to be hot. */
  #crowdedMs = Number.NEGATIVE_INFINITY;

  constructor(options: LoopOptions) {
    this.#options = options;
    this.#reader = new FrameReader(options.duplex.consumer);
    this.#baseline = tally(options.activeResources());
  }

  /** The Foreman rings, or the thread begins: looks at the ring. */
  bell(): void {
    if (!this.#isTurning) this.#turn();
  }

  /** Now and then: looks at the ring although nothing rang. Who took our listeners off the port takes only the haste. */
  check(): void {
    if (!this.#isTurning && !this.#options.duplex.consumer.isEmpty) this.#turn();
  }

  readonly #turn = (): void => {
    const { duplex, intake, wire, vitals, clock } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#isTurning = true;
    duplex.wake();
    wire.turned(nowMs);
    vitals.turned();
    const ring = duplex.consumer.bytes;
    let isWork = false;
    for (let length = this.#reader.next(); length >= 0; length = this.#reader.next()) {
      isWork = true;
      const { source, offset } = this.#reader;
      intake.take(source, offset, length, source === ring);
    }
    intake.push();
    if (isWork) this.#workedMs = nowMs;
    afterTick(this.#endTurn);
  };

  readonly #endTurn = (): void => {
    const { duplex, intake, wire } = this.#options;
    wire.flush();
    intake.keep();
    duplex.release();
    this.#rest();
  };

  /** Decides how to wait for the next records. */
  #rest(): void {
    const { duplex, wire, isIdle, clock } = this.#options;
    if (!duplex.consumer.isEmpty) return this.#plan(this.#turn);
    const nowMs = clock.monotonicMs();
    const isHot = nowMs - this.#workedMs < HOT_MS && nowMs > this.#crowdedMs && isIdle() && !wire.isWaiting;
    if (isHot) this.#plan(this.#sleep);
    else this.#listen();
  }

  #listen(): void {
    const { duplex } = this.#options;
    this.#isTurning = false;
    // What waits for room is the wire's affair: it tries again by itself.
    if (!duplex.listen()) {
      this.#isTurning = true;
      this.#plan(this.#turn);
    }
  }

  /** One slice asleep, if nothing has begun in the turn of the event loop before it. */
  readonly #sleep = (): void => {
    const { duplex, memory, vitals, isIdle, clock } = this.#options;
    if (!duplex.consumer.isEmpty) return this.#turn();
    if (!isIdle()) return this.#listen();
    if (!this.#isAlone()) {
      this.#crowdedMs = clock.monotonicMs() + CROWDED_MS;
      return this.#listen();
    }
    vitals.phase(PHASE_RESTING);
    const end = waitForFrame(duplex.consumer, memory.down, SLICE_MS);
    vitals.phase(PHASE_TURNING);
    if (end === "time") vitals.beat(); // the timer that beats has no turn meanwhile
    if (end === "rescued") vitals.rescued();
    if (duplex.consumer.isEmpty) this.#rest();
    else this.#turn();
  };

  /** Whether the module and its Steps have nothing open that the event loop serves. */
  #isAlone(): boolean {
    for (const [kind, count] of tally(this.#options.activeResources())) {
      if (count > (this.#baseline.get(kind) ?? 0)) return false;
    }
    return true;
  }

  /** Lets timers, sockets and port messages have their turn first. */
  #plan(next: () => void): void {
    this.#options.clock.immediate(next);
  }
}

function tally(kinds: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}
