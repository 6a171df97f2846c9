/**
 * The Segments of an App as one process sees them: its own to write, all to claim from.
 *
 * Never found by scanning keys: the App's list is read at start, on reconnect and by a slow safety poll, and a bell
 * from an unknown Segment adds it. A *hint* says that a Segment may hold ready work in the Queues of a pool; each pool
 * follows its hints in a rotation of its own (rotation.ts), so a claim costs one call however many Segments there are,
 * none of them starves, and a pool is not sent to look for what only another can run.
 */
import type { Clock } from "../base/clock.js";
import type { Store } from "../engine/store.js";
import type { QueueCounts } from "../engine/transitions.js";
import { type Hint, Rotation, type SegmentOrder, UNKNOWN_PRIORITY } from "./rotation.js";
import type { SegmentView } from "./segment-view.js";

export type { SegmentView } from "./segment-view.js";

/** The directory of one process. */
export class Segments {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #order: SegmentOrder;
  readonly #views = new Map<string, SegmentView>();
  readonly #rotations = new Set<Rotation>();

  constructor(store: Store, clock: Clock, order: SegmentOrder = "oldest_first") {
    this.#store = store;
    this.#clock = clock;
    this.#order = order;
  }

  /** All Segments known. */
  all(): Iterable<SegmentView> {
    return this.#views.values();
  }

  /** How many Segments are known. */
  get size(): number {
    return this.#views.size;
  }

  /** Adds a rotation over these Queues; it is told of hints until `leave`. */
  join(queues: readonly string[]): Rotation {
    const rotation = new Rotation(queues, this.#clock, this.#order);
    this.#rotations.add(rotation);
    return rotation;
  }

  /** Takes a rotation out. */
  leave(rotation: Rotation): void {
    this.#rotations.delete(rotation);
  }

  /** Returns the view of a Segment, adding it if it is new. */
  view(name: string): SegmentView {
    let view = this.#views.get(name);
    if (view === undefined) {
      view = {
        ...{ name, hints: 0, isBusy: false, askedMs: null, request: 0, refusals: 0 },
        ...{ held: 0, claimed: 0, ready: 0, work: 0, ended: 0 },
        ...{ isAttended: false, wasClaimed: false, provenMs: null },
      };
      this.#views.set(name, view);
    }
    return view;
  }

  /** Notes that a Segment may hold ready work: in one Queue, or in any. */
  hint(name: string, queue: string | null = null, hint: Hint = {}): SegmentView {
    const view = this.view(name);
    view.hints++;
    for (const rotation of this.#rotations) {
      if (queue === null || rotation.queues.includes(queue)) rotation.hint(view, hint);
    }
    return view;
  }

  /** The largest priority that may wait in a Queue of a Segment, as far as anything is known of it; else the default, 0. */
  highest(name: string, queue: string): number {
    const view = this.view(name);
    let highest = Number.NEGATIVE_INFINITY;
    for (const rotation of this.#rotations) {
      if (!rotation.queues.includes(queue)) continue;
      const turn = rotation.turn(view);
      if (turn.isHinted && turn.highest !== UNKNOWN_PRIORITY) highest = Math.max(highest, turn.highest);
    }
    return Number.isFinite(highest) ? highest : 0;
  }

  /** Learns what a survey saw in the Queues that can be claimed from; `isCalm`: no hint came while it looked. */
  saw(view: SegmentView, queues: readonly QueueCounts[], isCalm: boolean): void {
    for (const rotation of this.#rotations) {
      const { highest, ready } = sumOf(queues, rotation);
      if (ready > 0) rotation.saw(view, highest, ready, isCalm);
    }
  }

  /** Hints where ready work was seen in these Queues although no hint told of it; whether there was such a place. */
  found(view: SegmentView, queues: readonly QueueCounts[]): boolean {
    let isNews = false;
    for (const rotation of this.#rotations) {
      const turn = rotation.turn(view);
      const { highest, ready } = sumOf(queues, rotation);
      if (ready === 0 || (turn.isHinted && !turn.isCall)) continue;
      rotation.hint(view, { priority: highest });
      isNews = true;
    }
    return isNews;
  }

  /** Reads the App's list and hints every Segment that is new. */
  async refresh(): Promise<void> {
    for (const name of await this.#store.segments()) if (!this.#views.has(name)) this.hint(name);
  }

  /** Hints every Segment: after a reconnect, when bells may have been missed. */
  hintAll(): void {
    for (const name of this.#views.keys()) this.hint(name);
  }
}

/** What waits in the Queues of a rotation. */
function sumOf(queues: readonly QueueCounts[], rotation: Rotation): { highest: number; ready: number } {
  const sum = { highest: Number.NEGATIVE_INFINITY, ready: 0 };
  for (const one of queues) {
    if (!rotation.queues.includes(one.queue)) continue;
    sum.highest = Math.max(sum.highest, one.highest ?? 0);
    sum.ready += one.ready;
  }
  return sum;
}
