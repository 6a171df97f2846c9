import { expect, test } from "vitest";
import { Ledger } from "./ledger.js";
import { jobIndex, makeJobs } from "./subject.js";

test("a run in which every job ran once, was acknowledged and is kept has no loss and no duplicate", async () => {
  const ledger = new Ledger(3);
  for (const index of [0, 1, 2]) ledger.ran(index);
  ledger.acknowledged(3);
  await ledger.all();
  expect(ledger.audit(3)).toEqual({ jobs: 3, lost: 0, duplicated: 0 });
});

test("a job that never ran is lost, even if another ran twice instead", () => {
  const ledger = new Ledger(2);
  ledger.ran(0);
  ledger.ran(0);
  ledger.acknowledged(2);
  expect(ledger.audit(2)).toEqual({ jobs: 2, lost: 1, duplicated: 1 });
});

test("a job nobody enqueued counts as a duplicate", () => {
  const ledger = new Ledger(1);
  ledger.ran(0);
  ledger.ran(7);
  ledger.acknowledged(1);
  expect(ledger.audit(1).duplicated).toBe(1);
});

test("what was acknowledged but is not kept is lost", () => {
  const ledger = new Ledger(2);
  ledger.ran(0);
  ledger.ran(1);
  ledger.acknowledged(2);
  expect(ledger.audit(1)).toEqual({ jobs: 2, lost: 1, duplicated: 0 });
});

test("waiting for all resolves with the last acknowledgement, batch or not", async () => {
  const ledger = new Ledger(5);
  const all = ledger.all();
  ledger.acknowledged(2);
  ledger.acknowledged(3);
  await all;
  expect(ledger.done).toBe(5);
});

test("jobs are exactly as many bytes of JSON as asked, and keep their index", () => {
  const jobs = makeJobs(3, 100);
  expect(jobs.map((job) => JSON.stringify(job).length)).toEqual([100, 100, 100]);
  expect(jobs.map((job) => jobIndex(job.n))).toEqual([0, 1, 2]);
});
