/** The store that keeps large values apart, by its own calls: what servers refuse, lose or answer late. */
import { createError, encodeEnvelope, encodeOutcome, OffloadingStore } from "@millrace/core/internal";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTestRedis, type TestRedis } from "../helper/redis.js";
import { startProxy } from "../helper/tcp-proxy.js";
import { poll } from "../helper/wait.js";

type Reply = Buffer | string | number | null | readonly Reply[];

/** The commands of its own pass through the hand of the test. */
class HandledStore extends OffloadingStore {
  around: (name: string, call: () => Promise<Reply>) => Promise<Reply> = (_name, call) => call();

  protected override async command(call: string, name: string, key: string, ...args: readonly (string | Buffer)[]) {
    return await this.around(name, () => super.command(call, name, key, ...args));
  }
}

const opened: (() => unknown)[] = [];
let redis: TestRedis;
let store: HandledStore;
let lane: number;

const fast = "w.01";
const bodyOf = (input: unknown) => encodeEnvelope("size", 1, null, input);
const large = bodyOf("x".repeat(200_000));

beforeEach(async () => {
  redis = await openTestRedis();
  opened.push(() => redis.close());
  store = new HandledStore({ url: redis.url, app: redis.app });
  opened.push(() => store.close());
  await store.open();
  await store.openSegment("n1");
  ({ lane } = await store.laneOpen("n1", { laneName: fast, queue: "q" }));
});

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close();
});

const claim = (request = 1, max = 10) => store.claim("n1", { owner: "o", request, queues: ["q"], max });

describe("X28: the store of large values", () => {
  it("X28: a claim whose values cannot be fetched is of unknown outcome, and gives them when asked again", async () => {
    await store.enqueue("n1", { lane, laneName: fast, first: 1, bodies: [large, bodyOf("small"), large] });
    store.around = async (name, call) => {
      if (name === "GET") throw createError("MR_STORE_UNAVAILABLE", { store: redis.url, reason: "BUSY" });
      return await call();
    };
    await expect(claim()).rejects.toMatchObject({ code: "MR_INDETERMINATE" });
    store.around = (_name, call) => call();
    const { claims } = await claim(1, 1);
    expect(claims.map(({ body }) => body.length)).toEqual([large.length, bodyOf("small").length, large.length]);
    expect((await claim(2)).claims).toEqual([]);
  });

  it("X28: what a failover took back is put back with its large value beside it", async () => {
    const again = { queue: "q", priority: 0, generation: 1, attempt: 1, recoveries: 0, body: large };
    const elements = [{ laneName: fast, counter: 1, token: 7, again }];
    expect(await store.announce("n1", { owner: "o", elements })).toEqual({ answers: ["recovered"] });
    expect((await redis.keys()).filter((key) => key.includes(":v:"))).toHaveLength(1);
    const { records } = await store.peek("n1", { of: { queue: "q" }, offset: 0, limit: 1 });
    expect(records[0]?.body?.length).toBeLessThan(100);
    expect((await claim()).claims.map(({ body }) => body.length)).toEqual([large.length]);
  });

  it("X28: values are fetched a few at a time, by their bytes, so that each has its own time", async () => {
    const bodies = Array.from({ length: 20 }, () => bodyOf(Buffer.alloc(1 << 20)));
    await store.enqueue("n1", { lane, laneName: fast, first: 1, bodies });
    let [underWay, most] = [0, 0];
    store.around = async (name, call) => {
      if (name !== "GET") return await call();
      most = Math.max(most, ++underWay);
      const answer = await call();
      underWay--;
      return answer;
    };
    const { claims } = await claim(1, 20);
    expect(claims.map(({ body }) => body.length)).toEqual(bodies.map(({ length }) => length));
    expect(most).toBe(7); // of a little more than 1 MiB each, in 8 MiB
  });

  it("X28: what follows a large value on the full path stays behind it", async () => {
    const full = "w.00";
    const { lane: number } = await store.laneOpen("n1", { laneName: full, queue: null });
    const enqueue = (counter: number, body: Uint8Array) => {
      const elements = [{ counter, queue: "q", priority: 0, due: null, body }];
      return store.enqueueFull("n1", { lane: number, laneName: full, elements });
    };
    await Promise.all([enqueue(1, large), enqueue(2, bodyOf("small")), enqueue(3, large), enqueue(4, bodyOf("small"))]);
    expect((await claim()).claims.map(({ counter }) => counter)).toEqual([1, 2, 3, 4]);
  });

  /** From here on calls go through a proxy; the first value written is lost with the server that took it. */
  async function throughFailover(): Promise<void> {
    const { port, pathname } = new URL(redis.url);
    const proxy = await startProxy({ port: Number(port) });
    opened.push(() => proxy.close());
    store = new HandledStore({ url: `redis://127.0.0.1:${proxy.port}${pathname}`, app: redis.app });
    const own = store;
    opened.push(() => own.close());
    await store.open();
    let isToCome = true;
    store.around = async (name, call) => {
      const reply = await call();
      if (name !== "SET" || !isToCome) return reply;
      isToCome = false;
      await redis.client.unlink(...(await redis.keys()).filter((key) => key.includes(":v:")));
      const ignored = () => undefined;
      const told = { bell: ignored, due: ignored, settled: ignored, progressed: ignored, marked: ignored };
      await new Promise<void>((resolve) => {
        store.listen({ ...told, restored: () => resolve() });
        proxy.cutAll();
      });
      await store.ready();
      return reply;
    };
  }

  it("X28: a value that another server took than took its Operation is written again before the answer", async () => {
    await throughFailover();
    await store.enqueue("n1", { lane, laneName: fast, first: 1, bodies: [large] });
    expect((await claim()).claims.map(({ body }) => body.length)).toEqual([large.length]);
  });

  it("X28: so is a result, and the input is left to a sweep", async () => {
    await store.enqueue("n1", { lane, laneName: fast, first: 1, bodies: [bodyOf("small")] });
    await throughFailover();
    const held = (await claim()).claims;
    const value = encodeOutcome("o", 1, 1, "r".repeat(200_000), "result");
    expect(await store.complete("n1", { owner: "o", retainMs: 60_000, held, values: [value] })).toEqual({
      answers: ["ok"],
    });
    const { records } = await store.find("n1", { dots: [{ laneName: fast, counter: 1 }], wait: false });
    expect(records.map((record) => (typeof record === "string" ? record : record.value?.length))).toEqual([
      value.length,
    ]);
  });

  it("X28: a completed batch does not wait for its inputs to be deleted, and deletes them in one call", async () => {
    await store.enqueue("n1", { lane, laneName: fast, first: 1, bodies: [large, large, large] });
    const held = (await claim()).claims;
    const sent: string[] = [];
    let go: () => void = () => undefined;
    const waited = new Promise<void>((resolve) => {
      go = resolve;
    });
    store.around = async (name, call) => {
      sent.push(name);
      await waited;
      return await call();
    };
    const values = held.map(() => encodeOutcome("o", 1, 1, "small", "result"));
    const { answers } = await store.complete("n1", { owner: "o", retainMs: 60_000, held, values });
    expect(answers).toEqual(["ok", "ok", "ok"]);
    expect(sent).toEqual(["UNLINK"]);
    go();
    const gone = async () => ((await redis.keys()).some((key) => /:v[:i]/.test(key)) ? null : true);
    await poll(gone, "the inputs to be deleted");
    expect(sent).toEqual(["UNLINK", "ZREM"]);
  });
});
