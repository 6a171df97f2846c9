/**
 * The supervisor (elsewhere: watchdog, parent): one small process over one Foreman, which it starts, watches, signals
 * and starts again. It loads no code of users and keeps no connection, so that little can end it.
 *
 * *running*: the Foreman lives. It exits by itself with 0 or a usage error, or before it was ever ready → ended, with
 *   its code. It exits in any other way → waiting. It is silent for a Lease → killed, which is an exit.
 * *waiting*: no Foreman; after a crash for no time, after one within 10 s of its start for 0.2 s … 30 s → running.
 * *stopping*: told to stop, by the first signal gracefully, by the second at once; its exit → ended.
 *
 * An exit that the parent has seen is proof: what the dead one held can be taken back at once. The supervisor does so
 * itself, for others to run while the next Foreman starts, and tells that one, too, should its own try come to nothing.
 * Before that everything the dead one had started is killed (its process group), so that nothing runs twice at a time.
 */
import { type ChildProcess, fork } from "node:child_process";
import { type EventEmitter, once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { fileURLToPath } from "node:url";
import type { Logger } from "@millrace/core";
import { bury, type Estate, isShared, preloadStore } from "@millrace/core/server";
import { EXIT } from "../exit.js";
import type { Notifier } from "./notify.js";
import { type DownMessage, PARENT_BEAT_MS, type StopSignal, type UpMessage } from "./parent-link.js";

/** What is supervised. */
export interface SupervisorOptions {
  /** The program to fork, and its words; `--supervised`, and `--buried` for each that died, are added to them. */
  readonly program: string;
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** A Foreman whose loop stands still for so long is killed; null: it is not watched. Milliseconds. */
  readonly silenceMs: number | null;
  /** How long it may take to stop before it is killed. Milliseconds. */
  readonly stopMs: number;
  /** How long a dead one's name is passed on: after it, the ordinary rescue has happened. Milliseconds. */
  readonly buriedMs: number;
  readonly log: Logger;
  readonly notifier: Notifier;
  /** Whose signals are meant; default: this process's. */
  readonly signals?: EventEmitter;
}

/** The `millrace` program. */
export const PROGRAM = fileURLToPath(new URL("../../bin/millrace.js", import.meta.url));

/** What `ps` shows, and `pidof` finds; it also takes the flags, with what may be secret in them, out of sight. */
const TITLE = "millrace";
/** A life shorter than this counts as a failed start. Milliseconds. */
const SHORT_LIFE_MS = 10_000;
const BACKOFF_FIRST_MS = 200;
const BACKOFF_MAX_MS = 30_000;
const LOOK_MS = 500;
/** After a second signal, this long until the Foreman is killed. */
const FORCE_MS = 5_000;
/** How long the end of everything waits for the rescue of what the Foreman still held. */
const LAST_RESCUE_MS = 2_000;
/** How long a killed group may take to be gone. */
const GROUP_MS = 1_000;
const GROUP_POLL_MS = 10;

/** Supervises until the Foreman has ended for good; answers the exit code. */
export function supervise(options: SupervisorOptions): Promise<number> {
  return new Supervisor(options).run();
}

/** How long to wait before a start, after so many short lives in a row. Milliseconds. */
export function backoffMs(shortLives: number): number {
  if (shortLives <= 1) return 0;
  return Math.min(BACKOFF_FIRST_MS * 2 ** (shortLives - 2), BACKOFF_MAX_MS);
}

interface Life {
  readonly child: ChildProcess;
  readonly startedMs: number;
  estate: Estate | null;
  /** When it was heard last; null until the first beat. */
  heardMs: number | null;
}

interface Dead {
  readonly owner: string;
  readonly diedMs: number;
}

class Supervisor {
  readonly #options: SupervisorOptions;
  #life: Life | null = null;
  #dead: Dead[] = [];
  #shortLives = 0;
  #wasReady = false;
  #stopping: { readonly signal: StopSignal; isNow: boolean } | null = null;
  #looks: NodeJS.Timeout | null = null;
  #lookedMs = 0;
  #wait: NodeJS.Timeout | null = null;
  #force: NodeJS.Timeout | null = null;
  #end: (code: number) => void = () => undefined;
  readonly #onStop = (signal: NodeJS.Signals): void => this.#stop(signal as StopSignal); // it listens to these two only
  readonly #onReload = (): void => this.#tell({ type: "reload" });

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  async run(): Promise<number> {
    process.title = TITLE;
    const { signals = process } = this.#options;
    signals.on("SIGINT", this.#onStop).on("SIGTERM", this.#onStop).on("SIGHUP", this.#onReload);
    this.#lookedMs = performance.now();
    this.#looks = setInterval(() => this.#look(), LOOK_MS);
    try {
      return await new Promise<number>((end) => {
        this.#end = end;
        this.#start();
      });
    } finally {
      signals.off("SIGINT", this.#onStop).off("SIGTERM", this.#onStop).off("SIGHUP", this.#onReload);
      for (const timer of [this.#looks, this.#wait, this.#force]) if (timer !== null) clearTimeout(timer);
    }
  }

  #start(): void {
    const { program, argv, env, cwd, buriedMs } = this.#options;
    const nowMs = performance.now();
    this.#dead = this.#dead.filter(({ diedMs }) => nowMs - diedMs < buriedMs);
    const buried = this.#dead.flatMap(({ owner }) => ["--buried", owner]);
    const child = fork(program, withFlags(argv, ["--supervised", ...buried]), {
      cwd,
      env,
      stdio: "inherit",
      // Of a group of its own: a Ctrl-C at the terminal comes to us alone, and its own children can be killed with it.
      detached: process.platform !== "win32",
    });
    const life: Life = { child, startedMs: nowMs, estate: null, heardMs: null };
    this.#life = life;
    child.on("message", (message) => this.#hear(life, message as UpMessage)); // only our child has the other end
    child.once("error", (error) => {
      // It could not be started: there will be no exit event.
      if (child.pid === undefined) void this.#exited(life, null, null, error);
    });
    child.once("exit", (code, signal) => void this.#exited(life, code, signal, null));
  }

  #hear(life: Life, message: UpMessage): void {
    life.heardMs = performance.now();
    switch (message.type) {
      case "estate":
        life.estate = message.estate;
        // Loaded now, while nothing is the matter, so that a death is answered at once.
        if (isShared(message.estate.store)) void preloadStore(message.estate.store);
        return;
      case "ready":
        this.#wasReady = true;
        this.#options.notifier.ready("the Foreman is ready");
        return;
      case "beat":
        this.#options.notifier.alive();
    }
  }

  async #exited(life: Life, code: number | null, signal: NodeJS.Signals | null, error: Error | null): Promise<void> {
    const { log } = this.#options;
    await Promise.all([killGroup(life.child.pid), lastWords(life.child)]);
    this.#life = null;
    const livedMs = performance.now() - life.startedMs;
    const owner = life.estate?.owner;
    if (owner !== undefined) this.#dead.push({ owner, diedMs: performance.now() });
    if (this.#stopping !== null) {
      // One that was killed has handed nothing back.
      if (code === null && life.estate !== null) await Promise.race([this.#bury(life.estate), pause(LAST_RESCUE_MS)]);
      return this.#end(codeAfterStop(this.#stopping, code, signal));
    }
    if (code !== null && (code === EXIT.ok || code === EXIT.usage || !this.#wasReady)) return this.#end(code);
    this.#shortLives = livedMs < SHORT_LIFE_MS ? this.#shortLives + 1 : 0;
    const waitMs = backoffMs(this.#shortLives);
    log.error(
      { code, signal, error: error ?? undefined, livedMs: Math.round(livedMs), owner, restartInMs: waitMs },
      "the Foreman died and is started again",
    );
    if (life.estate !== null) void this.#bury(life.estate);
    this.#wait = setTimeout(() => {
      this.#wait = null;
      this.#start();
    }, waitMs);
  }

  /** Gives what a dead one held to whoever is there to run it. */
  async #bury(estate: Estate): Promise<void> {
    if (!isShared(estate.store)) return;
    const { log } = this.#options;
    const { owner } = estate;
    const startedMs = performance.now();
    try {
      const rescued = await bury(estate, log);
      log.info({ owner, rescued, tookMs: Math.round(performance.now() - startedMs) }, "took back what it held");
    } catch (error) {
      log.warn({ owner, error }, "what it held was not taken back: the next Foreman will");
    }
  }

  #stop(signal: StopSignal): void {
    const { log, notifier, stopMs } = this.#options;
    if (this.#life === null) {
      // Between two lives nothing has to be handed back.
      return this.#end(EXIT.ok);
    }
    const isSecond = this.#stopping !== null;
    log.info({ signal, isNow: isSecond }, isSecond ? "told to stop now" : "told to stop");
    if (this.#stopping === null) {
      this.#stopping = { signal, isNow: false };
      notifier.stopping();
    }
    if (isSecond) this.#stopping = { signal, isNow: true };
    this.#tell({ type: "stop", signal, isNow: isSecond });
    if (this.#force !== null) clearTimeout(this.#force);
    this.#force = setTimeout(() => this.#kill("it did not stop in time"), isSecond ? FORCE_MS : stopMs);
  }

  #look(): void {
    const { silenceMs } = this.#options;
    const nowMs = performance.now();
    const sinceMs = nowMs - this.#lookedMs;
    this.#lookedMs = nowMs;
    const life = this.#life;
    if (life === null || life.heardMs === null || silenceMs === null) return;
    // If we stood still ourselves, so did the machine, perhaps: what was sent meanwhile is read after this.
    if (sinceMs > LOOK_MS + PARENT_BEAT_MS) life.heardMs = nowMs;
    if (nowMs - life.heardMs > silenceMs) this.#kill("its loop stands still");
  }

  #kill(reason: string): void {
    const life = this.#life;
    if (life === null) return;
    this.#options.log.error({ reason, childPid: life.child.pid }, "the Foreman is killed");
    life.heardMs = null;
    life.child.kill("SIGKILL");
  }

  #tell(message: DownMessage): void {
    const child = this.#life?.child;
    if (child === undefined) return;
    if (child.connected) child.send(message, () => undefined);
    else if (message.type === "stop") child.kill(message.signal);
  }
}

/** Adds flags to words: behind a `--` they would be none. */
function withFlags(argv: readonly string[], flags: readonly string[]): string[] {
  const at = argv.indexOf("--");
  return at < 0 ? [...argv, ...flags] : [...argv.slice(0, at), ...flags, ...argv.slice(at)];
}

/** A second signal gives the code of a process that died of it; a clean stop gives the Foreman's own. */
function codeAfterStop(
  stopping: { readonly signal: StopSignal; readonly isNow: boolean },
  code: number | null,
  signal: NodeJS.Signals | null,
): number {
  if (stopping.isNow) return stopping.signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
  if (code !== null) return code;
  return signal === null ? EXIT.failed : 128 + constants.signals[signal];
}

/** Resolves when everything a dead process had sent has been read. */
async function lastWords(child: ChildProcess): Promise<void> {
  if (!child.connected) return;
  const isOver = once(child, "disconnect");
  await Promise.race([isOver, pause(GROUP_MS)]);
}

/** Kills what a dead process has left behind in its group, and waits until it is gone. */
async function killGroup(pid: number | undefined): Promise<void> {
  if (pid === undefined || process.platform === "win32") return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    return; // no such group: nothing was left
  }
  const deadlineMs = performance.now() + GROUP_MS;
  while (isGroupAlive(pid) && performance.now() < deadlineMs) {
    await pause(GROUP_POLL_MS);
  }
}

/** Whether a process of the group still runs. A zombie, whose new parent does not collect it, runs no more. */
function isGroupAlive(group: number): boolean {
  try {
    process.kill(-group, 0);
    if (process.platform !== "linux") return true;
    return readdirSync("/proc").some((name) => /^\d+$/.test(name) && isRunningIn(group, name));
  } catch {
    return false;
  }
}

function isRunningIn(group: number, pid: string): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the program's name in brackets, which may hold anything: state, parent and group follow it.
    const [state, , pgrp] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return Number(pgrp) === group && state !== "Z" && state !== "X";
  } catch {
    return false; // it has ended between the list and this look
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
