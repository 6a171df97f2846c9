/**
 * The Store contract (elsewhere: backend, broker, engine): one method per transition, two implementations, one meaning.
 *
 * Implemented by store/redis (Lua) and store/embedded (a pure state machine, durable on LMDB), proved equal by the
 * conformance suite and by differential runs. Called by queue/ and foreman/; chosen by app.ts alone.
 * Every method may be repeated with the same arguments after an unknown outcome.
 * Errors common to all: MR_STORE_UNAVAILABLE (refused: nothing changed) · MR_INDETERMINATE (unknown: repeat the same
 * call once `ready()` resolves) · MR_STORE_VERSION · MR_STORE_CORRUPT · MR_STORE_FULL (only what adds work).
 */
import type { Durability, Secured, StoreDurability } from "./durability.js";
import type { LocalDot } from "./lease.js";
import type { MemoryGauge } from "./memory-gauge.js";
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
  Settled,
  SurveyAnswer,
  SurveyParams,
} from "./transitions.js";

/** Why a bell is heard: this process attends the Queue there · nobody does · who attends it calls for help. */
export type BellCause = "attended" | "unattended" | "help";

/**
 * What had happened when a connection came back: nothing to the server, as far as it says · it was restarted, from what
 * it had kept · another server took its place, which may lack the latest calls · it lost all it had.
 */
export type RestoredCause = "reconnected" | "restarted" | "failover" | "emptied";

/** What is to be made safe, and how safe. */
export interface SecureParams {
  readonly dots: readonly LocalDot[];
  readonly asked: Durability;
}

/** What a Store tells on its own account. Handlers must return at once and never throw. */
export interface StoreListener {
  /**
   * One list of a Queue of a Segment, of this priority, went from empty to non-empty; or the Queue was resumed, or help is
   * called for, and this is the highest that waits there. A hint: missing one costs a safety poll.
   */
  bell(segment: string, queue: string, cause: BellCause, priority: number): void;
  /** The earliest due time of a Segment moved nearer: something there is due in `inMs`. A hint, like the bell. */
  due(segment: string, inMs: number): void;
  /** An Operation this instance waits for (`find` with `wait`) is terminal. At most once; may be lost: read again. */
  settled(outcome: Settled): void;
  /** An Operation this instance waits for made progress. */
  progressed(id: string, value: Uint8Array): void;
  /** Something `owner` holds in `segment` was marked for cancelling: its next `extend` says what. */
  marked(segment: string, owner: string): void;
  /**
   * A connection came back: hints and events of these Segments may have been missed meanwhile. `null`: of all. The cause
   * says what may be missing beside them; a store that emptied under an open connection tells it so, too.
   */
  restored(segments: readonly string[] | null, cause: RestoredCause): void;
}

/** One App's durable state: its Segments, their Queues, everything in them. */
export interface Store extends MemoryGauge {
  /** URL without secrets, for messages. */
  readonly url: string;
  /** The level an acknowledgement of this store carries, whether it was checked or only declared, and what `secure` adds. */
  readonly durability: StoreDurability;

  /** Connects, checks versions and settings, loads what is there. Errors: MR_STORE_UNSAFE, MR_STORE_LOCKED, MR_STORE_URL. */
  open(): Promise<void>;
  /** Ends all connections; calls still unanswered reject with MR_INDETERMINATE. Errors: none. */
  close(): Promise<void>;
  /**
   * Resolves when calls can be sent again; at once if they can now. With several servers: calls for this Segment, or
   * without one any call. Errors: MR_APP_CLOSED after `close`.
   */
  ready(segment?: string): Promise<void>;
  /** Adds a listener; the returned function removes it. Errors: none. */
  listen(listener: StoreListener): () => void;

  /**
   * From now on this process attends these Queues of the Segments it opened or opens (none: no more): their bells come
   * here, and to the others only while nobody attends them. Answers whether there can be others. Errors: none; it holds
   * as soon as it can.
   */
  attend(queues: readonly string[]): Promise<boolean>;
  /**
   * Rings in every process: more is ready in a Queue than those who attend it get done, of at most this priority. Errors:
   * the common ones.
   */
  callForHelp(segment: string, queue: string, priority: number): Promise<void>;

  /** Lists the App's Segments, never by scanning keys. Errors: the common ones. */
  segments(): Promise<readonly string[]>;
  /** Puts a Segment into the App's list, makes its root record, applies the App's paused Queues. Errors: the common ones. */
  openSegment(segment: string): Promise<void>;
  /** Records that a Queue is paused (or not) for Segments opened later. Errors: the common ones. */
  recordPause(queue: string, isPaused: boolean): Promise<void>;

  /** Lists the incarnations in the App's index of Nodes, in no order; dead ones too, until somebody forgets them. Errors: the common ones. */
  nodes(): Promise<readonly NodeEntry[]>;
  /** Puts an incarnation into the App's index of Nodes, or raises its beat counter. Errors: the common ones. */
  nodeBeat(params: NodeBeatParams): Promise<NodeBeatAnswer>;
  /** Takes an incarnation out of the App's index of Nodes. Errors: the common ones. */
  nodeLeave(params: NodeLeaveParams): Promise<NodeLeaveAnswer>;

