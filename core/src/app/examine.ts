/** Looks at the server behind a store's URL, for people who ask whether it is fit. Loads a client when it is asked. */
import type { RedisReport } from "../store/redis/examine.js";

/** Connects, reads, goes; `app` is whose Segments are measured. Errors: MR_STORE_URL · MR_STORE_UNAVAILABLE after `timeoutMs`. */
export async function examineRedis(url: string, app: string, timeoutMs: number): Promise<RedisReport> {
  const { examineRedis: examine } = await import("../store/redis/examine.js");
  return await examine(url, app, timeoutMs);
}
