/**
 * Every transition's parameters and answers: the contract both stores implement, and Lua headers are checked against.
 *
 * A transition takes a batch, is atomic in its Segment, bounded by its arguments, and safe to send again: each answer
 * says per element what happened, and a repeat says `duplicate` (or the same answer) and changes nothing.
 * Check first, then write: a refused call has written nothing. `nowMs`/`nowUs` below is the store's clock, read once.
 * A batch of outcomes (complete, fail, release, progress) names an Operation at most once.
 *
 * Rules that hold everywhere:
 * - The bell of a Queue rings when something is put on one of its lists that was empty before (each priority has its
 *   own list), and when it is resumed.
 * - `attempt` is failed Attempts + 1 while running and for what ended from running; else the failed Attempts so far.
 * - A record's `token` is that of the Attempt running now, else of the last Attempt whose outcome was taken (complete,
 *   fail, release), else 0. Rescue and cancel take no outcome and leave it alone.
 * - Finished (completed, cancelled, skipped) records keep state, generation, attempt, recoveries, returns, token, time and
 *   outcome bytes in a *slice* by expiry: with `k = max(10, ceil(log2(retainMs / 32)))` the slice
 *   `floor((nowMs + retainMs) / 2^k) + 1` of width `2^k`, which expires at that number times the width. Their queue
 *   and owner read null, their priority 0. Failed ones keep their whole record until `nowMs + retainMs`.
 * - Whatever ends an Operation settles its waiters, drops its progress and its cancel mark. An Operation that ends as
 *   cancelled because of a mark carries the reason of the first cancel as outcome bytes.
 * - Where one list orders by time, equals go by address (lane, then counter).
 * - Ties (ties.ts). Whatever ends an Operation lets go of its key (unless the window is still open) and of its place in
 *   a line; whatever ends its running frees its slots. What waited for that moves on in the same call: the first of the
 *   line to its due time or, like one Operation per freed slot from those *parked* at the gate, in order of arrival, to
 *   the front of its ready list (bells as ever). A parked Operation is `ready` and on no list. While a gate has slots
 *   free and something parked, as many Operations that were parked there are on ready lists: *candidates*; when one of
 *   them is cancelled or parked elsewhere, the next becomes one. Those of paused Queues do not count: where they are among
 *   the first, they become candidates beside the others, up to 1000 at a time and gate. While a gate is in use (a slot taken or something
 *   parked) the number of slots of each element accepted is the gate's from then on, for all; else each tie's own counts. Where
 *   something is parked it rises by 1000 at once at most, and lets so many on. A pace is a gate that keeps a time,
 *   `taken`: it lets a claim through if `max(taken, nowMs) - (burst - 1) * everyMs <= nowMs`, and `max(taken, nowMs) +
 *   everyMs` is its time
 *   then. From the time at which the next one may pass, `promote` makes candidates of what is parked there.
 * - A gate may say what being *full* (slots none free) means for who meets it (`FullTie`): in a claim, or at its enqueue by
 *   the full path if it is due, its line lets it go on, and it would not wait at a full gate that says nothing (nor, for
 *   `cancel_oldest`, bears a flow). Only newcomers are judged: what has run in this generation waits like others. Of several
 *   full gates the first that says `skip` or `cancel_newest` counts: it ends so, kept for `ID_MEMORY_MS`. Else it is parked,
 *   at the first full one that says nothing or is a pace, else at the first that says `cancel_oldest`; there, unless it was
 *   let on from this or another of its gates that say `cancel_oldest`, one is displaced for it: where what holds a slot
 *   unmarked and what is parked are as many as the slots or more, the oldest unmarked holder is marked as by a cancel, else
 *   the first parked ends as cancelled. Who ends or is marked gets the bytes of who came; at the end of the claim, ends
 *   first, in the order they came.
 * - A live limit (`limit_set`) goes before what ties and the newest number say, from the call on, for all that meets the
 *   gate. Who is parked there is told a part at a time, in that call and by `promote`: where more slots are free than there
 *   are candidates that count, the next become candidates; a pace is due at once, and then waits for its new time.
 * - Three live limits are of the Segment as a whole (SEGMENT_SLOTS, SEGMENT_PACE, SEGMENT_REST): a claim takes no more than
 *   they let through, what is left stays on its lists. The bells of Queues that hold something ring when one of them is set,
 *   when something runs no more while SEGMENT_SLOTS is set, and by `promote` once a claim that was kept back may go on.
 * - A lapse is a tie to time. It stands `min(start, end)` milliseconds after the enqueue, with the first claim at `end`,
 *   and goes with the Operation's end. From its time on what waits is not claimed: a claim that meets it, or `promote`,
 *   ends it as failed (`attempt` as it stood, bytes and retention as enqueued, its ties let go of); an element on a list
 *   stays there, withdrawn, until it is popped; requeued before that, it goes on in its old place unless a line keeps it or
 *   it is redriven to another Queue. What runs is marked by `promote` like by a cancel, its own
 *   bytes being the reason; what then ends a marked one as cancelled ends this one as failed. A requeued one has none.
 * - An Operation with a flow is never on a ready list: in its place it is parked at the *fair gate* beside it, from which
 *   claims take what has the lowest tag, equals by address. Each time it gets ready (enqueue, promote, requeue, its turn
 *   in a line) its tag is `max(clock, served)` and `served` of its flow rises to the tag + `1 / weight`; handed back or
 *   rescued, its tag is the clock; after it was parked at another gate, the one it had (by which it stood there, too). The
 *   clock of a fair gate is the highest tag a claim let run; a new one begins at the highest of the other clocks and of
 *   the tickets given before the transition. Served times at or below the clock count for nothing;
 *   `prune` forgets both while nothing is parked. The bell rings as for a list.
 * Types only; imports the records of this room.
 */
