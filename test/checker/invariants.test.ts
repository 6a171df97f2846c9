/**
 * The invariants are tested: each has a bad history, written by hand, that must be flagged by its number, and good
 * neighbours that must not be.
 */
import { describe, expect, it } from "vitest";
import type { AbortEvent, FaultEvent, FinalEvent } from "./foremen.js";
import type { EnqueueEvent, OutcomeEvent } from "./history.js";
import { judgeRun } from "./invariants.js";
import type { AskEvent, DoneEvent, HarmEvent, RunBounds, RunEvent, StartedEvent, TermsEvent } from "./run-history.js";
import { INVARIANTS } from "./violation.js";

const bounds: RunBounds = {
  leaseMs: 1_000,
  beatMs: 100,
  marginMs: 100,
  attemptsMax: { flaky: 3 },
  recoveriesMax: 2,
  caps: { two: 2 },
  paces: { slow: { everyMs: 100, burst: 2 } },
  isFaultFree: false,
  mayRollBack: false,
};
const calm: RunBounds = { ...bounds, isFaultFree: true };

function ask(hash = "h", more: Partial<AskEvent> = {}): AskEvent {
  return { kind: "ask", hash, atMs: 0, ...more };
}

function ack(id = "x", hash = "h", atMs = 1): EnqueueEvent & { readonly atMs: number } {
  return { kind: "enqueue", id, hash, answer: "acknowledged", atMs };
}

function start(token: number, atMs: number, more: Partial<StartedEvent> = {}): StartedEvent {
  const begin = { kind: "start", id: "x", generation: 0, attempt: 1, token, owner: "a", hash: "h", n: 1 } as const;
  return { ...begin, step: "plain", atMs, wallMs: atMs, ...more };
}

function done(token: number, atMs: number, more: Partial<DoneEvent> = {}): DoneEvent {
  return { kind: "done", id: "x", token, owner: "a", how: "returned", atMs, ...more };
}

function outcome(token: number, more: Partial<OutcomeEvent> = {}): OutcomeEvent {
  return { kind: "outcome", transition: "complete", id: "x", generation: 0, token, owner: "a", answer: "ok", ...more };
}

function end(token: number, more: Partial<FinalEvent> = {}): FinalEvent {
  return { kind: "end", id: "x", state: "completed", token, attempt: 1, recoveries: 0, returns: 0, ...more };
}

function fault(name: FaultEvent["fault"], owner: string, atMs: number): FaultEvent {
  return { kind: "fault", fault: name, owner, atMs };
}

function harm(fromMs: number, untilMs: number, losesMs: number | null = null): HarmEvent {
  return { kind: "harm", harm: "outage", fromMs, untilMs, losesMs };
}

function terms(id: string, more: Partial<TermsEvent>): TermsEvent {
  return { kind: "terms", id, ...more };
}

/** One Operation that goes well, by other names and times than `x`. */
function well(
  id: string,
  token: number,
  fromMs: number,
  untilMs: number,
  more: Partial<StartedEvent> = {},
): RunEvent[] {
  return [
    ...[ask(id), ack(id, id), start(token, fromMs, { id, hash: id, ...more })],
    ...[done(token, untilMs, { id, owner: more.owner ?? "a" }), outcome(token, { id }), end(token, { id })],
  ];
}

function flags(history: readonly RunEvent[], within: RunBounds = bounds): readonly string[] {
  return [...new Set(judgeRun(history, within).violations.map(({ invariant }) => invariant))];
}

const plain: readonly RunEvent[] = [ask(), ack(), start(5, 10), done(5, 20), outcome(5), end(5)];
const retried: readonly RunEvent[] = [
  ...[ask(), ack(), start(5, 10, { step: "flaky" }), done(5, 15, { how: "threw" })],
  ...[outcome(5, { transition: "fail" }), start(7, 20, { step: "flaky", attempt: 2 }), done(7, 30)],
  ...[outcome(7), end(7, { attempt: 2 })],
];
/** Its owner dies, another takes it up. */
const rescued: readonly RunEvent[] = [
  ...[ask(), ack(), start(5, 10), fault("kill", "a", 20), start(7, 1_200, { owner: "b" })],
  ...[done(7, 1_300, { owner: "b" }), outcome(7, { owner: "b" }), end(7, { recoveries: 1 })],
];

