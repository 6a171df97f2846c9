/** Values above 64 KiB on Redis: kept beside lists and records, fetched by who needs them, gone with their Operation. */
import { createHash } from "node:crypto";
import { App, type AppOptions } from "@millrace/core";
import { OffloadingStore } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTestRedis, type TestRedis } from "../helper/redis.js";
import { poll } from "../helper/wait.js";
import { makeApp } from "./threads-app.js";

const opened: (() => unknown)[] = [];
let redis: TestRedis;

beforeEach(async () => {
  redis = await openTestRedis();
  opened.push(() => redis.close());
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

function appWith(options: AppOptions = {}) {
  const app = new App({ id: redis.app, nodeId: "n1", store: redis.url, ...options });
  opened.push(() => app.close());
  const steps = {
    size: app.step("size", async (text: string) => text.length),
    make: app.step("make", async (length: number) => "r".repeat(length)),
    echo: app.step("echo", async (input: unknown) => input),
    refuse: app.step("refuse", { retries: 0 }, async (text: string) => {
      throw new Error(`refused ${text.length}`);
    }),
  };
  return { app, ...steps };
}

const large = "x".repeat(200_000);
const values = async () => (await redis.keys()).filter((key) => key.includes(":v:"));
const indexOf = () => `{${redis.app}:n1}:vi`;

/** What a list of the Queue weighs. */
async function listBytes(): Promise<number> {
  const entries = await redis.client.lrange(`{${redis.app}:n1}:r:async`, 0, -1);
  return entries.reduce((sum, entry) => sum + entry.length, 0);
}

describe("X28: large values", () => {
  it("X28: inputs above 64 KiB leave the lists, in their order, and come back to the Step that runs", async () => {
    const { app, size, echo } = appWith();
    const handles = await Promise.all([
      size.enqueue("small"),
      size.enqueue(large),
      size.enqueue("small again"),
      size.enqueue(large, { priority: 3 }),
      size.enqueue(large, { delay: "1ms" }),
      size.enqueue(large, { idempotencyKey: "once" }),
    ]);
    expect((await size.enqueue(large, { idempotencyKey: "once" })).receipt.deduplicated).toBe(true);
    expect(await values()).toHaveLength(4);
    expect(await listBytes()).toBeLessThan(1_000);
    expect((await app.inspect.list({ state: "ready" })).operations.length).toBeGreaterThanOrEqual(4);
    await app.start();
    expect(await app.gather(handles)).toEqual([5, large.length, 11, large.length, large.length, large.length]);
    await poll(async () => ((await values()).length === 0 ? true : null), "the inputs of what completed to be deleted");
    expect(await redis.client.zcard(indexOf())).toBe(0);
    const odd = [
      Buffer.alloc(100_000, 0xc1),
      Buffer.concat([Buffer.alloc(90_000, 4), Buffer.from([0xc1, 4]), Buffer.alloc(36)]),
    ];
    for (const value of odd) {
      const back = (await app.run(echo, value)) as Uint8Array; // what was given
      expect(createHash("sha256").update(back).digest("hex")).toBe(createHash("sha256").update(value).digest("hex"));
    }
  });

  it("X28: many large inputs keep the order of their lane", async () => {
    const seen: number[] = [];
    const app = new App({ id: redis.app, nodeId: "n1", store: redis.url, workers: { asyncWorkers: 1, slots: 1 } });
    opened.push(() => app.close());
    const note = app.step("note", async ({ n }: { n: number; pad: string }) => void seen.push(n));
    const inputs = Array.from({ length: 60 }, (_, n) => ({ n, pad: n % 3 === 0 ? large : "" }));
    const handles = await Promise.all(inputs.map((input) => note.enqueue(input)));
    await app.start();
    await app.gather(handles);
    expect(seen).toEqual(inputs.map(({ n }) => n));
  });

  it("X28: results above 64 KiB are read by `result`, at once and later, with keys and compression too", async () => {
    for (const options of [{}, { encryptionKey: `k:${Buffer.alloc(32, 1).toString("base64")}` }]) {
      const { app, make, size } = appWith(options);
      const early = await make.enqueue(300_000);
      const waiting = early.result();
      await app.start();
      expect((await waiting).length).toBe(300_000);
      expect((await app.handle<string>(early.id).result()).length).toBe(300_000);
      expect(await app.run(size, large)).toBe(large.length);
      expect(await values()).toHaveLength(1);
      const [key = ""] = await values();
      await redis.client.unlink(key, indexOf());
      await app.close();
    }
  });

  it("X28: a value that was damaged or is gone is refused, never passed on", async () => {
    const { app, size } = appWith();
    const [damaged, gone] = [await size.enqueue(large), await size.enqueue(`${large}y`)];
    for (const key of await values()) {
      const isGone = (await redis.client.strlen(key)) > large.length + 5; // five bytes say how long the text is
      if (isGone) await redis.client.unlink(key);
      else await redis.client.setrange(key, 1_000, "!");
    }
    await app.start();
    for (const { id } of [damaged, gone]) {
      await app.handle(id).wait();
      expect((await app.handle(id).status()).error?.code).toBe("MR_DECODE");
    }
  });

  it("X28: a dead letter keeps its input; a sweep deletes what belongs to nothing any more, and only that", async () => {
    const { app, size, refuse } = appWith();
    const dead = await refuse.enqueue(large);
    const cancelled = await size.enqueue(large, { delay: "1h" });
    const later = await size.enqueue(large, { delay: "2h" });
    await app.start();
    await app.handle(dead.id).wait();
    await cancelled.cancel();
    // Somebody died between a value and its enqueue.
    const orphan = "i.gone.01.7.00112233aabbccdd";
    await redis.client.zadd(indexOf(), 0, orphan);
    await redis.client.set(`{${redis.app}:n1}:v:${orphan}`, large);
    const store = new OffloadingStore({ url: redis.url, app: redis.app });
    opened.push(() => store.close());
    await store.open();
    expect(await store.sweep("n1")).toBe(1); // the rest is not due yet
    expect(await values()).toHaveLength(3);
    const names = await redis.client.zrange(indexOf(), "0", "-1");
    for (const name of names) await redis.client.zadd(indexOf(), 0, name);
    expect(await store.sweep("n1")).toBe(3);
    expect(await values()).toHaveLength(2);
    expect(await redis.client.zcard(indexOf())).toBe(2);
    expect(await store.sweep("n1")).toBe(0);
    expect(await app.queue("async").requeue([dead.id])).toBe(1);
    await app.handle(dead.id).wait();
    expect((await app.handle(dead.id).status()).error?.message).toBe(`refused ${large.length}`);
    expect((await app.handle(later.id).status()).state).toBe("scheduled");
  });

  it("X28: Steps in Worker threads get large inputs and return large results", async () => {
    const module = new URL("../dist/integration/threads-app.js", import.meta.url);
    const server = await startRedis();
    opened.push(() => server.stop());
    const { app, size } = makeApp({ store: server.url, module });
    opened.push(() => app.close());
    await app.start();
    const bytes = new Uint8Array(2_000_000).fill(6);
    const back = await app.run(size, bytes);
    expect(back.length).toBe(bytes.length);
    expect(back.every((byte) => byte === 7)).toBe(true);
  });

  it("X28: large dead letters are requeued with another input; what cannot be read is skipped, not the end", async () => {
    for (const options of [{}, { encryptionKey: `k:${Buffer.alloc(32, 1).toString("base64")}` }]) {
      const { app, refuse } = appWith(options);
      await app.start();
      const inputs = ["a", `${large}gone`, large, "b"];
      const dead = await Promise.all(inputs.map((input) => refuse.enqueue(input)));
      for (const { id } of dead) await app.handle(id).wait();
      const keys = await values();
      const lengths = await Promise.all(keys.map((key) => redis.client.strlen(key)));
      await redis.client.unlink(keys[lengths.indexOf(Math.max(...lengths))] ?? "");
      const seen: number[] = [];
      const input = (old: unknown) => {
        seen.push((old as string).length); // as enqueued
        return `${old as string}!!`;
      };
      const summary = await app.inspect.requeue("state:failed", { input }).done();
      expect(summary).toMatchObject({ matched: 4, done: 3, skipped: 1 });
      expect(seen.sort((x, y) => x - y)).toEqual([1, 1, large.length]);
      const whole = dead[2]?.id ?? "";
      await poll(async () => {
        const { state, error } = await app.handle(whole).status();
        return state === "failed" && error?.message === `refused ${large.length + 2}` ? true : null;
      }, "the edited one to fail again");
      await app.inspect.delete("state:failed").done();
      await redis.client.unlink(...(await values()), indexOf());
      await app.close();
    }
  });
});
