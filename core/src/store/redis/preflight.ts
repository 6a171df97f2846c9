/**
 * Looks at a server before it is trusted with work: version, eviction, persistence.
 *
 * What a service does not let us read is declared, not checked: it never makes a promise stronger.
 * Source: docs/store.md, "Settings that matter". Called once by redis-store.ts when it opens.
 */
import { createError } from "../../base/errors.js";
import { type DurabilityLevel, isAtLeast, type StoreDurability } from "../../engine/durability.js";
import { type ErrorReply, isErrorReply, type Reply, type Session } from "./connection.js";
import type { RedisTarget } from "./url.js";

/** Oldest server with function libraries and everything they use here. */
const MAJOR_MIN = 7;

/** First Redis whose WAITAOF never returns before the disk has it; earlier ones could. */
const WAITAOF_SINCE = [7, 4, 3] as const;

/**
 * Checks a server and tells its durability; `asked` is a level wanted by name.
 *
 * Errors: MR_STORE_UNSAFE · MR_DURABILITY_UNAVAILABLE.
 */
export async function preflight(
  session: Pick<Session, "command">,
  target: RedisTarget,
  asked: DurabilityLevel | null,
): Promise<StoreDurability> {
  const info = fieldsOfInfo(await session.command("INFO", "server"));
  const version = info.get("redis_version");
  if (version !== undefined && Number.parseInt(version, 10) < MAJOR_MIN) {
    throw unsafe(target, `it is Redis ${version}; Millrace needs Redis ${MAJOR_MIN}.0 or newer, or Valkey`);
  }
  const reply = await session.command("CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync");
  const config = isErrorReply(reply) ? new Map<string, string>() : pairs(reply);
  const eviction = evictionIn(config);
  if (eviction !== null) throw unsafe(target, eviction);
  const found = durabilityOf(config, fieldsOfInfo(await session.command("INFO", "persistence")), asked);
  const canWait = found.level !== "memory" && waitsForDisk(info);
  const best = canWait ? "fsync" : found.level;
  if (asked !== null && !isAtLeast(best, asked)) {
    throw createError("MR_DURABILITY_UNAVAILABLE", { asked, available: best });
  }
  return { ...found, best, replicates: true };
}

/** What is wrong with how a server makes room, told by CONFIG GET; null if nothing is, or it does not let us read. */
export async function evictionOf(session: Pick<Session, "command">): Promise<string | null> {
  const reply = await session.command("CONFIG", "GET", "maxmemory-policy");
  return isErrorReply(reply) ? null : evictionIn(pairs(reply));
}

function evictionIn(config: ReadonlyMap<string, string>): string | null {
  const policy = config.get("maxmemory-policy");
  if (policy === undefined || policy === "noeviction") return null;
  const cure = "CONFIG SET maxmemory-policy noeviction (and the same in its configuration file)";
  return `maxmemory-policy is ${policy}, so it may throw work away when memory is short; run: ${cure}`;
}

/** The level by the server's settings; where they cannot be read, what was asked for, declared. */
export function durabilityOf(
  config: ReadonlyMap<string, string>,
  persistence: ReadonlyMap<string, string>,
  asked: DurabilityLevel | null,
): Pick<StoreDurability, "level" | "isChecked"> {
  const appendonly = config.get("appendonly");
  if (appendonly === undefined) {
    if (persistence.get("aof_enabled") === "0") return { level: "memory", isChecked: true };
    const declared = persistence.get("aof_enabled") === "1" ? "aof" : "memory";
    return { level: asked ?? declared, isChecked: false };
  }
  if (appendonly !== "yes") return { level: "memory", isChecked: true };
  const fsync = config.get("appendfsync");
  // "no" leaves flushing to the kernel: a killed server loses nothing, a power cut up to half a minute.
  return { level: fsync === "always" ? "fsync" : "aof", isChecked: fsync === "always" || fsync === "everysec" };
}

/** Whether a server waits for its disk when asked to (WAITAOF), and can be believed. Valkey's is not proved yet. */
function waitsForDisk(info: ReadonlyMap<string, string>): boolean {
  if (info.has("valkey_version") || info.get("server_name") === "valkey") return false;
  const parts = (info.get("redis_version") ?? "").split(".").map(Number);
  for (const [i, least] of WAITAOF_SINCE.entries()) {
    const part = parts[i] ?? 0;
    if (part !== least) return part > least;
  }
  return true;
}

/** The fields of an answer to INFO; none if it was refused. */
export function fieldsOfInfo(reply: Reply | ErrorReply): ReadonlyMap<string, string> {
  const fields = new Map<string, string>();
  if (isErrorReply(reply)) return fields;
  for (const line of String(reply).split("\r\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

function pairs(reply: Reply): ReadonlyMap<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  const fields = new Map<string, string>();
  for (let i = 0; i + 1 < flat.length; i += 2) fields.set(flat[i] ?? "", flat[i + 1] ?? "");
  return fields;
}

function unsafe(target: RedisTarget, reason: string): Error {
  return createError("MR_STORE_UNSAFE", { store: target.shown, reason });
}
