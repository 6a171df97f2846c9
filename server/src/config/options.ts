/**
 * Every setting of the processes, as one table (elsewhere: configuration schema): key, type, bounds, default, who else
 * may set it, and whether a running Foreman takes a new value. Loading, `millrace config`, flags, help and the
 * reference page all read it. A key `a.b_c` is `MILLRACE_A_B_C` in the environment and `--a-b-c` on the command line.
 */
import { hostname } from "node:os";
import { isName, type MixOptions, NODE_ID_PATTERN, type OptionRow, type Resolved } from "@millrace/core/server";
import { parseLevels } from "../log/levels.js";

/** What a setting has beside an option row of core. */
interface Extras {
  /** Further environment variables that set it, weaker than its own. */
  readonly alsoEnv?: readonly string[];
  /** A shorter flag beside the one made from its key, without dashes. */
  readonly flag?: string;
  /** A flag that says no, without dashes: `no-optimize`. */
  readonly offFlag?: `no-${string}`;
  /** The App option that it replaces; an App's own value stands where nobody gave the setting. */
  readonly app?: string;
  /** The setting of the optimiser that it is, where no App option is. */
  readonly mix?: keyof MixOptions;
  /** Whether its value, or the password within it, must never be shown; such a setting can also come from a file. */
  readonly secret?: "value" | "url";
  /** Whether SIGHUP brings a new value into a running Foreman. */
  readonly reload: boolean;
  /** What it is when nobody says, where that is no value: "the host's name". */
  readonly otherwise?: string;
}

/** One setting. */
export type ConfigRow = Exclude<OptionRow, { type: "duration" | "table" }> & Extras;

const isNames = (value: unknown): readonly string[] | null => {
  const list = typeof value === "string" ? value.split(",").map((part) => part.trim()) : value;
  return Array.isArray(list) && list.length > 0 && list.every(isName) ? list : null;
};
/** One URL; several Redis URLs as a list, or in one text with commas. */
const isStore = (value: unknown): string | readonly string[] | null => {
  if (typeof value === "string" && !/,\s*(rediss?(-sentinel)?|redis\+unix|unix):/.test(value))
    return value === "" ? null : value;
  const list = typeof value === "string" ? value.split(/,\s*(?=(?:rediss?(?:-sentinel)?|redis\+unix|unix):)/) : value;
  return Array.isArray(list) && list.length > 0 && list.every((url) => typeof url === "string") ? list : null;
};
const nameRow = {
  type: "custom",
  expected: "a name (letters, digits, . _ -)",
  parse: (value: unknown) => (isName(value) ? value : null),
} as const;

