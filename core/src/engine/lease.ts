/**
 * Ownership (elsewhere: visibility timeout, lock, fencing): who may end what.
 *
 * A Lease belongs to a Foreman's incarnation, not to an Operation. In each Segment where it holds work an
 * incarnation raises one beat counter; whoever has seen that counter stand still for a full Lease, by its own
 * monotonic clock, may rescue all the incarnation holds there, naming the counter it saw.
 * Pure; imports nothing.
 */

/**
 * Where an Operation lives inside its Segment: the dot with its middle part interned by the Segment.
 *
 * `lane` is the number the Segment gave to (incarnation, lane digits) when the lane was opened, 1…2^23-1, and
 * 2^23 more if it is tied;
 * `counter` the Operation's number in that lane, 1…2^40-1.
 */
export interface Address {
  readonly lane: number;
  readonly counter: number;
}

/** Proof of a claim: the address plus the fencing token the claim got. Compared for equality, never for order. */
export interface Held extends Address {
  readonly token: number;
}

/**
 * What runs here, for ending it. A store that seals results or keeps them apart does so by the dot, and so has to be
 * told the name of the lane (any claim tells it); the others pass it over.
 */
export interface Ending extends Held {
  readonly laneName?: string;
}

/** A dot without its Segment: the lane's name (`incarnation.digits`) and the number in it. */
export interface LocalDot {
  readonly laneName: string;
  readonly counter: number;
}

/** Largest number of lanes of a Segment; the number of a tied lane has the bit above it set. */
export const LANE_NUMBER_MAX = 0x7f_ffff;

/** Added to the number of a *tied* lane, whose Operations are tied to gates: their address says so by itself. */
export const TIED_LANE = 0x80_0000;

/** Whether a lane number is that of a tied lane. */
export function isTiedLane(lane: number): boolean {
  return lane >= TIED_LANE;
}

/** Largest counter of a lane (40 bits: about 35 years at 1,000 Operations a second). */
export const LANE_COUNTER_MAX = 0xff_ffff_ffff;

/** The lane digits of the full path. */
export const FULL_PATH_DIGITS = "00";

/** How long a dot of the full path is remembered after it was enqueued, at least; W in docs/store.md. */
export const ID_MEMORY_MS = 24 * 60 * 60 * 1000;
