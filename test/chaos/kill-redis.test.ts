/**
 * kill -9 of the server, under load, with both ways of keeping an append-only file: the programs go on by themselves,
 * nothing acknowledged is lost, nothing is completed twice.
 */
import { existsSync } from "node:fs";
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { ChaosRun } from "./run.js";

/** A disk that is never behind: on a busy one a server with `everysec` holds writes back, and a kill takes them along. */
const swift = existsSync("/dev/shm") ? { parent: "/dev/shm" } : {};

describe.each(["everysec", "always"] as const)("a Redis server that is killed, appendfsync %s", (appendfsync) => {
  it("loses nothing it acknowledged", async () => {
    await using redis = await startRedis({ appendonly: true, appendfsync, ...swift });
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