/** Every setting, by key. */
export const configTable = {
  app_id: {
    ...nameRow,
    default: "default",
    flag: "app",
    app: "id",
    reload: false,
    sentence: "Name of the App: its own key space, Queues and metrics.",
  },
  node_id: {
    type: "custom",
    expected: "1 to 64 of A-Z a-z 0-9 . _ -",
    parse: (value: unknown) => (typeof value === "string" && NODE_ID_PATTERN.test(value) ? value : null),
    alsoEnv: ["NODE_ID", "WORKER_ID"],
    flag: "node-id",
    app: "nodeId",
    otherwise: "the host's name",
    reload: false,
    sentence: "Name of this machine and of the Segment it writes.",
  },
  "store.url": {
    type: "custom",
    expected: "a store's URL, or several Redis URLs (a list, or a text with commas)",
    parse: isStore,
    default: "embedded:.millrace",
    alsoEnv: ["REDIS_URL"],
    flag: "store",
    app: "store",
    secret: "url",
    reload: false,
    sentence:
      "Where work is kept: `embedded:DIR`, `redis://…`, `rediss://…`, `redis-sentinel://…`, `redis-cluster://…`, `redis+unix:PATH`; or several Redis servers.",
  },
  "store.durability": {
    type: "string",
    choices: ["memory", "aof", "fsync", "flushed"],
    flag: "durability",
    app: "durability",
    otherwise: "what the store offers",
    reload: false,
    sentence: "Weakest level an acknowledgement may have; a store that gives less is refused.",
  },
  "store.timeout_ms": {
    type: "integer",
    default: 60_000,
    min: 10,
    max: 3_600_000,
    unit: "ms",
    app: "network.timeout",
    reload: false,
    sentence: "How long a call waits for a store that is away before it fails.",
  },
  "workers.async_workers": {
    type: "integer",
    default: 4,
    min: 1,
    max: 256,
    flag: "async-workers",
    app: "workers.asyncWorkers",
    reload: true,
    sentence: "Async Workers to begin with: threads that run many Operations on one event loop.",
  },
  "workers.blocking_workers": {
    type: "integer",
    default: 2,
    min: 1,
    max: 256,
    flag: "blocking-workers",
    app: "workers.blockingWorkers",
    reload: true,
    sentence: "Blocking Workers to begin with: threads that run one Operation at a time.",
  },
  "workers.slots": {
    type: "integer",
    default: 8,
    min: 1,
    max: 4096,
    flag: "slots",
    app: "workers.slots",
    reload: true,
    sentence: "Operations one async Worker runs at once, to begin with.",
  },
  "workers.process_workers": {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    flag: "process-workers",
    app: "workers.processWorkers",
    reload: false,
    sentence: "Process Workers, for Steps whose executor is `process`: one Operation at a time each.",
  },
  "workers.auto_optimize": {
    type: "boolean",
    default: true,
    offFlag: "no-optimize",
    app: "workers.autoOptimize",
    reload: true,
    sentence: "Whether the numbers of async and blocking Workers and of slots follow the work there is.",
  },
  "workers.optimization_interval_ms": {
    type: "integer",
    default: 30_000,
    min: 1_000,
    max: 3_600_000,
    unit: "ms",
    app: "workers.optimizationInterval",
    reload: true,
    sentence: "Time between two decisions about them that are not urgent.",
  },
  "workers.max_concurrent": {
    type: "integer",
    default: 200,
    min: 4,
    max: 65_536,
    app: "workers.maxConcurrent",
    reload: true,
    sentence: "Operations that may run at once in async and blocking Workers while the mix is optimised.",
  },
  "workers.queues": {
    type: "custom",
    expected: "Queue names, separated by commas",
    parse: isNames,
    flag: "queues",
    app: "workers.queues",
    otherwise: "those of the App's Steps",
    reload: false,
    sentence: "Queues to claim from, in order of preference; those of the App's Steps are by turns.",
  },
  "workers.max_heap_mb": {
    type: "integer",
    default: 1024,
    min: 16,
    max: 1_048_576,
    unit: "MiB",
    app: "workers.maxHeapMb",
    reload: false,
    sentence: "Largest JavaScript heap of a Worker; one that needs more ends, and only its own work is lost.",
  },
  "workers.max_rss_mb": {
    type: "integer",
    min: 16,
    max: 1_048_576,
    unit: "MiB",
    app: "workers.maxRssMb",
    otherwise: "none is",
    reload: false,
    sentence: "A Worker whose heap and buffers are larger finishes what it has and is replaced.",
  },
  "workers.max_operations": {
    type: "integer",
    min: 1,
    max: 1_000_000_000,
    app: "workers.maxOperations",
    otherwise: "none is",
    reload: false,
    sentence: "A Worker that has ended so many Operations is replaced.",
  },
  "workers.max_age_ms": {
    type: "integer",
    min: 1_000,
    max: 315_360_000_000,
    unit: "ms",
    app: "workers.maxAge",
    otherwise: "none is",
    reload: false,
    sentence: "A Worker that is older finishes what it has and is replaced.",
  },
  "workers.stuck_after_ms": {
    type: "integer",
    default: 30_000,
    min: 1_000,
    max: 86_400_000,
    unit: "ms",
    app: "workers.stuckAfter",
    reload: false,
    sentence: "An async Worker whose event loop stands still for so long is ended, whatever its Steps' timeouts.",
  },
  "force.blocking": {
    type: "integer",
    min: 0,
    max: 1_000_000,
    otherwise: "free",
    reload: true,
    sentence: "Pins the number of blocking Workers: it stays, whatever the load.",
  },
  "force.async": {
    type: "integer",
    min: 0,
    max: 1_000_000,
    otherwise: "free",
    reload: true,
    sentence: "Pins the number of async Workers.",
  },
  "force.slots": {
    type: "integer",
    min: 1,
    max: 1_000_000,
    otherwise: "free",
    reload: true,
    sentence: "Pins the slots of each async Worker.",
  },
  "log.level": {
    type: "custom",
    default: "info",
    expected: "a level (trace, debug, info, warn, error, silent), then levels of targets: `info,store=debug`",
    parse: (value: unknown) => (parseLevels(value) === null ? null : (value as string)), // a text, or parseLevels had said null
    flag: "log-level",
    reload: true,
    sentence: "Least important line that is written, for all targets (foreman, worker, store, mix) or for some.",
  },
  "log.format": {
    type: "string",
    choices: ["json", "pretty"],
    flag: "log-format",
    otherwise: "`pretty` on a terminal, else `json`",
    reload: false,
    sentence: "How log lines look: one JSON object each, or for people.",
  },
  "log.mix_file": {
    type: "string",
    flag: "mix-log",
    otherwise: "none is kept",
    reload: false,
    sentence: "File of the mix optimiser's decisions: JSON lines, a new file every 16 MiB, four kept.",
  },
  "foreman.lease_ms": {
    type: "integer",
    default: 10_000,
    min: 2_000,
    max: 600_000,
    unit: "ms",
    reload: false,
    sentence: "How long a silent Foreman keeps what it holds; the same on all Nodes of an App.",
  },
  "foreman.heartbeat_ms": {
    type: "integer",
    default: 3_000,
    min: 100,
    max: 200_000,
    unit: "ms",
    reload: false,
    sentence: "Time between two beats; at most a third of the Lease.",
  },
  "foreman.drain_ms": {
    type: "integer",
    default: 30_000,
    min: 0,
    max: 86_400_000,
    unit: "ms",
    app: "workers.drain",
    reload: true,
    sentence: "How long running work may take to finish when the Foreman stops; the rest is given back unharmed.",
  },
  "foreman.dwell_ms": {
    type: "integer",
    default: 60_000,
    min: 1_000,
    max: 600_000,
    unit: "ms",
    mix: "dwell",
    reload: true,
    sentence: "Rest after a change of the mix.",
  },
  "foreman.urgency_threshold": {
    type: "number",
    default: 3,
    min: 0.1,
    max: 1_000,
    mix: "urgencyThreshold",
    reload: true,
    sentence: "Urgency from which a pool of Workers is helped at once.",
  },
  "foreman.pilot_blocking": {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    mix: "pilotBlocking",
    reload: true,
    sentence: "Least blocking Workers while the App has blocking Steps.",
  },
  "foreman.pilot_async": {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    mix: "pilotAsync",
    reload: true,
    sentence: "Least async Workers while the App has async Steps.",
  },
  "foreman.metrics_host": {
    type: "string",
    default: "127.0.0.1",
    flag: "health-host",
    reload: false,
    sentence: "Address of the health and metrics server; `0.0.0.0` where probes come from outside.",
  },
  "foreman.metrics_port": {
    type: "custom",
    default: 9090,
    expected: "a port 0…65535 (0: any free one), or `off`",
    parse: (value: unknown) => {
      if (value === "off" || value === false) return "off" as const;
      const port = typeof value === "string" && /^\d+$/.test(value) ? Number(value) : value;
      return typeof port === "number" && Number.isInteger(port) && port >= 0 && port <= 65_535 ? port : null;
    },
    flag: "health-port",
    reload: false,
    sentence:
      "Port of `/health/live`, `/health/ready` and `/metrics`; taken by another and not set by you: done without.",
  },
} as const satisfies Readonly<Record<string, ConfigRow>>;