import type { CheckFinding } from "./findings.js";
import type { Address, Ending, Held, LocalDot } from "./lease.js";
import type { OperationRecord, OperationState } from "./operation.js";
import type { GateTie, Ties } from "./ties.js";

/** The names of all transitions and reads, as Lua files and machine moves are named. */
export const TRANSITION_NAMES = [
  "segment_open",
  "lane_open",
  "enqueue",
  "enqueue_full",
  "claim",
  "extend",
  "complete",
  "fail",
  "release",
  "cancel",
  "promote",
  "rescue",
  "announce",
  "requeue",
  "redrive",
  "prune",
  "progress",
  "find",
  "holders",
  "peek",
  "list",
  "survey",
  "erase",
  "check",
  "explain",
  "counts",
  "queue_pause",
  "queue_resume",
  "limit_set",
  "limits",
  "node_beat",
  "node_leave",
] as const;

/** The name of a transition. */
export type TransitionName = (typeof TRANSITION_NAMES)[number];

/** The name of a transition on the App's index of Nodes, which lies in no Segment. */
export type NodeTransitionName = "node_beat" | "node_leave";

/** The name of a transition of one Segment. */
export type SegmentTransitionName = Exclude<TransitionName, NodeTransitionName>;

// ── Opening ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Makes the Segment's root record if absent and checks its schema; pauses the Queues named. */
export interface SegmentOpenParams {
  readonly pausedQueues: readonly string[];
}

/** `version`: the Segment was written by another schema; nothing was touched. */
export interface SegmentOpenAnswer {
  readonly answer: "ok" | "version";
  /** The schema number found. */
  readonly schema: number;
}

/**
 * Interns a lane: the stream of Operations one incarnation writes into one Queue (fast path), or all it writes by the
 * full path (digits `00`, queue `null`). Opening an open lane answers its present marks. The Operations of a *tied* lane
 * take the fast path with gates, and with no other ties.
 */
export interface LaneOpenParams {
  /** `incarnation.digits`. */
  readonly laneName: string;
  /** The lane's Queue; `null` on the full path, where each Operation names its own. */
  readonly queue: string | null;
  /** Makes a tied lane, which has a Queue; asks nothing of an open one but that it be tied. Default: false. */
  readonly isTied?: boolean;
}

/** `conflict`: the lane is open with another Queue, or not tied as asked. `full`: no lane number is left. */
export interface LaneOpenAnswer {
  readonly answer: "ok" | "conflict" | "full";
  readonly lane: number;
  /** Highest counter accepted so far. */
  readonly accepted: number;
}

// ── Enqueue ────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The fast path: Operations `first`, `first + 1`, … of one lane join the end of its Queue at priority 0.
 *
 * With `accepted` the lane's mark and `last = first + bodies.length - 1`:
 * lane unknown or of another name → `unknown_lane`; `first > accepted + 1`, or a sealed lane (`announce`) and
 * `first <= accepted` → `gap`; both unwritten.
 * Elements at or below the mark were accepted before and are passed over; the rest is appended, the mark becomes
 * `max(accepted, last)`. Rings the bell of the Queue if its priority-0 list was empty and something was appended, unless
 * `isQuiet`.
 *
 * What waits on a tied lane is ready as on any other, and its limits count once it is appended, each that differs from
 * the one before. A claim lets it through or parks it; parked, handed back, retried or failed it is an Operation of the
 * full path like any other.
 */
