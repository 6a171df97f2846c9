/**
 * Keys, lines and gates (elsewhere: dedupe, groups, semaphores): what Operations are tied to, and who moves on when one
 * lets go. The rules stand in engine/transitions.ts, the words in engine/ties.ts.
 * Pure; used by the machine's moves.
 */
import { Deque } from "../../base/deque.js";
import { type GateTie, hasFull, type KeyTie, type PaceTie, SEGMENT_PACE, type SlotTie } from "../../engine/ties.js";
import type { LiveNumber } from "../../engine/transitions.js";
import { enter, isFair, leaveIfEmpty, makeReady } from "./fair.js";
import { dropLapse } from "./lapsing.js";
import {
  type FairGate,
  type Gate,
  type HeldKey,
  keepAt,
  type Line,
  newGate,
  type Operation,
  plan,
  ring,
  ringQueues,
  type SegmentState,
  shrink,
  type Tied,
  touch,
  touchKey,
  touchPace,
} from "./state.js";

// ── Gates ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The gate of a name, made if absent. */
export function gateOf(state: SegmentState, name: string): Gate {
  const found = state.gates.get(name);
  if (found !== undefined) return found;
  const gate = newGate(name);
  state.gates.set(name, gate);
  return gate;
}

/** The gates that lost a candidate or got a slot free during one claim or other transition, and how often. */
export type Wakes = Map<Gate, number>;

function addWake(wakes: Wakes, gate: Gate): void {
  wakes.set(gate, (wakes.get(gate) ?? 0) + 1);
}

/** Whether a popped Operation may run: then it has its slots and paces. Else it is parked. */
export function passGates(state: SegmentState, operation: Operation, tied: Tied, wakes: Wakes, nowMs: number): boolean {
  const { gates, candidateOf } = tied;
  if (gates.length === 0) return true;
  tied.candidateOf = null;
  const first = gates.find((tie) => isFull(state, tie, nowMs));
  if (first === undefined) {
    for (const tie of gates) pass(state, tie, nowMs);
    return true;
  }
  // What has run is no newcomer: it waits, whatever the gate says.
  const full = operation.returns > 0 || !hasFull(gates) ? first : meet(state, operation, candidateOf, nowMs);
  if (full === null) {
    if (candidateOf !== null) addWake(wakes, candidateOf);
    return false;
  }
  const gate = gateOf(state, full.name);
  // One with a flow keeps its tag: it stands by that here, too.
  if (tied.flow === null) {
    if (candidateOf === null) tied.ticket = nextTicket(state);
    operation.timeMs = tied.ticket;
  }
  gate.parked.add(operation);
  keepAt(state, tied, gate);
  if ("everyMs" in full) expectOpening(state, gate, opensAt(state, gate, full, nowMs), nowMs);
  touch(state, operation);
  if (candidateOf !== null && candidateOf.name !== gate.name) addWake(wakes, candidateOf);
  return false;
}

/** What full gates mean for a newcomer, and which of them. */
export type Verdict =
  | { readonly does: "wait"; readonly tie: GateTie }
  | { readonly does: "end" | "displace"; readonly tie: SlotTie };

/** Judges gates of which some do more than keep one waiting; null if none is full. */
export function judgeFull(state: SegmentState, gates: readonly GateTie[], nowMs: number): Verdict | null {
  let waits: GateTie | null = null;
  let displaces: SlotTie | null = null;
  for (const tie of gates) {
    if (!isFull(state, tie, nowMs)) continue;
    if (!("slots" in tie) || !tie.full) waits ??= tie;
    else if (tie.full.mode !== "cancel_oldest") return { does: "end", tie };
    else displaces ??= tie;
  }
  if (waits !== null) return { does: "wait", tie: waits };
  return displaces === null ? null : { does: "displace", tie: displaces };
}

