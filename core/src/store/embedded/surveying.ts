/**
 * survey: the marks of lanes, and what has an object in their indexes and is not finished: both in the order of
 * addresses, which nothing changes. Pure; one family of the machine's moves (machine.ts).
 */
import type { LocalDot } from "../../engine/lease.js";
import type { SurveyAnswer, SurveyedLane, SurveyParams } from "../../engine/transitions.js";
import { entriesFrom, isFinished, type Lane, type SegmentState } from "./state.js";

/** Looking at an entry is so much cheaper than answering one. */
const LOOKS_PER_DOT = 16;

/** survey: marks of lanes, or what runs or has a record. */
export function survey(state: SegmentState, { of, cursor, max }: SurveyParams): SurveyAnswer {
  return of === "lanes" ? surveyLanes(state, cursor ?? "", max) : surveyRecords(state, cursor ?? "", max);
}

/** Cursor: number of the next lane. */
function surveyLanes(state: SegmentState, cursor: string, max: number): SurveyAnswer {
  const lanes: SurveyedLane[] = [];
  const from = /^\d+$/.test(cursor) ? Number(cursor) : 1;
  for (let number = Math.max(1, from); number < state.lanes.length; number++) {
    const lane = state.lanes[number];
    if (lane === undefined) continue;
    if (lanes.length === max) return { lanes, dots: [], cursor: String(number) };
    const { name, queue, accepted, claimed } = lane;
    lanes.push({ laneName: name, queue: queue?.name ?? null, accepted, claimed: queue === null ? 0 : claimed });
  }
  return { lanes, dots: [], cursor: null };
}

/** Cursor: lane number and counter of the next one. */
function surveyRecords(state: SegmentState, cursor: string, max: number): SurveyAnswer {
  const [, first = "1", counter = "0"] = /^(\d+):(\d+)$/.exec(cursor) ?? [];
  const dots: LocalDot[] = [];
  let looks = LOOKS_PER_DOT * max;
  let from = Number(counter);
  for (let number = Math.max(1, Number(first)); number < state.lanes.length; number++) {
    const lane: Lane | undefined = state.lanes[number];
    if (lane === undefined) continue;
    for (const step of entriesFrom(lane, from)) {
      if (dots.length === max || looks-- <= 0) return { lanes: [], dots, cursor: `${number}:${step.counter}` };
      if (step.entry === undefined || isFinished(step.entry)) continue;
      dots.push({ laneName: lane.name, counter: step.entry.counter });
    }
    from = 0;
  }
  return { lanes: [], dots, cursor: null };
}
