/**
 * check: looks for what contradicts itself in the state of a Segment, and mends it if asked to.
 *
 * Parts: lanes · Queues and their lists · owners · the index, page by page · ties (checking-ties.ts). Here every place an Operation can be in is
 * known to the Operation itself, so nothing is suspected that is not found out at once. What mending changes is touched,
 * so a durable store writes it. Pure; one family of the machine's moves (machine.ts).
 */
import type { CheckFinding, FindingKind } from "../../engine/findings.js";
import type { CheckAnswer, CheckParams } from "../../engine/transitions.js";
import { checkLapse, checkPlaces, checkTied, type Note, Standing } from "./checking-ties.js";
import { own } from "./ending.js";
import { makeReady } from "./fair.js";
import { compareNames } from "./reading.js";
import {
  entriesFrom,
  entryOf,
  idOf,
  isFinished,
  type Lane,
  type Operation,
  type Owner,
  pushBack,
  type Queue,
  type ReadyList,
  type SegmentState,
  touch,
  touchLane,
  touchOwner,
  touchQueue,
} from "./state.js";

/** Steps through the index per element asked for: each is cheap. */
const LOOKS_PER_ELEMENT = 16;

/** One call: what it has found. */
interface Check {
  readonly state: SegmentState;
  readonly isMending: boolean;
  readonly findings: CheckFinding[];
  looked: number;
  readonly nowMs: number;
  readonly standing: Standing;
}

/** check: one part, or a piece of one. */
export function check(state: SegmentState, params: CheckParams, nowUs: number): CheckAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const run: Check = { state, isMending: params.isMending, findings: [], looked: 0, nowMs, standing: new Standing() };
  const cursor = params.suspects.length > 0 ? null : checkPart(run, params.cursor ?? "", params.max);
  return { cursor, looked: run.looked, findings: run.findings, placeless: [], listed: [] };
}

/** Answers where to go on, null at the end. */
function checkPart(run: Check, cursor: string, max: number): string | null {
  const [, part = "lanes", place = ""] = /^([a-z]+):(.*)$/.exec(cursor) ?? [];
  switch (part) {
    case "queues":
      return checkQueue(run, place) ?? "owners:";
    case "owners":
      checkOwners(run);
      return "index:1:0";
    case "index":
      return checkIndex(run, place, LOOKS_PER_ELEMENT * max) ?? "ties:";
    case "ties":
      run.looked += run.state.gates.size + run.state.lines.size + run.state.keys.size + run.state.lapses.size;
      checkPlaces(run.state, run.nowMs, noteTie(run));
      return null;
    default:
      for (const lane of run.state.lanes) if (lane !== undefined) checkLane(run, lane);
      return "queues:";
  }
}

/** Notes a finding; true if it is to be mended. */
function note(run: Check, kind: FindingKind, id: string | null, about: string): boolean {
  run.findings.push({ kind, id, about });
  return run.isMending;
}

function noteOf(run: Check, kind: FindingKind, { lane, counter, queue }: Operation): boolean {
  return note(run, kind, idOf(lane, counter), queue.name);
}

function noteTie(run: Check): Note {
  return (kind, operation, about) =>
    note(run, kind, operation === null ? null : idOf(operation.lane, operation.counter), about);
}

function checkLane(run: Check, lane: Lane): void {
  const { state } = run;
  run.looked++;
  if (lane.claimed > lane.accepted && note(run, "lane_marks", null, lane.name)) {
    lane.accepted = lane.claimed;
    touchLane(state, lane);
  }
  if (state.lanesByName.get(lane.name) !== lane && note(run, "lane_name", null, lane.name)) {
    state.lanesByName.set(lane.name, lane);
  }
  const { queue } = lane;
  if (queue !== null && state.queues.get(queue.name) !== queue && note(run, "lane_queue", null, queue.name)) {
    state.queues.set(queue.name, queue);
    touchQueue(state, queue);
  }
}

