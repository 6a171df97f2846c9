/**
 * The part of check (checking.ts) that looks at ties: gates, lines, keys, and what is kept by them. The kinds are those
 * of engine/findings.ts. Pure; used by checking.ts alone.
 */
import type { FindingKind } from "../../engine/findings.js";
import { isFair } from "./fair.js";
import { dropLapse } from "./lapsing.js";
import { candidatesByGate } from "./limiting.js";
import {
  entryOf,
  type Gate,
  idOf,
  isFinished,
  type Line,
  type Operation,
  type SegmentState,
  touch,
  touchKey,
  touchPace,
} from "./state.js";
import {
  advanceLine,
  gateOf,
  isHidden,
  judgeGate,
  lineOf,
  moveOn,
  parkInLine,
  rejoinLine,
  reparkAt,
  showFair,
  slotsOf,
} from "./ties.js";

/** What a finding is noted with; true if it is to be mended. */
export type Note = (kind: FindingKind, operation: Operation | null, about: string) => boolean;

/** Who stands in which line, read once per call: for each of a long line alone it would be read as often as it is long. */
export class Standing {
  readonly #members = new Map<Line, ReadonlySet<Operation>>();

  in(line: Line): ReadonlySet<Operation> {
    let members = this.#members.get(line);
    if (members === undefined) {
      members = new Set(line.members);
      this.#members.set(line, members);
    }
    return members;
  }

  /** A line was mended. */
  forget(line: Line): void {
    this.#members.delete(line);
  }
}

/** Whether it runs, is scheduled or failed. */
function isElsewhere({ due, dead }: SegmentState, operation: Operation): boolean {
  return operation.taking !== null || due.has(operation) || dead.has(operation);
}

/** Looks at one tied Operation that has not ended. */
export function checkTied(
  state: SegmentState,
  operation: Operation,
  standing: Standing,
  nowMs: number,
  note: Note,
): void {
  const { tied } = operation;
  if (tied === null) return;
  const at = tied.parkedAt;
  if (at !== null && "parked" in at && operation.heapIndex < 0 && note("parked_missing", operation, at.name)) {
    reparkAt(state, at, operation);
  }
  // At a fair gate a candidate waits as others do on their lists.
  const isKeptElsewhere = at !== null && !("parked" in at && isFair(at));
  if (tied.candidateOf !== null && (isElsewhere(state, operation) || isKeptElsewhere)) {
    if (note("candidate_stale", operation, tied.candidateOf.name)) tied.candidateOf = null;
  }
  if (tied.line === null || operation.state === "failed") return;
  const line = lineOf(state, tied.line);
  const isFirst = line.members.at(0) === operation;
  const isKept = tied.parkedAt === line;
  if (!isFirst && !standing.in(line).has(operation)) {
    if (!note("line_missing", operation, line.name)) return;
    rejoinLine(state, line, operation, isKept, nowMs);
    standing.forget(line);
  } else if (!isFirst && !isKept && operation.taking === null) {
    if (note("line_ahead", operation, line.name)) parkInLine(state, line, operation);
  } else if (isFirst && isKept && note("line_stuck", operation, line.name)) {
    advanceLine(state, line, nowMs);
  }
}

/** Looks at when one lapses that has not ended, or has failed. */
export function checkLapse(state: SegmentState, operation: Operation, note: Note): void {
  const { lapse } = operation;
  if (lapse === null) return;
  if (operation.state === "failed") {
    if (note("lapse_stale", operation, "")) dropLapse(state, operation);
    return;
  }
  const isPlanned = state.lapses.has(lapse);
  const timeMs = Math.min(lapse.startByMs, lapse.endByMs);
  if (isPlanned && lapse.timeMs === timeMs) return;
  // What runs was marked for it, or by a cancel before.
  if (!isPlanned && operation.taking !== null && operation.cancelReason !== null) return;
  if (!note("lapse_time", operation, "")) return;
  if (isPlanned) state.lapses.remove(lapse);
  lapse.heapIndex = -1;
  lapse.timeMs = timeMs;
  state.lapses.add(lapse);
  touch(state, operation);
}

