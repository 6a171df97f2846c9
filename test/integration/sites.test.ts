/**
 * An App with two servers, each behind a proxy that can be taken away: work goes on where a server answers, nothing is
 * in two places, and what may have reached a server that is away is sent again to it alone.
 */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { App, type Duration, type Handle, isMillraceError } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectInTime } from "../helper/in-time.js";
import { openStore } from "../helper/open-store.js";
import { startProxy, type TcpProxy } from "../helper/tcp-proxy.js";
import { poll, within } from "../helper/wait.js";

const servers: RedisServer[] = [];
let made = 0;

beforeAll(async () => {
  servers.push(await startRedis(), await startRedis());
});

afterAll(async () => {
  for (const server of servers) await server.stop();
});

/** Bytes vanish, both ways; sockets stay open. */
function silence(proxy: TcpProxy): void {
  proxy.hurt("up", { isBlackhole: true });
  proxy.hurt("down", { isBlackhole: true });
}

/** Connections are reset, new ones refused. */
function refuse(proxy: TcpProxy): void {
  proxy.refuse(true);
  proxy.cutAll();
}

/** What was swallowed is lost for good, so open connections are reset. */
function heal(proxy: TcpProxy): void {
  proxy.hurt("up", null);
  proxy.hurt("down", null);
  proxy.refuse(false);
  proxy.cutAll();
}

/** An App name of its own, and a proxy in front of each server: tests wait much, so they wait together. */
class Scene implements AsyncDisposable {
  readonly appId = `sites${++made}`;
  readonly #proxies: readonly TcpProxy[];
  readonly #apps: App[] = [];

  static async open(): Promise<Scene> {
    return new Scene(await Promise.all(servers.map(({ port }) => startProxy({ port }))));
  }

  private constructor(proxies: readonly TcpProxy[]) {
    this.#proxies = proxies;
  }

  make(nodeId: string, options: { timeout?: Duration; slots?: number; restMs?: number } = {}) {
    const { timeout = "60s", slots = 8, restMs = 0 } = options;
    const store = this.#proxies.map(({ port }) => `redis://127.0.0.1:${port}`);
    const workers = { asyncWorkers: 1, slots };
    const app = this.add(new App({ id: this.appId, store, nodeId, network: { timeout }, workers }));
    const ran: string[] = [];
    const step = app.step("work", async ({ text }: { text: string }) => {
      ran.push(text);
      if (restMs > 0) await new Promise((resolve) => setTimeout(resolve, restMs));
      return text;
    });
    return { app, step, ran };
  }

  add(app: App): App {
    this.#apps.push(app);
    return app;
  }

  proxy(site: number): TcpProxy {
    const proxy = this.#proxies[site];
    if (proxy === undefined) throw new Error(`there is no server ${site}`);
    return proxy;
  }

  /** The Segments of one server, past its proxy. */
  async segmentsOf(site: number): Promise<readonly string[]> {
    const store = await openStore(servers[site]?.url ?? "", this.appId);
    try {
      return await store.segments();
    } finally {
      await store.close();
    }
  }

