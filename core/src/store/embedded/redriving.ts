/**
 * redrive: a dead letter's next generation, with another input or in another Queue.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { RedriveParams, RequeueAnswer } from "../../engine/transitions.js";
import { noteStale, type Stale, unlist } from "./enqueue.js";
import { reopen } from "./housekeeping.js";
import { locate } from "./reading.js";
import { isFinished, queueOf, type SegmentState } from "./state.js";

/** redrive: failed → ready, a new generation, changed. */
export function redrive(state: SegmentState, params: RedriveParams, nowUs: number): RequeueAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const stale: Stale = new Map();
  const answers = params.elements.map(({ laneName, counter, queue, body }): RequeueAnswer["answers"][number] => {
    const lane = state.lanesByName.get(laneName);
    const found = lane === undefined ? "missing" : locate(state, lane, counter, nowMs);
    if (found === "missing") return "missing";
    if (typeof found === "string" || isFinished(found) || found.state !== "failed") return "illegal";
    const to = queue === null ? found.queue : queueOf(state, queue);
    if (found.isWithdrawn && to !== found.queue) noteStale(stale, found); // in the Queue it waited in
    found.queue = to;
    if (body !== null) found.body = body;
    reopen(state, found, stale);
    return "ok";
  });
  unlist(stale);
  return { answers };
}
