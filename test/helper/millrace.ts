/**
 * The `millrace` command as a user runs it: the real program in a process of its own, with nothing of ours in its
 * environment. What it prints can be waited for line by line.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { PassThrough, Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { PROGRAM, run } from "@millrace/server/internal";
import { poll, within } from "./wait.js";

/** How to run it. */
export interface MillraceOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Written to its standard input, which is then closed. */
  readonly input?: string;
}

/** What a run came to. */
export interface Ended {
  /** 128 + n for signal n, as shells say it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A line of its log. */
export type LogRecord = Readonly<Record<string, unknown>>;

/** The environment of this process without what is ours: variables of the tests, and settings. */
export function cleanEnv(): Record<string, string | undefined> {
  const ours = /^(MILLRACE_|VITEST|NODE_|REDIS_URL$|WORKER_ID$|NO_COLOR$|FORCE_COLOR$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

/** A running `millrace`. Killed with all it started when the test ends. */
export class Millrace implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";
  #isOver = false;

  constructor(args: readonly string[], { cwd, env = {}, input }: MillraceOptions) {
    this.#child = spawn(process.execPath, [PROGRAM, ...args], {
      cwd,
      env: { ...cleanEnv(), ...env },
      stdio: ["pipe", "pipe", "pipe"],
    });
    const { stdin, stdout, stderr } = this.#child;
    stdout?.setEncoding("utf8").on("data", (part: string) => {
      this.#stdout += part;
    });
    stderr?.setEncoding("utf8").on("data", (part: string) => {
      this.#stderr += part;
    });
    stdin?.on("error", () => undefined).end(input ?? "");
    // Its output stays open until the last of its processes has ended.
    this.#ended = once(this.#child, "close").then(([code, signal]) => {
      this.#isOver = true;
      const number = typeof code === "number" ? code : 128 + (SIGNALS[String(signal)] ?? 0);
      return { code: number, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Every line of its log so far. */
  log(): LogRecord[] {
    return this.#stderr.split("\n").flatMap((line) => (line.startsWith("{") ? [JSON.parse(line) as LogRecord] : []));
  }

  /** Resolves with the first line of the log, from the `from`-th on, that says this. */
  async logged(message: string, from = 0): Promise<LogRecord> {
    const find = () => {
      if (this.#isOver) throw new Error(`it ended before "${message}":\n${this.#stderr}`);
      return (
        this.log()
          .slice(from)
          .find((line) => line.message === message) ?? null
      );
    };
    return await poll(find, `"${message}" in the log`, 20_000);
  }

  /** Resolves with what it says when it is ready: a line of its log. */
  async ready(from = 0): Promise<LogRecord> {
    return await this.logged("ready", from);
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Resolves when it has ended. */
  async ended(deadlineMs = 30_000): Promise<Ended> {
    return await within(this.#ended, `the end of millrace\n${this.#stderr}`, deadlineMs);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#ended;
    clearTimeout(force);
  }
}

const SIGNALS: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** Runs it to its end, in a process of its own. */
export async function millrace(args: readonly string[], options: MillraceOptions): Promise<Ended> {
  await using running = new Millrace(args, options);
  return await running.ended();
}

/** Runs a command in this process, which is many times faster: for commands that neither start processes nor signal. */
export async function millraceHere(args: readonly string[], options: MillraceOptions): Promise<Ended> {
  const { cwd, env = {}, input = "" } = options;
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const read = Promise.all([text(stdout), text(stderr)]);
  const code = await run({ env, cwd, stdin: Readable.from([input]), stdout, stderr, argv: args });
  for (const stream of [stdout, stderr]) stream.end();
  const [out, err] = await read;
  return { code, stdout: out, stderr: err };
}
