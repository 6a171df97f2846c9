/**
 * What a run of a chaos profile leaves behind: everything that foremen.ts reads, and beside it what was asked, how long
 * effects took, what was harmed and what the store looks like at rest. invariants.ts reads nothing else.
 *
 * Times are milliseconds of the one monotonic clock that all processes of a machine share. Tokens are microseconds by
 * the store's clock.
 */
import type { BeginEvent, ForemanEvent } from "./foremen.js";

/** A client is about to send an enqueue: from here on its fate is unknown. `hash` is of this one input and no other. */
export interface AskEvent {
  readonly kind: "ask";
  readonly hash: string;
  readonly atMs: number;
  /** It may be answered by another Operation that holds its key: then it never happens. */
  readonly isRacer?: boolean;
  /** Asks of one call, of which all or none may happen. */
  readonly batch?: string;
}

/** What else is known of an acknowledged enqueue; follows its `enqueue`. */
export interface TermsEvent {
  readonly kind: "terms";
  readonly id: string;
  /** The key that makes Operations one, and whether another one held it. */
  readonly userKey?: string;
  readonly isDeduplicated?: boolean;
  /** The line it stands in, and its place there: asked for only after the one before was acknowledged. */
  readonly line?: string;
  readonly place?: number;
  /** It may start once, whatever happens. */
  readonly isAtMostOnce?: boolean;
}

/** An effect ended: the handler returned, threw, or gave up since it was told to. */
export interface DoneEvent {
  readonly kind: "done";
  readonly id: string;
  readonly token: number;
  readonly owner: string;
  readonly how: "returned" | "threw" | "aborted";
  readonly atMs: number;
}

/** A beat the store took: its owner's Lease counts from when it was sent. */
export interface BeatEvent {
  readonly kind: "beat";
  readonly owner: string;
  readonly sentMs: number;
}

/** A cancel was answered. */
export interface CancelEvent {
  readonly kind: "cancel";
  readonly id: string;
  readonly answer: "cancelled" | "requested" | "already_terminal" | "unknown";
  readonly atMs: number;
}

/** A client was told how an Operation ended. */
export interface ToldEvent {
  readonly kind: "told";
  readonly id: string;
  readonly state: string;
  readonly atMs: number;
}

/** Something was harmed. `losesMs`: acknowledgements given so shortly before may be lost with it; null: none may. */
export interface HarmEvent {
  readonly kind: "harm";
  readonly harm: string;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly losesMs: number | null;
  /** Who is known to have felt it; empty: perhaps all. */
  readonly owners?: readonly string[];
}

/** A Queue was paused: from the acknowledgement of the pause to the call of resume, in microseconds of the wall clock. */
export interface PausedEvent {
  readonly kind: "paused";
  /** The Step all of whose Operations wait in that Queue. */
  readonly step: string;
  readonly fromUs: number;
  readonly untilUs: number;
}

/**
 * A cap was held lower than its Step says: from the acknowledgement of the live limit to the call that takes it back, in
 * microseconds of the wall clock; `atMs` is that first moment by the shared clock.
 */
export interface NarrowedEvent {
  readonly kind: "narrowed";
  readonly cap: string;
  readonly most: number;
  readonly fromUs: number;
  readonly untilUs: number;
  readonly atMs: number;
}

/** The store contradicts itself at rest. */
export interface FindingEvent {
  readonly kind: "finding";
  readonly id: string;
  readonly finding: string;
}

/**
 * The store says that a process runs this, by a claim whose answer the process has had, and which did not name it: two
 * looks, two beats apart, agreed.
 */
export interface StrandedEvent {
  readonly kind: "stranded";
  readonly id: string;
  readonly token: number;
  readonly owner: string;
  readonly atMs: number;
}

/** An enqueue was refused for good: it did not happen, and never will. */
export interface RefusedEvent {
  readonly kind: "refused";
  readonly hash: string;
  readonly code: string;
  readonly atMs: number;
}

/** Something that is only to be seen sometimes, and must be seen. */
export interface GlimpseEvent {
  readonly kind: "glimpse";
  readonly what: string;
}

/** One line of the history of a profile's run. A start there knows what its Step was bound to. */
export type RunEvent =
  | ForemanEvent
  | StartedEvent
  | AskEvent
  | TermsEvent
  | DoneEvent
  | BeatEvent
  | CancelEvent
  | ToldEvent
  | HarmEvent
  | PausedEvent
  | NarrowedEvent
  | FindingEvent
  | StrandedEvent
  | RefusedEvent
  | GlimpseEvent;

/** A start of a profile's Step. */
export interface StartedEvent extends BeginEvent {
  readonly step: string;
  /** The caps it counts against, by the names of `RunBounds`. */
  readonly caps?: readonly string[];
  readonly paces?: readonly string[];
}

/** What the run was configured with. */
export interface RunBounds {
  readonly leaseMs: number;
  readonly beatMs: number;
  /** How long a process that lost its Lease may take to notice, and an effect to end after it was told. */
  readonly marginMs: number;
  /** Attempts and recoveries by Step; a Step that is not named has one Attempt. */
  readonly attemptsMax: Readonly<Record<string, number>>;
  readonly recoveriesMax: number;
  /** How many may run at once, by cap. */
  readonly caps: Readonly<Record<string, number>>;
  /** How many may begin: `burst` at once, then one each `everyMs`, by pace. */
  readonly paces: Readonly<Record<string, { readonly everyMs: number; readonly burst: number }>>;
  /** No harm was done at all. */
  readonly isFaultFree: boolean;
  /** The store may forget what it had acknowledged: a failover without waiting for replicas. */
  readonly mayRollBack: boolean;
  /** The run broke off before the store was asked what became of everything: no end is known. Default: false. */
  readonly isCut?: boolean;
}
