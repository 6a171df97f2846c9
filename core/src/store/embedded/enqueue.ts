/**
 * The two ways in: the fast path (a lane's next Operations, as bytes on a list) and the full path (a record each).
 * Pure; one family of the machine's moves (machine.ts).
 */
import { hash } from "node:crypto";
import { ID_MEMORY_MS, isTiedLane, type LocalDot } from "../../engine/lease.js";
import { type GateTie, isSameGates, type KeyTie, type Ties } from "../../engine/ties.js";
import type {
  EnqueueAnswer,
  EnqueueFullAnswer,
  EnqueueFullParams,
  EnqueueFullWord,
  EnqueueParams,
  FullElement,
} from "../../engine/transitions.js";
import { finishWaiting, sliceFor } from "./ending.js";
import { makeReady } from "./fair.js";
import { stopsAtFull } from "./full.js";
import { setLapse } from "./lapsing.js";
import {
  entryOf,
  FIRST_GENERATION,
  grow,
  type HeldKey,
  isFinished,
  type Lane,
  laneNumbered,
  listOf,
  type MemoryWindow,
  noteRelived,
  type Operation,
  plan,
  putEntry,
  type Queue,
  queueOf,
  type ReadyList,
  RUN_BODIES_MAX,
  RUN_BYTES_MAX,
  type Run,
  type SegmentState,
  shrink,
  type Tied,
  touch,
  touchLane,
  touchRun,
  touchWindow,
} from "./state.js";
import { holderOf, joinLine, renewLimits, takeKey, untie } from "./ties.js";

/** enqueue: the fast path. */
export function enqueue(state: SegmentState, params: EnqueueParams): EnqueueAnswer {
  const lane = laneNumbered(state, params.lane);
  const queue = lane?.name === params.laneName ? lane.queue : null;
  if (lane === undefined || queue === null) return { answer: "unknown_lane", accepted: 0, fresh: 0 };
  const { first, bodies } = params;
  if (first > lane.accepted + 1) return { answer: "gap", accepted: lane.accepted, fresh: 0 };
  if (first <= lane.accepted && lane.gaps.length > 0) return { answer: "gap", accepted: lane.accepted, fresh: 0 };
  const fresh = first + bodies.length - 1 - lane.accepted;
  if (fresh <= 0) return { answer: "ok", accepted: lane.accepted, fresh: 0 };

  const list = listOf(queue, 0);
  const skip = bodies.length - fresh;
  grow(state, list, fresh, params.isQuiet);
  appendBodies(state, list, lane, params, skip);
  lane.accepted += fresh;
  touchLane(state, lane);
  state.totals.enqueued += fresh;
  state.dirty.root = true;
  if (params.gates !== undefined) renewByBatch(state, params.gates, skip);
  return { answer: "ok", accepted: lane.accepted, fresh };
}

/** What was appended says how many slots its gates have, whenever it says something else than the one before. */
function renewByBatch(state: SegmentState, gates: readonly (readonly GateTie[])[], from: number): void {
  for (let i = from; i < gates.length; i++) {
    const ties = gates[i] as readonly GateTie[]; // i < length
    const before = gates[i - 1];
    if (i === from || before === undefined || !isSameGates(ties, before)) renewLimits(state, ties);
  }
}

/** Appends `bodies` from index `from` on as Runs; the last Run takes what it can if it is of this lane. */
function appendBodies(
  state: SegmentState,
  list: ReadyList,
  lane: Lane,
  { bodies, gates }: Pick<EnqueueParams, "bodies" | "gates">,
  from: number,
): void {
  let counter = lane.accepted + 1;
  let run = openRun(list, lane, counter);
  for (let i = from; i < bodies.length; i++) {
    const body = bodies[i] as Uint8Array; // i < length
    if (run === null || run.bytes >= RUN_BYTES_MAX || run.bodies.length >= RUN_BODIES_MAX) {
      run = newRun(lane, counter, list.back++);
      list.elements.push(run);
      touchRun(state, run);
    }
    run.bodies.push(body);
    run.gates?.push(gates?.[i] ?? []);
    run.bytes += body.length;
    run.live++;
    counter++;
  }
}