describe("a good history", () => {
  it("is not flagged", () => {
    expect(flags([], calm)).toEqual([]);
    expect(flags(plain, calm)).toEqual([]);
    expect(flags(retried, calm)).toEqual([]);
    expect(flags(rescued)).toEqual([]);
  });

  it("may hold an unknown enqueue that happened, one that did not, and a refused one", () => {
    expect(flags([ask(), start(5, 10), done(5, 20), outcome(5), ask("other")], calm)).toEqual([]);
    expect(flags([ask(), { ...ack(), answer: "refused" }, end(0, { state: "missing" })], calm)).toEqual([]);
  });

  it("may hold a second owner beside one that stood still, or was told of its lost Lease", () => {
    const again = [start(7, 1_300, { owner: "b" }), done(7, 1_400, { owner: "b" }), outcome(7), end(7)];
    const stale = outcome(5, { answer: "stale" });
    const stopped = [fault("stop", "a", 20), ...again, fault("continue", "a", 1_500), done(5, 1_510), stale];
    expect(flags([ask(), ack(), start(5, 10), ...stopped])).toEqual([]);
    const told: AbortEvent = { kind: "abort", id: "x", token: 5, owner: "a", reason: "lease_lost", atMs: 1_000 };
    expect(flags([ask(), ack(), start(5, 10), told, ...again, done(5, 1_350, { how: "aborted" }), stale])).toEqual([]);
    expect(flags([ask(), ack(), start(5, 10), harm(15, 1_250), ...again, done(5, 1_350), stale])).toEqual([]);
  });

  it("may be a new generation after a failure", () => {
    const dead = [ask(), ack(), start(5, 10), done(5, 15, { how: "threw" }), outcome(5, { transition: "fail" })];
    const second = [start(9, 50, { generation: 1 }), done(9, 60), outcome(9, { generation: 1 }), end(9)];
    expect(flags([...dead, ...second], calm)).toEqual([]);
  });
});

