/** A Redis whose memory is nearly used up: new work is refused early, what is there is worked off, and all goes on. */
import { App, type Handle } from "@millrace/core";
import { startRedis } from "@millrace/scripts/redis-server";
import { describe, expect, it } from "vitest";
import { poll } from "../helper/wait.js";

const budget = 16 * 1024 * 1024;

describe("a store that gets full", () => {
  it("X29: refuses new work from 85 % on with a code of its own, drains, and recovers", async () => {
    await using server = await startRedis({
      args: ["--maxmemory", String(budget), "--maxmemory-policy", "noeviction"],
    });
    await using app = new App({ store: server.url, memoryMax: 2 * budget, id: "full" });
    const swallow = app.step("swallow", async (_input: string) => null);
    const input = "x".repeat(64 * 1024 - 200);
    const taken: Handle<null>[] = [];
    let refusal: unknown = null;
    await poll(
      async () => {
        try {
          taken.push(await swallow.enqueue(input));
        } catch (error) {
          refusal = error;
        }
        return refusal;
      },
      "the store fills",
      30_000,
    );
    // Its own bound is less than the budget named; the server itself has refused nothing yet.
    expect(refusal).toMatchObject({ code: "MR_QUOTA", retryable: true });
    expect(taken.length).toBeGreaterThan(100);
    await app.start();
    for (const handle of taken) expect(await handle.result({ timeout: "30s" })).toBeNull();
    const again = await poll(() => swallow.enqueue(input).catch(() => null), "there is room again");
    expect(await again.result({ timeout: "30s" })).toBeNull();
  });

  it("X29: a budget for a store that cannot tell is refused at once", async () => {
    await using app = new App({ store: "memory:", memoryMax: budget });
    await expect(app.step("s", async () => null).enqueue(null)).rejects.toMatchObject({ code: "MR_INVALID_OPTION" });
  });
});
