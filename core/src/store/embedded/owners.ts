/**
 * Who holds what: claim, extend, rescue.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { Address } from "../../engine/lease.js";
import type { GateTie } from "../../engine/ties.js";
import type {
  Claim,
  ClaimAnswer,
  ClaimParams,
  ExtendAnswer,
  ExtendParams,
  RescueAnswer,
  RescueParams,
} from "../../engine/transitions.js";
import { bury, finishMarked, free, own } from "./ending.js";
import { bindGates, newOperation } from "./enqueue.js";
import { advanceClock, makeReady, shiftFair } from "./fair.js";
import { meetFull } from "./full.js";
import { mayStart, started } from "./lapsing.js";
import { type Hold, holdOf, noteHold } from "./limiting.js";
import {
  emptyRun,
  type FairGate,
  highestOf,
  type Operation,
  type Owner,
  putEntry,
  type Queue,
  type ReadyList,
  type Run,
  type SegmentState,
  shrink,
  type Taking,
  touch,
  touchLane,
  touchOwner,
  touchRun,
  touchTaking,
} from "./state.js";
import { moveOn, passGates, untie, type Wakes } from "./ties.js";

/** claim: takes ready Operations for one owner, or says again what the same request took. */
export function claim(state: SegmentState, params: ClaimParams, nowUs: number): ClaimAnswer {
  const known = state.owners.get(params.owner);
  const last = known?.lastRequest ?? 0;
  const nowMs = Math.floor(nowUs / 1000);
  const hold = holdOf(state, params.pace ?? null, nowMs);
  const isNew = params.request > last;
  const taken = isNew ? take(state, params, known, hold, nowUs) : [];
  let waiting = waitingIn(state, params.queues);
  if (hold !== null) waiting = noteHold(state, hold, taken.length, waiting, isNew, nowMs);
  const highest = waiting > 0 ? highestIn(state, params.queues) : null;
  if (params.request < last) return { answer: "stale", claims: [], waiting, highest };
  return { answer: "ok", claims: known !== undefined && !isNew ? claimsOf(known) : taken, waiting, highest };
}

function waitingIn(state: SegmentState, queues: readonly string[]): number {
  let waiting = 0;
  for (const name of queues) {
    const queue = state.queues.get(name);
    if (queue === undefined || queue.isPaused) continue;
    waiting += queue.length;
    for (const gate of queue.waiting) waiting += gate.parked.size;
  }
  return waiting;
}

function highestIn(state: SegmentState, queues: readonly string[]): number | null {
  let highest: number | null = null;
  for (const name of queues) {
    const queue = state.queues.get(name);
    const here = queue === undefined || queue.isPaused ? null : highestOf(queue);
    if (here !== null && (highest === null || here > highest)) highest = here;
  }
  return highest;
}

/** What is still held of the owner's last request, in the order it was claimed. */
function claimsOf(owner: Owner): Claim[] {
  const claims: Claim[] = [];
  for (let held = owner.last; held !== null; held = held.heldBefore) {
    if (held.taking?.request !== owner.lastRequest) break;
    claims.push(claimOf(held));
  }
  return claims.reverse();
}

function claimOf(operation: Operation): Claim {
  return {
    lane: operation.lane.number,
    counter: operation.counter,
    token: operation.heldToken,
    laneName: operation.lane.name,
    queue: operation.queue.name,
    priority: operation.priority,
    attempt: operation.attempt + 1,
    generation: operation.generation,
    recoveries: operation.recoveries,
    body: operation.body,
  };
}

/** A claim under way: what it may still pop and take, and what it took. */
interface Harvest {
  readonly taking: Taking;
  readonly claims: Claim[];
  readonly max: number;
  popsLeft: number;
  /** Gates whose candidates were parked elsewhere; made when it is needed. */
  wakes: Wakes | null;
  readonly nowMs: number;
  /** Where work with flows and work without waits side by side, they take turns. */
  readonly isFairFirst: boolean;
}