export interface EnqueueParams {
  readonly lane: number;
  readonly laneName: string;
  /** Counter of the first element; its predecessor `first - 1` must not lie above the lane's mark. */
  readonly first: number;
  /** Enqueued bytes, each at least 1 byte, 1…1000 of them; never decoded by a store. */
  readonly bodies: readonly Uint8Array[];
  /** On a tied lane: the gates of each, one or more. Else nothing. */
  readonly gates?: readonly (readonly GateTie[])[];
  /** The caller attends the Queue and claims behind this call: nobody need be told. Default: false. */
  readonly isQuiet?: boolean;
}

/** `fresh` counts the elements appended by this call; `accepted` is the lane's mark after it. */
export interface EnqueueAnswer {
  readonly answer: "ok" | "gap" | "unknown_lane";
  readonly accepted: number;
  readonly fresh: number;
}

/** One Operation by the full path: any priority, any due time, any Queue. */
export interface FullElement {
  readonly counter: number;
  readonly queue: string;
  /** -1000…1000, larger first. */
  readonly priority: number;
  /** `null`: now. `in`: milliseconds from the store's now. `at`: by the store's clock; past means now. */
  readonly due: { readonly in: number } | { readonly at: number } | null;
  readonly body: Uint8Array;
  /** Default: none. */
  readonly ties?: Ties | null;
}

/**
 * The full path: each element stands alone and is remembered by its dot for `ID_MEMORY_MS` at least.
 *
 * A dot that is remembered, or still has a full-path record: `duplicate` if the bytes enqueued then have the same
 * SHA-1, else `conflict`. Otherwise `ok`: due later than `nowMs` → `scheduled`; else → `ready`, at the end of its
 * Queue's list of that priority (bell if that list was empty). The lane's mark rises to the highest counter seen.
 * Memory: by windows of `ID_MEMORY_MS` (`floor(nowMs / ID_MEMORY_MS)`), the present and the last one are looked up.
 *
 * A key is held by an Operation that has not ended, and until `floor(nowMs + windowMs)` of its enqueue. Is it held by
 * another, the element is not enqueued and not remembered: `kept` (`return`, `match` of the same digest), `rejected`
 * (`reject`) or `mismatch` (`match` of another digest). `replace` cancels a holder that waits, with the bytes and the
 * retention the element names, and takes the key; a holder that runs goes on without it. `debounce` does that too, and is due at the latest
 * so long after `nowMs`, or when a holder it replaced had to be; the key's digest is that time then. `postpone` does so with a
 * holder that is scheduled, and answers `kept` with any other. A key taken with `known` is answered `kept` while `find`
 * has a record of its holder that is not cancelled or skipped; else it is free. A timed key is held until
 * `floor(nowMs + windowMs)` and no longer. An element with a line joins its end; is it not the first there, it is parked,
 * whatever its due time. Elements take effect in order.
 */
export interface EnqueueFullParams {
  readonly lane: number;
  readonly laneName: string;
  readonly elements: readonly FullElement[];
}

/** Per element, in order; `unknown_lane` refuses the whole call, unwritten (answers empty). */
export interface EnqueueFullAnswer {
  readonly answer: "ok" | "unknown_lane";
  readonly answers: readonly EnqueueFullWord[];
  /** Who holds the key, for each `kept`, `rejected` and `mismatch`, in order. */
  readonly holders: readonly LocalDot[];
}

/** What became of one element of the full path. */
export type EnqueueFullWord = "ok" | "duplicate" | "conflict" | "kept" | "rejected" | "mismatch";

// ── Claim and ownership ────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Takes up to `max` ready Operations for one incarnation.
 *
 * `request` numbers the owner's claims from 1. Equal to the owner's last request that took something: the same claims
 * (those still held), same token, in the same order: a lost reply is recovered by asking again. Lower: `stale`.
 * Otherwise Queues are emptied in the order given, paused ones passed over; within a Queue larger priorities first,
 * FIFO among equals; where a list and its fair gate both hold something, the gate goes first if `request` is odd, else
 * the list. At most `2 * max` list elements are popped in all: those cancelled while waiting are dropped, not
 * claimed; those with gates take a slot of each or, if one is full, are parked at the first full one (what moves on for
 * that does so at the end of the call). One token for the whole call: `max(last token of the Segment + 1, nowUs)`. The claimed mark of each lane
 * rises to the highest fast-path counter popped. A claim that takes something is a beat, too: a rescue decided before it
 * is `stale`. A claim that pops nothing writes nothing.
 */
