/**
 * Status as a join-semilattice (elsewhere: CRDT register): what two copies of one Operation's status say together.
 *
 * Truth is made in the home Segment; copies elsewhere (other servers, the catalog, dashboards) meet in any order, any
 * number of times, and `merge` makes them agree: it is commutative, associative, idempotent and monotone.
 * Pure; imports only the states of this room.
 */
import { isTerminal, OPERATION_STATES, type OperationState } from "./operation.js";

/** A copy of an Operation's status. Times in milliseconds since 1970 by the home store's clock; 0 is "not yet". */
export interface StatusCopy {
  readonly generation: number;
  readonly state: OperationState;
  /** How often it came back from running (retry, release, rescue): makes `ready` after `running` a rise. */
  readonly returns: number;
  readonly finishedAtMs: number;
  readonly token: number;
  /** Opaque bytes that travel with the copy; the last tie is broken by them. */
  readonly value: Uint8Array;
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const difference = (a[i] as number) - (b[i] as number); // i < shared: both exist
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/**
 * Orders two copies by (generation, terminal, returns, rank, finishedAt, token, bytes), lexicographically.
 *
 * A total order up to equality of all seven fields, which is why taking the larger is a join.
 * Source: docs/adr/0002-ids-are-dots.md.
 */
export function compareStatus(a: StatusCopy, b: StatusCopy): number {
  return (
    a.generation - b.generation ||
    Number(isTerminal(a.state)) - Number(isTerminal(b.state)) ||
    a.returns - b.returns ||
    OPERATION_STATES.indexOf(a.state) - OPERATION_STATES.indexOf(b.state) ||
    a.finishedAtMs - b.finishedAtMs ||
    a.token - b.token ||
    compareBytes(a.value, b.value)
  );
}

/** The join of two copies: the one that knows more. */
export function mergeStatus(a: StatusCopy, b: StatusCopy): StatusCopy {
  return compareStatus(a, b) >= 0 ? a : b;
}
