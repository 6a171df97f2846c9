/**
 * The Foreman's process: settings and a module in, an exit code out. Reads what the module declares through a scout,
 * takes the Node's lock, opens and starts core's Foreman, answers probes, and hands everything back when told to stop.
 *
 * Order of a start: probes answer (alive, not ready) → manifest → lock → store → Workers poll → ready line. A stop goes
 * back the same way, so that the lock is let go only when nothing is held any more.
 */
import { isMillraceError } from "@millrace/core";
import { type Manifest, preloadStore, RunningForeman, scout } from "@millrace/core/server";
import type { Config } from "../config/load.js";
import { rowOf } from "../config/options.js";
import { EXIT } from "../exit.js";
import { parseLevels } from "../log/levels.js";
import type { ProcessLogger } from "../log/logger.js";
import { appOptionsOf, changedKeys, checkAppId, drainMsOf, mixOf, timesOf, tuningOf } from "./foreman-options.js";
import { type HealthServer, type Readiness, startHealthServer } from "./health.js";
import { ForemanMetrics } from "./metrics.js";
import { lockNode, type NodeLock } from "./node-lock.js";
import type { Notifier } from "./notify.js";
import { linkToParent, PARENT_BEAT_MS, type ParentLink, type StopSignal } from "./parent-link.js";

/** What the process is told. */
export interface ForemanProcessOptions {
  readonly config: Config;
  /** Loads the settings again. Errors: MR_CONFIG. */
  readonly reload: () => Promise<Config>;
  /** File URL of the App's module. */
  readonly module: string;
  readonly exportName: string | null;
  readonly isTakingOver: boolean;
  readonly isSupervised: boolean;
  /** Owners whose process was seen to end. */
  readonly buried: readonly string[];
  readonly log: ProcessLogger;
  readonly notifier: Notifier;
  /** Says that it is ready: to programs, and to people. */
  readonly ready: (data: unknown, text: string) => void;
}

/** What `ps` shows; it also takes the flags, with what may be secret in them, out of sight. */
const TITLE = "millrace-foreman";
/** How long a probe waits for the store. Milliseconds. */
const PROBE_MS = 2_000;

/** Runs a Foreman until it is told to stop; answers the exit code. Errors: those of a start that failed. */
export async function runForeman(options: ForemanProcessOptions): Promise<number> {
  return await new ForemanProcess(options).run();
}

