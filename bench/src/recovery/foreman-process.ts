/** One `millrace foreman`, with its supervisor or without, as a process of its own; gone with this one at the latest. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { nodeVariable, reportPortVariable } from "./reports.js";

const program = fileURLToPath(new URL("../../../server/bin/millrace.js", import.meta.url));
const built = fileURLToPath(new URL("../../../server/dist/cli/main.js", import.meta.url));
const module = fileURLToPath(new URL("./work-app.js", import.meta.url));
const readyMs = 30_000;
const killMs = 5_000;
const linesMax = 40;

/** Whether the `millrace` command is built. */
export function hasMillrace(): boolean {
  return existsSync(program) && existsSync(built);
}

/** How to start one. */
export interface ForemanProcessOptions {
  readonly url: string;
  readonly node: string;
  readonly isSupervised: boolean;
  readonly reportPort: number;
}

/** A running one. */
export class ForemanProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  readonly #lines: string[] = [];
  #isOver = false;
  readonly #atExit = (): void => void this.#signal("SIGKILL");

  private constructor({ url, node, isSupervised, reportPort }: ForemanProcessOptions, ready: () => void) {
    const words = ["foreman", module, "--store", url, "--node-id", node, "--health-port", "0", "--log-format", "json"];
    this.#child = spawn(process.execPath, [program, ...words, ...(isSupervised ? [] : ["--no-supervise"])], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, [reportPortVariable]: String(reportPort), [nodeVariable]: node },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream === null) continue;
      createInterface({ input: stream }).on("line", (line) => {
        this.#lines.push(line);
        if (this.#lines.length > linesMax) this.#lines.shift();
        if (isReady(line)) ready();
      });
    }
    this.#ended = once(this.#child, "exit").then(() => {
      this.#isOver = true;
    });
    process.once("exit", this.#atExit);
  }

  /** Starts one; resolves when all its Workers poll. */
  static async start(options: ForemanProcessOptions): Promise<ForemanProcess> {
    let ready: () => void = () => undefined;
    const isReady = new Promise<"ready">((resolve) => {
      ready = () => resolve("ready");
    });
    const one = new ForemanProcess(options, ready);
    const timer = new Promise<"late">((resolve) => setTimeout(resolve, readyMs, "late").unref());
    const how = await Promise.race([isReady, one.#ended.then(() => "over" as const), timer]);
    if (how === "ready") return one;
    await one[Symbol.asyncDispose]();
    throw new Error(`millrace foreman is ${how === "late" ? "not ready in time" : "over"}:\n${one.#lines.join("\n")}`);
  }

  /** Ends it politely, by force if that takes long. */
  async [Symbol.asyncDispose](): Promise<void> {
    process.off("exit", this.#atExit);
    if (this.#isOver) return;
    this.#signal("SIGTERM");
    this.#signal("SIGTERM"); // at once: nobody waits for what it holds
    const force = setTimeout(() => this.#signal("SIGKILL"), killMs);
    await this.#ended;
    clearTimeout(force);
  }

  #signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }
}

/** Its ready line: one JSON object in the log. */
function isReady(line: string): boolean {
  if (!line.startsWith("{")) return false;
  const record = JSON.parse(line) as { readonly message?: unknown };
  return record.message === "ready";
}
