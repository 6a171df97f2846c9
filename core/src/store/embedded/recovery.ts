/**
 * From records back to state: what journal.ts wrote of a Segment becomes the state it was written from.
 *
 * Order matters and is that of the code below: names first, then claims, which say what runs, then what has its own
 * record, then Runs, which hold whatever the others do not speak of; at last the lists, in the order each element
 * carries.
 * Every reference must resolve: what does not is damage, and the store is not opened.
 */
import type { FlowTie, FullTie, GateTie } from "../../engine/ties.js";
import { sliceOf } from "./ending.js";
import { bindGates, newOperation, newRun, rememberIn, windowOf } from "./enqueue.js";
import { enter, fairGateOf, isFair } from "./fair.js";
import { STORED_MODES, STORED_STATES } from "./journal.js";
import { Damage, type RecordReader, SEGMENT_KIND } from "./layout.js";
import { linkHeld, newOwner } from "./owners.js";
import {
  addLane,
  dropEntry,
  emptyRun,
  entryOf,
  FIRST_GENERATION,
  Finished,
  type HeldKey,
  isFinished,
  keepAt,
  type Lane,
  laneNumbered,
  listOf,
  newSegment,
  noteRelived,
  type Operation,
  type Owner,
  putEntry,
  type Queue,
  type ReadyList,
  type Run,
  type SegmentState,
  type Taking,
  type Tied,
} from "./state.js";
import { gateOf, lineOf } from "./ties.js";

/** One record of a Segment: its kind, and readers of key and value. */
export interface StoredRecord {
  readonly kind: number;
  readonly key: RecordReader;
  readonly value: RecordReader;
}

/** Everything stored of one Segment, by kind. */
export type StoredSegment = Map<number, StoredRecord[]>;

/** Where an Operation stands in the claim that holds it. */
interface Place {
  readonly taking: Taking;
  readonly index: number;
}

/** What is put together over several kinds of records. */
interface Assembly {
  readonly state: SegmentState;
  /** Lane number → counter → place, of running Operations that were not met yet. */
  readonly claimed: Map<number, Map<number, Place>>;
  readonly held: Operation[];
  /** Finished records of which the index knows a later life. */
  readonly outlived: Finished[];
  readonly lists: Map<ReadyList, (Run | Operation)[]>;
  /** Tied Operations that have not ended. */
  readonly tied: { readonly operation: Operation; readonly bound: Tied }[];
}

/** Rebuilds a Segment. Throws Damage. */
export function rebuild(segment: string, stored: StoredSegment): SegmentState {
  const state = newSegment(segment, true);
  const assembly: Assembly = { state, claimed: new Map(), held: [], outlived: [], lists: new Map(), tied: [] };
  const each = (kind: number, read: (assembly: Assembly, record: StoredRecord) => void): void => {
    for (const record of stored.get(kind) ?? []) {
      read(assembly, record);
      record.key.end();
      record.value.end();
    }
  };
  each(SEGMENT_KIND.root, readRoot);
  each(SEGMENT_KIND.queue, readQueue);
  each(SEGMENT_KIND.lane, readLane);
  each(SEGMENT_KIND.owner, readOwner);
  each(SEGMENT_KIND.window, readWindow);
  each(SEGMENT_KIND.slice, readSlice);
  each(SEGMENT_KIND.erased, readErased);
  each(SEGMENT_KIND.withdrawn, readWithdrawn);
  each(SEGMENT_KIND.taking, readTaking);
  each(SEGMENT_KIND.fair, readFair);
  each(SEGMENT_KIND.operation, readOperation);
  each(SEGMENT_KIND.run, readRun);
  each(SEGMENT_KIND.key, readKey);
  each(SEGMENT_KIND.pace, readPace);
  each(SEGMENT_KIND.live, readLive);
  each(SEGMENT_KIND.notes, readNotes);
  finishHeld(assembly);
  finishLists(assembly);
  finishTies(assembly);
  settleDown(state);
  return state;
}

/** What was made while reading is on disk already. */
function settleDown(state: SegmentState): void {
  state.events = [];
  state.dirty.root = false;
  for (const queue of state.dirty.queues.splice(0)) queue.isDirty = false;
}