  /** Interns a lane of one incarnation and answers its marks. Errors: the common ones. */
  laneOpen(segment: string, params: LaneOpenParams): Promise<LaneOpenAnswer>;
  /** Appends a lane's next Operations to its Queue; refused whole on a gap. Errors: the common ones. */
  enqueue(segment: string, params: EnqueueParams): Promise<EnqueueAnswer>;
  /** Adds Operations that need a record of their own: due times, priorities, foreign dots. Errors: the common ones. */
  enqueueFull(segment: string, params: EnqueueFullParams): Promise<EnqueueFullAnswer>;
  /**
   * Makes Operations the store has acknowledged as safe as asked, and tells what was reached: it may be less. Calls of
   * one tick share the waiting. Without dots: what can be reached now. Errors: the common ones ·
   * MR_DURABILITY_UNAVAILABLE if the store never reaches it.
   */
  secure(segment: string, params: SecureParams): Promise<Secured>;
  /** Takes up to `max` ready Operations for one incarnation; the same request number gives the same claims. Errors: the common ones. */
  claim(segment: string, params: ClaimParams): Promise<ClaimAnswer>;
  /** Renews all that an incarnation holds here and reports cancel marks. Errors: the common ones. */
  extend(segment: string, params: ExtendParams): Promise<ExtendAnswer>;
  /** Ends running Operations with their results. Errors: the common ones. */
  complete(segment: string, params: CompleteParams): Promise<OutcomesAnswer>;
  /** Ends Attempts with errors: to a later retry or to the dead letters. Errors: the common ones. */
  fail(segment: string, params: FailParams): Promise<OutcomesAnswer>;
  /** Gives running Operations back unharmed. Errors: the common ones. */
  release(segment: string, params: ReleaseParams): Promise<OutcomesAnswer>;
  /** Cancels waiting Operations, marks running ones. Errors: the common ones. */
  cancel(segment: string, params: CancelParams): Promise<CancelsAnswer>;
  /** Makes due Operations ready. Errors: the common ones. */
  promote(segment: string, params: PromoteParams): Promise<PromoteAnswer>;
  /** Takes back what a silent incarnation held. Errors: the common ones. */
  rescue(segment: string, params: RescueParams): Promise<RescueAnswer>;
  /** Compares what an owner runs with what the Segment knows; puts back what it forgot. Errors: the common ones. */
  announce(segment: string, params: AnnounceParams): Promise<AnnounceAnswer>;
  /** Opens a new generation of failed Operations. Errors: the common ones. */
  requeue(segment: string, params: RequeueParams): Promise<RequeueAnswer>;
  /** Opens a new generation of failed Operations, with another input or in another Queue. Errors: the common ones. */
  redrive(segment: string, params: RedriveParams): Promise<RequeueAnswer>;
  /** Deletes what is past its retention. Errors: the common ones. */
  prune(segment: string, params: PruneParams): Promise<PruneAnswer>;
  /** Notes progress for people. Errors: the common ones. */
  progress(segment: string, params: ProgressParams): Promise<OutcomesAnswer>;
  /** Reads Operations by dot, optionally waiting for them. Errors: the common ones. */
  find(segment: string, params: FindParams): Promise<FindAnswer>;
  /** Reads who holds keys. Errors: the common ones. */
  holders(segment: string, params: HoldersParams): Promise<HoldersAnswer>;
  /** Reads a page of a Queue or of the dead letters. Errors: the common ones. */
  peek(segment: string, params: PeekParams): Promise<PeekAnswer>;
  /** Reads a page of what is in one state, from a cursor on. Errors: the common ones. */
  list(segment: string, params: ListParams): Promise<ListAnswer>;
  /** Reads marks of lanes, or what has a record, page by page: for an index. Errors: the common ones. */
  survey(segment: string, params: SurveyParams): Promise<SurveyAnswer>;
  /** Deletes records of what is over. Errors: the common ones. */
  erase(segment: string, params: EraseParams): Promise<EraseAnswer>;
  /** Looks for what contradicts itself, a part at a time, and mends it if asked to. Errors: the common ones. */
  check(segment: string, params: CheckParams): Promise<CheckAnswer>;
  /** Says what keeps one Operation that waits. Errors: the common ones. */
  explain(segment: string, params: ExplainParams): Promise<ExplainAnswer>;
  /** Reads a Segment's counts, owners and next due time. Errors: the common ones. */
  counts(segment: string): Promise<CountsAnswer>;
  /** Stops claims from a Queue of the Segment. Errors: the common ones. */
  queuePause(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer>;
  /** Lets claims from a Queue of the Segment go on. Errors: the common ones. */
  queueResume(segment: string, params: QueuePauseParams): Promise<QueuePauseAnswer>;
  /** Sets the number of a limit for all that meets it, or takes it back. Errors: the common ones. */
  limitSet(segment: string, params: LimitSetParams): Promise<LimitSetAnswer>;
  /** Reads live limits and the gates in use. Errors: the common ones. */
  limits(segment: string, params: LimitsParams): Promise<LimitsAnswer>;
}
