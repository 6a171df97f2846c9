/**
 * list: what is in one state, page by page. What is ready is found by its place in its list, what runs by its owner,
 * all else by walking the index in the order of addresses: no page costs more than another, and nothing moves.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { OperationRecord } from "../../engine/operation.js";
import type { ListAnswer, ListParams } from "../../engine/transitions.js";
import { compareNames, recordOf, unreadRecord } from "./reading.js";
import { type Entry, entriesFrom, type Lane, type Queue, type ReadyList, type SegmentState } from "./state.js";

/** Looking at an entry of the index is so much cheaper than answering one. */
const LOOKS_PER_RECORD = 64;

/** list: a page of what is in one state. */
export function list(state: SegmentState, params: ListParams): ListAnswer {
  const { of, max } = params;
  const cursor = params.cursor ?? "";
  switch (of.state) {
    case "ready":
      return listReady(state.queues.get(of.queue), cursor, max);
    case "running":
      return listRunning(state, cursor, max);
    default:
      return listIndexed(state, of.state, cursor, max);
  }
}

// ── Ready ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The next place to look at: a priority, the order of an element in its list, and the place inside a Run. */
interface ReadyPlace {
  readonly priority: number;
  readonly order: number;
  readonly index: number;
}

function listReady(queue: Queue | undefined, cursor: string, max: number): ListAnswer {
  const records: OperationRecord[] = [];
  const found = /^(-?\d+):(-?\d+):(\d+)$/.exec(cursor);
  const place = found && { priority: Number(found[1]), order: Number(found[2]), index: Number(found[3]) };
  let left = max;
  for (const active of queue?.active ?? []) {
    if (place && active.priority > place.priority) continue;
    const next = listOne(active, place?.priority === active.priority ? place : null, left, records);
    if (typeof next !== "number") return { records, cursor: `${next.priority}:${next.order}:${next.index}` };
    left = next;
  }
  return { records, cursor: null };
}

/** Reads one list from a place on; answers where the next page begins, or how many may still be looked at. */
function listOne(
  { priority, elements }: ReadyList,
  place: ReadyPlace | null,
  max: number,
  records: OperationRecord[],
): ReadyPlace | number {
  let left = max;
  for (let at = place === null ? 0 : placeOf(elements, place.order); at < elements.length; at++) {
    const element = elements.at(at);
    if (element === undefined) break;
    const { order } = element;
    if (!element.isRun) {
      if (left === 0) return { priority, order, index: 0 };
      left--;
      if (!element.isWithdrawn) records.push(recordOf(element));
      continue;
    }
    const { lane, bodies, first, popped } = element;
    let index = Math.max(popped, place?.order === order ? place.index : 0);
    for (; index < bodies.length; index++) {
      if (left === 0) return { priority, order, index };
      left--;
      if (!lane.withdrawn.has(first + index)) records.push(unreadRecord(lane, first + index, bodies[index] ?? null));
    }
  }
  return left;
}

/** The first element whose order is not below this one. */
function placeOf(elements: ReadyList["elements"], order: number): number {
  let from = 0;
  let to = elements.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((elements.at(middle)?.order ?? order) < order) from = middle + 1;
    else to = middle;
  }
  return from;
}

// ── Running ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Owner by owner, in claim order. Cursor: claim and place of the next one, and its owner. */
function listRunning(state: SegmentState, cursor: string, max: number): ListAnswer {
  const found = /^(\d+):(\d+):(.*)$/.exec(cursor);
  const from = found && { taking: Number(found[1]), index: Number(found[2]), owner: found[3] ?? "" };
  const records: OperationRecord[] = [];
  const owners = [...state.owners.values()].sort((a, b) => compareNames(a.name, b.name));
  for (const owner of owners) {
    if (from && owner.name < from.owner) continue;
    for (let held = owner.first; held !== null; held = held.heldAfter) {
      const taking = held.taking?.number ?? 0;
      const isSeen =
        from?.owner === owner.name &&
        (taking < from.taking || (taking === from.taking && held.takingIndex < from.index));
      if (isSeen) continue;
      if (records.length === max) return { records, cursor: `${taking}:${held.takingIndex}:${owner.name}` };
      records.push(recordOf(held));
    }
  }
  return { records, cursor: null };
}

// ── The rest ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** By address. Cursor: lane number and counter of the next one. */
function listIndexed(state: SegmentState, wanted: Entry["state"] | "parked", cursor: string, max: number): ListAnswer {
  if (wanted === "parked" && state.parked === 0) return { records: [], cursor: null };
  const [, lane = "1", counter = "0"] = /^(\d+):(\d+)$/.exec(cursor) ?? [];
  const records: OperationRecord[] = [];
  let looks = LOOKS_PER_RECORD * max;
  let from = Number(counter);
  for (let number = Math.max(1, Number(lane)); number < state.lanes.length; number++) {
    const present: Lane | undefined = state.lanes[number];
    if (present === undefined) continue;
    for (const step of entriesFrom(present, from)) {
      if (records.length === max || looks-- <= 0) return { records, cursor: `${number}:${step.counter}` };
      if (step.entry !== undefined && isWanted(step.entry, wanted)) records.push(recordOf(step.entry));
    }
    from = 0;
  }
  return { records, cursor: null };
}

function isWanted(entry: Entry, wanted: Entry["state"] | "parked"): boolean {
  if (wanted !== "parked") return entry.state === wanted;
  return entry.state === "ready" && entry.tied !== null && entry.tied.parkedAt !== null;
}