// ── Queues ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function checkQueue(run: Check, after: string): string | null {
  const names = [...run.state.queues.keys()].sort(compareNames);
  const name = names.find((one) => compareNames(one, after) > 0);
  const queue = name === undefined ? undefined : run.state.queues.get(name);
  if (queue === undefined) return null;
  let withdrawn = 0;
  for (const list of [...queue.lists.values()]) {
    withdrawn += checkList(run, list);
    checkActive(run, queue, list);
  }
  // By now each list's own count is right, or noted.
  let length = 0;
  for (const list of queue.lists.values()) length += list.length;
  if (queue.length !== length && note(run, "list_count", null, queue.name)) queue.length = length;
  if (queue.withdrawn !== withdrawn && note(run, "withdrawn_count", null, queue.name)) queue.withdrawn = withdrawn;
  return `queues:${queue.name}`;
}

/** Whether claims find the list. */
function checkActive(run: Check, queue: Queue, list: ReadyList): void {
  const at = queue.active.indexOf(list);
  const about = `${queue.name} ${list.priority}`;
  if (at >= 0 && list.length === 0 && note(run, "priority_empty", null, about)) queue.active.splice(at, 1);
  if (at < 0 && list.length > 0 && note(run, "priority_hidden", null, about)) {
    queue.active.push(list);
    queue.active.sort((a, b) => b.priority - a.priority);
  }
}

/** Looks at each element, counts them, and takes off what does not belong there; answers how many are withdrawn. */
function checkList(run: Check, list: ReadyList): number {
  const wrong = new Set<number>();
  const seen = new Set<Operation>();
  let length = 0;
  let withdrawn = 0;
  let at = 0;
  for (const element of list.elements) {
    run.looked++;
    if (element.isRun) {
      const { lane, bodies, first, popped } = element;
      length += bodies.length - popped;
      const last = first + bodies.length - 1;
      if (lane.withdrawn.size > 0) {
        for (let counter = first + popped; counter <= last; counter++) if (lane.withdrawn.has(counter)) withdrawn++;
      }
      if (last > lane.accepted && note(run, "ready_beyond", idOf(lane, last), list.queue.name)) {
        lane.accepted = last;
        touchLane(run.state, lane);
      }
    } else if (isMisplaced(run, list, element, seen)) {
      wrong.add(at);
    } else {
      length++;
      if (element.isWithdrawn) withdrawn++;
    }
    at++;
  }
  if (run.isMending && wrong.size > 0) {
    for (const [place, element] of list.elements.shiftMany(list.elements.length).entries()) {
      if (!wrong.has(place)) list.elements.push(element);
    }
  }
  if (!run.isMending) length += wrong.size;
  if (list.length !== length && wrong.size === 0) {
    if (note(run, "list_count", null, `${list.queue.name} ${list.priority}`)) list.length = length;
  } else if (run.isMending && wrong.size > 0) {
    list.queue.length -= list.length - length;
    list.length = length;
  }
  return withdrawn;
}

function isMisplaced(run: Check, list: ReadyList, operation: Operation, seen: Set<Operation>): boolean {
  const kind = misplacement(list, operation, seen);
  seen.add(operation);
  if (kind === null) return false;
  if (noteOf(run, kind, operation) && kind === "ready_elsewhere") pushBack(run.state, operation);
  return true;
}

function misplacement(list: ReadyList, operation: Operation, seen: ReadonlySet<Operation>): FindingKind | null {
  if (seen.has(operation)) return "ready_twice";
  if (operation.isWithdrawn) return null;
  const entry = entryOf(operation.lane, operation.counter);
  if (entry !== operation) return entry !== undefined && isFinished(entry) ? "ready_finished" : "ready_recordless";
  if (operation.taking !== null) return "ready_held";
  if (operation.heapIndex >= 0) return operation.state === "failed" ? "ready_dead" : "ready_scheduled";
  if (operation.queue !== list.queue || operation.priority !== list.priority) return "ready_elsewhere";
  return null;
}

// ── Owners ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function checkOwners(run: Check): void {
  const { state } = run;
  let running = 0;
  for (const owner of state.owners.values()) running += checkOwner(run, owner);
  if (state.running !== running && note(run, "held_count", null, "all owners")) state.running = running;
}

