/**
 * The judge of Foremen is judged: each promise has a bad history, written by hand, that must be flagged by its name, and
 * a good neighbour that must not be.
 */
import { describe, expect, it } from "vitest";
import type {
  AbortEvent,
  BackEvent,
  BeginEvent,
  FaultEvent,
  FinalEvent,
  ForemanBounds,
  ForemanEvent,
  HoldingEvent,
  ResultEvent,
} from "./foremen.js";
import { judgeForemen } from "./foremen.js";
import type { EnqueueEvent, OutcomeEvent } from "./history.js";

const bounds: ForemanBounds = {
  leaseMs: 1_000,
  beatMs: 100,
  resumeMs: 1_200,
  recoveriesMax: 3,
  totals: { completed: 1, rescued: 0 },
  isRescueFree: false,
};
const calm: ForemanBounds = { ...bounds, isRescueFree: true };

function enqueue(id = "x"): EnqueueEvent & { readonly atMs: number } {
  return { kind: "enqueue", id, hash: "h", answer: "acknowledged", atMs: 0 };
}

function start(owner: string, atMs: number, token: number, more: Partial<BeginEvent> = {}): BeginEvent {
  const begin = { kind: "start", id: "x", generation: 0, attempt: 1, token, owner, hash: "h", n: 1 } as const;
  return { ...begin, atMs, wallMs: atMs, ...more };
}

function outcome(owner: string, token: number, more: Partial<OutcomeEvent> = {}): OutcomeEvent {
  return { kind: "outcome", transition: "complete", id: "x", generation: 0, token, owner, answer: "ok", ...more };
}

function result(token: number, id = "x"): ResultEvent {
  return { kind: "result", id, token, atMs: 9_000 };
}

function end(token: number, more: Partial<FinalEvent> = {}): FinalEvent {
  return { kind: "end", id: "x", state: "completed", token, attempt: 1, recoveries: 0, returns: 0, ...more };
}

function fault(name: FaultEvent["fault"], owner: string, atMs: number): FaultEvent {
  return { kind: "fault", fault: name, owner, atMs };
}

function holding(owner: string, atMs: number, token: number, id = "x"): HoldingEvent {
  return { kind: "holding", owner, atMs, held: [{ id, token }] };
}

function back(owner: string, atUs: number, token: number, id = "x"): BackEvent {
  return { kind: "back", owner, ids: [id], tokens: [token], atUs };
}

function flags(history: readonly ForemanEvent[], within: ForemanBounds = bounds): readonly string[] {
  return [...new Set(judgeForemen(history, within).breaches.map(({ promise }) => promise))];
}

const whole = (token: number): readonly ForemanEvent[] => [outcome("b", token), result(token), end(token)];
const plain: readonly ForemanEvent[] = [enqueue(), start("b", 10, 5), ...whole(5)];

describe("a good run", () => {
  it("is not flagged", () => {
    expect(flags(plain, calm)).toEqual([]);
  });

  it("may begin again what a killed process held, in time", () => {
    const history = [enqueue(), fault("up", "b", 0), start("a", 10, 5), fault("kill", "a", 20), holding("a", 20, 5)];
    expect(flags([...history, start("b", 1_200, 7), ...whole(7)])).toEqual([]);
  });

  it("may be late when nobody lived long enough to watch, and counts that", () => {
    const history = [
      ...[enqueue(), fault("up", "b", 0), start("a", 10, 5), fault("kill", "a", 20), holding("a", 20, 5)],
      ...[fault("kill", "b", 900), fault("up", "c", 1_000), start("c", 2_150, 7), ...whole(7)],
    ];
    expect(flags(history)).toEqual([]);
    expect(judgeForemen(history.slice(0, -4), bounds).figures.unwatched).toBe(0);
  });

  it("may begin again what stood still for a Lease, or was told that its Lease is lost", () => {
    const stopped = [enqueue(), start("a", 10, 5), fault("stop", "a", 20), start("b", 900, 7)];
    expect(flags([...stopped, outcome("a", 5, { answer: "stale" }), ...whole(7)])).toEqual([]);
    const lost: AbortEvent = { kind: "abort", id: "x", token: 5, owner: "a", reason: "lease_lost", atMs: 40 };
    expect(flags([enqueue(), start("a", 10, 5), lost, start("b", 60, 7), ...whole(7)])).toEqual([]);
  });

  it("may begin, on waking, what a Worker already had in hand, if its outcome is refused; that is counted", () => {
    const history = [
      ...[enqueue(), fault("stop", "a", 20), start("b", 1_500, 7), outcome("b", 7), fault("continue", "a", 3_000)],
      ...[start("a", 3_001, 5), outcome("a", 5, { answer: "stale" }), result(7), end(7)],
    ];
    expect(flags(history)).toEqual([]);
    expect(judgeForemen(history, bounds).figures.zombies).toBe(1);
    expect(flags(history.filter(({ kind }) => kind !== "fault"))).toContain("tokens rise");
  });

  it("may give back to the front what it had not begun", () => {
    const other = [enqueue("y"), start("b", 30, 30, { id: "y", n: 2 }), outcome("b", 30, { id: "y" })];
    const history = [
      ...[enqueue(), back("a", 15, 5), start("b", 20, 20), ...whole(20), ...other],
      ...[result(30, "y"), end(30, { id: "y" })],
    ];
    expect(flags(history, { ...calm, totals: { completed: 2, rescued: 0 } })).toEqual([]);
  });
});

