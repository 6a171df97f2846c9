/**
 * What time does: due work becomes ready, finished records go; and what people do with dead letters: requeue.
 * Pure; one family of the machine's moves (machine.ts).
 */
import { ID_MEMORY_MS } from "../../engine/lease.js";
import type {
  PromoteAnswer,
  PromoteParams,
  PruneAnswer,
  PruneParams,
  RequeueAnswer,
  RequeueParams,
} from "../../engine/transitions.js";
import { forget } from "./ending.js";
import { forgetWithdrawn, noteStale, type Stale, unlist } from "./enqueue.js";
import { dropClocks, makeReady } from "./fair.js";
import { endLapsed } from "./lapsing.js";
import { dropRest, settleMore } from "./limiting.js";
import { locate } from "./reading.js";
import {
  dropEntry,
  isFinished,
  type Operation,
  type SegmentState,
  type Slice,
  touch,
  touchSlice,
  touchWindow,
} from "./state.js";
import { dropKeys, dropPaces, joinLine, nextDueInMs, openPaces, putWoken, untie } from "./ties.js";

/** promote: scheduled → ready for what is due. */
export function promote(state: SegmentState, params: PromoteParams, nowUs: number): PromoteAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const lapsed = state.lapses.size > 0 ? endLapsed(state, params.max, nowMs) : 0;
  untie(state, nowMs);
  let promoted = 0;
  for (; promoted < params.max; promoted++) {
    const first = state.due.first;
    if (first === undefined || first.timeMs > nowMs) break;
    state.due.remove(first);
    makeReady(state, first, "back");
  }
  const woken: Operation[] = [];
  if (state.settling.size > 0) settleMore(state, params.max, nowMs, woken);
  if (state.opening.size > 0) openPaces(state, params.max, nowMs, woken);
  putWoken(state, woken);
  return { promoted, lapsed, nextDueInMs: nextDueInMs(state, nowMs) };
}

/** requeue: failed → ready, a new generation. */
export function requeue(state: SegmentState, params: RequeueParams, nowUs: number): RequeueAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const stale: Stale = new Map();
  const answers = params.dots.map(({ laneName, counter }): RequeueAnswer["answers"][number] => {
    const lane = state.lanesByName.get(laneName);
    const found = lane === undefined ? "missing" : locate(state, lane, counter, nowMs);
    if (found === "missing") return "missing";
    if (typeof found === "string" || isFinished(found) || found.state !== "failed") return "illegal";
    reopen(state, found, stale);
    return "ok";
  });
  unlist(stale);
  return { answers };
}

/**
 * Takes a dead letter into its next generation, at the end of its list, or where it stands there still: then it lapsed.
 * What may not stay there is noted in `stale`.
 */
export function reopen(state: SegmentState, operation: Operation, stale: Stale): void {
  state.dead.remove(operation);
  operation.generation++;
  operation.attempt = 0;
  operation.recoveries = 0;
  operation.returns = 0;
  const mayGo = joinLine(state, operation, 0);
  if (!operation.isWithdrawn) {
    if (mayGo) makeReady(state, operation, "back");
  } else if (mayGo) {
    forgetWithdrawn(operation);
    operation.state = "ready";
    touch(state, operation);
  } else {
    noteStale(stale, operation);
  }
}

/** prune: what is past its retention goes. */
export function prune(state: SegmentState, params: PruneParams, nowUs: number): PruneAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const isOver = (): boolean => (state.slices[0]?.expiresAtMs ?? Number.POSITIVE_INFINITY) <= nowMs;
  let finished = 0;
  for (let gone = 0; gone < params.max && isOver(); gone++) finished += dropSlice(state);

  const isDead = (): boolean => (state.dead.first?.timeMs ?? Number.POSITIVE_INFINITY) <= nowMs;
  let dead = 0;
  for (let first = state.dead.first; first !== undefined && dead < params.max && isDead(); first = state.dead.first) {
    forget(state, first);
    dead++;
  }
  const arePacesLeft = dropPaces(state, params.max, nowMs);
  dropRest(state, nowMs);
  dropClocks(state);
  const areKeysLeft = dropKeys(state, params.max, nowMs);
  return {
    finished,
    dead,
    windows: dropWindows(state, nowMs),
    more: isOver() || isDead() || areKeysLeft || arePacesLeft,
  };
}

/** Deletes the slice that expires first and answers how many records went. */
function dropSlice(state: SegmentState): number {
  const slice = state.slices.shift() as Slice; // called only while there is one
  let gone = slice.records.length;
  for (const record of slice.records) {
    dropEntry(record);
    if (state.erased.size === 0 || !state.erased.delete(record)) continue;
    gone--;
    record.lane.relived.delete(record.counter);
    if (state.tracks) state.dirty.erased.push({ finished: record, isThere: false });
  }
  slice.isGone = true;
  touchSlice(state, slice);
  return gone;
}

function dropWindows(state: SegmentState, nowMs: number): number {
  const last = Math.floor(nowMs / ID_MEMORY_MS) - 1;
  let dropped = 0;
  for (let first = state.windows[0]; first !== undefined && first.number < last; first = state.windows[0]) {
    state.windows.shift();
    first.isGone = true;
    touchWindow(state, first);
    dropped++;
  }
  return dropped;
}
