/**
 * Redis under Sentinels as real processes: one primary, its replicas, and who watches them. Failovers are provoked by
 * killing or stopping the primary.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@millrace/scripts/free-port";
import { findRedisServer, type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import { plainClient } from "./redis.js";
import { poll } from "./wait.js";

/** How a primary is hurt. */
export type Hurt = "kill" | "stop";

/** How many of each, and who clients have to be. */
export interface SentinelGroupOptions {
  readonly servers: number;
  readonly sentinels: number;
  /** Password of the servers. */
  readonly password?: string;
  /** Password of the Sentinels themselves. */
  readonly sentinelPassword?: string;
}

/** What the Sentinels call the primary. */
const primaryName = "mill";
const downAfterMs = 1_000;
/** Twice this passes at least between two failovers. */
const failoverMs = 2_000;
const patienceMs = 40_000;

/** A running group. */
export class SentinelGroup implements AsyncDisposable {
  /** As a store's URL. */
  readonly url: string;
  readonly #options: SentinelGroupOptions;
  readonly #servers: readonly RedisServer[];
  readonly #sentinels: readonly SentinelProcess[];
  readonly #stopped = new Set<number>();

  private constructor(
    options: SentinelGroupOptions,
    servers: readonly RedisServer[],
    sentinels: readonly SentinelProcess[],
  ) {
    this.#options = options;
    this.#servers = servers;
    this.#sentinels = sentinels;
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
    const { password, sentinelPassword } = options;
    const user = password === undefined ? "" : `:${password}@`;
    const query = sentinelPassword === undefined ? "" : `?sentinelPassword=${sentinelPassword}`;
    this.url = `redis-sentinel://${user}${hosts}/${primaryName}/0${query}`;
  }

  /** Starts all and waits until the replicas follow and every Sentinel knows the others. */
  static async start(options: SentinelGroupOptions): Promise<SentinelGroup> {
    const { password } = options;
    const secrets = password === undefined ? [] : ["--requirepass", password, "--masterauth", password];
    const args = ["--repl-diskless-sync-delay", "0", ...secrets];
    const servers: RedisServer[] = [];
    const sentinels: SentinelProcess[] = [];
    try {
      const primary = await startRedis({ args });
      servers.push(primary);
      for (let i = 1; i < options.servers; i++) {
        servers.push(await startRedis({ args: [...args, "--replicaof", `127.0.0.1 ${primary.port}`] }));
      }
      for (let i = 0; i < options.sentinels; i++) sentinels.push(await SentinelProcess.start(primary.port, options));
      const group = new SentinelGroup(options, servers, sentinels);
      await group.settled();
      return group;
    } catch (error) {
      await Promise.all([...servers, ...sentinels].map((one) => one.stop()));
      throw error;
    }
  }

