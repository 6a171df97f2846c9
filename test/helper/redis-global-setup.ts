/**
 * One throw-away Redis for all test files that need one; they find it in MILLRACE_REDIS_URL.
 *
 * Vitest calls `setup` in its own process before it starts test processes, which inherit the variable. A URL that
 * is already set is used as it is. Tests that kill a server start their own with `startRedis`.
 */
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";

let server: RedisServer | null = null;

/** Starts the server unless there is one. */
export async function setup(): Promise<void> {
  if (process.env.MILLRACE_REDIS_URL) return;
  server = await startRedis();
  process.env.MILLRACE_REDIS_URL = server.url;
}

/** Stops the server that `setup` started. */
export async function teardown(): Promise<void> {
  if (server === null) return;
  delete process.env.MILLRACE_REDIS_URL;
  await server.stop();
  server = null;
}
