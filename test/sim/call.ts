/**
 * A transition with its parameters and the time it happens at: what a sequence is made of, and what every store under
 * comparison is fed. Also its spelling, for people who read a failure.
 */
import type {
  AnnounceAnswer,
  AnnounceParams,
  CancelParams,
  CancelsAnswer,
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
  SurveyAnswer,
  SurveyParams,
} from "@millrace/core/internal";

/** Parameters and answer of each transition, by its name. */
export interface Signatures {
  lane_open: [LaneOpenParams, LaneOpenAnswer];
  enqueue: [EnqueueParams, EnqueueAnswer];
  enqueue_full: [EnqueueFullParams, EnqueueFullAnswer];
  claim: [ClaimParams, ClaimAnswer];
  extend: [ExtendParams, ExtendAnswer];
  complete: [CompleteParams, OutcomesAnswer];
  fail: [FailParams, OutcomesAnswer];
  release: [ReleaseParams, OutcomesAnswer];
  cancel: [CancelParams, CancelsAnswer];
  promote: [PromoteParams, PromoteAnswer];
  rescue: [RescueParams, RescueAnswer];
  requeue: [RequeueParams, RequeueAnswer];
  redrive: [RedriveParams, RequeueAnswer];
  prune: [PruneParams, PruneAnswer];
  progress: [ProgressParams, OutcomesAnswer];
  find: [FindParams, FindAnswer];
  holders: [HoldersParams, HoldersAnswer];
  peek: [PeekParams, PeekAnswer];
  list: [ListParams, ListAnswer];
  survey: [SurveyParams, SurveyAnswer];
  announce: [AnnounceParams, AnnounceAnswer];
  erase: [EraseParams, EraseAnswer];
  explain: [ExplainParams, ExplainAnswer];
  counts: [Record<string, never>, CountsAnswer];
  queue_pause: [QueuePauseParams, QueuePauseAnswer];
  queue_resume: [QueuePauseParams, QueuePauseAnswer];
  limit_set: [LimitSetParams, LimitSetAnswer];
  limits: [LimitsParams, LimitsAnswer];
}

/** The name of a transition that a sequence may contain. */
export type CallName = keyof Signatures;

/** The answer to a call of any name. */
export type Answer = Signatures[CallName][1];

/** One call; `atUs` is the store's clock in microseconds since 1970. */
export type Call = {
  [Name in CallName]: { readonly name: Name; readonly params: Signatures[Name][0]; readonly atUs: number };
}[CallName];

/** A call without its time. */
export type Request = { [Name in CallName]: { readonly name: Name; readonly params: Signatures[Name][0] } }[CallName];

/** A call as one line; times count from `sinceUs`. */
export function spell(call: Call, sinceUs: number): string {
  const seconds = ((call.atUs - sinceUs) / 1e6).toFixed(6);
  return `${`+${seconds}s`.padStart(16)}  ${call.name} ${show(call.params)}`;
}

/** Any value as short text: no quotes around keys, bytes as text. */
export function show(value: unknown): string {
  if (value instanceof Uint8Array) return `b${JSON.stringify(Buffer.from(value).toString("latin1"))}`;
  if (Array.isArray(value)) return `[${value.map(show).join(", ")}]`;
  if (typeof value === "object" && value !== null) {
    const fields = Object.entries(value).map(([key, inner]) => `${key}: ${show(inner)}`);
    return fields.length === 0 ? "{}" : `{ ${fields.join(", ")} }`;
  }
  return JSON.stringify(value) ?? String(value);
}
