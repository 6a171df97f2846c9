/**
 * How a life ends, and what every way out of running has in common: slices of finished records, dead letters, waiters.
 * Pure; shared by the machine's moves.
 */

import { ID_MEMORY_MS } from "../../engine/lease.js";
import type { OperationState } from "../../engine/operation.js";
import { SEGMENT_SLOTS } from "../../engine/ties.js";
import { Shelf } from "./shelf.js";
import {
  dropEntry,
  EMPTY,
  type End,
  Finished,
  idOf,
  type Lane,
  type Life,
  type Operation,
  putEntry,
  ringQueues,
  type SegmentState,
  type Slice,
  touch,
  touchNotes,
  touchRun,
  touchSlice,
  touchTaking,
} from "./state.js";

/** The slice for records finished now and kept for `retainMs`; made when its first record comes. */
export function sliceFor(state: SegmentState, nowMs: number, retainMs: number): Slice {
  let bits = 10;
  while (retainMs > 32 * 2 ** bits) bits++;
  return sliceOf(state, bits, Math.floor((nowMs + retainMs) / 2 ** bits) + 1);
}

/** The slice of a width and number, made if absent; slices stay in order of expiry, narrower first. */
export function sliceOf(state: SegmentState, bits: number, number: number): Slice {
  const { slices } = state;
  const expiresAtMs = number * 2 ** bits;
  let at = slices.length;
  for (; at > 0; at--) {
    const before = slices[at - 1] as Slice; // at − 1 is inside
    if (before.expiresAtMs < expiresAtMs) break;
    if (before.expiresAtMs > expiresAtMs) continue;
    if (before.bits === bits) return before;
    if (before.bits < bits) break;
  }
  const slice: Slice = {
    ...{ bits, number, expiresAtMs },
    ...{ records: [], shelf: new Shelf(), stored: 0, chunks: 0, isGone: false, isDirty: false },
  };
  slices.splice(at, 0, slice);
  return slice;
}

/** Ends a running Operation as completed or cancelled; it must have been freed. */
export function finish(state: SegmentState, operation: Operation, end: End, slice: Slice, nowMs: number): void {
  operation.attempt++;
  keep(state, slice, operation, end, nowMs);
  leave(state, operation);
}

/** Ends a running Operation as cancelled for the reason of its first cancel, or as failed if it was its lapse. */
export function finishMarked(
  state: SegmentState,
  operation: Operation,
  token: number,
  retainMs: number,
  nowMs: number,
): "cancelled" | "failed" {
  const value = operation.cancelReason;
  free(state, operation);
  const { lapse } = operation;
  if (lapse !== null && value === lapse.value) {
    operation.token = token;
    bury(state, operation, lapse.value, lapse.retainMs, nowMs);
    return "failed";
  }
  state.totals.cancelled++;
  finish(state, operation, { state: "cancelled", token, value }, sliceFor(state, nowMs, retainMs), nowMs);
  return "cancelled";
}

/** Puts a finished record into its slice and into the index, and settles who waits. */
export function keep(state: SegmentState, slice: Slice, life: Life, end: End, nowMs: number): void {
  const finished = new Finished(slice, life, end, nowMs);
  const { lane, counter } = life;
  if (lane.relived.size > 0) {
    if (lane.relived.get(counter) === nowMs) finished.noteLater();
    lane.relived.delete(counter);
  }
  slice.records.push(finished);
  touchSlice(state, slice);
  putEntry(finished);
  if (lane.waited.size > 0) settle(state, finished, end.value);
}

/** Moves a running Operation, freed already, into the dead letters. */
export function bury(
  state: SegmentState,
  operation: Operation,
  value: Uint8Array,
  retainMs: number,
  nowMs: number,
): void {
  operation.attempt++;
  settleFailed(state, operation, value, retainMs, nowMs);
}

/** Moves an Operation that is in no place into the dead letters, with its Attempts as they stand. */
export function settleFailed(
  state: SegmentState,
  operation: Operation,
  value: Uint8Array,
  retainMs: number,
  nowMs: number,
): void {
  own(state, operation);
  operation.state = "failed";
  operation.value = value;
  operation.finishedAtMs = nowMs;
  operation.timeMs = nowMs + retainMs;
  state.dead.add(operation);
  state.totals.failed++;
  if (operation.lane.waited.size > 0) settle(state, operation, value);
}