/** Notes what full gates do to a newcomer; answers the one it is parked at, or null if it ends. */
function meet(state: SegmentState, operation: Operation, candidateOf: Gate | null, nowMs: number): GateTie | null {
  const verdict = judgeFull(state, operation.tied?.gates ?? [], nowMs);
  if (verdict === null || verdict.does === "wait") return verdict?.tie ?? null;
  const { does, tie } = verdict;
  if (tie.full && (does === "end" || !hadItsCancel(operation, candidateOf)))
    state.met.push({ operation, tie, full: tie.full });
  return does === "end" ? null : tie;
}

/** Whether one that was let on from a gate had somebody's place there already, or waits its turn. */
function hadItsCancel({ tied }: Operation, candidateOf: Gate | null): boolean {
  if (candidateOf === null || tied === null) return false;
  const { name } = candidateOf;
  return tied.gates.some((tie) => tie.name === name && "slots" in tie && tie.full?.mode === "cancel_oldest");
}

function isFull(state: SegmentState, tie: GateTie, nowMs: number): boolean {
  const gate = state.gates.get(tie.name);
  if (gate === undefined) return "slots" in tie && slotsOf(state, gate, tie) === 0;
  return "slots" in tie ? gate.used >= slotsOf(state, gate, tie) : opensAt(state, gate, tie, nowMs) > nowMs;
}

/** The live limit that counts for a gate: its own, else that of what comes before its colon; or null. */
export function liveOf({ live }: SegmentState, name: string): LiveNumber | null {
  if (live.size === 0) return null;
  return (live.get(name) ?? live.get(scopeOf(name)))?.number ?? null;
}

/** What stands before the colon of a gate's name. */
export function scopeOf(name: string): string {
  const cut = name.indexOf(":");
  return cut < 0 ? name : name.slice(0, cut);
}

/**
 * How many slots a gate has: the live number, if somebody has set one; the newest, if one came while it was in use; else
 * what is judged says it itself.
 */
export function slotsOf(state: SegmentState, gate: Gate | undefined, tie: SlotTie): number {
  const live = liveOf(state, tie.name);
  return live !== null && "slots" in live ? live.slots : (gate?.limit ?? tie.slots);
}

/** The numbers of a pace: the live ones, if somebody has set them; else what is judged says them itself. */
export function paceOf(state: SegmentState, tie: PaceTie): Omit<PaceTie, "name"> {
  const live = liveOf(state, tie.name);
  return live !== null && "everyMs" in live ? live : tie;
}

/** By how much a limit rises at once, at most, where something is parked: the next enqueue goes on from there. */
const RAISE_MAX = 1000;

/**
 * Somebody new says how many slots these gates have: where they are in use, that counts for all from now on. What is
 * parked there moves on at once if there are more. Where a live number stands, this one waits until that is taken back.
 */
export function renewLimits(state: SegmentState, ties: readonly GateTie[]): void {
  const wakes: Wakes = new Map();
  for (const tie of ties) {
    const gate = state.gates.get(tie.name);
    if (!("slots" in tie) || gate === undefined || gate.used + gate.parked.size === 0) continue;
    if (gate.limit === tie.slots) continue;
    const { first } = gate.parked;
    const before = gate.limit ?? (first === undefined ? 0 : slotsSaid(first, gate));
    const more = setLimit(state, gate, tie.slots, before);
    if (more > 0) wakes.set(gate, more);
  }
  if (wakes.size > 0) moveOn(state, wakes);
}

function slotsSaid({ tied }: Operation, { name }: Gate): number {
  const tie = tied?.gates.find((one) => one.name === name);
  return tie !== undefined && "slots" in tie ? tie.slots : 0;
}

/** What claims would find at a gate now. */
export function judgeGate(state: SegmentState, tie: GateTie, nowMs: number) {
  const gate = state.gates.get(tie.name);
  const isPace = "everyMs" in tie;
  return {
    slots: isPace ? null : slotsOf(state, gate, tie),
    used: gate?.used ?? 0,
    opensAtMs: isPace ? opensAt(state, gate ?? { takenMs: 0 }, tie, nowMs) : null,
    everyMs: isPace ? paceOf(state, tie).everyMs : null,
    burst: isPace ? paceOf(state, tie).burst : null,
    isFull: isFull(state, tie, nowMs),
    isLive: liveOf(state, tie.name) !== null,
    parked: gate?.parked ?? null,
  };
}

