/**
 * What the Redis store makes of every way in which a real server refuses: each is a refusal that may be repeated, with
 * its reason in words, or, for what adds work, "full". None is a success, none ends an Attempt, none is silent.
 */
import { mkdirSync, rmSync } from "node:fs";
import { isMillraceError, type LogFields, type Logger } from "@millrace/core";
import { RedisStore, type RestoredCause } from "@millrace/core/internal";
import { type RedisOptions, type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import { afterEach, describe, expect, it } from "vitest";
import { bytes } from "../helper/bytes.js";
import { expectInTime } from "../helper/in-time.js";
import { plainClient } from "../helper/redis.js";
import { poll, within } from "../helper/wait.js";

const laneName = "m3k9.01";
const ends: (() => Promise<void> | void)[] = [];

interface Scene {
  readonly redis: RedisServer;
  readonly client: Redis;
  readonly store: RedisStore;
  readonly lane: number;
  readonly causes: RestoredCause[];
  readonly errors: string[];
}

/** A server, a plain client of it, and a store with one Segment, one lane and one waiting Operation. */
async function scene(options: RedisOptions = {}, user = ""): Promise<Scene> {
  const redis = await startRedis(options);
  ends.push(() => redis.stop());
  const client = plainClient(redis.url);
  client.on("error", () => undefined); // it is told by calls
  ends.push(() => client.disconnect());
  if (user !== "") await client.call("ACL", "SETUSER", user, "on", ">pw", "~*", "&*", "+@all");
  const errors: string[] = [];
  const ignore = (): void => undefined;
  const logger: Logger = {
    ...{ debug: ignore, info: ignore, warn: ignore, child: () => logger },
    error: (_: LogFields, message: string) => errors.push(message),
  };
  const url = user === "" ? redis.url : redis.url.replace("//", `//${user}:pw@`);
  const store = new RedisStore({ url, app: "mill", logger });
  ends.push(() => store.close());
  const causes: RestoredCause[] = [];
  const listener = { bell: ignore, settled: ignore, progressed: ignore, due: ignore, marked: ignore };
  store.listen({ ...listener, restored: (_, cause) => causes.push(cause) });
  await within(store.open(), "the opening");
  await store.openSegment("s");
  const { lane } = await store.laneOpen("s", { laneName, queue: "mail" });
  await store.enqueue("s", { lane, laneName, first: 1, bodies: [bytes("a")] });
  return { redis, client, store, lane, causes, errors };
}

function enqueue({ store, lane }: Scene, first: number): Promise<unknown> {
  return store.enqueue("s", { lane, laneName, first, bodies: [bytes("a")] });
}

function failureOf(work: Promise<unknown>): Promise<string> {
  return within(
    work.then(
      () => "resolved",
      (error: unknown) => (isMillraceError(error) ? `${error.code} ${error.message}` : String(error)),
    ),
    "an answer",
  );
}

/** Claims what waits and completes it; resolves when the store has taken both. */
async function workOff({ store }: Scene, request: number): Promise<void> {
  const { claims } = await store.claim("s", { owner: "o", request, queues: ["mail"], max: 10 });
  expect(claims).toHaveLength(1);
  const held = claims.map(({ lane, counter, token }) => ({ lane, counter, token }));
  const { answers } = await store.complete("s", {
    owner: "o",
    retainMs: 1_000,
    held,
    values: held.map(() => bytes("v")),
  });
  expect(answers).toEqual(["ok"]);
}

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

describe("a server that refuses", () => {
  it("X1: OOM: what adds work is refused as full, unwritten; claims and outcomes go on; it heals when there is room", async () => {
    const play = await scene();
    await play.client.config("SET", "maxmemory", "1mb");
    expect(await failureOf(enqueue(play, 2))).toMatch(/^MR_STORE_FULL /);
    expect(await failureOf(play.store.laneOpen("s", { laneName: "m3k9.02", queue: "mail" }))).toMatch(
      /^MR_STORE_FULL /,
    );
    await workOff(play, 1);
    await play.store.openSegment("s");
    await play.client.config("SET", "maxmemory", "0");
    expect(await enqueue(play, 2)).toMatchObject({ answer: "ok", accepted: 2 });
  });

  it("X1: MISCONF: what adds work is refused as full; outcomes are refused for now and pass once the disk is back", async () => {
    const play = await scene({ args: ["--save", "3600 1000000", "--enable-protected-configs", "yes"] });
    rmSync(play.redis.dir, { recursive: true });
    await play.client.bgsave();
    await poll(
      async () => ((await play.client.info("persistence")).includes("rdb_last_bgsave_status:err") ? true : null),
      "the failed save",
    );
    expect(await failureOf(enqueue(play, 2))).toMatch(/^MR_STORE_FULL /);
    const claiming = play.store.claim("s", { owner: "o", request: 1, queues: ["mail"], max: 1 });
    expect(await failureOf(claiming)).toMatch(/^MR_STORE_UNAVAILABLE .*cannot write to its disk/);
    mkdirSync(play.redis.dir);
    await play.client.config("SET", "dir", play.redis.dir);
    await play.client.bgsave();
    await poll(
      async () => ((await play.client.info("persistence")).includes("rdb_last_bgsave_status:ok") ? true : null),
      "the save",
    );
    await workOff(play, 1);
  });

  it("X1: LOADING: calls are refused until the data is there, then they pass within 3 s", async () => {
    const play = await scene({ appendonly: true, args: ["--key-load-delay", "300"] });
    const pipeline = play.client.pipeline();
    for (let i = 0; i < 6_000; i++) pipeline.set(`{mill}:fill:${i}`, "x");
    await pipeline.exec();
    await play.redis.kill9();
    const restarting = play.redis.restart();
    expect(await failureOf(play.store.counts("s"))).toMatch(/^MR_STORE_UNAVAILABLE /);
    await restarting;
    const answersMs = performance.now();
    await within(play.store.ready(), "the return");
    expectInTime(performance.now() - answersMs, 3_000);
    expect(play.causes).toContain("restarted");
    await workOff(play, 1);
  });

  it("X1: READONLY and MASTERDOWN: calls are refused with the reason, and pass when it is a primary again", async () => {
    const play = await scene();
    await play.client.replicaof("127.0.0.1", 1);
    expect(await failureOf(enqueue(play, 2))).toMatch(/^MR_STORE_UNAVAILABLE .*it is a replica/);
    await play.client.replicaof("NO", "ONE");
    await within(
      poll(() => failureOf(play.store.counts("s")).then((text) => (text === "resolved" ? true : null)), "the return"),
      "it",
    );
    await play.client.config("SET", "replica-serve-stale-data", "no");
    await play.client.replicaof("127.0.0.1", 1);
    expect(await failureOf(enqueue(play, 2))).toMatch(/^MR_STORE_UNAVAILABLE .*(its primary is down|it is a replica)/);
    await play.client.replicaof("NO", "ONE");
    await poll(
      () => failureOf(play.store.counts("s")).then((text) => (text === "resolved" ? true : null)),
      "the return",
    );
    await workOff(play, 1);
  });

  it("X1: BUSY: calls are refused while somebody's script runs, and pass when it is over", async () => {
    const play = await scene({ args: ["--busy-reply-threshold", "50"] });
    const other = plainClient(play.redis.url);
    ends.push(() => other.disconnect());
    const script = other.eval("while true do end", 0).catch(() => undefined);
    await poll(
      () => failureOf(play.store.counts("s")).then((text) => (/BUSY/.test(text) ? true : null)),
      "the refusal",
    );
    await play.client.script("KILL");
    await script;
    await workOff(play, 1);
  });

  it("X1: NOPERM: the user and the call are named, nothing is written, and it passes when the right is back", async () => {
    const play = await scene({}, "ann");
    await play.client.call("ACL", "SETUSER", "ann", "-fcall");
    expect(await failureOf(enqueue(play, 2))).toMatch(
      /^MR_STORE_UNAVAILABLE .*may not do enqueue .*docs\/guides\/redis\.md/,
    );
    await play.client.call("ACL", "SETUSER", "ann", "+fcall");
    expect(await enqueue(play, 2)).toMatchObject({ answer: "ok", accepted: 2 });
  });

  it("X1: a right that a function needs in its middle is missed before the first call", async () => {
    const { client, redis } = await scene();
    await client.call("ACL", "SETUSER", "bob", "on", ">pw", "~*", "&*", "+@all", "-zadd", "-hset");
    const store = new RedisStore({ url: redis.url.replace("//", "//bob:pw@"), app: "mill" });
    ends.push(() => store.close());
    expect(await failureOf(store.open())).toMatch(/^MR_STORE_UNSAFE .*bob may not use hset zadd/);
  });
});

describe("a server whose data goes", () => {
  it("X1: FLUSHALL is told within 2 s, with an alarm, and work goes on", async () => {
    const play = await scene();
    await play.client.flushall();
    await poll(() => (play.causes.includes("emptied") ? true : null), "the cause", 2_000);
    expect(play.errors.some((text) => text.includes("the store was emptied"))).toBe(true);
    expect(await enqueue(play, 2)).toMatchObject({ answer: "unknown_lane" });
    const { lane } = await play.store.laneOpen("s", { laneName: "m3k9.03", queue: "mail" });
    await play.store.enqueue("s", { lane, laneName: "m3k9.03", first: 1, bodies: [bytes("b")] });
    await workOff(play, 1);
  });

  it("X1: a restart without data is told as emptied, one with data as restarted, to every process", async () => {
    const play = await scene();
    await play.redis.kill9();
    await play.redis.restart();
    await poll(() => (play.causes.includes("emptied") ? true : null), "the cause");
    const kept = await scene({ appendonly: true });
    await kept.redis.kill9();
    await kept.redis.restart();
    await poll(() => (kept.causes.includes("restarted") ? true : null), "the cause");
    expect(kept.causes).not.toContain("emptied");
    await workOff(kept, 1);
  });

  it("X1: another deployment's data at the same URL is not touched, and ours is used again when it is back", async () => {
    const play = await scene();
    const foreign = new RedisStore({ url: `${play.redis.url}/1`, app: "mill" });
    await foreign.open();
    await foreign.openSegment("s");
    await foreign.close();
    await play.client.swapdb(0, 1);
    const isLeft = async (): Promise<true | null> =>
      (await failureOf(play.store.counts("s"))).includes("another deployment") ? true : null;
    await poll(isLeft, "the leaving", 3_000);
    expect(play.errors.filter((text) => text.includes("another deployment"))).toHaveLength(1);
    expect(await failureOf(enqueue(play, 2))).toMatch(/^MR_STORE_UNAVAILABLE /);
    await play.client.swapdb(0, 1);
    await within(play.store.ready(), "the return");
    await workOff(play, 1);
  });
});
