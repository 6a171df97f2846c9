/** Advice on declarations: each piece is given where it fits, and only there. */
import type { Manifest } from "@millrace/core/server";
import { expect, it } from "vitest";
import { adviseOn, adviseOnDepth } from "./doctor-lints.js";

const backoff = { retryDelayMs: 1_000, backoff: "exponential", factor: 2, maxRetryDelayMs: 3_600_000, jitter: 0 };

function stateOf(check: string, id: string, step: object, drainMs = 30_000, given: number | null = null) {
  const steps = [{ name: "one", retries: 3, timeoutMs: 300_000, backoff, ...step }];
  const manifest = { app: { id, options: { workers: { drain: drainMs } } }, steps } as unknown as Manifest; // what the advice reads of it
  return adviseOn(manifest, given).find((one) => one.check === check)?.state;
}

it("B43: doctor flags an App without a name, an Attempt without a limit and waits that do not grow", () => {
  expect(["app id", "timeouts", "retries"].map((check) => stateOf(check, "mine", {}))).toEqual(["ok", "ok", "ok"]);
  expect(stateOf("app id", "default", {})).toBe("warn");
  expect(stateOf("timeouts", "mine", { timeoutMs: Number.POSITIVE_INFINITY })).toBe("warn");
  for (const even of [{ backoff: "fixed" }, { factor: 1 }, { retryDelayMs: 0 }]) {
    expect(stateOf("retries", "mine", { backoff: { ...backoff, ...even } })).toBe("warn");
  }
  expect(stateOf("retries", "mine", { retries: 1, backoff: { ...backoff, backoff: "fixed" } })).toBe("ok");
});

it("B43: doctor flags a stop that cuts off Attempts which may take longer", () => {
  const minute = 60_000;
  const stopOf = (timeoutMs: number, drainMs: number, given: number | null = null) =>
    stateOf("graceful stop", "mine", { timeoutMs }, drainMs, given);
  // The defaults say nothing of how long a Step takes.
  expect(stopOf(5 * minute, minute / 2)).toBe("ok");
  expect(stopOf(6 * minute, minute / 2)).toBe("warn");
  expect(stopOf(Number.POSITIVE_INFINITY, minute / 2)).toBe("warn");
  expect(stopOf(6 * minute, 6 * minute)).toBe("ok");
  expect(stopOf(5 * minute, minute / 6)).toBe("warn");
  expect(stopOf(minute / 6, minute / 6)).toBe("ok");
  // A Foreman's setting goes before what the module says.
  expect(stopOf(6 * minute, minute / 2, 7 * minute)).toBe("ok");
  expect(stopOf(6 * minute, 6 * minute, 0)).toBe("warn");
});

it("B43: doctor flags a Segment in which more waits than was ever measured, and names it", () => {
  const some = { name: "web-1", ready: 1_000_000 };
  expect(adviseOnDepth([some, { name: "web-2", ready: 5 }])).toMatchObject({ state: "ok", found: "1,000,005 ready" });
  const deep = adviseOnDepth([some, { name: "web-2", ready: 1_000_001 }]);
  expect(deep).toMatchObject({ state: "warn", found: "more than 1,000,000 ready in web-2 (1,000,001)" });
  expect(deep.fix).toContain("queueMax");
});
