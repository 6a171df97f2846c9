/**
 * Lapses (elsewhere: expiry, time to live, deadline): what waits too long fails, what runs too long is marked for it.
 * The rules stand in engine/transitions.ts.
 * Pure; used by the machine's moves.
 */
import type { LapseTie } from "../../engine/ties.js";
import { settleFailed } from "./ending.js";
import { mark } from "./marking.js";
import { type Lapse, type Operation, type SegmentState, touch } from "./state.js";

/** Gives a new Operation its times; tells if it is the first that lapses. */
export function setLapse(state: SegmentState, tie: LapseTie, operation: Operation, nowMs: number): void {
  const startByMs = tie.startInMs === null ? Number.POSITIVE_INFINITY : Math.floor(nowMs + tie.startInMs);
  const endByMs = tie.endInMs === null ? Number.POSITIVE_INFINITY : Math.floor(nowMs + tie.endInMs);
  const timeMs = Math.min(startByMs, endByMs);
  if (timeMs === Number.POSITIVE_INFINITY) return;
  const { retainMs, value } = tie;
  const { lane, counter } = operation;
  const isFirst = timeMs < (state.lapses.first?.timeMs ?? Number.POSITIVE_INFINITY);
  operation.lapse = { lane, counter, operation, startByMs, endByMs, timeMs, heapIndex: -1, retainMs, value };
  state.lapses.add(operation.lapse);
  if (isFirst) state.events.push({ kind: "due", inMs: Math.max(0, timeMs - nowMs) });
}

/** Whether a popped Operation may still be claimed; else it has failed. */
export function mayStart(state: SegmentState, lapse: Lapse, nowMs: number): boolean {
  if (lapse.timeMs > nowMs) return true;
  failWaiting(state, lapse, nowMs);
  return false;
}

/** It was claimed in time: what is left is its end. */
export function started(state: SegmentState, lapse: Lapse): void {
  if (lapse.startByMs === Number.POSITIVE_INFINITY) return;
  state.lapses.remove(lapse);
  lapse.startByMs = Number.POSITIVE_INFINITY;
  lapse.timeMs = lapse.endByMs;
  if (lapse.timeMs === Number.POSITIVE_INFINITY) lapse.operation.lapse = null;
  else state.lapses.add(lapse);
  touch(state, lapse.operation);
}

/** Ends or marks up to `max` Operations whose time has come; answers how many. */
export function endLapsed(state: SegmentState, max: number, nowMs: number): number {
  let lapsed = 0;
  for (; lapsed < max; lapsed++) {
    const first = state.lapses.first;
    if (first === undefined || first.timeMs > nowMs) break;
    const { operation } = first;
    if (operation.state === "running") {
      state.lapses.remove(first);
      mark(state, operation, first.value);
      touch(state, operation);
      continue;
    }
    if (operation.state === "scheduled") state.due.remove(operation);
    else if (operation.tied === null || operation.tied.parkedAt === null) withdraw(operation);
    failWaiting(state, first, nowMs);
  }
  return lapsed;
}

/** Forgets the times of one that has ended. */
export function dropLapse(state: SegmentState, operation: Operation): void {
  const { lapse } = operation;
  if (lapse === null) return;
  if (lapse.heapIndex >= 0) state.lapses.remove(lapse);
  operation.lapse = null;
}

function withdraw(operation: Operation): void {
  operation.isWithdrawn = true;
  operation.lane.withdrawn.set(operation.counter, operation);
  operation.queue.withdrawn++;
}

/** It is due at no time and claimed by nobody. */
function failWaiting(state: SegmentState, lapse: Lapse, nowMs: number): void {
  const { operation, value, retainMs } = lapse;
  state.lapses.remove(lapse);
  const place = operation.tied?.parkedAt ?? null;
  if (place !== null && "parked" in place) place.parked.remove(operation); // it goes to the dead letters now, by time
  state.loose.push({ operation, didRun: false });
  settleFailed(state, operation, value, retainMs, nowMs);
  state.dirty.root = true;
}
