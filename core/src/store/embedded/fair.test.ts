/** X4: what a fair gate remembers of flows stays bounded, whoever comes. */
import { describe, expect, it } from "vitest";
import { apply, newSegment } from "./machine.js";

const nowUs = Date.UTC(2026, 0, 1) * 1000;

describe("X4: the flows of a fair gate", () => {
  it("are forgotten beyond 10,000 if each is a new one, those that are far ahead last", () => {
    const state = newSegment("s");
    apply(state, "segment_open", { pausedQueues: [] }, nowUs);
    apply(state, "lane_open", { laneName: "a.00", queue: null }, nowUs);
    let counter = 0;
    const enqueue = (count: number, flowOf: (n: number) => string) => {
      const elements = Array.from({ length: count }, () => {
        const flow = { name: flowOf(++counter), weight: 1 };
        const ties = { key: null, line: null, gates: [], flow };
        return { counter, queue: "q", priority: 0, due: null, body: Buffer.from("b"), ties };
      });
      apply(state, "enqueue_full", { lane: 1, laneName: "a.00", elements }, nowUs);
    };
    enqueue(50, () => "heavy");
    for (let request = 1; request <= 25; request++) {
      enqueue(1_000, (n) => `flow ${n}`);
      const { claims } = apply(state, "claim", { owner: "o", request, queues: ["q"], max: 1_000 }, nowUs);
      expect(claims).toHaveLength(1_000);
    }
    const fair = state.gates.get("~q:0")?.fair ?? null;
    expect(fair?.served.size).toBeLessThanOrEqual(10_000);
    expect(fair?.served.get("heavy")).toBe((fair?.clock ?? 0) + 50);
  });
});
