/**
 * What a commit writes: the records a Segment's transitions touched since the last one, as they are now.
 *
 * A commit is taken between two transitions, so what is on disk is the state at one moment, whole; the same record
 * touched a hundred times is written once, and what came and went in between not at all. Of the fast path a Run's
 * bytes are written once, a claim as ranges of counters, finished records as chunks: a few records per batch.
 *   - an Operation is stored by its own record if it has one, else by its Run: unread above the lane's claimed mark;
 *   - it runs if a claim's record lists it; at or below the mark, not listed and without a record it is not there;
 *   - so a Run is removed when nothing is unread in it and no claim lists one of it.
 * Reads and clears `state.dirty`; recovery.ts is its inverse.
 */
import type { FullMode, FullTie, GateTie } from "../../engine/ties.js";
import {
  addressKey,
  erasedKey,
  laneKey,
  nameKey,
  type RecordWriter,
  rootKey,
  SEGMENT_KIND,
  sliceKey,
  takingKey,
  windowKey,
} from "./layout.js";
import {
  emptyRun,
  entryOf,
  FIRST_GENERATION,
  isFinished,
  type Lapse,
  type MemoryWindow,
  type Operation,
  type Run,
  type SegmentState,
  type Slice,
  type Taking,
  type Tied,
} from "./state.js";

/**
 * States of an Operation's own record. What runs says `ready` there: a claim's record says that it runs, so that a
 * claim need not write its Operations anew. `withdrawn` was cancelled while waiting and is still on its list.
 */
export const STORED_STATES = ["scheduled", "ready", "failed", "withdrawn", "failed_listed"] as const;

/** Whether anything was touched. */
export function isDirty({ dirty }: SegmentState): boolean {
  return (
    dirty.root ||
    dirty.lanes.length > 0 ||
    dirty.queues.length > 0 ||
    dirty.owners.length > 0 ||
    dirty.runs.length > 0 ||
    dirty.takings.length > 0 ||
    dirty.operations.length > 0 ||
    dirty.notes.length > 0 ||
    dirty.slices.length > 0 ||
    dirty.windows.length > 0 ||
    dirty.keys.size > 0 ||
    dirty.paces.size > 0 ||
    dirty.live.size > 0 ||
    dirty.fair.size > 0 ||
    dirty.withdrawn.length > 0 ||
    dirty.erased.length > 0
  );
}

/** Writes all that was touched and forgets that it was. */
export function writeDirty(state: SegmentState, segment: number, writer: RecordWriter): void {
  const { dirty } = state;
  if (dirty.root) writeRoot(state, segment, writer);
  dirty.root = false;
  for (const queue of dirty.queues.splice(0)) {
    queue.isDirty = false;
    writer.begin();
    writer.u8(queue.isPaused ? 1 : 0);
    writer.end(nameKey(segment, SEGMENT_KIND.queue, queue.name));
  }
  for (const lane of dirty.lanes.splice(0)) {
    lane.isDirty = false;
    writer.begin();
    writer.text(lane.name);
    writer.u8(lane.queue === null ? 0 : 1);
    writer.text(lane.queue?.name ?? "");
    writer.u40(lane.accepted);
    writer.u40(lane.claimed);
    writer.end(laneKey(segment, lane.number));
  }
  for (const owner of dirty.owners.splice(0)) {
    owner.isDirty = false;
    const key = nameKey(segment, SEGMENT_KIND.owner, owner.name);
    if (owner.isGone) {
      // An owner of the same name may have come since.
      if (!state.owners.has(owner.name)) writer.remove(key);
      continue;
    }
    writer.begin();
    writer.uint(owner.beat);
    writer.uint(owner.lastRequest);
    writer.end(key);
  }
  // What goes is removed before what comes is put: a slice or window may come again under its number.
  const windows = dirty.windows.splice(0);
  for (const window of windows) if (window.isGone) removeWindow(window, segment, writer);
  for (const window of windows) if (!window.isGone) writeWindow(window, segment, writer);
  const slices = dirty.slices.splice(0);
  for (const slice of slices) if (slice.isGone) removeSlice(slice, segment, writer);
  for (const slice of slices) if (!slice.isGone) writeSlice(slice, segment, writer);
  for (const operation of dirty.operations.splice(0)) writeOperation(operation, segment, writer);
  for (const run of dirty.runs.splice(0)) writeRun(run, segment, writer);
  for (const taking of dirty.takings.splice(0)) writeTaking(taking, segment, writer);
  for (const operation of dirty.notes.splice(0)) writeNotes(operation, segment, writer);
  for (const { finished, isThere } of dirty.erased.splice(0)) {
    const { lane, counter, finishedAtMs, isLater } = finished;
    const key = erasedKey(segment, lane.number, counter, finishedAtMs, isLater);
    if (!isThere) {
      writer.remove(key);
      continue;
    }
    writer.begin();
    writer.end(key);
  }
  for (const name of dirty.keys) writeKey(state, name, segment, writer);
  dirty.keys.clear();
  for (const name of dirty.paces) writePace(state, name, segment, writer);
  dirty.paces.clear();
  for (const name of dirty.live) writeLive(state, name, segment, writer);
  dirty.live.clear();
  for (const name of dirty.fair) writeFair(state, name, segment, writer);
  dirty.fair.clear();
  for (const { lane, counter, isThere } of dirty.withdrawn.splice(0)) {
    const key = addressKey(segment, SEGMENT_KIND.withdrawn, lane.number, counter);
    if (isThere) {
      writer.begin();
      writer.end(key);
    } else {
      writer.remove(key);
    }
  }
}