function readRoot({ state }: Assembly, { value }: StoredRecord): void {
  state.lastToken = value.f64();
  state.lastTaking = value.uint();
  const { totals } = state;
  totals.enqueued = value.uint();
  totals.completed = value.uint();
  totals.failed = value.uint();
  totals.cancelled = value.uint();
  totals.retried = value.uint();
  totals.released = value.uint();
  totals.rescued = value.uint();
  if (!value.isAtEnd) state.lastTicket = value.uint(); // older files have none
  if (!value.isAtEnd) totals.skipped = value.uint(); // likewise
}

function readQueue({ state }: Assembly, { key, value }: StoredRecord): void {
  const name = key.restText();
  const isPaused = value.u8() === 1;
  const queue: Queue = {
    name,
    isPaused,
    active: [],
    lists: new Map(),
    waiting: [],
    length: 0,
    withdrawn: 0,
    isDirty: false,
  };
  state.queues.set(name, queue);
}

function readLane({ state }: Assembly, { key, value }: StoredRecord): void {
  const number = key.u24();
  const name = value.text();
  const hasQueue = value.u8() === 1;
  const queue = value.text();
  const lane = addLane(state, number, name, hasQueue ? queueNamed(state, queue) : null);
  lane.accepted = value.u40();
  lane.claimed = value.u40();
}

function readOwner({ state }: Assembly, { key, value }: StoredRecord): void {
  const owner = newOwner(key.restText());
  owner.beat = value.uint();
  owner.lastRequest = value.uint();
  state.owners.set(owner.name, owner);
}

function readWindow({ state }: Assembly, { key, value }: StoredRecord): void {
  const window = windowOf(state, key.u32());
  window.chunks = Math.max(window.chunks, key.u32() + 1);
  for (let left = value.uint(); left > 0; left--) {
    const lane = value.u24();
    const counter = value.u40();
    rememberIn(window, lane, counter, Buffer.from(value.bytes()).toString("latin1"));
  }
}

/** By the lowest bits of a finished record. */
const FINISHED_STATES = [undefined, "completed", "cancelled", "skipped"] as const;

function readSlice({ state, outlived }: Assembly, { key, value }: StoredRecord): void {
  const slice = sliceOf(state, key.u8(), key.u48());
  slice.chunks = Math.max(slice.chunks, key.u32() + 1);
  while (!value.isAtEnd) {
    const flags = value.u8();
    const lane = laneKnown(state, value.u24());
    const counter = value.u40();
    const token = value.f64();
    const finishedAtMs = value.f64();
    const isPlain = (flags & 4) !== 0;
    const generation = isPlain ? FIRST_GENERATION : value.uint();
    const attempt = isPlain ? 1 : value.uint();
    const recoveries = isPlain ? 0 : value.uint();
    const returns = isPlain ? 0 : value.uint();
    const outcome = (flags & 8) === 0 ? null : value.bytes();
    const life = { lane, counter, generation, attempt, recoveries, returns };
    const end = { state: FINISHED_STATES[flags & 3] ?? "cancelled", token, value: outcome };
    const finished = new Finished(slice, life, end, finishedAtMs);
    if ((flags & 16) !== 0) finished.noteLater();
    slice.records.push(finished);
    // A dot enqueued anew long after its memory ended may have two: the index knows the later.
    const before = entryOf(lane, counter);
    const isEarlier =
      before !== undefined &&
      (before.finishedAtMs > finishedAtMs ||
        (before.finishedAtMs === finishedAtMs && isFinished(before) && before.isLater));
    if (isEarlier) outlived.push(finished);
    else putEntry(finished);
    if (!isEarlier && before !== undefined && isFinished(before)) outlived.push(before);
  }
  slice.stored = slice.records.length;
}

function readErased({ state, outlived }: Assembly, { key, value }: StoredRecord): void {
  const lane = laneKnown(state, key.u24());
  const counter = key.u40();
  const finishedAtMs = key.isAtEnd ? value.f64() : key.u48(); // older files have it in the value
  const isLater = !key.isAtEnd && key.u8() !== 0;
  const isMeant = (one: Finished): boolean => one.finishedAtMs === finishedAtMs && one.isLater === isLater;
  const entry = entryOf(lane, counter);
  if (entry !== undefined && isFinished(entry) && isMeant(entry)) {
    dropEntry(entry);
    lane.relived.set(counter, finishedAtMs);
    forgetErased(state, entry);
    return;
  }
  // A dot enqueued anew has ended, or lives, once more since.
  const earlier = outlived.find((one) => one.lane === lane && one.counter === counter && isMeant(one));
  if (earlier !== undefined) forgetErased(state, earlier);
}

