/**
 * The moves of Queues as a whole: pause and resume.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { QueuePauseAnswer, QueuePauseParams } from "../../engine/transitions.js";
import { highestOf, queueOf, ring, type SegmentState, touchQueue } from "./state.js";

/** queue_pause: claims pass the Queue over. */
export function queuePause(state: SegmentState, params: QueuePauseParams): QueuePauseAnswer {
  const queue = queueOf(state, params.queue);
  if (queue.isPaused) return { answer: "unchanged" };
  queue.isPaused = true;
  touchQueue(state, queue);
  return { answer: "ok" };
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
