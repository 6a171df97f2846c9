/**
 * What our user has to be allowed to do, and a rehearsal of it: a function that is refused a command in its middle has
 * written half of what it meant to. So every command is rehearsed (ACL DRYRUN) before the first call.
 *
 * A user that may not rehearse is taken at its word. The rules stand in docs/guides/redis.md, too; a test compares this
 * table with the functions' texts. Called by redis-store.ts for each life of a server.
 */
import { createError } from "../../base/errors.js";
import { isErrorReply, type Session } from "./connection.js";
import type { RedisTarget } from "./url.js";

/** Commands our functions use, each with arguments it takes; `key` stands for one of our keys. */
export const FUNCTION_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  DEL: ["key"],
  EXISTS: ["key"],
  HDEL: ["key", "f"],
  HEXISTS: ["key", "f"],
  HGET: ["key", "f"],
  HGETALL: ["key"],
  HINCRBY: ["key", "f", "1"],
  HKEYS: ["key"],
  HLEN: ["key"],
  HMGET: ["key", "f"],
  HSCAN: ["key", "0"],
  HSET: ["key", "f", "v"],
  HSETNX: ["key", "f", "v"],
  HVALS: ["key"],
  INFO: [],
  LINDEX: ["key", "0"],
  LLEN: ["key"],
  LPOP: ["key"],
  LPOS: ["key", "v"],
  LPUSH: ["key", "v"],
  LRANGE: ["key", "0", "0"],
  LREM: ["key", "0", "v"],
  RPUSH: ["key", "v"],
  TIME: [],
  UNLINK: ["key"],
  ZADD: ["key", "1", "m"],
  ZCARD: ["key"],
  ZCOUNT: ["key", "0", "0"],
  ZMSCORE: ["key", "m"],
  ZRANGE: ["key", "0", "0"],
  ZRANGEBYSCORE: ["key", "0", "0"],
  ZRANK: ["key", "m"],
  ZREM: ["key", "m"],
  ZREMRANGEBYRANK: ["key", "0", "0"],
  ZREVRANGE: ["key", "0", "0"],
  ZSCORE: ["key", "m"],
};

/** Commands we send ourselves, beside those. */
const OWN_COMMANDS: Readonly<Record<string, readonly string[]>> = {
  GET: ["key"],
  SADD: ["key", "m"],
  SET: ["key", "v"],
  SISMEMBER: ["key", "m"],
  SMEMBERS: ["key"],
  SREM: ["key", "m"],
};

/** Rehearses all of them. Errors: MR_STORE_UNSAFE naming what is missing; those of the session. */
export async function rehearse(session: Pick<Session, "command">, target: RedisTarget, app: string): Promise<void> {
  const user = await session.command("ACL", "WHOAMI");
  if (isErrorReply(user) || !Buffer.isBuffer(user)) return;
  const key = `{${app}:rehearsal}`;
  const all = Object.entries({ ...FUNCTION_COMMANDS, ...OWN_COMMANDS });
  const answers = await Promise.all(
    all.map(async ([name, args]) => {
      const spelt = args.map((arg) => (arg === "key" ? key : arg));
      const answer = await session.command("ACL", "DRYRUN", user, name, ...spelt);
      return isErrorReply(answer) || String(answer) === "OK" ? null : { name, says: String(answer) };
    }),
  );
  const refused = answers.filter((answer) => answer !== null);
  const [first] = refused;
  if (first === undefined) return;
  const names = refused.map(({ name }) => name.toLowerCase()).join(" ");
  const reason = `its user ${String(user)} may not use ${names} on ${key} (${first.says}); see the ACL rules in docs/guides/redis.md`;
  throw createError("MR_STORE_UNSAFE", { store: target.shown, reason });
}
