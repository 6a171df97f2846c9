/**
 * Duty: claims work for the Worker (elsewhere: fetcher). Follows hints over Segments in rotation; claims when there is
 * room, as much as there is room for, one claim at a time per Segment. A lost reply is asked for again by its number.
 */
import type { Claim, ClaimAnswer } from "../engine/transitions.js";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { type ResendContext, resend } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { InlineWorker } from "../worker/inline.js";
import type { Completer } from "./completer.js";

/** Claims in flight over all Segments: enough to gather work that is thinly spread. */
const CLAIMS_MAX = 8;
/** A claim that brings less than this part of what it asked for tells of work that is thinly spread. */
const THIN_SHARE = 4;
/** Unanswered outcomes beyond which no more work is taken. */
const BACKLOG_MAX = 20_000;
/** Weight of the newest claim in the mean round trip. */
const MEAN_WEIGHT = 0.2;
/** A buffered Operation that waited this long for a slot goes back to its Queue. */
const UNSTARTED_MS_MAX = 1_000;

/** What the feeder needs. */
export interface FeederOptions extends ResendContext {
  readonly segments: Segments;
  readonly worker: InlineWorker;
  readonly completer: Completer;
  readonly owner: string;
  readonly queues: readonly string[];
}

/** Takes work from Segments to the Worker. */
export class Feeder {
  readonly #options: FeederOptions;
  #isOpen = false;
  #claims = 0;
  /** Operations asked for by claims in flight. */
  #asked = 0;
  #claimMs = 1;
  /** The last claim brought far less than it asked for. */
  #isThin = false;
  #stopped: (() => void)[] = [];

  constructor(options: FeederOptions) {
    this.#options = options;
  }

  /** Begins to claim. */
  start(): void {
    this.#isOpen = true;
    this.wake();
  }

  /** Claims no more; resolves when the last claim has been answered. */
  stop(): Promise<void> {
    this.#isOpen = false;
    if (this.#claims === 0) return Promise.resolve();
    return new Promise((resolve) => this.#stopped.push(resolve));
  }

  /** Looks whether there is room and a hint; cheap enough for every completion. */
  wake(): void {
    const { worker, segments, completer } = this.#options;
    if (!this.#isOpen || completer.backlog > BACKLOG_MAX) return;
    while (this.#claims < CLAIMS_MAX) {
      const room = worker.room(this.#claimMs) - this.#asked;
      // While claims bring about what they ask for, one at a time is enough, and the room that gathers meanwhile makes
      // the next one worth its price. Work that is thinly spread is fetched from several Segments at once.
      if (room <= 0 || (this.#claims > 0 && !this.#isThin)) return;
      const view = segments.next();
      if (view === null) return;
      void this.#claim(view, Math.min(room, BATCH_MAX));
    }
  }

  /** Gives back what has waited too long for a slot. */
  async relieve(): Promise<void> {
    await this.#options.completer.giveBack(this.#options.worker.takeUnstarted(UNSTARTED_MS_MAX));
  }

  async #claim(view: SegmentView, max: number): Promise<void> {
    const { store, owner, queues, counters, clock, segments } = this.#options;
    const hints = view.hints;
    const params = { owner, request: ++view.request, queues, max };
    view.isBusy = true;
    this.#claims++;
    this.#asked += max;
    counters.add("claimCalls");
    const sentMs = clock.monotonicMs();
    let answer: ClaimAnswer | null = null;
    try {
      answer = await resend(this.#options, Number.POSITIVE_INFINITY, () => store.claim(view.name, params));
    } catch {
      // The store is closed or refuses for good; a bell or the safety poll tries again.
    }
    this.#claims--;
    this.#asked -= max;
    view.isBusy = false;
    segments.settle(view, answer !== null && (answer.waiting > 0 || view.hints !== hints));
    if (answer !== null) this.#take(view, answer.claims, max, sentMs);
    if (this.#claims === 0) {
      for (const resolve of this.#stopped) resolve();
      this.#stopped = [];
    }
    this.wake();
  }

  #take(view: SegmentView, claims: readonly Claim[], max: number, sentMs: number): void {
    const { worker, completer, counters, clock } = this.#options;
    this.#claimMs += MEAN_WEIGHT * (clock.monotonicMs() - sentMs - this.#claimMs);
    this.#isThin = claims.length < max / THIN_SHARE;
    if (claims.length === 0) return counters.add("emptyClaims");
    view.held += claims.length;
    view.wasClaimed = true;
    view.provenMs ??= sentMs;
    counters.add("claimed", claims.length);
    if (this.#isOpen) worker.push(view.name, claims);
    else void completer.giveBack([{ segment: view.name, claims }]);
  }
}
