/**
 * Duty: proves that this incarnation lives (elsewhere: heartbeat, lock extension). One call per Segment in which it
 * holds work, whatever the number of Operations; the answer says what was cancelled meanwhile.
 *
 * Self-fence: if no beat got through for nearly a Lease, counted from *sending* the last good one, others may be about
 * to rescue; what runs there is told to end before that.
 */
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
  /** When the last good beat of a Segment was sent, by the monotonic clock. */
  readonly #goodMs = new Map<string, number>();

  constructor(options: BeaterOptions) {
    this.#options = options;
  }

  /** One round: beats wherever something is held, or was claimed since the last round. */
  async run(): Promise<void> {
    const due: SegmentView[] = [];
    for (const view of this.#options.segments.all()) {
      if (view.held > 0 || view.wasClaimed) due.push(view);
      else this.#goodMs.delete(view.name);
    }
    await Promise.all(due.map((view) => this.beat(view)));
  }

  /** Beats in one Segment: at once when something there was marked for cancelling. */
  async beat(view: SegmentView): Promise<void> {
    const { store, worker, owner, clock, counters, leaseMs } = this.#options;
    const sentMs = clock.monotonicMs();
    const lastMs = this.#goodMs.get(view.name);
    if (lastMs === undefined) this.#goodMs.set(view.name, sentMs);
    else if (sentMs - lastMs > leaseMs - MARGIN_MS && view.held > 0) worker.abortWhere(view.name, "all", "lease_lost");
    view.wasClaimed = false;
    try {
      const { answer, marked } = await store.extend(view.name, { owner });
      counters.add("beats");
      this.#goodMs.set(view.name, sentMs);
      if (answer === "missing" && view.held > 0 && !view.isBusy && !view.wasClaimed) {
        worker.abortWhere(view.name, "all", "lease_lost");
      }
      if (marked.length > 0) worker.abortWhere(view.name, marked, "cancel");
    } catch {
      view.wasClaimed = true; // unknown: the next round beats again, and the self-fence above judges by time
    }
  }
}
