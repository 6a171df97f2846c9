/**
 * kill -9 of the program, under load: what it was told is true, whatever it was doing when it died.
 */
import { describe, expect, it } from "vitest";
import { openTestRedis } from "../helper/redis.js";
import { ChaosRun } from "./run.js";

describe("a program that is killed again and again", () => {
  it("loses nothing it was told on Redis, and completes nothing twice, while another goes on", async () => {
    await using redis = await openTestRedis();
    await using run = new ChaosRun({ store: redis.url, app: redis.app });
    const steady = await run.start();
    for (let life = 1; life <= 3; life++) {
      const mortal = await run.start();
      await run.load(300);
      await mortal.kill9();
    }
    await steady.drain();
    const verdict = await run.judge();
    expect(verdict.violations).toEqual([]);
    expect(verdict.acknowledged).toBeGreaterThan(500);
    expect(verdict.completed).toBeGreaterThanOrEqual(verdict.acknowledged);
  });

  it("loses nothing it was told on the embedded store, and completes nothing twice, after each new start", async () => {
    await using run = new ChaosRun({ store: "embedded:", app: "chaos" });
    for (let life = 1; life <= 3; life++) {
      const mortal = await run.start();
      await run.load(300);
      await mortal.kill9();
    }
    const last = await run.start();
    await run.load(50);
    await last.drain();
    const verdict = await run.judge();
    expect(verdict.violations).toEqual([]);
    expect(verdict.acknowledged).toBeGreaterThan(500);
    expect(verdict.completed).toBeGreaterThanOrEqual(verdict.acknowledged);
  });
});
