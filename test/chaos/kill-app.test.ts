/**
 * kill -9 of a program that uses nothing but the public door: an App with its default options.
 */
import { describe, expect, it } from "vitest";
import { openTestRedis } from "../helper/redis.js";
import { ChaosRun, type Verdict } from "./run.js";

describe("an App that is killed", () => {
  it("B31: has lost nothing it acknowledged on Redis: what it held is run by another after its Lease", async () => {
    await using redis = await openTestRedis();
    await using run = new ChaosRun({ store: redis.url, app: redis.app, program: "app-program" });
    const steady = await run.start();
    for (let life = 1; life <= 2; life++) {
      const mortal = await run.start();
      await run.load(300);
      await mortal.kill9();
    }
    await steady.drain();
    expectGood(await run.judge());
  });

  it("B31: has lost nothing it acknowledged on the embedded store: the next start goes on with it", async () => {
    await using run = new ChaosRun({ store: "embedded:", app: "chaos", program: "app-program" });
    for (let life = 1; life <= 2; life++) {
      const mortal = await run.start();
      await run.load(300);
      await mortal.kill9();
    }
    const last = await run.start();
    await run.load(50);
    await last.drain();
    expectGood(await run.judge());
  });
});

/** An enqueue that was not acknowledged may have happened: such ids are not in the log, and no fabrication. */
function expectGood(verdict: Verdict): void {
  const { violations } = verdict;
  expect(violations.filter(({ promise }) => promise !== "no fabrication")).toEqual([]);
  expect(verdict.acknowledged).toBeGreaterThan(200);
}