class ForemanProcess {
  readonly #options: ForemanProcessOptions;
  readonly #metrics = new ForemanMetrics();
  #log: ProcessLogger;
  #config: Config;
  #manifest: Manifest | null = null;
  #phase: "starting" | "ready" | "stopping" = "starting";
  #running: RunningForeman | null = null;
  #health: HealthServer | null = null;
  #lock: NodeLock | null = null;
  #parent: ParentLink = { send: () => undefined, close: () => undefined };
  /** Set by the first signal; a second one makes it `isNow`. */
  #stop: { readonly signal: StopSignal; isNow: boolean } | null = null;
  #told: () => void = () => undefined;
  readonly #isTold = new Promise<void>((told) => {
    this.#told = told;
  });

  constructor(options: ForemanProcessOptions) {
    this.#options = options;
    this.#log = options.log;
    this.#config = options.config;
  }

  async run(): Promise<number> {
    process.title = TITLE;
    const { isSupervised, notifier } = this.#options;
    this.#parent = linkToParent(isSupervised, {
      stop: (signal, isNow) => this.#takeStop(signal, isNow),
      reload: () => void this.#reload(),
      orphaned: () => {
        this.#log.warn({}, "the supervisor is gone: stopping");
        this.#takeStop("SIGTERM", false);
      },
    });
    // With a supervisor a signal may come twice, from it and from the system: only its word makes a second one.
    const onSignal = (signal: NodeJS.Signals) =>
      this.#takeStop(signal as StopSignal, !isSupervised && this.#stop !== null); // it is given these two only
    const onHangup = () => void this.#reload();
    const onFault = (error: unknown) => this.#fault(error);
    process.on("SIGINT", onSignal).on("SIGTERM", onSignal).on("SIGHUP", onHangup);
    process.on("uncaughtException", onFault).on("unhandledRejection", onFault);
    const alive = isSupervised ? null : setInterval(() => notifier.alive(), PARENT_BEAT_MS);
    try {
      await this.#start();
      await this.#isTold;
      return await this.#end();
    } finally {
      if (alive !== null) clearInterval(alive);
      process.off("SIGINT", onSignal).off("SIGTERM", onSignal).off("SIGHUP", onHangup);
      process.off("uncaughtException", onFault).off("unhandledRejection", onFault);
      await this.#close();
    }
  }

  async #start(): Promise<void> {
    const { module, exportName, isTakingOver, buried } = this.#options;
    const config = this.#config;
    this.#log.debug({ sinceStartMs: Math.round(performance.now()) }, "starting");
    await this.#openHealth();
    const { store } = appOptionsOf(config);
    // While a thread reads the module, this one loads what it will need next.
    const [manifest] = await Promise.all([
      scout({ module, exportName }),
      store === undefined ? undefined : preloadStore(store),
    ]);
    checkAppId(config, manifest);
    this.#log.debug({ steps: manifest.steps.length, sinceStartMs: Math.round(performance.now()) }, "module read");
    this.#log = this.#log.child({ app: manifest.app.id });
    if (this.#stop !== null) return;
    this.#manifest = manifest;
    const running = new RunningForeman({
      manifest,
      module,
      exportName,
      options: { ...appOptionsOf(config), ...(isTakingOver ? { takeover: true } : {}) },
      times: timesOf(config),
      mix: mixOf(config),
      buried,
      logger: this.#log,
    });
    this.#lock = lockNode({ app: running.appId, node: running.nodeId, store: running.storeName });
    this.#running = running;
    this.#log = this.#log.child({ node: running.nodeId });
    await running.open();
    this.#log.debug({ owner: running.owner, sinceStartMs: Math.round(performance.now()) }, "store open");
    // Before the first claim: whoever sees us die has to know whose work it is.
    this.#parent.send({ type: "estate", estate: running.estate });
    if (this.#stop !== null) return;
    await Promise.race([running.start(), this.#isTold]);
    if (this.#stop === null) this.#tellReady(running);
  }

  #tellReady(running: RunningForeman): void {
    const { notifier, ready } = this.#options;
    const log = this.#log;
    this.#phase = "ready";
    const workers = readyByKind(running);
    const data = {
      event: "ready",
      app_id: running.appId,
      node_id: running.nodeId,
      incarnation: running.owner,
      pid: process.pid,
      store: running.storeUrl,
      durability: running.durability,
      workers,
      health: this.#health?.url ?? null,
    };
    const { health, ...logged } = data;
    log.info({ ...logged, health }, "ready");
    this.#parent.send({ type: "ready" });
    if (!this.#options.isSupervised) notifier.ready("the Foreman is ready");
    const crew = Object.entries(workers)
      .map(([kind, count]) => `${count} ${kind}`)
      .join(", ");
    const probes = health === null ? "" : `, health ${health}`;
    const place = `App ${running.appId} on Node ${running.nodeId}`;
    ready(data, `millrace: ready: ${place}, Workers: ${crew}, store ${running.storeUrl}${probes}`);
  }

  async #end(): Promise<number> {
    const stop = this.#stop ?? { signal: "SIGTERM", isNow: false };
    const running = this.#running;
    if (running !== null) {
      const report = await running.stop(stop.isNow ? 0 : drainMsOf(this.#config));
      this.#log.info({ signal: stop.signal, ...report }, "stopped");
    }
    if (!stop.isNow) return EXIT.ok;
    return stop.signal === "SIGINT" ? EXIT.interrupted : EXIT.terminated;
  }

  async #close(): Promise<void> {
    const log = this.#log;
    await this.#running?.close().catch((error: unknown) => log.error({ error }, "the store was not closed cleanly"));
    this.#lock?.release();
    await this.#health?.close();
    this.#parent.close();
    log.flush();
  }

  #takeStop(signal: StopSignal, isNow: boolean): void {
    const { notifier, isSupervised } = this.#options;
    const log = this.#log;
    if (this.#stop === null) {
      this.#stop = { signal, isNow };
      this.#phase = "stopping";
      log.info({ signal }, "told to stop");
      if (!isSupervised) notifier.stopping();
      this.#told();
    } else if (isNow && !this.#stop.isNow) {
      this.#stop = { signal, isNow };
      log.info({ signal }, "told to stop now");
      // Asked again with no time at all, the stop that goes on hurries.
      void this.#running?.stop(0).catch(() => undefined);
    }
  }

  async #reload(): Promise<void> {
    const { reload, notifier } = this.#options;
    const log = this.#log;
    notifier.reloading();
    let next: Config;
    try {
      next = await reload();
    } catch (error) {
      // What runs is right; what is wrong is in the file, and its author reads this.
      log.error({ error }, "the settings were not read again: the old ones stay");
      return;
    }
    const changed = changedKeys(this.#config, next);
    const live = changed.filter((key) => rowOf(key).reload);
    const later = changed.filter((key) => !rowOf(key).reload);
    this.#config = next;
    const levels = parseLevels(next.values["log.level"]);
    if (levels !== null) log.setLevels(levels);
    try {
      if (this.#manifest !== null) this.#running?.retune(tuningOf(next, changed, this.#manifest));
    } catch (error) {
      log.error({ error }, "the mix was not told its new settings");
    }
    log.info({ changed: live }, "settings read again");
    if (later.length > 0)
      log.warn({ keys: later }, "restart required: a running Foreman keeps the old values of these");
  }

  async #openHealth(): Promise<void> {
    const { "foreman.metrics_host": host, "foreman.metrics_port": port } = this.#config.values;
    if (port === "off") return;
    try {
      this.#health = await startHealthServer({
        host,
        port,
        readiness: () => this.#readiness(),
        metrics: () => this.#metrics.collect(this.#running),
      });
    } catch (error) {
      // The default port may be another program's; one that was asked for by name has to be there.
      const isAsked = this.#config.settings.get("foreman.metrics_port")?.origin.kind !== "default";
      if (isAsked || !isMillraceError(error, "MR_PORT_TAKEN")) throw error;
      this.#log.warn(
        { host, port, error: error.message },
        "no health and metrics: the port is taken; set --health-port",
      );
    }
  }

  async #readiness(): Promise<Readiness> {
    const running = this.#running;
    if (running === null || this.#phase !== "ready") return { isReady: false, parts: { phase: this.#phase } };
    const startedMs = performance.now();
    const isReachable = (await running.counts(PROBE_MS)) !== null;
    const store = { reachable: isReachable, took_ms: Math.round(performance.now() - startedMs) };
    const workers = running.workers();
    const ready = workers.filter(({ state }) => state === "open").length;
    // Some Workers at least: one that is being replaced makes no Foreman unready.
    const isReady = isReachable && ready > 0;
    return { isReady, parts: { phase: this.#phase, store, workers: { ready, all: workers.length } } };
  }

  /** Nobody knows what state a fault leaves behind: the process ends, and what it held is rescued. */
  #fault(error: unknown): void {
    const { log } = this.#options;
    log.error(
      { error: error instanceof Error ? error : new Error(String(error)) },
      "a fault of Millrace: the Foreman ends",
    );
    log.flush();
    process.exit(EXIT.internal);
  }
}

/** Workers that are ready, by kind. */
function readyByKind(running: RunningForeman): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const { kind, state } of running.workers()) {
    if (state === "open") counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}