function writeRoot(state: SegmentState, segment: number, writer: RecordWriter): void {
  const { totals } = state;
  writer.begin();
  writer.f64(state.lastToken);
  writer.uint(state.lastTaking);
  writer.uint(totals.enqueued);
  writer.uint(totals.completed);
  writer.uint(totals.failed);
  writer.uint(totals.cancelled);
  writer.uint(totals.retried);
  writer.uint(totals.released);
  writer.uint(totals.rescued);
  writer.uint(state.lastTicket);
  writer.uint(totals.skipped);
  writer.end(rootKey(segment));
}

function writeKey(state: SegmentState, name: string, segment: number, writer: RecordWriter): void {
  const key = nameKey(segment, SEGMENT_KIND.key, name);
  const held = state.keys.get(name);
  if (held === undefined) {
    writer.remove(key);
    return;
  }
  writer.begin();
  writer.u24(held.lane.number);
  writer.u40(held.counter);
  writer.bytes(Buffer.from(held.digest, "latin1"));
  writer.u8(held.isLive ? 1 : 0);
  writer.f64(held.timeMs);
  writer.end(key);
}

function writePace(state: SegmentState, name: string, segment: number, writer: RecordWriter): void {
  const key = nameKey(segment, SEGMENT_KIND.pace, name);
  const gate = state.gates.get(name);
  if (gate === undefined || (gate.takenMs === 0 && gate.opensAtMs === null && gate.limit === null)) {
    writer.remove(key);
    return;
  }
  writer.begin();
  writer.f64(gate.takenMs);
  writer.u8(gate.opensAtMs === null ? 0 : 1);
  writer.f64(gate.opensAtMs ?? 0);
  writer.uint(gate.limit ?? 0);
  writer.end(key);
}

/** What a live limit says, if it was not taken back; and whether it is told to the end. */
function writeLive(state: SegmentState, name: string, segment: number, writer: RecordWriter): void {
  const key = nameKey(segment, SEGMENT_KIND.live, name);
  const live = state.live.get(name);
  const isSettling = state.settling.has(name);
  if (live === undefined && !isSettling) {
    writer.remove(key);
    return;
  }
  writer.begin();
  writer.u8(isSettling ? 1 : 0);
  writer.u8(live === undefined ? 0 : "slots" in live.number ? 1 : 2);
  if (live !== undefined) {
    const { number, sinceMs } = live;
    writer.f64(sinceMs);
    writer.f64("slots" in number ? number.slots : number.everyMs);
    if (!("slots" in number)) writer.uint(number.burst);
  }
  writer.end(key);
}

/** The clock of a fair gate, or the served time of one of its flows. */
function writeFair(state: SegmentState, name: string, segment: number, writer: RecordWriter): void {
  const key = nameKey(segment, SEGMENT_KIND.fair, name);
  const cut = name.indexOf("\n");
  const fair = state.gates.get(name.slice(0, cut))?.fair ?? null;
  const flow = name.slice(cut + 1);
  const time = flow === "" ? fair?.clock : fair?.served.get(flow);
  if (time === undefined) {
    writer.remove(key);
    return;
  }
  writer.begin();
  writer.f64(time);
  writer.end(key);
}

/** Bytes of a chunk of a slice or window, about: larger values cost LMDB long runs of free pages. */
const CHUNK_BYTES = 64 * 1024;

