/** X4: what a fair gate on Redis remembers of flows stays bounded, whoever comes; and so does the call that forgets. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Scene } from "../conformance/store/scene.js";
import { openTestRedis, type TestRedis } from "../helper/redis.js";
import { type RedisUnderTest, redisUnderTest, rootOf } from "../helper/redis-under-test.js";

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

describe("X4: the flows of a fair gate on Redis", () => {
  it("are forgotten beyond 10,000 if each is a new one, those that are far ahead last", async () => {
    const s = await Scene.open(sut);
    const lane = await s.full();
    const root = rootOf(redis.app, s.segment);
    let counter = 0;
    const enqueue = async (count: number, flowOf: (n: number) => string) => {
      const elements = Array.from({ length: count }, () => {
        const flow = { name: flowOf(++counter), weight: 1 };
        return { counter, queue: "qf", ties: { key: null, line: null, gates: [], flow } };
      });
      await s.enqueueFull(lane, elements);
    };
    await enqueue(50, () => "heavy");
    let before = 0;
    for (let turn = 0; turn < 14; turn++) {
      await enqueue(1_000, (n) => `flow ${n}`);
      const known = await redis.client.zcard(`${root}:fs:~qf:0`);
      expect(known).toBeLessThanOrEqual(before + 1_001);
      expect(await s.claim("o1", 1_000, ["qf"])).toHaveLength(1_000);
      before = await redis.client.zcard(`${root}:fs:~qf:0`);
      expect(known - before).toBeLessThanOrEqual(2_000);
    }
    expect(before).toBeLessThanOrEqual(10_000);
    const clock = Number(await redis.client.hget(`${root}:fc`, "~qf:0"));
    expect(Number(await redis.client.zscore(`${root}:fs:~qf:0`, "heavy"))).toBe(clock + 50);
    s.close();
  });
});