/** A key of the table. */
export type ConfigKey = keyof typeof configTable;

/** The values of all settings: those with a default always, others if somebody gave them. */
export type ConfigValues = Resolved<typeof configTable>;

/** All keys, in the table's order. */
export const configKeys = Object.keys(configTable) as readonly ConfigKey[]; // the table's own keys

/** The row of a key, with what every row may have. */
export function rowOf(key: ConfigKey): ConfigRow {
  return configTable[key];
}

/** `a.b_c` → `MILLRACE_A_B_C`. */
export function envNameOf(key: string): string {
  return `MILLRACE_${key.replaceAll(".", "_").toUpperCase()}`;
}

/** `a.b_c` → `a-b-c`: the flag that every key has, without dashes. */
export function flagNameOf(key: string): string {
  return key.replaceAll(/[._]/g, "-");
}

/** Every flag of a key, the one that help shows first; without dashes. */
export function flagsOf(key: ConfigKey): readonly string[] {
  const { flag, offFlag } = rowOf(key);
  const long = flagNameOf(key);
  return [...new Set([flag ?? offFlag ?? long, long])];
}

/** Environment variables of a key, the strongest first. */
export function envNamesOf(key: ConfigKey): readonly string[] {
  return [envNameOf(key), ...(rowOf(key).alsoEnv ?? [])];
}

/** The key itself, or null for a text that is none. */
export function asKey(text: string): ConfigKey | null {
  return Object.hasOwn(configTable, text) ? (text as ConfigKey) : null; // hasOwn has just said so
}

/** The rules between two settings; each answer is a problem and the key it is told about. */
export function crossProblems(values: ConfigValues): readonly { readonly key: ConfigKey; readonly problem: string }[] {
  const { "foreman.lease_ms": leaseMs, "foreman.heartbeat_ms": beatMs } = values;
  if (beatMs * 3 <= leaseMs) return [];
  const problem = `expected at most a third of foreman.lease_ms (${leaseMs} ms), got ${beatMs}: one lost beat would lose the Lease`;
  return [{ key: "foreman.heartbeat_ms", problem }];
}

/** The Node's name when no setting gives one. */
export function defaultNodeId(): string {
  return hostname();
}
