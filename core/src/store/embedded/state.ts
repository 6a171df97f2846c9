/**
 * The state of one Segment as the machine keeps it, and the few moves everything else is made of.
 *
 * Where an Operation is, at any moment, is exactly one of:
 *   - waiting on the fast path: an element of a Run in a ready list, above its lane's claimed mark, without an object;
 *   - an Operation in its lane's index: scheduled (in `due`), ready (in a list), running (held by an Owner) or failed
 *     (in `dead`);
 *   - a Finished in its lane's index and in one slice: completed, cancelled or skipped;
 *   - gone: nothing is stored but the marks of its lane, or the memory of its dot.
 * An element that was cancelled while waiting stays on its list, withdrawn, until a claim pops it. One that is tied and
 * ready may be parked, at a gate or in a line, and is on no list then.
 *
 * `dirty` lists the records a durable store must write since it last looked; with `tracks` false it stays empty.
 * No I/O, no clock, no chance; imported by the machine's moves, by snapshot.ts and by layout.ts.
 */
import { Deque } from "../../base/deque.js";
import { formatCounter } from "../../base/id.js";
import { isTiedLane, TIED_LANE } from "../../engine/lease.js";
import type { FlowTie, FullTie, GateTie, SlotTie } from "../../engine/ties.js";
import { type LiveNumber, noTotals, type Settled, type Totals } from "../../engine/transitions.js";
import { TimeHeap } from "./heap.js";
import { type Counts, type KeptEnd, type Shelf, Shelved } from "./shelf.js";

/** The schema number of the root record. */
export const SCHEMA = 1;

/** The generation of a new Operation; `requeue` opens the next. */
export const FIRST_GENERATION = 0;

/** No bytes. */
export const EMPTY = new Uint8Array(0);

/** A Run takes no further bodies once it holds this many bytes: what one waiting Operation can keep alive. */
export const RUN_BYTES_MAX = 64 * 1024;

/** A Run takes no further bodies once it holds this many. */
export const RUN_BODIES_MAX = 1000;

const PAGE_BITS = 8;
const PAGE_SIZE = 1 << PAGE_BITS;
const PAGE_MASK = PAGE_SIZE - 1;

/** A stream of Operations of one incarnation: into one Queue, or (queue `null`) by the full path. */
export interface Lane {
  readonly number: number;
  /** `incarnation.digits`. */
  readonly name: string;
  /** What stands before the counter in the ids of this lane, and after it. */
  readonly idHead: string;
  readonly idTail: string;
  readonly queue: Queue | null;
  accepted: number;
  claimed: number;
  /**
   * Counters that the mark was raised over (`announce`): what there was, nobody knows. Not empty: the lane is sealed. Not
   * kept on disk: with its writer it ends.
   */
  readonly gaps: (readonly [first: number, last: number])[];
  /** Counter → what is known of it, in pages of 256; a page goes with its last entry. */
  readonly pages: Map<number, Page>;
  lastPage: Page;
  /** Counters cancelled while waiting that are still on their list: with their element, null on the fast path. */
  readonly withdrawn: Map<number, Operation | null>;
  /** Counters somebody waits for. */
  readonly waited: Set<number>;
  /** Counters enqueued anew, long after their memory ended: when their life before ended, until this one does. */
  readonly relived: Map<number, number>;
  isDirty: boolean;
}

/** Entries of 256 neighbouring counters. */
export interface Page {
  readonly number: number;
  readonly entries: (Entry | undefined)[];
  used: number;
}

/** Neighbouring Operations of one lane that wait on the fast path; one element of a ready list. */
export interface Run {
  readonly isRun: true;
  readonly lane: Lane;
  /** Counter of `bodies[0]`. */
  readonly first: number;
  readonly bodies: Uint8Array[];
  /** Of a tied lane: the gates of each; else null. */
  readonly gates: (readonly GateTie[])[] | null;
  bytes: number;
  /** How many were popped. */
  popped: number;
  /** Place in its list, see ReadyList. */
  order: number;
  /** How many of it are waiting, or running without a record of their own. A durable store keeps the Run till 0. */
  live: number;
  /** Written to disk: takes no further bodies. */
  isSealed: boolean;
  isDirty: boolean;
}

