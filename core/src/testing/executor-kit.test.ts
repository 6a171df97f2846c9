/** The executor kit: a sound executor passes, and each kind of broken one fails the check that is about it. */
import { describe, expect, it } from "vitest";
import type { Executor } from "../workflow/executor.js";
import { checkExecutor, type ExecutorSample, executorChecks } from "./executor-kit.js";

const sample = (make: () => Executor): ExecutorSample => ({
  make,
  input: { n: 3 },
  fn: ({ n }: { n: number }) => Promise.resolve({ doubled: 2 * n }),
  expected: { doubled: 6 },
});

/** Sound: a queue of its own, two at a time, health and all. */
function soundExecutor(): Executor {
  let isStarted = false;
  return {
    concurrency: 2,
    start: () => {
      isStarted = true;
    },
    execute: async ({ run }, signal) => {
      signal.throwIfAborted();
      return await run();
    },
    health: () => isStarted,
    stop: () => {
      isStarted = false;
    },
  };
}

async function failing(make: () => Executor): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of executorChecks(sample(make))) await run().catch(() => failed.push(name));
  return failed;
}

describe("F10: a sound executor", () => {
  for (const { name, run } of executorChecks(sample(soundExecutor))) it(name, run);

  it("passes without a test runner, too", async () => {
    await checkExecutor(sample(soundExecutor));
  });
});

describe("F10: a broken executor", () => {
  it("that loses results is told so", async () => {
    const make = () => ({ ...soundExecutor(), execute: async () => undefined });
    expect(await failing(make)).toContain("gives what the call gives");
    await expect(checkExecutor(sample(make))).rejects.toMatchObject({ code: "MR_CONTRACT_BROKEN" });
  });

  it("that swallows errors is told so", async () => {
    const make = (): Executor => ({
      execute: async ({ run }) => {
        try {
          return await run();
        } catch {
          return null;
        }
      },
    });
    expect(await failing(make)).toEqual(["throws what the Step's function throws"]);
  });

  it("that says it is unwell after a good start is told so", async () => {
    const make = () => ({ ...soundExecutor(), health: () => false });
    expect(await failing(make)).toEqual(["says whether it is well, if it can be asked"]);
  });

  it("that is of no use after a failed call is told so", async () => {
    const make = (): Executor => {
      let hasFailed = false;
      return {
        execute: async ({ run }) => {
          if (hasFailed) return null;
          try {
            return await run();
          } catch (error) {
            hasFailed = true;
            throw error;
          }
        },
      };
    };
    expect(await failing(make)).toEqual(["is usable after a call that failed"]);
  });

  it("that holds on to aborted calls is told so", { timeout: 20_000 }, async () => {
    const make = (): Executor => ({
      execute: ({ run }, signal) => {
        const done = Promise.resolve().then(run);
        return Promise.race([
          done.catch((error: unknown) => (signal.aborted ? new Promise(() => undefined) : Promise.reject(error))),
        ]);
      },
    });
    expect(await failing(make)).toEqual(["lets go of a call whose Attempt is aborted"]);
  });
});
