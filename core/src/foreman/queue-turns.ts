/**
 * With which of a pool's Queues a claim begins (elsewhere: weighted queues). A claim empties Queues in the order it names
 * them: always the same order would let one that is never empty keep back all behind it. Used by the Feeder.
 */

/**
 * Claims of one Segment that begin with one Queue. Two, for whoever claims first at a list and first at its fair gate
 * changes with every claim: each Queue gets both.
 */
const CLAIMS_EACH = 2;

/** The Queues in the order of a Segment's `count`-th claim, from 0 on: each of them is first in its turn. */
export function inTurn(queues: readonly string[], count: number): readonly string[] {
  if (queues.length < 2) return queues;
  const first = Math.floor(count / CLAIMS_EACH) % queues.length;
  return first === 0 ? queues : [...queues.slice(first), ...queues.slice(0, first)];
}
