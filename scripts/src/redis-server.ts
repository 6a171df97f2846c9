/**
 * A throw-away Redis (or Valkey) server in a temporary folder: started, killed, restarted and removed by code.
 *
 * The only place that knows how such a server is found and run. Tests, benches and `with-redis` import it as
 * `@millrace/scripts/redis-server`. It speaks no Redis protocol: readiness is read from the server's own log.
 */
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "./free-port.js";

/** The oldest server we run on: function libraries with everything we use came with 7.0. */
export const redisMajorMin = 7;

/** Names the server program when it is not on PATH. */
export const redisServerVariable = "MILLRACE_REDIS_SERVER";

const readyTimeoutMs = 30_000;
const stopTimeoutMs = 5_000;
const startAttemptsMax = 5;
const logLinesMax = 40;

/** A server program on this machine and its version. */
export interface RedisProgram {
  readonly path: string;
  readonly version: string;
  readonly major: number;
}

/** How to start a server. Nothing is written to disk unless `appendonly` is set. */
export interface RedisOptions {
  /** Keep an append-only file, so that `kill9` and `restart` prove something. Default: false. */
  readonly appendonly?: boolean;
  /** When the append-only file is flushed. Default: "everysec", the server's own. */
  readonly appendfsync?: "always" | "everysec" | "no";
  /** Further server arguments, for example `["--maxmemory", "64mb"]`. */
  readonly args?: readonly string[];
  /** The program; default: `findRedisServer()`. */
  readonly program?: string;
}

/** A running server. It dies with this process; `stop` also removes its folder. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** Path of the unix socket. */
  readonly socket: string;
  /** Process id of the present life; another one after `restart`. */
  readonly pid: number;
  readonly dir: string;
  /** Ends it politely, then by force, and removes its folder. May be called twice. */
  stop(): Promise<void>;
  /** The power cut: SIGKILL, folder kept. */
  kill9(): Promise<void>;
  /** Starts it again on the same port and folder; a living one is stopped politely first. */
  restart(): Promise<void>;
}

/** Finds a server program, new enough or not; null when there is none. The environment's choice wins. */
export function findRedisServer(env: NodeJS.ProcessEnv = process.env): RedisProgram | null {
  const chosen = env[redisServerVariable];
  const candidates = chosen === undefined || chosen === "" ? ["redis-server", "valkey-server"] : [chosen];
  const found = candidates.map((path) => inspect(path)).filter((program) => program !== null);
  return found.find((program) => program.major >= redisMajorMin) ?? found[0] ?? null;
}

/** Starts a server on a free loopback port and a unix socket, and answers when it accepts connections. */
export async function startRedis(options: RedisOptions = {}): Promise<RedisServer> {
  const program = options.program ?? requireRedisServer().path;
  const dir = mkdtempSync(join(tmpdir(), "millrace-redis-"));
  try {
    // Between our probe and the server's bind another process may take the port: try again with a new one.
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      const life = await launch(program, argumentsOf(options, dir, port));
      if (life.ok) return new Running(program, options, dir, port, life.child);
      if (attempt === startAttemptsMax || !life.log.includes("Address already in use")) {
        throw new Error(`${program} did not start on port ${port}:\n${life.log}`);
      }
    }
  } catch (error) {
    rmSync(dir, { recursive: true, force: true });
    throw error;
  }
}

/** `alive` has a child; `dead` (after kill9) keeps port and folder; `removed` (after stop) is the end. */
class Running implements RedisServer {
  readonly url: string;
  readonly port: number;
  readonly socket: string;
  readonly dir: string;
  #child: ChildProcess | null;
  #isRemoved = false;
  readonly #program: string;
  readonly #options: RedisOptions;
  readonly #atExit = (): void => this.#abandon();