function openRun(list: ReadyList, lane: Lane, counter: number): Run | null {
  const last = list.elements.at(list.elements.length - 1);
  if (last === undefined || !last.isRun || last.isSealed) return null;
  return last.lane === lane && last.first + last.bodies.length === counter ? last : null;
}

/** Makes an empty Run. */
export function newRun(lane: Lane, first: number, order: number): Run {
  return {
    isRun: true,
    lane,
    first,
    bodies: [],
    gates: isTiedLane(lane.number) ? [] : null,
    bytes: 0,
    popped: 0,
    order,
    live: 0,
    isSealed: false,
    isDirty: false,
  };
}

/** enqueue_full: the full path. */
export function enqueueFull(state: SegmentState, params: EnqueueFullParams, nowUs: number): EnqueueFullAnswer {
  const lane = laneNumbered(state, params.lane);
  if (lane === undefined || lane.name !== params.laneName || lane.queue !== null) {
    return { answer: "unknown_lane", answers: [], holders: [] };
  }
  const nowMs = Math.floor(nowUs / 1000);
  let highest = lane.accepted;
  let fresh = 0;
  const holders: LocalDot[] = [];
  const answers = params.elements.map((element): EnqueueFullWord => {
    highest = Math.max(highest, element.counter);
    const sha1 = sha1Of(element.body);
    const known = sha1Enqueued(state, lane, element.counter, nowMs);
    if (known !== null) return known === sha1 ? "duplicate" : "conflict";
    const asked = askKey(state, element.ties ?? null, holders, nowMs);
    if (typeof asked === "string") return asked;
    remember(state, lane, element.counter, sha1, nowMs);
    place(state, lane, element, asked, nowMs);
    fresh++;
    return "ok";
  });
  if (highest > lane.accepted) {
    lane.accepted = highest;
    touchLane(state, lane);
  }
  if (fresh > 0) {
    state.totals.enqueued += fresh;
    state.dirty.root = true;
  }
  return { answer: "ok", answers, holders };
}

/** What the present holder of the element's key means for it; null if it may come in. A replaced holder has ended then. */
function askKey(
  state: SegmentState,
  ties: Ties | null,
  holders: LocalDot[],
  nowMs: number,
): "kept" | "rejected" | "mismatch" | number | null {
  const key = ties?.key ?? null;
  const held = key === null ? null : holderOf(state, key.name, nowMs);
  if (key === null || held === null) return latestOf(key, null, nowMs);
  if (key.mode === "known" && !isKnown(held)) return null;
  if (key.replaced !== null && (key.mode !== "postpone" || isScheduled(held))) {
    const hasWaited = replace(state, held, key.replaced, nowMs);
    return latestOf(key, hasWaited ? held : null, nowMs);
  }
  holders.push({ laneName: held.lane.name, counter: held.counter });
  if (key.mode === "reject") return "rejected";
  const isMatch = key.mode !== "match" || held.digest === Buffer.from(key.digest).toString("latin1");
  return isMatch ? "kept" : "mismatch";
}

/** How long before now a debounced one's latest time may lie, at most. */
const DEBOUNCE_MS = 366 * 24 * 3600 * 1000;

/** When one that is debounced must be due at the latest: as `before`, the one it replaced. Null if nothing says so. */
function latestOf(key: KeyTie | null, before: HeldKey | null, nowMs: number): number | null {
  if (key?.mode !== "debounce") return null;
  const ownMs = nowMs + Buffer.from(key.digest).readDoubleBE(0);
  const latestMs = before === null ? ownMs : Buffer.from(before.digest, "latin1").readDoubleBE(0);
  // The digest of one that was not debounced is no time.
  return latestMs > nowMs - DEBOUNCE_MS && latestMs < ownMs ? latestMs : ownMs;
}