export interface ClaimParams {
  readonly owner: string;
  /** 1…2^31. */
  readonly request: number;
  readonly queues: readonly string[];
  /** 1…1000. */
  readonly max: number;
  /** The Segment's pace (`SEGMENT_PACE`) this claim keeps to where no live one is set; default: none. */
  readonly pace?: { readonly everyMs: number; readonly burst: number };
}

/** One claimed Operation. */
export interface Claim extends Held {
  /** `incarnation.digits` of its lane: with the Segment and the counter, its dot. */
  readonly laneName: string;
  readonly queue: string;
  readonly priority: number;
  /** 1 + failed Attempts of this generation. */
  readonly attempt: number;
  readonly generation: number;
  readonly recoveries: number;
  readonly body: Uint8Array;
}

/**
 * `waiting` counts what the lists and fair gates of the unpaused Queues asked for still hold (cancelled elements included);
 * 0 while the limits of the Segment as a whole let no more through: bells ring when they do. `highest` is the largest
 * priority among those, or null when there are none.
 */
export interface ClaimAnswer {
  readonly answer: "ok" | "stale";
  readonly claims: readonly Claim[];
  readonly waiting: number;
  readonly highest: number | null;
}

/**
 * Raises the owner's beat counter by one: all it holds in this Segment stays its own. `missing`: no such owner here.
 * An owner is known from its first claim that took something until a rescue leaves it with nothing; `rescue` of
 * oneself with nothing held is how a Foreman leaves.
 */
export interface ExtendParams {
  readonly owner: string;
}

/** What the owner holds, in number, and which of it was marked for cancelling. */
export interface ExtendAnswer {
  readonly answer: "ok" | "missing";
  readonly beat: number;
  readonly held: number;
  /** In address order (lane, counter). */
  readonly marked: readonly Address[];
}

/**
 * How an outcome was taken. `duplicate`: the record already holds this token's outcome (whatever it was).
 * `stale`: the presenter does not own it, or owns it by another token; nothing changed. What one call names again by the
 * token it was taken by is a duplicate of its first.
 */
export type OutcomeAnswer = "ok" | "duplicate" | "stale";

/**
 * running → completed, result kept for `retainMs`. A cancel mark does not matter: work that got done is done.
 * Frees the owner's entry and drops the full-path record.
 */
export interface CompleteParams {
  readonly owner: string;
  /** 1000…; how long the result is kept, all elements alike. */
  readonly retainMs: number;
  readonly held: readonly Ending[];
  /** Outcome bytes, one each. */
  readonly values: readonly Uint8Array[];
}

/** One Attempt's failure. `retryInMs` null: no Attempt is left. */
export interface FailElement extends Ending {
  readonly retryInMs: number | null;
  /** Outcome bytes with the error. */
  readonly value: Uint8Array;
}

/**
 * running → scheduled at `nowMs + retryInMs` (one Attempt burned, `returns + 1`), or → failed into the dead letters,
 * kept for `retainMs`. Marked for cancelling → cancelled (kept for `retainMs`), in both cases.
 */
export interface FailParams {
  readonly owner: string;
  readonly retainMs: number;
  readonly elements: readonly FailElement[];
}

/** One Operation given back. `delayMs` null: ready at once, at the front. */
export interface ReleaseElement extends Held {
  readonly delayMs: number | null;
}

/**
 * running → ready at the front of its list, or → scheduled at `nowMs + delayMs`; no Attempt burned, `returns + 1`.
 * Elements that go to the front keep the order of the array. Marked → cancelled (kept for `retainMs`).
 */
export interface ReleaseParams {
  readonly owner: string;
  readonly retainMs: number;
  readonly elements: readonly ReleaseElement[];
}

/** Answers of complete, fail, release and progress, per element in order. */
export interface OutcomesAnswer {
  readonly answers: readonly OutcomeAnswer[];
}

/**
 * scheduled | ready → cancelled (kept for `retainMs`, `value` as its outcome bytes); running → marked, its owner is
 * told by the `marked` event; terminal → untouched.
 */
export interface CancelParams {
  readonly dots: readonly LocalDot[];
  readonly retainMs: number;
  /** Outcome bytes with the reason. */
  readonly value: Uint8Array;
}

/** `requested`: it runs; the mark is set (also when it was set before). */
export type CancelAnswer = "cancelled" | "requested" | "terminal" | "missing";

/** Answers of cancel, per element in order. */
export interface CancelsAnswer {
  readonly answers: readonly CancelAnswer[];
}

// ── Housekeeping ───────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * scheduled → ready for up to `max` due Operations, by due time, then address; each joins the end of its list. Then, at up
 * to `max` paces that let something through by now, by that time, then name, as many go on as may pass, up to `max`. Before
 * both, up to `max` Operations whose lapse has come end or are marked, by its time, then address.
 */
