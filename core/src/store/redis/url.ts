/**
 * Reads the URL of a store on Redis, and spells it without its secrets.
 *
 *   redis://user:password@host:port/db    plain TCP; user, password, port (6379) and db (0) may be left out
 *   rediss://…                            the same over TLS
 *   redis+unix://user:password@/path/to.sock?db=1   a unix socket; `unix:` is taken as well
 *   redis-sentinel://user:password@host:port,host:port/name/db   Sentinels (port 26379) and what they call the primary;
 *                                         `?sentinelUser=…&sentinelPassword=…` is who we are to the Sentinels themselves
 *   redis-cluster://user:password@host:port,host:port           some servers of a Cluster
 *
 * `rediss-sentinel:` and `rediss-cluster:` are the same over TLS. Every TLS URL takes `?ca=FILE&cert=FILE&key=FILE` and
 * `servername=NAME`. Pure; a bad URL is MR_STORE_URL, and its message shows no secret.
 */
import { createError } from "../../base/errors.js";

/** Files and names for TLS; null where Node's defaults hold. */
export interface RedisCertificates {
  /** Path of a PEM file: who may sign the server's certificate. */
  readonly ca: string | null;
  /** Path of a PEM file: our own certificate. */
  readonly cert: string | null;
  /** Path of a PEM file: its key. */
  readonly key: string | null;
  /** The name the server's certificate must be for, when it is not the host's. */
  readonly servername: string | null;
}

/** Where one server is, and who we are there. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  /** Path of a unix socket; then host and port mean nothing. */
  readonly path: string | null;
  readonly isTls: boolean;
  readonly certificates: RedisCertificates;
  readonly username: string | null;
  readonly password: string | null;
  readonly db: number;
  /** The URL for messages: the password shown as three stars. */
  readonly shown: string;
}

/** Where a store is: one server, or those who know where its servers are at present. */
export interface RedisAddress {
  readonly kind: "server" | "sentinel" | "cluster";
  /** The server; with seeds, user, database, TLS and the shown URL of whichever server is found through them. */
  readonly target: RedisTarget;
  /** Sentinels, or some servers of a Cluster; empty for one server. */
  readonly seeds: readonly RedisTarget[];
  /** What the Sentinels call the primary; empty otherwise. */
  readonly primaryName: string;
}

const DEFAULT_PORT = 6379;
const DEFAULT_SENTINEL_PORT = 26_379;
const UNIX = /^(?:redis\+unix|unix):(?:\/\/)?/;
/** Scheme, user and password, hosts, path, query: Node's URL takes one host only. */
const SEEDED = /^(rediss?)-(sentinel|cluster):\/\/(?:([^@/?]*)@)?([^@/?]*)(\/[^?]*)?(\?.*)?$/;

/** Reads a URL of any kind. Errors: MR_STORE_URL. */
export function parseRedisAddress(text: string): RedisAddress {
  if (!/^rediss?-(?:sentinel|cluster):/.test(text)) {
    return { kind: "server", target: parseRedisUrl(text), seeds: [], primaryName: "" };
  }
  const [, scheme = "", kind = "", user = "", hosts = "", path = "", query = ""] = SEEDED.exec(text) ?? [];
  if (hosts === "") throw bad(text, "it names no host");
  const isSentinel = kind === "sentinel";
  // Everything but the hosts is read as that of a plain URL.
  const common = tryUrl(`${scheme}://${user === "" ? "" : `${user}@`}host/${query}`);
  if (common === null) throw bad(text, "it is no URL");
  const words = path.split("/").slice(1).map(decodeWord);
  const [primaryName = "", dbText = ""] = isSentinel ? words : ["", words[0]];
  if (isSentinel && primaryName === "") {
    throw bad(text, "the name of the primary is missing: redis-sentinel://HOST,HOST/NAME");
  }
  const db = databaseOf(text, dbText);
  if (!isSentinel && db !== 0) throw bad(text, "a Cluster has one database, 0");
  const seedHosts = hosts
    .split(",")
    .map((host) => hostOf(text, host, isSentinel ? DEFAULT_SENTINEL_PORT : DEFAULT_PORT));
  const shownHosts = seedHosts.map(({ host, port }) => `${bracketed(host)}:${port}`).join(",");
  const isTls = scheme === "rediss";
  const { username, password } = credentialsOf(common.username, common.password);
  const tail = isSentinel ? `/${primaryName}/${db}` : "";
  const shown = `${scheme}-${kind}://${shownUser(username, password)}${shownHosts}${tail}`;
  const certificates = certificatesOf(common);
  const target = { host: "", port: 0, path: null, isTls, certificates, username, password, db, shown };
  const asSentinel = credentialsOf(
    common.searchParams.get("sentinelUser") ?? "",
    common.searchParams.get("sentinelPassword") ?? "",
    (word) => word, // the class has decoded its parameters
  );
  const seeds = seedHosts.map((where) => ({ ...target, ...where, ...(isSentinel ? { ...asSentinel, db: 0 } : {}) }));
  return { kind: isSentinel ? "sentinel" : "cluster", target, seeds, primaryName };
}

