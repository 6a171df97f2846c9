/** The contract under the smallest rights there are: the rules of the guide, on a server of its own. */
import { randomBytes } from "node:crypto";
import { RedisStore } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, describe, expect, it } from "vitest";
import { aclRulesOf } from "../helper/acl.js";
import { plainClient } from "../helper/redis.js";
import { redisUnderTest } from "../helper/redis-under-test.js";
import { storeSuite } from "./store.suite.js";

let starting: Promise<RedisServer> | null = null;
afterAll(async () => await (await starting)?.stop());

async function server(): Promise<RedisServer> {
  starting ??= startRedis();
  return await starting;
}

/** Makes a user of the guide for one App; the URL it connects with. */
async function user(name: string, app: string): Promise<string> {
  const { url } = await server();
  const client = plainClient(url);
  try {
    await client.call("ACL", "SETUSER", `${name}-${app}`, ...aclRulesOf(name, app));
    return url.replace("//", `//${name}-${app}:CHANGE-ME@`);
  } finally {
    client.disconnect();
  }
}

/** Loads the functions as the loader does: by opening a store once. */
async function load(app: string, isTest: boolean): Promise<void> {
  const store = new RedisStore({ url: await user("loader", app), app, test: isTest });
  await store.open();
  await store.close();
}

storeSuite("X1: the Redis store under the rights of the guide", async () => {
  const app = `a${randomBytes(4).toString("hex")}`;
  await load(app, true);
  const client = plainClient((await server()).url);
  const sut = await redisUnderTest({ url: await user("millrace", app), app, client, scripting: "functions" });
  return {
    ...sut,
    close: async () => {
      await sut.close();
      client.disconnect();
    },
  };
});

describe("the rights of the guide", () => {
  it("X1: let nobody at other keys, at the functions, or at the settings", async () => {
    const client = plainClient(await user("millrace", "shop"));
    try {
      for (const [command, ...args] of [
        ["SET", "other", "1"],
        ["GET", "{shopping:s}"],
        ["FUNCTION", "FLUSH"],
        ["CONFIG", "SET", "maxmemory", "1"],
        ["FLUSHALL"],
        ["EVAL", "return 1", "0"],
        ["KEYS", "*"],
        ["REPLICAOF", "NO", "ONE"],
      ] as const) {
        await expect(client.call(command, ...args), command).rejects.toThrow(/NOPERM/);
      }
    } finally {
      client.disconnect();
    }
  });

  it("X1: say clearly that nobody has loaded the functions, and work once the loader has", async () => {
    const redis = await server();
    const client = plainClient(redis.url);
    await client.call("FUNCTION", "FLUSH");
    client.disconnect();
    const app = `a${randomBytes(4).toString("hex")}`;
    const url = await user("millrace", app);
    const early = new RedisStore({ url, app });
    await expect(early.open()).rejects.toMatchObject({ code: "MR_STORE_UNSAFE" });
    await load(app, false);
    const store = new RedisStore({ url, app });
    try {
      await store.open();
      await store.openSegment("s");
    } finally {
      await store.close();
    }
  });
});