/** An Operation with a record: all but what waits on the fast path and what is finished. */
export interface Operation {
  readonly isRun: false;
  readonly lane: Lane;
  readonly counter: number;
  /** Queue and bytes are changed by redrive alone. */
  queue: Queue;
  readonly priority: number;
  body: Uint8Array;
  state: "scheduled" | "ready" | "running" | "failed";
  generation: number;
  /** Failed Attempts so far; once failed for good, the Attempt that ended it. */
  attempt: number;
  recoveries: number;
  returns: number;
  /** The token whose outcome was taken last, 0 if none. */
  token: number;
  /** The running Attempt's token, 0 unless running. */
  heldToken: number;
  /** The claim that took it; null unless running. */
  taking: Taking | null;
  /** Its place in that claim. */
  takingIndex: number;
  /** Neighbours in the order its owner claimed. */
  heldBefore: Operation | null;
  heldAfter: Operation | null;
  /** Due time if scheduled, expiry if failed. */
  timeMs: number;
  heapIndex: number;
  /** Place in its list while ready. */
  order: number;
  finishedAtMs: number;
  /** The last error, or the poison it failed with. */
  value: Uint8Array | null;
  progress: Uint8Array | null;
  /** The reason of the first cancel while running. */
  cancelReason: Uint8Array | null;
  /** Cancelled while ready: this object is only the element left on the list. Or failed so: then it is the record, too. */
  isWithdrawn: boolean;
  /** What it must let go of; null for nearly all. */
  tied: Tied | null;
  /** When it lapses; null for nearly all. */
  lapse: Lapse | null;
  /** Where its bytes are stored while it has no record of its own; null on the full path and in `memory:`. */
  run: Run | null;
  /** It left the index for good. */
  isGone: boolean;
  isDirty: boolean;
  /** A record of its own is on disk. */
  isStored: boolean;
  /** Progress or a cancel mark is on disk. */
  hasNotes: boolean;
  areNotesDirty: boolean;
}

/** The ties of an Operation, by the names of what it is tied to, and where it waits for them. */
export interface Tied {
  readonly key: string | null;
  readonly line: string | null;
  readonly gates: readonly GateTie[];
  readonly flow: FlowTie | null;
  /** Where it is parked: ready, and on no list. */
  parkedAt: Gate | Line | null;
  /** The gate it was parked at, while it is on its list for that. */
  candidateOf: Gate | null;
  /** Its number at gates, kept while it waits, if it has no flow; its number in its line. */
  ticket: number;
  lineTicket: number;
}

/** When an Operation that waits fails, and with what; in `lapses` until it has ended or was marked for it. */
export interface Lapse {
  readonly lane: Lane;
  readonly counter: number;
  readonly operation: Operation;
  /** When it must have been claimed, until it was; Infinity for any time. */
  startByMs: number;
  /** When it must have ended; Infinity for any time. */
  readonly endByMs: number;
  /** The earlier of the two. */
  timeMs: number;
  heapIndex: number;
  readonly retainMs: number;
  readonly value: Uint8Array;
}

/** A place where only so many run at once, or one in so much time; it is there while it has something to remember. */
export interface Gate {
  readonly name: string;
  /** Slots taken: by what runs. */
  used: number;
  /** The newest number of slots, if one came while it was in use; null while each tie's own counts. */
  limit: number | null;
  /** Until when a pace is taken up; 0 otherwise. */
  takenMs: number;
  /** When a pace lets the next one through, while something is parked there; else null. */
  opensAtMs: number | null;
  /** By ticket, or by tag where there are flows: `timeMs` has it. */
  readonly parked: TimeHeap<Operation>;
  /** What makes it a fair gate (fair.ts); null for those that Operations are tied to. */
  readonly fair: FairTimes | null;
}

/** One that met a full gate, and is to end, or to have another's place. */
export interface Met {
  readonly operation: Operation;
  readonly tie: SlotTie;
  readonly full: FullTie;
}

/** The number of a gate, or of several, that somebody has set from outside. */
export interface LiveLimit {
  readonly number: LiveNumber;
  readonly sinceMs: number;
}

