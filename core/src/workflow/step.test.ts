/** What options of a Step mean, and which are refused. */
import { describe, expect, it } from "vitest";
import { defineStep } from "./step.js";

const define = (options: object) => defineStep("s", options, async () => 1, undefined);

describe("onLimit", () => {
  it("X4: is `queue` unless a limit says otherwise, each for itself", () => {
    const { concurrency } = define({ concurrency: [3, { limit: 2 }, { limit: 1, key: "host", onLimit: "skip" }] });
    expect(concurrency).toEqual([
      { limit: 3, key: null, onLimit: "queue" },
      { limit: 2, key: null, onLimit: "queue" },
      { limit: 1, key: "host", onLimit: "skip" },
    ]);
  });

  it.each(["drop", "", null, 1, "Skip"])("X4: refuses %j, naming what is legal", (onLimit) => {
    expect(() => define({ concurrency: { limit: 1, onLimit } })).toThrow(
      expect.objectContaining({
        code: "MR_INVALID_OPTION",
        message: expect.stringContaining('onLimit "queue", "skip", "cancel_oldest" or "cancel_newest"'),
      }),
    );
  });

  it("X4: is no option of a rate", () => {
    expect(() => define({ rate: { limit: 1, per: "1s", onLimit: "skip" } })).toThrow(
      expect.objectContaining({ code: "MR_INVALID_OPTION", message: expect.stringContaining("rate") }),
    );
  });
});
