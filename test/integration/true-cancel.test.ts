/**
 * Cancels and time limits that are true, on the program's own thread, in Worker threads and in processes: what listens
 * is told; what does not is fenced, and what never ends is ended by force.
 */

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type Handle } from "@millrace/core";
import { afterAll, describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { isAlive } from "../helper/is-alive.js";
import { openApps } from "../helper/open-apps.js";
import { openTestRedis } from "../helper/redis.js";
import { poll, within } from "../helper/wait.js";
import { makeApp } from "./true-cancel-app.js";

/** What Workers import: Node runs no TypeScript. */
const module = new URL("../dist/integration/true-cancel-app.js", import.meta.url);
/** How long after its limit a handler that never ends may be there. */
const GONE_MS = 7_000;

const apps = openApps<ReturnType<typeof makeApp>>();
const folder = mkdtempSync(join(tmpdir(), "millrace-cancel-"));
let files = 0;
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function newFile(): string {
  return join(folder, `${files++}.txt`);
}

function linesOf(file: string): string[] {
  try {
    return readFileSync(file, "utf8").split("\n").slice(0, -1);
  } catch {
    return [];
  }
}

async function began(file: string): Promise<void> {
  await poll(() => (linesOf(file).includes("began") ? true : null), "the handler to begin", 10_000);
}

async function ended(handle: Handle<unknown>) {
  return await within(handle.wait(), "the end", 15_000);
}

const workers = { asyncWorkers: 1, blockingWorkers: 1, processWorkers: 1 };

/** The App where its async Steps run as the name says. */
async function started(where: "inline" | "threads" | "processes") {
  const made = apps.add(makeApp(where === "inline" ? {} : { module, workers }));
  const blocking = where === "inline" ? null : made.blocking();
  const alone = where === "inline" ? null : made.process();
  await made.app.start();
  const polite = where === "processes" ? (alone?.politeAlone ?? made.polite) : made.polite;
  const deaf = where === "processes" ? (alone?.deafAlone ?? made.deaf) : made.deaf;
  return { ...made, ...blocking, ...alone, polite, deaf };
}

for (const where of ["inline", "threads", "processes"] as const) {
  describe(`X3: a cancel (${where})`, () => {
    it("X3: ends what waits at once, and tells a handler that listens", async () => {
      const { polite } = await started(where);
      const file = newFile();
      const handle = await polite.enqueue({ file });
      await began(file);
      const later = await polite.enqueue({ file }, { delay: "1h" });
      expect(await later.cancel()).toBe("cancelled");
      expect(await later.wait({ timeout: "1s" })).toMatchObject({ state: "cancelled" });
      expect(await handle.cancel({ reason: "enough" })).toBe("requested");
      expect(await ended(handle)).toMatchObject({ state: "cancelled" });
      expect(linesOf(file)).toEqual(["began", "heard cancel"]);
    });

    it("X3: fences an async handler that does not listen: its late result is not taken", async () => {
      const { app, deaf, echo } = await started(where);
      const file = newFile();
      const handle = await deaf.enqueue({ file, deafMs: 1_500 });
      await began(file);
      const before = app.workers();
      await handle.cancel();
      expect(await ended(handle)).toMatchObject({ state: "cancelled" });
      const late = linesOf(file).includes("ended late");
      expect(late).toBe(false);
      if (where === "inline") {
        // Its own thread cannot be replaced: the handler goes on, and nothing comes of it.
        await poll(() => (linesOf(file).includes("ended late") ? true : null), "its late end", 5_000);
      } else {
        const kind = where === "threads" ? "async" : "process";
        const old = before.find((worker) => worker.kind === kind);
        await poll(
          () => {
            const now = app.workers().find((worker) => worker.kind === kind && worker.state === "open");
            return now !== undefined && now.startedAt > (old?.startedAt ?? now.startedAt) ? true : null;
          },
          "a fresh Worker in its place",
          10_000,
        );
      }
      expect(await handle.status()).toMatchObject({ state: "cancelled" });
      expect(await app.run(echo, 1)).toBe(1);
    });
  });
}

describe("X3: what never ends", () => {
  it("X3: in a thread is gone within its time limit and 7 s, with its thread", async () => {
    const { app, limited } = await started("threads");
    const file = newFile();
    const handle = await limited?.enqueue({ file });
    await began(file);
    const since = performance.now();
    expect(await ended(handle as Handle<unknown>)).toMatchObject({ state: "failed", error: { code: "MR_TIMEOUT" } });
    expectInTime(performance.now() - since, 500 + GONE_MS);
    expect(app.metrics()).toMatchObject({ workersStuck: 1 });
  });

  it("X3: in a thread is gone after a cancel and its grace, also without a time limit", async () => {
    const { loop } = await started("threads");
    const file = newFile();
    const handle = await loop?.enqueue({ file });
    await began(file);
    const since = performance.now();
    await handle?.cancel();
    expect(await ended(handle as Handle<unknown>)).toMatchObject({ state: "cancelled" });
    expectInTime(performance.now() - since, 200 + GONE_MS);
  });

  it("X3: in a process is gone within its time limit and 7 s, with its process", async () => {
    const { app, limitedAlone, pidAlone } = await started("processes");
    const pid = await app.run(pidAlone as never, null as never);
    const file = newFile();
    const handle = await limitedAlone?.enqueue({ file });
    await began(file);
    const since = performance.now();
    expect(await ended(handle as Handle<unknown>)).toMatchObject({ state: "failed", error: { code: "MR_TIMEOUT" } });
    expectInTime(performance.now() - since, 500 + GONE_MS);
    expect(isAlive(pid as number)).toBe(false);
  });

  it("X3: in a process takes along what it had started when it is cancelled", async () => {
    const { treeAlone } = await started("processes");
    const file = newFile();
    const handle = await treeAlone?.enqueue({ file });
    await began(file);
    const pids = (linesOf(file)[0] ?? "").split(" ").map(Number);
    expect(pids.map(isAlive)).toEqual([true, true]);
    await handle?.cancel();
    expect(await ended(handle as Handle<unknown>)).toMatchObject({ state: "cancelled" });
    await poll(() => (pids.some(isAlive) ? null : true), "the process and its child to be gone", 5_000);
  });
});

describe("X3: from anywhere", () => {
  it("X3: a program that runs nothing itself ends a handler of another", async () => {
    await using redis = await openTestRedis();
    const { app, polite } = apps.add(makeApp({ store: redis.url, id: redis.app }));
    await app.start();
    const file = newFile();
    const { id } = await polite.enqueue({ file });
    await began(file);
    await using client = new App({ store: redis.url, id: redis.app, nodeId: "client" });
    const handle = client.handle(id);
    expect(await handle.cancel({ reason: "by another" })).toBe("requested");
    expect(await within(handle.wait(), "its end", 10_000)).toMatchObject({ state: "cancelled" });
    expect(linesOf(file)).toEqual(["began", "heard cancel"]);
  });

  it("X3: the grace is 5 s unless the Step says otherwise", () => {
    const { echo, polite } = makeApp();
    expect([echo.definition.killGraceMs, polite.definition.killGraceMs]).toEqual([5_000, 200]);
  });
});