/** The times of a fair gate, on a clock that runs by work. */
export interface FairTimes {
  readonly queue: Queue;
  readonly priority: number;
  /** The highest tag that was let run. */
  clock: number;
  /** Up to where each flow is served; what is not beyond the clock counts for nothing. */
  readonly served: Map<string, number>;
  /** At which size those are thrown out. */
  sweepAt: number;
}

/** The gate beside a ready list, where what bears a flow waits. */
export type FairGate = Gate & { readonly fair: FairTimes };

/** Operations that go one behind another; it is there while somebody stands in it. */
export interface Line {
  readonly name: string;
  /** All that have not ended, the first one parked no more. */
  readonly members: Deque<Operation>;
}

/** A key and its holder. */
export interface HeldKey {
  readonly name: string;
  readonly lane: Lane;
  readonly counter: number;
  /** 8 bytes, as latin1. */
  readonly digest: string;
  /** False once the holder has ended; then it is in `expiries`. */
  isLive: boolean;
  /** End of the window, 0 if there is none. */
  timeMs: number;
  heapIndex: number;
}

/** What is kept of a completed, cancelled or skipped Operation; the rest of it stands on the shelf of its slice. */
export class Finished extends Shelved {
  readonly lane: Lane;
  readonly counter: number;
  readonly state: FinishedState;

  constructor(slice: Slice, life: Life, end: End, finishedAtMs: number) {
    super(slice.shelf, life, end, finishedAtMs);
    this.lane = life.lane;
    this.counter = life.counter;
    this.state = end.state;
  }
}

/** How what is finished has ended. */
export type FinishedState = "completed" | "cancelled" | "skipped";

/** Whose life ended: an Operation is one. */
export interface Life extends Counts {
  readonly lane: Lane;
  readonly counter: number;
}

/** How it ended. */
export interface End extends KeptEnd {
  readonly state: FinishedState;
}

/** What an index knows of a counter. */
export type Entry = Operation | Finished;

/** One claim that took something. */
export interface Taking {
  /** Rises with every claim of the Segment. */
  readonly number: number;
  readonly owner: Owner;
  readonly request: number;
  readonly token: number;
  /** What it took; a durable store keeps a record of those still held. Empty in `memory:`. */
  readonly taken: Operation[];
  isDirty: boolean;
  isStored: boolean;
}

/** One incarnation that has claimed here. */
export interface Owner {
  readonly name: string;
  beat: number;
  lastRequest: number;
  held: number;
  /** First and last of what it holds, in the order it was claimed. */
  first: Operation | null;
  last: Operation | null;
  /** How many of them are marked for cancelling. */
  marked: number;
  isGone: boolean;
  isDirty: boolean;
}

/** One Queue. */
export interface Queue {
  readonly name: string;
  isPaused: boolean;
  /** Lists that hold something, larger priority first. */
  readonly active: ReadyList[];
  readonly lists: Map<number, ReadyList>;
  /** Fair gates where something waits, larger priority first. */
  readonly waiting: FairGate[];
  /** Elements on its lists, and how many of them were cancelled while waiting. */
  length: number;
  withdrawn: number;
  isDirty: boolean;
}

/** One priority of a Queue. Orders rise to the end: the end takes `back` and counts up, the front counts down. */
export interface ReadyList {
  readonly queue: Queue;
  readonly priority: number;
  readonly elements: Deque<Run | Operation>;
  /** Operations on it, withdrawn ones included. */
  length: number;
  front: number;
  back: number;
}

/** Finished records that expire together. */
export interface Slice {
  /** Its width is 2^bits milliseconds. */
  readonly bits: number;
  readonly number: number;
  readonly expiresAtMs: number;
  readonly records: Finished[];
  readonly shelf: Shelf;
  /** How many of the records are on disk, in how many chunks. */
  stored: number;
  chunks: number;
  isGone: boolean;
  isDirty: boolean;
}

/** The dots enqueued by the full path in one window of ID_MEMORY_MS. */
export interface MemoryWindow {
  readonly number: number;
  /** Lane number → counter → the first 8 bytes of the SHA-1, as latin1. */
  readonly lanes: Map<number, Map<number, string>>;
  size: number;
  /** What is not on disk yet, and how many chunks are. */
  readonly unstored: { readonly lane: number; readonly counter: number; readonly sha1: string }[];
  chunks: number;
  isGone: boolean;
  isDirty: boolean;
}