function take(
  state: SegmentState,
  params: ClaimParams,
  known: Owner | undefined,
  hold: Hold | null,
  nowUs: number,
): Claim[] {
  const max = Math.min(params.max, hold?.room ?? params.max);
  const owner = known ?? newOwner(params.owner);
  const taking: Taking = {
    number: state.lastTaking + 1,
    owner,
    request: params.request,
    token: Math.max(state.lastToken + 1, nowUs),
    taken: [],
    isDirty: false,
    isStored: false,
  };
  const harvest: Harvest = {
    taking,
    claims: [],
    max,
    popsLeft: 2 * max,
    wakes: null,
    nowMs: Math.floor(nowUs / 1000),
    isFairFirst: params.request % 2 === 1,
  };
  for (const name of params.queues) {
    const queue = state.queues.get(name);
    if (queue !== undefined && !queue.isPaused) harvestQueue(state, harvest, queue);
  }
  const { claims } = harvest;
  if (harvest.wakes !== null) moveOn(state, harvest.wakes);
  untie(state, harvest.nowMs);
  if (known === undefined && claims.length > 0) state.owners.set(owner.name, owner);
  meetFull(state, harvest.nowMs); // now that all who have slots are found
  if (claims.length === 0) return claims;
  owner.lastRequest = params.request;
  // Who claims lives: a rescue that was decided before finds another beat, and takes nothing of this.
  owner.beat++;
  touchOwner(state, owner);
  state.running += claims.length;
  state.lastTaking = taking.number;
  state.lastToken = taking.token;
  state.dirty.root = true;
  touchTaking(state, taking);
  return claims;
}

/** Makes an owner that holds nothing. */
export function newOwner(name: string): Owner {
  return {
    name,
    beat: 0,
    lastRequest: 0,
    held: 0,
    first: null,
    last: null,
    marked: 0,
    isGone: false,
    isDirty: false,
  };
}

function harvestQueue(state: SegmentState, harvest: Harvest, queue: Queue): void {
  while (harvest.claims.length < harvest.max && harvest.popsLeft > 0) {
    const list = queue.active[0];
    const gate = queue.waiting[0];
    if (gate !== undefined && isNext(gate, list, harvest)) {
      harvestFair(state, harvest, gate);
      continue;
    }
    const front = list?.elements.at(0);
    if (list === undefined || front === undefined) return;
    if (front.isRun) harvestRun(state, harvest, list, front);
    else harvestOne(state, harvest, list, front);
  }
}

function isNext({ fair }: FairGate, list: ReadyList | undefined, { isFairFirst }: Harvest): boolean {
  if (list === undefined || fair.priority > list.priority) return true;
  return fair.priority === list.priority && isFairFirst;
}

function harvestFair(state: SegmentState, harvest: Harvest, gate: FairGate): void {
  const operation = shiftFair(state, gate);
  if (operation === undefined || operation.tied === null) return;
  harvest.popsLeft--;
  const tag = operation.timeMs;
  if (operation.lapse !== null && !mayStart(state, operation.lapse, harvest.nowMs)) return;
  harvest.wakes ??= new Map();
  if (!passGates(state, operation, operation.tied, harvest.wakes, harvest.nowMs)) return;
  advanceClock(state, gate, tag);
  if (operation.lapse !== null) started(state, operation.lapse);
  hold(state, harvest, operation);
}

function harvestOne(state: SegmentState, harvest: Harvest, list: ReadyList, operation: Operation): void {
  list.elements.shift();
  shrink(list, 1);
  harvest.popsLeft--;
  if (operation.isWithdrawn) {
    touch(state, operation);
    list.queue.withdrawn--;
    if (operation.state === "failed") operation.isWithdrawn = false;
    else operation.isGone = true;
    operation.lane.withdrawn.delete(operation.counter);
    return;
  }
  if (operation.lapse !== null && !mayStart(state, operation.lapse, harvest.nowMs)) return;
  if (operation.tied !== null) {
    harvest.wakes ??= new Map();
    if (!passGates(state, operation, operation.tied, harvest.wakes, harvest.nowMs)) return;
  }
  if (operation.lapse !== null) started(state, operation.lapse);
  hold(state, harvest, operation);
}

