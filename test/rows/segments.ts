/** Rows about many Nodes and many Apps: Segments, claims from all of them, one owner a time, nothing seen of others. */
import type { Handle } from "@millrace/core";
import { expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import type { Place } from "../helper/places.js";
import { poll } from "../helper/wait.js";
import { door, stage } from "./stage.js";

/** One Attempt at a time, and few claimed ahead. */
const oneSlot = { asyncWorkers: 1, slots: 1, autoOptimize: false } as const;

const names = (of: string, count: number): string[] => Array.from({ length: count }, (_, n) => `${of}-${n}`);

/** The work of a handler: long enough that no claim takes all there is. */
const brief = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

async function ended(...batches: ({ readonly handles: readonly (Handle<unknown> | Error)[] } | undefined)[]) {
  for (const { handles } of batches.flatMap((batch) => batch ?? [])) {
    for (const handle of handles) if (!(handle instanceof Error)) await handle.result({ timeout: "30s" });
  }
}

/** Declares them on one kind of store. */
export function segmentRows({ fresh, isShared }: Place): void {
  const open = stage();

  it.runIf(isShared)(
    "B26: each Node writes a Segment of its own, which its ids name, and is drained by another",
    async () => {
      const options = await fresh();
      const names = ["node-a", "node-b", "node-c"];
      const nodes = names.map((nodeId) => open({ ...options, nodeId }));
      const work = nodes.map((app) => app.step("work", async (n: number) => n));
      const handles = await Promise.all(work.map((step, n) => step.enqueue(n)));
      expect(handles.map(({ id }) => id.slice(0, id.indexOf(".")))).toEqual(names);
      const store = await openStore(options.store ?? "", options.id ?? "");
      expect([...(await store.segments())].sort()).toEqual(names);
      const ready = await Promise.all(names.map(async (name) => (await store.counts(name)).queues[0]?.ready));
      await store.close();
      expect(ready).toEqual([1, 1, 1]);
      await nodes[0]?.start();
      expect(await Promise.all(handles.map((handle) => handle.result({ timeout: "10s" })))).toEqual([0, 1, 2]);
    },
  );

  it.runIf(isShared)("B27: a small Segment is served while a large one is still worked off", async () => {
    const options = await fresh();
    const ran: string[] = [];
    const nodes = ["large", "small", "worker"].map((nodeId) => {
      const app = open({ ...options, nodeId, workers: { asyncWorkers: 1, slots: 2, autoOptimize: false } });
      app.step("work", async (from: string) => {
        ran.push(from);
        await new Promise((resolve) => setImmediate(resolve));
      });
      return app;
    });
    const [large, small, worker] = nodes;
    const many = await large?.enqueueMany(
      "work",
      Array.from({ length: 1_500 }, () => "large"),
    );
    const few = await small?.enqueueMany(
      "work",
      Array.from({ length: 5 }, () => "small"),
    );
    await worker?.start();
    for (const handle of [...(many?.handles ?? []), ...(few?.handles ?? [])]) {
      if (!(handle instanceof Error)) await handle.result({ timeout: "30s" });
    }
    expect(ran).toHaveLength(1_505);
    expect(ran.lastIndexOf("small")).toBeLessThan(1_000);
  });

  it.runIf(isShared)("B27: what has a higher priority starts first, in whatever Segment it waits", async () => {
    const options = await fresh();
    const ran: string[] = [];
    const nodes = ["here", "far", "farther"].map((nodeId) => {
      const app = open({ ...options, nodeId, workers: oneSlot });
      app.step("work", async (name: string) => {
        ran.push(name);
        await brief();
      });
      return app;
    });
    const [here, far, farther] = nodes;
    const low = await here?.enqueueMany("work", names("low", 40));
    const some = await far?.enqueueMany("work", names("some", 5), { priority: 5 });
    const most = await farther?.enqueueMany("work", names("most", 5), { priority: 900 });
    await here?.start();
    await ended(some, most);
    expect(ran.slice(0, 10)).toEqual([...names("most", 5), ...names("some", 5)]);
    // And while lower ones are worked off, those that were claimed already apart.
    const late = await far?.enqueue("work", "late", { priority: 1 });
    await late?.result({ timeout: "30s" });
    expect(ran.length).toBeLessThan(30);
    await ended(low);
  });

  it.runIf(isShared)(
    "B27: a Node that is busy with lower priorities helps one with higher ones, not its equals",
    async () => {
      const options = await fresh();
      const ran: string[] = [];
      const { passed, open: free } = door();
      const [busy, stuck] = ["busy", "stuck"].map((nodeId) => {
        const app = open({ ...options, nodeId, workers: oneSlot });
        app.step("work", async (name: string) => {
          ran.push(`${name}@${nodeId}`);
          await (name === "long" ? passed : brief());
        });
        return app;
      });
      await stuck?.start();
      const long = await stuck?.enqueue("work", "long");
      await poll(() => (ran.length === 1 ? true : null), "the long one's begin");
      const low = await busy?.enqueueMany("work", names("low", 80));
      await busy?.start();
      // By now it has looked into every Segment, as one that starts does.
      await poll(() => (ran.length > 3 ? true : null), "its first runs");
      const equal = await stuck?.enqueueMany("work", names("equal", 20));
      await poll(() => (ran.length > 15 ? true : null), "some more");
      expect(ran.some((name) => name.startsWith("equal"))).toBe(false);
      const urgent = await stuck?.enqueue("work", "urgent", { priority: 10 });
      await urgent?.result({ timeout: "30s" });
      expect(ran).toContain("urgent@busy");
      expect(ran.length).toBeLessThan(60);
      await ended(low, equal); // with nothing else to do it helps its equals, too
      free();
      await long?.result({ timeout: "30s" });
    },
  );

  it.runIf(isShared)(
    "B27: among equals the oldest head goes first and the largest if so configured, and all have turns",
    async () => {
      for (const segmentOrder of ["oldest_first", "largest_first"] as const) {
        const options = await fresh();
        const ran: string[] = [];
        const nodes = ["old", "large", "worker"].map((nodeId) => {
          const app = open({ ...options, nodeId, workers: { ...oneSlot, segmentOrder } });
          app.step("work", async (name: string) => {
            ran.push(name);
            await brief();
          });
          return app;
        });
        const [old, large, worker] = nodes;
        const few = await old?.enqueueMany("work", names("old", 40));
        await brief();
        const many = await large?.enqueueMany("work", names("large", 60));
        await worker?.start();
        await ended(few, many);
        const half = ran.slice(0, 40);
        const isOld = (name: string) => name.startsWith("old");
        const share = half.filter(isOld).length / half.length;
        if (segmentOrder === "oldest_first") expect(share).toBeGreaterThan(0.55);
        else expect(share).toBeLessThan(0.45);
        expect(half.some((name) => isOld(name))).toBe(true);
        expect(half.every((name) => isOld(name))).toBe(false);
      }
    },
  );

  it("B27: strict priority and FIFO inside a Segment", async () => {
    const app = open({ ...(await fresh()), workers: oneSlot });
    const ran: string[] = [];
    app.step("work", async (name: string) => void ran.push(name));
    const batches = [];
    for (const priority of [0, 7, -7, 1_000]) {
      batches.push(await app.enqueueMany("work", names(`p${priority}`, 3), { priority }));
    }
    await app.start();
    await ended(...batches);
    expect(ran).toEqual([1_000, 7, 0, -7].flatMap((priority) => names(`p${priority}`, 3)));
  });

  it("B33: five Apps with Steps, Queues and keys of the same names see nothing of each other", async () => {
    const options = await fresh();
    const ids = Array.from({ length: 5 }, (_, n) => `${options.id ?? "rows"}-${n}`);
    const ran: string[] = [];
    const apps = [];
    for (const id of ids) {
      // An embedded store has a folder for each App.
      const store = options.store?.toString().startsWith("embedded:") ? (await fresh()).store : options.store;
      const app = open({ ...(store === undefined ? {} : { store }), id, nodeId: "web-1" });
      const step = app.step("same", { queue: "same", dedupe: { key: () => "same" } }, async (from: string) => {
        ran.push(`${id}<${from}`);
        return from;
      });
      apps.push({ id, app, step });
    }
    const handles: Handle<string>[] = [];
    for (const { id, step } of apps) handles.push(await step.enqueue(id));
    for (const { app } of apps.slice(0, 4)) await app.start();
    await apps[0]?.app.queue("same").pause();
    const results = await Promise.all(handles.slice(1, 4).map((handle) => handle.result({ timeout: "10s" })));
    expect(results).toEqual(ids.slice(1, 4));
    const last = apps[4]?.app;
    expect(await last?.queue("same").counts()).toMatchObject({ ready: 1, isPaused: false });
    const foreign = apps[1]?.app.handle(handles[2]?.id ?? "");
    await expect(foreign?.status()).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    await expect(foreign?.cancel()).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    for (const line of ran) expect(line.split("<")[0]).toBe(line.split("<")[1]);
  });
}
