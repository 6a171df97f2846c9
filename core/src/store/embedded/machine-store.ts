/**
 * What `memory:` and `embedded:` have in common: a machine per Segment behind the Store contract.
 *
 * A call applies its transition at once, on the caller's turn, so that calls take effect in the order they were made;
 * when its answer is released, and what refuses it, is the subclass's business. Events never reach a listener inside
 * the caller's stack. Bytes handed in are kept, not copied: they must not change afterwards.
 */
import { unreachable } from "../../base/assert.js";
import type { Clock } from "../../base/clock.js";
import { createError, type MillraceError } from "../../base/errors.js";
import {
  isOffered,
  levelIn,
  replicasIn,
  type Secured,
  type StoreDurability,
  showDurability,
} from "../../engine/durability.js";
import type { MemoryUse } from "../../engine/memory-gauge.js";
import type { SecureParams, Store, StoreListener } from "../../engine/store.js";
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
  NodeBeatAnswer,
  NodeBeatParams,
  NodeEntry,
  NodeLeaveAnswer,
  NodeLeaveParams,
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
  SegmentTransitionName,
  SurveyAnswer,
  SurveyParams,
  TransitionName,
} from "../../engine/transitions.js";
import { type AnswerOf, apply, newSegment, type ParamsOf, type SegmentState, takeEvents } from "./machine.js";
import { memoryOf } from "./measuring.js";
import { type NodesState, nodeBeat, nodeLeave } from "./nodes.js";
import { type SegmentSnapshot, snapshot } from "./snapshot.js";
import type { MachineEvent } from "./state.js";

/** What is being asked: a transition, or one of the store's own calls. */
export type StoreCall = TransitionName | "segments" | "nodes" | "openSegment" | "recordPause";

/** What changed in the App's list of Segments and pauses. */
export type DirectoryChange = { readonly segment: string } | { readonly queue: string; readonly isPaused: boolean };

/** An event and where it happened. */
export interface StoreEvent {
  readonly segment: string;
  readonly event: MachineEvent;
}

/** A Store over machines; the subclass decides when answers and events go out. */
export abstract class MachineStore implements Store {
  abstract readonly url: string;
  abstract readonly durability: StoreDurability;

  protected readonly app: string;
  protected readonly clock: Clock;
  protected readonly states = new Map<string, SegmentState>();
  protected readonly paused = new Set<string>();
  readonly #nodes: NodesState = new Map();
  readonly #tracks: boolean;
  readonly #listeners = new Set<StoreListener>();
  /** Events on their way to the listeners, delivered together a turn of the event loop later. */
  #outgoing: StoreEvent[] = [];

  protected constructor(app: string, clock: Clock, tracks: boolean) {
    this.app = app;
    this.clock = clock;
    this.#tracks = tracks;
  }

  abstract open(): Promise<void>;
  abstract close(): Promise<void>;
  abstract ready(): Promise<void>;

  /** The error that refuses a call with these parameters now, or null. */
  protected abstract refusal(call: StoreCall, params: object): MillraceError | null;
  /** Answers a call when all it tells is as safe as this store promises. */
  protected abstract answer<T>(call: StoreCall, answer: T): Promise<T>;
  /** Passes events on, by `deliver`, not before what they tell is safe. */
  protected abstract publish(events: readonly StoreEvent[]): void;
  /** A transition threw: a bug in Millrace. What it left behind must not be used any more. */
  protected abstract broke(error: unknown): void;
  /** A Segment came, or the recorded pause of a Queue changed. */
  protected abstract directoryChanged(change: DirectoryChange): void;

  /** Makes all that was applied so far as safe as asked, and tells what that is. Errors: the common ones. */
  protected abstract reach(params: SecureParams): Promise<Omit<Secured, "missing">>;

  async secure(segment: string, params: SecureParams): Promise<Secured> {
    const { asked, dots } = params;
    if (!isOffered(this.durability, asked)) {
      const shown = showDurability(levelIn(asked), replicasIn(asked));
      throw createError("MR_DURABILITY_UNAVAILABLE", { asked: shown, available: this.durability.best });
    }
    const { records } = dots.length === 0 ? { records: [] } : await this.find(segment, { dots, wait: false });
    const missing = records.flatMap((record, i) => (record === "missing" ? [i] : []));
    return { ...(await this.reach(params)), missing };
  }

