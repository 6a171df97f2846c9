/**
 * About how many bytes of this process's memory a Segment takes: what admission asks a store in this process.
 *
 * Counted from samples when asked, so that nothing is booked per Operation: of the index one entry of each page (256
 * neighbours), of the ready lists evenly spread elements. Exact where neighbours are alike, and a fair guess where not.
 * Pure; used by machine-store.ts.
 */
import { type Entry, isFinished, type Lane, type Queue, type SegmentState } from "./state.js";

/** What V8 takes for the objects themselves, with their part of index, list and heap; measured by measuring.test.ts. */
const OPERATION_BYTES = 530;
const FINISHED_BYTES = 100;
const WAITING_BYTES = 200;
/** What ties add: their gates and names, about. */
const TIED_BYTES = 200;
/** Most elements looked at in one list, and most pages in one lane. */
const SAMPLES_MAX = 1024;

/** Bytes of what waits, runs, failed and is kept of what ended; not of what the process holds beside it. */
export function memoryOf(state: SegmentState): number {
  let bytes = 0;
  for (const lane of state.lanes) if (lane !== undefined) bytes += indexBytes(lane);
  for (const queue of state.queues.values()) bytes += waitingBytes(queue);
  return bytes;
}

/** Everything but what waits on the fast path is in the index of its lane. */
function indexBytes({ pages }: Lane): number {
  const step = Math.ceil(pages.size / SAMPLES_MAX);
  let bytes = 0;
  let at = 0;
  for (const { entries, used } of pages.values()) {
    if (at++ % step !== 0) continue;
    const one = entries.find((entry) => entry !== undefined);
    if (one !== undefined) bytes += used * entryBytes(one);
  }
  return bytes * step;
}

function entryBytes(entry: Entry): number {
  if (isFinished(entry)) return FINISHED_BYTES + entry.shelvedBytes;
  return (
    OPERATION_BYTES +
    (entry.tied === null ? 0 : TIED_BYTES) +
    entry.body.length +
    (entry.value?.length ?? 0) +
    (entry.progress?.length ?? 0)
  );
}

/** What waits on the fast path: elements of Runs, of which a list tells no more than all of them together. */
function waitingBytes(queue: Queue): number {
  let bytes = 0;
  for (const { elements } of queue.active) {
    const step = Math.ceil(elements.length / SAMPLES_MAX);
    let sampled = 0;
    for (let i = 0; i < elements.length; i += step) {
      const element = elements.at(i);
      if (element?.isRun !== true) continue;
      const left = element.bodies.length - element.popped;
      const each = WAITING_BYTES + (element.gates === null ? 0 : TIED_BYTES);
      sampled += left * each + (element.bytes * left) / Math.max(1, element.bodies.length);
    }
    bytes += sampled * step;
  }
  return bytes;
}
