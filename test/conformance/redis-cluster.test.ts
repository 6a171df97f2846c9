/** The contract on a Cluster of three primaries. */
import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { afterAll } from "vitest";
import { RedisCluster } from "../helper/cluster.js";
import { redisUnderTest } from "../helper/redis-under-test.js";
import { storeSuite } from "./store.suite.js";

let starting: Promise<RedisCluster> | null = null;
afterAll(async () => await (await starting)?.stop());

storeSuite("R9: the Redis store on a Cluster", async () => {
  starting ??= RedisCluster.start();
  const cluster = await starting;
  const client = cluster.client();
  const app = `c${randomBytes(4).toString("hex")}`;
  // A Cluster client takes the commands of a plain one; what the harness reads of one root shares a slot.
  const sut = await redisUnderTest({ url: cluster.url, app, client: client as unknown as Redis });
  return {
    ...sut,
    close: async () => {
      await sut.close();
      client.disconnect();
    },
  };
});
