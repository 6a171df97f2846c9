/**
 * Keys, order and limits as users meet them, on every store: dedupe, idempotency, order per key, concurrency, rate,
 * fairness.
 *
 * No sleeps: handlers say when they run, and what they must not see is counted by themselves.
 */
import { App, type AppOptions } from "@millrace/core";
import { FOREMAN_TIMES, SETTLE_IN } from "@millrace/core/internal";
import { afterEach, describe, expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import { everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";

const places = everyPlace("limits");

/** A door that handlers wait at. */
function door(): { readonly passed: Promise<void>; open: () => void } {
  let open = (): void => undefined;
  const passed = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { passed, open };
}

describe.each(places)("on $name", ({ isShared, fresh }) => {
  const apps: App[] = [];
  const make = async (options: AppOptions): Promise<App> => {
    const app = new App(options);
    apps.push(app);
    return app;
  };
  afterEach(async () => {
    await Promise.all(apps.splice(0).map((app) => app.close()));
  });

  it("X13: a thousand racers of one key are one run with one result", async () => {
    const app = await make(await fresh());
    let runs = 0;
    const gate = door();
    const report = app.step("report", { dedupe: { key: (day: string) => day } }, async (day: string) => {
      runs++;
      await gate.passed;
      return `${day} #${runs}`;
    });
    await app.start();
    const handles = await Promise.all(Array.from({ length: 1000 }, () => report.enqueue("monday")));
    gate.open();
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
    expect(new Set(results)).toEqual(new Set(["monday #1"]));
    expect(new Set(handles.map(({ id }) => id)).size).toBe(1);
    expect(handles.filter(({ receipt }) => receipt.deduplicated)).toHaveLength(999);
    expect(app.metrics().deduplicated).toBe(999);
    // Its end frees the key: the next one runs.
    expect(await app.run(report, "monday")).toBe("monday #2");
  });

  it("X13: `reject` refuses while the key is held, `replace` takes the place of one that waits", async () => {
    const app = await make(await fresh());
    const ran: number[] = [];
    const once = app.step("once", { dedupe: { key: () => "all", mode: "reject" } }, async (n: number) => ran.push(n));
    const last = app.step("last", { dedupe: { key: () => "all", mode: "replace" } }, async (n: number) => ran.push(n));
    const first = await once.enqueue(1);
    await expect(once.enqueue(2)).rejects.toMatchObject({ code: "MR_KEY_HELD" });
    await expect(once.enqueue(2)).rejects.toThrow(first.id);
    const replaced = await last.enqueue(3);
    const standing = await last.enqueue(4);
    await app.start();
    await Promise.all([first.result({ timeout: "10s" }), standing.result({ timeout: "10s" })]);
    expect(await replaced.wait({ timeout: "10s" })).toMatchObject({ state: "cancelled" });
    expect(ran.toSorted()).toEqual([1, 4]);
  });

  it("X13: of what is debounced the last one runs, once", async () => {
    const app = await make(await fresh());
    const ran: number[] = [];
    const save = app.step(
      "save",
      { debounce: { key: "file", wait: "300ms" } },
      async ({ n }: { file: string; n: number }) => {
        ran.push(n);
      },
    );
    await app.start();
    const handles = [];
    for (let n = 0; n < 5; n++) handles.push(await save.enqueue({ file: "a", n }));
    expect((await handles[4]?.wait({ timeout: "10s" }))?.state).toBe("completed");
    expect((await handles[0]?.wait({ timeout: "10s" }))?.state).toBe("cancelled");
    expect(ran).toEqual([4]);
  });

  it("X13: of what is debounced without end one runs by `maxWait`, and that is no less than `wait`", async () => {
    const app = await make(await fresh());
    const ran: number[] = [];
    const step = { debounce: { key: "file", wait: "10m", maxWait: "10m" } } as const;
    const save = app.step("save", step, async ({ n }: { file: string; n: number }) => {
      ran.push(n);
    });
    expect(() =>
      app.step("less", { debounce: { key: "file", wait: "2s", maxWait: "1s" } }, async () => undefined),
    ).toThrow("maxWait");
    const first = await save.enqueue({ file: "a", n: 1 });
    const dueAt = (await first.status()).dueAt?.getTime() ?? 0;
    const second = await save.enqueue({ file: "a", n: 2 });
    expect((await second.status()).dueAt?.getTime()).toBe(dueAt);
    expect(ran).toEqual([]);
  });

  it("G11: an idempotency key gives the first handle for the same input, and refuses another", async () => {
    const app = await make(await fresh());
    const charge = app.step("charge", async (amount: number) => amount * 2);
    await app.start();
    const first = await charge.enqueue(5, { idempotencyKey: "order-1" });
    expect(first.receipt.deduplicated).toBe(false);
    expect(await first.result({ timeout: "10s" })).toBe(10);
    const again = await charge.enqueue(5, { idempotencyKey: "order-1", tags: { by: "a retry" } });
    expect(again.id).toBe(first.id);
    expect(again.receipt.deduplicated).toBe(true);
    expect(await again.result({ timeout: "10s" })).toBe(10);
    const other = charge.enqueue(6, { idempotencyKey: "order-1" });
    await expect(other).rejects.toMatchObject({ code: "MR_IDEMPOTENCY_MISMATCH" });
    expect(await (await charge.enqueue(6, { idempotencyKey: "order-2" })).result({ timeout: "10s" })).toBe(12);
  });

  it("X14: Operations of each of 100 keys run one by one in the order of their enqueue, through random failures", async () => {
    const app = await make(await fresh());
    const keys = 100;
    const each = 10;
    const seen = new Map<number, number[]>();
    const running = new Set<number>();
    let overlaps = 0;
    let seed = 7;
    const chance = (): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return seed / 0x7fffffff;
    };
    const failing = new Set(Array.from({ length: keys * each }, (_, i) => i).filter(() => chance() < 0.2));
    const apply = app.step(
      "apply",
      { order: (event: { key: number; n: number }) => String(event.key), retries: 2, retryDelay: 1 },
      async ({ key, n }: { key: number; n: number }, { attempt }) => {
        if (running.has(key)) overlaps++;
        running.add(key);
        await new Promise((resolve) => setImmediate(resolve));
        running.delete(key);
        if (attempt === 1 && failing.has(key * each + n)) throw new Error("told to");
        seen.set(key, [...(seen.get(key) ?? []), n]);
      },
    );
    await app.start();
    const events = Array.from({ length: each }, (_, n) =>
      Array.from({ length: keys }, (_, key) => ({ key, n })),
    ).flat();
    const { handles } = await app.enqueueMany(apply, events);
    for (const handle of handles) {
      if (handle instanceof Error) throw handle;
      await handle.result({ timeout: "30s" });
    }
    expect(overlaps).toBe(0);
    const inOrder = Array.from({ length: each }, (_, n) => n);
    for (let key = 0; key < keys; key++) expect(seen.get(key), `key ${key}, seed 7`).toEqual(inOrder);
  });

  it("X4: no more run at once than a limit allows, in all and per key", async () => {
    const app = await make({ ...(await fresh()), workers: { asyncWorkers: 4, slots: 16 } });
    let running = 0;
    let most = 0;
    const perKey = new Map<string, number>();
    let overruns = 0;
    const fetchPage = app.step(
      "fetch",
      {
        concurrency: [6, { limit: 2, key: "host" }],
        retries: 1,
        retryDelay: 1,
      },
      async ({ host, n }: { host: string; n: number }, { attempt }) => {
        running++;
        perKey.set(host, (perKey.get(host) ?? 0) + 1);
        most = Math.max(most, running);
        if (running > 6 || (perKey.get(host) ?? 0) > 2) overruns++;
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        perKey.set(host, (perKey.get(host) ?? 1) - 1);
        if (attempt === 1 && n % 7 === 0) throw new Error("told to");
      },
    );
    await app.start();
    const pages = Array.from({ length: 240 }, (_, n) => ({ host: `host-${n % 8}`, n }));
    const { handles } = await app.enqueueMany(fetchPage, pages);
    for (const handle of handles) {
      if (handle instanceof Error) throw handle;
      await handle.result({ timeout: "30s" });
    }
    expect(overruns).toBe(0);
    expect(most).toBeGreaterThan(2);
    expect(most).toBeLessThanOrEqual(6);
  });

  it("X4: a retry's wait holds no slot, and one that is parked can be cancelled", async () => {
    const app = await make(await fresh());
    const gate = door();
    const started: number[] = [];
    const work = app.step("work", { concurrency: 1, retries: 1, retryDelay: "1h" }, async (n: number) => {
      started.push(n);
      if (n === 1) throw new Error("told to");
      if (n === 2) await gate.passed;
    });
    await app.start();
    await work.enqueue(1);
    await poll(() => (started.includes(1) ? true : null), "the first one");
    const second = await work.enqueue(2);
    await poll(() => (started.includes(2) ? true : null), "the second one, while the first waits for its retry");
    const third = await work.enqueue(3);
    const fourth = await work.enqueue(4);
    expect(await third.cancel()).toBe("cancelled");
    gate.open();
    await Promise.all([second.result({ timeout: "10s" }), fourth.result({ timeout: "10s" })]);
    expect(started).toEqual([1, 2, 4]);
  });

  it("I26: no window sees more starts than a rate allows", async () => {
    const app = await make(await fresh());
    const started: number[] = [];
    const call = app.step("call", { rate: { limit: 50, per: "1s", burst: 5 } }, async () => {
      started.push(performance.now());
    });
    await app.start();
    const beganMs = performance.now();
    const { handles } = await app.enqueueMany(
      call,
      Array.from({ length: 40 }, () => ({})),
    );
    for (const handle of handles) {
      if (handle instanceof Error) throw handle;
      await handle.result({ timeout: "20s" });
    }
    // 5 at once, then one every 20 ms: the last one 700 ms after the first. Claims stand for starts, so allow for jitter.
    expect(performance.now() - beganMs).toBeGreaterThan(680);
    for (const [i, from] of started.entries()) {
      const within = started.slice(i).filter((at) => at - from < 200).length;
      expect(within).toBeLessThanOrEqual(5 + 10 + 10);
    }
  });

  it("X4: a live number counts at once for what waits and what comes, everywhere, until it is taken back", async () => {
    const options = await fresh();
    const app = await make({ ...options, workers: { asyncWorkers: 1, slots: 20, autoOptimize: false } });
    let running = 0;
    let most = 0;
    const gates: (() => void)[] = [];
    const concurrency = [8, { limit: 4, key: "host" }];
    const fetch = app.step("fetch", { concurrency }, async (_page: { host: string }) => {
      running++;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => gates.push(resolve));
      running--;
    });
    await app.limits.set("fetch", { concurrency: 0, position: 0 });
    const { handles } = await app.enqueueMany(
      fetch,
      Array.from({ length: 12 }, (_, n) => ({ host: n % 2 === 0 ? "a" : "b" })),
    );
    await app.start();
    await poll(
      async () => ((await app.inspect.counts()).rows[0]?.blocked === 12 ? true : null),
      "all are kept by the limit of 0",
    );
    expect(running).toBe(0);
    const why = await app.inspect.explain(handles[0] instanceof Error ? "" : (handles[0]?.id ?? ""));
    expect(why.reasons[0]?.text).toContain("a live limit");
    await app.limits.set("fetch", { concurrency: 1, position: 1, key: "a" });
    await app.limits.set("fetch", { concurrency: 6, position: 0 });
    // One of a, four of b.
    await poll(async () => (running === 5 ? true : null), "five run");
    const { limits } = await app.limits.list("fetch");
    expect(limits).toMatchObject([
      { position: 0, key: null, live: { slots: 6 }, limit: 6, used: 5 },
      { position: 1, key: null, live: null, limit: 4, used: 5 },
      { position: 1, key: "a", live: { slots: 1 }, limit: 1, used: 1 },
      { position: 1, key: "b", live: null, limit: 4, used: 4 },
    ]);
    expect(await app.limits.reset("fetch", { key: "a" })).toBe(1);
    await poll(async () => (running === 6 ? true : null), "six run");
    expect(await app.limits.reset("fetch")).toBe(1);
    await poll(async () => (running === 8 ? true : null), "eight run, as the Step says");
    const open = async (): Promise<true | null> => {
      for (const gate of gates.splice(0)) gate();
      return (await app.inspect.counts()).totals.completed >= 12 ? true : null;
    };
    await poll(open, "all have run");
    expect(most).toBe(8);
  });

  it("X4: what meets a full limit is skipped, or cancelled, and its handle names the limit", async () => {
    const app = await make(await fresh());
    const gate = door();
    const begun: string[] = [];
    const declare = (name: string, onLimit: "skip" | "cancel_newest") =>
      app.step(name, { concurrency: { limit: 1, key: "host", onLimit } }, async ({ host }: { host: string }) => {
        begun.push(`${name} ${host}`);
        await gate.passed;
        return host;
      });
    const skip = declare("skip", "skip");
    const cancel = declare("cancel", "cancel_newest");
    await app.start();
    const first = [await skip.enqueue({ host: "a" }), await cancel.enqueue({ host: "a" })];
    await poll(async () => (begun.length === 2 ? true : null), "one of each runs");
    const skipped = await skip.enqueue({ host: "a" });
    const refusal = {
      code: "MR_OPERATION_CANCELLED",
      message: expect.stringContaining('limit skip#0 for "a", 1 at once'),
    };
    await expect(skipped.result({ timeout: "10s" })).rejects.toMatchObject(refusal);
    expect(await skipped.wait()).toMatchObject({ state: "skipped", reason: expect.stringContaining("was full") });
    expect((await skipped.status()).state).toBe("skipped");
    expect((await app.inspect.explain(skipped.id)).reasons[0]?.text).toContain("skip#0");
    const { handles } = await app.enqueueMany(cancel, [{ host: "a" }, { host: "b" }]);
    const [cancelled, other] = handles;
    if (cancelled === undefined || cancelled instanceof Error || other === undefined || other instanceof Error) {
      throw new Error("both were accepted");
    }
    expect(await cancelled.wait({ timeout: "10s" })).toMatchObject({
      state: "cancelled",
      reason: expect.stringContaining('cancel#0 for "a"'),
    });
    gate.open();
    expect(await Promise.all([...first, other].map((one) => one.result({ timeout: "10s" })))).toEqual(["a", "a", "b"]);
    expect(begun.toSorted()).toEqual(["cancel a", "cancel b", "skip a"]);
    const { totals } = await app.inspect.counts();
    expect([totals.completed, totals.skipped, totals.cancelled]).toEqual([3, 1, 1]);
    const found = await app.inspect.search("state:skipped");
    expect(found.operations.map(({ id }) => id)).toEqual([skipped.id]);
    // The slot is free again.
    expect(await app.run(skip, { host: "a" })).toBe("a");
  });

  it("X4: with `cancel_oldest` the newest is kept: the one that runs hears its signal, and no two run at once", async () => {
    const app = await make(await fresh());
    let running = 0;
    let most = 0;
    const seen: string[] = [];
    const preview = app.step(
      "preview",
      { concurrency: { limit: 1, onLimit: "cancel_oldest" }, killGrace: "10s" },
      async (n: number, { abort }) => {
        running++;
        most = Math.max(most, running);
        seen.push(`begins ${n}`);
        if (n < 9) await new Promise<void>((resolve) => abort.addEventListener("abort", () => resolve()));
        // It takes its time to end: its slot is taken until then.
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
        running--;
        seen.push(`ends ${n}`);
        abort.throwIfAborted();
        return n;
      },
    );
    await app.start();
    const first = await preview.enqueue(1);
    await poll(async () => (seen.length === 1 ? true : null), "the first runs");
    const later = [];
    for (const n of [7, 8, 9]) later.push(await preview.enqueue(n));
    expect(await first.wait({ timeout: "10s" })).toMatchObject({
      state: "cancelled",
      reason: expect.stringContaining("a later one took its place"),
    });
    expect(await later[2]?.result({ timeout: "10s" })).toBe(9);
    for (const one of later.slice(0, 2)) {
      expect(await one.wait({ timeout: "10s" })).toMatchObject({ state: "cancelled" });
    }
    expect(seen).toEqual(["begins 1", "ends 1", "begins 9", "ends 9"]);
    expect(most).toBe(1);
  });

  it("X4: with `cancel_oldest` of what gathered before anybody claimed the last one is left", async () => {
    const app = await make(await fresh());
    const step = { concurrency: { limit: 1, onLimit: "cancel_oldest" } } as const;
    const preview = app.step("preview", step, async (n: number, { abort }) => {
      if (n < 4) await new Promise<void>((resolve) => abort.addEventListener("abort", () => resolve()));
      abort.throwIfAborted();
      return n;
    });
    const handles = [];
    for (const n of [1, 2, 3, 4]) handles.push(await preview.enqueue(n));
    await app.start();
    const outcomes = await Promise.all(handles.map((handle) => handle.wait({ timeout: "20s" })));
    expect(outcomes.map(({ state }) => state)).toEqual(["cancelled", "cancelled", "cancelled", "completed"]);
  });

  it("X4: a live rate re-times what waits; it outlives the App; a Step or limit that is not there is named", async () => {
    const options = await fresh();
    const rate = { limit: 1, per: "1h" } as const;
    const begun: number[] = [];
    const declare = (app: App) => app.step("mail", { rate }, async (n: number) => void begun.push(n));
    let app = await make(options);
    await expect(app.limits.set("mail", {})).rejects.toThrow("either `concurrency` or `rate`");
    declare(app);
    await expect(app.limits.set("mail", { concurrency: 2 })).rejects.toThrow("no concurrency limit");
    await expect(app.limits.set("mail", { rate, position: 1 })).rejects.toThrow("no rate at position 1");
    await expect(app.limits.set("mail", { rate, key: "x" })).rejects.toThrow("has no key");
    await app.enqueueMany("mail", [1, 2, 3]);
    await app.start();
    await poll(async () => (begun.length === 1 ? true : null), "the first has begun");
    await app.limits.set("mail", { rate: { limit: 1000, per: "1s" } });
    await poll(async () => (begun.length === 3 ? true : null), "all have begun");
    await app.close();
    app = await make({ ...options, id: app.id });
    const again = declare(app);
    await app.start();
    await expect(app.limits.set("mial", { concurrency: 1 })).rejects.toThrow("did you mean `mail`?");
    const handles = await Promise.all([4, 5].map((n) => again.enqueue(n)));
    if (options.store !== "memory:") {
      await app.gather(handles, { timeout: "10s" });
      expect((await app.limits.list()).limits[0]?.live).toEqual({ everyMs: 1, burst: 1 });
    }
  });

  it("X4: of ten Operations of one key none waits behind the hundreds of another", async () => {
    const app = await make(await fresh());
    const started: string[] = [];
    const reached = door();
    const draw = app.step(
      "draw",
      { fair: { key: "customer" }, concurrency: 4 },
      async ({ customer }: { customer: string }) => {
        started.push(customer);
        if (started.length === 100) reached.open();
        await new Promise((resolve) => setImmediate(resolve));
      },
    );
    const { handles } = await app.enqueueMany(
      draw,
      Array.from({ length: 800 }, () => ({ customer: "big" })),
    );
    await app.start();
    await reached.passed;
    const few = await app.enqueueMany(
      draw,
      Array.from({ length: 10 }, () => ({ customer: "small" })),
    );
    const from = started.length;
    for (const handle of [...few.handles, ...handles]) {
      if (handle instanceof Error) throw handle;
      await handle.result({ timeout: "30s" });
    }
    // They take turns; what was claimed before they came goes first.
    expect(started.lastIndexOf("small") - from).toBeLessThanOrEqual(2 * 10 + 2 * 4);
    expect(started.filter((name) => name === "small")).toHaveLength(10);
    expect(started).toHaveLength(810);
  });

  it("X4: weights are kept to while work waits, and a weight must be a number in its range", async () => {
    const app = await make(await fresh());
    const started: string[] = [];
    const weights: Readonly<Record<string, number>> = { a: 1, b: 2, c: 5, none: 0 };
    const draw = app.step(
      "draw",
      { fair: { key: "customer", weight: (name) => weights[name] ?? 1 } },
      async ({ customer }: { customer: string }) => {
        started.push(customer);
      },
    );
    await expect(draw.enqueue({ customer: "none" })).rejects.toMatchObject({ code: "MR_INVALID_OPTION" });
    const { handles } = await app.enqueueMany(
      draw,
      Array.from({ length: 1_200 }, (_, n) => ({ customer: ["a", "b", "c"][n % 3] ?? "" })),
    );
    await app.start();
    for (const handle of handles) {
      if (handle instanceof Error) throw handle;
      await handle.result({ timeout: "30s" });
    }
    // Till the heaviest is through, which is after 400 * 8 / 5 starts.
    const first = started.slice(0, 560);
    const share = (name: string) => first.filter((one) => one === name).length / first.length;
    expect(share("a")).toBeCloseTo(1 / 8, 1.5);
    expect(share("b")).toBeCloseTo(2 / 8, 1.5);
    expect(share("c")).toBeCloseTo(5 / 8, 1.5);
  });

  it.runIf(isShared)("X4: what a dead process held, slot and place in line, comes back with its rescue", async () => {
    const options = await fresh();
    const app = await make(options);
    app[SETTLE_IN]({ times: { ...FOREMAN_TIMES, leaseMs: 1_500, beatMs: 300, surveyMs: 200 } });
    const ran: number[] = [];
    const work = app.step("work", { concurrency: 2, order: (n: number) => String(n % 2) }, async (n: number) => {
      ran.push(n);
    });
    const handles = [];
    for (let n = 0; n < 6; n++) handles.push(await work.enqueue(n));
    // A process that claims and is never heard of again.
    const store = await openStore(options.store ?? "", options.id ?? "");
    const [segment = ""] = (await store.segments()).filter((name) => name.startsWith("keyed-"));
    const dead = { owner: "dead", request: 1, queues: ["async"], max: 10 };
    expect((await store.claim(segment, dead)).claims).toHaveLength(2);
    expect((await store.claim(segment, { ...dead, owner: "other" })).claims).toEqual([]);
    await store.close();
    await app.start();
    for (const handle of handles) await handle.result({ timeout: "20s" });
    expect(ran.filter((n) => n % 2 === 0)).toEqual([0, 2, 4]);
    expect(ran.filter((n) => n % 2 === 1)).toEqual([1, 3, 5]);
  });

  it.runIf(isShared)("R1.6: keys and limits hold over Nodes", async () => {
    const base = await fresh();
    const gate = door();
    let running = 0;
    let most = 0;
    const both = await Promise.all(["one", "two"].map((nodeId) => make({ ...base, nodeId })));
    const steps = both.map((app) =>
      app.step("shared", { dedupe: { key: (n: number) => String(n) }, concurrency: 3 }, async (n: number) => {
        running++;
        most = Math.max(most, running);
        await gate.passed;
        running--;
        return n;
      }),
    );
    await Promise.all(both.map((app) => app.start()));
    const handles = await Promise.all(
      Array.from({ length: 20 }, (_, i) => (steps[i % 2] as (typeof steps)[number]).enqueue(Math.floor(i / 2))),
    );
    expect(new Set(handles.map(({ id }) => id)).size).toBe(10);
    await poll(() => (running === 3 ? true : null), "three at once");
    gate.open();
    const results = await Promise.all(handles.map((handle) => handle.result({ timeout: "20s" })));
    expect(results).toEqual(Array.from({ length: 20 }, (_, i) => Math.floor(i / 2)));
    expect(most).toBe(3);
  });
});
