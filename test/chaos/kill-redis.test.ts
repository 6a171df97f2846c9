/**
 * kill -9 of the server, under load, with both ways of writing an append-only file before a call is answered: the
 * programs go on by themselves, nothing acknowledged is lost, nothing is completed twice.
 *
 * Not with `everysec`: while its flush is late, for want of a disk or of a processor, the server answers first and
 * writes later, and a kill takes that along. The plays `outages` and the profiles measure how much.
 */
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { ChaosRun } from "./run.js";

describe.each(["no", "always"] as const)("a Redis server that is killed, appendfsync %s", (appendfsync) => {
  it("loses nothing it acknowledged", async () => {
    await using redis = await startRedis({ appendonly: true, appendfsync });
    await using run = new ChaosRun({ store: redis.url, app: "chaos" });
    const programs = await Promise.all([run.start(), run.start()]);
    for (let kill = 1; kill <= 3; kill++) {
      await run.load(300);
      await redis.kill9();
      await redis.restart();
    }
    await run.load(100);
    await Promise.all(programs.map((program) => program.drain()));
    const verdict = await run.judge();
    expect(verdict.violations).toEqual([]);
    expect(verdict.unknown).toBeGreaterThan(0);
    expect(verdict.completed).toBeGreaterThanOrEqual(verdict.acknowledged);
  });
});
