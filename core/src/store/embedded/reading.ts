/**
 * Reads: find, peek, counts. Only `find` with `wait` changes anything, and that is no one else's business.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { Barrier, OperationRecord } from "../../engine/operation.js";
import type {
  CountsAnswer,
  FindAnswer,
  FindParams,
  HoldersAnswer,
  HoldersParams,
  PeekAnswer,
  PeekParams,
} from "../../engine/transitions.js";

import { sha1Remembered } from "./enqueue.js";
import {
  type Entry,
  entryOf,
  FIRST_GENERATION,
  type Finished,
  highestOf,
  idOf,
  isFinished,
  type Lane,
  type Operation,
  type SegmentState,
} from "./state.js";
import { holderOf, nextDueInMs } from "./ties.js";

/** What is known of a dot: its entry, that it waits on the fast path unread, or where it went. */
export function locate(
  state: SegmentState,
  lane: Lane,
  counter: number,
  nowMs: number,
): Entry | "unread" | "pruned" | "missing" {
  const entry = entryOf(lane, counter);
  if (entry !== undefined) return entry;
  if (lane.withdrawn.has(counter)) return "pruned";
  if (lane.queue === null) return sha1Remembered(state, lane, counter, nowMs) === null ? "missing" : "pruned";
  if (counter < 1 || counter > lane.accepted) return "missing";
  // Claims of what came behind a gap raise the mark over it as well.
  if (lane.gaps.some(([first, last]) => counter >= first && counter <= last)) return "missing";
  return counter <= lane.claimed ? "pruned" : "unread";
}

/** find: Operations by dot. */
export function find(state: SegmentState, params: FindParams, nowUs: number): FindAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const records = params.dots.map(({ laneName, counter }): FindAnswer["records"][number] => {
    const lane = state.lanesByName.get(laneName);
    if (lane === undefined) return "missing";
    const found = locate(state, lane, counter, nowMs);
    if (found === "missing" || found === "pruned") return found;
    const record = found === "unread" ? unreadRecord(lane, counter, null) : recordOf(found);
    if (params.wait && (found === "unread" || !isTerminalEntry(found))) lane.waited.add(counter);
    return record;
  });
  return { records };
}

/** holders: who holds keys. */
export function holders(state: SegmentState, params: HoldersParams, nowUs: number): HoldersAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const found = params.keys.map((key) => {
    const held = holderOf(state, key, nowMs);
    return held === null ? null : { laneName: held.lane.name, counter: held.counter };
  });
  return { holders: found };
}

function isTerminalEntry(entry: Entry): boolean {
  return isFinished(entry) || entry.state === "failed";
}

/** What a reader gets of an entry of the index. */
export function recordOf(entry: Entry): OperationRecord {
  return isFinished(entry) ? finishedRecord(entry) : operationRecord(entry);
}

function finishedRecord(finished: Finished): OperationRecord {
  return {
    id: idOf(finished.lane, finished.counter),
    state: finished.state,
    queue: null,
    priority: 0,
    generation: finished.generation,
    attempt: finished.attempt,
    recoveries: finished.recoveries,
    returns: finished.returns,
    token: finished.token,
    owner: null,
    isCancelMarked: false,
    dueAtMs: null,
    finishedAtMs: finished.finishedAtMs,
    body: null,
    value: finished.value,
    progress: null,
    parked: null,
  };
}

function operationRecord(operation: Operation): OperationRecord {
  const { state } = operation;
  const isRunning = state === "running";
  return {
    id: idOf(operation.lane, operation.counter),
    state,
    queue: operation.queue.name,
    priority: operation.priority,
    generation: operation.generation,
    attempt: isRunning ? operation.attempt + 1 : operation.attempt,
    recoveries: operation.recoveries,
    returns: operation.returns,
    token: isRunning ? operation.heldToken : operation.token,
    owner: operation.taking?.owner.name ?? null,
    isCancelMarked: operation.cancelReason !== null,
    dueAtMs: state === "scheduled" ? operation.timeMs : null,
    finishedAtMs: state === "failed" ? operation.finishedAtMs : null,
    body: operation.body,
    value: operation.value,
    progress: operation.progress,
    parked: state === "ready" ? parkedOf(operation) : null,
  };
}

function parkedOf({ tied }: Operation): Barrier | null {
  const place = tied?.parkedAt ?? null;
  return place === null ? null : { kind: "parked" in place ? "gate" : "line", name: place.name };
}

/** What a reader gets of an Operation that waits on the fast path. */
export function unreadRecord(lane: Lane, counter: number, body: Uint8Array | null): OperationRecord {
  return {
    id: idOf(lane, counter),
    state: "ready",
    queue: lane.queue?.name ?? null,
    priority: 0,
    generation: FIRST_GENERATION,
    attempt: 0,
    recoveries: 0,
    returns: 0,
    token: 0,
    owner: null,
    isCancelMarked: false,
    dueAtMs: null,
    finishedAtMs: null,
    body,
    value: null,
    progress: null,
    parked: null,
  };
}

/** peek: a page of a Queue or of the dead letters. */
export function peek(state: SegmentState, params: PeekParams): PeekAnswer {
  const { of, offset, limit } = params;
  if (of === "dead") {
    return { records: state.dead.page(offset, limit).map(operationRecord), total: state.dead.size };
  }
  const queue = state.queues.get(of.queue);
  if (queue === undefined) return { records: [], total: 0 };
  const records: OperationRecord[] = [];
  let at = 0;
  for (const list of queue.active) {
    for (const element of list.elements) {
      if (at >= offset + limit) return { records, total: queue.length };
      if (!element.isRun) {
        if (at >= offset && !element.isWithdrawn) records.push(operationRecord(element));
        at++;
        continue;
      }
      const { lane, bodies, first, popped } = element;
      const end = Math.min(bodies.length, popped + offset + limit - at);
      for (let i = popped + Math.max(0, offset - at); i < end; i++) {
        if (!lane.withdrawn.has(first + i)) records.push(unreadRecord(lane, first + i, bodies[i] ?? null));
      }
      at += bodies.length - popped;
    }
  }
  return { records, total: queue.length };
}

/** counts: the Segment at a glance. */
export function counts(state: SegmentState, _params: object, nowUs: number): CountsAnswer {
  let fair = 0;
  const queues = [...state.queues.values()]
    .sort((a, b) => compareNames(a.name, b.name))
    .map((queue) => {
      const { name, length, withdrawn, isPaused, waiting } = queue;
      let takingTurns = 0;
      for (const gate of waiting) takingTurns += gate.parked.size;
      fair += takingTurns;
      return { queue: name, ready: length - withdrawn + takingTurns, highest: highestOf(queue), isPaused };
    });
  const owners = [...state.owners.values()]
    .sort((a, b) => compareNames(a.name, b.name))
    .map(({ name, beat, held }) => ({ owner: name, beat, held }));
  return {
    queues,
    owners,
    scheduled: state.due.size,
    running: state.running,
    dead: state.dead.size,
    parked: state.parked - fair,
    nextDueInMs: nextDueInMs(state, Math.floor(nowUs / 1000)),
    totals: { ...state.totals },
  };
}

/** Names are ASCII, so the order of UTF-16 units is that of their bytes. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