/** What a transition announces. */
export type MachineEvent =
  | { readonly kind: "bell"; readonly queue: string; priority: number }
  | { readonly kind: "due"; readonly inMs: number }
  | { readonly kind: "settled"; readonly outcome: Settled }
  | { readonly kind: "progressed"; readonly id: string; readonly value: Uint8Array }
  | { readonly kind: "marked"; readonly owner: string };

/** The records touched since a durable store last looked; each list may name what is gone meanwhile. */
export interface Dirty {
  root: boolean;
  readonly lanes: Lane[];
  readonly queues: Queue[];
  readonly owners: Owner[];
  readonly runs: Run[];
  readonly takings: Taking[];
  readonly operations: Operation[];
  readonly notes: Operation[];
  readonly slices: Slice[];
  readonly windows: MemoryWindow[];
  /** Names of keys taken, let go or forgotten. */
  readonly keys: Set<string>;
  /** Names of paces whose times changed. */
  readonly paces: Set<string>;
  /** Names of live limits set, taken back, or told of. */
  readonly live: Set<string>;
  /** Of fair gates: their name, and a flow or nothing (its clock). */
  readonly fair: Set<string>;
  /** Fast-path elements withdrawn (`isThere`) or popped since. */
  readonly withdrawn: { readonly lane: Lane; readonly counter: number; readonly isThere: boolean }[];
  /** Finished records deleted (`isThere`), or gone with their slice, since. */
  readonly erased: { readonly finished: Finished; readonly isThere: boolean }[];
}

/** One Segment. */
export interface SegmentState {
  readonly segment: string;
  /** By number, that of a tied lane without its highest bit; place 0 stays empty. */
  readonly lanes: (Lane | undefined)[];
  readonly lanesByName: Map<string, Lane>;
  readonly queues: Map<string, Queue>;
  readonly owners: Map<string, Owner>;
  readonly due: TimeHeap<Operation>;
  readonly dead: TimeHeap<Operation>;
  /** By expiry, narrower first. */
  readonly slices: Slice[];
  /** Finished records that were deleted: out of the index, still in their slices. */
  readonly erased: Set<Finished>;
  /** Present and last window, oldest first; older ones until pruned. */
  readonly windows: MemoryWindow[];
  readonly keys: Map<string, HeldKey>;
  /** Keys whose holder has ended, by the end of their window. */
  readonly expiries: TimeHeap<HeldKey>;
  readonly lines: Map<string, Line>;
  readonly gates: Map<string, Gate>;
  /** Paces where something is parked. */
  readonly opening: Set<Gate>;
  /** Live limits, by a gate's name or what comes before its colon. */
  readonly live: Map<string, LiveLimit>;
  /** Names of live limits, set or taken back, of which not all that is parked was told. */
  readonly settling: Set<string>;
  /** By when they lapse. */
  readonly lapses: TimeHeap<Lapse>;
  /** Tied Operations that ended or went back in the transition under way, in that order. */
  loose: { readonly operation: Operation; readonly didRun: boolean }[];
  /** What met full gates in the transition under way that do more than keep it waiting, in that order. */
  met: Met[];
  readonly totals: { -readonly [Name in keyof Totals]: Totals[Name] };
  running: number;
  /** How many are ready and parked. */
  parked: number;
  lastToken: number;
  lastTaking: number;
  lastTicket: number;
  /** The last ticket given before the transition under way. */
  ticketBefore: number;
  /** Told by the transitions since they were last taken. */
  events: MachineEvent[];
  readonly tracks: boolean;
  readonly dirty: Dirty;
}

