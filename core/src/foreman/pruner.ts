/**
 * Duty: deletes what is past its retention, a bounded number of slices and dead letters a call.
 */
import type { ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";

/** Finished slices and dead letters deleted in one call. */
const PRUNE_MAX = 256;
const SEGMENTS_MAX = 64;

/** Prunes Segments in turn. */
export class Pruner {
  readonly #context: ResendContext;
  readonly #segments: Segments;
  #waiting: SegmentView[] = [];

  constructor(context: ResendContext, segments: Segments) {
    this.#context = context;
    this.#segments = segments;
  }

  /** One round. */
  async run(): Promise<void> {
    if (this.#waiting.length === 0) this.#waiting = [...this.#segments.all()];
    for (const view of this.#waiting.splice(0, SEGMENTS_MAX)) {
      while ((await this.#context.store.prune(view.name, { max: PRUNE_MAX })).more);
    }
  }
}
