/** The Redis store on a Cluster whose slots move: calls are refused or redirected, and nothing is written by halves. */
import { isMillraceError } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { ChaosRun } from "../chaos/run.js";
import { bytes } from "../helper/bytes.js";
import { RedisCluster } from "../helper/cluster.js";
import { within } from "../helper/wait.js";

const laneName = "m3k9.01";
const moves = 6;

describe("a store on a Cluster", () => {
  let cluster: RedisCluster;
  const open: RedisStore[] = [];

  beforeAll(async () => {
    cluster = await RedisCluster.start();
  });
  afterEach(async () => {
    for (const store of open.splice(0)) await store.close();
  });
  afterAll(async () => {
    await cluster.stop();
  });

  function make(url: string, app: string): RedisStore {
    const store = new RedisStore({ url, app });
    open.push(store);
    return store;
  }

  it("R9: keeps each Segment on the server that holds its slot, and follows it there when it has moved", async () => {
    const store = make(cluster.url, "move");
    await within(store.open(), "the opening");
    const segments = ["a", "b", "c", "d", "e", "f"];
    for (const segment of segments) await store.openSegment(segment);
    expect(await store.segments()).toEqual(segments);
    const holders = await Promise.all(segments.map((segment) => cluster.holderOf(`{move:${segment}}`)));
    expect(new Set(holders).size).toBeGreaterThan(1);
    const { lane } = await store.laneOpen("a", { laneName, queue: "mail" });
    const from = await cluster.holderOf("{move:a}");
    await cluster.move(await cluster.slotOf("{move:a}"), from, (from + 1) % 3);
    const answer = await store.enqueue("a", { lane, laneName, first: 1, bodies: [bytes("a")] });
    expect(answer).toEqual({ answer: "ok", accepted: 1, fresh: 1 });
  });

  it("regression: a wrong slot, undeclared keys: calls are refused, unwritten, while a slot is half moved", async () => {
    const store = make(cluster.url, "half");
    await within(store.open(), "the opening");
    await store.openSegment("s");
    const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
    await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
    const [slot, from] = [await cluster.slotOf("{half:s}"), await cluster.holderOf("{half:s}")];
    const to = (from + 1) % 3;
    await cluster.beginMove(slot, from, to);
    for (;;) {
      const calls = [
        store.enqueue("s", { lane, laneName, first: 2, bodies: [bytes("b")] }),
        store.claim("s", { owner: "o", request: 1, queues: ["mail"], max: 10 }),
        store.counts("s"),
      ];
      for (const call of calls) {
        const error: unknown = await call.then(
          () => null,
          (caught: unknown) => caught,
        );
        expect(isMillraceError(error, "MR_STORE_UNAVAILABLE"), String(error)).toBe(true);
      }
      if ((await cluster.moveKeys(slot, from, to, 1)) === 0) break;
    }
    await cluster.endMove(slot, from, to);
    const { queues, running } = await store.counts("s");
    expect({ ready: queues[0]?.ready, running }).toEqual({ ready: 1, running: 0 });
  });

  it("R9: hears of work and of results from every server", async () => {
    const [store, other] = [make(cluster.url, "hear"), make(cluster.url, "hear")];
    const heard: string[] = [];
    const ignore = (): void => undefined;
    store.listen({
      ...{ settled: ignore, progressed: ignore, due: ignore, marked: ignore, restored: ignore },
      bell: (segment) => heard.push(segment),
    });
    await Promise.all([store.open(), other.open()]);
    for (const segment of ["a", "b", "c", "d"]) {
      await other.openSegment(segment);
      const { lane } = await other.laneOpen(segment, { laneName, queue: "mail" });
      await other.enqueue(segment, { lane, laneName, first: 1, bodies: [bytes("a")] });
      await within(
        (async () => {
          while (!heard.includes(segment)) await new Promise((resolve) => setTimeout(resolve, 5));
        })(),
        `the bell of ${segment}`,
      );
    }
  });

  it("X1: loses nothing and accepts nothing twice while a slot moves to and fro under load", async () => {
    await using run = new ChaosRun({ store: cluster.url, app: "chaos" });
    const programs = await Promise.all([run.start(), run.start()]);
    const slot = await cluster.slotOf("{chaos:chaos}");
    for (let move = 0; move < moves; move++) {
      await run.load(100);
      const from = await cluster.holderOf("{chaos:chaos}");
      await cluster.move(slot, from, (from + 1) % 3, 5);
    }
    await run.load(50);
    await Promise.all(programs.map((program) => program.drain()));
    const verdict = await run.judge();
    expect(verdict.violations).toEqual([]);
    expect(verdict.completed).toBeGreaterThan(100);
  });

  it("is told from a single server with a clear error", async () => {
    await using redis = await startRedis();
    const store = make(redis.url.replace("redis:", "redis-cluster:"), "single");
    await expect(store.open()).rejects.toMatchObject({ code: "MR_STORE_URL" });
  });
});
