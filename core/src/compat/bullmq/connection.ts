/**
 * What BullMQ takes as `connection` (ioredis options, a URL, an ioredis instance) → the URL of a store.
 *
 * Only where to connect and as whom is read; how a connection behaves is Millrace's own affair. What would change
 * where one connects and cannot be said in a URL is refused.
 */
import { createError, show } from "../../base/errors.js";
import { unsupported } from "./refusals.js";
import type { ConnectionOptions } from "./types.js";

const PORT = 6379;
const HOST = "127.0.0.1";
const STORE_SCHEMES = /^(memory:|embedded:|rediss?:|rediss?-(sentinel|cluster):|redis\+unix:|unix:)/;

/** Options of ioredis that change where one connects, and what to do about them. */
const REFUSED: Readonly<Record<string, string>> = {
  sentinels: "give them as a URL: redis-sentinel://host:port,host:port/name",
  keyPrefix: "use the option `prefix` of the Queue",
  natMap: "give the address the server has from here",
  Connector: "give an address",
};

/** Options of ioredis that say how its own connection behaves: ours does it in its own way. */
const OWN_WAY: ReadonlySet<string> = new Set(
  [
    "family connectTimeout commandTimeout disconnectTimeout socketTimeout keepAlive noDelay connectionName protocol",
    "maxRetriesPerRequest maxLoadingRetryTime retryStrategy reconnectOnError enableReadyCheck enableOfflineQueue",
    "lazyConnect autoResubscribe autoResendUnfulfilledCommands readOnly stringNumbers showFriendlyErrorStack monitor",
    "enableAutoPipelining autoPipeliningIgnoredCommands offlineQueue commandQueue blockingTimeout",
    "sentinelRetryStrategy sentinelReconnectStrategy sentinelMaxConnections sentinelCommandTimeout role name",
    "enableTLSForSentinelMode updateSentinels failoverDetector scripts replyParser clientInfoTag disableClientInfo",
  ]
    .join(" ")
    .split(" "),
);

/** Names the store of some options. Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION. */
export function storeUrlOf({ connection, store }: ConnectionOptions): string {
  if (store !== undefined) {
    if (connection !== undefined) throw invalid("store", "give either `store` or `connection`, not both");
    return checkUrl(store, "store");
  }
  if (connection === undefined || connection === null) return urlOf({});
  if (typeof connection === "string") return checkUrl(connection, "connection");
  if (typeof connection !== "object") throw invalid("connection", `expected options or a URL, got ${show(connection)}`);
  const given = connection as Record<string, unknown>; // any object can be read by any key
  if (given.isCluster === true || typeof given.nodes === "function") {
    throw unsupported("a connection to a Redis Cluster", "give a URL: redis-cluster://host:port,host:port");
  }
  const isInstance = typeof given.options === "object" && given.options !== null && typeof given.status === "string";
  return isInstance ? urlOf(given.options as Record<string, unknown>, false) : urlOf(given);
}

function urlOf(given: Record<string, unknown>, isStrict = true): string {
  const { url, host, port, path, username, password, db, tls, ...others } = given;
  for (const [name, value] of Object.entries(others)) {
    const refusal = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined;
    const isSet = value !== undefined && value !== null && value !== "" && value !== false;
    if (refusal !== undefined && isSet) throw unsupported(`connection option \`${name}\``, refusal);
    if (isStrict && isSet && refusal === undefined && !OWN_WAY.has(name)) {
      throw unsupported(`connection option \`${name}\``, "give host, port, username, password, db, tls or a URL");
    }
  }
  if (url !== undefined) return checkUrl(url, "connection.url");
  const user = text(username);
  const secret = text(password);
  const credentials =
    user === "" && secret === ""
      ? ""
      : `${encodeURIComponent(user)}${secret === "" ? "" : `:${encodeURIComponent(secret)}`}@`;
  const database = db === undefined || db === null ? 0 : Number(db);
  const isTls = tlsOf(tls);
  if (typeof path === "string" && path !== "") return `redis+unix://${credentials}${path}?db=${database}`;
  const name = text(host) || HOST;
  const at = name.includes(":") && !name.startsWith("[") ? `[${name}]` : name;
  const portText = port === undefined || port === null ? PORT : Number(port);
  return `redis${isTls ? "s" : ""}://${credentials}${at}:${portText}/${database}`;
}

/** Whether TLS is wanted; certificates cannot be said in a URL. */
function tlsOf(tls: unknown): boolean {
  if (tls === undefined || tls === null || tls === false) return false;
  const fields = typeof tls === "object" ? Object.entries(tls).filter(([, value]) => value !== undefined) : [];
  for (const [name, value] of fields) {
    if (name === "rejectUnauthorized" && value === true) continue;
    const instead = "give a URL with files: rediss://host:port?ca=FILE&cert=FILE&key=FILE";
    throw unsupported(`connection option \`tls.${name}\``, instead);
  }
  return true;
}

function checkUrl(value: unknown, path: string): string {
  if (typeof value === "string" && STORE_SCHEMES.test(value)) return value;
  throw invalid(path, 'expected "redis://…", "rediss://…", "redis+unix:…", "memory:" or "embedded:DIR"');
}

function text(value: unknown): string {
  return value === undefined || value === null ? "" : String(value);
}

function invalid(path: string, problem: string): Error {
  return createError("MR_INVALID_OPTION", { path, problem });
}