function pass(state: SegmentState, tie: GateTie, nowMs: number): void {
  if ("slots" in tie) {
    gateOf(state, tie.name).used++;
    return;
  }
  const { everyMs } = paceOf(state, tie);
  if (everyMs === 0) return;
  const gate = gateOf(state, tie.name);
  gate.takenMs = Math.max(gate.takenMs, nowMs) + everyMs;
  touchPace(state, gate);
}

function opensAt(state: SegmentState, gate: Pick<Gate, "takenMs">, tie: PaceTie, nowMs: number): number {
  const { everyMs, burst } = paceOf(state, tie);
  return everyMs === 0 ? nowMs : Math.max(gate.takenMs, nowMs) - (burst - 1) * everyMs;
}

/** Has `promote` look at a pace from a time on. */
export function expectOpening(state: SegmentState, gate: Gate, atMs: number, nowMs: number): void {
  gate.opensAtMs = atMs;
  state.opening.add(gate);
  touchPace(state, gate);
  const inMs = nextDueInMs(state, nowMs);
  if (inMs !== null) state.events.push({ kind: "due", inMs });
}

/** Milliseconds until something is due or may pass, rounded up; null if there is nothing. */
export function nextDueInMs(state: SegmentState, nowMs: number): number | null {
  if (state.settling.size > 0) return 0;
  let earliestMs = state.due.first?.timeMs ?? Number.POSITIVE_INFINITY;
  earliestMs = Math.min(earliestMs, state.lapses.first?.timeMs ?? earliestMs);
  for (const { opensAtMs } of state.opening) earliestMs = Math.min(earliestMs, opensAtMs ?? earliestMs);
  return earliestMs === Number.POSITIVE_INFINITY ? null : Math.ceil(earliestMs - nowMs) + 0;
}

/** Adds to `woken` what goes on from paces, up to `max` in all. A pace that has no share of them stays due. */
export function openPaces(state: SegmentState, max: number, nowMs: number, woken: Operation[]): void {
  const reach = woken.length + max;
  const due = [...state.opening].filter(({ opensAtMs }) => (opensAtMs ?? 0) <= nowMs);
  due.sort((a, b) => (a.opensAtMs ?? 0) - (b.opensAtMs ?? 0) || (a.name < b.name ? -1 : 1));
  for (const gate of due.slice(0, max)) openPace(state, gate, reach - woken.length, nowMs, woken);
}

function openPace(state: SegmentState, gate: Gate, left: number, nowMs: number, woken: Operation[]): void {
  if (gate.name === SEGMENT_PACE) ringQueues(state);
  const tie = gate.parked.first?.tied?.gates.find(({ name }) => name === gate.name);
  if (tie !== undefined && "everyMs" in tie) {
    const opensMs = opensAt(state, gate, tie, nowMs);
    const { everyMs } = paceOf(state, tie);
    const free = everyMs === 0 ? left : Math.floor((nowMs - opensMs) / everyMs) + 1;
    const count = Math.max(0, Math.min(free, left));
    wake(state, new Map([[gate, count]]), woken);
    gate.opensAtMs = opensMs + count * everyMs;
  }
  touchPace(state, gate);
  if (gate.parked.size > 0) return;
  gate.opensAtMs = null;
  state.opening.delete(gate);
  dropIfIdle(state, gate);
}

/** Forgets the times of up to `max` paces that stand still, those first that do so longest; answers whether some are left. */
export function dropPaces(state: SegmentState, max: number, nowMs: number): boolean {
  const still = [...state.gates.values()].filter(({ takenMs }) => takenMs !== 0 && takenMs <= nowMs);
  still.sort((a, b) => a.takenMs - b.takenMs || (a.name < b.name ? -1 : 1));
  for (const gate of still.slice(0, max)) {
    gate.takenMs = 0;
    touchPace(state, gate);
    dropIfIdle(state, gate);
  }
  return still.length > max;
}

/** Lets the first ones parked at each gate go on, in front of their lists. */
export function moveOn(state: SegmentState, wakes: Wakes): void {
  const woken: Operation[] = [];
  wake(state, wakes, woken);
  putWoken(state, woken);
}

