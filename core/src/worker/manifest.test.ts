/** The manifest: everything that is data crosses, nothing else does. */
import { describe, expect, it } from "vitest";
import { Executors } from "../workflow/executor.js";
import { defineStep } from "../workflow/step.js";
import { manifestOf, stepFromManifest } from "./manifest.js";

const schema = { "~standard": { version: 1, vendor: "test", validate: (value: unknown) => ({ value }) } } as const;

describe("a manifest", () => {
  it("is structured-clone data, without functions, loggers and schemas", () => {
    const options = {
      id: "shop",
      store: ["redis://a", "redis://b"],
      workers: { slots: 8, queues: ["a"] },
      logger: new (class Log {
        warn = () => undefined;
      })(),
      defaults: { retries: 1, backoff: () => 5, input: schema, retain: { failed: "1d" } },
      module: undefined,
    };
    const steps = [
      defineStep("plain", { queue: "q", priority: 4 }, async () => undefined, undefined),
      defineStep("own", { backoff: () => 1, retryOn: () => true, input: schema, timeout: "none" }, () => 0, undefined),
    ];
    const manifest = manifestOf("shop", options, steps);
    expect(structuredClone(manifest)).toEqual(manifest);
    expect(manifest.app).toEqual({
      id: "shop",
      options: {
        id: "shop",
        store: ["redis://a", "redis://b"],
        workers: { slots: 8, queues: ["a"] },
        defaults: { retries: 1, retain: { failed: "1d" } },
      },
    });
    expect(manifest.steps[1]).toMatchObject({ backoff: null, hasRetryOn: true, hasInput: true, hasOutput: false });
  });

  it("gives Steps back that differ in their functions only, and that cannot be run", () => {
    const executors = new Executors();
    executors.register("mine", { execute: () => undefined });
    const options = { executor: "mine", retries: 7, retryDelay: 3, jitter: 0.5, timeout: "1m", killGrace: 9 };
    const step = defineStep("one", options, async () => undefined, undefined, executors);
    const [row] = manifestOf("shop", {}, [step]).steps;
    const copy = row === undefined ? step : stepFromManifest(row);
    expect({ ...copy, fn: null }).toEqual({ ...step, fn: null });
    expect(() => copy.fn(1, {} as never)).toThrow(expect.objectContaining({ code: "MR_INVARIANT" }));
  });
});
