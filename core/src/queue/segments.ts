/**
 * The Segments of an App as one process sees them: its own to write, all to claim from.
 *
 * Never found by scanning keys: the App's list is read at start, on reconnect and by a slow safety poll, and a bell
 * from an unknown Segment adds it. A *hint* says that a Segment may hold ready work; claims follow hints in rotation,
 * so a claim costs one call however many Segments there are, and none of them starves.
 */
import type { Store } from "../engine/store.js";

/** What one process knows of a Segment. */
export interface SegmentView {
  readonly name: string;
  /** Raised by every hint; compared across a claim, so that a hint that came meanwhile is not forgotten. */
  hints: number;
  /** Whether there may be ready work. */
  isHinted: boolean;
  /** A claim is on its way. */
  isBusy: boolean;
  /** Number of the last claim request. */
  request: number;
  /** Operations this process holds there. */
  held: number;
  /** Whether anything was claimed since the last beat. */
  wasClaimed: boolean;
  /** When the last good beat was sent, or the first claim after holding nothing, by the monotonic clock; else null. */
  provenMs: number | null;
}

/** The directory of one process. */
export class Segments {
  readonly #store: Store;
  readonly #views = new Map<string, SegmentView>();
  /** Rotation: hinted Segments in the order they are to be asked. */
  #rotation: SegmentView[] = [];

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

  /** Returns the view of a Segment, adding it if it is new. */
  view(name: string): SegmentView {
    let view = this.#views.get(name);
    if (view === undefined) {
      view = { name, hints: 0, isHinted: false, isBusy: false, request: 0, held: 0, wasClaimed: false, provenMs: null };
      this.#views.set(name, view);
    }
    return view;
  }

  /** Notes that a Segment may hold ready work. */
  hint(name: string): SegmentView {
    const view = this.view(name);
    view.hints++;
    if (!view.isHinted) {
      view.isHinted = true;
      this.#rotation.push(view);
    }
    return view;
  }

  /** Takes the Segment whose turn it is, or null if no idle one is hinted; `settle` puts it back or ends its hint. */
  next(): SegmentView | null {
    const at = this.#rotation.findIndex((view) => !view.isBusy);
    if (at < 0) return null;
    const [view] = this.#rotation.splice(at, 1);
    return view ?? null;
  }

  /** Ends a turn: behind all others if there may be more, else out of the rotation. */
  settle(view: SegmentView, mayHoldMore: boolean): void {
    view.isHinted = mayHoldMore;
    if (mayHoldMore) this.#rotation.push(view);
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