/** Takes the first ones parked at each gate away from there and adds them to `woken`. */
export function wake(state: SegmentState, wakes: Wakes, woken: Operation[]): void {
  for (const [named, count] of wakes) {
    // One that was idle since a candidate left it may have been made anew.
    const gate = state.gates.get(named.name) ?? named;
    const last = wakeSome(state, gate, count, woken);
    if (last !== null) wakeSome(state, gate, agree(state, gate, last), woken);
    dropIfIdle(state, gate);
  }
}

/** Most that go on at a gate, beyond those meant to, for being of paused Queues. */
export const PASSED_OVER_MAX = 1_000;

/**
 * Lets the first ones go on, those of paused Queues not counted: they go on beside the others, or a slot would stay free
 * until they are resumed. Answers the last one, or null.
 */
function wakeSome(state: SegmentState, gate: Gate, count: number, woken: Operation[]): Operation | null {
  let last: Operation | null = null;
  let left = count;
  let passedOver = 0;
  while (left > 0 && passedOver < PASSED_OVER_MAX) {
    const operation = gate.parked.first;
    if (operation === undefined) break;
    if (operation.queue.isPaused) passedOver++;
    else left--;
    gate.parked.remove(operation);
    if (operation.tied !== null) {
      keepAt(state, operation.tied, null);
      operation.tied.candidateOf = gate;
    }
    woken.push(operation);
    last = operation;
  }
  return last;
}

/**
 * Numbers of slots that came while a gate was not in use count for whoever says them, until one of another number is
 * behind the last that went on: then that of the one parked last counts for all. Else who says the smaller one would keep
 * back all behind it. Answers how many more go on.
 */
function agree(state: SegmentState, gate: Gate, last: Operation): number {
  const { first, size } = gate.parked;
  if (gate.limit !== null || first === undefined) return 0;
  const said = slotsSaid(last, gate);
  const behind = slotsSaid(first, gate);
  if (said === 0 || behind === 0 || said === behind) return 0;
  const [newest = first] = gate.parked.page(size - 1, 1);
  const limit = slotsSaid(newest, gate);
  return limit === 0 ? 0 : setLimit(state, gate, limit, said);
}

/** Gives a gate in use a newest number; `before` counted until now. Answers how many more of those parked go on. */
function setLimit(state: SegmentState, gate: Gate, newest: number, before: number): number {
  const live = liveOf(state, gate.name);
  const isHeard = gate.parked.size > 0 && !(live !== null && "slots" in live);
  const reach = Math.max(before, gate.used);
  gate.limit = isHeard ? Math.min(newest, reach + RAISE_MAX) : newest;
  touchPace(state, gate);
  return isHeard ? Math.max(0, gate.limit - reach) : 0;
}

/** Puts what was woken in front of its lists; the first one ends up foremost. */
export function putWoken(state: SegmentState, woken: readonly Operation[]): void {
  for (const operation of woken.toReversed()) {
    // Who comes from a line has not been charged yet.
    const isNew = operation.tied?.flow != null && operation.tied.candidateOf === null;
    makeReady(state, operation, isNew ? "back" : "again");
  }
}

/** Forgets a gate that has nothing to remember. */
export function dropIfIdle(state: SegmentState, gate: Gate): void {
  if (isFair(gate)) return leaveIfEmpty(gate);
  if (gate.used > 0 || gate.parked.size > 0 || gate.takenMs > 0 || gate.opensAtMs !== null) return;
  if (state.gates.get(gate.name) === gate) state.gates.delete(gate.name);
  if (gate.limit !== null) touchPace(state, gate);
}

function nextTicket(state: SegmentState): number {
  state.dirty.root = true;
  state.lastTicket++;
  return state.lastTicket;
}

// ── Lines ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The line of a name, made if absent. */
export function lineOf(state: SegmentState, name: string): Line {
  const found = state.lines.get(name);
  if (found !== undefined) return found;
  const line: Line = { name, members: new Deque() };
  state.lines.set(name, line);
  return line;
}

