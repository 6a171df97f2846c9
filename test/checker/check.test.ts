/**
 * The checker is checked: each promise has a bad history, written by hand, that must be flagged by its name, and each
 * bad history has a good neighbour that must not be.
 */
import { describe, expect, it } from "vitest";
import { check } from "./check.js";
import type { Bounds, EndEvent, EnqueueEvent, HistoryEvent, OutcomeEvent, StartEvent } from "./history.js";

const bounds: Bounds = { attemptsMax: 3, recoveriesMax: 2, isFaultFree: false };
const calm: Bounds = { ...bounds, isFaultFree: true };

function enqueue(answer: EnqueueEvent["answer"] = "acknowledged", hash = "h"): EnqueueEvent {
  return { kind: "enqueue", id: "x", hash, answer };
}

function start(token: number, more: Partial<StartEvent> = {}): StartEvent {
  return { kind: "start", id: "x", generation: 1, attempt: 1, token, owner: "o1", hash: "h", ...more };
}

function outcome(
  transition: OutcomeEvent["transition"],
  token: number,
  answer: OutcomeEvent["answer"] = "ok",
  more: Partial<OutcomeEvent> = {},
): OutcomeEvent {
  return { kind: "outcome", transition, id: "x", generation: 1, token, owner: "o1", answer, ...more };
}

function end(state: EndEvent["state"]): EndEvent {
  return { kind: "end", id: "x", state };
}

function flags(history: readonly HistoryEvent[], within: Bounds = bounds): readonly string[] {
  return [...new Set(check(history, within).map(({ promise }) => promise))];
}

const good: readonly HistoryEvent[] = [enqueue(), start(5), outcome("complete", 5), end("completed")];

describe("a good history", () => {
  it("is not flagged", () => {
    expect(flags(good, calm)).toEqual([]);
    expect(flags([])).toEqual([]);
  });

  it("may contain lost answers that were asked for again", () => {
    const history = [
      enqueue("unknown"),
      enqueue(),
      start(5),
      outcome("complete", 5, "unknown"),
      outcome("complete", 5, "duplicate"),
      end("completed"),
    ];
    expect(flags(history, calm)).toEqual([]);
  });

  it("may contain an unknown enqueue that happened, or that did not", () => {
    expect(flags([enqueue("unknown"), start(5), outcome("complete", 5), end("completed")])).toEqual([]);
    expect(flags([enqueue("unknown"), end("missing")])).toEqual([]);
    expect(flags([enqueue("refused"), end("missing")])).toEqual([]);
  });

  it("may contain a rescue: started again, the old owner refused", () => {
    const again = [start(5), start(7, { owner: "o2" }), outcome("complete", 5, "stale"), outcome("complete", 7, "ok")];
    expect(flags([enqueue(), ...again, end("completed")])).toEqual([]);
  });

  it("may contain retries, releases, and a pruned end", () => {
    const history = [
      enqueue(),
      start(5),
      outcome("release", 5),
      start(6),
      outcome("fail", 6),
      start(7, { attempt: 2 }),
      outcome("complete", 7),
      end("pruned"),
    ];
    expect(flags(history, calm)).toEqual([]);
  });

  it("may complete again in a new generation", () => {
    const second = [start(9, { generation: 2 }), outcome("complete", 9, "ok", { generation: 2 }), end("completed")];
    expect(flags([enqueue(), start(5), outcome("fail", 5), ...second], calm)).toEqual([]);
  });
});

describe("a bad history", () => {
  it("that lost what was acknowledged is flagged", () => {
    expect(flags([enqueue(), end("missing")])).toEqual(["no loss"]);
    expect(flags([enqueue()])).toEqual(["no loss"]);
    expect(flags([enqueue("unknown"), enqueue(), start(5), end("missing")])).toEqual(["no loss"]);
  });

  it("that lost an accepted outcome is flagged", () => {
    expect(flags([enqueue("unknown"), start(5), outcome("complete", 5), end("missing")])).toEqual(["no loss"]);
  });

  it("that never drained is flagged", () => {
    expect(flags([enqueue(), start(5), end("running")])).toEqual(["drained"]);
    expect(flags([enqueue(), end("ready")])).toEqual(["drained"]);
  });

  it("with work that nobody enqueued is flagged", () => {
    expect(flags([start(5), outcome("complete", 5), end("completed")])).toEqual(["no fabrication"]);
    expect(flags([enqueue("refused"), start(5)])).toEqual(["no fabrication"]);
    expect(flags([end("completed")])).toEqual(["no fabrication"]);
    expect(flags([enqueue(), end("completed")])).toEqual(["no fabrication"]);
    expect(flags([enqueue(), start(5), outcome("complete", 6), end("completed")])).toEqual(["no fabrication"]);
  });

  it("with other bytes than were sent is flagged", () => {
    expect(flags([enqueue(), start(5, { hash: "other" }), outcome("complete", 5), end("completed")])).toEqual([
      "fidelity",
    ]);
  });

  it("with two accepted outcomes of one Attempt is flagged", () => {
    const history = [enqueue(), start(5), outcome("fail", 5), outcome("complete", 5), end("completed")];
    expect(flags(history)).toEqual(["one accepted outcome"]);
  });

  it("with two completions of one generation is flagged, also when one answer was `duplicate`", () => {
    for (const answer of ["ok", "duplicate"] as const) {
      const twice = [start(5), start(7, { owner: "o2" }), outcome("complete", 5), outcome("complete", 7, answer)];
      expect(flags([enqueue(), ...twice, end("completed")])).toEqual(["one completion"]);
    }
  });

  it("with one token in two pairs of hands is flagged", () => {
    const history = [enqueue(), start(5), start(5, { owner: "o2" }), outcome("complete", 5), end("completed")];
    expect(flags(history)).toEqual(["owner and token once"]);
  });

  it("with falling tokens is flagged", () => {
    const history = [enqueue(), start(7), start(5, { owner: "o2" }), outcome("complete", 5), end("completed")];
    expect(flags(history)).toEqual(["tokens rise"]);
  });

  it("with a start after the end is flagged", () => {
    const history = [...good.slice(0, 3), start(9, { owner: "o2" }), end("completed")];
    expect(flags(history)).toEqual(["no start after the end"]);
  });

  it("with too many starts is flagged", () => {
    const starts = [1, 2, 3, 4, 5, 6].map((token) => start(token));
    expect(flags([enqueue(), ...starts, outcome("complete", 6), end("completed")])).toEqual(["bounded starts"]);
    expect(flags([enqueue(), ...starts.slice(1), outcome("complete", 6), end("completed")])).toEqual([]);
  });

  it("with a second start though nothing had failed is flagged", () => {
    const history = [enqueue(), start(5), start(7), outcome("complete", 7), end("completed")];
    expect(flags(history, calm)).toEqual(["bounded starts"]);
  });

  it("names the id and says what is wrong", () => {
    expect(check([enqueue(), end("missing")], bounds)).toEqual([
      { promise: "no loss", id: "x", says: "it was acknowledged and is missing in the end" },
    ]);
  });
});