describe("a bad run", () => {
  it("that lost what was acknowledged is flagged", () => {
    expect(flags([enqueue(), end(0, { state: "missing" })], { ...calm, totals: { completed: 0, rescued: 0 } })).toEqual(
      ["no loss"],
    );
  });

  it("whose client was never told is flagged", () => {
    expect(flags([enqueue(), start("b", 10, 5), outcome("b", 5), end(5)], calm)).toEqual(["no loss"]);
  });

  it("that accepted two completions is flagged, by what Foremen were told and by what the store counts", () => {
    const twice = [
      enqueue(),
      start("a", 1, 5),
      fault("stop", "a", 2),
      start("b", 1_500, 7),
      outcome("a", 5),
      ...whole(7),
    ];
    expect(flags(twice)).toEqual(["one completion"]);
    expect(flags(plain, { ...calm, totals: { completed: 2, rescued: 0 } })).toEqual(["one completion"]);
  });

  it("that took the outcome of a lost Lease is flagged", () => {
    const history = [enqueue(), start("a", 1, 5), fault("stop", "a", 2), start("b", 1_500, 7), outcome("a", 5)];
    expect(flags([...history, result(5), end(5)])).toEqual(["fencing"]);
  });

  it("whose client was told another outcome than the store has is flagged", () => {
    const history = [enqueue(), start("a", 1, 5), fault("stop", "a", 2), start("b", 1_500, 7), outcome("b", 7)];
    expect(flags([...history, result(5), end(7)])).toEqual(["one completion"]);
  });

  it("that began something again without a cause is flagged", () => {
    expect(flags([enqueue(), start("a", 10, 5), start("b", 20, 7), ...whole(7)])).toEqual(["no start without a cause"]);
    const early = [enqueue(), start("a", 10, 5), fault("stop", "a", 20), start("b", 500, 7), ...whole(7)];
    expect(flags(early)).toEqual(["no start without a cause"]);
    const before = [enqueue(), fault("kill", "a", 5), start("a", 300, 5), start("b", 320, 7), ...whole(7)];
    expect(flags(before)).toEqual(["no start without a cause"]);
    const stopping = [enqueue(), start("a", 10, 5), fault("terminate", "a", 15), start("b", 20, 7), ...whole(7)];
    expect(flags(stopping, calm)).toContain("no start without a cause");
  });

  it("that spent an Attempt on a way back is flagged", () => {
    const second = start("b", 20, 7, { attempt: 2 });
    expect(flags([enqueue(), second, outcome("b", 7), result(7), end(7, { attempt: 2 })], calm)).toEqual([
      "no Attempt spent",
    ]);
    expect(flags([enqueue(), start("b", 10, 5), outcome("b", 5), result(5), end(5, { attempt: 2 })], calm)).toEqual([
      "no Attempt spent",
    ]);
  });

  it("that resumed too late, or never, is flagged", () => {
    const killed = [enqueue(), fault("up", "b", 0), start("a", 10, 5), fault("kill", "a", 20), holding("a", 20, 5)];
    expect(flags([...killed, start("b", 1_300, 7), ...whole(7)])).toEqual(["resumed"]);
    expect(
      flags([...killed, end(0, { state: "running" })], { ...bounds, totals: { completed: 0, rescued: 0 } }),
    ).toEqual(["drained", "all completed", "resumed"]);
  });

  it("that rescued anything while all lived is flagged", () => {
    expect(flags(plain, { ...calm, totals: { completed: 1, rescued: 1 } })).toEqual(["no wrong rescue"]);
  });

  it("that dead-lettered an innocent Operation is flagged, and the poison is exempt", () => {
    const dead = [enqueue(), start("a", 10, 5), fault("kill", "a", 20), end(0, { state: "failed", recoveries: 4 })];
    const within = { ...bounds, totals: { completed: 0, rescued: 4 } };
    expect(flags(dead, within)).toEqual(["all completed"]);
    expect(flags(dead, { ...within, exempt: new Set(["x"]) })).toEqual([]);
  });

  it("that gave something back behind others is flagged", () => {
    const other = [enqueue("y"), start("b", 30, 18, { id: "y", n: 2 }), outcome("b", 18, { id: "y" })];
    const history = [
      ...[enqueue(), back("a", 15, 5), start("b", 20, 20), ...whole(20), ...other],
      ...[result(18, "y"), end(18, { id: "y" })],
    ];
    const two = { ...calm, totals: { completed: 2, rescued: 0 } };
    expect(flags(history, two)).toEqual(["order at the front"]);
    // What came back by a rescue stands in front, too; and what came back while an answer was lost may stand before it.
    const rescued = history.map((event) =>
      event.kind === "end" && event.id === "y" ? { ...event, returns: 1 } : event,
    );
    expect(flags(rescued, two)).toEqual([]);
    const lost = history.map((event) => (event.kind === "back" ? { ...event, sentUs: 8 } : event));
    expect(flags([back("b", 12, 3, "y"), ...lost], two)).toEqual([]);
    expect(flags([back("b", 7, 3, "y"), ...lost], two)).toEqual(["order at the front"]);
  });
});
