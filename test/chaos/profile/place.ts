/**
 * Where the work of a profile lies, and how that can be harmed: one Redis with an append-only file behind proxies
 * (flushed at every write, or every second), a primary under Sentinels, a Cluster of three, or an embedded store.
 */
import { mkdtempSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import type { HarmEvent } from "../../checker/run-history.js";
import { RedisCluster } from "../../helper/cluster.js";
import { plainClient } from "../../helper/redis.js";
import { type Hurt, SentinelGroup } from "../../helper/sentinel.js";
import { startProxy, type TcpProxy } from "../../helper/tcp-proxy.js";
import { poll } from "../../helper/wait.js";
import type { Dice } from "../../sim/dice.js";
import { sharedMs } from "../foremen/journal.js";

/** Kinds of places. */
export const PLACES = ["redis", "everysec", "sentinel", "cluster", "embedded"] as const;

/** A kind of place. */
export type PlaceKind = (typeof PLACES)[number];

/** One way to harm a place. */
export interface Harm {
  readonly name: string;
  /** What was acknowledged so long before may be lost with it. Milliseconds; null: nothing may. */
  readonly losesMs: number | null;
  /** Resolves when what is to be harmed has recovered from the last time. */
  ready?(): Promise<void>;
  /** Harms, waits, heals; resolves when the store answers again, with whether anything was felt. */
  inflict(dice: Dice): Promise<boolean>;
}

/** What only the client of a play can do for a fault: see that there is work whose fate it decides. */
export interface Bait {
  /** Work that is acknowledged now, and due in so many milliseconds. */
  due(inMs: number): Promise<void>;
  /** Work that is ready now, and takes long. */
  now(): void;
}

/** A place. */
export interface Place extends AsyncDisposable {
  readonly kind: PlaceKind;
  /** Where Foremen and clients find the store. */
  readonly url: string;
  readonly clientUrl: string;
  readonly harms: readonly Harm[];
  /** When what was acknowledged may have been lost, beside the harms: a machine too busy for its Sentinels fails over. */
  windows?(): readonly HarmEvent[];
  /** Set by the play, if it has a client. */
  bait?: Bait;
  /** Spoils a count of a Segment in which all has ended, which fsck is to find and mend. */
  spoil?(segment: string): Promise<void>;
  /** What is only to be seen here, by its name, so far. */
  glimpses(): Promise<Readonly<Record<string, number>>>;
  /** Figures of the servers: used memory and keys, milliseconds of a function call. */
  sample(): Promise<{ readonly usedBytes: number; readonly keys: number; readonly callUs: number }>;
}

/**
 * A server that flushes every second holds writes back, in its own memory, while its last flush is not through: on a
 * busy disk a kill costs them.
 */
const everysecMs = 2_000;
const stormMs = 3_000;
/** What replicas may not have yet when their primary is lost. */
const replicaLagMs = 2_000;
const watchMs = 250;
/** Bait is due so soon after the replicas were cut off. */
const dueMs = 500;
/** From the first sign to the new primary, and from there until the old one is told. */
const changeMs = 5_000;

/** Starts a place; `dir`: where an embedded store may lie. */
export async function startPlace(kind: PlaceKind, dir: string): Promise<Place> {
  switch (kind) {
    case "redis":
    case "everysec":
      return await SinglePlace.start(kind);
    case "sentinel":
      return new SentinelPlace(await SentinelGroup.start({ servers: 3, sentinels: 3 }));
    case "cluster":
      return new ClusterPlace(await RedisCluster.start(3, true));
    case "embedded":
      return new EmbeddedPlace(`embedded:${dir}/store`);
  }
}

/** One Redis; Foremen reach it through one proxy, clients through another. */
class SinglePlace implements Place {
  readonly kind: "redis" | "everysec";
  readonly url: string;
  readonly clientUrl: string;
  readonly harms: readonly Harm[];
  readonly #server: RedisServer;
  readonly #admin: Redis;
  readonly #proxies: readonly TcpProxy[];
  #flushes = 0;
  /** Calls refused with this word so far; a server that is started again counts anew. */
  readonly #refused = { OOM: 0, MISCONF: 0 };

  static async start(kind: SinglePlace["kind"]): Promise<SinglePlace> {
    const server = await startRedis({
      appendonly: true,
      appendfsync: kind === "redis" ? "always" : "everysec",
      // A save that fails makes the server refuse writes; it never saves by itself.
      args: ["--save", "3600 100000000", "--enable-protected-configs", "yes"],
    });
    const proxies = [await startProxy({ port: server.port }), await startProxy({ port: server.port })];
    return new SinglePlace(kind, server, proxies);
  }

  private constructor(kind: SinglePlace["kind"], server: RedisServer, proxies: readonly TcpProxy[]) {
    this.kind = kind;
    this.#server = server;
    this.#proxies = proxies;
    const [url = "", clientUrl = ""] = proxies.map(({ port }) => `redis://127.0.0.1:${port}`);
    this.url = url;
    this.clientUrl = clientUrl;
    this.#admin = quiet(server.url);
    const harm = (name: string, inflict: Harm["inflict"]): Harm => ({ name, losesMs: null, inflict });
    this.harms = [
      {
        ...{ name: "redis killed", losesMs: kind === "redis" ? null : everysecMs },
        inflict: async (dice) => {
          await server.kill9();
          await pause(dice.between(50, 2_500));
          await server.restart();
          return true;
        },
      },
      harm("redis stopped", async (dice) => {
        process.kill(server.pid, "SIGSTOP");
        await pause(dice.between(200, 5_000));
        process.kill(server.pid, "SIGCONT");
        return true;
      }),
      harm("clients cut off", async () => await repeat(stormMs, 1_000, () => killClients(this.#admin))),
      harm("functions flushed", async () => {
        await repeat(stormMs, 100, async () => {
          await this.#admin.script("FLUSH");
          await this.#admin.function("FLUSH");
          this.#flushes++;
          return 1;
        });
        return true;
      }),
      harm("slow network", async (dice) => {
        const delayMs = dice.between(20, 150);
        return await this.#hurt(dice, async (proxy) => {
          for (const way of ["up", "down"] as const) proxy.hurt(way, { delayMs });
          await pause(stormMs);
        });
      }),
      harm("sliced replies", async (dice) => {
        const sliceBytes = dice.between(1, 9);
        return await this.#hurt(dice, async (proxy) => {
          for (const way of ["up", "down"] as const) proxy.hurt(way, { sliceBytes });
          await pause(stormMs / 2);
        });
      }),
      harm("half-open", async (dice) => {
        const way = dice.pick(["up", "down"] as const);
        const forMs = dice.between(500, 4_500);
        return await this.#hurt(dice, async (proxy) => {
          proxy.hurt(way, { isBlackhole: true });
          await pause(forMs);
          // What was swallowed is lost: nobody may read on from the middle of a message.
          proxy.cutAll();
        });
      }),
      harm("cut", async (dice) => {
        const forMs = dice.between(50, 1_500);
        return await this.#hurt(dice, async (proxy) => {
          proxy.refuse(true);
          proxy.cutAll();
          await pause(forMs);
          proxy.refuse(false);
        });
      }),
      harm("reset before the reply", async (dice) => {
        const bytes = dice.between(0, 400);
        // Both ways: an enqueue, a claim and an outcome are each to lose their answers.
        const cuts = this.#cuts;
        for (const proxy of this.#proxies) proxy.hurt("down", { cutAfterBytes: bytes, isRepeating: true });
        await pause(stormMs / 3);
        for (const proxy of this.#proxies) proxy.hurt("down", null);
        return this.#cuts > cuts;
      }),
      harm("memory full", async (dice) => {
        return await this.#refusing("OOM", async () => {
          await this.#admin.config("SET", "maxmemory", "1mb");
          await pause(dice.between(500, 3_000));
          await this.#admin.config("SET", "maxmemory", "0");
        });
      }),
      harm("disk full", async (dice) => {
        return await this.#refusing("MISCONF", async () => {
          await this.#saveTo(mkdtempSync(join(server.dir, "gone-")), "err");
          await pause(dice.between(500, 3_000));
          await this.#saveTo(server.dir, "ok");
        });
      }),
    ];
  }

  async glimpses(): Promise<Readonly<Record<string, number>>> {
    const libraries = (await this.#admin.function("LIST")) as unknown[]; // one entry each
    const { OOM, MISCONF } = this.#refused;
    return { "library reloaded": libraries.length > 0 ? this.#flushes : 0, "refused OOM": OOM, MISCONF };
  }

  async spoil(segment: string): Promise<void> {
    await this.#admin.hset(`{chaos:${segment}}:xn`, "gate", "9");
  }

  async sample(): Promise<Awaited<ReturnType<Place["sample"]>>> {
    return await sampleOf([this.#admin]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#admin.disconnect();
    await Promise.all(this.#proxies.map((proxy) => proxy.close()));
    await this.#server.stop();
  }

  /** Hurts the way of the Foremen, or of the clients; tells whether anybody was there to feel it. */
  async #hurt(dice: Dice, hurt: (proxy: TcpProxy) => Promise<void>): Promise<boolean> {
    const proxy = dice.chance(70) ? this.#proxies[0] : this.#proxies[1];
    if (proxy === undefined) throw new Error("there is no proxy");
    const [before, cuts] = [{ ...proxy.passed }, proxy.cuts];
    await hurt(proxy);
    for (const way of ["up", "down"] as const) proxy.hurt(way, null);
    return proxy.passed.up !== before.up || proxy.cuts > cuts;
  }

  /** Tells whether the server refused anybody with a word meanwhile. */
  async #refusing(word: "OOM" | "MISCONF", hurt: () => Promise<void>): Promise<boolean> {
    const count = async (): Promise<number> => errorsIn(await this.#admin.info("errorstats"), word);
    const before = await count();
    await hurt();
    const refused = (await count()) - before;
    this.#refused[word] += refused;
    return refused > 0;
  }

  /** Saves into a folder; one that is to fail is taken away before. What is appended to lies elsewhere, and open. */
  async #saveTo(dir: string, status: "ok" | "err"): Promise<void> {
    await this.#admin.config("SET", "dir", dir);
    if (status === "err") rmdirSync(dir);
    await this.#admin.bgsave();
    const isThrough = async (): Promise<true | null> =>
      (await this.#admin.info("persistence")).includes(`rdb_last_bgsave_status:${status}`) ? true : null;
    await poll(isThrough, `a save that ends with ${status}`);
  }

  get #cuts(): number {
    return this.#proxies.reduce((sum, { cuts }) => sum + cuts, 0);
  }
}

class SentinelPlace implements Place {
  readonly kind = "sentinel";
  bait?: Bait;
  readonly url: string;
  readonly clientUrl: string;
  readonly harms: readonly Harm[];
  readonly #group: SentinelGroup;
  readonly #windows: HarmEvent[] = [];
  readonly #watch: NodeJS.Timeout;
  #failovers = 0;
  #port = 0;
  #isFailing = false;

  constructor(group: SentinelGroup) {
    this.#group = group;
    this.#watch = setInterval(() => void this.#look().catch(() => undefined), watchMs);
    this.url = group.url;
    this.clientUrl = group.url;
    const failover = (how: Hurt): Harm => ({
      name: how === "kill" ? "primary killed" : "primary stopped",
      losesMs: replicaLagMs,
      ready: async () => await group.settled(),
      inflict: async () => await this.#failOver(how),
    });
    this.harms = [
      failover("kill"),
      failover("stop"),
      {
        ...{ name: "replicas behind, primary killed", losesMs: replicaLagMs },
        ready: async () => await group.settled(),
        inflict: async (dice) => {
          // Enqueued before and claimed while nobody copies it: its Foreman will be told that it is not its any more.
          await this.bait?.due(dueMs);
          const connect = await group.cutReplicas();
          // Enqueued while nobody copies it: the next primary will never have heard of it.
          this.bait?.now();
          await pause(dice.between(2 * dueMs, 1_500));
          return await this.#failOver("kill", connect);
        },
      },
      {
        ...{ name: "clients cut off", losesMs: null },
        inflict: async () =>
          await repeat(stormMs, 1_000, async () => {
            const port = await group.primaryPort();
            return await group.on(port, killClients);
          }),
      },
    ];
  }

  windows(): readonly HarmEvent[] {
    return this.#windows;
  }

  async glimpses(): Promise<Readonly<Record<string, number>>> {
    return {
      failover: this.#failovers,
      "primary changed unasked": this.#windows.filter(({ harm }) => harm === "primary changed").length,
    };
  }

  /**
   * A change of the primary that nobody here made may cost what the old one had not passed on, and what it took before it
   * was told. One that a fault made is told with that fault, which knows better when it was.
   */
  async #look(): Promise<void> {
    if (this.#isFailing) return;
    const port = await this.#group.primaryPort();
    if (this.#isFailing) return;
    if (this.#port !== 0 && port !== this.#port) {
      const [fromMs, untilMs] = [sharedMs() - changeMs, sharedMs() + changeMs];
      this.#windows.push({ kind: "harm", harm: "primary changed", fromMs, untilMs, losesMs: replicaLagMs });
    }
    this.#port = port;
  }

  /** Lets an old primary come back: what it takes until it is told that it is none any more is lost. */
  async #return(old: number): Promise<void> {
    const window = { kind: "harm", harm: "old primary back", fromMs: sharedMs(), losesMs: 0 } as const;
    try {
      await this.#group.heal(old);
      const isTold = async (): Promise<true | null> => {
        const role = (await this.#group.on(old, (client) => client.call("ROLE"))) as string[];
        return role[0] === "slave" ? true : null;
      };
      await poll(() => isTold().catch(() => null), "the end of an old primary", 30_000);
    } finally {
      this.#windows.push({ ...window, untilMs: sharedMs() });
    }
  }

  /** Makes the Sentinels choose another primary; the old one comes back as the primary it was, a while later. */
  async #failOver(how: Hurt, meanwhile: () => Promise<void> = () => Promise.resolve()): Promise<boolean> {
    this.#isFailing = true;
    try {
      const old = await this.#group.hurt(how);
      await meanwhile();
      this.#port = await this.#group.replaced(old);
      this.#failovers++;
      setTimeout(() => void this.#return(old).catch(() => undefined), 500);
    } finally {
      this.#isFailing = false;
    }
    return true;
  }

  async sample(): Promise<Awaited<ReturnType<Place["sample"]>>> {
    return await this.#group.on(await this.#group.primaryPort(), async (client) => await sampleOf([client]));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    await this.#group.stop();
  }
}

class ClusterPlace implements Place {
  readonly kind = "cluster";
  readonly url: string;
  readonly clientUrl: string;
  readonly harms: readonly Harm[];
  readonly #cluster: RedisCluster;

  constructor(cluster: RedisCluster) {
    this.#cluster = cluster;
    this.url = cluster.url;
    this.clientUrl = cluster.url;
    const harm = (name: string, inflict: Harm["inflict"]): Harm => ({ name, losesMs: null, inflict });
    this.harms = [
      harm("slot moved", async (dice) => {
        const key = `{chaos:${segmentOfClients}}`;
        for (let i = 0; i < 2; i++) {
          const from = await cluster.holderOf(key);
          await cluster.move(await cluster.slotOf(key), from, (from + dice.between(1, 2)) % 3, dice.between(0, 20));
        }
        return true;
      }),
      harm("primary killed", async (dice) => {
        const index = await cluster.holderOf(`{chaos:${segmentOfClients}}`);
        await cluster.kill9(index);
        await pause(dice.between(50, 2_500));
        await cluster.restart(index);
        return true;
      }),
      harm(
        "clients cut off",
        async () =>
          await repeat(stormMs, 1_000, async () => {
            const killed = await Promise.all(cluster.clients.map(killClients));
            return killed.reduce((sum, one) => sum + one, 0);
          }),
      ),
      harm("functions flushed", async () => {
        await repeat(stormMs, 200, async () => {
          for (const client of cluster.clients) await client.function("FLUSH");
          return 1;
        });
        return true;
      }),
    ];
  }

  async glimpses(): Promise<Readonly<Record<string, number>>> {
    const told = await Promise.all(this.#cluster.clients.map((client) => client.info("errorstats")));
    const count = (code: string): number => told.reduce((sum, text) => sum + errorsIn(text, code), 0);
    return { "TRYAGAIN or ASK": count("TRYAGAIN") + count("ASK"), MOVED: count("MOVED") };
  }

  async sample(): Promise<Awaited<ReturnType<Place["sample"]>>> {
    return await sampleOf(this.#cluster.clients);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cluster.stop();
  }
}

/** A folder; it is harmed by killing the one process that uses it. */
class EmbeddedPlace implements Place {
  readonly kind = "embedded";
  readonly url: string;
  readonly clientUrl: string;
  readonly harms: readonly Harm[] = [];

  constructor(url: string) {
    this.url = url;
    this.clientUrl = url;
  }

  glimpses(): Promise<Readonly<Record<string, number>>> {
    return Promise.resolve({});
  }

  sample(): Promise<Awaited<ReturnType<Place["sample"]>>> {
    return Promise.resolve({ usedBytes: 0, keys: 0, callUs: 0 });
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** The Segment that clients enqueue in. */
export const segmentOfClients = "load";

/** A client whose errors are told by its calls alone. */
function quiet(url: string): Redis {
  const client = plainClient(url);
  client.on("error", () => undefined);
  return client;
}

async function killClients(client: Redis): Promise<number> {
  let killed = 0;
  for (const type of ["normal", "pubsub"])
    killed += Number(await client.call("CLIENT", "KILL", "TYPE", type, "SKIPME", "yes"));
  return killed;
}

/** Does something again and again for a while; tells whether it ever did anything. */
async function repeat(forMs: number, everyMs: number, act: () => Promise<number>): Promise<boolean> {
  const giveUpAt = performance.now() + forMs;
  let did = 0;
  while (performance.now() < giveUpAt) {
    did += await act();
    await pause(everyMs);
  }
  return did > 0;
}

async function sampleOf(clients: readonly Redis[]): Promise<Awaited<ReturnType<Place["sample"]>>> {
  let [usedBytes, keys, calls, us] = [0, 0, 0, 0];
  for (const client of clients) {
    const [memory, stats, size] = [
      await client.info("memory"),
      await client.info("commandstats"),
      await client.dbsize(),
    ];
    usedBytes += Number(/used_memory:(\d+)/.exec(memory)?.[1] ?? 0);
    keys += size;
    const fcall = /cmdstat_fcall:calls=(\d+),usec=(\d+)/.exec(stats);
    calls += Number(fcall?.[1] ?? 0);
    us += Number(fcall?.[2] ?? 0);
  }
  return { usedBytes, keys, callUs: calls === 0 ? 0 : us / calls };
}

/** How many calls a server has refused with a word, by its own count. */
function errorsIn(errorstats: string, word: string): number {
  return Number(new RegExp(`errorstat_${word}:count=(\\d+)`).exec(errorstats)?.[1] ?? 0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
