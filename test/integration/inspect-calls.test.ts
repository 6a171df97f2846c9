/**
 * X18, X19: every store call of an inspection is bounded, however many Operations there are. What each costs a server's
 * processor is measured with few Operations and with many: it must not grow with them.
 */
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { measureCalls, quantile } from "../helper/inspect-calls.js";

const FEW = 20_000;
const MANY = 200_000;
/** A call that walked over all of them would cost ten times as much; caches explain less than twice. */
const GROWTH_MAX = 2;
/** Below this, milliseconds are noise. */
const NOISE_MS = 0.3;
const PAGES = 60;
/** The one call that walks along a list: for a record that is in no place, which only damage brings about. */
const WALKS = "fsck, one searched on its list";

describe("X18, X19: calls of an inspection", () => {
  it("cost no more among ten times as many Operations", { timeout: 120_000 }, async () => {
    await using server = await startRedis();
    const few = await measureCalls(server, FEW, PAGES);
    const many = await measureCalls(server, MANY, PAGES);
    const grown = many.flatMap(({ what, costs }, i) => {
      // Nine in ten, so that single calls that met another process are none of the matter, and a few that walk are.
      const before = quantile(few[i]?.costs ?? [], 0.9);
      const after = quantile(costs, 0.9);
      if (what === WALKS) return [];
      return after > GROWTH_MAX * before + NOISE_MS ? [`${what}: ${before.toFixed(2)} → ${after.toFixed(2)} ms`] : [];
    });
    expect(grown).toEqual([]);
  });
});
