/**
 * Expiry and deadlines as users meet them, on every store: what waits too long fails, what takes too long is aborted.
 *
 * No sleeps: waits are for outcomes; handlers end with their abort signal.
 */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type AppOptions } from "@millrace/core";
import { afterAll, describe, expect, it } from "vitest";
import { openApps } from "../helper/open-apps.js";

const folders: string[] = [];
afterAll(async () => {
  await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })));
});

let made = 0;
const places: readonly { name: string; fresh: () => Promise<AppOptions> }[] = [
  { name: "memory", fresh: async () => ({ store: "memory:" }) },
  {
    name: "embedded",
    fresh: async () => {
      const folder = await mkdtemp(join(tmpdir(), "millrace-expiry-"));
      folders.push(folder);
      return { store: `embedded:${folder}` };
    },
  },
  {
    name: "Redis",
    fresh: async () => ({ store: process.env.MILLRACE_REDIS_URL ?? "", id: `expiry-${process.pid}-${made++}` }),
  },
];

describe.each(places)("on $name", ({ fresh }) => {
  const apps = openApps();
  const make = (options: AppOptions): App => apps.add({ app: new App(options) }).app;

  it("X3: what nobody takes in time fails as expired and never starts; what has time left runs", async () => {
    const options = await fresh();
    const app = make({ ...options, workers: { queues: ["other"] } });
    let runs = 0;
    const late = app.step("late", { expires: "50ms" }, async () => {
      runs++;
    });
    const patient = app.step("patient", { queue: "other" }, async () => "there");
    app.step("anchor", { queue: "other" }, async () => null);
    const waiting = await late.enqueue(null);
    const bulk = await app.enqueueMany(late, [null, null]);
    await app.start();
    await expect(waiting.result({ timeout: "20s" })).rejects.toMatchObject({ remote: { code: "MR_EXPIRED" } });
    for (const handle of bulk.handles) {
      if (handle instanceof Error) throw handle;
      expect(await handle.wait({ timeout: "20s" })).toMatchObject({ state: "failed", error: { code: "MR_EXPIRED" } });
    }
    const handle = await patient.enqueue(null, { expires: "1h", deadline: "1h" });
    expect(await handle.result({ timeout: "20s" })).toBe("there");
    expect(runs).toBe(0);
    expect(app.metrics().lapsed).toBe(3);
    expect((await waiting.status()).error?.message).toBe("Operation was not started within 50 ms of its enqueue");
  });

  it("X3: a deadline aborts what runs, and nothing is tried again", async () => {
    const app = make(await fresh());
    const kinds: unknown[] = [];
    const told: unknown[] = [];
    app.on("operation.cancelled", () => told.push("cancelled"));
    app.on("operation.failed", ({ error }) => told.push(error.code));
    const slow = app.step("slow", { deadline: "150ms", retries: 5, retryDelay: "1ms" }, async (_input, ctx) => {
      await new Promise<void>((resolve) => {
        ctx.abort.addEventListener("abort", () => {
          kinds.push(ctx.abort.reason.kind);
          resolve();
        });
      });
      ctx.abort.throwIfAborted();
    });
    await app.start();
    const handle = await slow.enqueue(null);
    await expect(handle.result({ timeout: "20s" })).rejects.toMatchObject({ remote: { code: "MR_EXPIRED" } });
    expect(kinds).toEqual(["cancel"]);
    await app.stop();
    expect(told).toEqual(["MR_EXPIRED"]);
    expect(app.metrics()).toMatchObject({ failed: 1, cancelled: 0 });
  });

  it("X3: a deadline ends what waits for its next Attempt", async () => {
    const app = make(await fresh());
    let runs = 0;
    const failing = app.step("failing", { retries: 50, retryDelay: "1h" }, async () => {
      runs++;
      throw new Error("not yet");
    });
    await app.start();
    const handle = await failing.enqueue(null, { deadline: "200ms" });
    await expect(handle.result({ timeout: "20s" })).rejects.toMatchObject({ remote: { code: "MR_EXPIRED" } });
    expect(runs).toBe(1);
  });

  it("X3: a delay that leaves no time is refused at once", async () => {
    const app = make(await fresh());
    const step = app.step("s", async () => null);
    await expect(step.enqueue(null, { delay: "2s", expires: "1s" })).rejects.toMatchObject({
      code: "MR_INVALID_OPTION",
      message: expect.stringContaining("enqueue.expires"),
    });
  });
});