/** Makes an empty Segment. `tracks`: whether touched records are listed in `dirty`. */
export function newSegment(segment: string, tracks = false): SegmentState {
  return {
    segment,
    lanes: [undefined],
    lanesByName: new Map(),
    queues: new Map(),
    owners: new Map(),
    due: new TimeHeap(),
    dead: new TimeHeap(),
    slices: [],
    erased: new Set(),
    windows: [],
    keys: new Map(),
    expiries: new TimeHeap(),
    lines: new Map(),
    gates: new Map(),
    opening: new Set(),
    live: new Map(),
    settling: new Set(),
    lapses: new TimeHeap(),
    loose: [],
    met: [],
    totals: noTotals(),
    running: 0,
    parked: 0,
    lastToken: 0,
    lastTaking: 0,
    lastTicket: 0,
    ticketBefore: 0,
    events: [],
    tracks,
    dirty: {
      root: tracks,
      lanes: [],
      queues: [],
      owners: [],
      runs: [],
      takings: [],
      operations: [],
      notes: [],
      slices: [],
      windows: [],
      keys: new Set(),
      paces: new Set(),
      live: new Set(),
      fair: new Set(),
      withdrawn: [],
      erased: [],
    },
  };
}

// ── Lanes and their index ──────────────────────────────────────────────────────────────────────────────────────────

const NO_PAGE: Page = { number: -1, entries: [], used: 0 };

/** Makes a lane and enters it. */
export function addLane(state: SegmentState, number: number, name: string, queue: Queue | null): Lane {
  const cut = name.lastIndexOf(".");
  const lane: Lane = {
    number,
    name,
    idHead: `${state.segment}.${name.slice(0, cut)}.`,
    idTail: name.slice(cut + 1),
    queue,
    accepted: 0,
    claimed: 0,
    gaps: [],
    pages: new Map(),
    lastPage: NO_PAGE,
    withdrawn: new Map(),
    waited: new Set(),
    relived: new Map(),
    isDirty: false,
  };
  state.lanes[placeOf(number)] = lane;
  state.lanesByName.set(name, lane);
  return lane;
}

function placeOf(number: number): number {
  return isTiedLane(number) ? number - TIED_LANE : number;
}

/** The lane of a number. */
export function laneNumbered(state: SegmentState, number: number): Lane | undefined {
  const lane = state.lanes[placeOf(number)];
  return lane?.number === number ? lane : undefined;
}

/** The id of an Operation. */
export function idOf(lane: Lane, counter: number): string {
  return lane.idHead + formatCounter(counter, lane.idTail);
}

/** What the index knows of a counter. */
export function entryOf(lane: Lane, counter: number): Entry | undefined {
  const number = Math.floor(counter / PAGE_SIZE);
  let page = lane.lastPage;
  if (page.number !== number) {
    const found = lane.pages.get(number);
    if (found === undefined) return undefined;
    page = found;
    lane.lastPage = page;
  }
  return page.entries[counter & PAGE_MASK];
}

/** Notes, before it takes that one's place, when the life before of an Operation's dot ended, if it had one. */
export function noteRelived({ lane, counter }: Operation): void {
  const before = entryOf(lane, counter);
  if (before !== undefined && isFinished(before)) lane.relived.set(counter, before.finishedAtMs);
}

/** Puts an entry into the index, in the place of the one before if there is one. */
export function putEntry(entry: Entry): void {
  const { lane, counter } = entry;
  const number = Math.floor(counter / PAGE_SIZE);
  let page = lane.lastPage;
  if (page.number !== number) {
    const found = lane.pages.get(number);
    page = found ?? { number, entries: [], used: 0 };
    if (found === undefined) lane.pages.set(number, page);
    lane.lastPage = page;
  }
  const place = counter & PAGE_MASK;
  if (page.entries[place] === undefined) page.used++;
  page.entries[place] = entry;
}

/** Takes an entry out of the index, if it is the one that is there. */
export function dropEntry(entry: Entry): void {
  const { lane, counter } = entry;
  if (entryOf(lane, counter) !== entry) return;
  const page = lane.lastPage; // entryOf has just found it there
  page.entries[counter & PAGE_MASK] = undefined;
  page.used--;
  if (page.used > 0) return;
  lane.pages.delete(page.number);
  lane.lastPage = NO_PAGE;
}

/**
 * Walks what the index knows of a lane from a counter on, in order. A page that is not there is one step without an
 * entry, so that a bound on steps bounds the work.
 */