export interface PromoteParams {
  readonly max: number;
}

/**
 * `nextDueInMs`: milliseconds until the earliest still scheduled is due, may pass where it is parked, or lapses; or null.
 * `lapsed` counts what ended or was marked.
 */
export interface PromoteAnswer {
  readonly promoted: number;
  readonly lapsed: number;
  readonly nextDueInMs: number | null;
}

/**
 * Takes from a silent owner up to `max` Operations, latest claims first, so that after the last call the front of each
 * list stands in the order they were claimed. `beat` must equal the owner's counter: else `stale`, unwritten.
 * Each: marked → cancelled; `recoveries + 1 > recoveriesMax` → failed with `poison` as outcome bytes; else → ready at
 * the front, `recoveries + 1`, `returns + 1`, no Attempt burned. With nothing left the owner is forgotten; `max` 0
 * takes nothing and only does that.
 */
export interface RescueParams {
  readonly owner: string;
  readonly beat: number;
  readonly max: number;
  readonly recoveriesMax: number;
  readonly retainMs: number;
  readonly poison: Uint8Array;
}

/** What became of them; `left` is what the owner still holds. */
export interface RescueAnswer {
  readonly answer: "ok" | "stale" | "missing";
  readonly rescued: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly left: number;
}

/** One Operation an owner runs. `again`: what it was claimed as, to be put back if the Segment does not know it. */
export interface AnnounceElement extends LocalDot {
  readonly token: number;
  readonly again: Pick<Claim, "queue" | "priority" | "generation" | "attempt" | "recoveries" | "body"> | null;
}

/**
 * Compares what an owner runs with what the Segment knows: a failover may have taken its latest calls back.
 *
 * `keep`: the owner holds it by this token. `stale`: it waits, has ended or runs elsewhere, or by another token: the
 * Attempt is void. `missing`: the Segment does not know it. With `again` it is put back: `recovered`: ready, at the front
 * of its list in the order of the array, `recoveries + 1`, one return, no ties; a full-path dot is remembered by its
 * bytes. The token of the Segment rises to the highest one announced, so that none is given out twice.
 *
 * A lane that is unknown is opened. A mark that is lower than a dot put back rises to it; a fast lane is *sealed* then:
 * `enqueue` answers `gap` to what is at or below the mark, of which the Segment cannot say what it is. What lies in the
 * gap that the mark was raised over, and was not put back, is missing.
 */
export interface AnnounceParams {
  readonly owner: string;
  /** 1…1000. */
  readonly elements: readonly AnnounceElement[];
}

/** What the Segment says of one announced Operation. */
export type AnnounceWord = "keep" | "stale" | "missing" | "recovered";

/** Per element in order. */
export interface AnnounceAnswer {
  readonly answers: readonly AnnounceWord[];
}

/** failed → ready at the end of its list: a new generation with fresh counters (attempt, recoveries, returns at 0). */
export interface RequeueParams {
  readonly dots: readonly LocalDot[];
}

/** `illegal`: it is not failed. Per element in order. */
export interface RequeueAnswer {
  readonly answers: readonly ("ok" | "illegal" | "missing")[];
}

/** One dead letter to open anew, changed. */
export interface RedriveElement extends LocalDot {
  /** Another Queue, or null: its own. */
  readonly queue: string | null;
  /** Other enqueued bytes (at least 1), or null: its own. */
  readonly body: Uint8Array | null;
}

/** As `requeue`, with another input, or in another Queue. What is changed stays changed. Answers as `requeue`. */
export interface RedriveParams {
  readonly elements: readonly RedriveElement[];
}

/**
 * Deletes finished slices whose expiry is at or before `nowMs` (at most `max` slices, earliest first), dead letters
 * likewise (at most `max`), id memory older than the last window, keys whose Operation has ended and whose window is
 * over (at most `max`), times of paces that stand still (at most `max`). `more`: a bound was hit and something is left.
 */
export interface PruneParams {
  readonly max: number;
}

/** How many finished records, dead letters and memory windows went. */
export interface PruneAnswer {
  readonly finished: number;
  readonly dead: number;
  readonly windows: number;
  readonly more: boolean;
}

/** One progress note; the latest replaces the one before it, and goes when the Attempt ends. */
export interface ProgressElement extends Held {
  readonly value: Uint8Array;
}

/** Notes progress of running Operations and tells their waiters; `stale` if the presenter does not own it. */
export interface ProgressParams {
  readonly owner: string;
  readonly elements: readonly ProgressElement[];
}