  /** Which server holds a Node's own Segment. */
  async homeOf(node: string): Promise<number> {
    return (await this.segmentsOf(0)).includes(node) ? 0 : 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const proxy of this.#proxies) heal(proxy);
    await Promise.all(this.#apps.map((app) => app.close()));
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
  }
}

function segmentOf(handle: Handle): string {
  return /^(.+)\.[^.]+\.[^.]+$/.exec(handle.id)?.[1] ?? "";
}

describe("X11: an App with two servers", () => {
  it.concurrent("spreads its Nodes over both, and every Node runs the work of all", async () => {
    await using scene = await Scene.open();
    const nodes = Array.from({ length: 8 }, (_, i) => scene.make(`web-${i}`));
    for (const { app } of nodes) await app.start();
    const handles = await Promise.all(
      nodes.flatMap(({ step }, i) => [1, 2, 3].map((n) => step.enqueue({ text: `${i}-${n}` }))),
    );
    const results = await within(Promise.all(handles.map((handle) => handle.result())), "all results");
    expect(results.sort()).toEqual(nodes.flatMap((_, i) => [1, 2, 3].map((n) => `${i}-${n}`)).sort());
    const lists = [await scene.segmentsOf(0), await scene.segmentsOf(1)];
    expect(lists.flat().sort()).toEqual(nodes.map((_, i) => `web-${i}`));
    for (const list of lists) expect(list.length).toBeGreaterThan(0);
    expect(nodes.flatMap(({ ran }) => ran)).toHaveLength(24);
  });

  it.concurrent("finds the server of an id by the Segment in it, from any Node", async () => {
    await using scene = await Scene.open();
    const one = scene.make("web-1");
    const two = scene.make("web-2");
    const handle = await one.step.enqueue({ text: "x" });
    expect(await two.app.handle(handle.id).status()).toMatchObject({ state: "ready" });
    expect(await two.app.handle(handle.id).cancel()).toBe("cancelled");
    expect(await handle.status()).toMatchObject({ state: "cancelled" });
  });

  it.concurrent("refuses a list in which two URLs lead to one server", async () => {
    await using scene = await Scene.open();
    const url = servers[0]?.url ?? "";
    const twice = new App({ id: scene.appId, store: [url, url.replace("127.0.0.1", "localhost")], nodeId: "web-1" });
    scene.add(twice);
    await expect(twice.start()).rejects.toMatchObject({ code: "MR_STORE_UNSAFE" });
    expect(() => new App({ store: [url, url] })).toThrow(/different Redis URLs/);
    expect(() => new App({ store: [url, "memory:"] })).toThrow(/different Redis URLs/);
    expect(() => new App({ store: [] })).toThrow(/different Redis URLs/);
  });

  it.concurrent("keeps the name of each server there", async () => {
    await using scene = await Scene.open();
    const { app, step } = scene.make("web-1");
    await app.start();
    await (await step.enqueue({ text: "x" })).result();
    const names = await Promise.all(
      servers.map(async ({ url }) => {
        const store = new RedisStore({ url, app: scene.appId });
        await store.open();
        const name = await store.siteName(null);
        await store.close();
        return name;
      }),
    );
    expect(names[0]).toMatch(/^[0-9a-z]{6}$/);
    expect(names[0]).not.toBe(names[1]);
  });
});

describe("the example of many Nodes", () => {
  it("prints what it says", async () => {
    const path = fileURLToPath(new URL("../../docs/examples/", import.meta.url));
    const program = join(path, "dist/many-nodes/main.js");
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program, ...servers.map(({ url }) => url)]);
    expect(stderr).toBe("");
    const source = readFileSync(join(path, "src/many-nodes/main.ts"), "utf8");
    const header = source.slice(source.indexOf("Prints:"), source.indexOf("*/"));
    const promised = header
      .split("\n")
      .slice(1)
      .map((line) => line.replace(/^ \*\s*/, "").trim());
    expect(stdout.trim().split("\n")).toEqual(promised.filter((line) => line !== ""));
  });
});

