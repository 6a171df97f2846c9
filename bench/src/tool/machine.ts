/** What a figure was measured on: printed before anything is measured, kept with every result. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { cpus, loadavg, release, totalmem, type } from "node:os";
import { dirname, join } from "node:path";
import { findRedisServer } from "@millrace/scripts/redis-server";
import { bytes } from "./format.js";

/** The machine and the versions on it. Load averages are those of 1, 5 and 15 minutes. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly redis: string | null;
  readonly packages: Readonly<Record<string, string>>;
  readonly loadBefore: readonly number[];
  readonly loadAfter: readonly number[];
}

// The libraries a figure may depend on: rivals and clients are the bench's own, codec and embedded store are core's.
const packagesOfBench = ["bullmq", "bee-queue", "ioredis", "hdr-histogram-js"];
const packagesOfCore = ["ioredis", "msgpackr", "lmdb"];

/** Looks at the machine; `loadAfter` is what it was when asked, until `loadedAfter` replaces it. */
export function inspectMachine(): Machine {
  const cores = cpus();
  const core = createRequire(createRequire(import.meta.url).resolve("@millrace/core/package.json"));
  const bench = createRequire(import.meta.url);
  const packages = [
    ["@millrace/core", versionOf(bench, "@millrace/core")],
    ...packagesOfCore.map((name) => [name, versionOf(core, name)]),
    ...packagesOfBench.map((name) => [name, versionOf(bench, name)]),
  ] as const;
  return {
    cpu: cores[0]?.model.trim() ?? "unknown",
    cores: cores.length,
    memoryBytes: totalmem(),
    kernel: `${type()} ${release()}`,
    node: process.version,
    redis: findRedisServer()?.version ?? null,
    packages: Object.fromEntries(packages),
    loadBefore: load(),
    loadAfter: load(),
  };
}

/** The same machine with the load it has now as its load after the run. */
export function loadedAfter(machine: Machine): Machine {
  return { ...machine, loadAfter: load() };
}

/** The machine in lines, for the head of a report. */
export function machineLines(machine: Machine): readonly string[] {
  const versions = Object.entries(machine.packages).map(([name, version]) => `${name} ${version}`);
  return [
    `CPU       ${machine.cpu}, ${machine.cores} cores`,
    `memory    ${bytes(machine.memoryBytes)}`,
    `kernel    ${machine.kernel}`,
    `Node      ${machine.node}`,
    `Redis     ${machine.redis ?? "none found"}`,
    `packages  ${versions.join(", ")}`,
    `load      ${machine.loadBefore.join(" ")} before`,
  ];
}

/** The version of an installed package, as the given module would resolve it. */
export function versionOf(from: NodeJS.Require, name: string): string {
  // Not every package exports its package.json, so climb from its entry to the file that bears its name.
  let folder = entryFolder(from, name);
  while (folder !== null && folder !== dirname(folder)) {
    const found = readPackage(folder);
    if (found?.name === name) return found.version ?? "unknown";
    folder = dirname(folder);
  }
  return "not installed";
}

function entryFolder(from: NodeJS.Require, name: string): string | null {
  for (const path of [`${name}/package.json`, name]) {
    try {
      return dirname(from.resolve(path));
    } catch {
      // Not exported, or not installed: the next way, else none.
    }
  }
  return null;
}

function readPackage(folder: string): { name?: string; version?: string } | null {
  try {
    // A package.json is an object with these two texts, or npm would not have installed it.
    return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { name?: string; version?: string };
  } catch {
    return null;
  }
}

function load(): number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}
