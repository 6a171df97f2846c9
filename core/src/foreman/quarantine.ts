/**
 * Quarantine (elsewhere: poison-pill isolation): Operations whose Foremen died twice while they were held there. One of
 * them may be what killed, most are not. So few of them are in a process at a time: the first alone, then as many on
 * trial as have done no harm since, and one more. Whoever the next death would end as poison is with no other at all, so
 * an Operation that merely stood beside what kills is not taken for it; but for one that was claimed, may not be here and
 * is on its way back: a death in that one round trip counts against it, too.
 *
 * Between the feeder and the pools: a suspect begins only when the store has taken back those that may not. What runs
 * alone in a Worker of its own is suspects.ts.
 */
import type { Clock } from "../base/clock.js";
import type { Random } from "../base/random.js";
import type { Claim } from "../engine/transitions.js";
import type { Unstarted } from "../worker/inline.js";

/** Recoveries after which an Operation may be what kills. */
export const SUSPECT_RECOVERIES = 2;
/** What has been here for so long is on trial no more. It has begun long since: nothing waits so long for a slot. */
const TRIAL_MS = 2_000;
/** Suspects in a process at most: so many does one that kills after all take along, and each of those is alone then. */
const INSIDE_MAX = 16;
/** Without suspects for so long, what others did before says nothing of those that come. */
const WAVE_MS = 30_000;
/**
 * What is given back comes again after a time, to whoever has room for it then: as long as the last that was let in has
 * been here, within these bounds, up to twice as long. Most of those rescued twice are innocent, and soon done.
 */
const DELAY_MS_MIN = 150;
const DELAY_MS_MAX = 2_500;
/** Of many, so many come again together. */
const SLICE = 2 * INSIDE_MAX;
/** How late what is to come again may be: it waits for its due time to be seen, and for a claim. */
const LATE_MS = 500;

/**
 * A process keeps itself free for one that must be alone for so long, and for as long again it does not: while a suspect
 * runs that takes hours, neither that one can come in nor need the others stay away.
 */
const KEPT_MS = 30_000;

/** What the quarantine needs. */
export interface QuarantineOptions {
  readonly completer: { giveBack(unstarted: readonly Unstarted[], delayMs?: number): Promise<void> };
  readonly clock: Pick<Clock, "monotonicMs">;
  readonly random: Random;
  /** Recoveries after which the next death ends an Operation as poison. */
  readonly recoveriesMax: number;
  /** Whether what is held back may still begin here: the process does not stop, and has its Lease in that Segment. */
  readonly isOpen: (segment: string) => boolean;
}

/** The suspects of one Foreman: a few inside, the others sent away. */
export class Quarantine {
  readonly #options: QuarantineOptions;
  /** Those inside, and since when. */
  readonly #inside = new Map<Claim, number>();
  /** Suspects that ended here, and this process lives. */
  #harmless = 0;
  #enteredMs = Number.NEGATIVE_INFINITY;
  /** When a suspect came or left last. */
  #seenMs = Number.NEGATIVE_INFINITY;
  /** Until then nobody else is let in: one that must be alone was sent away, and is to find nobody when it comes. */
  #keptUntilMs = Number.NEGATIVE_INFINITY;
  /** When it began to keep itself free. */
  #keptSinceMs = Number.NEGATIVE_INFINITY;
  #lapses = 0;
  readonly #sending = new Set<Promise<void>>();

  constructor(options: QuarantineOptions) {
    this.#options = options;
  }

