/**
 * The choice of a store by its URL: the one place in core that knows all of them. Each is loaded only when chosen, so
 * a program on the embedded store never loads a Redis client.
 */
import type { Clock } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Random } from "../base/random.js";
import {
  type Durability,
  type DurabilityLevel,
  isAtLeast,
  levelIn,
  replicasIn,
  showDurability,
} from "../engine/durability.js";
import type { Store } from "../engine/store.js";
import { FOREMAN_TIMES } from "../foreman/foreman.js";
import { POISON_RETAIN_MS, poisonOutcome } from "../foreman/rescuer.js";

/** What a store is opened with. */
export interface OpenStoreOptions {
  /** Several: one Redis server each. */
  readonly url: string | readonly string[];
  readonly app: string;
  readonly durability: Durability | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** Where an embedded store lies if its URL names no directory. */
export const EMBEDDED_PATH = ".millrace";

/** Makes the store a URL names; it is not open yet. Errors: MR_STORE_URL, MR_DURABILITY_UNAVAILABLE. */
export async function makeStore(options: OpenStoreOptions): Promise<Store> {
  const { url, app, clock, random, logger } = options;
  const durability = ownLevel(options.durability);
  if (typeof url !== "string") return await makeSites(options, url);
  const scheme = /^([a-z][a-z0-9+-]*):/.exec(url)?.[1];
  const level = durability === undefined ? {} : { durability };
  switch (scheme) {
    case "memory": {
      checkLocal(options.durability, "memory");
      const { MemoryStore } = await import("../store/embedded/memory-store.js");
      return new MemoryStore({ app, clock });
    }
    case "embedded": {
      checkLocal(options.durability, "flushed");
      const { EmbeddedStore } = await import("../store/embedded/embedded-store.js");
      const path = url.slice("embedded:".length) || EMBEDDED_PATH;
      // One process uses an embedded store at a time: whoever held work there before is dead, no Lease need pass.
      const { recoveriesMax } = FOREMAN_TIMES;
      const rescueAtOpen = { recoveriesMax, retainMs: POISON_RETAIN_MS, poison: poisonOutcome(recoveriesMax) };
      return new EmbeddedStore({ path, app, clock, logger, rescueAtOpen, ...level });
    }
    case "redis":
    case "rediss":
    case "redis+unix":
    case "redis-sentinel":
    case "rediss-sentinel":
    case "redis-cluster":
    case "rediss-cluster": {
      const { OffloadingStore } = await import("../store/redis/offload.js");
      return new OffloadingStore({ url, app, clock, random, logger, ...level });
    }
    default: {
      const reason =
        "expected embedded:DIR, memory:, redis://HOST:PORT/DB, rediss://…, redis+unix:PATH, redis-sentinel://HOST,HOST/NAME or redis-cluster://HOST,HOST";
      throw createError("MR_STORE_URL", { store: JSON.stringify(url), reason });
    }
  }
}

/** One URL is a plain store: what several cost is not paid by those who have one. */
async function makeSites(options: OpenStoreOptions, urls: readonly string[]): Promise<Store> {
  const [only] = urls;
  if (only !== undefined && urls.length === 1) return await makeStore({ ...options, url: only });
  const { app, clock, random, logger } = options;
  const durability = ownLevel(options.durability);
  const { OffloadingStore } = await import("../store/redis/offload.js");
  const { SitesStore } = await import("../store/sites/sites-store.js");
  const level = durability === undefined ? {} : { durability };
  const makes = urls.map((url) => async () => {
    // A site that is away is waited for as long as it takes; SitesStore judges how long a start may.
    const openTimeoutMs = Number.POSITIVE_INFINITY;
    return new OffloadingStore({ url, app, clock, random, logger, openTimeoutMs, ...level });
  });
  return new SitesStore({ app, makes, clock, logger });
}

/** What the store is to give with every answer; replicas are waited for per call. */
function ownLevel(asked: Durability | undefined): DurabilityLevel | undefined {
  return asked === undefined || (typeof asked !== "string" && levelIn(asked) === "memory") ? undefined : levelIn(asked);
}

/** Refuses what a store on this machine can never give. */
function checkLocal(asked: Durability | undefined, available: DurabilityLevel): void {
  if (asked === undefined) return;
  if (replicasIn(asked) === 0 && isAtLeast(available, levelIn(asked))) return;
  const shown = showDurability(levelIn(asked), replicasIn(asked));
  throw createError("MR_DURABILITY_UNAVAILABLE", { asked: shown, available });
}

/** Loads the program of the store a URL names, so that making it later takes less time. Never fails: making it tells. */
export async function preloadStore(url: string | readonly string[]): Promise<void> {
  const isRedis = /^(rediss?(-sentinel|-cluster)?|redis\+unix):/.test(typeof url === "string" ? url : (url[0] ?? ""));
  if (isRedis) await import("../store/redis/offload.js").catch(() => undefined);
}