// ── Reading ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Reads Operations by dot. With `wait`, this store instance becomes a waiter of each that is not terminal yet. */
export interface FindParams {
  readonly dots: readonly LocalDot[];
  readonly wait: boolean;
}

/**
 * Per element: the record; `pruned` if it finished (or was cancelled) and its retention is over; `missing` if it was
 * never accepted here. The rule for fast-path dots without a record: above the accepted mark → missing; above the
 * claimed mark → ready (body not read: null; pruned if it was cancelled while waiting and that record is gone);
 * else → pruned. A full-path dot without record: pruned if remembered, else missing. An unknown lane: missing.
 * `cancel` and `requeue` look things up the same way; cancelling what is pruned answers `terminal`.
 */
export interface FindAnswer {
  readonly records: readonly (OperationRecord | "pruned" | "missing")[];
}

/** Reads who holds keys at present, by their names in the store. */
export interface HoldersParams {
  readonly keys: readonly string[];
}

/** Per key: its holder, ended or not; or null. A key in mode `known` may name a holder that `find` does not know. */
export interface HoldersAnswer {
  readonly holders: readonly (LocalDot | null)[];
}

/** A page of one Queue's ready Operations in claim order, or of the dead letters (first to expire first). */
export interface PeekParams {
  readonly of: { readonly queue: string } | "dead";
  /** How many to pass over. */
  readonly offset: number;
  /** 1…1000. */
  readonly limit: number;
}

/** The page; elements cancelled while waiting are left out of it. `total` counts what the list holds. */
export interface PeekAnswer {
  readonly records: readonly OperationRecord[];
  readonly total: number;
}

/** The states that can be listed. `parked`: what is ready and on no list, of all Queues; `ready` leaves that out. */
export const LISTED_STATES = [
  "ready",
  "parked",
  "scheduled",
  "running",
  "failed",
  "completed",
  "cancelled",
  "skipped",
] as const;

/** A state that can be listed. */
export type ListedState = (typeof LISTED_STATES)[number];

/** What a list is of; what is ready, of one Queue. */
export type Listed =
  | { readonly state: "ready"; readonly queue: string }
  | { readonly state: Exclude<ListedState, "ready"> };

/**
 * Reads what is in one state, page by page; a page at any depth costs the same. The order is the store's own, claim
 * order for what is ready, and the same from page to page: what stays in its state is in one page, what comes or goes
 * meanwhile may be in none or in two. Redis finds its place in a list again if no more than 1000 were claimed between
 * two pages.
 */
export interface ListParams {
  readonly of: Listed;
  /** As the page before answered it, by the same store; null, or one that no store wrote: from the beginning. */
  readonly cursor: string | null;
  /** How many elements to look at, about: 1…1000. Those that are not in the state asked for count, too. */
  readonly max: number;
}

/** A page, empty or not; `cursor` null: there is no more. */
export interface ListAnswer {
  readonly records: readonly OperationRecord[];
  readonly cursor: string | null;
}

/**
 * Tells what an index of a Segment must know. `lanes`: how far each lane is. `records`: which Operations run or have a
 * record of their own: all but what waits unread on the fast path, and what is finished; perhaps some twice, and some
 * that are finished meanwhile. A lane or Operation that is there from before the first page until after the last is on
 * one of them. Reads only.
 */
export interface SurveyParams {
  readonly of: "lanes" | "records";
  /** As the page before answered it, by the same store; null, or one that no store wrote: from the beginning. */
  readonly cursor: string | null;
  /** How many elements to look at, about: 1…1000. */
  readonly max: number;
}

/** A lane and its marks. Counters up to `accepted` were given, of a fast lane those up to `claimed` are waiting no more. */
export interface SurveyedLane {
  readonly laneName: string;
  /** Null on the full path; there only the highest counter is known, `claimed` says nothing. */
  readonly queue: string | null;
  readonly accepted: number;
  readonly claimed: number;
}

/** A page, empty or not, in no order: `lanes` or `dots`, as asked; `cursor` null: there is no more. */
export interface SurveyAnswer {
  readonly lanes: readonly SurveyedLane[];
  readonly dots: readonly LocalDot[];
  readonly cursor: string | null;
}

/**
 * Deletes the records of what is over (failed, completed, cancelled, skipped) before its retention ends: `find` then answers
 * `pruned`. A failed one cannot be requeued any more.
 */
export interface EraseParams {
  readonly dots: readonly LocalDot[];
}

/** `illegal`: it waits or runs; nothing was touched. `missing`: no record is left. Per element in order. */
export interface EraseAnswer {
  readonly answers: readonly ("ok" | "illegal" | "missing")[];
}

