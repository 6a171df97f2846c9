/**
 * announce: what an owner runs, beside what the Segment knows. This store forgets nothing while its owners live; the
 * move is here because it means the same on every store.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { AnnounceAnswer, AnnounceElement, AnnounceParams, AnnounceWord } from "../../engine/transitions.js";
import { own } from "./ending.js";
import { newOperation, rememberDot } from "./enqueue.js";
import { laneOpen } from "./lanes.js";
import { locate } from "./reading.js";
import {
  isFinished,
  type Lane,
  noteRelived,
  pushFront,
  putEntry,
  queueOf,
  type SegmentState,
  touchLane,
} from "./state.js";

/** announce: held by this token, or void; what is unknown is put back at the front. */
export function announce(state: SegmentState, params: AnnounceParams, nowUs: number): AnnounceAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const known = params.elements.map((element) => judge(state, params.owner, element, nowMs));
  const seen = new Set<string>();
  const answers: AnnounceWord[] = [];
  // Backwards: each is put in front of the one that came after it.
  for (let i = params.elements.length - 1; i >= 0; i--) {
    const element = params.elements[i] as AnnounceElement; // i < length
    const { laneName, counter } = element;
    let word = known[i] as AnnounceWord; // one for each
    if (word === "missing" && seen.has(`${laneName} ${counter}`)) word = "stale";
    if (word === "missing" && element.again !== null) {
      seen.add(`${laneName} ${counter}`);
      putBack(state, element, element.again, nowMs);
      word = "recovered";
    }
    answers[i] = word;
  }
  const highest = Math.max(...params.elements.map(({ token }) => token));
  if (highest > state.lastToken) {
    state.lastToken = highest;
    state.dirty.root = true;
  }
  return { answers };
}

function judge(state: SegmentState, owner: string, element: AnnounceElement, nowMs: number): AnnounceWord {
  const lane = state.lanesByName.get(element.laneName);
  const found = lane === undefined ? "missing" : locate(state, lane, element.counter, nowMs);
  if (found === "missing") return "missing";
  if (typeof found === "string" || isFinished(found) || found.state !== "running") return "stale";
  return found.taking?.owner.name === owner && found.heldToken === element.token ? "keep" : "stale";
}

function putBack(
  state: SegmentState,
  { laneName, counter }: AnnounceElement,
  again: NonNullable<AnnounceElement["again"]>,
  nowMs: number,
): void {
  const isFull = laneName.endsWith(".00");
  laneOpen(state, { laneName, queue: isFull ? null : again.queue });
  const lane = state.lanesByName.get(laneName) as Lane; // opened just now, or before
  if (counter > lane.accepted) {
    // What its writer had acknowledged below that is gone, what it had not it sends again: to another lane.
    if (!isFull) lane.gaps.push([lane.accepted + 1, counter]);
    lane.accepted = counter;
    touchLane(state, lane);
  }
  if (isFull) rememberDot(state, lane, counter, again.body, nowMs);
  const operation = newOperation(lane, counter, queueOf(state, again.queue), again.priority, again.body);
  operation.generation = again.generation;
  operation.attempt = again.attempt - 1;
  operation.recoveries = again.recoveries + 1;
  operation.returns = 1;
  noteRelived(operation);
  putEntry(operation);
  own(state, operation);
  pushFront(state, operation);
  state.totals.enqueued++;
  state.dirty.root = true;
}
