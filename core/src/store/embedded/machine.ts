/**
 * The machine: what every transition does to one Segment, as a pure function of state, parameters and time.
 *
 * It is the embedded store's hot path and the reference the Lua is compared with. No I/O, no clock, no chance: the
 * same calls give the same state, answers and events. What a transition announces waits in `state.events`, what a
 * durable store must write in `state.dirty`. One file per family of moves; this is their table.
 */
import type {
  AnnounceAnswer,
  AnnounceParams,
  CancelParams,
  CancelsAnswer,
  CheckAnswer,
  CheckParams,
  ClaimAnswer,
  ClaimParams,
  CompleteParams,
  CountsAnswer,
  EnqueueAnswer,
  EnqueueFullAnswer,
  EnqueueFullParams,
  EnqueueParams,
  EraseAnswer,
  EraseParams,
  ExplainAnswer,
  ExplainParams,
  ExtendAnswer,
  ExtendParams,
  FailParams,
  FindAnswer,
  FindParams,
  HoldersAnswer,
  HoldersParams,
  LaneOpenAnswer,
  LaneOpenParams,
  LimitSetAnswer,
  LimitSetParams,
  LimitsAnswer,
  LimitsParams,
  ListAnswer,
  ListParams,
  OutcomesAnswer,
  PeekAnswer,
  PeekParams,
  ProgressParams,
  PromoteAnswer,
  PromoteParams,
  PruneAnswer,
  PruneParams,
  QueuePauseAnswer,
  QueuePauseParams,
  RedriveParams,
  ReleaseParams,
  RequeueAnswer,
  RequeueParams,
  RescueAnswer,
  RescueParams,
  SegmentOpenAnswer,
  SegmentOpenParams,
  SegmentTransitionName,
  SurveyAnswer,
  SurveyParams,
} from "../../engine/transitions.js";
import { announce } from "./announcing.js";
import { check } from "./checking.js";
import { enqueue, enqueueFull } from "./enqueue.js";
import { erase } from "./erasing.js";
import { explain } from "./explaining.js";
import { promote, prune, requeue } from "./housekeeping.js";
import { laneOpen, segmentOpen } from "./lanes.js";
import { limitSet, limits } from "./limiting.js";
import { list } from "./listing.js";
import { cancel, complete, fail, progress, release } from "./outcomes.js";
import { claim, extend, rescue } from "./owners.js";
import { queuePause, queueResume } from "./queues.js";
import { counts, find, holders, peek } from "./reading.js";
import { redrive } from "./redriving.js";
import type { MachineEvent, SegmentState } from "./state.js";
import { survey } from "./surveying.js";

export { newSegment, type SegmentState } from "./state.js";

/** Parameters and answer of each transition, by its name. */
export interface TransitionTypes {
  segment_open: { params: SegmentOpenParams; answer: SegmentOpenAnswer };
  lane_open: { params: LaneOpenParams; answer: LaneOpenAnswer };
  enqueue: { params: EnqueueParams; answer: EnqueueAnswer };
  enqueue_full: { params: EnqueueFullParams; answer: EnqueueFullAnswer };
  claim: { params: ClaimParams; answer: ClaimAnswer };
  extend: { params: ExtendParams; answer: ExtendAnswer };
  complete: { params: CompleteParams; answer: OutcomesAnswer };
  fail: { params: FailParams; answer: OutcomesAnswer };
  release: { params: ReleaseParams; answer: OutcomesAnswer };
  cancel: { params: CancelParams; answer: CancelsAnswer };
  promote: { params: PromoteParams; answer: PromoteAnswer };
  rescue: { params: RescueParams; answer: RescueAnswer };
  requeue: { params: RequeueParams; answer: RequeueAnswer };
  redrive: { params: RedriveParams; answer: RequeueAnswer };
  prune: { params: PruneParams; answer: PruneAnswer };
  progress: { params: ProgressParams; answer: OutcomesAnswer };
  find: { params: FindParams; answer: FindAnswer };
  holders: { params: HoldersParams; answer: HoldersAnswer };
  peek: { params: PeekParams; answer: PeekAnswer };
  list: { params: ListParams; answer: ListAnswer };
  announce: { params: AnnounceParams; answer: AnnounceAnswer };
  erase: { params: EraseParams; answer: EraseAnswer };
  check: { params: CheckParams; answer: CheckAnswer };
  explain: { params: ExplainParams; answer: ExplainAnswer };
  counts: { params: object; answer: CountsAnswer };
  queue_pause: { params: QueuePauseParams; answer: QueuePauseAnswer };
  queue_resume: { params: QueuePauseParams; answer: QueuePauseAnswer };
  limit_set: { params: LimitSetParams; answer: LimitSetAnswer };
  limits: { params: LimitsParams; answer: LimitsAnswer };
  survey: { params: SurveyParams; answer: SurveyAnswer };
}

/** Parameters of a transition. */
export type ParamsOf<Name extends SegmentTransitionName> = TransitionTypes[Name]["params"];

/** Answer of a transition. */
export type AnswerOf<Name extends SegmentTransitionName> = TransitionTypes[Name]["answer"];

/** One move of the machine. */
export type MachineMove<Name extends SegmentTransitionName> = (
  state: SegmentState,
  params: ParamsOf<Name>,
  nowUs: number,
) => AnswerOf<Name>;

/** Every move by its transition's name; those of the index of Nodes are in nodes.ts. */
export const machine: { readonly [Name in SegmentTransitionName]: MachineMove<Name> } = {
  segment_open: segmentOpen,
  lane_open: laneOpen,
  enqueue,
  enqueue_full: enqueueFull,
  claim,
  extend,
  complete,
  fail,
  release,
  cancel,
  promote,
  rescue,
  requeue,
  redrive,
  prune,
  progress,
  find,
  holders,
  peek,
  list,
  survey,
  announce,
  erase,
  check,
  explain,
  counts,
  queue_pause: queuePause,
  queue_resume: queueResume,
  limit_set: limitSet,
  limits,
};

/** Applies one transition. `nowUs` is the store's clock in whole microseconds since 1970. */
export function apply<Name extends SegmentTransitionName>(
  state: SegmentState,
  transition: Name,
  params: ParamsOf<Name>,
  nowUs: number,
): AnswerOf<Name> {
  const move: MachineMove<Name> = machine[transition];
  state.ticketBefore = state.lastTicket;
  return move(state, params, nowUs);
}

/** Takes what the transitions since the last call announced, in order. */
export function takeEvents(state: SegmentState): readonly MachineEvent[] {
  if (state.events.length === 0) return NO_EVENTS;
  const { events } = state;
  state.events = [];
  return events;
}

const NO_EVENTS: readonly MachineEvent[] = [];