export function* entriesFrom(
  lane: Lane,
  counter: number,
): IterableIterator<{ readonly counter: number; readonly entry: Entry | undefined }> {
  const last = Math.floor(lane.accepted / PAGE_SIZE);
  for (let number = Math.floor(counter / PAGE_SIZE); number <= last; number++) {
    const entries = lane.pages.get(number)?.entries;
    const first = number * PAGE_SIZE;
    if (entries === undefined) {
      yield { counter: first, entry: undefined };
      continue;
    }
    for (let place = Math.max(0, counter - first); place < entries.length; place++) {
      const entry = entries[place];
      if (entry !== undefined) yield { counter: first + place, entry };
    }
  }
}

/** Tells a finished record from an Operation that still has a life, or a second one. */
export function isFinished(entry: Entry): entry is Finished {
  return entry.state === "completed" || entry.state === "cancelled" || entry.state === "skipped";
}

/** Makes a gate with nothing to remember. */
export function newGate(name: string): Gate {
  return { name, used: 0, limit: null, takenMs: 0, opensAtMs: null, parked: new TimeHeap(), fair: null };
}

// ── Queues and their lists ─────────────────────────────────────────────────────────────────────────────────────────

/** The Queue of a name, made if absent. */
export function queueOf(state: SegmentState, name: string): Queue {
  const found = state.queues.get(name);
  if (found !== undefined) return found;
  const queue: Queue = {
    name,
    isPaused: false,
    active: [],
    lists: new Map(),
    waiting: [],
    length: 0,
    withdrawn: 0,
    isDirty: false,
  };
  state.queues.set(name, queue);
  touchQueue(state, queue);
  return queue;
}

/** The list of a priority, made if absent. */
export function listOf(queue: Queue, priority: number): ReadyList {
  const found = queue.lists.get(priority);
  if (found !== undefined) return found;
  const list: ReadyList = { queue, priority, elements: new Deque(), length: 0, front: 0, back: 0 };
  queue.lists.set(priority, list);
  return list;
}

/** Counts elements onto a list; the bell rings if it was empty, unless it need not. */
export function grow(state: SegmentState, list: ReadyList, count: number, isQuiet = false): void {
  if (list.length === 0) {
    if (!isQuiet) ring(state, list.queue.name, list.priority);
    const { active } = list.queue;
    let at = active.length;
    while (at > 0 && (active[at - 1] as ReadyList).priority < list.priority) at--; // at − 1 is inside
    active.splice(at, 0, list);
  }
  list.length += count;
  list.queue.length += count;
}

/** Forgets the bytes of a Run whose last was popped. */
export function emptyRun(run: Run): void {
  run.bodies.length = 0;
  if (run.gates !== null) run.gates.length = 0;
}

/** Counts popped elements off a list. */
export function shrink(list: ReadyList, count: number): void {
  list.length -= count;
  list.queue.length -= count;
  if (list.length > 0) return;
  const { active, lists } = list.queue;
  active.splice(active.indexOf(list), 1);
  if (list.priority !== 0) lists.delete(list.priority);
}

/** Puts an Operation at the end of its list. */
export function pushBack(state: SegmentState, operation: Operation): void {
  const list = listOf(operation.queue, operation.priority);
  grow(state, list, 1);
  operation.state = "ready";
  operation.order = list.back++;
  list.elements.push(operation);
  touch(state, operation);
}

/** Puts an Operation at the front of its list. */
export function pushFront(state: SegmentState, operation: Operation): void {
  const list = listOf(operation.queue, operation.priority);
  grow(state, list, 1);
  operation.state = "ready";
  operation.order = --list.front;
  list.elements.pushFront(operation);
  touch(state, operation);
}

/** Puts an Operation among the scheduled ones; tells if it is the first to come due. */
export function plan(state: SegmentState, operation: Operation, dueAtMs: number, nowMs: number): void {
  const before = state.due.first;
  const isFirst = before === undefined || dueAtMs < before.timeMs;
  operation.state = "scheduled";
  operation.timeMs = dueAtMs;
  state.due.add(operation);
  if (isFirst) state.events.push({ kind: "due", inMs: dueAtMs - nowMs });
}

