/**
 * Throw-away Redis servers for benches: one per setting, on a free port, stopped and removed on every way out.
 *
 * `@millrace/scripts/redis-server` knows how a server is run; here is only what a bench varies.
 */
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";

/** How a server keeps what it is told. */
export type Persistence = "none" | "everysec" | "always";

/** Starts a server with default settings but for its persistence. It dies with this process at the latest. */
export async function startBenchRedis(persistence: Persistence = "none"): Promise<RedisServer> {
  return persistence === "none" ? startRedis() : startRedis({ appendonly: true, appendfsync: persistence });
}

/** The setting in words, for the head of a report. */
export function persistenceText(persistence: Persistence): string {
  return persistence === "none"
    ? 'no persistence (save "", appendonly no)'
    : `appendonly yes, appendfsync ${persistence}`;
}
