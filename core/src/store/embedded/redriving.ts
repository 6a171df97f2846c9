/**
 * redrive: a dead letter's next generation, with another input or in another Queue.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { RedriveParams, RequeueAnswer } from "../../engine/transitions.js";
import { unlist } from "./enqueue.js";
import { reopen } from "./housekeeping.js";
import { locate } from "./reading.js";
import { isFinished, queueOf, type SegmentState } from "./state.js";

/** redrive: failed → ready, a new generation, changed. */
export function redrive(state: SegmentState, params: RedriveParams, nowUs: number): RequeueAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const answers = params.elements.map(({ laneName, counter, queue, body }): RequeueAnswer["answers"][number] => {
    const lane = state.lanesByName.get(laneName);
    const found = lane === undefined ? "missing" : locate(state, lane, counter, nowMs);
    if (found === "missing") return "missing";
    if (typeof found === "string" || isFinished(found) || found.state !== "failed") return "illegal";
    if (found.isWithdrawn) unlist(found); // from the Queue it waited in
    if (queue !== null) found.queue = queueOf(state, queue);
    if (body !== null) found.body = body;
    reopen(state, found);
    return "ok";
  });
  return { answers };
}