describe("a bad history is flagged", () => {
  it("I1: work that nobody asked for", () => {
    expect(flags([start(5, 10), done(5, 20), outcome(5), end(5)])).toEqual(["I1"]);
    expect(flags([ask(), ack(), end(5)])).toEqual(["I1"]);
  });

  it("I2: what was acknowledged is missing, or nobody looked for it", () => {
    expect(flags([ask(), ack(), end(0, { state: "missing" })])).toEqual(["I2"]);
    expect(flags([ask(), ack()])).toEqual(["I2"]);
  });

  it("I3: a loss outside the window that may be lost; inside, it is counted", () => {
    const missing = end(0, { state: "missing" });
    expect(flags([ask(), ack("x", "h", 100), harm(5_000, 6_000, 2_000), missing])).toEqual(["I3"]);
    const inside = [ask(), ack("x", "h", 4_000), harm(5_000, 6_000, 2_000), missing];
    expect(flags(inside)).toEqual([]);
    expect(judgeRun(inside, bounds).lost).toEqual({ count: 1, spanMs: 1_000 });
    // It may have ended in the same last moments; what its client saw end after them was there.
    const told = (atMs: number) => ({ kind: "told", id: "x", state: "completed", atMs }) as const;
    expect(flags([...inside, told(4_500)])).toEqual([]);
    expect(flags([...inside, told(6_500)])).toEqual(["I3"]);
  });

  it("I4: one ask under two ids, and one key held by two", () => {
    const twice = [ack("y", "h"), end(0, { id: "y", state: "pruned" })];
    expect(flags([...plain, ...twice])).toEqual(["I4"]);
    const key = { userKey: "k" };
    const second = [ask("g"), ack("y", "g", 15), terms("y", key), start(8, 30, { id: "y", hash: "g" })];
    const ends = [done(8, 40, { id: "y" }), outcome(8, { id: "y" }), end(8, { id: "y" })];
    expect(flags([...plain, terms("x", key), ...second, ...ends])).toEqual(["I4"]);
    const later = second.map((event) => (event.kind === "enqueue" ? { ...event, atMs: 25 } : event));
    expect(flags([...plain, terms("x", key), ...later, ...ends])).toEqual([]);
  });

  it("I5: other bytes than were sent", () => {
    expect(flags([ask(), ack(), start(5, 10, { hash: "g" }), done(5, 20), outcome(5), end(5)])).toEqual(["I5"]);
  });

  it("I6: half of a batch", () => {
    const both = [ask("h", { batch: "b" }), ask("g", { batch: "b" })];
    expect(flags([...both, ...plain.slice(1)])).toEqual(["I6"]);
    expect(flags([...both, ...plain.slice(1), ...well("g", 8, 10, 20).slice(1)])).toEqual([]);
    expect(flags(both)).toEqual([]);
  });

  it("I7: a word that the state machine does not know", () => {
    const second = [start(7, 20, { step: "flaky", attempt: 2 }), done(7, 30), outcome(7), end(7)];
    const first = [start(5, 10, { step: "flaky" }), done(5, 15), outcome(5, { transition: "release" })];
    expect(flags([ask(), ack(), ...first, ...second], calm)).toContain("I7");
    // Refused when it was sent again; what became of the first time nobody knows.
    const failed = (answer: OutcomeEvent["answer"]) => outcome(5, { transition: "fail", answer });
    const failing = [start(5, 10, { step: "flaky" }), done(5, 15, { how: "threw" })];
    expect(flags([ask(), ack(), ...failing, failed("stale"), ...second], calm)).toContain("I7");
    expect(flags([ask(), ack(), ...failing, failed("unknown"), failed("stale"), ...second], calm)).toEqual([]);
    // Its end was sent, and nobody heard of it any more: then a rescue too many may have ended it.
    const poisoned = end(5, { state: "failed", recoveries: 2 });
    expect(flags([ask(), ack(), start(5, 10), done(5, 15), outcome(5, { answer: "unknown" }), poisoned])).toEqual([]);
    expect(flags([ask(), ack(), end(5, { state: "failed", recoveries: 2 })])).toEqual([]);
    expect(flags([ask(), ack(), end(5, { state: "failed", recoveries: 1 })])).toEqual(["I7"]);
    const never = end(5, { state: "cancelled" });
    expect(flags([ask(), ack(), never], calm)).toEqual(["I7"]);
    expect(flags([...plain, { kind: "finding", id: "x", finding: "ready_twice" }], calm)).toEqual(["I7"]);
  });

  it("I8: falling tokens, and one token twice", () => {
    const falls = [start(7, 10, { owner: "b" }), fault("kill", "b", 11), start(5, 20), done(5, 25), outcome(5), end(5)];
    expect(flags([ask(), ack(), ...falls])).toContain("I8");
    expect(flags([ask(), ack(), start(5, 10), start(5, 12), done(5, 20), outcome(5), end(5)])).toContain("I8");
  });

  it("I9: one token of two owners", () => {
    const two = [start(5, 10), start(5, 12, { owner: "b" }), done(5, 20), outcome(5), end(5)];
    expect(flags([ask(), ack(), ...two])).toContain("I9");
  });

  it("I10: an outcome of one that was not the owner any more, and two of one Attempt", () => {
    const taken = [
      start(5, 10),
      fault("stop", "a", 20),
      start(7, 1_300, { owner: "b" }),
      fault("continue", "a", 1_400),
    ];
    const late = [done(5, 1_500), outcome(5), end(5)];
    expect(flags([ask(), ack(), ...taken, ...late])).toEqual(["I10"]);
    const both = [...taken, done(5, 1_500), outcome(5, { transition: "fail" }), outcome(7, { owner: "b" }), end(7)];
    expect(flags([ask(), ack(), ...both])).toEqual(["I10"]);
    expect(flags([...plain.slice(0, -1), end(9)])).toEqual(["I10"]);
  });

  it("I11: something after the end", () => {
    const again = [start(7, 50, { owner: "b" }), done(7, 60, { owner: "b" }), outcome(7, { answer: "stale" })];
    expect(flags([...plain, ...again])).toContain("I11");
    const told = { kind: "told", id: "x", state: "completed", atMs: 30 } as const;
    expect(flags([...plain.slice(0, -1), told, end(5, { state: "failed" })])).toContain("I11");
  });

  it("I12: more starts than Attempts and recoveries, a counter that falls, a cap that is passed", () => {
    const killed = (n: number) => [start(n, n * 1_000, { owner: `o${n}` }), fault("kill", `o${n}`, n * 1_000 + 10)];
    const four = [1, 2, 3, 4].flatMap(killed);
    expect(flags([ask(), ack(), ...four, end(4, { state: "failed", recoveries: 4 })])).toEqual(["I12"]);
    const past = end(3, { state: "completed", recoveries: 3 });
    const three = [...killed(1), ...killed(2), start(3, 3_000), done(3, 3_010), outcome(3)];
    expect(flags([ask(), ack(), ...three, past])).toEqual(["I12"]);
    expect(flags([ask(), ack(), ...three, end(3, { recoveries: 2 })])).toEqual([]);
    const lowered = [
      ...[start(5, 10, { step: "flaky" }), done(5, 15, { how: "threw" }), outcome(5, { transition: "fail" })],
      ...[start(6, 20, { step: "flaky", attempt: 2, owner: "b" }), fault("kill", "b", 30)],
      ...[start(7, 1_200, { step: "flaky", attempt: 1 }), done(7, 1_210), outcome(7), end(7)],
    ] as const;
    expect(flags([ask(), ack(), ...lowered])).toContain("I12");
  });

  it("I13: what may start once started twice", () => {
    expect(flags([...rescued, terms("x", { isAtMostOnce: true })])).toEqual(["I13"]);
    expect(flags([...plain, terms("x", { isAtMostOnce: true })])).toEqual([]);
  });

  it("I14: two effects at once, with no fault as long as a Lease", () => {
    const taken = [start(5, 10), start(7, 50, { owner: "b" }), done(5, 100), done(7, 100, { owner: "b" })];
    const rest = [outcome(5, { answer: "stale" }), outcome(7, { owner: "b" }), end(7)];
    expect(flags([ask(), ack(), ...taken, ...rest])).toContain("I14");
    expect(flags([ask(), ack(), harm(20, 200), ...taken, ...rest])).toContain("I14");
  });

  it("I15: a second start of an Attempt that nothing had ended", () => {
    const again = [start(5, 10), done(5, 20), start(7, 50, { owner: "b" }), done(7, 60, { owner: "b" })];
    const rest = [outcome(5, { answer: "stale" }), outcome(7, { owner: "b" }), end(7)];
    expect(flags([ask(), ack(), ...again, ...rest])).toEqual(["I15"]);
    expect(flags(rescued, calm)).toContain("I15");
    const released = [start(5, 10), done(5, 20), outcome(5, { transition: "release" }), ...again.slice(2)];
    expect(flags([ask(), ack(), ...released, ...rest], calm)).toEqual([]);
  });

  it("I16: effects of one whose Lease is over, unless it stood still", () => {
    const beat = { kind: "beat", owner: "a", sentMs: 100 } as const;
    const late = [start(5, 1_400, { wallMs: 1_400 }), done(5, 1_410), outcome(5), end(5)];
    expect(flags([ask(), ack(), beat, ...late])).toEqual(["I16"]);
    const slow = [start(5, 150, { wallMs: 150 }), done(5, 1_400), outcome(5), end(5)];
    expect(flags([ask(), ack(), beat, ...slow])).toEqual(["I16"]);
    const woken = [fault("stop", "a", 200), fault("continue", "a", 1_390), ...late];
    expect(flags([ask(), ack(), beat, ...woken])).toEqual([]);
    expect(judgeRun([ask(), ack(), beat, ...woken], bounds).zombies).toBe(2);
  });

  it("I25: a line whose second begins before its first, or beside it", () => {
    const places = [terms("p", { line: "l", place: 1 }), terms("q", { line: "l", place: 2 })];
    expect(flags([...well("p", 9, 30, 40), ...well("q", 5, 10, 20), ...places])).toEqual(["I25"]);
    expect(flags([...well("p", 5, 10, 30), ...well("q", 9, 20, 40), ...places])).toEqual(["I25"]);
    expect(flags([...well("p", 5, 10, 20), ...well("q", 9, 30, 40), ...places])).toEqual([]);
    const zombie = [start(3, 50, { id: "p", owner: "z", hash: "p" }), done(3, 60, { id: "p", owner: "z" })];
    const stood = [fault("stop", "z", 5), fault("continue", "z", 45)];
    const slow = { ...bounds, leaseMs: 20, beatMs: 1, marginMs: 0 };
    expect(
      flags([...stood, ...well("p", 5, 10, 20), ...well("q", 9, 30, 40), ...zombie, ...places], slow),
    ).not.toContain("I25");
  });

  it("I26: more at once than a cap, sooner than a pace", () => {
    const three = ["p", "q", "r"].flatMap((id, i) => well(id, i + 5, 10 + i, 50, { caps: ["two"] }));
    expect(flags(three)).toEqual(["I26"]);
    expect(
      flags(["p", "q", "r"].flatMap((id, i) => well(id, i + 5, 10 + 20 * i, 45 + 20 * i, { caps: ["two"] }))),
    ).toEqual([]);
    const at = (ms: number, id: string) => well(id, ms * 1_000, ms, ms + 5, { paces: ["slow"] });
    expect(flags([...at(1_000, "p"), ...at(1_001, "q"), ...at(1_050, "r")])).toEqual(["I26"]);
    expect(flags([...at(1_000, "p"), ...at(1_001, "q"), ...at(1_100, "r"), ...at(1_200, "s")])).toEqual([]);
  });

  it("I26: more at once than a cap that was lowered", () => {
    const low = (most: number, fromUs: number, untilUs: number) =>
      ({ kind: "narrowed", cap: "two", most, fromUs, untilUs, atMs: fromUs / 1_000 }) as const;
    // Claimed at 1,000 and 1,020 ms; each takes 100 ms.
    const at = (ms: number, id: string) => well(id, ms * 1_000, ms, ms + 100, { caps: ["two"], wallMs: ms });
    const both = [...at(1_000, "p"), ...at(1_020, "q")];
    expect(flags([...both, low(1, 1_010_000, 1_500_000)])).toEqual(["I26"]);
    expect(flags([...both, low(2, 1_010_000, 1_500_000)])).toEqual([]);
    // Claimed before it was lowered, or after it was raised again.
    expect(flags([...both, low(1, 1_021_000, 1_500_000)])).toEqual([]);
    expect(flags([...both, low(1, 1_001_000, 1_019_000)])).toEqual([]);
    expect(flags([...at(1_000, "p"), ...at(1_100, "q"), low(1, 1_010_000, 1_500_000)])).toEqual([]);
    const lost = { kind: "harm", harm: "x", fromMs: 1_200, untilMs: 1_300, losesMs: 1_000 } as const;
    expect(flags([...both, low(1, 1_010_000, 1_500_000), lost])).toEqual([]);
  });

  it("I40: a claim while its Queue was paused", () => {
    const paused = (fromUs: number, untilUs: number) => ({ kind: "paused", step: "plain", fromUs, untilUs }) as const;
    expect(flags([...plain, paused(3, 8)])).toEqual(["I40"]);
    expect(flags([...plain, paused(6, 8), paused(1, 4)])).toEqual([]);
  });

  it("L1: what is still there when all has drained", () => {
    expect(flags([ask(), ack(), end(0, { state: "ready" })])).toEqual(["L1"]);
  });

  it("L5: what the store says runs somewhere, and nobody there was told", () => {
    const stranded = { kind: "stranded", id: "x", token: 7, owner: "a", atMs: 50 } as const;
    expect(flags([...plain, stranded])).toEqual(["L5"]);
  });

  it("I1: what started although its enqueue was refused", () => {
    const refused = { kind: "refused", hash: "h", code: "MR_STORE_FULL", atMs: 2 } as const;
    const begun = [start(5, 10), done(5, 20), outcome(5), end(5)];
    expect(flags([ask(), refused, ...begun])).toEqual(["I1"]);
    expect(flags([ask(), refused])).toEqual([]);
  });

  it("and a run that broke off is not judged by ends that nobody looked for", () => {
    expect(flags([ask(), ack()])).toEqual(["I2"]);
    expect(flags([ask(), ack()], { ...bounds, isCut: true })).toEqual([]);
  });

  it("and what a rollback may forget is told apart", () => {
    const taken = [start(5, 10), done(5, 20), outcome(5, { atMs: 25 }), start(7, 50, { owner: "b" })];
    const rest = [done(7, 60, { owner: "b" }), outcome(7, { owner: "b" }), end(7)];
    const history = [ask(), ack(), ...taken, ...rest, harm(30, 40, 20)];
    const verdict = judgeRun(history, { ...bounds, mayRollBack: true });
    expect(verdict.violations).toEqual([]);
    expect(verdict.forgotten.length).toBeGreaterThan(0);
    expect(flags(history)).not.toEqual([]);
    // Whose end was forgotten runs again behind the one that stood behind it.
    const places = [terms("p", { line: "l", place: 1 }), terms("q", { line: "l", place: 2 })];
    const again = [start(20, 150, { id: "p", hash: "p", owner: "b" }), done(20, 160, { id: "p", owner: "b" })];
    const line = [...well("p", 5, 35, 40), ...well("q", 9, 100, 110), ...again, ...places, harm(30, 45, 20)];
    const invariants = ({ violations }: ReturnType<typeof judgeRun>) => violations.map(({ invariant }) => invariant);
    expect(invariants(judgeRun(line, { ...bounds, mayRollBack: true }))).not.toContain("I25");
    expect(invariants(judgeRun(line, bounds))).toContain("I25");
  });

  it("names every invariant once", () => {
    expect(Object.keys(INVARIANTS)).toHaveLength(21);
  });
});
