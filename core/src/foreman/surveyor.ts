/**
 * Duty: looks at Segments in turn, a bounded number each round: the safety net under bells and due-time timers, and
 * the eyes of the rescuer. What it finds that a bell should have told is counted.
 */
import type { CountsAnswer } from "../engine/transitions.js";
import { isResendable, type ResendContext } from "../queue/resend.js";
import type { Segments, SegmentView } from "../queue/segments.js";
import type { Promoter } from "./promoter.js";
import type { Rescuer } from "./rescuer.js";

/** Segments looked at in one round. */
const SEGMENTS_MAX = 64;
/** A round waits so long for its answers; later ones still count, and their Segments are not asked again meanwhile. */
const ROUND_MS = 1_000;
/** An answer that took so long tells of a server that was cut off or stood still. */
const BLIND_MS = 2_000;
/** Rounds between two readings of the App's list of Segments. */
const REFRESH_ROUNDS = 3;

/** What the surveyor needs. */
export interface SurveyorOptions extends ResendContext {
  readonly segments: Segments;
  readonly promoter: Promoter;
  readonly rescuer: Rescuer;
  /** Called when ready work was found. */
  readonly found: () => void;
  /** Told what each look saw. */
  readonly looked?: (segment: string, counts: CountsAnswer) => void;
}

/** Surveys Segments. */
export class Surveyor {
  readonly #options: SurveyorOptions;
  #waiting: SegmentView[] = [];
  /** Asked and not answered yet: a server that does not answer holds up the look at no other. */
  readonly #looking = new Set<SegmentView>();
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
    const due = this.#waiting.splice(0, SEGMENTS_MAX).filter((view) => !this.#looking.has(view));
    await this.#atMost(ROUND_MS, Promise.all(due.map((view) => this.#tryLook(view))));
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const timer = this.#options.clock.setTimer(ms, resolve);
      work.then(
        () => {
          timer.cancel();
          resolve();
        },
        (error: unknown) => {
          timer.cancel();
          reject(error);
        },
      );
    });
  }

  /** A Segment whose server does not answer is looked at in a later round. */
  async #tryLook(view: SegmentView): Promise<void> {
    this.#looking.add(view);
    try {
      await this.#look(view);
    } catch (error) {
      this.#options.rescuer.reset([view.name]);
      if (!isResendable(error)) throw error;
    } finally {
      this.#looking.delete(view);
    }
  }

  async #look(view: SegmentView): Promise<void> {
    const { store, promoter, rescuer, clock } = this.#options;
    const { hints, ready, ended } = view;
    const askedMs = clock.monotonicMs();
    const counts = await store.counts(view.name);
    this.#options.looked?.(view.name, counts);
    // Who could not look has seen nobody silent: owners get their beats through with the same delay as we our answer.
    if (clock.monotonicMs() - askedMs >= BLIND_MS) rescuer.reset([view.name]);
    const { completed, failed, cancelled, skipped } = counts.totals;
    view.ended = completed + failed + cancelled + skipped;
    // What others attend is found ready at any moment; only where nothing has ended since the last look is nobody there.
    const isLeft = view.isAttended || (ready > 0 && ended === view.ended);
    view.ready = counts.queues.reduce((sum, { ready }) => sum + ready, 0);
    view.work = view.ready + counts.scheduled + counts.running;
    if (counts.nextDueInMs !== null) promoter.expect(view.name, counts.nextDueInMs);
    const claimable = counts.queues.filter((one) => one.ready > 0 && !one.isPaused);
    const isCalm = view.hints === hints;
    this.#options.segments.saw(view, claimable, isCalm);
    if (isLeft && isCalm && this.#options.segments.found(view, claimable)) {
      this.#options.counters.add("safetyFinds");
      this.#options.found();
    }
    await rescuer.see(view.name, counts.owners);
  }
}
