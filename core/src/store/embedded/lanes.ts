/**
 * The moves that open things: the Segment itself and the lanes that write into it.
 * Pure; one family of the machine's moves (machine.ts).
 */
import { isTiedLane, LANE_NUMBER_MAX, TIED_LANE } from "../../engine/lease.js";
import type { LaneOpenAnswer, LaneOpenParams, SegmentOpenAnswer, SegmentOpenParams } from "../../engine/transitions.js";
import { addLane, queueOf, SCHEMA, type SegmentState, touchLane, touchQueue } from "./state.js";

/** segment_open: pauses the Queues named; the root record is there since the state was made. */
export function segmentOpen(state: SegmentState, params: SegmentOpenParams): SegmentOpenAnswer {
  for (const name of params.pausedQueues) {
    const queue = queueOf(state, name);
    if (queue.isPaused) continue;
    queue.isPaused = true;
    touchQueue(state, queue);
  }
  return { answer: "ok", schema: SCHEMA };
}

/** lane_open: gives a lane its number, or answers the one it has. */
export function laneOpen(state: SegmentState, params: LaneOpenParams): LaneOpenAnswer {
  const open = state.lanesByName.get(params.laneName);
  if (open !== undefined) {
    const isTiedAsAsked = params.isTied !== true || isTiedLane(open.number);
    const isSame = (open.queue?.name ?? null) === params.queue && isTiedAsAsked;
    return isSame
      ? { answer: "ok", lane: open.number, accepted: open.accepted }
      : { answer: "conflict", lane: open.number, accepted: open.accepted };
  }
  const place = state.lanes.length;
  if (place > LANE_NUMBER_MAX) return { answer: "full", lane: 0, accepted: 0 };
  const number = params.isTied === true ? place + TIED_LANE : place;
  const queue = params.queue === null ? null : queueOf(state, params.queue);
  touchLane(state, addLane(state, number, params.laneName, queue));
  return { answer: "ok", lane: number, accepted: 0 };
}