/**
 * Looks for what contradicts itself (findings.ts), a part at a time: every call is atomic, so that a healthy Segment
 * gives no findings however busy it is. `isMending` repairs what a call finds in that same call.
 *
 * A record that is in no place, and what was cancelled on a list, must be on that list; lists are long. Such are
 * answered as `placeless`, what was met on lists as `listed`: what is left over is asked about again as `suspects`, and then searched for.
 */
export interface CheckParams {
  /** As the call before answered it; null: from the beginning. */
  readonly cursor: string | null;
  /** How many elements to look at, about: 1…1000. */
  readonly max: number;
  readonly isMending: boolean;
  /** Not empty: look for these alone, at most 20; the cursor does not matter. */
  readonly suspects: readonly LocalDot[];
}

/** What was found, and mended if asked for. `cursor` null: all parts were looked at. */
export interface CheckAnswer {
  readonly cursor: string | null;
  readonly looked: number;
  readonly findings: readonly CheckFinding[];
  /** Ids of records that are in no other place than, perhaps, a list. */
  readonly placeless: readonly string[];
  /** Ids of full-path elements met on lists. */
  readonly listed: readonly string[];
}

/**
 * Says what keeps one Operation that waits: its line, and each of its gates by the predicate of claim. Reads only.
 * Holders of a gate are looked for among a thousand of what runs.
 */
export interface ExplainParams {
  readonly dot: LocalDot;
  /** Most holders named of a gate: 1…100. */
  readonly max: number;
}

/** A gate as a claim would find it now. */
export interface ExplainedGate {
  readonly name: string;
  /** Null: it is a pace. */
  readonly slots: number | null;
  /** Slots taken; 0 of a pace. */
  readonly used: number;
  /** Of a pace: when it lets the next one through, perhaps now; else null. */
  readonly opensAtMs: number | null;
  readonly everyMs: number | null;
  /** A claim would park it there, or it is parked there and nothing has changed. */
  readonly isFull: boolean;
  /** Its number is a live one. */
  readonly isLive: boolean;
  /** How many are parked there before it. */
  readonly before: number;
  /** Ids of those that have a slot, in order of their names. */
  readonly holders: readonly string[];
}

/**
 * Nothing but the time for what has no ties, or is not there. Of what waits on a tied lane, Redis sees the gates of the
 * first 2,000 of its list.
 */
export interface ExplainAnswer {
  readonly nowMs: number;
  readonly key: string | null;
  /** `before`: how many stand before it. `dueAtMs`: parked there, it goes on then or later. */
  readonly line: {
    readonly name: string;
    readonly before: number;
    readonly firstId: string | null;
    readonly dueAtMs: number | null;
  } | null;
  readonly gates: readonly ExplainedGate[];
}

/**
 * One Queue of a Segment. `ready` leaves out what was cancelled while waiting; `highest`, the largest priority of which its
 * lists and fair gates hold anything, does not. It is null when they are empty.
 */
export interface QueueCounts {
  readonly queue: string;
  readonly ready: number;
  readonly highest: number | null;
  readonly isPaused: boolean;
}

/** One incarnation that holds work in a Segment. */
export interface OwnerCounts {
  readonly owner: string;
  readonly beat: number;
  readonly held: number;
}

/** Sums since the Segment began; they never fall. */
export interface Totals {
  readonly enqueued: number;
  readonly completed: number;
  readonly failed: number;
  readonly cancelled: number;
  readonly skipped: number;
  readonly retried: number;
  readonly released: number;
  readonly rescued: number;
}

/** The sums of a Segment that has just begun, to add to. */
export function noTotals(): { -readonly [Name in keyof Totals]: Totals[Name] } {
  return { enqueued: 0, completed: 0, failed: 0, cancelled: 0, skipped: 0, retried: 0, released: 0, rescued: 0 };
}

/** What a Foreman needs to know of a Segment, in one call. Queues and owners in byte order of their names. */
export interface CountsAnswer {
  readonly queues: readonly QueueCounts[];
  readonly owners: readonly OwnerCounts[];
  readonly scheduled: number;
  readonly running: number;
  readonly dead: number;
  /** How many are ready and parked, of all Queues, fair gates left out: those are in `queues`. */
  readonly parked: number;
  /** Milliseconds until the earliest scheduled Operation is due or a parked one may pass, not above 0 then; or null. */
  readonly nextDueInMs: number | null;
  readonly totals: Totals;
}

