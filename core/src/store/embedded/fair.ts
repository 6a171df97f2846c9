/**
 * Fair gates (elsewhere: weighted fair queueing, start-time fair queueing): where work of many flows waits for a claim.
 *
 * Beside each ready list there is a fair gate, once something with a flow comes. What waits there stands by its *tag*: the
 * time, on a clock that runs by work and not by seconds, at which its flow is next to be served. Each enqueue, retry or
 * new generation is charged to its flow; what is handed back, or was parked elsewhere meanwhile, was charged before. The
 * clock stands at the highest tag that was let run, and a flow that was away begins there.
 * Pure; used by the machine's moves.
 */
import {
  type FairGate,
  type Gate,
  keepAt,
  newGate,
  type Operation,
  pushBack,
  pushFront,
  type Queue,
  ring,
  type SegmentState,
  touch,
  touchFair,
} from "./state.js";

/** Served times kept, at least, before those behind the clock are thrown away. */
const SWEEP_MIN = 64;
/** Served times kept at most, but for twice as many as wait at the gate: beyond, those least ahead are forgotten. */
const FLOWS_MAX = 10_000;

/**
 * How an Operation gets ready: at the `back`, charged to its flow; at the `front`, not charged, ahead of its flow; `again`,
 * at the front and where a flow's tag says. Without a flow the last two are the same.
 */
export type Side = "back" | "front" | "again";

/** The fair gate beside a Queue's list, made if absent. */
export function fairGateOf(state: SegmentState, queue: Queue, priority: number): FairGate {
  const name = `~${queue.name}:${priority}`;
  const found = state.gates.get(name);
  if (found !== undefined && isFair(found)) return found;
  const gate: FairGate = {
    ...newGate(name),
    fair: { queue, priority, clock: firstClock(state), served: new Map(), sweepAt: SWEEP_MIN },
  };
  state.gates.set(name, gate);
  return gate;
}

/** Where a new clock begins: its tags meet tickets and other clocks' tags where several wait for one gate of slots. */
function firstClock(state: SegmentState): number {
  let clock = state.ticketBefore;
  for (const { fair } of state.gates.values()) if (fair !== null) clock = Math.max(clock, fair.clock);
  return clock;
}

/** Tells the gate beside a list from those that Operations are tied to. */
export function isFair(gate: Gate): gate is FairGate {
  return gate.fair !== null;
}

/** Makes an Operation ready: on its list or, if it bears a flow, at the gate beside it. */
export function makeReady(state: SegmentState, operation: Operation, side: Side): void {
  const flow = operation.tied?.flow ?? null;
  if (operation.tied === null || flow === null) {
    if (side === "back") pushBack(state, operation);
    else pushFront(state, operation);
    return;
  }
  const gate = fairGateOf(state, operation.queue, operation.priority);
  const { fair } = gate;
  if (side === "front") operation.timeMs = fair.clock;
  else if (side === "back") {
    operation.timeMs = Math.max(fair.clock, fair.served.get(flow.name) ?? 0);
    fair.served.set(flow.name, operation.timeMs + 1 / flow.weight);
    touchFair(state, gate, flow.name);
  }
  touchFair(state, gate, "");
  operation.state = "ready";
  keepAt(state, operation.tied, gate);
  if (gate.parked.size === 0) {
    enter(gate);
    ring(state, operation.queue.name, operation.priority);
  }
  gate.parked.add(operation);
  touch(state, operation);
}

/** Puts a gate among those of its Queue where something waits. */
export function enter(gate: FairGate): void {
  const { waiting } = gate.fair.queue;
  let at = waiting.length;
  while (at > 0 && (waiting[at - 1] as FairGate).fair.priority < gate.fair.priority) at--; // at − 1 is inside
  waiting.splice(at, 0, gate);
}

/** A gate may have lost its last one. */
export function leaveIfEmpty(gate: Gate): void {
  if (!isFair(gate) || gate.parked.size > 0) return;
  const { waiting } = gate.fair.queue;
  const at = waiting.indexOf(gate);
  if (at >= 0) waiting.splice(at, 1);
}

/** Takes away the one that is next; whoever lets it run calls `advanceClock`. */
export function shiftFair(state: SegmentState, gate: FairGate): Operation | undefined {
  const operation = gate.parked.first;
  if (operation === undefined || operation.tied === null) return undefined;
  gate.parked.remove(operation);
  keepAt(state, operation.tied, null);
  leaveIfEmpty(gate);
  return operation;
}

/** One with this tag was let run. */
export function advanceClock(state: SegmentState, gate: FairGate, tag: number): void {
  const { fair } = gate;
  if (tag > fair.clock) {
    fair.clock = tag;
    touchFair(state, gate, "");
    if (fair.served.size >= fair.sweepAt) sweep(state, gate);
  }
  // Where every flow is a new one the clock stands still: nothing would ever be behind it.
  if (fair.served.size > FLOWS_MAX) forgetLeast(state, gate, Math.max(FLOWS_MAX, 2 * gate.parked.size));
}

/** Forgets the flows that the clock has passed. */
function sweep(state: SegmentState, gate: FairGate): void {
  const { fair } = gate;
  for (const [flow, time] of fair.served) if (time <= fair.clock) forgetFlow(state, gate, flow);
  fair.sweepAt = Math.max(SWEEP_MIN, 2 * fair.served.size);
}

/** Forgets the flows that are least ahead, a quarter at once, if there are more than `max`. */
function forgetLeast(state: SegmentState, gate: FairGate, max: number): void {
  const { served } = gate.fair;
  if (served.size <= max) return;
  const ordered = [...served].sort(([, a], [, b]) => a - b);
  for (const [flow] of ordered.slice(0, served.size - Math.floor((3 * max) / 4))) forgetFlow(state, gate, flow);
}

function forgetFlow(state: SegmentState, gate: FairGate, flow: string): void {
  gate.fair.served.delete(flow);
  touchFair(state, gate, flow);
}

/** Forgets clocks and served times, if nothing at all is parked: then nobody's turn depends on them. */
export function dropClocks(state: SegmentState): void {
  if (state.parked > 0) return;
  for (const gate of [...state.gates.values()]) {
    if (!isFair(gate)) continue;
    state.gates.delete(gate.name);
    for (const flow of gate.fair.served.keys()) touchFair(state, gate, flow);
    touchFair(state, gate, "");
  }
}
