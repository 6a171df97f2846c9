/**
 * A Foreman under test: a command, the process it runs Steps in, and the signals it is sent.
 *
 * Under a supervisor the process that is started and the one that runs Steps are two; faults hit the latter.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { FaultEvent } from "../../checker/foremen.js";
import { poll, within } from "../../helper/wait.js";
import { type Journal, sharedMs } from "./journal.js";
import { type ChaosSettings, settingsVariable } from "./settings.js";

const startTimeoutMs = 30_000;
const errorLinesMax = 40;

/** Path of a compiled file of this folder, from source and from dist. */
export function distFile(name: string): string {
  const folder = import.meta.url.endsWith(".ts") ? "../../dist/chaos/foremen/" : "./";
  return fileURLToPath(new URL(folder + name, import.meta.url));
}

/** How a Foreman's process ended. */
export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly atMs: number;
}

/** One life of a Foreman. */
export class ForemanProcess {
  readonly settings: ChaosSettings;
  /** Settles when what was started has ended. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #journal: Journal;
  readonly #errors: string[] = [];
  #pid = 0;
  #exit: Exit | null = null;

  private constructor(settings: ChaosSettings, journal: Journal, child: ChildProcess) {
    this.settings = settings;
    this.#journal = journal;
    this.#child = child;
    this.exited = once(child, "exit").then(([code, signal]) => {
      this.#exit = { code, signal, atMs: sharedMs() };
      return this.#exit;
    });
  }

  /** Starts one and waits until it works. `preload`: modules every thread of it imports first. */
  static async start(settings: ChaosSettings, journal: Journal, preload: readonly string[]): Promise<ForemanProcess> {
    const { file, args } = commandOf(settings);
    const imports = preload.map((path) => `--import=${new URL(`file://${path}`).href}`);
    const options = [process.env.NODE_OPTIONS ?? "", ...imports].filter((option) => option !== "").join(" ");
    const env = { ...process.env, [settingsVariable]: JSON.stringify(settings), NODE_OPTIONS: options };
    const child = spawn(file, args, { env, stdio: ["ignore", "pipe", "pipe"] });
    const foreman = new ForemanProcess(settings, journal, child);
    try {
      await within(foreman.#ready(), `the start of ${settings.node}`, startTimeoutMs);
      foreman.#note("up");
    } catch (error) {
      child.kill("SIGKILL");
      throw new Error(`${settings.node} did not start:\n${foreman.#errors.join("\n")}`, { cause: error });
    }
    return foreman;
  }

  /** The process that runs Steps, as it is called in the log. */
  get owner(): string {
    return `p${this.#pid}`;
  }

  /** The process that runs Steps. */
  get pid(): number {
    return this.#pid;
  }

  /** Whether what was started still runs. */
  get isAlive(): boolean {
    return this.#exit === null;
  }

  /** Whether the process that runs Steps does. */
  get isRunning(): boolean {
    return this.#child.pid === this.#pid ? this.isAlive : isThere(this.#pid);
  }

  /** The last lines it wrote to its standard error. */
  get errors(): readonly string[] {
    return this.#errors;
  }

  /** SIGKILL to the process that runs Steps; resolves when it is gone. */
  async kill9(): Promise<void> {
    const pid = this.#pid;
    this.#note("kill");
    kill(pid, "SIGKILL");
    await this.died();
  }

  /** Waits until the process that runs Steps has died of itself. */
  async died(): Promise<void> {
    const pid = this.#pid;
    if (pid === this.#child.pid) await within(this.exited, `the death of process ${pid}`);
    else await poll(() => (isThere(pid) ? null : true), `the death of process ${pid}`);
  }

  /** SIGTERM; resolves when what was started has ended. */
  async terminate(patienceMs: number): Promise<Exit> {
    this.#note("terminate");
    this.#child.kill("SIGTERM");
    const exit = await within(this.exited, `the end of ${this.settings.node}`, patienceMs);
    this.#note("gone", exit.atMs);
    return exit;
  }

  /** SIGSTOP to the process that runs Steps. */
  freeze(): void {
    this.#note("stop");
    kill(this.#pid, "SIGSTOP");
  }

  /** SIGCONT to the process that runs Steps. */
  thaw(): void {
    kill(this.#pid, "SIGCONT");
    this.#note("continue");
  }

  /** Under a supervisor: waits for the process that took the place of `pid`. */
  async replaced(pid: number): Promise<void> {
    this.#pid = await poll(
      () => {
        if (!this.isAlive)
          throw new Error(`the supervisor of ${this.settings.node} ended:\n${this.#errors.join("\n")}`);
        return childrenOf(this.#child.pid ?? 0).find((child) => child !== pid) ?? null;
      },
      "a new Foreman under its supervisor",
      startTimeoutMs,
    );
  }

  /** Ends all of it by force. */
  async end(): Promise<void> {
    for (const pid of childrenOf(this.#child.pid ?? 0)) kill(pid, "SIGKILL");
    if (this.isAlive) this.#child.kill("SIGKILL");
    await this.exited;
  }

  #note(fault: FaultEvent["fault"], atMs = sharedMs()): void {
    this.#journal.write({ kind: "fault", fault, owner: this.owner, atMs });
  }

  async #ready(): Promise<void> {
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("the child has no pipes");
    const ready = new Promise<void>((resolve) => {
      const look = (line: string): void => {
        if (isReady(line)) resolve();
      };
      createInterface({ input: stdout }).on("line", look);
      createInterface({ input: stderr }).on("line", (line) => {
        look(line);
        this.#errors.push(line);
        if (this.#errors.length > errorLinesMax) this.#errors.shift();
      });
    });
    const early = this.exited.then(({ code, signal }) =>
      Promise.reject(new Error(`it ended early (${code ?? signal})`)),
    );
    early.catch(() => undefined); // it ends sooner or later; only an early end is news
    await Promise.race([ready, early]);
    const pid = this.#child.pid ?? 0;
    this.#pid = this.settings.form === "supervised" ? (childrenOf(pid)[0] ?? 0) : pid;
    if (this.#pid === 0) throw new Error("there is no process that runs Steps");
  }
}

function commandOf({ form }: ChaosSettings): { file: string; args: string[] } {
  switch (form) {
    case "inline":
    case "threads":
      return { file: process.execPath, args: [distFile("program.js")] };
    case "command":
    case "supervised":
      throw new Error("there is no command `millrace foreman` yet");
  }
}

function isReady(line: string): boolean {
  return line === "ready";
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // it went by itself
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The children of a process's main thread; none if it is gone. */
function childrenOf(pid: number): number[] {
  try {
    const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
    return text
      .split(" ")
      .filter((part) => part !== "")
      .map(Number);
  } catch {
    return [];
  }
}
