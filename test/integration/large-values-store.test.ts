/** The store that keeps large values apart, by its own calls: what servers refuse, lose or answer late. */
import { createError, encodeEnvelope, OffloadingStore } from "@millrace/core/internal";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openTestRedis, type TestRedis } from "../helper/redis.js";

/** The commands of its own pass through the hand of the test. */
class HandledStore extends OffloadingStore {
  before: ((name: string, key: string) => Promise<void> | void) | null = null;

  protected override async command(call: string, name: string, key: string, ...args: readonly (string | Buffer)[]) {
    await this.before?.(name, key);
    return await super.command(call, name, key, ...args);
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
    store.before = (name) => {
      if (name === "GET") throw createError("MR_STORE_UNAVAILABLE", { store: redis.url, reason: "BUSY" });
    };
    await expect(claim()).rejects.toMatchObject({ code: "MR_INDETERMINATE" });
    store.before = null;
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
});
