/**
 * The mark that tells the owner of what runs to end it.
 * Pure; used by the machine's moves.
 */
import { type Operation, type SegmentState, touchNotes } from "./state.js";

/** Marks a running Operation and tells its owner; the first reason stays. */
export function mark(state: SegmentState, operation: Operation, reason: Uint8Array): void {
  const owner = operation.taking?.owner;
  if (owner === undefined) return;
  const isTold = state.events.some((event) => event.kind === "marked" && event.owner === owner.name);
  if (!isTold) state.events.push({ kind: "marked", owner: owner.name });
  if (operation.cancelReason !== null) return;
  operation.cancelReason = reason;
  owner.marked++;
  touchNotes(state, operation);
}
