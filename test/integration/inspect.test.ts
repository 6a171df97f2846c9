/** `app.inspect` on every store: lists, searches, counts, bulk actions, groups of dead letters, explanations, fsck. */
import { App, type AppOptions, type OperationView, type StepPage, type StepView, TerminalError } from "@millrace/core";
import { afterEach, describe, expect, it } from "vitest";
import { everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";

const places = everyPlace("inspect");
const emptyRow = { scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 0 };

describe.each(places)("app.inspect on $name", ({ name, fresh }) => {
  const open: App[] = [];
  const make = async (options: AppOptions = {}): Promise<App> => {
    const app = new App({ nodeId: "web-1", ...(await fresh()), ...options });
    open.push(app);
    return app;
  };
  afterEach(async () => {
    await Promise.all(open.splice(0).map((app) => app.close()));
  });

  /** 30 mails with tags, 10 of them late, 5 urgent; of 12 charges 8 fail in two ways; nothing runs any more. */
  const scene = async () => {
    const app = await make();
    const mail = app.step("mail", { queue: "mail" }, async (n: number) => n);
    const charge = app.step("charge", { queue: "pay", retries: 0 }, async (n: number) => {
      if (n % 3 === 0) throw new TerminalError(`card ${n} declined`);
      if (n % 3 === 1) throw new TypeError(`no account "a${n}"`);
      return n;
    });
    const { handles } = await app.enqueueMany(
      charge,
      Array.from({ length: 12 }, (_, n) => n),
      { tags: { tenant: "acme" } },
    );
    await app.queue("mail").pause();
    await app.start();
    await app.gather(
      handles.flatMap((handle) => (handle instanceof Error ? [] : [handle])),
      { settle: true },
    );
    await app.enqueueMany(
      mail,
      Array.from({ length: 15 }, (_, n) => n),
      { tags: { tenant: "acme", kind: "daily" } },
    );
    await app.enqueueMany(mail, [1, 2, 3, 4, 5], { priority: 9, tags: { tenant: "other" } });
    await app.enqueueMany(
      mail,
      Array.from({ length: 10 }, (_, n) => n),
      { delay: "1h" },
    );
    return { app, mail, charge };
  };

  const all = async (app: App, filter: string, limit = 1000): Promise<OperationView[]> => {
    const found: OperationView[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof app.inspect.search>> = await app.inspect.search(filter, {
        limit,
        ...(cursor === null ? {} : { cursor }),
      });
      found.push(...page.operations);
      cursor = page.cursor;
    } while (cursor !== null);
    return found;
  };

  it("F23: counts what is where, equal to a recount", async () => {
    const { app } = await scene();
    const counts = await app.inspect.counts();
    expect(counts.rows).toEqual([{ step: null, scheduled: 10, ready: 20, blocked: 0, running: 0, failed: 8 }]);
    expect(counts.totals).toMatchObject({ enqueued: 42, completed: 4, failed: 8 });
    const bySteps = await app.inspect.counts({ by: "step", budget: "10s" });
    expect(bySteps.partial).toBe(false);
    expect(bySteps.rows).toEqual([
      { step: "mail", scheduled: 10, ready: 20, blocked: 0, running: 0, failed: 0 },
      { step: "charge", scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 8 },
    ]);
    const pay = await app.inspect.counts({ queue: "pay", budget: "10s" });
    expect(pay.rows).toEqual([{ step: null, scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 8 }]);
    for (const state of ["scheduled", "ready", "failed"] as const) {
      expect(await all(app, `state:${state}`), state).toHaveLength(counts.rows[0]?.[state] ?? -1);
    }
  });

  it("F23, B8: counts, lists, finds and cancels what an order key keeps, equal to a recount", async () => {
    const app = await make();
    const apply = app.step("apply", { queue: "books", order: "account" }, async (_: { account: string }) => null);
    const plain = app.step("plain", { queue: "other", order: "key" }, async (_: { key: string }) => null);
    const accounts = Array.from({ length: 40 }, (_, n) => ({ account: `a${n % 4}` }));
    await app.enqueueMany(apply, accounts, { tags: { run: "night" } });
    await app.enqueueMany(plain, [{ key: "k" }, { key: "k" }]);
    const row = { step: null, scheduled: 0, ready: 42, blocked: 37, running: 0, failed: 0 };
    expect((await app.inspect.counts()).rows).toEqual([row]);
    expect((await app.inspect.counts({ by: "step", budget: "10s" })).rows).toEqual([
      { ...row, step: "apply", ready: 40, blocked: 36 },
      { ...row, step: "plain", ready: 2, blocked: 1 },
    ]);
    expect((await app.inspect.counts({ queue: "books", budget: "10s" })).rows).toEqual([
      { ...row, ready: 40, blocked: 36 },
    ]);
    expect(await app.queue("books").counts()).toEqual({ queue: "books", ready: 40, isPaused: false });
    for (const limit of [7, 1000]) {
      const found = await all(app, "state:ready queue:books", limit);
      expect(new Set(found.map(({ id }) => id)).size).toBe(40);
      expect(found.filter(({ blocked }) => blocked?.by === "order" && /^a[0-3]$/.test(blocked.key))).toHaveLength(36);
    }
    const listed: OperationView[] = [];
    // On a busy machine a page may end before it is full: `list` has a budget.
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const of = { state: "ready", queue: "other" } as const;
      const page = await app.inspect.list(cursor === undefined ? of : { ...of, cursor });
      listed.push(...page.operations);
      cursor = page.cursor;
    }
    expect(listed.map(({ blocked }) => blocked)).toEqual([null, { by: "order", key: "k" }]);
    const [, behind] = listed;
    expect((await app.handle(behind?.id ?? "").status()).blocked).toEqual({ by: "order", key: "k" });
    expect(await app.inspect.cancel("tag.run:night", { dryRun: true }).done()).toMatchObject({ matched: 40, done: 0 });
    expect(await app.inspect.cancel("tag.run:night").done()).toMatchObject({ matched: 40, done: 40, skipped: 0 });
    expect((await app.inspect.counts()).rows).toEqual([{ ...row, ready: 2, blocked: 1 }]);
    expect(await all(app, "state:ready queue:books")).toEqual([]);
    expect(await app.inspect.delete("state:cancelled").done()).toMatchObject({ done: 40 });
    expect((await app.inspect.fsck().done()).found).toBe(0);
  });

  it("B20, F23: lists each state page by page, none twice, none missed", async () => {
    const { app } = await scene();
    for (const [state, count] of [
      ["ready", 20],
      ["scheduled", 10],
      ["failed", 8],
      ["completed", 4],
    ] as const) {
      for (const limit of [1, 3, 7, 1000]) {
        const ids: string[] = [];
        let cursor: string | null = null;
        do {
          const page: Awaited<ReturnType<typeof app.inspect.list>> = await app.inspect.list({
            state,
            limit,
            ...(cursor === null ? {} : { cursor }),
          });
          expect(page.operations.length).toBeLessThanOrEqual(limit);
          ids.push(...page.operations.map(({ id }) => id));
          cursor = page.cursor;
        } while (cursor !== null);
        expect(new Set(ids).size, `${state} by ${limit}`).toBe(count);
        expect(ids).toHaveLength(count);
      }
    }
    const urgent = await app.inspect.list({ state: "ready", queue: "mail", limit: 5 });
    expect(urgent.operations.map(({ priority }) => priority)).toEqual([9, 9, 9, 9, 9]);
    expect((await app.inspect.list({ state: "failed", step: "charge" })).operations).toHaveLength(8);
    expect((await app.inspect.list({ state: "failed", step: "mail" })).operations).toHaveLength(0);
    await expect(app.inspect.list({ state: "ready", cursor: "no cursor" })).rejects.toMatchObject({
      code: "MR_INVALID_OPTION",
    });
  });

  it("B20: lists Steps page by page: who runs them, how much is where, what limits them, equal to a recount", async () => {
    const { app } = await scene();
    const bound = app.step("bound", { queue: "mail", concurrency: { limit: 3, key: "host" } }, async (_: unknown) => 0);
    await app.enqueueMany(bound, [{ host: "a" }, { host: "b" }]);
    app.step("idle", { queue: "mail" }, async () => null);
    const stepsOf = async (options: NonNullable<Parameters<App["inspect"]["steps"]>[0]>) => {
      const steps: StepView[] = [];
      let cursor: string | null = null;
      do {
        const page: StepPage = await app.inspect.steps({
          budget: "10s",
          ...options,
          ...(cursor === null ? {} : { cursor }),
        });
        expect(page.partial).toBe(false);
        expect(page.steps.length).toBeLessThanOrEqual(options.limit ?? 100);
        steps.push(...page.steps);
        cursor = page.cursor;
      } while (cursor !== null);
      return steps;
    };
    const { rows } = await app.inspect.counts({ by: "step", budget: "10s" });
    for (const limit of [1, 3, 1000]) {
      const steps = await stepsOf({ limit });
      expect(steps.map(({ name: step }) => step)).toEqual(["bound", "charge", "idle", "mail"]);
      for (const view of steps) {
        const { step: _, ...row } = rows.find(({ step }) => step === view.name) ?? { ...emptyRow, step: null };
        expect(view.counts, view.name).toEqual(row);
        for (const state of ["ready", "scheduled", "running", "failed"] as const) {
          expect(await all(app, `state:${state} step:${view.name}`), view.name).toHaveLength(
            view.counts?.[state] ?? -1,
          );
        }
      }
    }
    const [first] = await stepsOf({ name: "bound" });
    expect(first).toMatchObject({ isTied: true, limits: [{ kind: "concurrency", position: 0, key: null, limit: 3 }] });
    expect(await stepsOf({ name: "mail" })).toMatchObject([{ isTied: false, limits: [] }]);
    expect((await stepsOf({ state: "failed" })).map(({ name: step }) => step)).toEqual(["charge"]);
    expect((await stepsOf({ state: "scheduled" })).map(({ name: step }) => step)).toEqual(["mail"]);
    // What was declared before the start is what a process tells others.
    const served = await stepsOf({ node: "web-1", counts: false });
    expect(served.map(({ name: step, nodes, processes, counts }) => [step, nodes, processes, counts])).toEqual([
      ["charge", ["web-1"], 1, null],
      ["mail", ["web-1"], 1, null],
    ]);
    expect(await stepsOf({ node: "web-2" })).toEqual([]);
    for (const wrong of [{ cursor: "no cursor" }, { limit: 1001 }, { state: "failed", counts: false } as const]) {
      await expect(app.inspect.steps(wrong)).rejects.toMatchObject({ code: "MR_INVALID_OPTION" });
    }
  });

  it("X18: finds by filter, with a suggestion for what is misspelt", async () => {
    const { app } = await scene();
    expect(await all(app, "step:mail tag.tenant:acme")).toHaveLength(15);
    expect(await all(app, "step:mail tag.tenant:acme", 4)).toHaveLength(15);
    expect(await all(app, "queue:mail priority:>5")).toHaveLength(5);
    expect(await all(app, "state:failed code:MR_TERMINAL")).toHaveLength(4);
    expect(await all(app, 'state:failed err:~"no account"')).toHaveLength(4);
    expect(await all(app, "state:completed step:charge created:>1h")).toHaveLength(4);
    expect(await all(app, "created:<2000-01-01")).toHaveLength(0);
    const [one] = await all(app, "state:failed");
    expect(await all(app, `id:${one?.id}`)).toEqual([one]);
    expect(one).toMatchObject({ step: "charge", tags: { tenant: "acme" }, segment: "web-1", isPoison: false });
    await expect(app.inspect.search("stete:failed")).rejects.toThrow("did you mean `state`?");
    expect(() => app.inspect.cancel("quue:mail")).toThrow("did you mean `queue`?");
  });

  it("X18: says that a search is partial when its budget is used up, and goes on from its cursor", async () => {
    const { app, mail } = await scene();
    await app.enqueueMany(
      mail,
      Array.from({ length: 2_000 }, (_, n) => n),
    );
    const first = await app.inspect.search("step:nobody", { budget: 1 });
    expect(first.operations).toEqual([]);
    if (first.cursor !== null) expect(first.partial).toBe(true);
    const rest = await app.inspect.search("queue:mail priority:9", { budget: "10s", limit: 1000 });
    expect(rest).toMatchObject({ partial: false, cursor: null });
    expect(rest.operations).toHaveLength(5);
  });

  it("B8, X18: cancels by filter, after a dry run that counts, and never twice", async () => {
    const { app } = await scene();
    const dry = await app.inspect.cancel("queue:mail tag.tenant:acme", { dryRun: true }).done();
    expect(dry).toMatchObject({ matched: 15, done: 0, isDryRun: true });
    expect(await all(app, "state:ready")).toHaveLength(20);
    const steps: number[] = [];
    const run = app.inspect.cancel("queue:mail tag.tenant:acme", { reason: "spring cleaning" });
    for await (const step of run) steps.push(step.done);
    expect(run.summary).toMatchObject({
      action: "cancel",
      matched: 15,
      done: 15,
      requested: 0,
      skipped: 0,
      isAborted: false,
    });
    expect(steps.at(-1)).toBe(15);
    expect(await all(app, "state:ready")).toHaveLength(5);
    const [gone] = await all(app, "state:cancelled");
    // It never began, and whoever cancelled it had not seen it: no moment is better than a wrong one.
    expect(gone).toMatchObject({ enqueuedAt: null, startedAt: null });
    expect(await app.handle(gone?.id ?? "").wait()).toEqual({ state: "cancelled", reason: "spring cleaning" });
    expect(await app.inspect.cancel("step:mail state:scheduled").done()).toMatchObject({ done: 10 });
    expect(await app.inspect.cancel("queue:mail tag.tenant:acme").done()).toMatchObject({ matched: 0 });
  });

  it("B8: marks what runs, and deletes only what is over", async () => {
    const app = await make({ workers: { asyncWorkers: 1, slots: 1 } });
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const slow = app.step("slow", { retries: 0 }, async (_: null, { abort }) => {
      begun();
      await new Promise((_resolve, reject) => abort.addEventListener("abort", () => reject(abort.reason)));
    });
    await app.start();
    const handle = await slow.enqueue(null);
    await running;
    expect(() => app.inspect.delete("state:running")).toThrow("nothing in running can be deleted");
    expect(() => app.inspect.delete("tag.of:one state:completed")).toThrow("no state fits all of it");
    expect((await app.inspect.search("tag.of:one state:completed")).operations).toEqual([]);
    expect(await app.inspect.delete("step:slow").done()).toMatchObject({ matched: 0, done: 0 });
    expect((await handle.status()).state).toBe("running");
    expect(await app.inspect.cancel("step:slow").done()).toMatchObject({ matched: 1, done: 0, requested: 1 });
    expect((await handle.wait({ timeout: "10s" })).state).toBe("cancelled");
    expect(await app.inspect.delete("step:slow,nobody").done()).toMatchObject({ matched: 0 });
    expect(await app.inspect.delete(`state:cancelled ${handle.id}`).done()).toMatchObject({ matched: 1, done: 1 });
    await expect(handle.status()).rejects.toMatchObject({ code: "MR_PRUNED" });
  });

  it("X18: ends at a signal with a true count, and is gone on with by running it again", async () => {
    const { app, mail } = await scene();
    await app.enqueueMany(
      mail,
      Array.from({ length: 1_500 }, (_, n) => n),
    );
    const controller = new AbortController();
    const run = app.inspect.cancel("state:ready queue:mail", { signal: controller.signal });
    for await (const step of run) if (step.done > 0) controller.abort();
    expect(run.summary.isAborted).toBe(true);
    expect(run.summary.done).toBeGreaterThan(0);
    expect(run.summary.done).toBeLessThan(1_520);
    const left = (await app.inspect.counts()).rows[0]?.ready ?? -1;
    expect(left).toBe(1_520 - run.summary.done);
    expect(await app.inspect.cancel("state:ready queue:mail").done()).toMatchObject({ done: left, isAborted: false });
    expect((await app.inspect.counts()).rows[0]?.ready).toBe(0);
  });

  it("X18: keeps to a rate", async () => {
    const { app } = await scene();
    const begun = performance.now();
    expect(await app.inspect.cancel("state:scheduled", { rate: 50 }).done()).toMatchObject({ done: 10 });
    // Ten at 50 a second in steps of five: the second step waits for the first one's 100 ms.
    expect(performance.now() - begun).toBeGreaterThanOrEqual(95);
  });

  it("X12: groups dead letters by fingerprint and redrives a group, one, and the rest", async () => {
    const { app } = await scene();
    const { groups, counted, partial } = await app.inspect.deadGroups("", { budget: "10s" });
    expect({ counted, partial }).toEqual({ counted: 8, partial: false });
    expect(groups.map(({ count, code, name, steps }) => ({ count, code, name, steps }))).toEqual(
      expect.arrayContaining([
        { count: 4, code: "MR_TERMINAL", name: expect.any(String), steps: ["charge"] },
        { count: 4, code: null, name: "TypeError", steps: ["charge"] },
      ]),
    );
    const [group] = groups;
    expect(group?.firstAt?.getTime()).toBeLessThanOrEqual(group?.lastAt?.getTime() ?? 0);
    expect(group?.stackHead).toContain("at ");
    const sample = await app.inspect.search(`id:${group?.sampleId}`);
    expect(sample.operations[0]).toMatchObject({ state: "failed", fingerprint: group?.fingerprint });

    await app.queue("pay").pause();
    const redriven = await app.inspect.requeue("code:MR_TERMINAL").done();
    expect(redriven).toMatchObject({ action: "requeue", matched: 4, done: 4, skipped: 0 });
    const [one] = await all(app, "state:failed");
    expect(await app.inspect.requeue(`id:${one?.id}`).done()).toMatchObject({ matched: 1, done: 1 });
    expect(await app.inspect.requeue("").done()).toMatchObject({ matched: 3, done: 3 });
    expect((await app.inspect.counts()).rows[0]).toMatchObject({ failed: 0, ready: 28 });
    expect(await all(app, `id:${one?.id}`)).toMatchObject([{ state: "ready", generation: 1 }]);
  });

  it("X12: redrives with an edited input, elsewhere", async () => {
    const { app } = await scene();
    const seen: unknown[] = [];
    app.step("never", { queue: "repair" }, async () => null);
    await app.queue("repair").pause();
    const input = (old: unknown, { step }: OperationView) => {
      seen.push([step, old]);
      return 2; // this card is not declined
    };
    expect(await app.inspect.requeue("code:MR_TERMINAL", { queue: "pay", input }).done()).toMatchObject({ done: 4 });
    expect(seen).toEqual(
      expect.arrayContaining([
        ["charge", 0],
        ["charge", 3],
        ["charge", 6],
        ["charge", 9],
      ]),
    );
    await poll(async () => ((await all(app, "state:completed")).length === 8 ? true : null), "the repaired charges");
    expect(await app.inspect.requeue("state:failed", { queue: "repair" }).done()).toMatchObject({ done: 4 });
    const moved = await all(app, "queue:repair");
    expect(moved).toHaveLength(4);
    expect(moved.map(({ tags, generation }) => ({ tags, generation }))).toEqual(
      Array(4).fill({ tags: { tenant: "acme" }, generation: 1 }),
    );
    expect(() => app.inspect.requeue("", { queue: "no queue" })).toThrow("Queue name");
  });

  it("X12: leaves poison alone unless it is forced", async () => {
    const app = await make();
    const kill = app.step("kill", { retries: 0 }, async (isPoison: boolean) => {
      throw Object.assign(new Error("no more"), isPoison ? { code: "MR_POISON" } : {});
    });
    await app.start();
    const { handles } = await app.enqueueMany(kill, [true, false]);
    await app.gather(
      handles.flatMap((handle) => (handle instanceof Error ? [] : [handle])),
      { settle: true },
    );
    await app.queue("async").pause();
    const kept = await app.inspect.requeue("step:kill").done();
    expect(kept).toMatchObject({ matched: 2, done: 1, skipped: 1 });
    expect(await all(app, "state:failed")).toMatchObject([{ isPoison: true }]);
    expect(await app.inspect.requeue("step:kill", { force: true }).done()).toMatchObject({ done: 1, skipped: 0 });
  });

  it("X12: does not redrive twice what fails again while it runs", async () => {
    const { app } = await scene();
    expect(await app.inspect.requeue("step:charge").done()).toMatchObject({ matched: 8, done: 8 });
    await poll(async () => ((await app.inspect.counts()).rows[0]?.failed === 8 ? true : null), "the second failures");
    const generations = (await all(app, "state:failed")).map(({ generation }) => generation);
    expect(generations).toEqual(Array(8).fill(1));
  });

  it("X6: explains what waits, runs, is over or was never there", async () => {
    const { app, mail } = await scene();
    const codes = async (id: string) => (await app.inspect.explain(id)).reasons.map(({ code }) => code);
    const [late] = await all(app, "state:scheduled");
    const explained = await app.inspect.explain(late?.id ?? "");
    expect(explained).toMatchObject({ state: "scheduled", isRunnable: false, reasons: [{ code: "waiting_time" }] });
    expect(explained.reasons[0]?.until).toEqual(late?.dueAt);

    const ready = await all(app, "state:ready queue:mail tag.tenant:acme");
    const [first, second] = ready;
    const waiting = await app.inspect.explain(second?.id ?? "");
    expect(waiting.reasons.map(({ code }) => code)).toEqual(["queue_paused", "priority_behind", "order_behind"]);
    expect(waiting).toMatchObject({ state: "ready", isRunnable: false, position: 7 });
    expect(waiting.reasons[1]?.text).toContain(
      "at position 7 of Queue mail of Segment web-1, behind 5 of higher priority",
    );
    expect(await codes(first?.id ?? "")).toEqual(["queue_paused", "priority_behind"]);

    const [failed] = await all(app, "code:MR_TERMINAL");
    expect((await app.inspect.explain(failed?.id ?? "")).reasons[0]).toMatchObject({ code: "finished" });
    expect((await app.inspect.explain(failed?.id ?? "")).reasons[0]?.text).toContain("declined");
    const handle = await mail.enqueue(1, { queue: "nobody" });
    expect(await codes(handle.id)).toEqual(["no_worker"]);
    expect(await codes(`${handle.id.slice(0, handle.id.lastIndexOf("."))}.zzzz01`)).toEqual(["unknown"]);
    expect(await codes("elsewhere.abc.101")).toEqual(["unknown"]);
    await expect(app.inspect.explain("no id")).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    await app.inspect.delete(`id:${failed?.id}`).done();
    expect(await codes(failed?.id ?? "")).toEqual(["pruned"]);
  });

  it("X6: explains a retry, what runs, and that nobody has the function", async () => {
    const app = await make({ workers: { asyncWorkers: 1, slots: 2 } });
    let begun: () => void = () => undefined;
    const running = new Promise<void>((resolve) => {
      begun = resolve;
    });
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const slow = app.step("slow", async () => {
      begun();
      await over;
    });
    const flaky = app.step("flaky", { retries: 3, retryDelay: "1h" }, async () => {
      throw new RangeError("not today");
    });
    await app.start();
    const handle = await slow.enqueue(null as never);
    await running;
    const explained = await app.inspect.explain(handle.id);
    expect(explained).toMatchObject({
      state: "running",
      reasons: [{ code: "running", holders: [expect.any(String)] }],
    });
    const retried = await flaky.enqueue(null as never);
    await poll(async () => ((await retried.status()).state === "scheduled" ? true : null), "the retry");
    const [reason] = (await app.inspect.explain(retried.id)).reasons;
    expect(reason).toMatchObject({ code: "waiting_retry", text: expect.stringContaining("RangeError: not today") });
    end();
    await handle.wait({ timeout: "5s" });
  });

  /** Waits until claims have looked at so many that limits keep. */
  const kept = async (app: App, count: number) =>
    await poll(async () => {
      const { rows } = await app.inspect.counts();
      return rows[0]?.blocked === count ? true : null;
    }, `${count} that are kept`);

  /** The explanation, once it names a reason. */
  const explainedAs = async (app: App, id: string, code: string) =>
    await poll(async () => {
      const explained = await app.inspect.explain(id);
      const reason = explained.reasons.find((one) => one.code === code);
      return reason === undefined ? null : { ...explained, reason };
    }, `${code} of ${id}`);

  it("X6: explains a limit that is full, with its holders and the place; and that a cancel was asked for", async () => {
    const app = await make({ workers: { asyncWorkers: 1, slots: 8 } });
    const ends: (() => void)[] = [];
    const fetch = app.step(
      "fetch",
      // It hears no signal: with the usual grace a machine that stalls for five seconds would find it cancelled already.
      { concurrency: { limit: 2, key: "host" }, killGrace: "1m" },
      async (_: { host: string }) => new Promise<void>((resolve) => ends.push(resolve)),
    );
    await app.start();
    const handles = [];
    for (let n = 0; n < 5; n++) handles.push(await fetch.enqueue({ host: "a.example" }));
    await poll(async () => (ends.length === 2 ? true : null), "two that run");
    await kept(app, 3);
    const ids = handles.map(({ id }) => id);
    const { reason, position, isRunnable, state } = await explainedAs(app, ids[4] ?? "", "limit_full");
    expect({ position, isRunnable, state }).toEqual({ position: 3, isRunnable: false, state: "ready" });
    expect(reason).toMatchObject({ blocker: { kind: "limit", id: "fetch#0 a.example" } });
    expect([...reason.holders].sort()).toEqual(ids.slice(0, 2).sort());
    expect(reason.text).toContain('for "a.example" is full: 2 of 2 run; 2 wait there before it');
    const running = ids[0] ?? "";
    await app.handle(running).cancel();
    expect((await explainedAs(app, running, "cancel_requested")).reason.text).toContain("asked to end");
    while ((await app.inspect.counts()).rows.some((row) => row.ready + row.running > 0)) {
      for (const end of ends.splice(0)) end();
      await new Promise((resolve) => setImmediate(resolve));
    }
  });

  it("X6: explains a rate with the earliest start, an order key with who is first, and what is debounced", async () => {
    const app = await make({ workers: { asyncWorkers: 1, slots: 8 } });
    let end: () => void = () => undefined;
    const over = new Promise<void>((resolve) => {
      end = resolve;
    });
    const send = app.step("send", { rate: { limit: 1, per: "1h" } }, async (_: null) => null);
    const apply = app.step("apply", { order: "account" }, async (_: { account: string }) => over);
    const save = app.step("save", { debounce: { key: "file", wait: "1h" } }, async (_: { file: string }) => null);
    await app.start();
    const sent = [];
    for (let n = 0; n < 3; n++) sent.push(await send.enqueue(null));
    await sent[0]?.wait({ timeout: "10s" });
    await kept(app, 2);
    const third = await explainedAs(app, sent[2]?.id ?? "", "rate_empty");
    expect(third).toMatchObject({
      position: 2,
      isRunnable: false,
      reason: { blocker: { kind: "rate", id: "send@0" } },
    });
    const inMs = (third.reason.until?.getTime() ?? 0) - Date.now();
    expect(inMs).toBeGreaterThan(7_100_000);
    expect(inMs).toBeLessThanOrEqual(7_201_000);

    const applied = [];
    for (let n = 0; n < 3; n++) applied.push(await apply.enqueue({ account: "a" }));
    const last = await explainedAs(app, applied[2]?.id ?? "", "order_behind");
    expect(last).toMatchObject({ position: 3, reason: { blocker: { kind: "operation", id: applied[0]?.id } } });
    expect(last.reason.text).toContain('number 3 of order key "a"');

    const saved = await save.enqueue({ file: "f" });
    const waits = await explainedAs(app, saved.id, "waiting_time");
    expect(waits.reason).toMatchObject({ until: expect.any(Date), blocker: { kind: "key", id: "f" } });
    end();
    await applied[2]?.wait({ timeout: "10s" });
  });

  it("X6: explains poison, what was cancelled, and a Segment whose Node is gone", async () => {
    const app = await make();
    const kill = app.step("kill", { retries: 0, queue: "deadly" }, async (_: null) => {
      throw Object.assign(new Error("no more"), { code: "MR_POISON" });
    });
    await app.start();
    const dead = await kill.enqueue(null);
    await dead.wait({ timeout: "10s" });
    expect((await explainedAs(app, dead.id, "finished")).reason.text).toContain("MR_POISON: no more");
    await app.queue("deadly").pause();
    const ended = await kill.enqueue(null);
    expect((await explainedAs(app, ended.id, "queue_paused")).isRunnable).toBe(false);
    await ended.cancel();
    expect((await explainedAs(app, ended.id, "finished")).reason.text).toContain("It is cancelled since");
    if (name !== "Redis") return;
    const away = new App({ id: app.id, nodeId: "web-9", store: process.env.MILLRACE_REDIS_URL ?? "" });
    const left = await away.step("kill", { queue: "deadly" }, async (_: null) => null).enqueue(null);
    await away.close();
    const { reason } = await explainedAs(app, left.id, "node_gone");
    expect(reason).toMatchObject({ blocker: { kind: "node", id: "web-9" } });
  });

  it("X19: fsck finds nothing while everything is busy", async () => {
    const app = await make({ workers: { asyncWorkers: 2, slots: 8 } });
    const work = app.step("work", { retries: 2, retryDelay: 1 }, async (n: number) => {
      if (n % 5 === 0) throw new Error("again");
      return n;
    });
    await app.start();
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 3_000 }, (_, n) => n),
    );
    await app.enqueueMany(
      work,
      Array.from({ length: 500 }, (_, n) => n + 1),
      { priority: 3 },
    );
    await app.enqueueMany(
      work,
      Array.from({ length: 500 }, (_, n) => n + 1),
      { delay: 20 },
    );
    for (let round = 0; round < 5; round++) {
      const report = await app.inspect.fsck({ page: 50 }).done();
      expect(report.findings).toEqual([]);
    }
    const last = handles.at(-1);
    if (last === undefined || last instanceof Error) throw new Error("the last input was refused");
    await last.wait({ timeout: "30s" });
    expect((await app.inspect.fsck({ repair: true }).done()).found).toBe(0);
  });
});

it("X6: explains that the store is away, in seconds", async () => {
  const app = new App({ store: "redis://127.0.0.1:1" });
  const explained = await app.inspect.explain("web-1.abc.101");
  expect(explained).toMatchObject({ state: null, isRunnable: false, reasons: [{ code: "store_away" }] });
  await app.close();
});
