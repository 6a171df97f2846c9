/**
 * Every option of a Step has an effect: one case for each row of the table, on memory and on an embedded store.
 *
 * A case shows what would not happen without its option. A row without a case, or a case without a row, fails.
 */
import { App, type AppOptions, type Handle, OperationFailed, type StepOptions } from "@millrace/core";
import { SETTLE_IN, seededRandom, stepTable } from "@millrace/core/internal";
import { afterEach, describe, expect, it } from "vitest";
import { everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";
import { WALL_SLACK_MS } from "../helper/wall-slack.js";

/** Makes an App of the place; it is closed after the test. */
type Make = (options?: AppOptions) => Promise<App>;

const PATIENCE = { timeout: "8s" } as const;

/** Options of a Step without a schema of its input. */
type Plain<I> = StepOptions<I> & { readonly input?: never };

const forever = () => new Promise<never>(() => undefined);

/** Fails every Attempt of one Operation; resolves with the times between their beginnings, in ms. */
async function waitsOf(app: App, options: Plain<undefined>): Promise<number[]> {
  const begins: number[] = [];
  const step = app.step("fails", options, async () => {
    begins.push(performance.now());
    throw new Error("no luck");
  });
  await app.start();
  await (await step.enqueue(undefined)).wait(PATIENCE);
  return begins.slice(1).map((ms, i) => ms - (begins[i] ?? ms) + WALL_SLACK_MS);
}

/** What of each input ran, in order, on one slot; all were enqueued before the start. */
async function orderOf(make: Make, options: Plain<{ key: string }>, keys: readonly string[]): Promise<string> {
  const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
  const ran: string[] = [];
  const step = app.step("notes", options, async ({ key }: { key: string }) => {
    ran.push(key);
  });
  const handles: Handle[] = [];
  for (const key of keys) handles.push(await step.enqueue({ key }));
  await app.start();
  await app.gather(handles, PATIENCE);
  return ran.join("");
}

/** The most that ran at once of four Operations of one key. */
async function peakOf(make: Make, options: Plain<{ key: string }>): Promise<number> {
  const app = await make();
  let running = 0;
  let peak = 0;
  const step = app.step("peak", options, async () => {
    peak = Math.max(peak, ++running);
    await new Promise((resolve) => setTimeout(resolve, 20));
    running--;
  });
  await app.start();
  const { handles } = await app.enqueueMany(step, Array(4).fill({ key: "k" }) as { key: string }[]);
  await app.gather(handles as Handle[], PATIENCE);
  return peak;
}

async function failureOf(handle: Handle): Promise<OperationFailed> {
  const failure = await handle.result(PATIENCE).catch((error: unknown) => error);
  if (!(failure instanceof OperationFailed)) throw new Error(`expected a failure, got ${String(failure)}`);
  return failure;
}

/** A Standard Schema: a text with digits, which becomes their number. */
const digits: NonNullable<StepOptions["input"]> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value: unknown) =>
      typeof value === "string" && /^\d+$/.test(value)
        ? { value: Number(value) }
        : { issues: [{ message: "no digits", path: ["n"] }] },
  },
};