/** Takes a running Operation from its owner and drops progress and cancel mark: what every way out begins with. */
export function free(state: SegmentState, operation: Operation): void {
  const { taking, heldBefore, heldAfter } = operation;
  if (taking === null) return;
  const { owner } = taking;
  if (operation.tied !== null) state.loose.push({ operation, didRun: true });
  if (heldBefore === null) owner.first = heldAfter;
  else heldBefore.heldAfter = heldAfter;
  if (heldAfter === null) owner.last = heldBefore;
  else heldAfter.heldBefore = heldBefore;
  owner.held--;
  state.running--;
  if (state.live.size > 0 && state.live.has(SEGMENT_SLOTS)) ringQueues(state);
  touchTaking(state, taking);
  operation.taking = null;
  operation.heldBefore = null;
  operation.heldAfter = null;
  operation.heldToken = 0;
  if (operation.cancelReason !== null) owner.marked--;
  if (operation.hasNotes) touchNotes(state, operation);
  operation.progress = null;
  operation.cancelReason = null;
}

/** Gives an Operation a record of its own: its bytes are no longer needed where they came in. */
export function own(state: SegmentState, operation: Operation): void {
  leaveRun(state, operation);
  touch(state, operation);
}

/** The Operation's object is done with: its record and the bytes it came in go. */
function leave(state: SegmentState, operation: Operation): void {
  operation.isGone = true;
  if (operation.run === null) touch(state, operation);
  else leaveRun(state, operation);
}

function leaveRun(state: SegmentState, operation: Operation): void {
  const { run } = operation;
  if (run === null) return;
  operation.run = null;
  run.live--;
  if (run.live === 0) touchRun(state, run);
}

/** Cancels a scheduled or ready Operation. An element on a list stays there, withdrawn. */
export function finishWaiting(
  state: SegmentState,
  operation: Operation,
  value: Uint8Array,
  slice: Slice,
  nowMs: number,
): void {
  if (operation.tied !== null) state.loose.push({ operation, didRun: false });
  if (operation.state === "scheduled") {
    state.due.remove(operation);
    operation.isGone = true;
  } else if (operation.tied !== null && operation.tied.parkedAt !== null) {
    operation.isGone = true;
  } else {
    operation.isWithdrawn = true;
    operation.lane.withdrawn.set(operation.counter, operation);
    operation.queue.withdrawn++;
  }
  touch(state, operation);
  state.totals.cancelled++;
  keep(state, slice, operation, { state: "cancelled", token: operation.token, value }, nowMs);
}

/** Ends one that waits and is on no list: it met a full gate, or is parked at one. */
export function finishUnlisted(
  state: SegmentState,
  operation: Operation,
  word: "cancelled" | "skipped",
  value: Uint8Array,
  nowMs: number,
): void {
  state.loose.push({ operation, didRun: false });
  operation.isGone = true;
  touch(state, operation);
  state.totals[word]++;
  const slice = sliceFor(state, nowMs, ID_MEMORY_MS);
  keep(state, slice, operation, { state: word, token: operation.token, value }, nowMs);
}

/** Cancels an element of the fast path that waits, and so has no record yet. */
export function finishUnread(
  state: SegmentState,
  lane: Lane,
  counter: number,
  generation: number,
  value: Uint8Array,
  slice: Slice,
  nowMs: number,
): void {
  lane.withdrawn.set(counter, null);
  if (lane.queue !== null) lane.queue.withdrawn++;
  if (state.tracks) state.dirty.withdrawn.push({ lane, counter, isThere: true });
  state.totals.cancelled++;
  const life = { lane, counter, generation, attempt: 0, recoveries: 0, returns: 0 };
  keep(state, slice, life, { state: "cancelled", token: 0, value }, nowMs);
}

/** Deletes a dead letter. An element of it that is still on a list stays there, withdrawn. */
export function forget(state: SegmentState, operation: Operation): void {
  state.dead.remove(operation);
  dropEntry(operation);
  if (operation.isWithdrawn) operation.state = "ready";
  else operation.isGone = true;
  touch(state, operation);
}

interface Ended {
  readonly lane: Lane;
  readonly counter: number;
  readonly state: OperationState;
  readonly generation: number;
  readonly attempt: number;
  readonly finishedAtMs: number;
}

function settle(state: SegmentState, ended: Ended, value: Uint8Array | null): void {
  const { lane, counter, generation, attempt, finishedAtMs } = ended;
  if (!lane.waited.delete(counter)) return;
  const id = idOf(lane, counter);
  const outcome = { id, state: ended.state, generation, attempt, finishedAtMs, value: value ?? EMPTY };
  state.events.push({ kind: "settled", outcome });
}
