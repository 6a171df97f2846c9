/**
 * Ties: what an Operation of the full path must let go of when it ends, or each time it stops running.
 *
 *   key   held by one Operation at a time, from its enqueue to its end and through a window     (dedupe, idempotency)
 *   line  joined at the enqueue, left at the end; only the first of a line goes on              (strict order)
 *   gate  a slot, taken by the claim, given back by whatever ends the Attempt                   (concurrency)
 *         or a pace: one claim every so many milliseconds, not given back                       (rate)
 *   lapse a time by which it must have been claimed, or have ended; else it fails             (expiry, deadline)
 *   flow  what it belongs to where claims are shared out by turns                                 (weighted fair queueing)
 *
 * Stores know keys, lines and gates by their names alone, 1 to 255 bytes each. An Operation without ties has no trace
 * of all this. Pure data; imports nothing.
 */

/**
 * What an enqueue means for a key that another Operation holds. `match`: the present holder, if the digests are equal.
 * `return`: the present holder. `reject`: refused. `replace`: a holder that waits is cancelled and this one takes its
 * place; one that runs goes on without its key. `postpone`: the same for a holder that is not due yet; any other is
 * returned. `debounce`: as `replace`, but due no later than so long after the first of those that were replaced one behind
 * another. `known`: the present holder as long as its record is kept; one whose record is gone, or that was cancelled or
 * skipped, holds nothing.
 */
export type KeyMode = "match" | "return" | "reject" | "replace" | "postpone" | "debounce" | "known";

/** A key, and how it is taken. */
export interface KeyTie {
  readonly name: string;
  readonly mode: KeyMode;
  /** The key is held for so long after the enqueue even if the Operation ends before; null: till its end. Milliseconds. */
  readonly windowMs: number | null;
  /** The key is held through the window alone, whatever becomes of its holder. Default: false. */
  readonly isTimed?: boolean;
  /** 8 bytes; what `match` compares; of `debounce` how long that is, in milliseconds (a double). */
  readonly digest: Uint8Array;
  /** How a replaced one is kept: outcome bytes with the reason, and for how long. Null unless `replace`, `postpone` or `debounce`. */
  readonly replaced: { readonly retainMs: number; readonly value: Uint8Array } | null;
}

/**
 * What becomes of an Operation that meets a gate whose slots are all taken, if it is not to wait. `skip`: it ends as
 * skipped. `cancel_newest`: it ends as cancelled. `cancel_oldest`: it waits, and the one that has been there longest is
 * cancelled for it.
 */
export type FullMode = "skip" | "cancel_newest" | "cancel_oldest";

/** A place where only so many run at once. */
export interface SlotTie {
  readonly name: string;
  /** 1…2^32-1. */
  readonly slots: number;
  /** Default: what meets it full waits. With it the Operation takes the full path. */
  readonly full?: FullTie | null;
}

/** What a full gate means, and the outcome bytes of who ends for it: 1 to 255. */
export interface FullTie {
  readonly mode: FullMode;
  readonly value: Uint8Array;
}

/** A place where one is let through every so often: by the generic cell rate algorithm, with the store's clock. */
export interface PaceTie {
  readonly name: string;
  /** Milliseconds from one to the next in the long run; more than 0. */
  readonly everyMs: number;
  /** How many may pass at once after a pause, 1…2^32-1. */
  readonly burst: number;
}

/** What a claim must pass. A name is that of slots or of a pace, never of both. */
export type GateTie = SlotTie | PaceTie;

/** Until when an Operation may wait, and until when it may go on at all; what it fails with after that. */
export interface LapseTie {
  /** Milliseconds from the enqueue to its first claim, by the store's clock; null: any time. */
  readonly startInMs: number | null;
  /** Milliseconds from the enqueue to its end, over all Attempts; null: any time. */
  readonly endInMs: number | null;
  /** How long the dead letter is kept, and the outcome bytes it fails with. */
  readonly retainMs: number;
  readonly value: Uint8Array;
}

/** Whose share a claim is taken from. */
export interface FlowTie {
  readonly name: string;
  /** Of two flows where something waits, one of twice the weight is let through twice as often; more than 0. */
  readonly weight: number;
}

/** All ties of one Operation. */
export interface Ties {
  readonly key: KeyTie | null;
  readonly line: string | null;
  /** Each name once. */
  readonly gates: readonly GateTie[];
  /** Default: none. */
  readonly lapse?: LapseTie | null;
  /** Default: none. */
  readonly flow?: FlowTie | null;
}

/** Whether two Operations are tied to the same gates, said in the same order. */
export function isSameGates(a: readonly GateTie[], b: readonly GateTie[]): boolean {
  return a === b || (a.length === b.length && a.every((gate, i) => isSameGate(gate, b[i])));
}

function isSameGate(a: GateTie, b: GateTie | undefined): boolean {
  if (b === undefined || a.name !== b.name) return false;
  if ("slots" in a) return "slots" in b && a.slots === b.slots && a.full === b.full;
  return "everyMs" in b && a.everyMs === b.everyMs && a.burst === b.burst;
}

/** Whether something ends where an Operation with these gates meets a full one. */
export function hasFull(gates: readonly GateTie[]): boolean {
  for (const gate of gates) if ("slots" in gate && gate.full) return true;
  return false;
}

/** Live limits of a Segment as a whole, for all that is claimed from it: how many run at once. */
export const SEGMENT_SLOTS = "=#";

/** A pace of what is claimed there. */
export const SEGMENT_PACE = "=@";

/** A pace whose milliseconds count from when it was set: until then nothing is claimed there. */
export const SEGMENT_REST = "=!";

/** Most bytes of a name of a key, line or gate. */
export const TIE_NAME_BYTES_MAX = 255;

/** Tells the gate beside a ready list, where what bears a flow waits for its turn, from those Operations are tied to. */
export function isFairGate(name: string): boolean {
  return name.startsWith("~");
}

/** What people called a key: its name in stores has a scope before the first colon. */
export function shownKey(name: string): string {
  return name.slice(name.indexOf(":") + 1);
}
