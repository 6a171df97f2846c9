/**
 * The moves of the App's index of Nodes: node_beat, node_leave. The index is of no Segment, so it is a state of its own.
 * Pure; compared with the Lua by the conformance suite.
 *
 * Never written to disk: an embedded store is used by one process at a time, and what is known of a process ends with it.
 */
import type {
  NodeBeatAnswer,
  NodeBeatParams,
  NodeEntry,
  NodeLeaveAnswer,
  NodeLeaveParams,
} from "../../engine/transitions.js";

/** The index: entries by incarnation, in the order of joining. */
export type NodesState = Map<string, NodeEntry>;

/** node_beat: puts an incarnation into the index, or raises its beat counter. */
export function nodeBeat(state: NodesState, params: NodeBeatParams): NodeBeatAnswer {
  const { incarnation, node, about, isJoining } = params;
  const elders: NodeEntry[] = [];
  if (isJoining) {
    for (const entry of state.values()) {
      if (entry.incarnation === incarnation) break;
      if (entry.node === node) elders.push(entry);
    }
  }
  const beat = (state.get(incarnation)?.beat ?? 0) + 1;
  // Setting a key that is there keeps its place in the order.
  state.set(incarnation, { incarnation, node, beat, about });
  return { beat, elders };
}

/** node_leave: takes an incarnation out of the index, if it stands at the beat named. */
export function nodeLeave(state: NodesState, params: NodeLeaveParams): NodeLeaveAnswer {
  const entry = state.get(params.incarnation);
  if (entry === undefined) return { answer: "missing" };
  if (params.beat !== null && params.beat !== entry.beat) return { answer: "stale" };
  state.delete(params.incarnation);
  return { answer: "ok" };
}