function checkOwner(run: Check, owner: Owner): number {
  const { state } = run;
  let held = 0;
  let marked = 0;
  for (let one = owner.first; one !== null; one = one.heldAfter) {
    run.looked++;
    held++;
    if (one.cancelReason !== null) marked++;
    if (one.heldToken > state.lastToken && noteOf(run, "token_behind", one)) {
      state.lastToken = one.heldToken;
      state.dirty.root = true;
    }
    if (one.heapIndex < 0) continue;
    const heap = state.due.has(one) ? state.due : state.dead;
    if (noteOf(run, heap === state.due ? "held_scheduled" : "held_dead", one)) heap.remove(one);
  }
  if (owner.held !== held && note(run, "held_count", null, owner.name)) {
    owner.held = held;
    touchOwner(state, owner);
  }
  if (owner.marked !== marked && note(run, "mark_stale", null, owner.name)) owner.marked = marked;
  return held;
}

// ── Index ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function checkIndex(run: Check, place: string, max: number): string | null {
  const [number = "1", counter = "0"] = place.split(":");
  let from = Number(counter);
  for (let at = Number(number); at < run.state.lanes.length; at++) {
    const lane = run.state.lanes[at];
    if (lane === undefined) continue;
    for (const step of entriesFrom(lane, from)) {
      if (run.looked >= max) return `index:${at}:${step.counter}`;
      run.looked++;
      if (step.entry !== undefined && !isFinished(step.entry)) checkOperation(run, step.entry);
    }
    from = 0;
  }
  return null;
}

/** Whether an Operation is where its state says. */
function checkOperation(run: Check, operation: Operation): void {
  const { state } = run;
  if (operation.tied !== null) checkTied(state, operation, run.standing, run.nowMs, noteTie(run));
  checkLapse(state, operation, noteTie(run));
  if (operation.state === "running") {
    const owner = operation.taking?.owner;
    if (owner === undefined) {
      if (noteOf(run, "lost", operation)) putBack(state, operation);
    } else if (state.owners.get(owner.name) !== owner && note(run, "owner_hidden", null, owner.name)) {
      state.owners.set(owner.name, owner);
      state.running += owner.held;
      touchOwner(state, owner);
    }
    if (
      operation.counter > operation.lane.claimed &&
      operation.run !== null &&
      noteOf(run, "held_unclaimed", operation)
    ) {
      operation.lane.claimed = operation.counter;
      touchLane(state, operation.lane);
    }
    return;
  }
  if (operation.state === "ready") {
    if (operation.tied !== null && operation.tied.parkedAt !== null) return;
    if (!isListed(operation) && noteOf(run, "lost", operation)) putBack(state, operation);
    return;
  }
  const [heap, other, kind] =
    operation.state === "scheduled"
      ? ([state.due, state.dead, "scheduled_dead"] as const)
      : ([state.dead, state.due, "scheduled_dead"] as const);
  if (heap.has(operation)) return;
  if (other.has(operation)) {
    if (!noteOf(run, kind, operation)) return;
    other.remove(operation);
    heap.add(operation);
    touch(state, operation);
  } else if (noteOf(run, "lost", operation)) {
    operation.heapIndex = -1;
    heap.add(operation);
    touch(state, operation);
  }
}

function putBack(state: SegmentState, operation: Operation): void {
  own(state, operation);
  makeReady(state, operation, "back");
}

/** By the order it carries: lists are in order. */
function isListed(operation: Operation): boolean {
  const list = operation.queue.lists.get(operation.priority);
  if (list === undefined) return false;
  const { elements } = list;
  let from = 0;
  let to = elements.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if ((elements.at(middle)?.order ?? operation.order) < operation.order) from = middle + 1;
    else to = middle;
  }
  if (elements.at(from) === operation) return true;
  // Two of one order are already wrong: then it is looked for the long way.
  for (const element of elements) if (element === operation) return true;
  return false;
}
