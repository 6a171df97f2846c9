/**
 * explain: what one Operation that waits is tied to, judged as a claim would judge it now. Changes nothing.
 * Pure; one family of the machine's moves (machine.ts).
 */
import { isTiedLane } from "../../engine/lease.js";
import type { GateTie } from "../../engine/ties.js";
import type { ExplainAnswer, ExplainedGate, ExplainParams } from "../../engine/transitions.js";
import { compareNames } from "./reading.js";
import { entryOf, idOf, isFinished, type Lane, type Operation, type SegmentState, type Tied } from "./state.js";
import { judgeGate } from "./ties.js";

/** How many of what runs are looked at for holders. */
const LOOKS = 1000;

/** explain: key, line and gates of one Operation. */
export function explain(state: SegmentState, params: ExplainParams, nowUs: number): ExplainAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const { dot, max } = params;
  const lane = state.lanesByName.get(dot.laneName);
  const entry = lane === undefined ? undefined : entryOf(lane, dot.counter);
  if (lane !== undefined && entry === undefined) return explainUnread(state, lane, params, nowMs);
  const tied = entry === undefined || isFinished(entry) ? null : entry.tied;
  if (entry === undefined || isFinished(entry) || tied === null) return { nowMs, key: null, line: null, gates: [] };
  const holders = holdersOf(state, tied.gates, max);
  return {
    nowMs,
    key: tied.key,
    line: lineOf(state, entry, tied),
    gates: tied.gates.map((tie) => explainGate(state, tie, entry, holders, nowMs)),
  };
}

/** One that waits on a tied lane has no record yet. */
function explainUnread(state: SegmentState, lane: Lane, { dot, max }: ExplainParams, nowMs: number): ExplainAnswer {
  const gates = lane.withdrawn.has(dot.counter) ? [] : gatesOf(lane, dot.counter);
  const holders = holdersOf(state, gates, max);
  return { nowMs, key: null, line: null, gates: gates.map((tie) => explainGate(state, tie, null, holders, nowMs)) };
}

function gatesOf({ number, queue, claimed }: Lane, counter: number): readonly GateTie[] {
  if (!isTiedLane(number) || counter <= claimed) return [];
  for (const run of queue?.lists.get(0)?.elements ?? []) {
    if (!run.isRun || run.lane.number !== number || counter < run.first) continue;
    const gates = run.gates?.[counter - run.first];
    if (gates !== undefined) return gates;
  }
  return [];
}

function explainGate(
  state: SegmentState,
  tie: GateTie,
  operation: Operation | null,
  holders: ReadonlyMap<string, string[]>,
  nowMs: number,
): ExplainedGate {
  const { slots, used, opensAtMs, everyMs, isFull, isLive, parked } = judgeGate(state, tie, nowMs);
  const isPace = "everyMs" in tie;
  return {
    name: tie.name,
    slots,
    used: isPace ? 0 : used,
    opensAtMs: isPace ? opensAtMs : null,
    everyMs,
    isFull,
    isLive,
    before: parked === null ? 0 : operation === null ? parked.size : parked.rank(operation),
    holders: (holders.get(tie.name) ?? []).sort(compareNames),
  };
}

function lineOf(state: SegmentState, operation: Operation, tied: Tied): ExplainAnswer["line"] {
  const { line: name } = tied;
  if (name === null) return null;
  const members = [...(state.lines.get(name)?.members ?? [])];
  const [first] = members;
  const isParked = tied.parkedAt !== null && tied.parkedAt === state.lines.get(name);
  return {
    name,
    before: Math.max(0, members.indexOf(operation)),
    firstId: first === undefined ? null : idOf(first.lane, first.counter),
    dueAtMs: isParked ? operation.timeMs : null,
  };
}

function holdersOf(state: SegmentState, gates: readonly GateTie[], max: number): ReadonlyMap<string, string[]> {
  const found = new Map<string, string[]>();
  for (const tie of gates) if ("slots" in tie) found.set(tie.name, []);
  if (found.size === 0) return found;
  let looks = 0;
  for (const owner of [...state.owners.values()].sort((a, b) => compareNames(a.name, b.name))) {
    for (let held = owner.first; held !== null; held = held.heldAfter) {
      if (looks++ >= LOOKS) return found;
      for (const { name } of held.tied?.gates ?? []) {
        const list = found.get(name);
        if (list !== undefined && list.length < max) list.push(idOf(held.lane, held.counter));
      }
    }
  }
  return found;
}
