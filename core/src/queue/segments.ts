/**
 * The Segments of an App as one process sees them: its own to write, all to claim from.
 *
 * Never found by scanning keys: the App's list is read at start, on reconnect and by a slow safety poll, and a bell
 * from an unknown Segment adds it. A *hint* says that a Segment may hold ready work in the Queues of a pool; each pool
 * follows its hints in a rotation of its own, so a claim costs one call however many Segments there are, none of them
 * starves, and a pool is not sent to look for what only another can run.
 */
import type { Store } from "../engine/store.js";

/** What one process knows of a Segment. */
export interface SegmentView {
  readonly name: string;
  /** Raised by every hint. */
  hints: number;
  /** A claim is on its way: one at a time, whichever pool sent it, since claims are numbered per owner and Segment. */
  isBusy: boolean;
  /** When the claim under way was sent, by the monotonic clock: it may hold something already; else null. */
  askedMs: number | null;
  /** Number of the last claim request. */
  request: number;
  /** Operations this process holds there. */
  held: number;
  /** Claims refused in a row. */
  refusals: number;
  /** Operations this process has claimed there so far. */
  claimed: number;
  /** Ready Operations there, and all that have not ended, at the last survey. */
  ready: number;
  work: number;
  /** Its bells come to this process first: it is the one to call for help there. */
  isAttended: boolean;
  /** Operations that had ended there at the last survey. */
  ended: number;
  /** Whether anything was claimed since the last beat. */
  wasClaimed: boolean;
  /** When the last good beat was sent, or the first claim after holding nothing, by the monotonic clock; else null. */
  provenMs: number | null;
}

/** A Segment's place in one rotation. */
export interface Turn {
  readonly view: SegmentView;
  /** Raised by every hint; compared across a claim, so that a hint that came meanwhile is not forgotten. */
  hints: number;
  /** Whether there may be ready work. */
  isHinted: boolean;
}

/** The Segments one pool is to ask, in turn. */
export class Rotation {
  /** Queues the pool claims from. */
  readonly queues: readonly string[];
  readonly #turns = new Map<SegmentView, Turn>();
  /** Hinted Segments in the order they are to be asked. */
  #order: Turn[] = [];

  constructor(queues: readonly string[]) {
    this.queues = queues;
  }

  /** The place of a Segment, adding it if it is new. */
  turn(view: SegmentView): Turn {
    let turn = this.#turns.get(view);
    if (turn === undefined) {
      turn = { view, hints: 0, isHinted: false };
      this.#turns.set(view, turn);
    }
    return turn;
  }

  /** Notes that a Segment may hold ready work. */
  hint(view: SegmentView): void {
    const turn = this.turn(view);
    turn.hints++;
    if (turn.isHinted) return;
    turn.isHinted = true;
    this.#order.push(turn);
  }

  /** Takes the Segment whose turn it is, or null if no idle one is hinted; `settle` puts it back or ends its hint. */
  next(): Turn | null {
    const at = this.#order.findIndex((turn) => !turn.view.isBusy);
    if (at < 0) return null;
    const [turn] = this.#order.splice(at, 1);
    return turn ?? null;
  }

  /** Ends a turn: behind all others if there may be more, else out of the rotation. */
  settle(turn: Turn, mayHoldMore: boolean): void {
    turn.isHinted = mayHoldMore;
    if (mayHoldMore) this.#order.push(turn);
  }
}

/** The directory of one process. */
export class Segments {
  readonly #store: Store;
  readonly #views = new Map<string, SegmentView>();
  readonly #rotations = new Set<Rotation>();

  constructor(store: Store) {
    this.#store = store;
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
    const rotation = new Rotation(queues);
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
  hint(name: string, queue: string | null = null): SegmentView {
    const view = this.view(name);
    view.hints++;
    for (const rotation of this.#rotations) {
      if (queue === null || rotation.queues.includes(queue)) rotation.hint(view);
    }
    return view;
  }

  /** Hints where ready work was seen in these Queues although no hint told of it; whether there was such a place. */
  found(view: SegmentView, queues: readonly string[]): boolean {
    let isNews = false;
    for (const rotation of this.#rotations) {
      if (rotation.turn(view).isHinted || !queues.some((queue) => rotation.queues.includes(queue))) continue;
      rotation.hint(view);
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