  /**
   * Takes the suspects out of claims of one Segment and answers the rest. Of the suspects, those that may be here are
   * handed to `admit`: once the others are back in their Queue.
   */
  sift(segment: string, claims: readonly Claim[], admit: (claim: Claim) => void): readonly Claim[] {
    if (!claims.some(isSuspect)) return claims;
    const nowMs = this.#options.clock.monotonicMs();
    if (this.#inside.size === 0 && nowMs - this.#seenMs >= WAVE_MS) this.#harmless = 0;
    this.#seenMs = nowMs;
    const admitted: Claim[] = [];
    const others: Claim[] = [];
    for (const claim of claims) {
      if (!isSuspect(claim)) continue;
      if (this.#enter(claim, nowMs)) admitted.push(claim);
      else if (this.#isLonely(claim)) others.unshift(claim);
      else others.push(claim);
    }
    const delayMs = this.#delayMs(nowMs);
    if (others[0] !== undefined && this.#isLonely(others[0])) this.#keepFree(nowMs, delayMs + LATE_MS);
    const sending = this.#sendAway({ segment, admitted, others, delayMs }, admit);
    this.#sending.add(sending);
    void sending.finally(() => this.#sending.delete(sending));
    return claims.filter((claim) => !isSuspect(claim));
  }

  /** A claim has left this process: by its outcome (`hasEnded`), or back to its Queue. */
  left(claim: Claim, hasEnded: boolean): void {
    if (!this.#inside.delete(claim)) return;
    this.#seenMs = this.#options.clock.monotonicMs();
    if (hasEnded) this.#harmless++;
  }

  /** The Lease was lost: what is held back now may be another's, whatever a later beat is answered. */
  lapse(): void {
    this.#lapses++;
  }

  /** Resolves when everything that was to be sent away is, and nothing is held back any more. */
  async whenSettled(): Promise<void> {
    await Promise.all(this.#sending);
  }

  /** Lets a suspect in if it may be here now. */
  #enter(claim: Claim, nowMs: number): boolean {
    const isAlone = this.#inside.size === 0;
    if (!(this.#isLonely(claim) ? isAlone : this.#hasRoom(nowMs))) return false;
    if (isAlone) this.#keptUntilMs = this.#keptSinceMs = Number.NEGATIVE_INFINITY;
    this.#inside.set(claim, nowMs);
    this.#enteredMs = nowMs;
    return true;
  }

  /** Lets nobody else in for so long, unless that has been so for long already. */
  #keepFree(nowMs: number, forMs: number): void {
    if (nowMs - this.#keptSinceMs >= 2 * KEPT_MS) this.#keptSinceMs = nowMs;
    if (nowMs - this.#keptSinceMs < KEPT_MS) this.#keptUntilMs = nowMs + forMs;
  }

  /** Whether another may be here that need not be alone. */
  #hasRoom(nowMs: number): boolean {
    if (nowMs < this.#keptUntilMs || this.#inside.size >= INSIDE_MAX) return false;
    let onTrial = 0;
    for (const [claim, sinceMs] of this.#inside) {
      if (this.#isLonely(claim)) return false;
      if (nowMs - sinceMs < TRIAL_MS) onTrial++;
    }
    return onTrial <= this.#harmless + this.#inside.size - onTrial;
  }

  /** Whether it must be here with no other suspect: the next death would end it. */
  #isLonely({ recoveries }: Claim): boolean {
    return recoveries >= Math.min(SUSPECT_RECOVERIES + 1, this.#options.recoveriesMax);
  }

  async #sendAway({ segment, admitted, others, delayMs }: Sifted, admit: (claim: Claim) => void): Promise<void> {
    const { completer, isOpen } = this.#options;
    const lapses = this.#lapses;
    const slices: Promise<void>[] = [];
    for (let at = 0; at < others.length; at += SLICE) {
      const inMs = Math.min(delayMs * (1 + at / SLICE), 2 * DELAY_MS_MAX);
      slices.push(completer.giveBack([{ segment, claims: others.slice(at, at + SLICE) }], inMs));
    }
    await Promise.all(slices);
    if (admitted.length === 0) return;
    if (isOpen(segment) && lapses === this.#lapses) for (const claim of admitted) admit(claim);
    else await completer.giveBack([{ segment, claims: admitted }]);
  }

  #delayMs(nowMs: number): number {
    const { random } = this.#options;
    const forMs = this.#inside.size === 0 ? this.#keptUntilMs - nowMs : nowMs - this.#enteredMs;
    return Math.round(Math.min(Math.max(forMs, DELAY_MS_MIN), DELAY_MS_MAX) * (1 + random.next()));
  }
}

/** The suspects of one claim. */
interface Sifted {
  readonly segment: string;
  readonly admitted: readonly Claim[];
  readonly others: readonly Claim[];
  /** After which time the first of the others come again. */
  readonly delayMs: number;
}

function isSuspect({ recoveries }: Claim): boolean {
  return recoveries >= SUSPECT_RECOVERIES;
}
