import { describe, expect, it } from "vitest";
import { isMillraceError } from "../../base/errors.js";
import { KEEP_ALL, KEEP_MS, retentionOfWorker, stepNameOf, stepsOf } from "./retention.js";

describe("X27: removeOnComplete and removeOnFail", () => {
  const ages = new Map(stepsOf(KEEP_ALL).map((step) => [step.name, step]));

  it("finds a Step that keeps as long as was asked for, or longer", () => {
    for (const age of [1, 59, 60, 61, 3600, 4000, 86_400, 10 * 86_400, 400 * 86_400]) {
      const step = ages.get(stepNameOf({ removeOnComplete: { age } }));
      expect(step?.completedMs, String(age)).toBeGreaterThanOrEqual(age * 1000);
      expect(step?.failedMs).toBe(KEEP_MS);
    }
  });

  it("keeps everything when nothing is said, and hardly anything when removal is asked for", () => {
    expect(ages.get(stepNameOf({}))?.completedMs).toBe(KEEP_MS);
    expect(ages.get(stepNameOf({ removeOnComplete: true, removeOnFail: true }))).toMatchObject({
      completedMs: 1000,
      failedMs: 1000,
    });
    expect(ages.get(stepNameOf({ removeOnFail: false }))?.failedMs).toBe(KEEP_MS);
  });

  it("keeps children of a flow until their parent can have read them", () => {
    expect(ages.get(stepNameOf({ removeOnComplete: true }, 86_400_000))?.completedMs).toBe(86_400_000);
  });

  it("leaves what a job does not say to its Worker", () => {
    const worker = retentionOfWorker({ removeOnComplete: { age: 5 } });
    const steps = new Map(stepsOf(worker).map((step) => [step.name, step]));
    expect(steps.get("job")?.completedMs).toBe(5000);
    expect(steps.get(stepNameOf({ removeOnFail: true }))?.completedMs).toBe(5000);
  });

  it("refuses to keep by count, with the way to say it", () => {
    for (const bad of [100, { count: 100 }, { age: 60, count: 10 }]) {
      const caught = catching(() => stepNameOf({ removeOnComplete: bad }));
      expect(isMillraceError(caught, "MR_COMPAT_UNSUPPORTED")).toBe(true);
      expect(String(caught)).toContain("age");
    }
  });
});

function catching(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  return null;
}
