/** Starting, stopping, pausing, waiting, and running again by hand. */
import { isMillraceError, OperationFailed } from "@millrace/core";
import { expect, it } from "vitest";
import type { Place } from "../helper/places.js";
import { poll, within } from "../helper/wait.js";
import { door, stage } from "../rows/stage.js";

/** Declares them on one kind of store. */
export function lifeRegressions({ fresh, isShared }: Place): void {
  const open = stage();

  it("regression: shutdown hangs, or duplicates", async () => {
    const app = open({ ...(await fresh()), workers: { asyncWorkers: 1, slots: 4, autoOptimize: false } });
    const begun = door();
    const starts = new Map<number, number>();
    const work = app.step("work", async (n: number) => {
      starts.set(n, (starts.get(n) ?? 0) + 1);
      if (starts.size === 10) begun.open();
      await new Promise((resolve) => setImmediate(resolve));
      return n;
    });
    await app.start();
    const { handles } = await app.enqueueMany(
      work,
      Array.from({ length: 400 }, (_, n) => n),
    );
    const good = handles.flatMap((handle) => (handle instanceof Error ? [] : [handle]));
    // Waits that are open when it stops; stops that come on each other's heels.
    const later = await work.enqueue(400, { delay: "1h" });
    const waiting = later.result().catch((error: unknown) => error);
    await begun.passed;
    await within(Promise.all([app.stop(), app.stop(), app.stop()]), "the stop", 5_000);
    const [first] = await Promise.all(good.map((handle) => handle.status()));
    expect(first?.state).toBe("completed");
    await app.start();
    expect(await app.gather(good, { timeout: "20s" })).toEqual(good.map((_, n) => n));
    expect([...starts.values()].filter((count) => count !== 1)).toEqual([]);
    await within(Promise.all([app.close(), app.close()]), "the close", 5_000);
    expect(isMillraceError(await within(waiting, "the wait's end"), "MR_APP_CLOSED")).toBe(true);
  });

  it("regression: a pause leaks to another App", async () => {
    const options = await fresh();
    const apps = ["a", "b"].map((name) => open({ ...options, id: `${options.id ?? "paid"}-${name}` }));
    const [one, two] = apps.map((app) => app.step("work", { queue: "same" }, async (n: number) => n));
    await apps[0]?.queue("same").pause();
    await Promise.all(apps.map((app) => app.start()));
    const held = await one?.enqueue(1);
    expect(await (await two?.enqueue(2))?.result({ timeout: "5s" })).toBe(2);
    expect((await held?.status())?.state).toBe("ready");
    expect(await apps[1]?.queue("same").counts()).toMatchObject({ isPaused: false });
    await apps[0]?.queue("same").resume();
    expect(await held?.result({ timeout: "5s" })).toBe(1);
  });

  it("regression: a manual retry fails at once", async () => {
    const app = open(await fresh());
    const attempts: string[] = [];
    let failures = 4;
    const work = app.step("work", { retries: 1, retryDelay: 1 }, async (_: null, { attempt }) => {
      attempts.push(`${attempt}`);
      if (failures-- > 0) throw new Error("told to");
      return "well";
    });
    await app.start();
    const handle = await work.enqueue(null);
    for (let generation = 0; generation < 2; generation++) {
      await expect(handle.result({ timeout: "10s" })).rejects.toBeInstanceOf(OperationFailed);
      expect(await app.queue("async").requeue([handle.id])).toBe(1);
      await poll(async () => ((await handle.status()).generation === generation + 1 ? true : null), "a new generation");
    }
    // With all its Attempts again each time.
    expect(await handle.result({ timeout: "10s" })).toBe("well");
    expect(attempts).toEqual(["1", "2", "1", "2", "1"]);
  });

  it("regression: awaiting a result hangs", async () => {
    const options = await fresh();
    const worker = open({ ...options, nodeId: "worker" });
    // Where there can be two processes, the one that waits is not the one that works.
    const client = isShared ? open({ ...options, nodeId: "client" }) : worker;
    const declare = (app: typeof worker) => app.step("work", async (n: number) => n);
    const works = [declare(worker), ...(isShared ? [declare(client)] : [])];
    const work = works.at(-1) as ReturnType<typeof declare>; // there is at least one
    await worker.start();
    const waits: Promise<number>[] = [];
    for (let n = 0; n < 500; n++) {
      const handle = await work.enqueue(n);
      // Begun at once, a little later, and when all is over.
      if (n % 3 === 1) await new Promise((resolve) => setImmediate(resolve));
      if (n % 3 === 2) await handle.wait({ timeout: "10s" });
      waits.push(client.handle<number>(handle.id).result({ timeout: "10s" }));
    }
    expect(await Promise.all(waits)).toEqual(Array.from({ length: 500 }, (_, n) => n));
  });

  it("regression: an unhandled rejection, a leak of races", async () => {
    const strays: unknown[] = [];
    const stray = (reason: unknown) => strays.push(reason);
    process.on("unhandledRejection", stray);
    try {
      const app = open({ ...(await fresh()), workers: { asyncWorkers: 1, slots: 200, autoOptimize: false } });
      const late = door();
      const work = app.step("work", { timeout: "20ms", killGrace: 1, retries: 0 }, async () => {
        await late.passed;
        throw new Error("long after anybody listens");
      });
      await app.start();
      const listeners = new AbortController();
      const handles = await Promise.all(Array.from({ length: 100 }, () => work.enqueue(null)));
      const waits = handles.flatMap((handle) => [
        handle.result({ timeout: 1 }),
        handle.result({ signal: listeners.signal }),
        handle.wait({ timeout: "10s" }),
      ]);
      listeners.abort(new Error("enough"));
      const ends = await Promise.allSettled(waits);
      late.open();
      const endless = await work.enqueue(null, { delay: "1h" });
      const open1 = endless.result().catch(() => "closed");
      await app.close();
      expect(await open1).toBe("closed");
      expect(ends.filter(({ status }) => status === "fulfilled")).toHaveLength(100);
      // Rejections nobody handles are told after the microtasks, so a turn of the loop shows them all.
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
      expect(strays).toEqual([]);
    } finally {
      process.off("unhandledRejection", stray);
    }
  });

  it.runIf(isShared)("regression: an unknown handler is retried for ever", async () => {
    const options = await fresh();
    const [producer, old] = ["producer", "old"].map((nodeId) => open({ ...options, nodeId }));
    const added = producer?.step("new", { retries: 2 }, async () => "by the new build");
    const known = producer?.step("known", async (n: number) => n);
    old?.step("known", async (n: number) => n);
    await old?.start();
    const handle = await added?.enqueue(null);
    await poll(async () => ((await handle?.status())?.state === "scheduled" ? true : null), "being put aside");
    // Others are not held up by it, it is not taken again and again, and it has lost no Attempt.
    expect(await (await known?.enqueue(7))?.result({ timeout: "5s" })).toBe(7);
    expect(old?.metrics().claimed).toBe(2);
    const status = await handle?.status();
    expect(status).toMatchObject({ state: "scheduled", attempt: 0 });
    expect(status?.dueAt?.getTime()).toBeGreaterThan(Date.now() + 10_000);
  });
}