function forgetErased(state: SegmentState, finished: Finished): void {
  state.erased.add(finished);
  finished.eraseValue();
}

function readWithdrawn({ state }: Assembly, { key }: StoredRecord): void {
  const lane = laneKnown(state, key.u24());
  lane.withdrawn.set(key.u40(), null);
  if (lane.queue !== null) lane.queue.withdrawn++;
}

function readOperation(assembly: Assembly, { key, value }: StoredRecord): void {
  const { state } = assembly;
  const lane = laneKnown(state, key.u24());
  const counter = key.u40();
  const stored = STORED_STATES[value.u8()];
  if (stored === undefined) throw new Damage("an Operation has an unknown state");
  const queue = queueNamed(state, value.text());
  const priority = value.f64();
  const fields = {
    generation: value.uint(),
    attempt: value.uint(),
    recoveries: value.uint(),
    returns: value.uint(),
    token: value.f64(),
    timeMs: value.f64(),
    finishedAtMs: value.f64(),
    order: value.f64(),
  };
  const outcome = value.maybeBytes();
  const body = stored === "withdrawn" ? new Uint8Array(0) : value.bytes();
  const operation = newOperation(lane, counter, queue, priority, body);
  Object.assign(operation, fields);
  operation.value = outcome;
  operation.isStored = true;
  if (stored === "withdrawn") {
    operation.state = "ready";
    operation.isWithdrawn = true;
    lane.withdrawn.set(counter, operation);
    queue.withdrawn++;
    enlist(assembly, operation, queue, priority);
    return;
  }
  operation.state = stored === "failed_listed" ? "failed" : stored;
  noteRelived(operation);
  putEntry(operation);
  if (!value.isAtEnd) readTies(assembly, operation, value);
  if (!value.isAtEnd) readLapse(state, operation, value);
  if (stored === "failed_listed") {
    operation.isWithdrawn = true;
    lane.withdrawn.set(counter, operation);
    queue.withdrawn++;
    enlist(assembly, operation, queue, priority);
  }
  if (stored === "scheduled") state.due.add(operation);
  else if (operation.state === "failed") state.dead.add(operation);
  else if (takeClaimed(assembly, operation)) {
    if (operation.tied !== null) keepAt(state, operation.tied, null); // a claim from a fair gate writes no record
  } else if (operation.tied === null || operation.tied.parkedAt === null) {
    enlist(assembly, operation, queue, priority);
  }
}

function readTies({ state, tied }: Assembly, operation: Operation, value: RecordReader): void {
  const key = value.text();
  const line = value.text();
  const gates = readGates(value);
  const lineTicket = value.uint();
  const ticket = value.uint();
  const place = value.u8();
  const name = value.text();
  const parkedAt = place === 1 || place === 4 ? gateOf(state, name) : place === 2 ? lineOf(state, name) : null;
  const flow = readFlow(value);
  const candidateOf = place === 3 ? gateOf(state, name) : place === 4 ? gateOf(state, value.text()) : null;
  const bound: Tied = {
    ...{ key: key === "" ? null : key, line: line === "" ? null : line, gates, flow },
    ...{ parkedAt, candidateOf, ticket, lineTicket },
  };
  operation.tied = bound;
  if (parkedAt !== null) state.parked++;
  if (operation.state !== "failed") tied.push({ operation, bound });
}

function readLapse(state: SegmentState, operation: Operation, value: RecordReader): void {
  const isMarked = value.u8() === 1;
  const { lane, counter } = operation;
  const times = { startByMs: value.f64(), endByMs: value.f64(), retainMs: value.f64() };
  const timeMs = Math.min(times.startByMs, times.endByMs);
  operation.lapse = { lane, counter, operation, ...times, timeMs, heapIndex: -1, value: value.bytes() };
  if (!isMarked) state.lapses.add(operation.lapse);
}

function readFlow(value: RecordReader): FlowTie | null {
  const name = value.isAtEnd ? "" : value.text(); // older files have none
  return name === "" ? null : { name, weight: value.f64() };
}

function readGates(value: RecordReader): GateTie[] {
  const gates: GateTie[] = [];
  for (let left = value.uint(); left > 0; left--) {
    const name = value.text();
    const before = gates.at(-1);
    if (name !== "") gates.push(readGate(name, value));
    else if (before !== undefined && "slots" in before) gates[gates.length - 1] = { ...before, full: readFull(value) };
    else throw new Damage("a gate without slots says what it means when they are taken");
  }
  return gates;
}

