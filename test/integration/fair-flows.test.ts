/** X4: what a fair gate on Redis remembers of flows stays bounded, whoever comes; and so does the call that forgets. */
import { describe, expect, it } from "vitest";
import { redisScenes } from "../helper/redis-scenes.js";

const openScene = redisScenes();

describe("X4: the flows of a fair gate on Redis", () => {
  it("are forgotten beyond 10,000 if each is a new one, those that are far ahead last", async () => {
    const { s, redis, root } = await openScene();
    const lane = await s.full();
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
      const known = await redis.zcard(`${root}:fs:~qf:0`);
      expect(known).toBeLessThanOrEqual(before + 1_001);
      expect(await s.claim("o1", 1_000, ["qf"])).toHaveLength(1_000);
      before = await redis.zcard(`${root}:fs:~qf:0`);
      expect(known - before).toBeLessThanOrEqual(2_000);
    }
    expect(before).toBeLessThanOrEqual(10_000);
    const clock = Number(await redis.hget(`${root}:fc`, "~qf:0"));
    expect(Number(await redis.zscore(`${root}:fs:~qf:0`, "heavy"))).toBe(clock + 50);
    s.close();
  });
});
