/**
 * A Redis Cluster as real processes: some primaries that share the slots, without replicas. Slots can be moved from one
 * to another while they are used, key by key, as a resharding does it.
 */

import { freePort } from "@millrace/scripts/free-port";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { Cluster, type Redis } from "ioredis";
import { plainClient } from "./redis.js";
import { poll } from "./wait.js";

const SLOTS = 16_384;
const KEYS_AT_ONCE = 100;

/** A running Cluster. */
export class RedisCluster implements AsyncDisposable {
  /** As a store's URL. */
  readonly url: string;
  readonly #servers: readonly RedisServer[];
  readonly #clients: readonly Redis[];

  private constructor(servers: readonly RedisServer[]) {
    this.#servers = servers;
    this.#clients = servers.map(({ url }) => plainClient(url));
    for (const client of this.#clients) client.on("error", () => undefined); // told by its calls
    this.url = `redis-cluster://${servers.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }

  /** Starts it and waits until every server serves. `appendonly`: a server that is killed comes back with its data. */
  static async start(primaries = 3, appendonly = false): Promise<RedisCluster> {
    const servers: RedisServer[] = [];
    for (let i = 0; i < primaries; i++) {
      const bus = await freePort();
      const args = ["--cluster-enabled", "yes", "--cluster-port", String(bus), "--cluster-node-timeout", "2000"];
      servers.push(await startRedis({ args, appendonly, appendfsync: "always" }));
    }
    const cluster = new RedisCluster(servers);
    try {
      await cluster.#join();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  /** A client that finds each key's server by itself. */
  client(): Cluster {
    return new Cluster(this.#servers.map(({ port }) => ({ host: "127.0.0.1", port })));
  }

  /** Plain clients of the servers, in their order. */
  get clients(): readonly Redis[] {
    return this.#clients;
  }

  /** Kills a server; `restart` brings it back with its slots, and with what it had written down. */
  async kill9(index: number): Promise<void> {
    await this.#server(index).kill9();
  }

  /** Starts a killed server again, and waits until all serve. */
  async restart(index: number): Promise<void> {
    await this.#server(index).restart();
    await poll(() => this.#isServing(), "a Cluster that serves again", 30_000);
  }

  /** Index of the server that holds a key's slot. */
  async holderOf(key: string): Promise<number> {
    const slot = await this.slotOf(key);
    const ranges = (await this.#client(0).call("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
    const port = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][1];
    return this.#servers.findIndex((server) => server.port === port);
  }

  /** The slot of a key. */
  async slotOf(key: string): Promise<number> {
    return Number(await this.#client(0).call("CLUSTER", "KEYSLOT", key));
  }

  /** Begins to move a slot: from now on keys may be on either side. */
  async beginMove(slot: number, from: number, to: number): Promise<void> {
    await this.#client(to).call("CLUSTER", "SETSLOT", slot, "IMPORTING", await this.#id(from));
    await this.#client(from).call("CLUSTER", "SETSLOT", slot, "MIGRATING", await this.#id(to));
  }

  /** Moves up to `max` of the slot's keys; how many there were. */
  async moveKeys(slot: number, from: number, to: number, max = KEYS_AT_ONCE): Promise<number> {
    const keys = (await this.#client(from).call("CLUSTER", "GETKEYSINSLOT", slot, max)) as string[];
    const port = this.#servers[to]?.port ?? 0;
    if (keys.length > 0) {
      await this.#client(from).call("MIGRATE", "127.0.0.1", port, "", 0, 10_000, "REPLACE", "KEYS", ...keys);
    }
    return keys.length;
  }

  /** Ends the move: the slot is the other's. */
  async endMove(slot: number, from: number, to: number): Promise<void> {
    const id = await this.#id(to);
    for (const index of [to, from]) await this.#client(index).call("CLUSTER", "SETSLOT", slot, "NODE", id);
    for (const client of this.#clients) await client.call("CLUSTER", "SETSLOT", slot, "NODE", id);
  }

  /** Moves a slot with all its keys, one at a time, with a pause for those who use it. */
  async move(slot: number, from: number, to: number, pauseMs = 0): Promise<void> {
    await this.beginMove(slot, from, to);
    while ((await this.moveKeys(slot, from, to, 1)) > 0) {
      if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await this.endMove(slot, from, to);
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.disconnect();
    await Promise.all(this.#servers.map((server) => server.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #join(): Promise<void> {
    const share = Math.ceil(SLOTS / this.#servers.length);
    for (const [i, client] of this.#clients.entries()) {
      await client.call("CLUSTER", "SET-CONFIG-EPOCH", i + 1);
      await client.call("CLUSTER", "ADDSLOTSRANGE", i * share, Math.min(SLOTS, (i + 1) * share) - 1);
    }
    for (const server of this.#servers.slice(1)) {
      const bus = await this.#busOf(server);
      await this.#client(0).call("CLUSTER", "MEET", "127.0.0.1", server.port, bus);
    }
    await poll(() => this.#isServing(), "a Cluster that serves", 30_000);
  }

  async #isServing(): Promise<true | null> {
    for (const client of this.#clients) {
      const info = String(await client.call("CLUSTER", "INFO").catch(() => ""));
      if (!info.includes("cluster_state:ok") || !info.includes(`cluster_known_nodes:${this.#servers.length}`))
        return null;
    }
    return true;
  }

  #server(index: number): RedisServer {
    const server = this.#servers[index];
    if (server === undefined) throw new Error(`this Cluster has no server ${index}`);
    return server;
  }

  async #busOf(server: RedisServer): Promise<number> {
    const client = plainClient(server.url);
    try {
      const [, bus] = (await client.config("GET", "cluster-port")) as string[];
      return Number(bus);
    } finally {
      client.disconnect();
    }
  }

  async #id(index: number): Promise<string> {
    return String(await this.#client(index).call("CLUSTER", "MYID"));
  }

  #client(index: number): Redis {
    const client = this.#clients[index];
    if (client === undefined) throw new Error(`this Cluster has no server ${index}`);
    return client;
  }
}