/** Pops the fast path: here, and not before, its Operations get objects. */
function harvestRun(state: SegmentState, harvest: Harvest, list: ReadyList, run: Run): void {
  const { lane } = run;
  const from = run.popped;
  let at = from;
  while (at < run.bodies.length && harvest.claims.length < harvest.max && harvest.popsLeft > 0) {
    const counter = run.first + at;
    const body = run.bodies[at] as Uint8Array; // at < length
    at++;
    harvest.popsLeft--;
    if (lane.withdrawn.size > 0 && lane.withdrawn.delete(counter)) {
      list.queue.withdrawn--;
      run.live--;
      if (run.live === 0) touchRun(state, run);
      if (state.tracks) state.dirty.withdrawn.push({ lane, counter, isThere: false });
      continue;
    }
    const operation = newOperation(lane, counter, list.queue, 0, body);
    if (state.tracks) operation.run = run;
    putEntry(operation);
    const gates = run.gates?.[at - 1];
    if (gates === undefined || passTied(state, harvest, operation, gates)) hold(state, harvest, operation);
  }
  run.popped = at;
  lane.claimed = Math.max(lane.claimed, run.first + at - 1);
  touchLane(state, lane);
  if (at === run.bodies.length) {
    list.elements.shift();
    if (run.isSealed || !state.tracks) emptyRun(run); // the bytes are on disk, or needed no more
  }
  shrink(list, at - from);
}

/** Whether one from a tied lane may run; else it is parked, with a record of its own. */
function passTied(state: SegmentState, harvest: Harvest, operation: Operation, gates: readonly GateTie[]): boolean {
  const tied = bindGates(operation, gates);
  harvest.wakes ??= new Map();
  if (passGates(state, operation, tied, harvest.wakes, harvest.nowMs)) return true;
  operation.state = "ready";
  own(state, operation);
  return false;
}

function hold(state: SegmentState, harvest: Harvest, operation: Operation): void {
  const { taking, claims } = harvest;
  if (state.tracks) taking.taken.push(operation);
  const { owner } = taking;
  operation.state = "running";
  operation.heldToken = taking.token;
  operation.takingIndex = claims.length;
  linkHeld(operation, taking, owner);
  claims.push(claimOf(operation));
}

/** Appends an Operation to what the owner of a claim holds. */
export function linkHeld(operation: Operation, taking: Taking, owner: Owner): void {
  operation.taking = taking;
  operation.heldBefore = owner.last;
  if (owner.last === null) owner.first = operation;
  else owner.last.heldAfter = operation;
  owner.last = operation;
  owner.held++;
}

/** extend: one beat for all an owner holds. */
export function extend(state: SegmentState, params: ExtendParams): ExtendAnswer {
  const owner = state.owners.get(params.owner);
  if (owner === undefined) return { answer: "missing", beat: 0, held: 0, marked: [] };
  owner.beat++;
  touchOwner(state, owner);
  return { answer: "ok", beat: owner.beat, held: owner.held, marked: markedOf(owner) };
}

function markedOf(owner: Owner): Address[] {
  const marked: Address[] = [];
  for (let held = owner.first; held !== null && marked.length < owner.marked; held = held.heldAfter) {
    if (held.cancelReason !== null) marked.push({ lane: held.lane.number, counter: held.counter });
  }
  return marked.sort((a, b) => a.lane - b.lane || a.counter - b.counter);
}

/** rescue: takes back what a silent owner holds, latest claims first. */
export function rescue(state: SegmentState, params: RescueParams, nowUs: number): RescueAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const counts = { rescued: 0, failed: 0, cancelled: 0 };
  const owner = state.owners.get(params.owner);
  if (owner === undefined) return { answer: "missing", ...counts, left: 0 };
  if (owner.beat !== params.beat) return { answer: "stale", ...counts, left: owner.held };
  for (let taken = 0; taken < params.max; taken++) {
    const operation = owner.last;
    if (operation === null) break;
    counts[rescueOne(state, operation, params, nowMs)]++;
  }
  untie(state, nowMs);
  state.totals.rescued += counts.rescued;
  if (counts.rescued + counts.failed + counts.cancelled > 0) state.dirty.root = true;
  if (owner.held === 0) {
    owner.isGone = true;
    state.owners.delete(owner.name);
    touchOwner(state, owner);
  }
  return { answer: "ok", ...counts, left: owner.held };
}

function rescueOne(
  state: SegmentState,
  operation: Operation,
  params: RescueParams,
  nowMs: number,
): "rescued" | "failed" | "cancelled" {
  if (operation.cancelReason !== null) {
    return finishMarked(state, operation, operation.token, params.retainMs, nowMs);
  }
  free(state, operation);
  if (operation.recoveries + 1 > params.recoveriesMax) {
    bury(state, operation, params.poison, params.retainMs, nowMs);
    return "failed";
  }
  operation.recoveries++;
  operation.returns++;
  own(state, operation);
  makeReady(state, operation, "front");
  return "rescued";
}
