/**
 * The plays of `npm run chaos` about Foremen, scaled down: fewer faults, shorter Leases, and more patience where only the
 * machine's speed would be judged. Each prints its seed with what it broke.
 */
import { describe, expect, it } from "vitest";
import { LATE } from "../helper/in-time.js";
import { clockOfRedis, clocksOfForemen } from "./foremen/clocks.js";
import { failovers } from "./foremen/failovers.js";
import { killForemen } from "./foremen/kill-foremen.js";
import { outages } from "./foremen/outages.js";
import { poison } from "./foremen/poison.js";
import { hasCompiler } from "./foremen/redis-clock.js";
import type { Report, ScenarioOptions } from "./foremen/report.js";
import type { Form } from "./foremen/settings.js";
import { sigstop } from "./foremen/sigstop.js";
import { sigterm } from "./foremen/sigterm.js";

const leaseMs = 3_000;
/** Beyond the Lease; the full plays judge by two seconds, on a machine of their own. */
const spareMs = 5_000;
const timeoutMs = 120_000;

function brief(form: Form): ScenarioOptions {
  return { form, leaseMs, seed: Date.now() % 1_000_000, progress: () => undefined };
}

function expectKept(report: Report): void {
  const { breaches } = report;
  const isLate = breaches.every(({ promise, says }) => promise === "works again" || says.endsWith("ms late"));
  expect(report, isLate ? LATE : "").toMatchObject({ breaches: [] });
}

describe("Foremen", { timeout: timeoutMs }, () => {
  it("that are killed lose nothing, and others take up what they held after a Lease", async () => {
    expectKept(await killForemen({ ...brief("threads"), kills: 4, resumeMs: leaseMs + spareMs }));
  });

  it("that are killed under a supervisor are followed by one that does not wait for the Lease", async () => {
    const patient = { ...brief("supervised"), leaseMs: 20_000 };
    expectKept(await killForemen({ ...patient, kills: 2, upMs: 0, pauseMs: [200, 1_000], resumeMs: 8_000 }));
  });

  it("that are told to stop give everything back in order, and beat until they are gone", async () => {
    expectKept(await sigterm({ ...brief("command"), times: 3 }));
  });

  it("G9: that stood still for three Leases are refused, tell their handlers, and work on", async () => {
    expectKept(await sigstop(brief("threads")));
  });

  it("whose wall clocks jump by an hour rescue nobody who lives, and whoever dies", async () => {
    expectKept(await clocksOfForemen(brief("threads")));
  });

  const compiled = hasCompiler();
  if (!compiled) console.warn("SKIPPED: there is no C compiler (cc), so Redis' clock cannot be moved");
  it.skipIf(!compiled)("do the same when the clock of Redis jumps, and start what is delayed once", async () => {
    expectKept(await clockOfRedis({ ...brief("threads"), jumps: 2 }));
  });

  it("that are killed by an Operation dead-letter it, and nothing that always ran beside it", async () => {
    expectKept(await poison({ ...brief("threads"), leaseMs: 2_000, isBrief: true }));
  });

  it("X1: whose Redis goes away and comes back work again within 3 s, and lose nothing", async () => {
    const patient = { ...brief("threads"), leaseMs: 10_000 };
    expectKept(await outages({ ...patient, downsMs: [100, 1_000, 6_000], stormMs: 3_000 }));
  });

  it("X1: whose Sentinels choose another primary work again within 3 s, and accept nothing twice", async () => {
    expectKept(await failovers({ ...brief("threads"), leaseMs: 10_000, count: 2 }));
  });
});
