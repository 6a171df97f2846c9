/**
 * How much room is left for more work: on the disk, or inside the file, beyond what finishing what is there needs.
 *
 * Finishing writes too (a result, a list without one element), and a disk filled to its end by new work would stop
 * both. So new work is refused while a reserve is still free; only another program can take that.
 */
import type { Clock } from "../../base/clock.js";

/** What is measured. */
export interface RoomSources {
  readonly clock: Clock;
  /** Bytes the file system has for us, and in all. */
  space(): { readonly free: number; readonly total: number };
  /** Bytes of the file that hold nothing at present; asked only when the disk is short. */
  freeInside(): number;
}

const RESERVE_SHARE = 0.02;
const RESERVE_MIN = 4 * 1024 * 1024;
const RESERVE_MAX = 64 * 1024 * 1024;
/** With more than this left nobody counts bytes between two measurements. */
const PLENTY = 1024 * 1024 * 1024;
/** How long a refusal is believed before the disk is asked again. */
const REFUSAL_PERIOD_MS = 100;
/** What new work takes of the disk for each byte it brings: LMDB writes whole pages, and keeps the old ones a while. */
const OVERHEAD = 2;

/** Counts the room of one store. */
export class Room {
  readonly #sources: RoomSources;
  #left = 0;
  #free = 0;
  #measuredAtMs = 0;

  constructor(sources: RoomSources) {
    this.#sources = sources;
    this.measure();
  }

  /** Asks the disk; to be called after every commit. */
  measure(): void {
    const { clock, space, freeInside } = this.#sources;
    const { free, total } = space();
    const reserve = Math.min(RESERVE_MAX, Math.max(RESERVE_MIN, total * RESERVE_SHARE));
    this.#measuredAtMs = clock.monotonicMs();
    this.#free = free;
    this.#left = free - reserve;
    if (this.#left < reserve) this.#left = Math.max(this.#left, freeInside() - reserve);
  }

  /** Takes room for new work, or says why there is none. `bytesOf` is asked only when it matters. */
  take(bytesOf: () => number): string | null {
    if (this.#left > PLENTY) return null;
    const bytes = OVERHEAD * bytesOf();
    if (bytes > this.#left && this.#sources.clock.monotonicMs() - this.#measuredAtMs > REFUSAL_PERIOD_MS) {
      this.measure();
    }
    if (bytes > this.#left) {
      return `${Math.floor(this.#free / 1024)} KiB are left on its disk, of which some are kept for work under way`;
    }
    this.#left -= bytes;
    return null;
  }

  /** Whether a commit of this size has a chance. */
  hasFor(bytes: number): boolean {
    return this.#sources.space().free > OVERHEAD * bytes || this.#sources.freeInside() > 2 * OVERHEAD * bytes;
  }
}