describe("X11: when a Node's home is away", () => {
  for (const [how, leave] of [
    ["refuses", refuse],
    ["is silent", silence],
  ] as const) {
    it.concurrent(`new work goes to another server, and runs, and comes home in the end (${how})`, async () => {
      await using scene = await Scene.open();
      const { app, step } = scene.make("web-1");
      await app.start();
      await (await step.enqueue({ text: "before" })).result();
      const home = await scene.homeOf("web-1");
      leave(scene.proxy(home));
      // The first ones tell that it is away; they wait, or move with the others.
      const early = [1, 2].map((n) => step.enqueue({ text: `early-${n}` }));
      await poll(() => (app.metrics().failovers > 0 ? true : null), "the fail-over");
      const handles = await within(
        Promise.all([1, 2, 3].map((n) => step.enqueue({ text: `${n}` }))),
        "enqueues elsewhere",
      );
      for (const handle of handles) expect(segmentOf(handle)).toMatch(/^web-1\.[0-9a-z]{6}$/);
      expect(await within(Promise.all(handles.map((handle) => handle.result())), "results from there")).toEqual([
        "1",
        "2",
        "3",
      ]);
      expect(await scene.segmentsOf(1 - home)).toEqual([segmentOf(handles[0] as Handle)]);
      heal(scene.proxy(home));
      const results = Promise.all(
        (await within(Promise.all(early), "the early ones", 20_000)).map((handle) => handle.result()),
      );
      expect(await within(results, "their results", 20_000)).toEqual(["early-1", "early-2"]);
      await poll(
        async () => (segmentOf(await step.enqueue({ text: "again" })) === "web-1" ? true : null),
        "the way home",
        20_000,
      );
    });
  }

  it.concurrent("what may have reached it is sent again to it alone, and is there once", async () => {
    await using scene = await Scene.open();
    const { app, step, ran } = scene.make("web-1");
    await app.start();
    await (await step.enqueue({ text: "before" })).result();
    const home = await scene.homeOf("web-1");
    // Requests arrive, answers do not: what is sent now has happened, and nobody knows.
    scene.proxy(home).hurt("down", { isBlackhole: true });
    const sent = step.enqueue({ text: "sent" });
    await poll(() => (app.metrics().failovers > 0 ? true : null), "the fail-over");
    const elsewhere = await within(step.enqueue({ text: "elsewhere" }), "an enqueue elsewhere");
    heal(scene.proxy(home));
    const handle = await within(sent, "the answer from home", 20_000);
    expect(segmentOf(handle)).toBe("web-1");
    expect(segmentOf(elsewhere)).not.toBe("web-1");
    expect(await within(Promise.all([handle.result(), elsewhere.result()]), "both results", 20_000)).toEqual([
      "sent",
      "elsewhere",
    ]);
    expect(ran.filter((text) => text === "sent")).toHaveLength(1);
  });

  it.concurrent("what may have reached it is told to be unknown when its time is over, with its id", async () => {
    await using scene = await Scene.open();
    const { app, step } = scene.make("web-1", { timeout: "3s" });
    await app.start();
    await (await step.enqueue({ text: "before" })).result();
    silence(scene.proxy(await scene.homeOf("web-1")));
    const error = await within(
      step.enqueue({ text: "lost" }).catch((thrown: unknown) => thrown),
      "the end of patience",
      25_000,
    );
    expect(isMillraceError(error, "MR_INDETERMINATE")).toBe(true);
    expect((error as Error).message).toContain("web-1.");
  });

  it.concurrent("work on the other server is claimed and run as before, though claims from it have no answer", async () => {
    await using scene = await Scene.open();
    const { app, step } = scene.make("web-1", { slots: 4, restMs: 5 });
    await app.start();
    await (await step.enqueue({ text: "before" })).result();
    const home = await scene.homeOf("web-1");
    // So much that a claim is on its way at any time.
    await app.enqueueMany(
      step,
      Array.from({ length: 4_000 }, (_, i) => ({ text: `home-${i}` })),
    );
    await poll(() => (app.metrics().completed > 200 ? true : null), "work from home");
    silence(scene.proxy(home));
    await poll(() => (app.metrics().failovers > 0 ? true : null), "the fail-over");
    const startMs = performance.now();
    for (let round = 0; round < 20; round++) {
      const handles = await Promise.all([1, 2, 3, 4, 5].map((n) => step.enqueue({ text: `${round}-${n}` })));
      await within(Promise.all(handles.map((handle) => handle.result())), "a round of results", 4_000);
    }
    expectInTime(performance.now() - startMs, 6_000);
    heal(scene.proxy(home));
    await poll(() => (app.metrics().completed >= 4_101 ? true : null), "the rest from home", 40_000);
  }, 60_000);

  it.concurrent("a start waits for it a moment only, writes elsewhere, and finds it when it comes", async () => {
    await using scene = await Scene.open();
    const first = scene.make("web-1");
    const early = await first.step.enqueue({ text: "early" });
    const home = await scene.homeOf("web-1");
    await first.app.close();
    silence(scene.proxy(home));
    const { app, step } = scene.make("web-1");
    await within(app.start(), "a start without one server", 8_000);
    const handle = await within(step.enqueue({ text: "late" }), "an enqueue");
    expect(segmentOf(handle)).toMatch(/^web-1\./);
    expect(await within(handle.result(), "its result")).toBe("late");
    heal(scene.proxy(home));
    expect(await within(app.handle(early.id).result(), "the early result", 20_000)).toBe("early");
    await poll(
      async () => (segmentOf(await step.enqueue({ text: "x" })) === "web-1" ? true : null),
      "the way home",
      20_000,
    );
  }, 60_000);
});
