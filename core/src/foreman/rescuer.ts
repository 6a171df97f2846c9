/**
 * Duty: owner silent → ready (elsewhere: reaper, stalled-job checker). An incarnation whose beat counter stood still
 * for a full Lease, by this process's own monotonic clock, loses what it holds there; the call names the counter seen,
 * so a beat that came meanwhile refuses it. Wall clocks, here or in the store, decide nothing.
 */
import type { Timer } from "../base/clock.js";
import { createError, toRemoteError } from "../base/errors.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { OwnerCounts } from "../engine/transitions.js";
import { type ResendContext, resend } from "../queue/resend.js";

const RESCUE_MAX = 1_000;
/** Whoever has looked at nothing for half a Lease, and for so long, stood still; so may the others have, who live. */
const BLIND_MS_MIN = 5_000;
/** How long an Operation that was recovered too often is kept among the dead letters. */
export const POISON_RETAIN_MS = 14 * 86_400_000;

/** What the rescuer needs. */
export interface RescuerOptions extends ResendContext {
  readonly owner: string;
  readonly leaseMs: number;
  /** Rescues of one Operation after which it is held to kill its Workers. */
  readonly recoveriesMax: number;
}

interface Sighting {
  readonly beat: number;
  readonly sinceMs: number;
  readonly heldAny: boolean;
}

/** Watches owners and takes back what the silent ones hold. */
export class Rescuer {
  readonly #options: RescuerOptions;
  readonly #seen = new Map<string, Map<string, Sighting>>();
  /** Per Segment, when the first of the owners seen there will have been silent for a Lease. */
  readonly #ends = new Map<string, Timer>();
  /** Owners whose death is proved: their parent saw them exit. Their Lease need not pass. */
  readonly #buried = new Set<string>();
  /** When anything was looked at last. */
  #lookedMs = Number.NEGATIVE_INFINITY;
  #isOver = false;

  constructor(options: RescuerOptions) {
    this.#options = options;
  }

  /** Forgets what was seen in these Segments (`null`: all): after a reconnect every owner gets a full Lease again. */
  reset(segments: readonly string[] | null = null): void {
    if (segments === null) this.#seen.clear();
    else for (const segment of segments) this.#seen.delete(segment);
  }

  /**
   * Takes word that an owner is dead, from who saw its process end: what it holds is rescued at the next survey of each
   * Segment, with the beat read there. Never for an owner that is only silent: its claims would run twice at a time.
   */
  bury(owner: string): void {
    this.#buried.add(owner);
  }

  /** Ends; nobody is watched any more. */
  stop(): void {
    this.#isOver = true;
    for (const timer of this.#ends.values()) timer.cancel();
    this.#ends.clear();
  }

  /** Takes a survey of one Segment's owners; rescues the silent ones. */
  async see(segment: string, owners: readonly OwnerCounts[]): Promise<void> {
    const { clock, leaseMs, owner: self } = this.#options;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#lookedMs > Math.max(leaseMs / 2, BLIND_MS_MIN)) this.reset();
    this.#lookedMs = nowMs;
    const before = this.#seen.get(segment);
    const now = new Map<string, Sighting>();
    const silent: OwnerCounts[] = [];
    for (const one of owners) {
      if (one.owner === self) continue;
      const last = before?.get(one.owner);
      const heldAny = one.held > 0;
      // An owner that held nothing need not beat; its Lease counts from when it was first seen holding something.
      const isSame = last !== undefined && last.beat === one.beat && last.heldAny === heldAny;
      const sighting = isSame ? last : { beat: one.beat, sinceMs: nowMs, heldAny };
      now.set(one.owner, sighting);
      if (nowMs - sighting.sinceMs >= leaseMs || this.#buried.has(one.owner)) silent.push(one);
    }
    this.#seen.set(segment, now);
    this.#watch(segment, now);
    for (const one of silent) await this.#rescue(segment, one);
  }

  /** Wakes when the next Lease is over, which seldom is when a survey comes by: else what is held waits for both. */
  #watch(segment: string, owners: ReadonlyMap<string, Sighting>): void {
    if (this.#isOver) return;
    const { clock, leaseMs } = this.#options;
    const nowMs = clock.monotonicMs();
    this.#ends.get(segment)?.cancel();
    this.#ends.delete(segment);
    const ends = [...owners.values()].flatMap(({ sinceMs, heldAny }) => (heldAny ? [sinceMs + leaseMs] : []));
    const endMs = Math.min(...ends.filter((ms) => ms > nowMs));
    if (!Number.isFinite(endMs)) return;
    const timer = clock.setTimer(endMs - nowMs, () => void this.#look(segment));
    timer.unref();
    this.#ends.set(segment, timer);
  }

  /** Looks again: what was read before may be older than a cut of the connection, which gives all a Lease anew. */
  async #look(segment: string): Promise<void> {
    try {
      const { owners } = await this.#options.store.counts(segment);
      await this.see(segment, owners);
    } catch {
      // The store is away, closed, or refuses for good: surveys go on, if anything does.
    }
  }

  async #rescue(segment: string, { owner, beat, held }: OwnerCounts): Promise<void> {
    const { store, counters, recoveriesMax } = this.#options;
    // With nothing held only the owner's entry goes; `max: 0` takes nothing should it have claimed just now.
    const max = held > 0 ? RESCUE_MAX : 0;
    const params = {
      owner,
      beat,
      max,
      recoveriesMax,
      retainMs: POISON_RETAIN_MS,
      poison: poisonOutcome(recoveriesMax),
    };
    for (;;) {
      const answer = await resend(
        this.#options,
        Number.POSITIVE_INFINITY,
        () => store.rescue(segment, params),
        segment,
      );
      counters.add("rescued", answer.rescued);
      if (answer.answer !== "ok" || answer.left === 0 || max === 0) return;
    }
  }
}

/** The outcome of an Operation whose Workers died once too often. */
export function poisonOutcome(recoveriesMax: number): Uint8Array {
  const error = createError("MR_POISON", { id: "", recoveries: recoveriesMax + 1 });
  return encodeOutcome("", 0, 0, toRemoteError(error), "error");
}