  /** Port of the primary, by the first Sentinel. */
  async primaryPort(): Promise<number> {
    const [first] = this.#sentinels;
    if (first === undefined) throw new Error("a group without Sentinels");
    const reply = await this.#asked(first.port, (client) =>
      client.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", primaryName),
    );
    return Number((reply as string[])[1]); // host and port
  }

  /** Does something with a plain client of one server. */
  async on<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
    const { password } = this.#options;
    return await this.#with(`redis://${password === undefined ? "" : `:${password}@`}127.0.0.1:${port}`, work);
  }

  /** Waits until the primary takes writes, all other living servers follow it, and every Sentinel sees all others. */
  async settled(): Promise<void> {
    const followers = this.#servers.length - 1 - this.#stopped.size;
    const isSettled = async (): Promise<true | null> => {
      const port = await this.primaryPort();
      const info = await this.on(port, (client) => client.info("replication"));
      if (!info.includes("role:master") || info.split("state=online").length - 1 < followers) return null;
      for (const sentinel of this.#sentinels) {
        const fields = (await this.#asked(sentinel.port, (client) =>
          client.call("SENTINEL", "MASTER", primaryName),
        )) as string[];
        const field = (name: string): string => fields[fields.indexOf(name) + 1] ?? "";
        if (field("port") !== String(port) || Number(field("num-other-sentinels")) < this.#sentinels.length - 1)
          return null;
        if (field("flags") !== "master" || Number(field("num-slaves")) < followers) return null;
      }
      return true;
    };
    await poll(() => isSettled().catch(() => null), "a settled group", patienceMs);
  }

  /**
   * Cuts all replicas off their primary, which goes on alone: they are given a password that it does not take. What is
   * answered connects them again. Only for groups without passwords.
   */
  async cutReplicas(): Promise<() => Promise<void>> {
    const primary = await this.primaryPort();
    const ports = this.#servers.map(({ port }) => port).filter((port) => port !== primary && !this.#stopped.has(port));
    const cut = async (client: Redis): Promise<void> => {
      await client.config("SET", "masterauth", "not-its-password");
      await client.call("CLIENT", "KILL", "TYPE", "master");
    };
    await Promise.all(ports.map((port) => this.on(port, cut)));
    return async () => {
      await Promise.all(ports.map((port) => this.on(port, (client) => client.config("SET", "masterauth", ""))));
    };
  }

  /** Hurts the primary; answers its port. */
  async hurt(how: Hurt): Promise<number> {
    const port = await this.primaryPort();
    const server = this.#at(port);
    this.#stopped.add(port);
    if (how === "kill") await server.kill9();
    else process.kill(server.pid, "SIGSTOP");
    return port;
  }

  /** Waits until the Sentinels name another primary and it takes writes; answers its port. */
  async replaced(oldPort: number): Promise<number> {
    const isReplaced = async (): Promise<number | null> => {
      const port = await this.primaryPort();
      if (port === oldPort) return null;
      const role = (await this.on(port, (client) => client.call("ROLE"))) as string[];
      return role[0] === "master" ? port : null;
    };
    return await poll(() => isReplaced().catch(() => null), "a new primary", patienceMs);
  }

  /** Lets a hurt server come back: as the primary it was, until the Sentinels tell it otherwise. */
  async heal(port: number): Promise<void> {
    const server = this.#at(port);
    this.#stopped.delete(port);
    try {
      process.kill(server.pid, "SIGCONT");
    } catch {
      await server.restart(); // it was killed: it has no process id
    }
  }

  async stop(): Promise<void> {
    for (const port of [...this.#stopped]) await this.heal(port).catch(() => undefined);
    await Promise.all([...this.#sentinels, ...this.#servers].map((one) => one.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #at(port: number): RedisServer {
    const found = this.#servers.find((server) => server.port === port);
    if (found === undefined) throw new Error(`no server of this group listens on ${port}`);
    return found;
  }

  async #asked<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
    const { sentinelPassword } = this.#options;
    return await this.#with(
      `redis://${sentinelPassword === undefined ? "" : `:${sentinelPassword}@`}127.0.0.1:${port}`,
      work,
    );
  }

  async #with<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
    const client = plainClient(url);
    client.on("error", () => undefined); // told by the call
    try {
      return await work(client);
    } finally {
      client.disconnect();
    }
  }
}

/** One Sentinel. */
class SentinelProcess {
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #dir: string;
  readonly #atExit = (): void => void this.#child.kill("SIGKILL");

  private constructor(port: number, child: ChildProcess, dir: string) {
    this.port = port;
    this.#child = child;
    this.#dir = dir;
    process.once("exit", this.#atExit);
  }

  static async start(primaryPort: number, options: SentinelGroupOptions): Promise<SentinelProcess> {
    const program = findRedisServer();
    if (program === null) throw new Error("no redis-server to run a Sentinel with");
    const dir = mkdtempSync(join(tmpdir(), "millrace-sentinel-"));
    const port = await freePort();
    const { password, sentinelPassword } = options;
    const lines = [
      ...[`port ${port}`, "bind 127.0.0.1", `dir ${dir}`, "daemonize no"],
      `sentinel monitor ${primaryName} 127.0.0.1 ${primaryPort} ${Math.floor(options.sentinels / 2) + 1}`,
      `sentinel down-after-milliseconds ${primaryName} ${downAfterMs}`,
      `sentinel failover-timeout ${primaryName} ${failoverMs}`,
      `sentinel parallel-syncs ${primaryName} 2`,
      ...(password === undefined ? [] : [`sentinel auth-pass ${primaryName} ${password}`]),
      ...(sentinelPassword === undefined
        ? []
        : [`requirepass ${sentinelPassword}`, `sentinel sentinel-pass ${sentinelPassword}`]),
    ];
    const file = join(dir, "sentinel.conf");
    writeFileSync(file, `${lines.join("\n")}\n`);
    const child = spawn(program.path, [file, "--sentinel"], { stdio: "ignore" });
    child.unref();
    return new SentinelProcess(port, child, dir);
  }

  async stop(): Promise<void> {
    process.off("exit", this.#atExit);
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.ref();
      const exited = once(this.#child, "exit");
      this.#child.kill("SIGKILL");
      await exited;
    }
    rmSync(this.#dir, { recursive: true, force: true });
  }
}