function readFull(value: RecordReader): FullTie {
  const mode = STORED_MODES[value.u8()];
  if (mode === undefined) throw new Damage("a full gate means something unknown");
  return { mode, value: value.bytes() };
}

function readGate(name: string, value: RecordReader): GateTie {
  const slots = value.uint();
  return slots > 0 ? { name, slots } : { name, everyMs: value.f64(), burst: value.uint() };
}

function readPace({ state }: Assembly, { key, value }: StoredRecord): void {
  const gate = gateOf(state, key.restText());
  gate.takenMs = value.f64();
  const isExpected = value.u8() === 1;
  const atMs = value.f64();
  gate.limit = value.isAtEnd ? null : value.uint() || null; // older files have none
  if (!isExpected) return;
  gate.opensAtMs = atMs;
  state.opening.add(gate);
}

function readLive({ state }: Assembly, { key, value }: StoredRecord): void {
  const name = key.restText();
  if (value.u8() === 1) state.settling.add(name);
  const kind = value.u8();
  if (kind === 0) return;
  const sinceMs = value.f64();
  const first = value.f64();
  const number = kind === 1 ? { slots: first } : { everyMs: first, burst: value.uint() };
  state.live.set(name, { number, sinceMs });
}

function readFair({ state }: Assembly, { key, value }: StoredRecord): void {
  const name = key.restText();
  const cut = name.indexOf("\n");
  const [queue = "", priority = ""] = name.slice(1, cut).split(":");
  const flow = name.slice(cut + 1);
  const { fair } = fairGateOf(state, queueNamed(state, queue), Number(priority));
  if (flow === "") fair.clock = value.f64();
  else fair.served.set(flow, value.f64());
}

function readKey({ state }: Assembly, { key, value }: StoredRecord): void {
  const name = key.restText();
  const held: HeldKey = {
    name,
    lane: laneKnown(state, value.u24()),
    counter: value.u40(),
    digest: Buffer.from(value.bytes()).toString("latin1"),
    isLive: value.u8() === 1,
    timeMs: value.f64(),
    heapIndex: -1,
  };
  state.keys.set(name, held);
  if (!held.isLive) state.expiries.add(held);
}

/** Slots are held by what runs; lines and what is parked stand by ticket. */
function finishTies({ state, tied }: Assembly): void {
  for (const { operation, bound } of tied.toSorted((a, b) => a.bound.lineTicket - b.bound.lineTicket)) {
    if (bound.line !== null) lineOf(state, bound.line).members.push(operation);
    if (operation.state !== "running") continue;
    bound.candidateOf = null; // it was none any more when it was claimed
    for (const tie of bound.gates) if ("slots" in tie) gateOf(state, tie.name).used++;
  }
  for (const { operation, bound } of tied.toSorted((a, b) => a.bound.ticket - b.bound.ticket)) {
    const { parkedAt } = bound;
    if (parkedAt === null || !("parked" in parkedAt)) continue;
    if (bound.flow === null) operation.timeMs = bound.ticket;
    if (isFair(parkedAt) && parkedAt.parked.size === 0) enter(parkedAt);
    parkedAt.parked.add(operation);
  }
}

function readTaking(assembly: Assembly, { key, value }: StoredRecord): void {
  const owner = ownerNamed(assembly.state, value.text());
  const taking: Taking = {
    number: key.u48(),
    owner,
    request: value.uint(),
    token: value.f64(),
    taken: [],
    isDirty: false,
    isStored: true,
  };
  for (let ranges = value.uint(); ranges > 0; ranges--) {
    const lane = value.u24();
    const first = value.u40();
    const firstIndex = value.uint();
    let counters = assembly.claimed.get(lane);
    if (counters === undefined) {
      counters = new Map();
      assembly.claimed.set(lane, counters);
    }
    const length = value.uint();
    for (let i = 0; i < length; i++) counters.set(first + i, { taking, index: firstIndex + i });
  }
}

