/**
 * Duty: deletes what is past its retention, a bounded number of slices and dead letters a call.
 */
import { isResendable, type ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";

/** Finished slices and dead letters deleted in one call. */
const PRUNE_MAX = 256;
const SEGMENTS_MAX = 64;
const PATIENCE_MS = 500;

/** Prunes Segments in turn. */
export class Pruner {
  readonly #context: ResendContext;
  readonly #segments: Segments;
  #waiting: SegmentView[] = [];
  /** Asked and not answered yet. */
  readonly #pruning = new Set<SegmentView>();

  constructor(context: ResendContext, segments: Segments) {
    this.#context = context;
    this.#segments = segments;
  }

  /** One round. */
  async run(): Promise<void> {
    if (this.#waiting.length === 0) this.#waiting = [...this.#segments.all()];
    for (const view of this.#waiting.splice(0, SEGMENTS_MAX)) {
      if (!this.#pruning.has(view)) await this.#soon(this.#prune(view));
    }
  }

  async #prune(view: SegmentView): Promise<void> {
    this.#pruning.add(view);
    try {
      while ((await this.#context.store.prune(view.name, { max: PRUNE_MAX })).more);
    } catch (error) {
      if (!isResendable(error)) throw error;
    } finally {
      this.#pruning.delete(view);
    }
  }

  /** One after the other, to leave the store time for others; but a server that does not answer is not waited for. */
  async #soon(work: Promise<void>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.#context.clock.setTimer(PATIENCE_MS, resolve);
      work.then(resolve, reject).finally(() => timer.cancel());
    });
  }
}
