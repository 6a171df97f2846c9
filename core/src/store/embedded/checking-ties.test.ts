import { describe, expect, it } from "vitest";
import type { FindingKind } from "../../engine/findings.js";
import { check } from "./checking.js";
import { apply, newSegment, type SegmentState } from "./machine.js";
import { entryOf, type Gate, isFinished, type Line, type Operation, pushBack, type Tied } from "./state.js";

const nowUs = Date.UTC(2026, 0, 1) * 1000;

/**
 * 1 has the slot of gate g, 2 and 3 are kept there; 4 is the first of line l, 5 and 6 are kept; 7 has key k; 8 went
 * through pace p, 9 waits for it; 10 has ended and let 11 on, a candidate of gate h; 12 has ended, its key w has not; 13 waits for its
 * fair turn; 14 and 15, of Queue late, are to expire, 15 runs.
 */
function field(): SegmentState {
  const state = newSegment("s");
  apply(state, "segment_open", { pausedQueues: [] }, nowUs);
  apply(state, "lane_open", { laneName: "a.00", queue: null }, nowUs);
  const none = { key: null, line: null, gates: [] };
  const key = { mode: "return" as const, digest: new Uint8Array(8), replaced: null };
  const lapse = { startInMs: 60_000, endInMs: 90_000, retainMs: 60_000, value: Buffer.from("late") };
  const tiesOf = (counter: number) => {
    if (counter <= 3) return { ...none, gates: [{ name: "g", slots: 1 }] };
    if (counter <= 6) return { ...none, line: "l" };
    if (counter === 7) return { ...none, key: { ...key, name: "k", windowMs: null } };
    if (counter <= 9) return { ...none, gates: [{ name: "p", everyMs: 60_000, burst: 1 }] };
    if (counter <= 11) return { ...none, gates: [{ name: "h", slots: 1 }] };
    if (counter > 13) return { ...none, lapse };
    if (counter === 13) return { ...none, flow: { name: "a", weight: 1 } };
    return { ...none, key: { ...key, name: "w", windowMs: 600_000 } };
  };
  const queueOf = (counter: number) =>
    counter <= 3 || counter === 8 || counter === 9
      ? "held"
      : counter < 10
        ? "q"
        : counter < 13
          ? "over"
          : counter === 13
            ? "fair"
            : "late";
  const elements = Array.from({ length: 15 }, (_, i) => ({
    ...{ counter: i + 1, queue: queueOf(i + 1), priority: 0, due: null },
    ...{ body: Buffer.from(`f${i + 1}`), ties: tiesOf(i + 1) },
  }));
  apply(state, "enqueue_full", { lane: 1, laneName: "a.00", elements }, nowUs);
  apply(state, "claim", { owner: "o4", request: 1, queues: ["late"], max: 1 }, nowUs);
  apply(state, "claim", { owner: "o1", request: 1, queues: ["held"], max: 10 }, nowUs);
  const { claims } = apply(state, "claim", { owner: "o1", request: 2, queues: ["over"], max: 10 }, nowUs);
  const values = claims.map(() => Buffer.from("done"));
  apply(state, "complete", { owner: "o1", retainMs: 60_000, held: claims, values }, nowUs);
  return state;
}

function findings(state: SegmentState, isMending = false): FindingKind[] {
  const kinds: FindingKind[] = [];
  let cursor: string | null = null;
  do {
    const answer = check(state, { cursor, max: 3, isMending, suspects: [] }, nowUs);
    kinds.push(...answer.findings.map(({ kind }) => kind));
    cursor = answer.cursor;
  } while (cursor !== null);
  return kinds;
}

function one(state: SegmentState, counter: number): Operation & { tied: Tied } {
  const lane = state.lanes[1];
  const entry = lane === undefined ? undefined : entryOf(lane, counter);
  if (entry === undefined || isFinished(entry) || entry.tied === null) throw new Error(`${counter} is not tied`);
  return entry as Operation & { tied: Tied }; // just looked
}

function gate(state: SegmentState, name: string): Gate {
  const found = state.gates.get(name);
  if (found === undefined) throw new Error(`there is no gate ${name}`);
  return found;
}

function line(state: SegmentState): Line {
  const found = state.lines.get("l");
  if (found === undefined) throw new Error("there is no line");
  return found;
}

/** Takes one off the list of Queue q. */
function unlist(state: SegmentState, operation: Operation): void {
  const list = state.queues.get("q")?.lists.get(0);
  for (const element of list?.elements.shiftMany(list.elements.length) ?? []) {
    if (element !== operation) list?.elements.push(element);
  }
  if (list === undefined) return;
  list.length--;
  list.queue.length--;
}

