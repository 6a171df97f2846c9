/**
 * A Worker thread's part of the shared words (seats.ts): it begins what it was given, unless that was taken back, and
 * shows that it lives.
 */
import { getHeapStatistics } from "node:v8";
import type { Clock } from "../base/clock.js";
import type { Claim } from "../engine/transitions.js";
import type { SeatKeeper } from "./inline.js";
import { GivenClaim } from "./intake.js";
import { ABANDONED, BEATS, BEGUN, CURRENT, ENDED, HEAP_KB, PHASE, RESCUED, type Seats } from "./seats.js";

/** How often the loop shows that it turns. */
const BEAT_MS = 100;
/** One beat in so many tells the heap's size. */
const HEAP_EVERY = 10;
/** How long Attempts may be begun before the loop turns: timers, sockets and the Foreman's records want their turn. */
const TURN_MS = 5;

/** The seats and signs of life of this thread. */
export class Vitals implements SeatKeeper {
  readonly #seats: Seats;
  readonly #clock: Clock;
  #beats = 0;
  #abandoned = 0;
  #rescued = 0;
  #turnedMs = 0;

  constructor(seats: Seats, clock: Clock) {
    this.#seats = seats;
    this.#clock = clock;
  }

  /** Begins to beat with the event loop; `beaten` is called after each beat. */
  start(beaten: () => void): void {
    this.#clock
      .setTimer(BEAT_MS, () => {
        this.beat();
        beaten();
        this.start(beaten);
      })
      .unref();
  }

  /** Shows that the thread lives. */
  beat(): void {
    this.#seats.write(BEATS, ++this.#beats | 0);
    if (this.#beats % HEAP_EVERY !== 1) return;
    const { used_heap_size, external_memory } = getHeapStatistics();
    this.#seats.write(HEAP_KB, Math.round((used_heap_size + external_memory) / 1_024));
  }

  /** Says what the thread is at: one of the PHASE values. */
  phase(phase: number): void {
    this.#seats.write(PHASE, phase);
  }

  /** Counts a wake-up that was lost. */
  rescued(): void {
    this.#seats.write(RESCUED, ++this.#rescued);
  }

  begin(claim: Claim, limitMs: number): boolean {
    if (claim instanceof GivenClaim) claim.isSettled = true;
    if (!this.#seats.begin(claim.lane, limitMs)) return false;
    this.#seats.count1(BEGUN);
    return true;
  }

  keep(claim: Claim): void {
    if (claim instanceof GivenClaim) claim.isSettled = false;
  }

  entered(claim: Claim): void {
    this.#seats.write(CURRENT, claim.lane + 1);
  }

  left(): void {
    this.#seats.write(CURRENT, 0);
  }

  ended(): void {
    this.#seats.count1(ENDED);
  }

  abandoned(by: number): void {
    this.#abandoned += by;
    this.#seats.write(ABANDONED, this.#abandoned);
  }

  isTurnOver(): boolean {
    return this.#clock.monotonicMs() - this.#turnedMs > TURN_MS;
  }

  turned(): void {
    this.#turnedMs = this.#clock.monotonicMs();
  }
}