function writeWindow(window: MemoryWindow, segment: number, writer: RecordWriter): void {
  window.isDirty = false;
  const { unstored } = window;
  for (let from = 0; from < unstored.length; ) {
    const to = Math.min(unstored.length, from + CHUNK_BYTES / 16);
    writer.begin();
    writer.uint(to - from);
    for (const { lane, counter, sha1 } of unstored.slice(from, to)) {
      writer.u24(lane);
      writer.u40(counter);
      writer.bytes(Buffer.from(sha1, "latin1"));
    }
    writer.end(windowKey(segment, window.number, window.chunks++));
    from = to;
  }
  unstored.length = 0;
}

function removeWindow(window: MemoryWindow, segment: number, writer: RecordWriter): void {
  for (let chunk = 0; chunk < window.chunks; chunk++) writer.remove(windowKey(segment, window.number, chunk));
}

/** What full gates mean, by the byte that is stored. */
export const STORED_MODES: readonly FullMode[] = ["skip", "cancel_newest", "cancel_oldest"];

/** The lowest bits of a finished record. */
const FINISHED_BITS = { completed: 1, cancelled: 2, skipped: 3 } as const;

function writeSlice(slice: Slice, segment: number, writer: RecordWriter): void {
  slice.isDirty = false;
  const { records } = slice;
  while (slice.stored < records.length) {
    const start = writer.size;
    writer.begin();
    let to = slice.stored;
    while (to < records.length && writer.size - start < CHUNK_BYTES) {
      const record = records[to++];
      if (record === undefined) break;
      const isPlain =
        record.generation === FIRST_GENERATION && record.attempt === 1 && record.recoveries + record.returns === 0;
      const { value } = record;
      const flags = (isPlain ? 4 : 0) | (value === null ? 0 : 8) | (record.isLater ? 16 : 0);
      writer.u8(FINISHED_BITS[record.state] | flags);
      writer.u24(record.lane.number);
      writer.u40(record.counter);
      writer.f64(record.token);
      writer.f64(record.finishedAtMs);
      if (!isPlain) {
        writer.uint(record.generation);
        writer.uint(record.attempt);
        writer.uint(record.recoveries);
        writer.uint(record.returns);
      }
      if (value !== null) writer.bytes(value);
    }
    slice.stored = to;
    writer.end(sliceKey(segment, slice.bits, slice.number, slice.chunks++));
  }
}

function removeSlice(slice: Slice, segment: number, writer: RecordWriter): void {
  for (let chunk = 0; chunk < slice.chunks; chunk++) {
    writer.remove(sliceKey(segment, slice.bits, slice.number, chunk));
  }
}

function writeOperation(operation: Operation, segment: number, writer: RecordWriter): void {
  operation.isDirty = false;
  const { lane, counter } = operation;
  const key = addressKey(segment, SEGMENT_KIND.operation, lane.number, counter);
  if (operation.isGone) {
    // A new Operation under the same dot writes its own record; this one must not take it away.
    const present = entryOf(lane, counter);
    const isReplaced = present !== undefined && !isFinished(present) && present.run === null;
    if (operation.isStored && !isReplaced) writer.remove(key);
    operation.isStored = false;
    return;
  }
  operation.isStored = true;
  writer.begin();
  writer.u8(STORED_STATES.indexOf(storedState(operation)));
  writer.text(operation.queue.name);
  writer.f64(operation.priority);
  writer.uint(operation.generation);
  writer.uint(operation.attempt);
  writer.uint(operation.recoveries);
  writer.uint(operation.returns);
  writer.f64(operation.token);
  writer.f64(operation.timeMs);
  writer.f64(operation.finishedAtMs);
  writer.f64(operation.order);
  const isElement = operation.isWithdrawn && operation.state !== "failed";
  writer.maybeBytes(isElement ? null : operation.value);
  if (!isElement) writer.bytes(operation.body);
  if (!isElement && operation.tied !== null) writeTies(operation.tied, writer);
  if (!isElement && operation.lapse !== null) writeLapse(operation.lapse, writer);
  writer.end(key);
}

/** Behind the ties, which every Operation with a lapse has. */
function writeLapse({ startByMs, endByMs, retainMs, value, heapIndex }: Lapse, writer: RecordWriter): void {
  writer.u8(heapIndex < 0 ? 1 : 0);
  writer.f64(startByMs);
  writer.f64(endByMs);
  writer.f64(retainMs);
  writer.bytes(value);
}

