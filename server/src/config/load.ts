/**
 * Brings the settings together: flag before environment before file before default, each with where it came from.
 * Every problem of every source is found before any is told, so that one run shows them all.
 */
import { readFileSync } from "node:fs";
import { describeRow, nearest, resolveOptions } from "@millrace/core/server";
import { createServerError } from "../errors.js";
import { findConfigFile, readConfigFile } from "./file.js";
import type { Given, Origin, Problem } from "./given.js";
import { makeMask, maskUrls, passwordIn, SECRET } from "./mask.js";
import {
  type ConfigKey,
  type ConfigValues,
  configKeys,
  crossProblems,
  defaultNodeId,
  envNameOf,
  envNamesOf,
  rowOf,
} from "./options.js";

/** A key with the value that counts and all that were given, the strongest first. */
export interface Setting {
  readonly key: ConfigKey;
  /** Absent if nobody gave it and it has no default. */
  readonly value: unknown;
  readonly origin: Origin;
  readonly given: readonly Given[];
}

/** The settings of one process. */
export interface Config {
  readonly values: ConfigValues;
  readonly settings: ReadonlyMap<ConfigKey, Setting>;
  /** The file that was read; null if there is none. */
  readonly file: string | null;
  /** Hides every secret of this configuration within a text. */
  readonly mask: (text: string) => string;
}