/** Rings the bell of a Queue, once per transition, for the largest priority. */
export function ring(state: SegmentState, queue: string, priority: number): void {
  for (const event of state.events) {
    if (event.kind !== "bell" || event.queue !== queue) continue;
    event.priority = Math.max(event.priority, priority);
    return;
  }
  state.events.push({ kind: "bell", queue, priority });
}

/** The largest priority of which a Queue's lists or fair gates hold anything, or null. */
export function highestOf({ active, waiting }: Queue): number | null {
  const listed = active[0]?.priority ?? null;
  const fair = waiting[0]?.fair.priority ?? null;
  if (listed === null || fair === null) return listed ?? fair;
  return Math.max(listed, fair);
}

/** Rings for each Queue that has something to claim. */
export function ringQueues(state: SegmentState): void {
  for (const queue of state.queues.values()) {
    const highest = highestOf(queue);
    if (!queue.isPaused && highest !== null) ring(state, queue.name, highest);
  }
}

/** Notes where one is parked, or that it is no more; counts them. */
export function keepAt(state: SegmentState, tied: Tied, place: Gate | Line | null): void {
  if (tied.parkedAt !== null) state.parked--;
  if (place !== null) state.parked++;
  tied.parkedAt = place;
}

// ── What a durable store is told ───────────────────────────────────────────────────────────────────────────────────

/** The record of an Operation changed. From here on it has, or had, a record of its own. */
export function touch(state: SegmentState, operation: Operation): void {
  if (!state.tracks || operation.isDirty) return;
  operation.isDirty = true;
  state.dirty.operations.push(operation);
}

/** Progress or cancel mark of an Operation changed. */
export function touchNotes(state: SegmentState, operation: Operation): void {
  if (!state.tracks || operation.areNotesDirty) return;
  operation.areNotesDirty = true;
  state.dirty.notes.push(operation);
}

/** A lane's marks changed. */
export function touchLane(state: SegmentState, lane: Lane): void {
  if (!state.tracks || lane.isDirty) return;
  lane.isDirty = true;
  state.dirty.lanes.push(lane);
}

/** An owner's beat or last request changed, or it came or went. */
export function touchOwner(state: SegmentState, owner: Owner): void {
  if (!state.tracks || owner.isDirty) return;
  owner.isDirty = true;
  state.dirty.owners.push(owner);
}

/** A claim came, or lost one of what it took. */
export function touchTaking(state: SegmentState, taking: Taking): void {
  if (!state.tracks || taking.isDirty) return;
  taking.isDirty = true;
  state.dirty.takings.push(taking);
}

/** A Run came, or lost the last that needs it. */
export function touchRun(state: SegmentState, run: Run): void {
  if (!state.tracks || run.isDirty) return;
  run.isDirty = true;
  state.dirty.runs.push(run);
}

/** A slice got a record, or went. */
export function touchSlice(state: SegmentState, slice: Slice): void {
  if (!state.tracks || slice.isDirty) return;
  slice.isDirty = true;
  state.dirty.slices.push(slice);
}

/** A memory window got a dot, or went. */
export function touchWindow(state: SegmentState, window: MemoryWindow): void {
  if (!state.tracks || window.isDirty) return;
  window.isDirty = true;
  state.dirty.windows.push(window);
}

/** A key was taken, let go or forgotten. */
export function touchKey(state: SegmentState, name: string): void {
  if (state.tracks) state.dirty.keys.add(name);
}

/** The times of a pace changed, or it was forgotten. */
export function touchPace(state: SegmentState, gate: Gate): void {
  if (state.tracks) state.dirty.paces.add(gate.name);
}

/** A live limit was set, taken back, or told of. */
export function touchLive(state: SegmentState, name: string): void {
  if (state.tracks) state.dirty.live.add(name);
}

/** The clock of a fair gate (`flow` empty) or the served time of a flow changed, or was forgotten. */
export function touchFair(state: SegmentState, gate: FairGate, flow: string): void {
  if (state.tracks) state.dirty.fair.add(`${gate.name}\n${flow}`);
}

/** A Queue became known, was paused or resumed. */
export function touchQueue(state: SegmentState, queue: Queue): void {
  if (!state.tracks || queue.isDirty) return;
  queue.isDirty = true;
  state.dirty.queues.push(queue);
}
