/**
 * Two servers, three Nodes, and a cut: see sites-run.ts. `npm run chaos -- sites` plays it with 20 s of cut.
 */
import { describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { netnsProblem } from "../helper/netns.js";
import { playSites } from "./sites-run.js";

const problem = netnsProblem();
if (problem !== null) console.warn(`SKIPPED: one of several servers cut off in network namespaces: ${problem}`);

describe.skipIf(problem !== null)("X11: an App with two servers and three Nodes, one server cut off for 5 s", () => {
  it("loses nothing, accepts nothing twice, goes on enqueueing, and agrees in the end", async () => {
    const said: string[] = [];
    const verdict = await playSites({
      nodes: 3,
      sites: 2,
      how: "site",
      cutMs: 5_000,
      calmMs: 2_000,
      say: (line) => said.push(line),
    });
    const { violations, acceptedTwice, completedTwice, disagreements, ...figures } = verdict;
    const told = `${said.join("\n")}\n${JSON.stringify(figures, null, 2)}`;
    expect(violations, told).toEqual([]);
    expect(acceptedTwice, told).toEqual([]);
    expect(completedTwice, told).toEqual([]);
    expect(disagreements, told).toEqual([]);
    expect(verdict.acknowledged + verdict.unknown + verdict.refused, told).toBe(verdict.asked);
    expect(verdict.completed, told).toBeGreaterThanOrEqual(verdict.acknowledged);
    expect(verdict.failovers, told).toBeGreaterThan(0);
    // From when the cut is noticed, every Node is told of its enqueues again.
    for (const count of Object.values(verdict.duringCut)) expect(count, told).toBeGreaterThan(50);
    for (const gapMs of Object.values(verdict.longestGapMs)) expectInTime(gapMs, 4_500, told);
  }, 150_000);
});
