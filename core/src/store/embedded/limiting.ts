/**
 * Live limits: numbers of gates that somebody has set from outside, and what is in use. How they are judged stands in
 * ties.ts: from the call on they count for every claim; who is parked is told a part at a time.
 * Pure; one family of the machine's moves (machine.ts).
 */
import { SEGMENT_PACE, SEGMENT_REST, SEGMENT_SLOTS } from "../../engine/ties.js";
import type {
  ClaimParams,
  GateInUse,
  LimitSetAnswer,
  LimitSetParams,
  LimitsAnswer,
  LimitsParams,
  LiveNumber,
} from "../../engine/transitions.js";
import { isFair } from "./fair.js";
import { compareNames } from "./reading.js";
import { type Gate, type Operation, type Queue, ringQueues, type SegmentState, touchLive, touchPace } from "./state.js";
import {
  dropIfIdle,
  expectOpening,
  gateOf,
  judgeGate,
  liveOf,
  nextDueInMs,
  putWoken,
  scopeOf,
  slotsOf,
  wake,
} from "./ties.js";

/** limit_set: a live limit comes, changes or is taken back. */
export function limitSet(state: SegmentState, params: LimitSetParams, nowUs: number): LimitSetAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const { name, number, max } = params;
  // A rest counts from when it is set.
  const isAnew = name === SEGMENT_REST && number !== null;
  const isSame = !isAnew && isEqual(state.live.get(name)?.number ?? null, number);
  if (!isSame) {
    if (number === null) state.live.delete(name);
    else state.live.set(name, { number, sinceMs: nowMs });
    forgetTaken(state, name);
    touchLive(state, name);
  }
  const woken: Operation[] = [];
  settle(state, name, max, nowMs, woken);
  putWoken(state, woken);
  if (name.startsWith("=")) ringQueues(state);
  const inMs = nextDueInMs(state, nowMs);
  if (inMs !== null && inMs <= 0) state.events.push({ kind: "due", inMs });
  return { answer: isSame ? "unchanged" : "ok", isSettled: !state.settling.has(name) };
}

function isEqual(a: LiveNumber | null, b: LiveNumber | null): boolean {
  if (a === null || b === null) return a === b;
  if ("slots" in a || "slots" in b) return "slots" in a && "slots" in b && a.slots === b.slots;
  return a.everyMs === b.everyMs && a.burst === b.burst;
}

/** Goes on with all live limits that are not told to the end, by name, up to `max` in all; adds to `woken`. */
export function settleMore(state: SegmentState, max: number, nowMs: number, woken: Operation[]): void {
  const reach = woken.length + max;
  for (const name of [...state.settling].sort(compareNames)) settle(state, name, reach - woken.length, nowMs, woken);
}

/** The gates a live limit is about, by name. */
function gatesOf(state: SegmentState, name: string): Gate[] {
  const isOne = name.includes(":");
  const found = [...state.gates.values()].filter(
    (gate) => !isFair(gate) && (isOne ? gate.name === name : scopeOf(gate.name) === name),
  );
  return found.sort((a, b) => compareNames(a.name, b.name));
}

/** Paces begin anew. */
function forgetTaken(state: SegmentState, name: string): void {
  for (const gate of gatesOf(state, name)) {
    if (gate.takenMs === 0) continue;
    gate.takenMs = 0;
    touchPace(state, gate);
    dropIfIdle(state, gate);
  }
}

/** Tells those who are parked: up to `max` go on; what is left to be told is noted. */
function settle(state: SegmentState, name: string, max: number, nowMs: number, woken: Operation[]): void {
  const gates = gatesOf(state, name).filter(({ parked }) => parked.size > 0);
  const candidates = gates.length === 0 ? null : candidatesByGate(state, ({ isPaused }) => !isPaused);
  let left = max;
  let isCut = false;
  for (const gate of gates) {
    const tie = gate.parked.first?.tied?.gates.find((one) => one.name === gate.name);
    if (tie === undefined) continue;
    if ("everyMs" in tie) {
      gate.opensAtMs = nowMs;
      state.opening.add(gate);
      touchPace(state, gate);
      continue;
    }
    const free = slotsOf(state, gate, tie) - gate.used;
    const missing = Math.min(free - (candidates?.get(gate.name) ?? 0), gate.parked.size);
    if (missing <= 0) continue;
    const count = Math.min(missing, left);
    const before = woken.length;
    if (count > 0) wake(state, new Map([[gate, count]]), woken);
    left -= woken.length - before;
    isCut ||= count < missing;
  }
  if (isCut === state.settling.has(name)) return;
  if (isCut) state.settling.add(name);
  else state.settling.delete(name);
  touchLive(state, name);
}

// ── The Segment as a whole ─────────────────────────────────────────────────────────────────────────────────────────

/** Room that no claim uses up: one more than a claim takes at most. */
const BOUNDLESS = 1_001;

/** What the limits of a Segment as a whole let a claim take. */
export interface Hold {
  readonly room: number;
  readonly pace: Pace | null;
  /** When nothing is to be claimed before; 0 if that is not so. */
  readonly restsUntilMs: number;
}

type Pace = NonNullable<ClaimParams["pace"]>;

