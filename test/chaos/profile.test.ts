/**
 * The shortest profile of `npm run chaos`: every kind of work, a kill of Redis and of a Foreman, connections and replies
 * cut off, judged by all invariants. Prints its seed with what it broke; always the same one, so that a red gate is about
 * the change at hand: other seeds are for `npm run chaos -- --profile`.
 */
import { describe, expect, it } from "vitest";
import { play } from "./profile/play.js";
import { profileOf } from "./profile/profile.js";
import { wordsOf } from "./profile/report.js";
import { mustSee } from "./profile/sometimes.js";

const seed = Number(process.env.MILLRACE_SEED ?? 7);

describe("a profile", { timeout: 120_000 }, () => {
  it("is the same for the same seed, and another for another", () => {
    expect(profileOf("quick", 7)).toEqual(profileOf("quick", 7));
    expect(profileOf("quick", 7).map(({ seed }) => seed)).not.toEqual(profileOf("quick", 8).map(({ seed }) => seed));
    expect(profileOf("full", 7).map(({ place }) => place)).toEqual(profileOf("quick", 7).map(({ place }) => place));
  });

  it("must see what its faults lead to, and nothing that they cannot", () => {
    const of = (name: "quick" | "full", place: string): readonly string[] =>
      profileOf(name, 7).flatMap((plan) => (plan.place === place ? mustSee(plan) : []));
    expect(of("full", "sentinel")).toEqual(expect.arrayContaining(["announced stale", "announced missing"]));
    expect(of("quick", "everysec")).toContain("rescue");
    expect(of("quick", "everysec")).not.toContain("MISCONF");
    expect(of("full", "everysec")).toContain("MISCONF");
    expect(of("full", "embedded")).not.toContain("rescue refused");
    expect(profileOf("smoke", 7).flatMap(mustSee)).toEqual([]);
  });

  it("keeps every promise while Redis, Foremen and answers are lost", async () => {
    for (const plan of profileOf("smoke", seed)) {
      const report = await play(plan, () => undefined);
      expect(report.violations, wordsOf(report)).toEqual([]);
      expect(report.integrity.lostInWindow, wordsOf(report)).toBe(0);
      // How soon all works again, and whether a fault was felt, is also the machine's doing.
      const stuck = report.breaches.filter((one) => /broke off|deaf|^L1|^L4/.test(one));
      expect(stuck, wordsOf(report)).toEqual([]);
    }
  });
});