function readRun(assembly: Assembly, { key, value }: StoredRecord): void {
  const lane = laneKnown(assembly.state, key.u24());
  const { queue } = lane;
  if (queue === null) throw new Damage(`lane ${lane.name} has no Queue but a Run`);
  const run = newRun(lane, key.u40(), value.f64());
  run.isSealed = true;
  for (let left = value.uint(); left > 0; left--) {
    const body = value.bytes();
    run.bodies.push(body);
    run.bytes += body.length;
  }
  for (let left = run.gates === null ? 0 : run.bodies.length; left > 0; left--) run.gates?.push(readGates(value));
  for (const [i, body] of run.bodies.entries()) {
    const counter = run.first + i;
    if (counter > lane.claimed) {
      run.live++;
      continue;
    }
    run.popped++;
    const operation = newOperation(lane, counter, queue, 0, body);
    if (!takeClaimed(assembly, operation)) continue;
    operation.run = run;
    run.live++;
    putEntry(operation);
    const gates = run.gates?.[i];
    if (gates !== undefined) assembly.tied.push({ operation, bound: bindGates(operation, gates) });
  }
  if (run.popped < run.bodies.length) enlist(assembly, run, queue, 0);
  else emptyRun(run);
}

function readNotes({ state }: Assembly, { key, value }: StoredRecord): void {
  const entry = entryOf(laneKnown(state, key.u24()), key.u40());
  if (entry?.state !== "running") throw new Damage("notes belong to no running Operation");
  entry.progress = value.maybeBytes();
  entry.cancelReason = value.maybeBytes();
  // The mark of a lapse is known by its bytes.
  if (entry.lapse !== null && entry.lapse.heapIndex < 0 && isSame(entry.cancelReason, entry.lapse.value)) {
    entry.cancelReason = entry.lapse.value;
  }
  entry.hasNotes = true;
  if (entry.cancelReason !== null && entry.taking !== null) entry.taking.owner.marked++;
}

function isSame(a: Uint8Array | null, b: Uint8Array): boolean {
  return a !== null && Buffer.compare(a, b) === 0;
}

/** Gives an Operation to the claim that lists it, if one does. */
function takeClaimed({ state, claimed, held }: Assembly, operation: Operation): boolean {
  const counters = claimed.get(operation.lane.number);
  const place = counters?.get(operation.counter);
  if (place === undefined) return false;
  counters?.delete(operation.counter);
  place.taking.taken.push(operation);
  operation.state = "running";
  operation.taking = place.taking;
  operation.takingIndex = place.index;
  operation.heldToken = place.taking.token;
  held.push(operation);
  state.running++;
  return true;
}

/** What each owner holds, in the order it was claimed. */
function finishHeld({ held, claimed }: Assembly): void {
  for (const counters of claimed.values()) {
    if (counters.size > 0) throw new Damage("a claimed Operation has no record");
  }
  const placeOf = (operation: Operation): number => operation.taking?.number ?? 0;
  held.sort((a, b) => placeOf(a) - placeOf(b) || a.takingIndex - b.takingIndex);
  for (const operation of held) {
    if (operation.taking !== null) linkHeld(operation, operation.taking, operation.taking.owner);
  }
}

function enlist({ lists }: Assembly, element: Run | Operation, queue: Queue, priority: number): void {
  const list = listOf(queue, priority);
  const elements = lists.get(list);
  if (elements === undefined) lists.set(list, [element]);
  else elements.push(element);
}

/** Every list in order, and the sums over it. */
function finishLists({ lists }: Assembly): void {
  for (const [list, elements] of lists) {
    elements.sort((a, b) => a.order - b.order);
    for (const element of elements) {
      list.elements.push(element);
      list.length += element.isRun ? element.bodies.length - element.popped : 1;
    }
    list.front = elements[0]?.order ?? 0;
    list.back = (elements[elements.length - 1]?.order ?? -1) + 1;
    list.queue.length += list.length;
    list.queue.active.push(list);
  }
  for (const { queue } of lists.keys()) queue.active.sort((a, b) => b.priority - a.priority);
}

function laneKnown(state: SegmentState, number: number): Lane {
  const lane = laneNumbered(state, number);
  if (lane === undefined) throw new Damage(`lane ${number} is not known`);
  return lane;
}

function queueNamed(state: SegmentState, name: string): Queue {
  const queue = state.queues.get(name);
  if (queue === undefined) throw new Damage(`Queue ${name} is not known`);
  return queue;
}

function ownerNamed(state: SegmentState, name: string): Owner {
  const owner = state.owners.get(name);
  if (owner === undefined) throw new Damage(`owner ${name} is not known`);
  return owner;
}