/**
 * Goes to the end of its line, if it has one; answers whether it may go on. Else it is parked, to go on at `dueAtMs` or
 * later.
 */
export function joinLine(state: SegmentState, operation: Operation, dueAtMs: number): boolean {
  const { tied } = operation;
  if (tied === null || tied.line === null) return true;
  const line = lineOf(state, tied.line);
  tied.lineTicket = nextTicket(state);
  line.members.push(operation);
  if (line.members.length === 1) return true;
  operation.state = "ready";
  operation.timeMs = dueAtMs;
  keepAt(state, tied, line);
  touch(state, operation);
  return false;
}

/** Puts one in its place at the gate it says it is parked at. */
export function reparkAt(state: SegmentState, gate: Gate, operation: Operation): void {
  if (state.gates.get(gate.name) !== gate) state.gates.set(gate.name, gate);
  gate.parked.add(operation);
  showFair(state, gate);
  touch(state, operation);
}

/** Enters a fair gate where something waits among those of its Queue that claims look at, if it is not there. */
export function showFair(state: SegmentState, gate: Gate): void {
  if (!isHidden(gate)) return;
  enter(gate);
  ring(state, gate.fair.queue.name, gate.fair.priority);
}

/** Whether something waits at a fair gate that claims do not look at. */
export function isHidden(gate: Gate): gate is FairGate {
  return isFair(gate) && gate.parked.size > 0 && !gate.fair.queue.waiting.includes(gate);
}

/** Lets one that is not in its line join: at its end if it is kept there, else in front, for it goes on already. */
export function rejoinLine(
  state: SegmentState,
  line: Line,
  operation: Operation,
  isKept: boolean,
  nowMs: number,
): void {
  const { tied } = operation;
  if (tied === null) return;
  if (isKept || line.members.length === 0) {
    tied.lineTicket = nextTicket(state);
    line.members.push(operation);
  } else {
    tied.lineTicket = (line.members.at(0)?.tied?.lineTicket ?? 1) - 1;
    line.members.pushFront(operation);
  }
  touch(state, operation);
  advanceLine(state, line, nowMs);
}

/** Takes one that goes on out of its turn from where it waits, and keeps it in its line. */
export function parkInLine(state: SegmentState, line: Line, operation: Operation): void {
  const { tied } = operation;
  if (tied === null) return;
  const isScheduled = operation.state === "scheduled";
  if (isScheduled) state.due.remove(operation);
  else if (tied.parkedAt === null) takeOffList(operation);
  else if ("parked" in tied.parkedAt) {
    tied.parkedAt.parked.remove(operation);
    dropIfIdle(state, tied.parkedAt);
  }
  operation.timeMs = isScheduled ? operation.timeMs : 0;
  operation.state = "ready";
  tied.candidateOf = null;
  keepAt(state, tied, line);
  touch(state, operation);
}

function takeOffList(operation: Operation): void {
  const list = operation.queue.lists.get(operation.priority);
  if (list === undefined) return;
  const kept = list.elements.shiftMany(list.elements.length);
  const rest = kept.filter((element) => element !== operation);
  for (const element of rest) list.elements.push(element);
  if (rest.length < kept.length) shrink(list, 1);
}

/** Lets the first of a line go on if the line alone keeps it. */
export function advanceLine(state: SegmentState, line: Line, nowMs: number): void {
  const woken: Operation[] = [];
  advance(state, line, woken, nowMs);
  putWoken(state, woken);
}

function advance(state: SegmentState, line: Line, woken: Operation[], nowMs: number): void {
  const first = line.members.at(0);
  if (first === undefined) {
    if (state.lines.get(line.name) === line) state.lines.delete(line.name);
    return;
  }
  if (first.tied?.parkedAt !== line) return;
  keepAt(state, first.tied, null);
  if (first.timeMs <= nowMs) {
    woken.push(first);
    return;
  }
  plan(state, first, first.timeMs, nowMs);
  touch(state, first);
}

function takeOut(members: Deque<Operation>, operation: Operation): void {
  if (members.at(0) === operation) {
    members.shift();
    return;
  }
  for (const one of members.shiftMany(members.length)) if (one !== operation) members.push(one);
}

