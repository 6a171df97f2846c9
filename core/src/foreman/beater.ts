/**
 * Duty: proves that this incarnation lives (elsewhere: heartbeat, lock extension). One call per Segment in which it
 * holds work, whatever the number of Operations; the answer says what was cancelled meanwhile.
 *
 * Self-fence: if no beat got through for nearly a Lease, counted from *sending* the last good one, others may be about
 * to rescue; what runs there is told to end before that.
 */
import type { Timer } from "../base/clock.js";
import type { Address } from "../engine/lease.js";
import type { ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { AbortKind } from "../workflow/step.js";
import type { Pool } from "./pool.js";

/** Spare time between fencing oneself and the end of the Lease. */
const MARGIN_MS = 1_000;

/** Whether the last proof of life in a Segment is so old that others may be about to rescue what is held there. */
export function isLapsed({ provenMs }: SegmentView, nowMs: number, leaseMs: number): boolean {
  return provenMs !== null && nowMs - provenMs >= leaseMs - MARGIN_MS;
}

/** What the beater needs. */
export interface BeaterOptions extends ResendContext {
  readonly segments: Segments;
  readonly pools: readonly Pool[];
  readonly owner: string;
  readonly leaseMs: number;
  /** Called when a Lease is lost: what has not begun must not begin any more. */
  readonly lost: () => void;
}

/** Sends beats. */
export class Beater {
  readonly #options: BeaterOptions;
  /** Per Segment, the timer of the self-fence: a beat that gets no answer must not hold it up. */
  readonly #fences = new Map<string, Timer>();
  /** Segments to which a beat of the rounds is on its way. */
  readonly #beating = new Set<SegmentView>();
  #isOver = false;

  constructor(options: BeaterOptions) {
    this.#options = options;
  }

  /**
   * One round: beats wherever something is held, was claimed since the last round, or may have been by a claim that is
   * under way: its values may take long to come. Waits for no answer: a server that gives none must not hold up the
   * beats to the others.
   */
  async run(): Promise<void> {
    for (const view of this.#options.segments.all()) {
      if (view.held > 0 || view.wasClaimed || view.askedMs !== null) {
        if (!this.#beating.has(view)) void this.#beatOnce(view);
      } else this.#rest(view);
    }
  }

  async #beatOnce(view: SegmentView): Promise<void> {
    this.#beating.add(view);
    await this.beat(view);
    this.#beating.delete(view);
  }

  /** Beats in one Segment: at once when something there was marked for cancelling. */
  async beat(view: SegmentView): Promise<void> {
    const { store, owner, clock, counters, leaseMs } = this.#options;
    const sentMs = clock.monotonicMs();
    // Whoever stood still for so long, and wakes, must not be taken in by this beat's answer: it is for new claims.
    const provenMs = view.provenMs ?? view.askedMs ?? sentMs;
    const isLate = sentMs - provenMs >= leaseMs - MARGIN_MS;
    if (isLate) this.#lose(view);
    // What a claim that is under way brings is as old as that: none of it must begin before a beat got through.
    const isNewOnly = view.askedMs === null;
    this.#fence(view, isLate && isNewOnly ? sentMs : provenMs);
    view.wasClaimed = false;
    try {
      const { answer, marked } = await store.extend(view.name, { owner });
      counters.add("beats");
      this.#fence(view, sentMs);
      if (answer === "missing" && view.held > 0 && !view.isBusy && !view.wasClaimed) {
        this.#lose(view);
      }
      if (marked.length > 0) this.#abort(view.name, marked, "cancel");
    } catch {
      view.wasClaimed = true; // unknown: the next round beats again, and the self-fence judges by time
    }
  }

  /** Ends: the next Foreman of this process begins with no memory of these beats. */
  stop(): void {
    this.#isOver = true;
    for (const view of this.#options.segments.all()) this.#rest(view);
  }

  /** Sets when what runs in a Segment is told to end, unless a beat gets through before. */
  #fence(view: SegmentView, provenMs: number): void {
    if (this.#isOver) return;
    const { clock, leaseMs } = this.#options;
    view.provenMs = provenMs;
    this.#fences.get(view.name)?.cancel();
    const fence = clock.setTimer(provenMs + leaseMs - MARGIN_MS - clock.monotonicMs(), () => this.#lose(view));
    fence.unref();
    this.#fences.set(view.name, fence);
  }

  #lose(view: SegmentView): void {
    if (view.held === 0) return;
    this.#options.lost(); // first: an aborted Attempt makes room for the next
    this.#abort(view.name, "all", "lease_lost");
  }

  #abort(segment: string, addresses: readonly Address[] | "all", kind: AbortKind): void {
    for (const pool of this.#options.pools) pool.abortWhere(segment, addresses, kind);
  }

  /** Nothing is held there: nothing needs a beat or a fence. */
  #rest(view: SegmentView): void {
    view.provenMs = null;
    this.#fences.get(view.name)?.cancel();
    this.#fences.delete(view.name);
  }
}
