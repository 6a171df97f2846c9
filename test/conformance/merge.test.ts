/**
 * The laws of the status lattice: copies of one Operation's status may arrive in any order, any number of times, and
 * everyone who has heard the same copies says the same.
 */
import {
  compareStatus,
  isTerminal,
  MOVES,
  mergeStatus,
  OPERATION_STATES,
  type StatusCopy,
} from "@millrace/core/internal";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { plain } from "../helper/bytes.js";

const copy: fc.Arbitrary<StatusCopy> = fc.record({
  generation: fc.integer({ min: 0, max: 2 }),
  state: fc.constantFrom(...OPERATION_STATES),
  returns: fc.integer({ min: 0, max: 2 }),
  finishedAtMs: fc.constantFrom(0, 5, 6),
  token: fc.constantFrom(0, 1, 2, 2 ** 50),
  value: fc.uint8Array({ maxLength: 2, max: 2 }),
});

/** What a merge says, comparable. */
function said(status: StatusCopy): unknown {
  return plain(status);
}

function join(copies: readonly StatusCopy[]): StatusCopy {
  return copies.reduce(mergeStatus);
}

/**
 * One legal life: steps drawn from MOVES, each with the counters the stores keep. Always begins as enqueued.
 */
const life: fc.Arbitrary<readonly StatusCopy[]> = fc
  .array(fc.record({ choice: fc.nat(), value: fc.uint8Array({ maxLength: 2 }) }), { minLength: 1, maxLength: 20 })
  .map((draws) => {
    const told: StatusCopy[] = [];
    let clockMs = 1000;
    let token = 0;
    for (const { choice, value } of draws) {
      clockMs += 1;
      const now = told[told.length - 1];
      const from = now?.state ?? null;
      const moves = MOVES.filter((move) => move.from === from);
      const move = moves[choice % moves.length];
      if (move === undefined) break; // an end that cannot be requeued
      const isOutcome = move.transition === "complete" || move.transition === "fail" || move.transition === "release";
      if (move.transition === "claim") token += 1 + (choice % 3);
      const isReturn = from === "running" && !isTerminal(move.to);
      const isRequeue = move.transition === "requeue";
      const before: StatusCopy = now ?? {
        generation: 0,
        state: "scheduled",
        returns: 0,
        finishedAtMs: 0,
        token: 0,
        value,
      };
      told.push({
        generation: before.generation + (isRequeue ? 1 : 0),
        state: move.to,
        returns: isRequeue ? 0 : before.returns + (isReturn ? 1 : 0),
        finishedAtMs: isTerminal(move.to) ? clockMs : 0,
        token: move.to === "running" || isOutcome ? token : before.token,
        value,
      });
    }
    return told;
  });

describe("B28: merging two copies of a status", () => {
  it("does not depend on who speaks first", () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        expect(said(mergeStatus(a, b))).toEqual(said(mergeStatus(b, a)));
      }),
    );
  });

  it("does not depend on how three copies are paired", () => {
    fc.assert(
      fc.property(copy, copy, copy, (a, b, c) => {
        expect(said(mergeStatus(mergeStatus(a, b), c))).toEqual(said(mergeStatus(a, mergeStatus(b, c))));
      }),
    );
  });

  it("changes nothing when a copy is heard again", () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        expect(said(mergeStatus(a, a))).toEqual(said(a));
        const joined = mergeStatus(a, b);
        expect(said(mergeStatus(joined, b))).toEqual(said(joined));
      }),
    );
  });

  it("never answers less than either copy", () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        const joined = mergeStatus(a, b);
        expect(compareStatus(joined, a)).toBeGreaterThanOrEqual(0);
        expect(compareStatus(joined, b)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it("answers one of the two, never a mixture", () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        expect([said(a), said(b)]).toContainEqual(said(mergeStatus(a, b)));
      }),
    );
  });
});

describe("B28: the order behind it", () => {
  it("is total: only equal copies compare as equal", () => {
    fc.assert(
      fc.property(copy, copy, (a, b) => {
        expect(Math.sign(compareStatus(a, b)) + Math.sign(compareStatus(b, a))).toBe(0);
        if (compareStatus(a, b) === 0) expect(said(a)).toEqual(said(b));
      }),
    );
  });

  it("is transitive", () => {
    fc.assert(
      fc.property(copy, copy, copy, (a, b, c) => {
        const [low, middle, high] = [a, b, c].sort(compareStatus) as [StatusCopy, StatusCopy, StatusCopy]; // three
        expect(compareStatus(low, middle)).toBeLessThanOrEqual(0);
        expect(compareStatus(middle, high)).toBeLessThanOrEqual(0);
        expect(compareStatus(low, high)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe("B28: a life of an Operation", () => {
  it("only rises: every legal move makes a copy that knows more", () => {
    fc.assert(
      fc.property(life, (copies) => {
        for (const [i, later] of copies.entries()) {
          const earlier = copies[i - 1];
          if (earlier !== undefined) expect(compareStatus(later, earlier)).toBeGreaterThan(0);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("is heard the same by everyone, whatever the order and however often copies arrive", () => {
    const deliveries = life.chain((copies) =>
      fc.tuple(
        fc.constant(copies),
        fc.shuffledSubarray([...copies, ...copies, ...copies], { minLength: copies.length * 3 }),
      ),
    );
    fc.assert(
      fc.property(deliveries, ([copies, delivered]) => {
        expect(said(join(delivered))).toEqual(said(join([copies[copies.length - 1] as StatusCopy]))); // a life is not empty
      }),
      { numRuns: 500 },
    );
  });

  it("cannot be taken back: once ended, no earlier copy of the same generation wins", () => {
    fc.assert(
      fc.property(life, copy, (copies, stray) => {
        const end = copies[copies.length - 1] as StatusCopy; // a life is not empty
        if (!isTerminal(end.state) || isTerminal(stray.state) || stray.generation > end.generation) return;
        expect(said(mergeStatus(end, stray))).toEqual(said(end));
      }),
    );
  });
});
