/**
 * Duty: looks at Segments in turn, a bounded number each round: the safety net under bells and due-time timers, and
 * the eyes of the rescuer. What it finds that a bell should have told is counted.
 */
import type { CountsAnswer } from "../engine/transitions.js";
import type { ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { Promoter } from "./promoter.js";
import type { Rescuer } from "./rescuer.js";

/** Segments looked at in one round. */
const SEGMENTS_MAX = 64;
/** Rounds between two readings of the App's list of Segments. */
const REFRESH_ROUNDS = 3;

/** What the surveyor needs. */
export interface SurveyorOptions extends ResendContext {
  readonly segments: Segments;
  readonly promoter: Promoter;
  readonly rescuer: Rescuer;
  readonly queues: readonly string[];
  /** Called when ready work was found. */
  readonly found: () => void;
}

/** Surveys Segments. */
export class Surveyor {
  readonly #options: SurveyorOptions;
  #waiting: SegmentView[] = [];
  #round = 0;

  constructor(options: SurveyorOptions) {
    this.#options = options;
  }

  /** One round. */
  async run(): Promise<void> {
    const { segments, counters } = this.#options;
    if (this.#round++ % REFRESH_ROUNDS === 0) await segments.refresh();
    if (this.#waiting.length === 0) this.#waiting = [...segments.all()];
    counters.add("safetyPolls");
    await Promise.all(this.#waiting.splice(0, SEGMENTS_MAX).map((view) => this.#look(view)));
  }

  async #look(view: SegmentView): Promise<void> {
    const { store, promoter, rescuer, clock } = this.#options;
    const hints = view.hints;
    const counts = await store.counts(view.name);
    if (counts.nextDueAtMs !== null) promoter.expect(view.name, counts.nextDueAtMs - clock.nowMs());
    if (!view.isHinted && view.hints === hints && this.#hasReady(counts)) {
      this.#options.counters.add("safetyFinds");
      this.#options.segments.hint(view.name);
      this.#options.found();
    }
    await rescuer.see(view.name, counts.owners);
  }

  #hasReady(counts: CountsAnswer): boolean {
    const { queues } = this.#options;
    return counts.queues.some((one) => one.ready > 0 && !one.isPaused && queues.includes(one.queue));
  }
}
