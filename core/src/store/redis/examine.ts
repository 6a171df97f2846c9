/**
 * Looks at a Redis server for people who ask whether it is fit: settings, room, time, way. Reads only; loads no
 * functions and writes no key. Used by the `doctor` of the command line.
 */
import { type Clock, systemClock } from "../../base/clock.js";
import { silentLogger } from "../../base/log.js";
import { systemRandom } from "../../base/random.js";
import { isErrorReply, Link, type Session } from "./connection.js";
import { unsent } from "./failure.js";
import { derivedKeys, rootKey, segmentsKey } from "./keys.js";
import { Sentinels } from "./sentinel.js";
import { parseRedisAddress } from "./url.js";

/** What a server says of itself; null where it does not let us read. */
export interface RedisReport {
  /** URL without secrets. */
  readonly url: string;
  readonly version: string | null;
  /** "redis" or "valkey". */
  readonly product: string;
  /** "master" or "slave", in the server's words. */
  readonly role: string | null;
  readonly maxmemoryPolicy: string | null;
  readonly appendonly: string | null;
  readonly appendfsync: string | null;
  readonly usedMemoryBytes: number | null;
  /** 0 for no limit. */
  readonly maxmemoryBytes: number | null;
  /** Fastest of five round trips, in milliseconds. */
  readonly roundTripMs: number;
  /** Its wall clock minus ours, as well as the way lets us tell; milliseconds. */
  readonly skewMs: number;
  /** The App's Segments with something ready, a hundred at most; of a Cluster those that lie on the server looked at. */
  readonly segments: readonly SegmentDepth[];
}

/** How much is ready in a Segment. */
export interface SegmentDepth {
  readonly name: string;
  readonly ready: number;
}

const ROUND_TRIPS = 5;
const POLL_MS = 20;
const SEGMENTS_MAX = 100;

/** Connects, reads, goes. Errors: MR_STORE_URL · MR_STORE_UNAVAILABLE after `timeoutMs`. */
export async function examineRedis(
  url: string,
  app: string,
  timeoutMs: number,
  clock: Clock = systemClock,
): Promise<RedisReport> {
  const address = parseRedisAddress(url);
  // Of a Cluster one server is looked at: their settings should not differ.
  const target = address.kind === "cluster" ? (address.seeds[0] ?? address.target) : address.target;
  const surroundings = { tls: null, clock, random: systemRandom, logger: silentLogger };
  const sentinels = new Sentinels({ ...surroundings, address, switched: () => undefined });
  const found: { report: RedisReport | null } = { report: null };
  const link = new Link({
    ...surroundings,
    target,
    ...(address.kind === "sentinel" ? { locate: () => sentinels.locate() } : {}),
    name: "millrace-doctor",
    callTimeoutMs: timeoutMs,
    greet: async (session) => {
      found.report = await read(session, target.shown, app, clock);
    },
    up: () => undefined,
    message: () => undefined,
  });
  try {
    link.open();
    const deadlineMs = clock.monotonicMs() + timeoutMs;
    while (found.report === null) {
      if (link.fatal !== null) throw link.fatal;
      if (clock.monotonicMs() >= deadlineMs) throw unsent(target, link.reason);
      await new Promise<void>((resolve) => {
        clock.setTimer(POLL_MS, resolve);
      });
    }
    return found.report;
  } finally {
    link.close();
  }
}

async function read(session: Session, url: string, app: string, clock: Clock): Promise<RedisReport> {
  const info = await fieldsOf(session, "INFO");
  const config = await settingsOf(session);
  const times: { readonly tripMs: number; readonly skewMs: number }[] = [];
  for (let trip = 0; trip < ROUND_TRIPS; trip++) times.push(await timeOf(session, clock));
  const best = times.reduce((a, b) => (b.tripMs < a.tripMs ? b : a));
  const number = (text: string | undefined) => (text === undefined ? null : Number(text));
  return {
    url,
    version: info.get("valkey_version") ?? info.get("redis_version") ?? null,
    product: info.get("server_name") ?? "redis",
    role: info.get("role") ?? null,
    maxmemoryPolicy: info.get("maxmemory_policy") ?? config.get("maxmemory-policy") ?? null,
    appendonly: config.get("appendonly") ?? null,
    appendfsync: config.get("appendfsync") ?? null,
    usedMemoryBytes: number(info.get("used_memory")),
    maxmemoryBytes: number(info.get("maxmemory")),
    roundTripMs: best.tripMs,
    skewMs: best.skewMs,
    segments: await depthsOf(session, app),
  };
}

/** Counted by the lengths of lists, without our functions: nothing need be loaded to look. */
async function depthsOf(session: Session, app: string): Promise<SegmentDepth[]> {
  const found: SegmentDepth[] = [];
  for (const name of (await textsOf(session, "SMEMBERS", segmentsKey(app))).slice(0, SEGMENTS_MAX)) {
    const root = rootKey(app, name);
    let ready = 0;
    for (const queue of await textsOf(session, "HKEYS", derivedKeys.queues(root))) {
      const others = await textsOf(session, "ZRANGE", derivedKeys.priorities(root, queue), "0", "-1");
      for (const priority of new Set([0, ...others.map(Number)])) {
        const length = await session.command("LLEN", derivedKeys.ready(root, queue, priority));
        ready += isErrorReply(length) ? 0 : Number(length);
      }
    }
    if (ready > 0) found.push({ name, ready });
  }
  return found;
}

/** Empty where it is on another server, or we may not read it. */
async function textsOf(session: Session, name: string, ...args: readonly string[]): Promise<string[]> {
  const reply = await session.command(name, ...args);
  return isErrorReply(reply) || !Array.isArray(reply) ? [] : reply.map(String);
}

/** Its time, taken to be read in the middle of the round trip: off by at most half of it. */
async function timeOf(session: Session, clock: Clock): Promise<{ tripMs: number; skewMs: number }> {
  const sentMs = clock.monotonicMs();
  const sentAtMs = clock.nowMs();
  const reply = await session.command("TIME");
  const tripMs = clock.monotonicMs() - sentMs;
  if (isErrorReply(reply) || !Array.isArray(reply)) return { tripMs, skewMs: 0 };
  const [seconds, micros] = reply.map(Number);
  return { tripMs, skewMs: (seconds ?? 0) * 1000 + (micros ?? 0) / 1000 - (sentAtMs + tripMs / 2) };
}

async function fieldsOf(session: Session, name: string): Promise<ReadonlyMap<string, string>> {
  const reply = await session.command(name);
  if (isErrorReply(reply)) return new Map();
  const lines = String(reply)
    .split("\r\n")
    .filter((line) => line.includes(":"));
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

async function settingsOf(session: Session): Promise<ReadonlyMap<string, string>> {
  const reply = await session.command("CONFIG", "GET", "maxmemory-policy", "appendonly", "appendfsync");
  if (isErrorReply(reply) || !Array.isArray(reply)) return new Map();
  const flat = reply.map(String);
  return new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1] ?? ""]] : [])));
}