/** How many a claim may take now; null where there are no such limits. `given`: the pace the claim brings. */
export function holdOf(state: SegmentState, given: Pace | null, nowMs: number): Hold | null {
  if (state.live.size === 0 && given === null) return null;
  const slots = liveOf(state, SEGMENT_SLOTS);
  const live = liveOf(state, SEGMENT_PACE);
  const rest = state.live.get(SEGMENT_REST);
  const pace = live !== null && "everyMs" in live ? live : given;
  let room = BOUNDLESS;
  if (slots !== null && "slots" in slots) room = Math.max(0, Math.min(room, slots.slots - state.running));
  const isPaced = pace !== null && pace.everyMs > 0;
  if (isPaced) {
    const opensMs = opensOf(state, pace, nowMs);
    room = Math.min(room, opensMs > nowMs ? 0 : Math.floor((nowMs - opensMs) / pace.everyMs) + 1);
  }
  const restsUntilMs = rest !== undefined && "everyMs" in rest.number ? rest.sinceMs + rest.number.everyMs : 0;
  const isResting = restsUntilMs > nowMs;
  return { room: isResting ? 0 : room, pace: isPaced ? pace : null, restsUntilMs: isResting ? restsUntilMs : 0 };
}

function opensOf(state: SegmentState, { everyMs, burst }: Pace, nowMs: number): number {
  return Math.max(nowMs, state.gates.get(SEGMENT_PACE)?.takenMs ?? 0) - (burst - 1) * everyMs;
}

/** Notes what a new claim has taken, and when more may go; answers how many wait that may go now. */
export function noteHold(
  state: SegmentState,
  { room, pace, restsUntilMs }: Hold,
  count: number,
  waiting: number,
  isNew: boolean,
  nowMs: number,
): number {
  if (isNew && pace !== null && count > 0) {
    const gate = gateOf(state, SEGMENT_PACE);
    gate.takenMs = Math.max(nowMs, gate.takenMs) + count * pace.everyMs;
    touchPace(state, gate);
  }
  if (room > count) return waiting;
  const opensMs = Math.max(restsUntilMs, pace === null ? 0 : opensOf(state, pace, nowMs));
  if (isNew && waiting > 0 && opensMs > nowMs) expectOpening(state, gateOf(state, SEGMENT_PACE), opensMs, nowMs);
  return 0;
}

/** Forgets a time in which nothing was to begin, once it is over. */
export function dropRest(state: SegmentState, nowMs: number): void {
  const rest = state.live.get(SEGMENT_REST);
  if (rest === undefined || !("everyMs" in rest.number) || rest.sinceMs + rest.number.everyMs > nowMs) return;
  state.live.delete(SEGMENT_REST);
  touchLive(state, SEGMENT_REST);
}

/** How many Operations, in all or of some Queues, are candidates of each gate, by its name. */
export function candidatesByGate(state: SegmentState, isOf?: (queue: Queue) => boolean): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  const add = ({ tied, queue }: Operation): void => {
    const gate = tied?.candidateOf;
    if (gate != null && isOf?.(queue) !== false) found.set(gate.name, (found.get(gate.name) ?? 0) + 1);
  };
  for (const queue of state.queues.values()) {
    if (isOf?.(queue) === false) continue;
    for (const { elements } of queue.active) for (const element of elements) if (!element.isRun) add(element);
  }
  for (const fair of state.gates.values()) {
    if (isFair(fair)) for (const operation of fair.parked.page(0, fair.parked.size)) add(operation);
  }
  return found;
}

/** limits: live limits, and gates in use. */
export function limits(state: SegmentState, { max }: LimitsParams, nowUs: number): LimitsAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const live = [...state.live].map(([name, { number, sinceMs }]) => {
    return { name, number, sinceMs, isSettling: state.settling.has(name) };
  });
  const used = [...state.gates.values()].filter(
    (gate) => !isFair(gate) && (gate.used + gate.parked.size > 0 || gate.takenMs > nowMs),
  );
  used.sort((a, b) => compareNames(a.name, b.name));
  return {
    nowMs,
    live: live.sort((a, b) => compareNames(a.name, b.name)),
    gates: used.slice(0, max).map((gate) => gateInUse(state, gate, nowMs)),
    isPartial: used.length > max,
  };
}

function gateInUse(state: SegmentState, gate: Gate, nowMs: number): GateInUse {
  const { name, parked } = gate;
  const said = parked.first?.tied?.gates.find((one) => one.name === name);
  const isPace = said === undefined ? gate.takenMs > nowMs : "everyMs" in said;
  const live = liveOf(state, name);
  const common = { name, used: isPace ? 0 : gate.used, parked: parked.size, isLive: live !== null };
  if (!isPace) {
    const own = said !== undefined && "slots" in said ? said.slots : null;
    const slots = live !== null && "slots" in live ? live.slots : (gate.limit ?? own);
    return { ...common, kind: "slots", slots, everyMs: null, burst: null, opensAtMs: null };
  }
  const tie = said ?? (live !== null && "everyMs" in live ? { name, ...live } : null);
  if (tie === null) return { ...common, kind: "pace", slots: null, everyMs: null, burst: null, opensAtMs: null };
  const { everyMs, burst, opensAtMs } = judgeGate(state, tie, nowMs);
  return { ...common, kind: "pace", slots: null, everyMs, burst, opensAtMs };
}
