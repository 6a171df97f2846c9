/**
 * A run under chaos: programs that are killed and started again, a log they all append to, and in the end the verdict.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { check } from "../checker/check.js";
import type { HistoryEvent, Violation } from "../checker/history.js";
import { openStore } from "../helper/open-store.js";
import { poll, within } from "../helper/wait.js";
import { readLog } from "./log.js";
import type { ProgramOptions } from "./program.js";

/** One life of the program. */
export interface Program {
  /** SIGKILL, now; resolves when it is gone. */
  kill9(): Promise<void>;
  /** Lets it finish all work; rejects if it does not end with code 0. */
  drain(): Promise<void>;
}

/** What a run proved. */
export interface Verdict {
  readonly violations: readonly Violation[];
  readonly acknowledged: number;
  readonly completed: number;
  /** Starts beyond the first of an Attempt's: what the faults cost. */
  readonly startedAgain: number;
  /** Calls whose answer was lost: faults that bit. */
  readonly unknown: number;
}

/** One run: a Segment, a log, programs. */
export class ChaosRun implements AsyncDisposable {
  readonly dir = mkdtempSync(join(tmpdir(), "millrace-chaos-"));
  readonly #log = join(this.dir, "effects.log");
  readonly #programs = new Set<ChildProcess>();
  readonly #options: ProgramOptions;

  readonly #script: string;

  /** `embedded:` without a folder lies in the run's own. `program`: what is run, by its file's name. */
  constructor(where: { readonly store: string; readonly app: string; readonly program?: "program" | "app-program" }) {
    const { store: url, app, program = "program" } = where;
    this.#script = fileURLToPath(new URL(`../dist/chaos/${program}.js`, import.meta.url));
    const store = url === "embedded:" ? `embedded:${join(this.dir, "store")}` : url;
    this.#options = { store, app, segment: "chaos", log: this.#log, batch: 10, pauseMs: 4 };
  }

  /** Starts a program and waits until it works. */
  async start(): Promise<Program> {
    const child = spawn(process.execPath, [this.#script, JSON.stringify(this.#options)], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    this.#programs.add(child);
    const errors: string[] = [];
    createInterface({ input: child.stderr }).on("line", (line) => errors.push(line));
    const ended = once(child, "exit").finally(() => this.#programs.delete(child));
    const ready = new Promise<void>((resolve) => {
      createInterface({ input: child.stdout }).on("line", (line) => {
        if (line === "ready") resolve();
      });
    });
    const died = ended.then(([code]) =>
      Promise.reject(new Error(`the program ended early (${code}):\n${errors.join("\n")}`)),
    );
    died.catch(() => {}); // it dies sooner or later; only an early death is news
    await within(Promise.race([ready, died]), "the program's start", 20_000);
    return {
      kill9: async () => {
        child.kill("SIGKILL");
        await within(ended, "the program's death");
      },
      drain: async () => {
        child.stdin.write("drain\n");
        const [code] = await within(ended, "the end of all work", 40_000).catch(async (error: Error) => {
          child.stdin.write("tell\n");
          throw new Error(`${error.message}: ${await this.#state()}\n${errors.join("\n")}`);
        });
        if (code !== 0) throw new Error(`the program ended with ${code}:\n${errors.join("\n")}`);
      },
    };
  }

  /** Waits until so many more starts are in the log: the load under which the next fault happens. */
  async load(starts: number): Promise<void> {
    const before = this.#count("start");
    await poll(() => (this.#count("start") >= before + starts ? true : null), `${starts} more starts`, 30_000);
  }

  /** Asks the store what became of everything, and judges. Call it when all programs have drained. */
  async judge(): Promise<Verdict> {
    const history = readLog(this.#log);
    const ids = [...new Set(history.map(({ id }) => id))];
    const ends = await this.#ends(ids);
    const violations = check([...history, ...ends], { attemptsMax: 2, recoveriesMax: 20, isFaultFree: false });
    const starts = history.filter((event) => event.kind === "start");
    const once = new Set(starts.map(({ id, attempt }) => `${id} ${attempt}`));
    return {
      violations,
      acknowledged: new Set(
        history.filter((event) => event.kind === "enqueue" && event.answer === "acknowledged").map(({ id }) => id),
      ).size,
      completed: ends.filter(({ state }) => state === "completed").length,
      startedAgain: starts.length - once.size,
      unknown: unansweredIn(history),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(
      [...this.#programs].map(async (child) => {
        const ended = once(child, "exit");
        child.kill("SIGKILL");
        await ended;
      }),
    );
    rmSync(this.dir, { recursive: true, force: true });
  }

  #count(kind: HistoryEvent["kind"]): number {
    return readLog(this.#log).filter((event) => event.kind === kind).length;
  }

  /** What the store says of the work that does not end; for the message of a failure. */
  async #state(): Promise<string> {
    const store = await openStore(this.#options.store, this.#options.app);
    try {
      await store.openSegment(this.#options.segment);
      const counts = await within(store.counts(this.#options.segment), "the store's answer");
      const last = readLog(this.#log).slice(-5);
      return `the store counts ${JSON.stringify(counts)}; the last that was noted: ${JSON.stringify(last)}`;
    } catch (error) {
      return `the store does not answer: ${error}`;
    } finally {
      await store.close();
    }
  }

  async #ends(ids: readonly string[]): Promise<Extract<HistoryEvent, { kind: "end" }>[]> {
    const store = await openStore(this.#options.store, this.#options.app);
    try {
      await store.openSegment(this.#options.segment);
      const ends: Extract<HistoryEvent, { kind: "end" }>[] = [];
      for (let from = 0; from < ids.length; from += 500) {
        const some = ids.slice(from, from + 500);
        const { records } = await store.find(this.#options.segment, { dots: some.map(dotOf), wait: false });
        for (const [i, id] of some.entries()) {
          const record = records[i] ?? "missing";
          ends.push({ kind: "end", id, state: typeof record === "string" ? record : record.state });
        }
      }
      const { totals } = await store.counts(this.#options.segment);
      const completed = ends.filter(({ state }) => state === "completed").length;
      if (totals.completed !== completed) {
        throw new Error(`the store counts ${totals.completed} completions, ${completed} Operations are completed`);
      }
      return ends;
    } finally {
      await store.close();
    }
  }
}

/** Each enqueue begins as unknown; another word of that kind, or any about an outcome, means that an answer was lost. */
function unansweredIn(history: readonly HistoryEvent[]): number {
  const unknown = history.filter((event) => "answer" in event && event.answer === "unknown");
  return unknown.length - new Set(unknown.filter(({ kind }) => kind === "enqueue").map(({ id }) => id)).size;
}

function dotOf(id: string): { laneName: string; counter: number } {
  const [, incarnation = "", last = ""] = /\.([^.]+)\.([^.]+)$/.exec(id) ?? [];
  return { laneName: `${incarnation}.${last.slice(-2)}`, counter: Number.parseInt(last.slice(0, -2), 36) };
}
