/**
 * Reads a Redis URL, and spells it without its secrets.
 *
 *   redis://user:password@host:port/db    plain TCP; user, password, port (6379) and db (0) may be left out
 *   rediss://…                            the same over TLS
 *   redis+unix://user:password@/path/to.sock?db=1   a unix socket; `unix:` is taken as well
 *
 * Pure; a bad URL is MR_STORE_URL, and its message shows no secret.
 */
import { createError } from "../../base/errors.js";

/** Where a store is, and who we are there. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  /** Path of a unix socket; then host and port mean nothing. */
  readonly path: string | null;
  readonly isTls: boolean;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  /** The URL for messages: the password shown as three stars. */
  readonly shown: string;
}

const DEFAULT_PORT = 6379;
const UNIX = /^(?:redis\+unix|unix):(?:\/\/)?/;

/** Reads a URL. Errors: MR_STORE_URL. */
export function parseRedisUrl(text: string): RedisTarget {
  const isUnix = UNIX.test(text);
  // The URL class knows no paths without a host, so a unix path is read as the path of an http URL.
  const url = tryUrl(isUnix ? text.replace(UNIX, "http://").replace(/^(http:\/\/(?:[^/@]*@)?)\//, "$1socket/") : text);
  if (url === null) throw bad(text, "it is no URL");
  if (!isUnix && url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw bad(text, "expected redis:, rediss: or redis+unix:");
  }
  const dbText = isUnix ? (url.searchParams.get("db") ?? "") : url.pathname.replace(/^\//, "");
  const db = dbText === "" ? 0 : Number(dbText);
  if (!Number.isInteger(db) || db < 0) throw bad(text, "the database is no whole number");
  const path = isUnix ? decodeURIComponent(url.pathname) : null;
  if (path === "/") throw bad(text, "the socket's path is missing");
  const target = {
    host: isUnix ? "" : url.hostname.replace(/^\[|\]$/g, "") || "localhost",
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    path,
    isTls: url.protocol === "rediss:",
    username: url.username === "" ? null : decodeURIComponent(url.username),
    password: url.password === "" ? null : decodeURIComponent(url.password),
    db,
  };
  return { ...target, shown: show(target) };
}

/** Replaces the password wherever a text from outside repeats it. */
export function maskSecrets(target: RedisTarget, text: string): string {
  return target.password === null ? text : text.replaceAll(target.password, "***");
}

function show(target: Omit<RedisTarget, "shown">): string {
  const user = `${target.username ?? ""}${target.password === null ? "" : ":***"}`;
  const at = user === "" ? "" : `${user}@`;
  if (target.path !== null) return `redis+unix://${at}${target.path}${target.db === 0 ? "" : `?db=${target.db}`}`;
  const host = target.host.includes(":") ? `[${target.host}]` : target.host;
  return `redis${target.isTls ? "s" : ""}://${at}${host}:${target.port}/${target.db}`;
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function bad(text: string, reason: string): Error {
  // Nothing of the text is safe to show but its scheme and what follows an `@`.
  const scheme = /^[a-z+]{1,16}:/i.exec(text)?.[0] ?? "";
  return createError("MR_STORE_URL", {
    store: `${scheme}${text.includes("@") ? `…@${text.slice(text.lastIndexOf("@") + 1)}` : text.slice(scheme.length)}`,
    reason,
  });
}
