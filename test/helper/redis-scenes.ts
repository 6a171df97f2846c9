/** Scenes on the Redis of the test run, for tests that plant and read its keys by hand. */
import type { Redis } from "ioredis";
import { afterAll, beforeAll } from "vitest";
import { Scene } from "../conformance/store/scene.js";
import { openTestRedis, type TestRedis } from "./redis.js";
import { type RedisUnderTest, redisUnderTest, rootOf } from "./redis-under-test.js";

/** A scene, and where its Segment lies. */
export interface RedisScene {
  readonly s: Scene;
  readonly redis: Redis;
  readonly root: string;
}

/** Opens scenes on one store, which ends with the test file. Call it once, at its top. */
export function redisScenes(): () => Promise<RedisScene> {
  let redis: TestRedis;
  let sut: RedisUnderTest;
  beforeAll(async () => {
    redis = await openTestRedis();
    sut = await redisUnderTest({ url: redis.url, app: redis.app, client: redis.client });
  });
  afterAll(async () => {
    await sut.close();
    await redis.close();
  });
  return async () => {
    const s = await Scene.open(sut);
    return { s, redis: redis.client, root: rootOf(redis.app, s.segment) };
  };
}
