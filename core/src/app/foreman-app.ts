/**
 * A Foreman whose process never imports the module it runs: made from the module's manifest, with options that replace
 * the App's own. The App behind it is one like any other; it is started with Workers that load the module. Used by the
 * server's Foreman process.
 */
import { App, type AppMetrics, FOREMAN_VIEW, SETTLE_IN } from "../app.js";
import { invariant } from "../base/assert.js";
import { systemClock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import type { DurabilityLevel } from "../engine/durability.js";
import type { Store } from "../engine/store.js";
import type { CountsAnswer } from "../engine/transitions.js";
import type { WorkerView } from "../foreman/crew.js";
import type { Foreman, ForemanTimes, StopReport } from "../foreman/foreman.js";
import type { Mix } from "../foreman/mix/mix.js";
import type { Pins } from "../foreman/mix/pins.js";
import { type MixOptions, resolveMixSettings } from "../foreman/mix/settings.js";
import type { MixMetrics } from "../foreman/mix-metrics.js";
import { type Manifest, stepFromManifest } from "../worker/manifest.js";
import type { Estate } from "./bury.js";
import type { MixWishes } from "./crew-spec.js";
import type { AppOptions } from "./options.js";

/** What a Foreman's process says. */
export interface OpenForemanOptions {
  readonly manifest: Manifest;
  /** File URL of the module, for Workers. */
  readonly module: string;
  /** Its export that is the App; null to find it. */
  readonly exportName: string | null;
  /** Options that replace those of the App in the module. */
  readonly options: AppOptions;
  readonly times: ForemanTimes;
  readonly mix: MixWishes;
  /** Owners whose process was seen to end: what they held is rescued at once. */
  readonly buried: readonly string[];
  readonly logger: Logger;
}

/** Settings that a running Foreman takes. Absent keys stay as they are. */
export interface ForemanTuning {
  /** The configured mix: what there is to begin with. */
  readonly asyncWorkers?: number;
  readonly blockingWorkers?: number;
  readonly slots?: number;
  /** How the mix may change. */
  readonly mix?: MixOptions;
  readonly pins?: Pins;
}

/** A Foreman and the App behind it. */
export class RunningForeman {
  readonly #app: App;
  readonly #store: string | readonly string[];
  #view: { readonly owner: string; readonly store: Store; readonly foreman: () => Foreman | null } | null = null;

  /** Does no I/O. Errors: MR_INVALID_OPTION, those of a Step's definition. */
  constructor(options: OpenForemanOptions) {
    const { manifest, module, exportName, options: given, times, mix, buried, logger } = options;
    // The App's resolved options without functions: fit to be given again.
    const declared = manifest.app.options as AppOptions;
    const merged: AppOptions = {
      ...declared,
      ...given,
      id: manifest.app.id,
      workers: { ...declared.workers, ...given.workers },
      network: { ...declared.network, ...given.network },
      module,
      logger,
    };
    this.#app = new App(merged);
    this.#store = merged.store ?? "";
    const registry = this.#app[SETTLE_IN]({ times, mix, buried, exportName });
    for (const row of manifest.steps) registry.register(stepFromManifest(row));
  }

  get appId(): string {
    return this.#app.id;
  }

  get nodeId(): string {
    return this.#app.nodeId;
  }

  /** The store as it was named, secrets included: for telling one from another, not for showing. */
  get storeName(): string {
    return String(this.#store);
  }

  /** URL without secrets; once it is open. */
  get storeUrl(): string {
    return this.#opened.store.url;
  }

  /** What an acknowledgement of the store promises; once it is open. */
  get durability(): DurabilityLevel {
    return this.#opened.store.durability.level;
  }

  /** The incarnation that holds what is claimed; once it is open. */
  get owner(): string {
    return this.#opened.owner;
  }

  /** What its death would leave behind, and where: for whoever sees its process end. */
  get estate(): Estate {
    return { app: this.appId, store: this.#store, owner: this.owner };
  }

  /** Opens the store. Errors: those of `App.start`. */
  async open(): Promise<void> {
    this.#view = await this.#app[FOREMAN_VIEW]();
  }

  /** Resolves when every Worker polls. Errors: those of `App.start`. */
  async start(): Promise<void> {
    await this.#app.start();
  }

  /** Its Workers as they are now; none before the start. */
  workers(): readonly WorkerView[] {
    return this.#view?.foreman()?.workers() ?? [];
  }

  /** The mix as it is wanted now; null before the start. */
  mix(): Mix | null {
    return this.#view?.foreman()?.crew?.mix ?? null;
  }

  /** Counters of this process, and what runs now. */
  metrics(): AppMetrics {
    return this.#app.metrics();
  }

  /** Asks the store for the counts of this Node's Segment; null unless it answers in time. Never throws. */
  async counts(timeoutMs: number): Promise<CountsAnswer | null> {
    const view = this.#view;
    if (view === null) return null;
    return await new Promise<CountsAnswer | null>((answer) => {
      const timer = systemClock.setTimer(timeoutMs, () => answer(null));
      const settle = (value: CountsAnswer | null) => {
        timer.cancel();
        answer(value);
      };
      view.store.counts(this.nodeId).then(settle, () => settle(null));
    });
  }

  /** What the optimiser counts; null where no mix is kept. */
  mixMetrics(): ReturnType<MixMetrics["snapshot"]> | null {
    return this.#view?.foreman()?.optimiser?.metrics.snapshot() ?? null;
  }

  /** Takes new settings while work goes on; they hold within a second. Errors: MR_INVALID_OPTION, with nothing changed. */
  retune(tuning: ForemanTuning): void {
    const duty = this.#view?.foreman()?.optimiser;
    if (duty === undefined || duty === null) return;
    const { start, settings, pins } = duty.plan;
    const { asyncWorkers: async = start.async, blockingWorkers: blocking = start.blocking } = tuning;
    duty.reload({
      start: { async, blocking, slots: tuning.slots ?? start.slots },
      settings: resolveMixSettings({ ...settings, ...tuning.mix }),
      pins: tuning.pins ?? pins,
    });
  }

  /** Stops gracefully; called again with less time, it hurries. Null: the App says how long running work may take. */
  async stop(drainMs: number | null): Promise<StopReport> {
    return await this.#app.stop(drainMs === null ? {} : { drain: drainMs });
  }

  /** Stops if it has to, then lets go of the store. */
  async close(): Promise<void> {
    await this.#app.close();
  }

  get #opened(): { readonly owner: string; readonly store: Store } {
    invariant(this.#view !== null, "the Foreman's store is open", {});
    return this.#view;
  }
}
