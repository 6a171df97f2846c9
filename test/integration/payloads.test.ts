/** Compressed and encrypted payloads on every store, with Steps here and in threads; what lies in the store is looked at. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App, type AppOptions, isMillraceError, OperationFailed, TerminalError } from "@millrace/core";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterEach, describe, expect, it } from "vitest";
import { plainClient } from "../helper/redis.js";
import { makeApp } from "./threads-app.js";

/** What a test opened, closed behind it in reverse. */
const opened: (() => unknown)[] = [];

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const keyOf = (name: string, byte: number) => `${name}:${Buffer.alloc(32, byte).toString("base64")}`;
const [first, second] = [keyOf("2026-01", 1), keyOf("2026-02", 2)];
const canary = "canary-4711";

function appWith(options: AppOptions) {
  const app = new App({ id: "shop", nodeId: "n1", ...options });
  opened.push(() => app.close());
  const steps = {
    echo: app.step("echo", async (input: unknown) => ({ back: input })),
    refuse: app.step("refuse", async (input: string) => {
      throw new TerminalError(`no ${input}`);
    }),
  };
  return { app, ...steps };
}

/** A place for work, and all that lies there as text. */
const places = {
  embedded: async () => {
    const path = mkdtempSync(join(tmpdir(), "millrace-payloads-"));
    opened.push(() => rmSync(path, { recursive: true, force: true }));
    const all = () =>
      readdirSync(path)
        .map((name) => readFileSync(join(path, name), "latin1"))
        .join("");
    return { store: `embedded:${path}`, contents: async () => all() };
  },
  redis: async () => {
    const server = await startRedis();
    opened.push(() => server.stop());
    const client = plainClient(server.url);
    opened.push(() => client.disconnect());
    const contents = async () => {
      await client.config("SET", "rdbcompression", "no");
      await client.save();
      return readFileSync(join(server.dir, "dump.rdb"), "latin1");
    };
    return { store: server.url, contents };
  },
};

describe.each(["embedded", "redis"] as const)("X28: private payloads on %s", (kind) => {
  it("X28: inputs, results and errors of every path are readable by the App and by nobody who reads the store", async () => {
    const { store, contents } = await places[kind]();
    const { app, echo, refuse } = appWith({ store, encryptionKey: first });
    const waiting = [
      await echo.enqueue(canary),
      await echo.enqueue(canary, { priority: 5 }),
      await echo.enqueue(canary, { delay: "1ms" }),
      await echo.enqueue(canary, { idempotencyKey: "order-1" }),
    ];
    const failing = await refuse.enqueue(canary);
    expect((await echo.enqueue(canary, { idempotencyKey: "order-1" })).id).toBe(waiting[3]?.id);
    await expect(echo.enqueue("another", { idempotencyKey: "order-1" })).rejects.toMatchObject({
      code: "MR_IDEMPOTENCY_MISMATCH",
    });
    await app.start();
    expect(await app.gather(waiting)).toEqual(waiting.map(() => ({ back: canary })));
    const error = await failing.result().catch((reason: unknown) => reason);
    expect(error instanceof OperationFailed && error.remote.message).toBe(`no ${canary}`);
    expect((await failing.status()).error?.message).toBe(`no ${canary}`);
    expect((await app.inspect.search(`err:~${canary}`)).operations.map(({ id }) => id)).toEqual([failing.id]);
    await app.stop();
    expect(await contents()).not.toContain(canary);
    // The same without keys shows that one would see it.
    const elsewhere = await places[kind]();
    await appWith({ store: elsewhere.store }).echo.enqueue(canary);
    expect(await elsewhere.contents()).toContain(canary);
  });

  it("X28: keys rotate: what the old one sealed is read while it is there, and never afterwards", async () => {
    const { store } = await places[kind]();
    const before = appWith({ store, encryptionKey: first });
    const old = await before.echo.enqueue("old");
    const lost = await before.echo.enqueue("lost");
    await before.app.start();
    expect(await old.result()).toEqual({ back: "old" });
    await lost.result();
    await before.app.close();

    const rotated = appWith({ store, encryptionKey: [second, first] });
    expect(await rotated.app.handle(old.id).result()).toEqual({ back: "old" });
    const fresh = await rotated.echo.enqueue("fresh");
    await rotated.app.start();
    expect(await fresh.result()).toEqual({ back: "fresh" });
    await rotated.app.close();

    const after = appWith({ store, encryptionKey: second });
    expect(await after.app.handle(fresh.id).result()).toEqual({ back: "fresh" });
    const refused = await after.app
      .handle(lost.id)
      .result()
      .catch((reason: unknown) => reason);
    expect(isMillraceError(refused, "MR_DECODE")).toBe(true);
    await after.app.close();

    const bare = appWith({ store });
    const blind = await bare.app
      .handle(fresh.id)
      .result()
      .catch((reason: unknown) => reason);
    expect(isMillraceError(blind, "MR_DECODE") && blind.message).toContain("sealed");
  });

  it("X28: an input that cannot be opened goes to the dead letters, and from there to whoever has the key", async () => {
    const { store } = await places[kind]();
    const before = appWith({ store, encryptionKey: first });
    const handle = await before.echo.enqueue("kept");
    await before.app.close();
    const without = appWith({ store, encryptionKey: second });
    await without.app.start();
    await without.app.handle(handle.id).wait();
    expect((await without.app.handle(handle.id).status()).error?.code).toBe("MR_DECODE");
    await without.app.close();
    const both = appWith({ store, encryptionKey: [second, first] });
    await both.app.start();
    expect(await both.app.queue("async").requeue([handle.id])).toBe(1);
    expect(await both.app.handle(handle.id).result()).toEqual({ back: "kept" });
  });

  it("X28: large inputs and results are compressed where that is asked for", async () => {
    const { store, contents } = await places[kind]();
    const text = "all work and no play ".repeat(50_000);
    const { app, echo } = appWith({ store, compressFrom: 1_024 });
    const handle = await echo.enqueue(text);
    expect((await contents()).length).toBeLessThan(text.length / 4);
    await app.start();
    expect(await handle.result()).toEqual({ back: text });
    await app.stop();
    expect((await contents()).length).toBeLessThan(text.length / 4);
  });
});

describe("X28: private payloads and Worker threads", () => {
  it("X28: threads get what was enqueued, and what they return is sealed", async () => {
    const { store, contents } = await places.redis();
    const module = new URL("../dist/integration/threads-app.js", import.meta.url);
    const { app, echo } = makeApp({ store, module, encryptionKey: first, compressFrom: 64 });
    opened.push(() => app.close());
    await app.start();
    const inputs = Array.from({ length: 100 }, (_, i) => `${canary} ${i} `.repeat(20));
    expect(await Promise.all(inputs.map((input) => app.run(echo, input)))).toEqual(inputs);
    expect(await contents()).not.toContain(canary);
  });
});

describe("X28: the options of private payloads", () => {
  it("X28: a key that is none is refused, and not shown", () => {
    expect(() => new App({ encryptionKey: "secret-without-a-name" })).toThrow(
      /app\.encryptionKey\[0\]: expected NAME:KEY/,
    );
    try {
      new App({ encryptionKey: ["a:tooshort-to-be-a-key"] });
    } catch (error) {
      expect(String(error)).not.toContain("tooshort");
    }
  });
});
