/**
 * Settings → options of core. A setting that nobody gave stays away, so that what the App's own code says stands.
 */
import type { AppOptions } from "@millrace/core";
import {
  FOREMAN_TIMES,
  type ForemanTimes,
  type ForemanTuning,
  type Manifest,
  type MixOptions,
  type MixWishes,
  type Pins,
} from "@millrace/core/server";
import type { Config } from "../config/load.js";
import { type ConfigKey, configKeys, rowOf } from "../config/options.js";
import { createServerError } from "../errors.js";

/** The App options that settings replace, as `new App` takes them. */
export function appOptionsOf(config: Config): AppOptions {
  const options: Record<string, unknown> = {};
  for (const key of configKeys) {
    const path = rowOf(key).app;
    const setting = config.settings.get(key);
    if (path === undefined || setting === undefined || setting.origin.kind === "default") continue;
    put(options, path.split("."), setting.value);
  }
  return options as AppOptions; // each value was read by a row as strict as the App's own
}

/** Periods of the Foreman's duties. */
export function timesOf(config: Config): ForemanTimes {
  const { "foreman.lease_ms": leaseMs, "foreman.heartbeat_ms": beatMs } = config.values;
  return { ...FOREMAN_TIMES, leaseMs, beatMs };
}

/**
 * Refuses an App name that is not the module's: its Workers would look for work where the Foreman never does.
 * Errors: MR_USAGE.
 */
export function checkAppId(config: Config, manifest: Manifest): void {
  const { origin, value } = config.settings.get("app_id") ?? {};
  if (origin === undefined || origin.kind === "default" || value === manifest.app.id) return;
  const problem = `${origin.text} names App ${String(value)}, the module's App is called ${manifest.app.id}: leave it out, or name it so in new App({ id })`;
  throw createServerError("MR_USAGE", { problem });
}

/** Keys whose values differ between two loadings. */
export function changedKeys(before: Config, after: Config): readonly ConfigKey[] {
  const textOf = (config: Config, key: ConfigKey) => JSON.stringify(config.settings.get(key)?.value ?? null);
  return configKeys.filter((key) => textOf(before, key) !== textOf(after, key));
}

/** What the settings say of the mix beside the App's options. */
export function mixOf(config: Config): MixWishes {
  const { "log.mix_file": logPath } = config.values;
  const log = logPath === undefined ? {} : { logPath };
  return { settings: settingsOf(config, givenKeys(config)), pins: pinsOf(config), ...log };
}

/** Settings of the configured mix, as a running Foreman calls them. */
const START = {
  "workers.async_workers": "asyncWorkers",
  "workers.blocking_workers": "blockingWorkers",
  "workers.slots": "slots",
} as const satisfies Partial<Record<ConfigKey, keyof ForemanTuning>>;

/** App options that are settings of the optimiser as well. */
const SHARED = {
  "workers.auto_optimize": "autoOptimize",
  "workers.optimization_interval_ms": "optimizationInterval",
  "workers.max_concurrent": "maxConcurrent",
} as const satisfies Partial<Record<ConfigKey, keyof MixOptions>>;

/** What of the changed settings a running Foreman is told. One that nobody gives any more goes back to the App's own. */
export function tuningOf(config: Config, changed: readonly ConfigKey[], manifest: Manifest): ForemanTuning {
  const { workers } = manifest.app.options as { readonly workers?: Readonly<Record<string, unknown>> }; // as App has resolved them
  const tuning: Record<string, unknown> = {};
  const mix: Record<string, unknown> = { ...settingsOf(config, changed) };
  for (const key of changed) {
    const isGiven = config.settings.get(key)?.origin.kind !== "default";
    const valueFor = (name: string): unknown =>
      isGiven ? config.values[key] : (workers?.[name] ?? config.values[key]);
    if (key in START) tuning[START[key as keyof typeof START]] = valueFor(START[key as keyof typeof START]); // `in` says so
    if (key in SHARED) mix[SHARED[key as keyof typeof SHARED]] = valueFor(SHARED[key as keyof typeof SHARED]); // as above
  }
  if (Object.keys(mix).length > 0) tuning.mix = mix;
  if (changed.some((key) => key.startsWith("force."))) tuning.pins = pinsOf(config);
  return tuning; // each value was read by its row, under the name core has for it
}

/** Those of the keys that are settings of the optimiser alone, by its names. */
function settingsOf(config: Config, keys: readonly ConfigKey[]): MixOptions {
  const named = keys.flatMap((key) => {
    const name = rowOf(key).mix;
    return name === undefined ? [] : [[name, config.values[key]]];
  });
  return Object.fromEntries(named) as MixOptions; // each was read by a row as strict as the optimiser's own
}

function pinsOf({ values }: Config): Pins {
  return {
    blocking: values["force.blocking"] ?? null,
    async: values["force.async"] ?? null,
    slots: values["force.slots"] ?? null,
  };
}

function givenKeys(config: Config): ConfigKey[] {
  return configKeys.filter((key) => config.settings.get(key)?.origin.kind !== "default");
}

/** How long running work may take at a stop; null where only the App says it. */
export function drainMsOf(config: Config): number | null {
  const isGiven = config.settings.get("foreman.drain_ms")?.origin.kind !== "default";
  return isGiven ? config.values["foreman.drain_ms"] : null;
}

/** Writes `workers.slots` as `{ workers: { slots } }`. */
function put(target: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [first = "", ...rest] = path;
  if (rest.length === 0) {
    target[first] = value;
    return;
  }
  const inner = (target[first] ?? {}) as Record<string, unknown>; // only this function has put it there
  target[first] = inner;
  put(inner, rest, value);
}
