import { existsSync } from "node:fs";
import { startRedis } from "@millrace/scripts/redis-server";
import { Redis } from "ioredis";
import { expect, test } from "vitest";

test("a throw-away server keeps what was flushed over a power cut, and leaves nothing behind", async () => {
  const server = await startRedis({ appendonly: true, appendfsync: "always" });
  const firstPid = server.pid;
  await withClient(server.url, (redis) => redis.set("kept", "yes"));

  await server.kill9();
  expect(() => server.pid).toThrow("not running");
  await server.restart();
  expect(server.pid).not.toBe(firstPid);
  expect(await withClient(server.socket, (redis) => redis.get("kept"))).toBe("yes");

  await server.stop();
  await server.stop();
  expect(existsSync(server.dir)).toBe(false);
  await expect(server.restart()).rejects.toThrow("removed");
});

test("two throw-away servers never share a port", async () => {
  await using first = await startRedis();
  await using second = await startRedis();
  expect(first.port).not.toBe(second.port);
});

test("a server that cannot start shows its own words", async () => {
  await expect(startRedis({ args: ["--no-such-option", "1"] })).rejects.toThrow(/no-such-option/);
});

async function withClient<T>(address: string, use: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(address);
  try {
    return await use(redis);
  } finally {
    redis.disconnect();
  }
}
