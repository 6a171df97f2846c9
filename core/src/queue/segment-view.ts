/** What one process knows of a Segment. Kept by segments.ts, written by the duties that learn it. */

/** One Segment as this process sees it. */
export interface SegmentView {
  readonly name: string;
  /** Raised by every hint. */
  hints: number;
  /** A claim is on its way: one at a time, whichever pool sent it, since claims are numbered per owner and Segment. */
  isBusy: boolean;
  /** When the claim under way was sent, by the monotonic clock: it may hold something already; else null. */
  askedMs: number | null;
  /** Number of the last claim request. */
  request: number;
  /** Operations this process holds there. */
  held: number;
  /** Claims refused in a row. */
  refusals: number;
  /** Operations this process has claimed there so far. */
  claimed: number;
  /** Ready Operations there, and all that have not ended, at the last survey. */
  ready: number;
  work: number;
  /** Its bells come to this process first: it is the one to call for help there. */
  isAttended: boolean;
  /** Operations that had ended there at the last survey. */
  ended: number;
  /** Whether anything was claimed since the last beat. */
  wasClaimed: boolean;
  /** When the last good beat was sent, or the first claim after holding nothing, by the monotonic clock; else null. */
  provenMs: number | null;
}
