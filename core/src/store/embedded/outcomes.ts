/**
 * How Attempts end: complete, fail, release, cancel; and what is told on the way: progress.
 * Pure; one family of the machine's moves (machine.ts).
 */
import type { Held } from "../../engine/lease.js";
import type {
  CancelAnswer,
  CancelParams,
  CancelsAnswer,
  CompleteParams,
  FailElement,
  FailParams,
  OutcomeAnswer,
  OutcomesAnswer,
  ProgressParams,
  ReleaseParams,
} from "../../engine/transitions.js";
import { bury, finish, finishMarked, finishUnread, finishWaiting, free, own, sliceFor } from "./ending.js";
import { makeReady } from "./fair.js";
import { mark } from "./marking.js";
import { locate } from "./reading.js";
import {
  entryOf,
  FIRST_GENERATION,
  idOf,
  isFinished,
  laneNumbered,
  type Operation,
  plan,
  type SegmentState,
  touchNotes,
} from "./state.js";
import { untie } from "./ties.js";

/** complete: running → completed. */
export function complete(state: SegmentState, params: CompleteParams, nowUs: number): OutcomesAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const { held, values } = params;
  const answers = new Array<OutcomeAnswer>(held.length);
  let slice = null;
  let done = 0;
  for (let i = 0; i < held.length; i++) {
    const proof = held[i] as Held; // i < length
    const operation = heldBy(state, params.owner, proof);
    if (typeof operation === "string") {
      answers[i] = operation;
      continue;
    }
    free(state, operation);
    slice ??= sliceFor(state, nowMs, params.retainMs);
    const value = values[i] ?? null;
    finish(state, operation, { state: "completed", token: proof.token, value }, slice, nowMs);
    answers[i] = "ok";
    done++;
  }
  untie(state, nowMs);
  if (done > 0) {
    state.totals.completed += done;
    state.dirty.root = true;
  }
  return { answers };
}

/** fail: running → scheduled, failed or cancelled. */
export function fail(state: SegmentState, params: FailParams, nowUs: number): OutcomesAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const answers = params.elements.map((element): OutcomeAnswer => {
    const operation = heldBy(state, params.owner, element);
    if (typeof operation === "string") return operation;
    failOne(state, operation, element, params.retainMs, nowMs);
    return "ok";
  });
  untie(state, nowMs);
  if (answers.includes("ok")) state.dirty.root = true;
  return { answers };
}

function failOne(
  state: SegmentState,
  operation: Operation,
  element: FailElement,
  retainMs: number,
  nowMs: number,
): void {
  if (operation.cancelReason !== null) {
    finishMarked(state, operation, element.token, retainMs, nowMs);
    return;
  }
  free(state, operation);
  operation.token = element.token;
  if (element.retryInMs === null) {
    bury(state, operation, element.value, retainMs, nowMs);
    return;
  }
  operation.attempt++;
  operation.value = element.value;
  schedule(state, operation, element.retryInMs, nowMs);
  state.totals.retried++;
}

/** release: running → ready at the front, scheduled, or cancelled. */
export function release(state: SegmentState, params: ReleaseParams, nowUs: number): OutcomesAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const toFront: Operation[] = [];
  const answers = params.elements.map((element): OutcomeAnswer => {
    const operation = heldBy(state, params.owner, element);
    if (typeof operation === "string") return operation;
    if (operation.cancelReason !== null) {
      finishMarked(state, operation, element.token, params.retainMs, nowMs);
      return "ok";
    }
    free(state, operation);
    operation.token = element.token;
    state.totals.released++;
    if (element.delayMs === null) {
      operation.returns++;
      toFront.push(operation);
    } else {
      schedule(state, operation, element.delayMs, nowMs);
    }
    return "ok";
  });
  // The last goes to the front first, so that the first of the array ends up foremost.
  for (const operation of toFront.toReversed()) {
    own(state, operation);
    makeReady(state, operation, "front");
  }
  untie(state, nowMs);
  if (answers.includes("ok")) state.dirty.root = true;
  return { answers };
}

/** From running, freed already, back to waiting for a time. */
function schedule(state: SegmentState, operation: Operation, inMs: number, nowMs: number): void {
  own(state, operation);
  operation.returns++;
  plan(state, operation, nowMs + inMs, nowMs);
}

/** The Operation a proof is about if the presenter owns it by this token; else the answer. */
function heldBy(state: SegmentState, owner: string, proof: Held): Operation | "duplicate" | "stale" {
  const lane = laneNumbered(state, proof.lane);
  const entry = lane === undefined ? undefined : entryOf(lane, proof.counter);
  if (entry === undefined) return "stale";
  // Without a taker only what this very call has freed is still running.
  if (entry.state === "running" && entry.taking !== null) {
    return entry.heldToken === proof.token && entry.taking?.owner.name === owner ? entry : "stale";
  }
  return entry.token === proof.token && proof.token > 0 ? "duplicate" : "stale";
}

/** cancel: what waits ends, what runs is marked. */
export function cancel(state: SegmentState, params: CancelParams, nowUs: number): CancelsAnswer {
  const nowMs = Math.floor(nowUs / 1000);
  const answers = params.dots.map(({ laneName, counter }): CancelAnswer => {
    const lane = state.lanesByName.get(laneName);
    if (lane === undefined) return "missing";
    const found = locate(state, lane, counter, nowMs);
    if (found === "missing") return "missing";
    if (found === "pruned") return "terminal";
    if (found === "unread") {
      const slice = sliceFor(state, nowMs, params.retainMs);
      finishUnread(state, lane, counter, FIRST_GENERATION, params.value, slice, nowMs);
      return "cancelled";
    }
    if (isFinished(found) || found.state === "failed") return "terminal";
    if (found.state === "running") {
      mark(state, found, params.value);
      return "requested";
    }
    finishWaiting(state, found, params.value, sliceFor(state, nowMs, params.retainMs), nowMs);
    return "cancelled";
  });
  untie(state, nowMs);
  if (answers.includes("cancelled")) state.dirty.root = true;
  return { answers };
}

/** progress: the latest note of a running Operation. */
export function progress(state: SegmentState, params: ProgressParams): OutcomesAnswer {
  const answers = params.elements.map((element): OutcomeAnswer => {
    const operation = heldBy(state, params.owner, element);
    if (typeof operation === "string") return "stale";
    operation.progress = element.value;
    touchNotes(state, operation);
    const { lane, counter } = operation;
    if (lane.waited.has(counter)) {
      state.events.push({ kind: "progressed", id: idOf(lane, counter), value: element.value });
    }
    return "ok";
  });
  return { answers };
}
