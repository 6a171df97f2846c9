/** `millrace ops`, `dlq`, `explain`, `fsck` against a Redis that holds something. */
import { App, TerminalError } from "@millrace/core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { millraceHere } from "../../helper/millrace.js";
import { openTestRedis, type TestRedis } from "../../helper/redis.js";

let redis: TestRedis;
let app: App;
let ids: string[];

beforeAll(async () => {
  redis = await openTestRedis();
  app = new App({ id: redis.app, store: redis.url, nodeId: "web-1" });
  const charge = app.step("charge", { retries: 0 }, async (n: number) => {
    throw new TerminalError(`card ${n} declined`);
  });
  const { handles } = await app.enqueueMany(charge, [1, 2, 3]);
  await app.start();
  const made = handles.flatMap((handle) => (handle instanceof Error ? [] : [handle]));
  await app.gather(made, { settle: true });
  ids = made.map(({ id }) => id);
  await app.stop();
  await charge.enqueue(4, { queue: "later", tags: { kind: "x" } });
});
afterAll(async () => {
  await app.close();
  await redis.close();
});

const run = async (...args: readonly string[]) => {
  const where = ["--app", redis.app, "--store", redis.url];
  const { code, stdout, stderr } = await millraceHere([...args, ...where, "--json"], { cwd: process.cwd(), env: {} });
  return { code, stderr, out: stdout === "" ? null : (JSON.parse(stdout) as Record<string, unknown>) };
};

it("lists, searches, and says what is misspelt with exit code 2", async () => {
  expect(await run("ops", "list", "--state", "failed", "--limit", "2")).toMatchObject({
    code: 0,
    out: { operations: [{ step: "charge" }, { step: "charge" }], cursor: expect.any(String) },
  });
  expect(await run("ops", "search", "tag.kind:x")).toMatchObject({
    code: 0,
    out: { operations: [{ state: "ready" }] },
  });
  const wrong = await run("ops", "search", "stat:failed");
  expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining("did you mean `state`?") });
});

it("groups dead letters, explains one, redrives with a dry run first, discards", async () => {
  expect(await run("dlq")).toMatchObject({ code: 0, out: { groups: [{ count: 3, code: "MR_TERMINAL" }] } });
  expect(await run("explain", ids[0] ?? "")).toMatchObject({ code: 0, out: { reasons: [{ code: "finished" }] } });
  expect(await run("explain", "web-1.abc.101")).toMatchObject({ code: 4, out: { state: "unknown" } });
  expect(await run("dlq", "redrive", `id:${ids[0]}`, "--dry-run")).toMatchObject({ out: { matched: 1, done: 0 } });
  expect(await run("dlq", "redrive", `id:${ids[0]}`)).toMatchObject({ code: 0, out: { matched: 1, done: 1 } });
  expect(await run("dlq", "discard", "")).toMatchObject({ code: 0, out: { done: 2 } });
  expect(await run("ops", "cancel", "queue:later", "--rate", "100")).toMatchObject({ out: { done: 1 } });
  expect(await run("ops", "delete", "state:cancelled")).toMatchObject({ out: { done: 1 } });
});

it("B20, X4: lists Steps, and refuses to enqueue one whose keys, order or limits it cannot read", async () => {
  const serving = new App({ id: redis.app, store: redis.url, nodeId: "web-2" });
  serving.step("bound", { queue: "tied", order: "account" }, async (_: { account: string }) => null);
  serving.step("loose", { queue: "tied" }, async () => null);
  expect(await run("enqueue", "bound", '{"account":"a"}', "--queue", "nobody")).toMatchObject({ code: 0 });
  await serving.start();
  try {
    const { code, out } = await run("steps", "--node", "web-2");
    expect(code).toBe(0);
    const none = { scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 0 };
    expect(out).toMatchObject({
      steps: [
        { name: "bound", nodes: ["web-2"], isTied: true, counts: { ...none, ready: 1 } },
        { name: "loose", nodes: ["web-2"], isTied: false, counts: none },
      ],
      cursor: null,
    });
    const refused = await run("enqueue", "bound", '{"account":"a"}', "--queue", "nobody");
    expect(refused).toMatchObject({
      code: 2,
      out: null,
      stderr: expect.stringContaining("pass them by with --untied"),
    });
    expect(await run("enqueue", "bound", "1", "--queue", "nobody", "--untied")).toMatchObject({ code: 0 });
    expect(await run("enqueue", "loose", "1", "--queue", "nobody")).toMatchObject({ code: 0 });
  } finally {
    await serving.close();
  }
  expect(await run("ops", "cancel", "queue:nobody")).toMatchObject({ out: { done: 3 } });
});

it("X4: shows limits, sets their numbers, takes them back, and says what is wrong", async () => {
  const slow = new App({ id: redis.app, store: redis.url, nodeId: "web-2" });
  const fetch = slow.step("fetch", { concurrency: 1, queue: "slow" }, async () => undefined);
  await slow.enqueueMany(fetch, [1, 2, 3]);
  await slow.close();
  expect(await run("limits", "set", "fetch", "--concurrency", "7")).toMatchObject({ code: 0 });
  expect(await run("limits", "list", "fetch")).toMatchObject({
    code: 0,
    out: { limits: [{ step: "fetch", kind: "concurrency", position: 0, key: null, live: { slots: 7 }, limit: 7 }] },
  });
  expect(await run("limits", "set", "fetch", "--rate", "10/1m", "--burst", "2")).toMatchObject({ code: 0 });
  expect(await run("limits")).toMatchObject({ out: { limits: [{ limit: 7 }, { everyMs: 6000, burst: 2 }] } });
  expect(await run("limits", "reset", "fetch", "--kind", "rate")).toMatchObject({ code: 0, out: { reset: 1 } });
  expect(await run("limits", "reset", "fetch")).toMatchObject({ code: 0, out: { reset: 1 } });
  for (const [flags, said] of [
    [["--rate", "10"], "such as 100/1m"],
    [["--concurrency", "-1"], "concurrency"],
    [["--concurrency", "many"], "concurrency"],
    [["--burst", "2"], "--burst goes with --rate"],
    [[], "either `concurrency` or `rate`"],
  ] as const) {
    const wrong = await run("limits", "set", "fetch", ...flags);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining(said) });
  }
});

it("checks, and says with its exit code whether something is wrong", async () => {
  expect(await run("fsck")).toMatchObject({ code: 0, out: { found: 0 } });
  await redis.client.zadd(`{${redis.app}:web-1}:p:async`, 55, "55");
  expect(await run("fsck")).toMatchObject({ code: 1, out: { found: 1, byKind: { priority_empty: 1 } } });
  expect(await run("fsck", "--repair")).toMatchObject({ code: 0, out: { mended: 1 } });
  expect(await run("fsck")).toMatchObject({ code: 0, out: { found: 0 } });
});
