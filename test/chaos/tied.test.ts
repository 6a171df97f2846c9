/** X4, X14, I26: slots and places in lines survive the death of whoever holds them. Longer: `npm run chaos -- tied`. */
import { expect, it } from "vitest";
import { openTestRedis } from "../helper/redis.js";
import { playTied } from "./tied-run.js";

it("X4, X14, I26: kill -9 leaks no slot and lets no line stand still or run out of order", async () => {
  await using redis = await openTestRedis();
  const seed = process.pid;
  const operations = 60;
  const report = await playTied({ url: redis.url, app: redis.app, seed, kills: 3, operations });
  expect(report, `seed ${seed}`).toMatchObject({ completed: 2 * operations, overruns: 0, disorder: 0, findings: 0 });
  expect(report.begun).toBeGreaterThanOrEqual(2 * operations);
});