/** Behind the fields that all have: ties, and where the Operation waits for them. */
function writeTies(tied: Tied, writer: RecordWriter): void {
  const { key, line, gates, flow, parkedAt, candidateOf, ticket, lineTicket } = tied;
  writer.text(key ?? "");
  writer.text(line ?? "");
  writeGates(gates, writer);
  writer.uint(lineTicket);
  writer.uint(ticket);
  const isAtGate = parkedAt !== null && "parked" in parkedAt;
  // One with a flow is at a fair gate while it is a candidate.
  const isBoth = isAtGate && candidateOf !== null;
  writer.u8(parkedAt === null ? (candidateOf === null ? 0 : 3) : isBoth ? 4 : isAtGate ? 1 : 2);
  writer.text((parkedAt ?? candidateOf)?.name ?? "");
  writer.text(flow?.name ?? "");
  if (flow !== null) writer.f64(flow.weight);
  if (isBoth) writer.text(candidateOf.name);
}

function writeGates(gates: readonly GateTie[], writer: RecordWriter): void {
  let count = gates.length;
  for (const gate of gates) if ("slots" in gate && gate.full) count++;
  writer.uint(count);
  for (const gate of gates) {
    writer.text(gate.name);
    writer.uint("slots" in gate ? gate.slots : 0);
    if ("slots" in gate) {
      if (gate.full) writeFull(gate.full, writer);
      continue;
    }
    writer.f64(gate.everyMs);
    writer.uint(gate.burst);
  }
}

/** Behind its gate, like one without a name. */
function writeFull({ mode, value }: FullTie, writer: RecordWriter): void {
  writer.text("");
  writer.u8(STORED_MODES.indexOf(mode));
  writer.bytes(value);
}

function storedState({ isWithdrawn, state }: Operation): (typeof STORED_STATES)[number] {
  if (isWithdrawn) return state === "failed" ? "failed_listed" : "withdrawn";
  return state === "running" ? "ready" : state;
}

function writeRun(run: Run, segment: number, writer: RecordWriter): void {
  run.isDirty = false;
  const key = addressKey(segment, SEGMENT_KIND.run, run.lane.number, run.first);
  if (run.live === 0) {
    if (run.isSealed) writer.remove(key);
    run.isSealed = true;
    return;
  }
  if (run.isSealed) return;
  run.isSealed = true;
  const { bodies, gates } = run;
  writer.begin();
  writer.f64(run.order);
  writer.uint(bodies.length);
  for (const body of bodies) writer.bytes(body);
  for (const ties of gates ?? []) writeGates(ties, writer);
  writer.end(key);
  if (run.popped === bodies.length) emptyRun(run);
}

function writeTaking(taking: Taking, segment: number, writer: RecordWriter): void {
  taking.isDirty = false;
  const key = takingKey(segment, taking.number);
  const held = taking.taken.filter((operation) => operation.taking === taking);
  taking.taken.length = 0;
  for (const operation of held) taking.taken.push(operation);
  if (held.length === 0) {
    if (taking.isStored) writer.remove(key);
    taking.isStored = false;
    return;
  }
  taking.isStored = true;
  writer.begin();
  writer.text(taking.owner.name);
  writer.uint(taking.request);
  writer.f64(taking.token);
  writeRanges(held, writer);
  writer.end(key);
}

/** Neighbours of one lane that were claimed one behind another, as a range. */
function writeRanges(held: readonly Operation[], writer: RecordWriter): void {
  const ranges: { from: Operation; length: number }[] = [];
  for (const operation of held) {
    const range = ranges[ranges.length - 1];
    const isNext =
      range !== undefined &&
      range.from.lane === operation.lane &&
      range.from.counter + range.length === operation.counter &&
      range.from.takingIndex + range.length === operation.takingIndex;
    if (isNext) range.length++;
    else ranges.push({ from: operation, length: 1 });
  }
  writer.uint(ranges.length);
  for (const { from, length } of ranges) {
    writer.u24(from.lane.number);
    writer.u40(from.counter);
    writer.uint(from.takingIndex);
    writer.uint(length);
  }
}

function writeNotes(operation: Operation, segment: number, writer: RecordWriter): void {
  operation.areNotesDirty = false;
  const key = addressKey(segment, SEGMENT_KIND.notes, operation.lane.number, operation.counter);
  const { progress, cancelReason } = operation;
  if (progress === null && cancelReason === null) {
    if (operation.hasNotes) writer.remove(key);
    operation.hasNotes = false;
    return;
  }
  operation.hasNotes = true;
  writer.begin();
  writer.maybeBytes(progress);
  writer.maybeBytes(cancelReason);
  writer.end(key);
}
