/**
 * The file of settings: YAML, JSON or a module whose default export is an object. Says in which line each value
 * stands. Files do not merge: one is read, or none.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { basename, extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { nearest } from "@millrace/core/server";
import type { Given, Problem } from "./given.js";
import { asKey, configKeys } from "./options.js";

/** Names looked for in the working directory, the first one found counts. */
export const FILE_NAMES = ["millrace.config.yaml", "millrace.config.json", "millrace.config.mjs"] as const;

const KINDS: readonly string[] = [".yaml", ".yml", ".json", ".mjs"];

/** A file to read. */
export interface ConfigFile {
  readonly path: string;
  /** As messages name it. */
  readonly name: string;
}

/** Finds the file; one that was named must be there. Problems: no such file, or a kind that cannot be read. */
export function findConfigFile(cwd: string, named: string | null, problems: Problem[]): ConfigFile | null {
  if (named === null) {
    const [name, ...others] = FILE_NAMES.filter((candidate) => existsSync(resolve(cwd, candidate)));
    if (name === undefined) return null;
    for (const other of others) {
      const problem = `stands beside ${name}, and files do not merge: remove one`;
      problems.push({ origin: `file ${other}`, problem, suggestion: null });
    }
    return { path: resolve(cwd, name), name };
  }
  const path = resolve(cwd, named);
  if (!existsSync(path)) {
    problems.push({ origin: `file ${named}`, problem: `there is no ${path}`, suggestion: null });
    return null;
  }
  if (!KINDS.includes(extname(path))) {
    problems.push({ origin: `file ${named}`, problem: `expected ${KINDS.join(", ")}`, suggestion: null });
    return null;
  }
  return { path, name: named };
}

/** Reads a file's values. Problems: what cannot be parsed, unknown keys with the nearest known one. */
export async function readConfigFile(file: ConfigFile, problems: Problem[]): Promise<Given[]> {
  return extname(file.path) === ".mjs" ? await readModule(file, problems) : await readText(file, problems);
}

/** Line of the value at a path of keys, counted from 1; null where none is known. */
type LineOf = (path: readonly string[]) => number | null;

async function readText(file: ConfigFile, problems: Problem[]): Promise<Given[]> {
  // Loaded for those who have a file.
  const { isMap, isScalar, LineCounter, parseDocument } = await import("yaml");
  const lines = new LineCounter();
  // JSON is YAML as well, so one parser gives both their lines.
  const document = parseDocument(readFileSync(file.path, "utf8"), { lineCounter: lines, prettyErrors: false });
  for (const error of document.errors) {
    const origin = `file ${file.name}:${lines.linePos(error.pos[0]).line}`;
    problems.push({ origin, problem: error.message.split("\n")[0] ?? "", suggestion: null });
  }
  if (document.errors.length > 0) return [];
  const lineOf: LineOf = (path) => {
    // A key's own line: its value may begin further down.
    const map = path.length === 1 ? document.contents : document.getIn(path.slice(0, -1), true);
    const pair = isMap(map) ? map.items.find(({ key }) => isScalar(key) && String(key.value) === path.at(-1)) : null;
    const range = isScalar(pair?.key) ? pair.key.range : null;
    return range === null || range === undefined ? null : lines.linePos(range[0]).line;
  };
  const value: unknown = document.toJS();
  return value === null ? [] : collect(file, value, lineOf, problems);
}

async function readModule(file: ConfigFile, problems: Problem[]): Promise<Given[]> {
  try {
    // A changed file is a new module: Node would answer the one it knows.
    const url = `${pathToFileURL(file.path).href}?v=${statSync(file.path).mtimeMs}`;
    const loaded = (await import(url)) as { default?: unknown }; // a module is an object of its exports
    return collect(file, loaded.default, () => null, problems);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.push({ origin: `file ${file.name}`, problem: `cannot be loaded: ${reason}`, suggestion: null });
    return [];
  }
}

/** Walks the tree of a file; what lies at a known key is its value, what lies at none is a problem. */
function collect(file: ConfigFile, root: unknown, lineOf: LineOf, problems: Problem[]): Given[] {
  const given: Given[] = [];
  const originOf = (path: readonly string[]) => {
    const line = lineOf(path);
    return `file ${file.name}${line === null ? "" : `:${line}`}`;
  };
  const walk = (value: unknown, path: readonly string[]): void => {
    const name = path.join(".");
    const key = asKey(name);
    if (key !== null) {
      // A key without a value is as if it were not there.
      if (value !== null && value !== undefined) {
        given.push({ key, value, isText: false, origin: { kind: "file", text: originOf(path) } });
      }
    } else if (path.length === 0 || sections.has(name)) {
      if (isRecord(value)) for (const [part, inner] of Object.entries(value)) walk(inner, [...path, part]);
      else if (value !== null && (path.length === 0 || value !== undefined)) {
        const problem = `${name === "" ? basename(file.path) : name}: expected keys with values`;
        problems.push({ origin: originOf(path), problem, suggestion: null });
      }
    } else {
      const suggestion = nearest(name, [...configKeys, ...sections]);
      problems.push({ origin: originOf(path), problem: `no setting is called \`${name}\``, suggestion });
    }
  };
  walk(root, []);
  return given;
}

/** The parts of keys that hold further keys: `store`, `workers` … */
const sections: ReadonlySet<string> = new Set(
  configKeys.flatMap((key) => {
    const parts = key.split(".");
    return parts.slice(0, -1).map((_, at) => parts.slice(0, at + 1).join("."));
  }),
);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