// ── Keys ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Who holds a key at present, or null. */
export function holderOf(state: SegmentState, name: string, nowMs: number): HeldKey | null {
  const held = state.keys.get(name);
  return held === undefined || (!held.isLive && held.timeMs <= nowMs) ? null : held;
}

/** Gives a key to an Operation, whoever had it. */
export function takeKey(state: SegmentState, tie: KeyTie, operation: Operation, nowMs: number): void {
  const before = state.keys.get(tie.name);
  if (before !== undefined && !before.isLive) state.expiries.remove(before);
  const isTimed = tie.isTimed === true && tie.windowMs !== null && tie.windowMs > 0;
  const held: HeldKey = {
    name: tie.name,
    lane: operation.lane,
    counter: operation.counter,
    digest: Buffer.from(tie.digest).toString("latin1"),
    isLive: !isTimed,
    timeMs: tie.windowMs !== null && tie.windowMs > 0 ? Math.floor(nowMs + tie.windowMs) : 0,
    heapIndex: -1,
  };
  state.keys.set(tie.name, held);
  if (isTimed) state.expiries.add(held);
  touchKey(state, tie.name);
}

function letGoKey(state: SegmentState, name: string, operation: Operation, nowMs: number): void {
  const held = state.keys.get(name);
  if (!held?.isLive || held.lane !== operation.lane || held.counter !== operation.counter) return;
  touchKey(state, name);
  if (held.timeMs > nowMs) {
    held.isLive = false;
    state.expiries.add(held);
  } else {
    state.keys.delete(name);
  }
}

/** Forgets up to `max` keys whose Operation has ended and whose window is over; answers whether some are left. */
export function dropKeys(state: SegmentState, max: number, nowMs: number): boolean {
  let first = state.expiries.first;
  for (let dropped = 0; first !== undefined && first.timeMs <= nowMs; dropped++) {
    if (dropped === max) return true;
    state.expiries.remove(first);
    state.keys.delete(first.name);
    touchKey(state, first.name);
    first = state.expiries.first;
  }
  return false;
}

// ── Letting go ─────────────────────────────────────────────────────────────────────────────────────────────────────

/** What ended or went back in this transition lets go of its ties, and what waited for them moves on. */
export function untie(state: SegmentState, nowMs: number): void {
  const { loose } = state;
  if (loose.length === 0) return;
  state.loose = [];
  const wakes: Wakes = new Map();
  const lines = new Set<Line>();
  for (const { operation, didRun } of loose) {
    const { tied } = operation;
    if (tied === null) continue;
    if (didRun) {
      for (const tie of tied.gates) {
        if ("everyMs" in tie) continue;
        const gate = gateOf(state, tie.name);
        gate.used--;
        addWake(wakes, gate);
      }
    } else {
      stopWaiting(state, operation, tied, wakes);
    }
    const hasEnded = operation.isGone || operation.isWithdrawn || operation.state === "failed";
    if (!hasEnded) continue;
    if (operation.lapse !== null) dropLapse(state, operation);
    if (tied.key !== null) letGoKey(state, tied.key, operation, nowMs);
    if (tied.line !== null) {
      const line = lineOf(state, tied.line);
      takeOut(line.members, operation);
      lines.add(line);
    }
  }
  const woken: Operation[] = [];
  for (const line of lines) advance(state, line, woken, nowMs);
  wake(state, wakes, woken);
  putWoken(state, woken);
}

/** A cancelled one gives up the place where it was parked, or its turn. */
function stopWaiting(state: SegmentState, operation: Operation, tied: Tied, wakes: Wakes): void {
  const { parkedAt, candidateOf } = tied;
  keepAt(state, tied, null);
  tied.candidateOf = null;
  if (parkedAt !== null && "parked" in parkedAt) {
    if (parkedAt.parked.has(operation)) parkedAt.parked.remove(operation); // not one that has just failed
    dropIfIdle(state, parkedAt);
  }
  if (candidateOf !== null) addWake(wakes, candidateOf);
}