const faults: Readonly<Partial<Record<FindingKind, (state: SegmentState) => void>>> = {
  parked_missing: (state) => {
    gate(state, "g").parked.remove(one(state, 2));
  },
  parked_stale: (state) => gate(state, "g").parked.add(one(state, 7)),
  slots_count: (state) => {
    gate(state, "g").used = 5;
  },
  gate_idle: (state) => {
    for (const counter of [2, 3]) Object.assign(one(state, counter).tied, { gates: [{ name: "g", slots: 2 }] });
  },
  fair_hidden: (state) => {
    state.queues.get("fair")?.waiting.splice(0);
  },
  pace_hidden: (state) => state.opening.clear(),
  candidate_stale: (state) => {
    one(state, 1).tied.candidateOf = gate(state, "g");
  },
  line_stale: (state) => line(state).members.pushFront({ ...one(state, 6), counter: 77 }),
  line_missing: (state) => {
    const [first, second] = line(state).members.shiftMany(3);
    for (const member of [first, second]) if (member !== undefined) line(state).members.push(member);
  },
  line_stuck: (state) => {
    unlist(state, one(state, 4));
    one(state, 4).tied.parkedAt = line(state);
    state.parked++;
  },
  line_ahead: (state) => {
    one(state, 5).tied.parkedAt = null;
    state.parked--;
    pushBack(state, one(state, 5));
  },
  key_stale: (state) => {
    const held = state.keys.get("k");
    if (held !== undefined) state.keys.set("ghost", { ...held, name: "ghost" });
  },
  key_unending: (state) => {
    const held = state.keys.get("w");
    if (held !== undefined) state.expiries.remove(held);
  },
  key_expiry: (state) => {
    const held = state.keys.get("w");
    if (held !== undefined) state.expiries.add({ ...held, name: "gone", heapIndex: -1 });
  },
  lapse_stale: (state) => {
    const { claims } = apply(state, "claim", { owner: "o5", request: 1, queues: ["late"], max: 1 }, nowUs);
    const [held] = claims;
    if (held === undefined) throw new Error("nothing to expire is left");
    const { lapse } = one(state, held.counter);
    const elements = [{ ...held, retryInMs: null, value: Buffer.from("no") }];
    apply(state, "fail", { owner: "o5", retainMs: 60_000, elements }, nowUs);
    const failed = one(state, held.counter);
    failed.lapse = lapse;
    if (lapse !== null) state.lapses.add(lapse);
  },
  lapse_time: (state) => {
    const { lapse } = one(state, 15);
    if (lapse !== null) state.lapses.remove(lapse);
  },
  lapse_recordless: (state) => {
    const { lapse } = one(state, 14);
    if (lapse !== null) state.lapses.add({ ...lapse, heapIndex: -1 });
  },
};

describe("X19: check of ties in the machine", () => {
  it("finds nothing in a healthy Segment", () => expect(findings(field(), true)).toEqual([]));

  it.each(Object.entries(faults))("finds and mends %s, and the line goes on in order", (kind, plant) => {
    const state = field();
    plant(state);
    expect(findings(state)).toContain(kind);
    expect(findings(state, true)).toContain(kind);
    expect(findings(state)).toEqual([]);
    const order: string[] = [];
    for (let request = 1; request <= 4; request++) {
      const { claims } = apply(state, "claim", { owner: "o2", request, queues: ["q"], max: 10 }, nowUs);
      order.push(...claims.map(({ body }) => Buffer.from(body).toString()).filter((text) => text !== "f7"));
      const values = claims.map(() => Buffer.from("done"));
      apply(state, "complete", { owner: "o2", retainMs: 60_000, held: claims, values }, nowUs);
    }
    expect(order).toEqual(["f4", "f5", "f6"]);
    const { claims } = apply(state, "claim", { owner: "o3", request: 1, queues: ["fair"], max: 10 }, nowUs);
    expect(claims.map(({ counter }) => counter)).toEqual([13]);
  });

  it("X19: finds a slot idle beside one that was let on and has not begun yet", () => {
    const state = field();
    const first = one(state, 1);
    const held = [{ lane: 1, laneName: "a.00", counter: 1, token: first.heldToken }];
    apply(state, "complete", { owner: "o1", retainMs: 60_000, held, values: [Buffer.from("done")] }, nowUs);
    expect(findings(state)).toEqual([]);
    for (const counter of [2, 3]) Object.assign(one(state, counter).tied, { gates: [{ name: "g", slots: 2 }] });
    expect(findings(state, true)).toEqual(["gate_idle"]);
    expect(findings(state)).toEqual([]);
    const { claims } = apply(state, "claim", { owner: "o3", request: 1, queues: ["held"], max: 10 }, nowUs);
    expect(claims.map(({ counter }) => counter)).toEqual([3, 2]);
  });

  it("X19: puts what is missing at a fair gate back so that it is claimed", () => {
    const state = field();
    gate(state, "~fair:0").parked.remove(one(state, 13));
    state.queues.get("fair")?.waiting.splice(0);
    expect(findings(state, true)).toContain("parked_missing");
    expect(findings(state)).toEqual([]);
    const { claims } = apply(state, "claim", { owner: "o3", request: 1, queues: ["fair"], max: 10 }, nowUs);
    expect(claims).toHaveLength(1);
  });

  it("X19: reads a long line once per call, not once for each that stands in it", () => {
    const state = newSegment("s");
    apply(state, "segment_open", { pausedQueues: [] }, nowUs);
    apply(state, "lane_open", { laneName: "a.00", queue: null }, nowUs);
    const ties = { key: null, line: "l", gates: [] };
    const element = { queue: "q", priority: 0, due: null, body: Buffer.from("b"), ties };
    for (let from = 1; from < 20_000; from += 1_000) {
      const elements = Array.from({ length: 1_000 }, (_, i) => ({ ...element, counter: from + i }));
      apply(state, "enqueue_full", { lane: 1, laneName: "a.00", elements }, nowUs);
    }
    const before = process.cpuUsage();
    check(state, { cursor: "index:1:0", max: 100, isMending: false, suspects: [] }, nowUs);
    const { user, system } = process.cpuUsage(before);
    // 16 ms; 1,600 when each was looked for along the line.
    expect((user + system) / 1_000).toBeLessThan(400);
  });
});
