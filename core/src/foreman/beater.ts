/**
 * Duty: proves that this incarnation lives (elsewhere: heartbeat, lock extension). One call per Segment in which it
 * holds work, whatever the number of Operations; the answer says what was cancelled meanwhile.
 *
 * Self-fence: if no beat got through for nearly a Lease, counted from *sending* the last good one, others may be about
 * to rescue; what runs there is told to end before that.
 */
import type { Timer } from "../base/clock.js";
import type { ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { InlineWorker } from "../worker/inline.js";

/** Spare time between fencing oneself and the end of the Lease. */
const MARGIN_MS = 1_000;

/** What the beater needs. */
export interface BeaterOptions extends ResendContext {
  readonly segments: Segments;
  readonly worker: InlineWorker;
  readonly owner: string;
  readonly leaseMs: number;
}

/** Sends beats. */
export class Beater {
  readonly #options: BeaterOptions;
  /** Per Segment, the timer of the self-fence: a beat that gets no answer must not hold it up. */
  readonly #fences = new Map<string, Timer>();
  #isOver = false;

  constructor(options: BeaterOptions) {
    this.#options = options;
  }

  /** One round: beats wherever something is held, or was claimed since the last round. */
  async run(): Promise<void> {
    const due: SegmentView[] = [];
    for (const view of this.#options.segments.all()) {
      if (view.held > 0 || view.wasClaimed) due.push(view);
      else this.#rest(view);
    }
    await Promise.all(due.map((view) => this.beat(view)));
  }

  /** Beats in one Segment: at once when something there was marked for cancelling. */
  async beat(view: SegmentView): Promise<void> {
    const { store, worker, owner, clock, counters } = this.#options;
    const sentMs = clock.monotonicMs();
    this.#fence(view, view.provenMs ?? sentMs);
    view.wasClaimed = false;
    try {
      const { answer, marked } = await store.extend(view.name, { owner });
      counters.add("beats");
      this.#fence(view, sentMs);
      if (answer === "missing" && view.held > 0 && !view.isBusy && !view.wasClaimed) {
        worker.abortWhere(view.name, "all", "lease_lost");
      }
      if (marked.length > 0) worker.abortWhere(view.name, marked, "cancel");
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
    const { worker, clock, leaseMs } = this.#options;
    view.provenMs = provenMs;
    this.#fences.get(view.name)?.cancel();
    const fence = clock.setTimer(provenMs + leaseMs - MARGIN_MS - clock.monotonicMs(), () => {
      if (view.held > 0) worker.abortWhere(view.name, "all", "lease_lost");
    });
    fence.unref();
    this.#fences.set(view.name, fence);
  }

  /** Nothing is held there: nothing needs a beat or a fence. */
  #rest(view: SegmentView): void {
    view.provenMs = null;
    this.#fences.get(view.name)?.cancel();
    this.#fences.delete(view.name);
  }
}