  listen(listener: StoreListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** About what the Operations in it take of this process. Errors: the common ones of a store. */
  memory(): Promise<readonly MemoryUse[]> {
    const refusal = this.refusal("segments", {});
    if (refusal !== null) return Promise.reject(refusal);
    let usedBytes = 0;
    for (const state of this.states.values()) usedBytes += memoryOf(state);
    return Promise.resolve([{ usedBytes, maxBytes: null }]);
  }

  segments(): Promise<readonly string[]> {
    const refusal = this.refusal("segments", {});
    return refusal === null ? this.answer("segments", [...this.states.keys()]) : Promise.reject(refusal);
  }

  openSegment(segment: string): Promise<void> {
    const refusal = this.refusal("openSegment", {});
    if (refusal !== null) return Promise.reject(refusal);
    if (!this.states.has(segment)) {
      this.states.set(segment, newSegment(segment, this.#tracks));
      this.directoryChanged({ segment });
    }
    const opened = this.#call("segment_open", segment, { pausedQueues: [...this.paused] });
    return opened.then(() => undefined);
  }

  recordPause(queue: string, isPaused: boolean): Promise<void> {
    const refusal = this.refusal("recordPause", {});
    if (refusal !== null) return Promise.reject(refusal);
    if (this.paused.has(queue) !== isPaused) {
      if (isPaused) this.paused.add(queue);
      else this.paused.delete(queue);
      this.directoryChanged({ queue, isPaused });
    }
    return this.answer("recordPause", undefined);
  }

  /** One process has it all: every bell comes here. */
  attend(): Promise<boolean> {
    return Promise.resolve(false);
  }

  callForHelp(): Promise<void> {
    return Promise.resolve();
  }

  nodes(): Promise<readonly NodeEntry[]> {
    return this.#askNodes("nodes", {}, () => [...this.#nodes.values()]);
  }

  nodeBeat(params: NodeBeatParams): Promise<NodeBeatAnswer> {
    return this.#askNodes("node_beat", params, () => nodeBeat(this.#nodes, params));
  }

  nodeLeave(params: NodeLeaveParams): Promise<NodeLeaveAnswer> {
    return this.#askNodes("node_leave", params, () => nodeLeave(this.#nodes, params));
  }

  laneOpen(segment: string, params: LaneOpenParams): Promise<LaneOpenAnswer> {
    return this.#call("lane_open", segment, params);
  }

  enqueue(segment: string, params: EnqueueParams): Promise<EnqueueAnswer> {
    return this.#call("enqueue", segment, params);
  }

  enqueueFull(segment: string, params: EnqueueFullParams): Promise<EnqueueFullAnswer> {
    return this.#call("enqueue_full", segment, params);
  }

  claim(segment: string, params: ClaimParams): Promise<ClaimAnswer> {
    return this.#call("claim", segment, params);
  }

  extend(segment: string, params: ExtendParams): Promise<ExtendAnswer> {
    return this.#call("extend", segment, params);
  }

  complete(segment: string, params: CompleteParams): Promise<OutcomesAnswer> {
    return this.#call("complete", segment, params);
  }

  fail(segment: string, params: FailParams): Promise<OutcomesAnswer> {
    return this.#call("fail", segment, params);
  }

  release(segment: string, params: ReleaseParams): Promise<OutcomesAnswer> {
    return this.#call("release", segment, params);
  }

  cancel(segment: string, params: CancelParams): Promise<CancelsAnswer> {
    return this.#call("cancel", segment, params);
  }

  promote(segment: string, params: PromoteParams): Promise<PromoteAnswer> {
    return this.#call("promote", segment, params);
  }

  rescue(segment: string, params: RescueParams): Promise<RescueAnswer> {
    return this.#call("rescue", segment, params);
  }

  requeue(segment: string, params: RequeueParams): Promise<RequeueAnswer> {
    return this.#call("requeue", segment, params);
  }

  redrive(segment: string, params: RedriveParams): Promise<RequeueAnswer> {
    return this.#call("redrive", segment, params);
  }

  prune(segment: string, params: PruneParams): Promise<PruneAnswer> {
    return this.#call("prune", segment, params);
  }

  progress(segment: string, params: ProgressParams): Promise<OutcomesAnswer> {
    return this.#call("progress", segment, params);
  }

  find(segment: string, params: FindParams): Promise<FindAnswer> {
    return this.#call("find", segment, params);
  }

  peek(segment: string, params: PeekParams): Promise<PeekAnswer> {
    return this.#call("peek", segment, params);
  }

  list(segment: string, params: ListParams): Promise<ListAnswer> {
    return this.#call("list", segment, params);
  }

  survey(segment: string, params: SurveyParams): Promise<SurveyAnswer> {
    return this.#call("survey", segment, params);
  }

  holders(segment: string, params: HoldersParams): Promise<HoldersAnswer> {
    return this.#call("holders", segment, params);
  }

  announce(segment: string, params: AnnounceParams): Promise<AnnounceAnswer> {
    return this.#call("announce", segment, params);
  }

  erase(segment: string, params: EraseParams): Promise<EraseAnswer> {
    return this.#call("erase", segment, params);
  }

  check(segment: string, params: CheckParams): Promise<CheckAnswer> {
    return this.#call("check", segment, params);
  }

  explain(segment: string, params: ExplainParams): Promise<ExplainAnswer> {
    return this.#call("explain", segment, params);
  }

  counts(segment: string): Promise<CountsAnswer> {
    return this.#call("counts", segment, {});
  }

  queuePause(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return this.#call("queue_pause", segment, params);
  }

  queueResume(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer> {
    return this.#call("queue_resume", segment, params);
  }

  limitSet(segment: string, params: LimitSetParams): Promise<LimitSetAnswer> {
    return this.#call("limit_set", segment, params);
  }

  limits(segment: string, params: LimitsParams): Promise<LimitsAnswer> {
    return this.#call("limits", segment, params);
  }

  /** A Segment's whole state as plain data, for tests and for comparing stores. Errors: MR_NOT_FOUND. */
  snapshot(segment: string): SegmentSnapshot {
    const state = this.states.get(segment);
    if (state === undefined) throw createError("MR_NOT_FOUND", { kind: "Segment", id: segment });
    return snapshot(state);
  }

  /** Hands events to the listeners, later and in order. */
  protected deliver(events: readonly StoreEvent[]): void {
    const isUnderWay = this.#outgoing.length > 0;
    for (const event of events) this.#outgoing.push(event);
    if (!isUnderWay && events.length > 0) this.clock.immediate(() => this.#deliverNow());
  }

  #deliverNow(): void {
    const events = this.#outgoing;
    this.#outgoing = [];
    for (const { segment, event } of events) {
      for (const listener of [...this.#listeners]) tell(listener, segment, event);
    }
  }

  /** Tells the listeners that hints may have been missed. */
  protected restored(): void {
    this.clock.immediate(() => {
      for (const listener of [...this.#listeners]) listener.restored(null, "reconnected");
    });
  }

  /** Applies one transition now. */
  protected run<Name extends SegmentTransitionName>(
    name: Name,
    state: SegmentState,
    params: ParamsOf<Name>,
  ): AnswerOf<Name> {
    const answer = apply(state, name, params, Math.round(this.clock.nowMs() * 1000));
    if (state.events.length > 0) {
      this.publish(takeEvents(state).map((event) => ({ segment: state.segment, event })));
    }
    return answer;
  }

  #askNodes<Answer>(call: StoreCall, params: object, move: () => Answer): Promise<Answer> {
    const refusal = this.refusal(call, params);
    return refusal === null ? this.answer(call, move()) : Promise.reject(refusal);
  }

  #call<Name extends SegmentTransitionName>(
    name: Name,
    segment: string,
    params: ParamsOf<Name>,
  ): Promise<AnswerOf<Name>> {
    const refusal = this.refusal(name, params);
    if (refusal !== null) return Promise.reject(refusal);
    const state = this.states.get(segment);
    if (state === undefined) return Promise.reject(createError("MR_NOT_FOUND", { kind: "Segment", id: segment }));
    try {
      return this.answer(name, this.run(name, state, params));
    } catch (error) {
      this.broke(error);
      return Promise.reject(error);
    }
  }
}

function tell(listener: StoreListener, segment: string, event: MachineEvent): void {
  switch (event.kind) {
    case "bell":
      return listener.bell(segment, event.queue, "attended", event.priority);
    case "due":
      return listener.due(segment, event.inMs);
    case "settled":
      return listener.settled(event.outcome);
    case "progressed":
      return listener.progressed(event.id, event.value);
    case "marked":
      return listener.marked(segment, event.owner);
    default:
      return unreachable(event);
  }
}
