/**
 * Full gates that do more than keep one waiting (elsewhere: concurrency policy, cancel in progress): who ends for meeting
 * one, and whose place goes to who came. The rules stand in engine/transitions.ts; judged in ties.ts.
 * Pure; used by the machine's moves.
 */
import { hasFull } from "../../engine/ties.js";
import { finishUnlisted } from "./ending.js";
import { mark } from "./marking.js";
import type { Gate, Met, Operation, SegmentState } from "./state.js";
import { dropIfIdle, gateOf, judgeFull, passGates, slotsOf, untie } from "./ties.js";

/** Judges one that is enqueued and might go on at once; answers whether it ended, or was parked in another's place. */
export function stopsAtFull(state: SegmentState, operation: Operation, nowMs: number): boolean {
  const { tied } = operation;
  if (tied === null || !hasFull(tied.gates)) return false;
  const verdict = judgeFull(state, tied.gates, nowMs);
  if (verdict === null || verdict.does === "wait" || (verdict.does === "displace" && tied.flow !== null)) return false;
  operation.state = "ready";
  passGates(state, operation, tied, new Map(), nowMs);
  meetFull(state, nowMs);
  return true;
}

/** Ends what met a full gate and is not to wait, then makes room for whom others are to go. */
export function meetFull(state: SegmentState, nowMs: number): void {
  if (state.met.length === 0) return;
  const { met } = state;
  state.met = [];
  state.dirty.root = true;
  for (const { operation, full } of met) {
    if (full.mode === "cancel_oldest") continue;
    finishUnlisted(state, operation, full.mode === "skip" ? "skipped" : "cancelled", full.value, nowMs);
  }
  untie(state, nowMs);
  const comers = met.filter(({ full }) => full.mode === "cancel_oldest");
  if (comers.length === 0) return;
  const holders = holdersOf(state, new Set(comers.map(({ tie }) => tie.name)));
  const rooms = new Map<string, Room>();
  for (const comer of comers) roomFor(state, rooms, comer, holders).comers.add(comer.operation);
  for (const comer of comers) displace(state, roomFor(state, rooms, comer, holders), comer, nowMs);
  for (const { gate } of rooms.values()) dropIfIdle(state, gate);
}

/** By gate, who has a slot and was not told to end, oldest first. */
type Holders = ReadonlyMap<string, Operation[]>;

/** What is known of a gate while some are to have the places of others there. */
interface Room {
  readonly gate: Gate;
  readonly slots: number;
  /** Who has a slot and was not told to end, oldest first. */
  readonly holders: Operation[];
  /** Who came and was not dealt with yet. */
  readonly comers: Set<Operation>;
}

function roomFor(state: SegmentState, rooms: Map<string, Room>, { tie }: Met, holders: Holders): Room {
  const found = rooms.get(tie.name);
  if (found !== undefined) return found;
  const gate = gateOf(state, tie.name);
  const room = {
    gate,
    slots: slotsOf(state, gate, tie),
    holders: holders.get(tie.name) ?? [],
    comers: new Set<Operation>(),
  };
  rooms.set(tie.name, room);
  return room;
}

/** Looks through all that is held once, be it for many gates. */
function holdersOf(state: SegmentState, names: ReadonlySet<string>): Holders {
  const holders = new Map<string, Operation[]>();
  for (const owner of state.owners.values()) {
    for (let held = owner.first; held !== null; held = held.heldAfter) {
      if (held.cancelReason !== null || held.tied === null) continue;
      for (const { name } of held.tied.gates) {
        if (!names.has(name)) continue;
        const found = holders.get(name);
        if (found === undefined) holders.set(name, [held]);
        else if (found.at(-1) !== held) found.push(held);
      }
    }
  }
  for (const found of holders.values()) {
    found.sort((a, b) => a.heldToken - b.heldToken || a.takingIndex - b.takingIndex);
  }
  return holders;
}

/** One goes for one that came: the oldest that runs and was not told to end, else the first that waits. */
function displace(
  state: SegmentState,
  { gate, slots, holders, comers }: Room,
  { operation, full }: Met,
  nowMs: number,
) {
  let ahead = gate.parked.size;
  for (const comer of comers) if (comer.tied?.parkedAt === gate) ahead--;
  if (holders.length + ahead >= slots) {
    const oldest = holders.shift();
    if (oldest !== undefined) mark(state, oldest, full.value);
    else if (ahead > 0) {
      const first = gate.parked.page(0, comers.size + 1).find((one) => !comers.has(one));
      if (first !== undefined) finishUnlisted(state, first, "cancelled", full.value, nowMs);
      untie(state, nowMs);
    }
  }
  comers.delete(operation);
}
