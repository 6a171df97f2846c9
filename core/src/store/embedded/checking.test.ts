import { describe, expect, it } from "vitest";
import type { FindingKind } from "../../engine/findings.js";
import { check } from "./checking.js";
import { apply, newSegment, type SegmentState } from "./machine.js";
import { snapshot } from "./snapshot.js";
import { entryOf, isFinished, type Lane, listOf, type Operation } from "./state.js";

const nowUs = Date.UTC(2026, 0, 1) * 1000;
const body = (text: string) => Buffer.from(text);

/**
 * Fast path (lane 1, Queue q): 1 completed, 2 a dead letter, 3 a retry, 4 and 5 run, 6 … 12 wait, 9 of them cancelled.
 * Full path (lane 2): 1 scheduled, 2 (priority 7) runs, 3 (priority −7) and 4 ready.
 */
function field(): SegmentState {
  const state = newSegment("s");
  apply(state, "segment_open", { pausedQueues: [] }, nowUs);
  apply(state, "lane_open", { laneName: "a.01", queue: "q" }, nowUs);
  apply(state, "lane_open", { laneName: "a.00", queue: null }, nowUs);
  const bodies = Array.from({ length: 12 }, (_, i) => body(`n${i + 1}`));
  apply(state, "enqueue", { lane: 1, laneName: "a.01", first: 1, bodies }, nowUs);
  const element = { queue: "q", priority: 0, due: null };
  const elements = [
    { ...element, counter: 1, due: { in: 5_000 }, body: body("f1") },
    { ...element, counter: 2, priority: 7, body: body("f2") },
    { ...element, counter: 3, priority: -7, body: body("f3") },
    { ...element, counter: 4, body: body("f4") },
  ];
  apply(state, "enqueue_full", { lane: 2, laneName: "a.00", elements }, nowUs);
  const { claims } = apply(state, "claim", { owner: "o1", request: 1, queues: ["q"], max: 6 }, nowUs);
  const [, one, two, three] = claims;
  if (one === undefined || two === undefined || three === undefined) throw new Error("six were to be claimed");
  apply(state, "complete", { owner: "o1", retainMs: 60_000, held: [one], values: [body("done")] }, nowUs);
  const failed = { ...two, retryInMs: null, value: body("e") };
  const retried = { ...three, retryInMs: 1_000, value: body("e") };
  apply(state, "fail", { owner: "o1", retainMs: 60_000, elements: [failed, retried] }, nowUs);
  apply(state, "cancel", { dots: [{ laneName: "a.01", counter: 9 }], retainMs: 60_000, value: body("why") }, nowUs);
  return state;
}

/** Every finding, as `fsck` gathers them. */
function findings(state: SegmentState, isMending = false, max = 3): FindingKind[] {
  const kinds: FindingKind[] = [];
  let cursor: string | null = null;
  do {
    const answer = check(state, { cursor, max, isMending, suspects: [] }, nowUs);
    kinds.push(...answer.findings.map(({ kind }) => kind));
    cursor = answer.cursor;
  } while (cursor !== null);
  return kinds;
}

function laneOf(state: SegmentState, number: number): Lane {
  const lane = state.lanes[number];
  if (lane === undefined) throw new Error(`there is no lane ${number}`);
  return lane;
}

function operationOf(state: SegmentState, lane: number, counter: number): Operation {
  const entry = entryOf(laneOf(state, lane), counter);
  if (entry === undefined || isFinished(entry)) throw new Error(`${lane}.${counter} is no Operation`);
  return entry;
}

function queueOf(state: SegmentState) {
  const queue = state.queues.get("q");
  if (queue === undefined) throw new Error("there is no Queue");
  return queue;
}

/** Counts an element onto a list as pushes do, without what they check. */
function smuggle(state: SegmentState, operation: Operation, priority = 0): void {
  const list = listOf(queueOf(state), priority);
  list.elements.push(operation);
  list.length++;
  list.queue.length++;
}

const faults: Readonly<Partial<Record<FindingKind, (state: SegmentState) => void>>> = {
  lane_marks: (state) => {
    laneOf(state, 2).claimed = 99;
  },
  lane_name: (state) => {
    state.lanesByName.delete("a.00");
  },
  lane_queue: (state) => {
    state.queues.delete("q");
  },
  owner_hidden: (state) => {
    state.owners.delete("o1");
    state.running = 0;
  },
  token_behind: (state) => {
    state.lastToken = 1;
  },
  priority_empty: (state) => {
    queueOf(state).active.push(listOf(queueOf(state), -50));
  },
  priority_hidden: (state) => {
    const { active } = queueOf(state);
    active.splice(
      active.findIndex(({ priority }) => priority === -7),
      1,
    );
  },
  withdrawn_count: (state) => {
    queueOf(state).withdrawn = 7;
  },
  list_count: (state) => {
    queueOf(state).length += 3;
  },
  ready_twice: (state) => smuggle(state, operationOf(state, 2, 4)),
  ready_held: (state) => smuggle(state, operationOf(state, 2, 2)),
  ready_scheduled: (state) => smuggle(state, operationOf(state, 2, 1)),
  ready_dead: (state) => smuggle(state, operationOf(state, 1, 2)),
  ready_recordless: (state) => smuggle(state, { ...operationOf(state, 2, 4), counter: 77 }),
  ready_elsewhere: (state) => {
    const list = listOf(queueOf(state), 0);
    const operation = operationOf(state, 2, 4);
    for (const element of list.elements.shiftMany(list.elements.length)) {
      if (element !== operation) list.elements.push(element);
    }
    list.length--;
    list.queue.length--;
    smuggle(state, operation, -7);
  },
  ready_beyond: (state) => {
    laneOf(state, 1).accepted = 11;
  },
  held_count: (state) => {
    const owner = state.owners.get("o1");
    if (owner !== undefined) owner.held = 9;
  },
  held_scheduled: (state) => state.due.add(operationOf(state, 2, 2)),
  held_dead: (state) => state.dead.add(operationOf(state, 2, 2)),
  mark_stale: (state) => {
    const owner = state.owners.get("o1");
    if (owner !== undefined) owner.marked = 5;
  },
  lost: (state) => state.due.remove(operationOf(state, 2, 1)),
  scheduled_dead: (state) => {
    const operation = operationOf(state, 2, 1);
    state.due.remove(operation);
    state.dead.add(operation);
  },
};

describe("X19: check in the machine", () => {
  it("finds nothing in a healthy Segment, whatever the page, and changes nothing", () => {
    const state = field();
    const before = snapshot(state);
    for (const max of [1, 2, 1000]) expect(findings(state, true, max)).toEqual([]);
    expect(snapshot(state)).toEqual(before);
  });

  it.each(Object.entries(faults))("finds and mends %s", (kind, plant) => {
    const state = field();
    plant(state);
    expect(findings(state)).toContain(kind);
    expect(findings(state, true)).toContain(kind);
    expect(findings(state)).toEqual([]);
  });

  it("gives back to its list what was lost from it", () => {
    const state = field();
    const list = listOf(queueOf(state), -7);
    list.elements.shift();
    list.length--;
    list.queue.length--;
    expect(findings(state, true)).toContain("lost");
    expect(findings(state)).toEqual([]);
    const { claims } = apply(state, "claim", { owner: "o2", request: 1, queues: ["q"], max: 100 }, nowUs);
    expect(claims.map((claim) => Buffer.from(claim.body).toString())).toContain("f3");
  });
});
