/**
 * In what order one pool asks the Segments where it may find work (elsewhere: deficit round robin).
 *
 * The highest waiting priority first. Among Segments of that priority three turns of four go to the oldest head (or to
 * the largest Segment), the fourth to whichever had none for longest: what is old goes faster, and nobody waits for more
 * than four times as many turns as there are Segments. A Segment of lower priority that had no turn for STARVED_MS gets one in
 * STARVED_SHARE. A Segment this process was called to help in comes behind all others of its priority.
 *
 * Nobody is asked for any of this: bells, claim answers and surveys carry it. Pure but for the clock; joined in
 * segments.ts, followed by the Feeder.
 */
import type { Clock } from "../base/clock.js";
import { SortedList } from "../base/sorted-list.js";
import type { SegmentView } from "./segment-view.js";

/** The priority of a Segment of which none is known yet: it is looked at before all others. */
export const UNKNOWN_PRIORITY = Number.POSITIVE_INFINITY;
/** Turns of which one goes by rotation, not by age. */
const ROTATION_SHARE = 4;
/** A Segment without a turn for so long gets one, whatever its priority. */
export const STARVED_MS = 1_000;
/** Turns of which one is for those. */
export const STARVED_SHARE = 8;

/** Which Segment of the highest priority goes first: the one with the oldest head, or the one where most waits. */
export type SegmentOrder = "oldest_first" | "largest_first";

/** What a hint tells of a Segment. */
export interface Hint {
  /** The largest priority that may wait there; default: unknown. */
  readonly priority?: number;
  /** Somebody else looks after it, and calls for help; default: no. */
  readonly isCall?: boolean;
}

/** What a claim left behind. */
export interface Left {
  readonly waiting: number;
  /** The largest priority that waits; null: nothing does. */
  readonly highest: number | null;
  /** When the last one that was taken had been enqueued, by its producer's wall clock; null: none was. */
  readonly takenMs: number | null;
}

/** A Segment's place in one rotation. */
export interface Turn {
  readonly view: SegmentView;
  /** Whether there may be ready work. */
  isHinted: boolean;
  /** This process was called to help there, and nothing else is known of it. */
  isCall: boolean;
  /** The largest priority that may wait there, or UNKNOWN_PRIORITY. */
  highest: number;
  /** About when what may be taken next was enqueued, in milliseconds since 1970; Infinity: not known. */
  headMs: number;
  /** How many waited, when last heard. */
  waiting: number;
  /** When it was last put into the order, by the monotonic clock, and the how-manieth that was. */
  sinceMs: number;
  serial: number;
  /** The largest priority hinted at since its turn was taken, or -Infinity, and when: no claim on its way forgets that. */
  rung: number;
  rungMs: number;
  /** How many times its turn was taken. */
  taken: number;
  /** The same of hints that told a priority: what a survey that began before them must not take back. */
  told: number;
}

/** The Segments one pool is to ask, in turn. */
export class Rotation {
  /** Queues the pool claims from. */
  readonly queues: readonly string[];
  readonly #clock: Clock;
  readonly #turns = new Map<SegmentView, Turn>();
  /** Hinted Segments: by rank and age, by rank and who had no turn for longest, and, calls left out, by that alone. */
  readonly #byAge: SortedList<Turn>;
  readonly #byRank = new SortedList<Turn>((a, b) => byRank(a, b) || a.serial - b.serial);
  readonly #bySerial = new SortedList<Turn>((a, b) => a.serial - b.serial);
  #serial = 0;
  #taken = 0;

  constructor(queues: readonly string[], clock: Clock, order: SegmentOrder) {
    this.queues = queues;
    this.#clock = clock;
    this.#byAge = new SortedList(order === "largest_first" ? byLargest : byOldest);
  }

  /** The place of a Segment, adding it if it is new. */
  turn(view: SegmentView): Turn {
    let turn = this.#turns.get(view);
    if (turn === undefined) {
      turn = {
        ...{ view, isHinted: false, isCall: false, highest: UNKNOWN_PRIORITY, headMs: Number.POSITIVE_INFINITY },
        ...{
          waiting: 0,
          sinceMs: 0,
          serial: 0,
          rung: Number.NEGATIVE_INFINITY,
          rungMs: 0,
          taken: 0,
          told: Number.NEGATIVE_INFINITY,
        },
      };
      this.#turns.set(view, turn);
    }
    return turn;
  }

  /** The largest priority among the Segments that can be asked now; -Infinity if there is none. */
  get highest(): number {
    return this.#byRank.find(isIdle)?.highest ?? Number.NEGATIVE_INFINITY;
  }

