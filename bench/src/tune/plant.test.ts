/** The simulator against queueing theory and against what can be counted by hand. */
import { seededRandom } from "@millrace/core/internal";
import { describe, expect, it } from "vitest";
import { fixed, timetable } from "./controllers.js";
import { type Controller, type PlantSettings, play } from "./plant.js";
import { type Arrival, makeTrace, type Trace } from "./trace.js";

const ideal: PlantSettings = { dispatchMs: 0, startMs: 0, pickAgainMs: 30_000 };

function traceOf(arrivals: readonly Arrival[], lengthMs: number, cores = Number.POSITIVE_INFINITY): Trace {
  return makeTrace({ name: "test", lengthMs, phasesMs: [0], cores }, arrivals);
}

function blocking(atMs: number, cpuMs: number, waitMs = 0): Arrival {
  return { atMs, isBlocking: true, cpuMs, waitMs };
}

function call(atMs: number, cpuMs: number, waitMs = 0): Arrival {
  return { atMs, isBlocking: false, cpuMs, waitMs };
}

/** Poisson arrivals, exponential service. */
function markov(seed: number, perSecond: number, meanMs: number, lengthMs: number): Arrival[] {
  const random = seededRandom(seed);
  const arrivals: Arrival[] = [];
  for (let atMs = 0; ; ) {
    atMs -= (Math.log(1 - random.next()) * 1_000) / perSecond;
    if (atMs >= lengthMs) return arrivals;
    arrivals.push(blocking(atMs, -Math.log(1 - random.next()) * meanMs));
  }
}

/** Mean age at the start in ms, over the whole run. */
function meanAgeMs(trace: Trace, controller: Controller, settings = ideal): number {
  // Little: mean number waiting = rate · mean wait, and the course counts who waits each second.
  const { course } = play(trace, controller, settings);
  const waiting = course.reduce((sum, { backlog }) => sum + backlog.blocking + backlog.async, 0) / course.length;
  return (waiting * trace.lengthMs) / trace.count;
}

/** Mean wait of M/M/c (Erlang C), in ms. */
function erlangWaitMs(perMs: number, meanMs: number, servers: number): number {
  const load = perMs * meanMs;
  let term = 1;
  let sum = 1;
  for (let k = 1; k < servers; k++) {
    term *= load / k;
    sum += term;
  }
  const full = ((term * load) / servers) * (servers / (servers - load));
  return ((full / (sum + full)) * meanMs) / (servers - load);
}

describe("queueing", () => {
  it.each([
    [1, 3.5],
    [3, 10.5],
    [5, 18],
  ])("%i blocking Workers wait as Erlang says (M/M/c)", (servers, perSecond) => {
    const lengthMs = 16_000_000;
    const trace = traceOf(markov(servers, perSecond, 200, lengthMs), lengthMs);
    const measured = meanAgeMs(trace, fixed({ blocking: servers, async: 1, slots: 1 }));
    const expected = erlangWaitMs(perSecond / 1_000, 200, servers);
    expect(Math.abs(measured / expected - 1)).toBeLessThan(0.08);
  });

  it("one Operation after the other in a blocking Worker", () => {
    const result = play(
      traceOf([blocking(0, 400, 100), blocking(0, 400, 100), blocking(0, 400, 100)], 2_000),
      fixed({ blocking: 1, async: 1, slots: 1 }),
      ideal,
    );
    expect(result.p99AgeMs.blocking).toBe(1_000);
    expect(result.p99SojournMs.blocking).toBe(1_500);
  });

  it("what never started counts with its age", () => {
    const result = play(
      traceOf([blocking(0, 9_000), blocking(0, 9_000)], 5_000),
      fixed({ blocking: 1, async: 1, slots: 1 }),
      ideal,
    );
    expect(result.p99AgeMs.blocking).toBe(5_000);
    expect(result.completed.blocking).toBe(0);
  });
});