const cases: Record<keyof typeof stepTable, (make: Make) => Promise<void>> = {
  kind: async (make) => {
    // A plain function is blocking by default, and needs a module that a Worker can import.
    const plain = await make();
    plain.step("sync", (n: number) => n);
    await expect(plain.start()).rejects.toMatchObject({ code: "MR_MODULE_REQUIRED" });
    const blocking = await make();
    blocking.step("blocking", { kind: "blocking" }, async (n: number) => n);
    await expect(blocking.start()).rejects.toMatchObject({ code: "MR_MODULE_REQUIRED" });
    const app = await make();
    const here = app.step("here", { kind: "async" }, (n: number) => n + 1);
    await app.start();
    expect(await (await here.enqueue(1)).result(PATIENCE)).toBe(2);
  },
  executor: async (make) => {
    const app = await make();
    const called: string[] = [];
    app.executor("own", {
      execute: async ({ step, run }) => {
        called.push(step);
        return await run();
      },
    });
    const step = app.step("sandboxed", { executor: "own" }, async (n: number) => n);
    await app.start();
    expect(await (await step.enqueue(7)).result(PATIENCE)).toBe(7);
    expect(called).toEqual(["sandboxed"]);
  },
  queue: async (make) => {
    const app = await make();
    await app.step("posted", { queue: "mail" }, async () => 1).enqueue(undefined);
    expect((await app.queue("mail").counts()).ready).toBe(1);
  },
  priority: async (make) => {
    const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
    const ran: string[] = [];
    const plain = app.step("plain", async () => void ran.push("plain"));
    const urgent = app.step("urgent", { priority: 5 }, async () => void ran.push("urgent"));
    const handles = [await plain.enqueue(undefined), await urgent.enqueue(undefined)];
    await app.start();
    await app.gather(handles as Handle[], PATIENCE);
    expect(ran).toEqual(["urgent", "plain"]);
  },
  retries: async (make) => {
    expect(await waitsOf(await make(), { retries: 5, retryDelay: 0 })).toHaveLength(5);
  },
  retryDelay: async (make) => {
    // By default these would take 30 s.
    expect(await waitsOf(await make(), { retries: 30, retryDelay: "1ms", backoff: "fixed" })).toHaveLength(30);
  },
  backoff: async (make) => {
    const asked: number[] = [];
    const backoff = (failed: number) => {
      asked.push(failed);
      return 120;
    };
    const waits = await waitsOf(await make(), { retries: 2, retryDelay: 0, backoff });
    expect(asked).toEqual([1, 2]);
    for (const ms of waits) expect(ms).toBeGreaterThanOrEqual(120);
  },
  backoffFactor: async (make) => {
    const [, second] = await waitsOf(await make(), { retries: 2, retryDelay: "15ms", backoffFactor: 20 });
    expect(second).toBeGreaterThanOrEqual(300);
  },
  maxRetryDelay: async (make) => {
    expect(await waitsOf(await make(), { retries: 2, retryDelay: "1h", maxRetryDelay: "5ms" })).toHaveLength(2);
  },
  jitter: async (make) => {
    const app = await make();
    app[SETTLE_IN]({ random: { ...seededRandom(1), next: () => 0.999_999 } });
    expect(await waitsOf(app, { retries: 2, retryDelay: "30m", backoff: "fixed", jitter: 1 })).toHaveLength(2);
  },
  retryOn: async (make) => {
    expect(await waitsOf(await make(), { retries: 3, retryDelay: 0, retryOn: [TypeError] })).toHaveLength(0);
  },
  onError: async (make) => {
    const app = await make();
    const onError = (error: Error, input: unknown) => [error.message, input];
    const step = app.step("fallback", { retries: 0, onError }, async (_: number) => {
      throw new Error("no luck");
    });
    await app.start();
    expect(await (await step.enqueue(3)).result(PATIENCE)).toEqual(["no luck", 3]);
  },
  timeout: async (make) => {
    const app = await make();
    const step = app.step("slow", { timeout: "20ms", retries: 0 }, async (_: null, { abort }) => {
      await new Promise((_resolve, reject) => abort.addEventListener("abort", () => reject(abort.reason as Error)));
    });
    await app.start();
    expect((await failureOf(await step.enqueue(null))).remote.code).toBe("MR_TIMEOUT");
  },
  killGrace: async (make) => {
    const app = await make();
    const step = app.step("deaf", { kind: "async", timeout: "20ms", killGrace: "10ms", retries: 0 }, forever);
    await app.start();
    const handle = await step.enqueue(undefined);
    // By default it would be left alone for 5 s.
    await expect(handle.result({ timeout: "4s" })).rejects.toMatchObject({ remote: { code: "MR_TIMEOUT" } });
  },
  expires: async (make) => {
    const app = await make();
    const step = app.step("stale", { expires: "1ms" }, async () => 1);
    const handle = await step.enqueue(undefined);
    const sinceMs = performance.now();
    await poll(() => (performance.now() - sinceMs > 5 ? true : null), "the time to expire");
    await app.start();
    expect((await failureOf(handle)).remote.code).toBe("MR_EXPIRED");
  },
  deadline: async (make) => {
    const app = await make();
    const step = app.step("late", { deadline: "50ms", retryDelay: "1h" }, async () => {
      throw new Error("no luck");
    });
    await app.start();
    expect((await failureOf(await step.enqueue(undefined))).remote.code).toBe("MR_EXPIRED");
  },
  retain: async (make) => {
    const app = await make();
    const step = app.step("brief", { retain: { completed: "1s" } }, async () => 1);
    const times = { leaseMs: 10_000, beatMs: 3_000, surveyMs: 2_000, pruneMs: 50, relieveMs: 500, recoveriesMax: 3 };
    app[SETTLE_IN]({ times });
    await app.start();
    const handle = await step.enqueue(undefined);
    await handle.result(PATIENCE);
    const gone = async () => {
      const code = await handle.status().then(
        () => null,
        (error: unknown) => (error as { code: string }).code,
      );
      return code === "MR_PRUNED" || code === "MR_NOT_FOUND" ? code : null;
    };
    await poll(gone, "the end of the retention");
  },
  dedupe: async (make) => {
    const app = await make();
    const step = app.step("once", { dedupe: { key: "key" } }, async (_: { key: string }) => 1);
    const [one, same, other] = [
      await step.enqueue({ key: "a" }),
      await step.enqueue({ key: "a" }),
      await step.enqueue({ key: "b" }),
    ];
    expect([same.id === one.id, other.id === one.id]).toEqual([true, false]);
  },
  debounce: async (make) => {
    const app = await make();
    const ran: number[] = [];
    const debounce = { key: "key", wait: "150ms" } as const;
    const step = app.step("last", { debounce }, async ({ n }: { key: string; n: number }) => void ran.push(n));
    await app.start();
    await step.enqueue({ key: "a", n: 1 });
    await (await step.enqueue({ key: "a", n: 2 })).result(PATIENCE);
    expect(ran).toEqual([2]);
  },
  order: async (make) => {
    expect(await peakOf(make, {})).toBe(4);
    expect(await peakOf(make, { order: "key" })).toBe(1);
  },
  concurrency: async (make) => {
    expect(await peakOf(make, { concurrency: { limit: 2, key: "key" } })).toBe(2);
  },
  rate: async (make) => {
    const app = await make();
    const begins: number[] = [];
    const step = app.step(
      "paced",
      { rate: { limit: 1, per: "200ms" } },
      async () => void begins.push(performance.now()),
    );
    await app.start();
    await app.gather([await step.enqueue(undefined), await step.enqueue(undefined)], PATIENCE);
    const [first = 0, second = 0] = begins;
    expect(second - first + WALL_SLACK_MS).toBeGreaterThanOrEqual(200);
  },
  durability: async (make) => {
    const app = await make();
    app.step("safe", { durability: { replicas: 2 } }, async () => 1);
    await expect(app.start()).rejects.toMatchObject({ code: "MR_DURABILITY_UNAVAILABLE" });
  },
  batch: async (make) => {
    const app = await make();
    const sizes: number[] = [];
    const step = app.batchStep("many", { batch: { maxSize: 3, wait: "5s" } }, async (inputs: readonly number[]) => {
      sizes.push(inputs.length);
      return [...inputs];
    });
    const { handles } = await app.enqueueMany(step, [1, 2, 3]);
    await app.start();
    expect(await app.gather(handles as Handle<number>[], PATIENCE)).toEqual([1, 2, 3]);
    expect(sizes).toEqual([3]);
  },
  fair: async (make) => {
    const keys = ["a", "a", "a", "a", "b", "b"];
    expect(await orderOf(make, {}, keys)).toBe("aaaabb");
    expect((await orderOf(make, { fair: { key: "key" } }, keys)).slice(-2)).toBe("aa");
  },
  input: async (make) => {
    const app = await make();
    const step = app.step("number", { input: digits }, async (n: unknown) => n);
    await app.start();
    expect(await (await step.enqueue("42")).result(PATIENCE)).toBe(42);
    await expect(step.enqueue("x")).rejects.toMatchObject({ code: "MR_INVALID_INPUT" });
    await expect(step.enqueue("x")).rejects.toThrow("n: no digits");
  },
  output: async (make) => {
    const app = await make();
    const step = app.step("number", { output: digits, retries: 0 }, async (value: string) => value);
    await app.start();
    expect(await (await step.enqueue("42")).result(PATIENCE)).toBe(42);
    expect((await failureOf(await step.enqueue("x"))).remote.message).toContain("no digits");
  },
};

const places = everyPlace("step-options").filter(({ name }) => name === "memory" || name === "embedded");

describe.each(places)("on $name", (place) => {
  const apps: App[] = [];
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.stop({ drain: 0 }).then(() => app.close())));
  });

  it.each(Object.keys(stepTable))("F3: the option `%s` of a Step has an effect", async (name) => {
    const shown = (cases as Partial<typeof cases>)[name as keyof typeof cases];
    if (shown === undefined) throw new Error(`no case shows what \`${name}\` does`);
    await shown(async (options = {}) => {
      const app = new App({ ...(await place.fresh()), ...options });
      apps.push(app);
      return app;
    });
  });
});

it("F3: no case is of an option that is gone", () => {
  expect(Object.keys(cases).sort()).toEqual(Object.keys(stepTable).sort());
});