function checkLapsing(state: SegmentState, note: Note): void {
  for (const lapse of state.lapses.page(0, state.lapses.size)) {
    if (lapse.operation.lapse === lapse && lives(lapse.operation)) continue;
    // One that failed is met by itself, with its record.
    if (lapse.operation.lapse === lapse && lapse.operation.state === "failed") continue;
    if (note("lapse_recordless", null, idOf(lapse.lane, lapse.counter))) state.lapses.remove(lapse);
  }
}

/** Looks at every gate, line, key and time to expire. */
export function checkPlaces(state: SegmentState, nowMs: number, note: Note): void {
  checkSlots(state, note);
  for (const line of [...state.lines.values()]) checkLine(state, line, nowMs, note);
  const candidates = candidatesByGate(state);
  for (const gate of [...state.gates.values()]) checkGate(state, gate, candidates.get(gate.name) ?? 0, nowMs, note);
  checkKeys(state, note);
  checkLapsing(state, note);
}

function lives(operation: Operation): boolean {
  return entryOf(operation.lane, operation.counter) === operation && !operation.isGone && operation.state !== "failed";
}

function checkSlots(state: SegmentState, note: Note): void {
  const used = new Map<string, number>();
  for (const owner of state.owners.values()) {
    for (let held = owner.first; held !== null; held = held.heldAfter) {
      for (const tie of held.tied?.gates ?? []) {
        if ("slots" in tie) used.set(tie.name, (used.get(tie.name) ?? 0) + 1);
      }
    }
  }
  for (const name of new Set([...used.keys(), ...state.gates.keys()])) {
    const count = used.get(name) ?? 0;
    if ((state.gates.get(name)?.used ?? 0) !== count && note("slots_count", null, name))
      gateOf(state, name).used = count;
  }
}

function checkGate(state: SegmentState, gate: Gate, candidates: number, nowMs: number, note: Note): void {
  for (const one of gate.parked.page(0, gate.parked.size)) {
    if (one.tied?.parkedAt !== gate && note("parked_stale", one, gate.name)) gate.parked.remove(one);
  }
  if (isHidden(gate) && note("fair_hidden", null, gate.name)) showFair(state, gate);
  const tie = gate.parked.first?.tied?.gates.find(({ name }) => name === gate.name);
  if (tie === undefined) return;
  if ("everyMs" in tie) {
    if (state.opening.has(gate) || !note("pace_hidden", null, gate.name)) return;
    gate.opensAtMs = judgeGate(state, tie, nowMs).opensAtMs;
    state.opening.add(gate);
    touchPace(state, gate);
    return;
  }
  const missing = Math.min(slotsOf(state, gate, tie) - gate.used - candidates, gate.parked.size);
  // What a live limit has changed is let on a part at a time.
  if (missing > 0 && state.settling.size === 0 && note("gate_idle", null, gate.name))
    moveOn(state, new Map([[gate, missing]]));
}

function checkLine(state: SegmentState, line: Line, nowMs: number, note: Note): void {
  const wrong = new Set([...line.members].filter((one) => !lives(one) || one.tied?.line !== line.name));
  let isMending = false;
  for (const one of wrong) isMending = note("line_stale", one, line.name);
  if (!isMending) return;
  for (const one of line.members.shiftMany(line.members.length)) if (!wrong.has(one)) line.members.push(one);
  advanceLine(state, line, nowMs);
}

function checkKeys(state: SegmentState, note: Note): void {
  for (const held of [...state.keys.values()]) {
    const entry = entryOf(held.lane, held.counter);
    const holder = entry !== undefined && !isFinished(entry) ? entry : null;
    if (held.isLive) {
      if (holder !== null && lives(holder) && holder.tied?.key === held.name) continue;
      if (!note("key_stale", holder, `${held.name} ${idOf(held.lane, held.counter)}`)) continue;
      state.keys.delete(held.name);
      touchKey(state, held.name);
    } else if (!state.expiries.has(held) && note("key_unending", holder, held.name)) {
      held.heapIndex = -1;
      state.expiries.add(held);
    }
  }
  for (const held of state.expiries.page(0, state.expiries.size)) {
    if (state.keys.get(held.name) !== held && note("key_expiry", null, held.name)) state.expiries.remove(held);
  }
}