/** Reads the URL of one server. Errors: MR_STORE_URL. */
export function parseRedisUrl(text: string): RedisTarget {
  const isUnix = UNIX.test(text);
  // The URL class knows no paths without a host, so a unix path is read as the path of an http URL.
  const url = tryUrl(isUnix ? text.replace(UNIX, "http://").replace(/^(http:\/\/(?:[^/@]*@)?)\//, "$1socket/") : text);
  if (url === null) throw bad(text, "it is no URL");
  if (!isUnix && url.protocol !== "redis:" && url.protocol !== "rediss:") {
    throw bad(text, "expected redis:, rediss:, redis+unix:, redis-sentinel: or redis-cluster:");
  }
  const path = isUnix ? decodeWord(url.pathname) : null;
  if (path === "/") throw bad(text, "the socket's path is missing");
  const target = {
    host: isUnix ? "" : url.hostname.replace(/^\[|\]$/g, "") || "localhost",
    port: url.port === "" ? DEFAULT_PORT : Number(url.port),
    path,
    isTls: url.protocol === "rediss:",
    certificates: certificatesOf(url),
    ...credentialsOf(url.username, url.password),
    db: databaseOf(text, isUnix ? (url.searchParams.get("db") ?? "") : url.pathname.replace(/^\//, "")),
  };
  return { ...target, shown: show(target) };
}

/** Replaces the password wherever a text from outside repeats it. */
export function maskSecrets(target: RedisTarget, text: string): string {
  return target.password === null ? text : text.replaceAll(target.password, "***");
}

/** Host and port as one text. */
export function placeOf({ host, port, path }: Pick<RedisTarget, "host" | "port" | "path">): string {
  return path ?? `${bracketed(host)}:${port}`;
}

function show(target: Omit<RedisTarget, "shown">): string {
  const at = shownUser(target.username, target.password);
  if (target.path !== null) return `redis+unix://${at}${target.path}${target.db === 0 ? "" : `?db=${target.db}`}`;
  return `redis${target.isTls ? "s" : ""}://${at}${bracketed(target.host)}:${target.port}/${target.db}`;
}

function shownUser(username: string | null, password: string | null): string {
  const user = `${username ?? ""}${password === null ? "" : ":***"}`;
  return user === "" ? "" : `${user}@`;
}

function bracketed(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}

function hostOf(text: string, spelt: string, portDefault: number): { readonly host: string; readonly port: number } {
  const url = tryUrl(`redis://${spelt}`);
  if (spelt === "" || url === null || url.pathname !== "") throw bad(text, "one of its hosts cannot be read");
  return {
    host: url.hostname.replace(/^\[|\]$/g, ""),
    port: url.port === "" ? portDefault : Number(url.port),
  };
}

function databaseOf(text: string, dbText: string): number {
  const db = dbText === "" ? 0 : Number(dbText);
  if (!Number.isInteger(db) || db < 0) throw bad(text, "the database is no whole number");
  return db;
}

function credentialsOf(
  user: string,
  password: string,
  decode: (word: string) => string = decodeWord,
): Pick<RedisTarget, "username" | "password"> {
  return { username: user === "" ? null : decode(user), password: password === "" ? null : decode(password) };
}

function certificatesOf({ searchParams }: URL): RedisCertificates {
  const word = (name: string): string | null => searchParams.get(name) || null;
  return { ca: word("ca"), cert: word("cert"), key: word("key"), servername: word("servername") };
}

function decodeWord(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // a lone percent sign stands for itself
  }
}

function tryUrl(text: string): URL | null {
  try {
    return new URL(text);
  } catch {
    return null;
  }
}

function bad(text: string, reason: string): Error {
  // Nothing of the text is safe to show but its scheme and what follows an `@`; parameters may hold passwords.
  const [plain = ""] = text.split("?");
  const scheme = /^[a-z+-]{1,16}:/i.exec(plain)?.[0] ?? "";
  return createError("MR_STORE_URL", {
    store: `${scheme}${plain.includes("@") ? `…@${plain.slice(plain.lastIndexOf("@") + 1)}` : plain.slice(scheme.length)}`,
    reason,
  });
}