/** Whether `find` has a record of a key's holder that was not cancelled or skipped. */
function isKnown({ lane, counter }: HeldKey): boolean {
  const entry = entryOf(lane, counter);
  return entry !== undefined && entry.state !== "cancelled" && entry.state !== "skipped";
}

function isScheduled({ lane, counter }: HeldKey): boolean {
  const entry = entryOf(lane, counter);
  return entry !== undefined && entry.state === "scheduled";
}

/** Ends the holder of a key as cancelled if it waits; what runs goes on. Answers whether it waited. */
function replace(
  state: SegmentState,
  held: HeldKey,
  { retainMs, value }: { readonly retainMs: number; readonly value: Uint8Array },
  nowMs: number,
): boolean {
  const entry = entryOf(held.lane, held.counter);
  if (entry === undefined || isFinished(entry) || (entry.state !== "scheduled" && entry.state !== "ready"))
    return false;
  finishWaiting(state, entry, value, sliceFor(state, nowMs, retainMs), nowMs);
  state.dirty.root = true;
  untie(state, nowMs);
  return true;
}

/** `latestMs`: it is due by then, whatever it says itself; null: it may say. */
function place(state: SegmentState, lane: Lane, element: FullElement, latestMs: number | null, nowMs: number): void {
  const { due, ties } = element;
  const askedMs = due === null ? nowMs : "in" in due ? nowMs + due.in : due.at;
  const dueAtMs = Math.min(askedMs, latestMs ?? askedMs);
  const stale = lane.withdrawn.get(element.counter);
  if (stale) takeOff(state, stale);
  const queue = queueOf(state, element.queue);
  const operation = newOperation(lane, element.counter, queue, element.priority, element.body);
  noteRelived(operation);
  putEntry(operation);
  if (ties) bind(state, operation, ties, latestMs, nowMs);
  if (ties) renewLimits(state, ties.gates);
  if (!joinLine(state, operation, dueAtMs)) return;
  if (dueAtMs > nowMs) {
    plan(state, operation, dueAtMs, nowMs);
    touch(state, operation);
  } else if (!stopsAtFull(state, operation, nowMs)) {
    makeReady(state, operation, "back");
  }
}

/** Ties one that was claimed from a tied lane to its gates. */
export function bindGates(operation: Operation, gates: readonly GateTie[]): Tied {
  const waits = { parkedAt: null, candidateOf: null, ticket: 0, lineTicket: 0 };
  const tied: Tied = { key: null, line: null, gates, flow: null, ...waits };
  operation.tied = tied;
  return tied;
}

function bind(
  state: SegmentState,
  operation: Operation,
  { key, line, gates, flow = null, lapse }: Ties,
  latestMs: number | null,
  nowMs: number,
): void {
  const waits = { parkedAt: null, candidateOf: null, ticket: 0, lineTicket: 0 };
  operation.tied = { key: key?.name ?? null, line, gates, flow, ...waits };
  if (key !== null) takeKey(state, latestMs === null ? key : { ...key, digest: doubleOf(latestMs) }, operation, nowMs);
  if (lapse) setLapse(state, lapse, operation, nowMs);
}

function doubleOf(value: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(value);
  return bytes;
}

/** Takes a withdrawn element off its list: its dot is enqueued anew, long after its memory ended. */
function takeOff(state: SegmentState, operation: Operation): void {
  const stale: Stale = new Map();
  noteStale(stale, operation);
  unlist(stale);
  operation.isGone = true;
  touch(state, operation);
}

/** Withdrawn elements to take off their lists. */
export type Stale = Map<ReadyList, Set<Operation>>;

/** A withdrawn element is withdrawn no more: it counts again, or goes off its list. */
export function forgetWithdrawn(operation: Operation): void {
  operation.queue.withdrawn--;
  operation.lane.withdrawn.delete(operation.counter);
  operation.isWithdrawn = false;
}

/** Notes that a withdrawn element is to go off the list it is on. */
export function noteStale(stale: Stale, operation: Operation): void {
  const list = listOf(operation.queue, operation.priority);
  const gone = stale.get(list) ?? new Set();
  stale.set(list, gone.add(operation));
  forgetWithdrawn(operation);
}