/**
 * Pauses or resumes claiming from one Queue of the Segment; resuming rings its bell. At a pause, for each candidate of the
 * Queue (1000 per gate at most) the next one parked at that gate becomes one, gates by name.
 */
export interface QueuePauseParams {
  readonly queue: string;
}

/** `unchanged`: it was so before. */
export interface QueuePauseAnswer {
  readonly answer: "ok" | "unchanged";
}

// ── Live limits ────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a live limit says: slots, 0…2^32-1; or a pace, with `everyMs` 0 for none. */
export type LiveNumber = { readonly slots: number } | { readonly everyMs: number; readonly burst: number };

/**
 * Sets the live limit of one gate, or of all gates before whose first colon `name` stands and that have none of their own;
 * or takes it back. It stays until then. Paces it is about begin anew: what was let through before counts no more.
 */
export interface LimitSetParams {
  /** 1 to 255 bytes. */
  readonly name: string;
  /** Null: it is taken back. */
  readonly number: LiveNumber | null;
  /** How many of those that are parked go on in this call, at most: 1…1000. */
  readonly max: number;
}

/** `unchanged`: it was so before; those parked are told once more. `isSettled`: all of them were told, `promote` has nothing to go on with. */
export interface LimitSetAnswer {
  readonly answer: "ok" | "unchanged";
  readonly isSettled: boolean;
}

/** Reads all live limits, and gates that are in use. */
export interface LimitsParams {
  /** Most gates: 1…1000. */
  readonly max: number;
}

/** A live limit as it stands. */
export interface LiveLimitState {
  readonly name: string;
  readonly number: LiveNumber;
  readonly sinceMs: number;
  /** Not all that is parked was told of it yet. */
  readonly isSettling: boolean;
}

/** A gate where a slot is taken, something is parked, or a pace has let something through just now. */
export interface GateInUse {
  readonly name: string;
  readonly kind: "slots" | "pace";
  /** Null: nobody who is parked there says it. Of a pace: null. */
  readonly slots: number | null;
  /** Of a pace; null where nobody says it. */
  readonly everyMs: number | null;
  readonly burst: number | null;
  /** Slots taken; 0 of a pace. */
  readonly used: number;
  /** Of a pace whose numbers are known: when it lets the next one through, perhaps now. */
  readonly opensAtMs: number | null;
  readonly parked: number;
  /** Its numbers are live ones. */
  readonly isLive: boolean;
}

/** Both by name. `isPartial`: there are more gates. */
export interface LimitsAnswer {
  readonly nowMs: number;
  readonly live: readonly LiveLimitState[];
  readonly gates: readonly GateInUse[];
  readonly isPartial: boolean;
}

// ── Nodes ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * Puts an incarnation into the App's index of Nodes, or raises its beat counter by one.
 *
 * The index is of the App as a whole and in no Segment. No clock has a part in it: whoever sees a counter stand still
 * for a Lease, by a monotonic clock of its own, holds that incarnation for dead. A repeat raises the counter once more.
 */
export interface NodeBeatParams {
  readonly incarnation: string;
  /** Name of its Node: the Segment it writes. */
  readonly node: string;
  /** What others should know of it (node.ts), 1 byte to 64 KiB; replaces what was there, never decoded by a store. */
  readonly about: Uint8Array;
  /** Answer the *elders*, too. Costs O(index); for the moment a process joins. */
  readonly isJoining: boolean;
}

/** One incarnation in the App's index of Nodes. */
export interface NodeEntry {
  readonly incarnation: string;
  readonly node: string;
  /** 1 after its first beat. */
  readonly beat: number;
  readonly about: Uint8Array;
}

/**
 * `beat` is the counter now. `elders`: with `isJoining`, the entries of the same Node that came into the index before
 * this one, oldest first; of two that join at once, one sees the other. Else empty.
 */
export interface NodeBeatAnswer {
  readonly beat: number;
  readonly elders: readonly NodeEntry[];
}

/**
 * Takes an incarnation out of the App's index of Nodes: itself (`beat` null), or one that an observer has seen silent
 * at this counter. What it holds in Segments is untouched: `rescue` is by Segment.
 */
export interface NodeLeaveParams {
  readonly incarnation: string;
  readonly beat: number | null;
}

/** `stale`: its counter is another one, it lives; nothing changed. `missing`: it is not in the index. */
export interface NodeLeaveAnswer {
  readonly answer: "ok" | "stale" | "missing";
}

// ── Events ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A waited-for Operation reached a terminal state. */
export interface Settled {
  readonly id: string;
  readonly state: OperationState;
  readonly generation: number;
  readonly attempt: number;
  readonly finishedAtMs: number;
  readonly value: Uint8Array;
}
