/**
 * B41, X18, X19: store calls are bounded, those of an inspection too, however many Operations there are. What each costs a server's
 * processor is measured with few Operations and with many: it must not grow with them.
 */
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { measureCalls, quantile } from "../helper/call-costs.js";

const FEW = 20_000;
const MANY = 200_000;
/** A call that walked over all of them would cost about ten times as much; caches, which few fit into, explain two. */
const GROWTH_MAX = 3;
/** Below this, milliseconds are noise. */
const NOISE_MS = 0.3;
const PAGES = 60;
/** The one call that walks along a list: for a record that is in no place, which only damage brings about. */
const WALKS = "fsck, one searched on its list";
/**
 * Processor time does not count other processes, but a machine that slows down makes every instruction dearer. What
 * grows with the Operations grows each time; what met such a moment does not.
 */
const ROUNDS = 3;

describe("B41, X18, X19: calls of a life and of an inspection", () => {
  it("cost no more among ten times as many Operations", { timeout: 300_000 }, async () => {
    await using server = await startRedis();
    let grown: ReadonlyMap<string, string> | null = null;
    for (let round = 0; round < ROUNDS && grown?.size !== 0; round++) {
      const now = await grownCalls(server);
      grown = new Map([...now].filter(([what]) => grown?.has(what) ?? true));
    }
    expect([...(grown ?? [])]).toEqual([]);
  });
});

/** The calls that cost more with many, and how much. */
async function grownCalls(server: Parameters<typeof measureCalls>[0]): Promise<ReadonlyMap<string, string>> {
  const few = await measureCalls(server, FEW, PAGES);
  const many = await measureCalls(server, MANY, PAGES);
  const grown = new Map<string, string>();
  for (const [i, { what, costs }] of many.entries()) {
    if (what === WALKS) continue;
    // Nine in ten, so that single calls that met another process are none of the matter, and a few that walk are.
    const before = quantile(few[i]?.costs ?? [], 0.9);
    const after = quantile(costs, 0.9);
    if (after > GROWTH_MAX * before + NOISE_MS) grown.set(what, `${before.toFixed(2)} → ${after.toFixed(2)} ms`);
  }
  return grown;
}