/** Takes elements off their lists, each list in one pass. */
export function unlist(stale: Stale): void {
  for (const [list, gone] of stale) {
    for (const element of list.elements.shiftMany(list.elements.length)) {
      if (element.isRun || !gone.has(element)) list.elements.push(element);
    }
    shrink(list, gone.size);
  }
}

/** Makes a record with fresh counters, scheduled until somebody says otherwise. */
export function newOperation(lane: Lane, counter: number, queue: Queue, priority: number, body: Uint8Array): Operation {
  return {
    isRun: false,
    lane,
    counter,
    queue,
    priority,
    body,
    state: "scheduled",
    generation: FIRST_GENERATION,
    attempt: 0,
    recoveries: 0,
    returns: 0,
    token: 0,
    heldToken: 0,
    taking: null,
    takingIndex: 0,
    heldBefore: null,
    heldAfter: null,
    timeMs: 0,
    heapIndex: -1,
    order: 0,
    finishedAtMs: 0,
    value: null,
    progress: null,
    cancelReason: null,
    isWithdrawn: false,
    tied: null,
    lapse: null,
    run: null,
    isGone: false,
    isDirty: false,
    isStored: false,
    hasNotes: false,
    areNotesDirty: false,
  };
}

// ── Memory of dots ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The SHA-1 a dot was enqueued with: from the present or the last window, else from its record, else null. */
function sha1Enqueued(state: SegmentState, lane: Lane, counter: number, nowMs: number): string | null {
  const remembered = sha1Remembered(state, lane, counter, nowMs);
  if (remembered !== null) return remembered;
  const entry = entryOf(lane, counter);
  return entry === undefined || isFinished(entry) ? null : sha1Of(entry.body);
}

/** The SHA-1 a dot is remembered by, or null. */
export function sha1Remembered(state: SegmentState, lane: Lane, counter: number, nowMs: number): string | null {
  const present = Math.floor(nowMs / ID_MEMORY_MS);
  for (const window of state.windows) {
    if (window.number !== present && window.number !== present - 1) continue;
    const found = window.lanes.get(lane.number)?.get(counter);
    if (found !== undefined) return found;
  }
  return null;
}

/** Remembers a dot by the bytes it was enqueued with. */
export function rememberDot(state: SegmentState, lane: Lane, counter: number, body: Uint8Array, nowMs: number): void {
  remember(state, lane, counter, sha1Of(body), nowMs);
}

function remember(state: SegmentState, lane: Lane, counter: number, sha1: string, nowMs: number): void {
  const window = windowOf(state, Math.floor(nowMs / ID_MEMORY_MS));
  rememberIn(window, lane.number, counter, sha1);
  if (!state.tracks) return;
  window.unstored.push({ lane: lane.number, counter, sha1 });
  touchWindow(state, window);
}

/** Notes a dot in a window. */
export function rememberIn(window: MemoryWindow, lane: number, counter: number, sha1: string): void {
  let counters = window.lanes.get(lane);
  if (counters === undefined) {
    counters = new Map();
    window.lanes.set(lane, counters);
  }
  counters.set(counter, sha1);
  window.size++;
}

/** The window of a number, made if absent; windows stay in order. */
export function windowOf(state: SegmentState, number: number): MemoryWindow {
  const { windows } = state;
  let at = windows.length;
  while (at > 0 && (windows[at - 1] as MemoryWindow).number > number) at--; // at − 1 is inside
  const before = windows[at - 1];
  if (before?.number === number) return before;
  const window: MemoryWindow = {
    number,
    lanes: new Map(),
    size: 0,
    unstored: [],
    chunks: 0,
    isGone: false,
    isDirty: false,
  };
  windows.splice(at, 0, window);
  return window;
}

/** The first 8 bytes of the SHA-1, as latin1: enough to tell one enqueue from another under the same dot. */
function sha1Of(bytes: Uint8Array): string {
  return hash("sha1", bytes, "binary").slice(0, 8);
}
