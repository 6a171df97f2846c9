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
import { PROGRAM } from "@millrace/server/internal";
import type { FaultEvent } from "../../checker/foremen.js";
import { cleanEnv } from "../../helper/millrace.js";
import { poll, within } from "../../helper/wait.js";
import { sharedMs } from "./journal.js";
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

/** Where faults are written down. */
export interface FaultLog {
  write(event: FaultEvent): void;
}

/** One life of a Foreman. */
export class ForemanProcess {
  readonly settings: ChaosSettings;
  /** Settles when what was started has ended. */
  readonly exited: Promise<Exit>;
  readonly #child: ChildProcess;
  readonly #journal: FaultLog;
  readonly #errors: string[] = [];
  #pid = 0;
  #upAtMs = 0;
  #exit: Exit | null = null;

  private constructor(settings: ChaosSettings, journal: FaultLog, child: ChildProcess) {
    this.settings = settings;
    this.#journal = journal;
    this.#child = child;
    this.exited = once(child, "exit").then(([code, signal]) => {
      this.#exit = { code, signal, atMs: sharedMs() };
      return this.#exit;
    });
  }

  /** Starts one and waits until it works. `preload`: modules every thread of it imports first. */
  static async start(settings: ChaosSettings, journal: FaultLog, preload: readonly string[]): Promise<ForemanProcess> {
    const imports = preload.map((path) => `--import=${new URL(`file://${path}`).href}`);
    const env = { ...cleanEnv(), [settingsVariable]: JSON.stringify(settings), NODE_OPTIONS: imports.join(" ") };
    const child = spawn(process.execPath, commandOf(settings), { env, stdio: ["ignore", "pipe", "pipe"] });
    const foreman = new ForemanProcess(settings, journal, child);
    try {
      await within(foreman.#ready(), `the start of ${settings.node}`, startTimeoutMs);
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

  /** Since when it runs Steps. */
  get upAtMs(): number {
    return this.#upAtMs;
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

  /** Under a supervisor: resolves when another process has taken the place of `pid` and works. */
  async replaced(pid: number): Promise<void> {
    const isAnother = (): true | null => {
      if (!this.isAlive) throw new Error(`the supervisor of ${this.settings.node} ended:\n${this.#errors.join("\n")}`);
      return this.#pid === pid ? null : true;
    };
    try {
      await poll(isAnother, "a new Foreman under its supervisor", startTimeoutMs);
    } catch (error) {
      throw new Error(`none came after process ${pid}; the last lines:\n${this.#errors.join("\n")}`, { cause: error });
    }
  }

  /** Ends all of it by force. */
  async end(): Promise<void> {
    const children = childrenOf(this.#child.pid ?? 0);
    // The supervisor first: it would start another.
    if (this.isAlive) this.#child.kill("SIGKILL");
    for (const pid of children) kill(pid, "SIGKILL");
    await this.exited;
  }

  #note(fault: FaultEvent["fault"], atMs = sharedMs()): void {
    this.#journal.write({ kind: "fault", fault, owner: this.owner, atMs });
  }

  /** Resolves when it says that it works; under a supervisor it says so again for each process. */
  async #ready(): Promise<void> {
    const { stdout, stderr } = this.#child;
    if (stdout === null || stderr === null) throw new Error("the child has no pipes");
    const ready = new Promise<void>((resolve) => {
      const look = (line: string): void => {
        const pid = readyPid(line, this.#child.pid ?? 0);
        if (pid === null || pid === this.#pid) return;
        this.#pid = pid;
        this.#upAtMs = sharedMs();
        this.#note("up", this.#upAtMs);
        resolve();
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
  }
}

function commandOf({ form, node, leaseMs, beatMs, program = "program.js" }: ChaosSettings): string[] {
  if (form === "inline" || form === "threads") return [distFile(program)];
  const times = ["--foreman-lease-ms", String(leaseMs), "--foreman-heartbeat-ms", String(beatMs)];
  const command = [PROGRAM, "foreman", distFile("steps.js"), "--node-id", node, "--health-port", "off", ...times];
  return form === "supervised" ? command : [...command, "--no-supervise"];
}

/** The process that says it is ready: a program of ours in one word, `millrace foreman` in a line of its log. */
function readyPid(line: string, child: number): number | null {
  if (line === "ready") return child;
  if (!line.startsWith("{") || !line.includes('"ready"')) return null;
  const { message, pid } = JSON.parse(line) as { message?: string; pid?: number }; // its log is JSON
  return message === "ready" && typeof pid === "number" ? pid : null;
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
