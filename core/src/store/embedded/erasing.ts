/**
 * erase: deletes the records of what is over, before their time. A finished record stays in its slice, out of the
 * index, until the slice goes; a durable store notes that it is not to come back.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { EraseAnswer, EraseParams } from "../../engine/transitions.js";
import { forget } from "./ending.js";
import { locate } from "./reading.js";
import { dropEntry, type Finished, isFinished, type SegmentState } from "./state.js";

/** erase: failed, completed, cancelled, skipped → gone. */
export function erase(state: SegmentState, params: EraseParams, nowUs: number): EraseAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const answers = params.dots.map(({ laneName, counter }): EraseAnswer["answers"][number] => {
    const lane = state.lanesByName.get(laneName);
    const found = lane === undefined ? "missing" : locate(state, lane, counter, nowMs);
    if (found === "missing" || found === "pruned") return "missing";
    if (found === "unread") return "illegal";
    if (isFinished(found)) {
      eraseFinished(state, found);
      return "ok";
    }
    if (found.state !== "failed") return "illegal";
    forget(state, found);
    return "ok";
  });
  return { answers };
}

function eraseFinished(state: SegmentState, finished: Finished): void {
  dropEntry(finished);
  // The index forgets when it ended: who ends after it in the same millisecond must be told apart from it.
  finished.lane.relived.set(finished.counter, finished.finishedAtMs);
  finished.eraseValue();
  state.erased.add(finished);
  if (state.tracks) state.dirty.erased.push({ finished, isThere: true });
}
