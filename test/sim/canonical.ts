/**
 * What two stores may differ in without meaning anything different, taken out of answers and snapshots.
 *
 * Kept short on purpose: every line here is something the comparison does not see.
 */
import type { SegmentSnapshot } from "@millrace/core/internal";
import { type Plain, plain } from "../helper/bytes.js";
import type { Answer } from "./call.js";

/** An answer, ready to compare. */
export function canonicalAnswer(answer: Answer): Plain {
  if (!("cursor" in answer)) return plain(answer);
  if ("lanes" in answer) {
    const lanes = [...answer.lanes].sort((a, b) => (a.laneName < b.laneName ? -1 : 1));
    return plain({ lanes, isWhole: answer.cursor === null });
  }
  // The order of a list is the store's own, and so is what its cursors say.
  const records = [...answer.records].sort((a, b) => (a.id < b.id ? -1 : 1));
  return plain({ records, isWhole: answer.cursor === null });
}

/** A snapshot, ready to compare. */
export function canonicalSnapshot(snapshot: SegmentSnapshot): SegmentSnapshot {
  return {
    ...snapshot,
    // Only the claims of the last request can be asked for again: older request numbers need not be kept.
    owners: snapshot.owners.map((owner) => ({
      ...owner,
      held: owner.held.map((one) => ({ ...one, request: one.request === owner.lastRequest ? one.request : 0 })),
    })),
    // Eight bytes of a digest tell two bodies apart as well as twenty.
    windows: snapshot.windows.map(({ window, dots }) => ({
      window,
      dots: dots.map((dot) => ({ ...dot, sha1: dot.sha1.slice(0, 16) })),
    })),
  };
}
