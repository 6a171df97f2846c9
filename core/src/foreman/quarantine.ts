/**
 * Quarantine (elsewhere: poison-pill isolation): Operations whose Foremen died twice while they were held there. One of
 * them may be what killed; so a process holds one at a time, and begins it only when the store has taken the others
 * back. The next death then costs no more than the culprit: an Operation that merely stood beside it is not taken for one.
 *
 * Between the feeder and the pools. What runs alone in a Worker of its own, once here, is suspects.ts.
 */
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import type { Claim } from "../engine/transitions.js";
import type { Unstarted } from "../worker/inline.js";

/** Recoveries after which an Operation may be what kills. */
export const SUSPECT_RECOVERIES = 2;
/**
 * What is given back comes again after a time, to whoever holds no other then: as long as the one inside has been here,
 * within these bounds, up to twice as long. Most of those rescued twice are innocent, and soon done.
 */
const DELAY_MS_MIN = 150;
const DELAY_MS_MAX = 2_500;

/** What the quarantine needs. */
export interface QuarantineOptions {
  readonly completer: { giveBack(unstarted: readonly Unstarted[], delayMs?: number): Promise<void> };
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Random;
  /** Whether what is held back may still begin here: the process does not stop, and has its Lease in that Segment. */
  readonly isOpen: (segment: string) => boolean;
}

/** The suspects of one Foreman: one inside, the others sent away. */
export class Quarantine {
  readonly #options: QuarantineOptions;
  #inside: Claim | null = null;
  #insideSinceMs = 0;
  #lapses = 0;
  readonly #sending = new Set<Promise<void>>();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /**
   * Takes the suspects out of claims of one Segment and answers the rest. Of the suspects, one is handed to `admit` if
   * none is inside: once the others are back in their Queue.
   */
  sift(segment: string, claims: readonly Claim[], admit: (claim: Claim) => void): readonly Claim[] {
    if (!claims.some(isSuspect)) return claims;
    const suspects = claims.filter(isSuspect);
    const first = this.#inside === null ? (suspects.shift() ?? null) : null;
    if (first !== null) {
      this.#inside = first;
      this.#insideSinceMs = this.#options.clock.monotonicMs();
    }
    const sending = this.#sendAway(segment, suspects, first, admit);
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
    return claims.filter((claim) => !isSuspect(claim));
  }

  /** A claim has left this process, by its outcome or back to its Queue. */
  left(claim: Claim): void {
    if (this.#inside === claim) this.#inside = null;
  }

  /** The Lease was lost: what is held back now may be another's, whatever a later beat is answered. */
  lapse(): void {
    this.#lapses++;
  }

  /** Resolves when everything that was to be sent away is, and nothing is held back any more. */
  async whenSettled(): Promise<void> {
    await Promise.all(this.#sending);
  }

  async #sendAway(
    segment: string,
    others: readonly Claim[],
    first: Claim | null,
    admit: (claim: Claim) => void,
  ): Promise<void> {
    const { completer, isOpen } = this.#options;
    const lapses = this.#lapses;
    if (others.length > 0) await completer.giveBack([{ segment, claims: others }], this.#delayMs());
    if (first === null) return;
    if (isOpen(segment) && lapses === this.#lapses) admit(first);
    else await completer.giveBack([{ segment, claims: [first] }]);
  }

  #delayMs(): number {
    const { clock, random } = this.#options;
    const agoMs = clock.monotonicMs() - this.#insideSinceMs;
    return Math.round(Math.min(Math.max(agoMs, DELAY_MS_MIN), DELAY_MS_MAX) * (1 + random.next()));
  }
}

function isSuspect({ recoveries }: Claim): boolean {
  return recoveries >= SUSPECT_RECOVERIES;
}