  constructor(program: string, options: RedisOptions, dir: string, port: number, child: ChildProcess) {
    this.#program = program;
    this.#options = options;
    this.#child = child;
    this.dir = dir;
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.socket = socketIn(dir);
    process.once("exit", this.#atExit);
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("this Redis server is not running");
    return pid;
  }

  async stop(): Promise<void> {
    if (this.#isRemoved) return;
    this.#isRemoved = true;
    await this.#end("SIGTERM");
    process.off("exit", this.#atExit);
    rmSync(this.dir, { recursive: true, force: true });
  }

  async kill9(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async restart(): Promise<void> {
    if (this.#isRemoved) throw new Error("this Redis server was stopped and its folder removed");
    await this.#end("SIGTERM");
    const life = await launch(this.#program, argumentsOf(this.#options, this.dir, this.port));
    if (!life.ok) throw new Error(`${this.#program} did not start again on port ${this.port}:\n${life.log}`);
    this.#child = life.child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child !== null) await endChild(child, signal);
  }

  /** Runs while this process exits, so nothing here may wait. */
  #abandon(): void {
    this.#child?.kill("SIGKILL");
    rmSync(this.dir, { recursive: true, force: true });
  }
}

type Life = { readonly ok: true; readonly child: ChildProcess } | { readonly ok: false; readonly log: string };

/** Runs the program until it says it is ready, ends, or the deadline passes. */
async function launch(program: string, args: readonly string[]): Promise<Life> {
  const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"] });
  // Reading goes on for the server's whole life: a full pipe would block it. What is kept is bounded.
  const log: string[] = [];
  const isReady = await new Promise<boolean>((resolve) => {
    const deadline = setTimeout(() => resolve(false), readyTimeoutMs);
    const settle = (isUp: boolean): void => {
      clearTimeout(deadline);
      resolve(isUp);
    };
    for (const stream of [child.stdout, child.stderr]) {
      createInterface({ input: stream }).on("line", (line) => {
        log.push(line);
        if (log.length > logLinesMax) log.shift();
        if (line.includes("Ready to accept connections")) settle(true);
      });
    }
    child.once("close", () => settle(false));
    child.once("error", (error) => {
      log.push(error.message);
      settle(false);
    });
  });
  if (isReady) {
    // An idle server must not keep this process alive: whoever forgets `stop` still ends.
    child.unref();
    for (const stream of [child.stdout, child.stderr]) (stream as Socket).unref(); // Node's pipes are sockets.
    return { ok: true, child };
  }
  await endChild(child, "SIGKILL");
  return { ok: false, log: log.join("\n") };
}

async function endChild(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.ref();
  const exited = once(child, "exit");
  child.kill(signal);
  const deadline = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
  await exited;
  clearTimeout(deadline);
}

function argumentsOf(options: RedisOptions, dir: string, port: number): string[] {
  return [
    ...["--port", String(port), "--bind", "127.0.0.1", "--unixsocket", socketIn(dir), "--dir", dir],
    ...["--daemonize", "no", "--save", "", "--appendonly", options.appendonly === true ? "yes" : "no"],
    ...(options.appendfsync === undefined ? [] : ["--appendfsync", options.appendfsync]),
    ...(options.args ?? []),
  ];
}

function socketIn(dir: string): string {
  return join(dir, "redis.sock");
}

function requireRedisServer(): RedisProgram {
  const program = findRedisServer();
  if (program === null)
    throw new Error("no redis-server or valkey-server found: run `node scripts/dist/ensure-redis.js`");
  if (program.major < redisMajorMin) {
    throw new Error(`expected ${program.path} of version ${redisMajorMin}.0 or newer, got ${program.version}`);
  }
  return program;
}

function inspect(path: string): RedisProgram | null {
  try {
    const text = execFileSync(path, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const version = /\bv=(\d+\.\d+\.\d+)/.exec(text)?.[1];
    return version === undefined ? null : { path, version, major: Number.parseInt(version, 10) };
  } catch {
    return null; // Not there, or not ours to run: both mean "look further".
  }
}