  /** Notes that a Segment may hold ready work. */
  hint(view: SegmentView, { priority = UNKNOWN_PRIORITY, isCall = false }: Hint = {}): void {
    const turn = this.turn(view);
    if (turn.rung === Number.NEGATIVE_INFINITY) turn.rungMs = this.#clock.nowMs();
    turn.rung = Math.max(turn.rung, priority);
    if (priority !== UNKNOWN_PRIORITY) turn.told = Math.max(turn.told, priority);
    if (turn.isHinted) {
      if (priority <= turn.highest && (isCall || !turn.isCall)) return;
      const wasIn = this.#drop(turn);
      turn.highest = Math.max(turn.highest, priority);
      turn.isCall &&= isCall;
      if (wasIn) this.#enter(turn);
      return;
    }
    turn.isHinted = true;
    turn.isCall = isCall;
    turn.highest = priority;
    turn.headMs = priority === UNKNOWN_PRIORITY ? Number.POSITIVE_INFINITY : turn.rungMs;
    turn.waiting = 0;
    this.#push(turn);
  }

  /** Learns what a survey saw: of the priority only if nothing is known yet, or no hint came while it looked. */
  saw(view: SegmentView, highest: number, waiting: number, isCalm: boolean): void {
    const turn = this.#turns.get(view);
    if (turn === undefined || !turn.isHinted || view.isBusy) return;
    const wasIn = this.#drop(turn);
    if (isCalm || turn.highest === UNKNOWN_PRIORITY) turn.highest = isCalm ? highest : Math.max(highest, turn.told);
    turn.waiting = waiting;
    if (wasIn) this.#enter(turn);
  }

  /** Takes the Segment whose turn it is, or null if no idle one is hinted; `settle` puts it back or ends its hint. */
  next(): Turn | null {
    const turn = this.#pick();
    if (turn === null) return null;
    this.#drop(turn);
    this.#taken++;
    turn.taken++;
    turn.rung = turn.told = Number.NEGATIVE_INFINITY;
    return turn;
  }

  /**
   * Ends a turn: behind all others if there may be more, else out of the rotation. Whether there may be; null: there was no
   * answer.
   */
  settle(turn: Turn, left: Left | null): boolean {
    const wasRung = turn.rung > Number.NEGATIVE_INFINITY;
    turn.isHinted = left !== null && (left.waiting > 0 || wasRung);
    if (left === null || !turn.isHinted) {
      turn.rung = turn.told = Number.NEGATIVE_INFINITY;
      return false;
    }
    turn.highest = Math.max(left.highest ?? Number.NEGATIVE_INFINITY, turn.rung);
    turn.waiting = left.waiting;
    if (left.waiting === 0) turn.headMs = turn.rungMs;
    else if (left.takenMs !== null) turn.headMs = left.takenMs;
    this.#push(turn);
    return true;
  }

  #push(turn: Turn): void {
    turn.sinceMs = this.#clock.monotonicMs();
    turn.serial = this.#serial++;
    this.#enter(turn);
  }

  #enter(turn: Turn): void {
    this.#byAge.add(turn);
    this.#byRank.add(turn);
    if (!turn.isCall) this.#bySerial.add(turn);
  }

  /** Takes it out of the order, before anything changes by which it stands there; whether it was in it. */
  #drop(turn: Turn): boolean {
    if (!turn.isCall) this.#bySerial.remove(turn);
    this.#byRank.remove(turn);
    return this.#byAge.remove(turn);
  }

  #pick(): Turn | null {
    if (this.#taken % STARVED_SHARE === STARVED_SHARE - 1) {
      const longest = this.#bySerial.find(isIdle);
      if (longest !== null && this.#clock.monotonicMs() - longest.sinceMs >= STARVED_MS) return longest;
    }
    const isByAge = this.#taken % ROTATION_SHARE < ROTATION_SHARE - 1;
    return (isByAge ? this.#byAge : this.#byRank).find(isIdle);
  }
}

function isIdle(turn: Turn): boolean {
  return !turn.view.isBusy;
}

/** By priority, the largest first; where help is needed, last. Differences would be no numbers: there are infinities. */
function byRank(a: Turn, b: Turn): number {
  if (a.highest !== b.highest) return a.highest > b.highest ? -1 : 1;
  if (a.isCall !== b.isCall) return a.isCall ? 1 : -1;
  return 0;
}

function byOldest(a: Turn, b: Turn): number {
  const rank = byRank(a, b);
  if (rank !== 0) return rank;
  if (a.headMs !== b.headMs) return a.headMs < b.headMs ? -1 : 1;
  return a.serial - b.serial;
}

function byLargest(a: Turn, b: Turn): number {
  return byRank(a, b) || b.waiting - a.waiting || a.serial - b.serial;
}
