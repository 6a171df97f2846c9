/** What a Foreman with Workers tells its optimiser. */
import { expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { type CountsAnswer, noTotals, type QueueCounts } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import { CrewSource } from "./crew-source.js";

function counts(queues: readonly QueueCounts[]): CountsAnswer {
  // Only `queues` is read here.
  return {
    queues,
    owners: [],
    scheduled: 0,
    running: 0,
    dead: 0,
    nextDueInMs: null,
    totals: noTotals(),
  } as unknown as CountsAnswer;
}

const ready = (queue: string, count: number, isPaused = false): QueueCounts => ({
  queue,
  ready: count,
  isPaused,
  highest: 0,
});

function setUp() {
  const clock = new ManualClock();
  const answers: { resolve(counts: CountsAnswer): void; reject(error: Error): void }[] = [];
  const totals = {
    async: { claimed: 500, ended: 400, runMs: 20_000, loopMs: 150, workers: 2, busy: 11 },
    blocking: { claimed: 9, ended: 7, runMs: 3_500, loopMs: 4_000, workers: 1, busy: 2 },
  };
  const source = new CrewSource({
    crew: { mix: { slots: 8 }, totals: (kind) => totals[kind] },
    queues: { async: ["mail", "mixed"], blocking: ["images", "mixed"] },
    store: { counts: () => new Promise((resolve, reject) => answers.push({ resolve, reject })) },
    segment: "node-a",
    clock,
    foremen: () => 3,
  });
  return { clock, source, answers };
}

it("sums what waits over Segments, for the Queues of each kind; half of a shared Queue for each", () => {
  const { source } = setUp();
  source.looked("node-a", counts([ready("mail", 10), ready("images", 4), ready("mixed", 6), ready("other", 99)]));
  source.looked("node-b", counts([ready("mail", 5)]));
  expect(source.figures("async").backlog).toBe(18);
  expect(source.figures("blocking").backlog).toBe(7);
});

it("does not count what is paused, but says that it waits", () => {
  const { source } = setUp();
  source.looked("node-a", counts([ready("images", 4, true)]));
  expect(source.figures("blocking")).toMatchObject({ backlog: 0, isPaused: true });
  expect(source.figures("async")).toMatchObject({ backlog: 0, isPaused: false });
});

it("takes the rest from the crew; only event loops can be busy", () => {
  const { source } = setUp();
  source.looked("node-a", counts([]));
  expect(source.figures("async")).toMatchObject({
    ...{ workers: 2, busy: 11, dequeued: 500, ended: 400, runMs: 20_000, loopMs: 150 },
  });
  expect(source.figures("blocking")).toMatchObject({ workers: 1, busy: 2, loopMs: 0 });
});

it("knows nothing before the own Segment was read, and is as old as that", async () => {
  const { clock, source, answers } = setUp();
  source.looked("node-b", counts([ready("mail", 5)]));
  expect(source.figures("async").backlog).toBeNaN();
  expect(source.backlogReadMs).toBe(Number.NEGATIVE_INFINITY);
  source.refresh();
  source.refresh(); // the first has no answer yet
  expect(answers).toHaveLength(1);
  clock.moveTo(clock.nowMs() + 250);
  answers[0]?.resolve(counts([ready("mail", 2)]));
  await Promise.resolve();
  expect(source.backlogReadMs).toBe(250);
  expect(source.figures("async").backlog).toBe(7);
});

it("a Node that has no Segment yet has nothing waiting", async () => {
  const { source, answers } = setUp();
  source.refresh();
  answers[0]?.reject(createError("MR_NOT_FOUND", { kind: "Segment", id: "node-a" }));
  await Promise.resolve();
  await Promise.resolve();
  expect(source).toMatchObject({ isStoreReachable: true, backlogReadMs: 0 });
  expect(source.figures("async").backlog).toBe(0);
});

it("a store that refuses is not reachable until it answers again", async () => {
  const { source, answers } = setUp();
  source.refresh();
  answers[0]?.reject(new Error("away"));
  await Promise.resolve();
  await Promise.resolve();
  expect(source.isStoreReachable).toBe(false);
  source.refresh();
  answers[1]?.resolve(counts([]));
  await Promise.resolve();
  expect(source.isStoreReachable).toBe(true);
});

it("forgets a Segment that nobody has looked at for a minute, but never the own one", () => {
  const { clock, source } = setUp();
  source.looked("node-a", counts([ready("mail", 1)]));
  source.looked("node-b", counts([ready("mail", 5)]));
  clock.moveTo(clock.nowMs() + 61_000);
  source.figures("async");
  expect(source.figures("async").backlog).toBe(1);
});
