/**
 * The moves of Queues as a whole: pause and resume.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { QueuePauseAnswer, QueuePauseParams } from "../../engine/transitions.js";
import { isFair } from "./fair.js";
import { candidatesByGate } from "./limiting.js";
import { compareNames } from "./reading.js";
import { highestOf, type Queue, queueOf, ring, type SegmentState, touchQueue } from "./state.js";
import { gateOf, moveOn, PASSED_OVER_MAX } from "./ties.js";

/** queue_pause: claims pass the Queue over, and so does what goes on at gates. */
export function queuePause(state: SegmentState, params: QueuePauseParams): QueuePauseAnswer {
  const queue = queueOf(state, params.queue);
  if (queue.isPaused) return { answer: "unchanged" };
  queue.isPaused = true;
  touchQueue(state, queue);
  letOthersOn(state, queue);
  return { answer: "ok" };
}

/** For what was to go on at gates in a Queue that is paused now, others go on; the gates by name. */
function letOthersOn(state: SegmentState, queue: Queue): void {
  if (![...state.gates.values()].some((gate) => !isFair(gate) && gate.parked.size > 0)) return;
  const turns = [...candidatesByGate(state, (one) => one === queue)].sort(([a], [b]) => compareNames(a, b));
  const wakes = turns.map(([name, count]) => [gateOf(state, name), Math.min(count, PASSED_OVER_MAX)] as const);
  moveOn(state, new Map(wakes));
}

/** queue_resume: claims may take from the Queue again; its bell rings. */
export function queueResume(state: SegmentState, params: QueuePauseParams): QueuePauseAnswer {
  const queue = state.queues.get(params.queue);
  if (queue === undefined || !queue.isPaused) return { answer: "unchanged" };
  queue.isPaused = false;
  touchQueue(state, queue);
  ring(state, queue.name, highestOf(queue) ?? 0);
  return { answer: "ok" };
}
