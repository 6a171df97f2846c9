/** Rows about how work runs: slots, starts and stops, retries, events, batches after a crash. */
import type { Logger } from "@millrace/core";
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import type { Place } from "../helper/places.js";
import { poll, within } from "../helper/wait.js";
import { WALL_SLACK_MS } from "../helper/wall-slack.js";
import { door, stage } from "./stage.js";

/** Declares them on one kind of store. */
export function runRows({ fresh, isShared }: Place): void {
  const open = stage();

  it("B14: as many Attempts run at once as there are slots, never more", async () => {
    const app = open({ ...(await fresh()), workers: { asyncWorkers: 2, slots: 3, autoOptimize: false } });
    let running = 0;
    let most = 0;
    let ended = 0;
    const full = door();
    const work = app.step("work", async () => {
      most = Math.max(most, ++running);
      if (running === 6) full.open();
      await full.passed;
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      ended++;
    });
    await app.start();
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 60 }, () => null),
    );
    for (const handle of handles) if (!(handle instanceof Error)) await handle.result({ timeout: "20s" });
    expect([most, ended]).toEqual([6, 60]);
  });

  it("B37: once `start` has resolved, work is taken: no survey has to pass", async () => {
    const app = open(await fresh());
    app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, surveyMs: 3_600_000 } });
    const work = app.step("work", async (n: number) => n + 1);
    const early = await work.enqueue(1);
    await app.start();
    expect(await early.result({ timeout: "2s" })).toBe(2);
    expect(await app.run(work, 2)).toBe(3);
    expect(app.state).toBe("started");
  });

  it("B31: without a fault each Operation starts once, over graceful stops and starts", async () => {
    const app = open(await fresh());
    const starts = new Map<number, number>();
    const reached = new Map([200, 400].map((count) => [count, door()]));
    let begun = 0;
    const work = app.step("work", async (n: number) => {
      starts.set(n, (starts.get(n) ?? 0) + 1);
      reached.get(++begun)?.open();
      await new Promise((resolve) => setImmediate(resolve));
    });
    await app.start();
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 600 }, (_, n) => n),
    );
    for (const mark of reached.values()) {
      await within(mark.passed, "some starts");
      expect((await app.stop({ drain: "10s" })).isForced).toBe(false);
      await app.start();
    }
    for (const handle of handles) if (!(handle instanceof Error)) await handle.result({ timeout: "20s" });
    expect(starts.size).toBe(600);
    expect([...starts.values()].filter((count) => count !== 1)).toEqual([]);
  });

  it("F15: a retry's wait frees the slot, and a restart meanwhile leaves its due time as it was", async () => {
    const options = { ...(await fresh()), workers: { asyncWorkers: 1, slots: 1 } };
    let app = open(options);
    const ran: string[] = [];
    const declare = () =>
      app.step("work", { retries: 1, retryDelay: "600ms" }, async (name: string, { attempt }) => {
        ran.push(`${name}${attempt}`);
        if (name === "a" && attempt === 1) throw new Error("told to");
        return Date.now();
      });
    const work = declare();
    await app.start();
    const first = await work.enqueue("a");
    const second = await work.enqueue("b");
    await second.result({ timeout: "10s" });
    const before = await poll(
      async () => ((await first.status()).state === "scheduled" ? first.status() : null),
      "the wait",
    );
    await app.stop();
    // Memory ends with its process; all others are opened anew.
    if (options.store !== "memory:") {
      await app.close();
      app = open(options);
      declare();
    }
    const handle = app.handle<number>(first.id);
    expect((await handle.status()).dueAt).toEqual(before.dueAt);
    await app.start();
    const ranAt = await handle.result({ timeout: "10s" });
    expect(ranAt).toBeGreaterThanOrEqual((before.dueAt?.getTime() ?? Number.POSITIVE_INFINITY) - WALL_SLACK_MS);
    expect(ran).toEqual(["a1", "b1", "a2"]);
  });

  it("F24: listeners hear every end; one that throws or never returns harms neither work nor the others", async () => {
    const logged: unknown[] = [];
    const quiet = () => undefined;
    const logger: Logger = {
      ...{ debug: quiet, info: quiet, warn: quiet },
      error: (fields, message) => logged.push([fields.event, message]),
      child: () => logger,
    };
    const app = open({ ...(await fresh()), logger });
    const heard: string[] = [];
    app.on("operation.completed", () => {
      throw new Error("a bad listener");
    });
    app.on("operation.completed", () => Promise.reject(new Error("another bad listener")));
    app.on("operation.completed", () => new Promise(() => undefined));
    for (const type of ["operation.completed", "operation.failed", "operation.retrying"] as const) {
      app.on(type, ({ step, attempt }) => heard.push(`${type.slice(10)} ${step} ${attempt}`));
    }
    const deaf: string[] = [];
    app.on("operation.completed", ({ step }) => deaf.push(step))();
    const good = app.step("good", async () => 1);
    const bad = app.step("bad", { retries: 1, retryDelay: 1 }, async () => {
      throw new Error("no");
    });
    await app.start();
    expect(await app.run(good, null)).toBe(1);
    await (await bad.enqueue(null)).wait({ timeout: "10s" });
    await poll(() => (heard.length === 3 ? true : null), "three events");
    expect(heard).toEqual(["completed good 1", "retrying bad 1", "failed bad 2"]);
    expect(deaf).toEqual([]);
    const failed = ["operation.completed", "a listener failed"];
    expect(logged).toEqual([failed, failed]);
  });

  it.runIf(isShared)(
    "X8: what a dead Foreman had claimed in one go comes back in its old order, at no Attempt's cost",
    async () => {
      const options = { ...(await fresh()), nodeId: "web-1", workers: { asyncWorkers: 1, slots: 1 } };
      const app = open(options);
      app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs: 1_500, beatMs: 300, surveyMs: 200 } });
      const ran: number[] = [];
      const attempts = new Set<number>();
      const work = app.step("work", async (n: number, { attempt }) => {
        ran.push(n);
        attempts.add(attempt);
      });
      const { handles } = await app.enqueueMany(
        work,
        Array.from({ length: 50 }, (_, n) => n),
      );
      const store = await openStore(options.store ?? "", options.id ?? "");
      const dead = { owner: "dead", request: 1, queues: ["async"], max: 100 };
      expect((await store.claim("web-1", dead)).claims).toHaveLength(50);
      await store.close();
      await app.start();
      for (const handle of handles) if (!(handle instanceof Error)) await handle.result({ timeout: "20s" });
      expect(ran).toEqual(Array.from({ length: 50 }, (_, n) => n));
      expect([...attempts]).toEqual([1]);
    },
  );
}