/** From where to load. */
export interface LoadOptions {
  /** Values of flags, by key, with the flag as it was written. */
  readonly flags?: readonly { readonly key: ConfigKey; readonly flag: string; readonly value: unknown }[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The file that `--config` names. */
  readonly file?: string | undefined;
}

/** Names a file of settings. */
const FILE_VARIABLE = "MILLRACE_CONFIG";
/** What a command that a Step starts may see in its environment: no settings, so not ours to refuse. */
const NOT_SETTINGS: ReadonlySet<string> = new Set(
  ["RUN_ID", "DAG_ID", "TASK_ID", "ATTEMPT", "OUTPUT_FILE", "IDEMPOTENCY_KEY"].map((name) => `MILLRACE_${name}`),
);

/** Loads the settings. Errors: MR_CONFIG with every problem, each with its source. */
export async function loadConfig(options: LoadOptions): Promise<Config> {
  const problems: Problem[] = [];
  const fromFlags = (options.flags ?? []).map(({ key, flag, value }): Given => {
    return { key, value, isText: typeof value === "string", origin: { kind: "flag", text: `flag ${flag}` } };
  });
  const fromEnv = readEnvironment(options.env, problems);
  const named = options.file ?? nonEmpty(options.env[FILE_VARIABLE]);
  const file = findConfigFile(options.cwd, named ?? null, problems);
  const fromFile = file === null ? [] : await readConfigFile(file, problems);
  const settings = new Map<ConfigKey, Setting>();
  const given = [...fromFlags, ...fromEnv, ...fromFile].flatMap((one) => readValue(one, problems));
  for (const key of configKeys) settings.set(key, settle(key, given));
  const values = valuesOf(settings);
  if (problems.length === 0) {
    for (const { key, problem } of crossProblems(values)) {
      problems.push({ origin: settings.get(key)?.origin.text ?? "", problem: `${key}: ${problem}`, suggestion: null });
    }
  }
  const mask = makeMask(secretsOf(settings));
  if (problems.length > 0) throw refusal(problems, mask);
  return { values, settings, file: file?.path ?? null, mask };
}

/** A setting's value as it may be shown. */
export function shownValue(setting: Setting): string {
  const { key, value } = setting;
  const row = rowOf(key);
  if (value === undefined) return "";
  if (row.secret === "value") return SECRET;
  const texts = (Array.isArray(value) ? value : [value]).map(String);
  return (row.secret === "url" ? texts.map(maskUrls) : texts).join(",");
}

function refusal(problems: readonly Problem[], mask: (text: string) => string): Error {
  const lines = problems.map(({ origin, problem, suggestion }) =>
    mask(`  ${origin}: ${problem}${suggestion === null ? "" : `; did you mean \`${suggestion}\`?`}`),
  );
  const shown = problems.map((one) => ({ ...one, origin: mask(one.origin), problem: mask(one.problem) }));
  const values = { count: problems.length, problems: lines.join("\n") };
  return createServerError("MR_CONFIG", values, { details: { problems: shown } });
}

function readEnvironment(env: LoadOptions["env"], problems: Problem[]): Given[] {
  const given: Given[] = [];
  const known = new Set<string>([FILE_VARIABLE, ...NOT_SETTINGS]);
  for (const key of configKeys) {
    const isSecret = rowOf(key).secret !== undefined;
    for (const name of envNamesOf(key)) {
      const fileName = `${name}_FILE`;
      const value = nonEmpty(env[name]);
      const path = isSecret ? nonEmpty(env[fileName]) : null;
      known.add(name);
      if (isSecret) known.add(fileName);
      if (value !== null && path !== null) {
        const problem = `is set beside ${fileName}: give one of them`;
        problems.push({ origin: `env ${name}`, problem, suggestion: null });
      } else if (value !== null) {
        given.push({ key, value, isText: true, origin: { kind: "env", text: `env ${name}` } });
      } else if (path !== null) {
        const origin: Origin = { kind: "env", text: `env ${fileName}` };
        const text = readSecret(path, origin, problems);
        if (text !== null) given.push({ key, value: text, isText: true, origin });
      }
    }
  }
  for (const name of Object.keys(env).sort()) {
    if (!name.startsWith("MILLRACE_") || known.has(name)) continue;
    const suggestion = nearest(name, [...configKeys.map(envNameOf), FILE_VARIABLE]);
    problems.push({ origin: `env ${name}`, problem: "no setting has this name", suggestion });
  }
  return given;
}

function readSecret(path: string, origin: Origin, problems: Problem[]): string | null {
  try {
    return readFileSync(path, "utf8").replace(/\r?\n$/, "");
  } catch (error) {
    problems.push({ origin: origin.text, problem: `cannot be read: ${(error as Error).message}`, suggestion: null }); // fs throws errors
    return null;
  }
}

/** Reads one value by its key's type. A wrong one is a problem, also where a stronger source would win. */
function readValue(given: Given, problems: Problem[]): Given[] {
  const row = rowOf(given.key);
  const raw = given.isText ? fromText(row.type, given.value as string) : given.value; // isText says so
  try {
    const resolved = resolveOptions({ [given.key]: row }, { [given.key]: raw }, "");
    return [{ ...given, value: (resolved as Record<string, unknown>)[given.key] }]; // the table has this one key
  } catch {
    // Core's message names core's path; ours names the source, and shows no secret.
    const shown = row.secret === undefined ? JSON.stringify(given.value) : SECRET;
    const { choices } = row as { choices?: readonly string[] }; // only text rows have them
    const suggestion = typeof raw === "string" && choices !== undefined ? nearest(raw, choices) : null;
    const problem = `${given.key}: expected ${describeRow(row)}, got ${shown}`;
    problems.push({ origin: given.origin.text, problem, suggestion });
    return [];
  }
}

const YES: readonly string[] = ["true", "yes", "on", "1"];
const NO: readonly string[] = ["false", "no", "off", "0"];

/** A text of the environment or the command line as the type wants it; what does not fit stays as it is. */
function fromText(type: string, text: string): unknown {
  const trimmed = text.trim();
  if (type === "integer" || type === "number") return /^[+-]?\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : text;
  if (type !== "boolean") return text;
  const word = trimmed.toLowerCase();
  return YES.includes(word) ? true : NO.includes(word) ? false : text;
}

function settle(key: ConfigKey, all: readonly Given[]): Setting {
  const given = all.filter((one) => one.key === key);
  const [first] = given;
  if (first !== undefined) return { key, value: first.value, origin: first.origin, given };
  return { key, value: rowOf(key).default, origin: { kind: "default", text: "default" }, given };
}

function valuesOf(settings: ReadonlyMap<ConfigKey, Setting>): ConfigValues {
  const present = [...settings.values()].filter(({ value }) => value !== undefined);
  return Object.fromEntries(present.map(({ key, value }) => [key, value])) as unknown as ConfigValues; // each was resolved by its own row
}

function secretsOf(settings: ReadonlyMap<ConfigKey, Setting>): string[] {
  return [...settings.values()].flatMap(({ key, given }) => {
    const secret = rowOf(key).secret;
    if (secret === undefined) return [];
    const texts = given.flatMap(({ value }) => (Array.isArray(value) ? value.map(String) : [String(value)]));
    return secret === "value" ? texts : texts.flatMap((text) => passwordIn(text) ?? []);
  });
}

/** The Node's name: the setting's, else the host's. */
export function nodeIdOf(config: Config): string {
  return config.values.node_id ?? defaultNodeId();
}

function nonEmpty(text: string | undefined): string | null {
  return text === undefined || text === "" ? null : text;
}
