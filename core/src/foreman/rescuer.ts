/**
 * Duty: owner silent → ready (elsewhere: reaper, stalled-job checker). An incarnation whose beat counter stood still
 * for a full Lease, by this process's own monotonic clock, loses what it holds there; the call names the counter seen,
 * so a beat that came meanwhile refuses it. Wall clocks, here or in the store, decide nothing.
 */
import { createError, toRemoteError } from "../base/errors.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { OwnerCounts } from "../engine/transitions.js";
import { type ResendContext, resend } from "../queue/resend.js";

const RESCUE_MAX = 1_000;
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

  constructor(options: RescuerOptions) {
    this.#options = options;
  }

  /** Forgets what was seen: after a reconnect every owner gets a full Lease again. */
  reset(): void {
    this.#seen.clear();
  }

  /** Takes a survey of one Segment's owners; rescues the silent ones. */
  async see(segment: string, owners: readonly OwnerCounts[]): Promise<void> {
    const { clock, leaseMs, owner: self } = this.#options;
    const nowMs = clock.monotonicMs();
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
      if (nowMs - sighting.sinceMs >= leaseMs) silent.push(one);
    }
    this.#seen.set(segment, now);
    for (const one of silent) await this.#rescue(segment, one);
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
      const answer = await resend(this.#options, Number.POSITIVE_INFINITY, () => store.rescue(segment, params));
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
