/** Rows about many Nodes and many Apps: Segments, claims from all of them, one owner a time, nothing seen of others. */
import type { Handle } from "@millrace/core";
import { expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import type { Place } from "../helper/places.js";
import { stage } from "./stage.js";

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