describe("event loops", () => {
  it("slots overlap waits: ten calls of 100 ms in ten slots take 100 ms", () => {
    const calls = Array.from({ length: 10 }, () => call(0, 0, 100));
    const result = play(traceOf(calls, 1_000), fixed({ blocking: 1, async: 1, slots: 10 }), ideal);
    expect(result.p99SojournMs.async).toBe(100);
    const narrow = play(traceOf(calls, 2_000), fixed({ blocking: 1, async: 1, slots: 2 }), ideal);
    expect(narrow.p99SojournMs.async).toBe(500);
  });

  it("but not computing: ten calls of 100 ms on one loop take a second, on two half of it", () => {
    const calls = Array.from({ length: 10 }, () => call(0, 100));
    const one = play(traceOf(calls, 3_000), fixed({ blocking: 1, async: 1, slots: 64 }), ideal);
    expect(one.p99SojournMs.async).toBeCloseTo(1_000, 6);
    const two = play(traceOf(calls, 3_000), fixed({ blocking: 1, async: 2, slots: 64 }), ideal);
    expect(two.p99SojournMs.async).toBeCloseTo(500, 6);
  });

  it("a busy loop is seen in the sample", () => {
    let loopMs = 0;
    const controller: Controller = {
      start: { blocking: 1, async: 2, slots: 8 },
      isInstant: false,
      second: (sample) => {
        loopMs += sample.async.loopMs;
        return null;
      },
    };
    play(traceOf([call(0, 300, 50), call(0, 300, 50), call(0, 300, 50)], 5_000), controller, ideal);
    expect(loopMs).toBeCloseTo(900, 6);
  });
});

describe("cores", () => {
  it("more busy threads than cores go slower alike", () => {
    const work = Array.from({ length: 4 }, () => blocking(0, 1_000));
    const mix = fixed({ blocking: 4, async: 1, slots: 1 });
    expect(play(traceOf(work, 9_000), mix, ideal).p99SojournMs.blocking).toBeCloseTo(1_000, 6);
    expect(play(traceOf(work, 9_000, 2), mix, ideal).p99SojournMs.blocking).toBeCloseTo(2_000, 6);
  });

  it("waiting needs no core", () => {
    const work = Array.from({ length: 4 }, () => blocking(0, 0, 1_000));
    const result = play(traceOf(work, 9_000, 1), fixed({ blocking: 4, async: 1, slots: 1 }), ideal);
    expect(result.p99SojournMs.blocking).toBeCloseTo(1_000, 6);
  });
});

describe("changing the mix", () => {
  const asks = (
    atMs: number,
    mix: { blocking: number; async: number; slots: number },
    isInstant = false,
  ): Controller => ({
    start: { blocking: 1, async: 2, slots: 1 },
    isInstant,
    second: (_, nowMs) => (nowMs >= atMs ? mix : null),
  });

  it("a Worker ends what it has and starts anew before it helps", () => {
    // Both async Workers are busy until 2.5 s; one is asked to change at 1 s.
    const work = [call(0, 2_500), call(0, 2_500), ...Array.from({ length: 9 }, () => blocking(1_000, 1_000))];
    const settings = { ...ideal, startMs: 500 };
    const mix = { blocking: 2, async: 1, slots: 1 };
    const slow = play(traceOf(work, 20_000), asks(1_000, mix), settings);
    // Alone until 3 s (2 done), then two: 1.0 + 2 · 1.0 + 7 of them by two Workers
    expect(slow.p99SojournMs.blocking).toBeCloseTo(6_000, 0);
    const instant = play(traceOf(work, 20_000), asks(1_000, mix, true), settings);
    expect(instant.p99SojournMs.blocking).toBeCloseTo(5_000, 0);
    expect(instant.completed.async).toBe(2);
  });

  it("one that does not come free in time is let go on, and another one is picked", () => {
    const work = [call(0, 100_000), call(100, 50_000), blocking(1_000, 1), blocking(60_000, 1)];
    const moved: number[] = [];
    const controller: Controller = {
      start: { blocking: 1, async: 2, slots: 1 },
      isInstant: false,
      second: (sample, nowMs) => {
        if (sample.mix.blocking === 2) moved.push(nowMs);
        return { blocking: 2, async: 1, slots: 1 };
      },
    };
    play(traceOf(work, 120_000), controller, ideal);
    // The first is picked at 1 s and let go at 31 s; the second ends at 50.1 s.
    expect(moved[0]).toBe(51_000);
  });

  it("a timetable changes at its phases", () => {
    const work = Array.from({ length: 100 }, (_, i) => blocking(i * 100, 300));
    const trace = { ...traceOf(work, 12_000), phasesMs: [0, 5_000] };
    const good = timetable(
      [0, 5_000],
      [
        { blocking: 1, async: 4, slots: 1 },
        { blocking: 4, async: 1, slots: 1 },
      ],
    );
    const { course } = play(trace, good, ideal);
    expect(course[3]?.blocking).toBe(1);
    expect(course[5]?.blocking).toBe(4);
  });

  it("the same trace gives the same run", () => {
    const trace = traceOf(markov(3, 5, 300, 600_000), 600_000);
    const run = () => play(trace, fixed({ blocking: 2, async: 1, slots: 1 }), ideal);
    expect(run()).toEqual(run());
  });
});
