/**
 * What an App can be told: its options table and those of its calls, the single source of types, checks and docs.
 */

import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PAYLOAD_BYTES_MAX } from "../base/codec.js";
import type { Duration } from "../base/duration.js";
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { isName } from "../base/names.js";
import { type OptionTable, resolveOptions } from "../base/options.js";
import { DURABILITY_FORM, type Durability, parseDurability } from "../engine/durability.js";
import { AttemptScope } from "../queue/attempt-scope.js";
import { type StepOptions, stepTable } from "../workflow/step.js";

const nameRow = {
  type: "custom",
  expected: "a name (letters, digits, . _ -)",
  parse: (value: unknown) => (isName(value) ? value : null),
} as const;

const isLogger = (value: unknown) =>
  typeof value === "object" && value !== null && "warn" in value && "child" in value ? value : null;
const isNames = (value: unknown) => (Array.isArray(value) && value.every(isName) ? value : null);
const isRecord = (value: unknown) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? value : null;

/** What the keys must be is told without showing them: by base/seal.ts. */
const isKeys = (value: unknown): readonly string[] | null => {
  const keys: unknown = typeof value === "string" ? [value] : value;
  return Array.isArray(keys) && keys.length > 0 && keys.every((key) => typeof key === "string") ? keys : null;
};

/** A URL, or a list of Redis URLs; the list's members are read where stores are made. */
const STORES_MAX = 16;
const isStore = (value: unknown): string | readonly string[] | null => {
  if (typeof value === "string") return value;
  if (!Array.isArray(value) || value.length < 1 || value.length > STORES_MAX) return null;
  const isFit = value.every((url) => typeof url === "string" && /^(rediss?(-sentinel)?|redis\+unix|unix):/.test(url));
  return isFit && new Set(value).size === value.length ? value : null;
};

/** A file URL as it is, a path from the working directory; its text. */
function parseModule(value: unknown): string | null {
  const text = value instanceof URL ? value.href : value;
  if (typeof text !== "string" || text === "") return null;
  if (text.startsWith("file:")) return URL.canParse(text) ? text : null;
  return /^[a-z][a-z0-9+.-]+:/i.test(text) ? null : pathToFileURL(resolve(text)).href;
}

const workersTable = {
  asyncWorkers: {
    type: "integer",
    default: 4,
    min: 1,
    max: 256,
    sentence: "Async Workers; on the program's own thread they share one event loop.",
  },
  blockingWorkers: {
    type: "integer",
    default: 2,
    min: 1,
    max: 256,
    sentence: "Blocking Workers, one Operation at a time each; started if there are blocking Steps.",
  },
  processWorkers: {
    type: "integer",
    default: 1,
    min: 1,
    max: 256,
    sentence: "Process Workers, one Operation at a time each; started if a Step's executor is `process`.",
  },
  slots: { type: "integer", default: 8, min: 1, max: 4096, sentence: "Attempts one async Worker runs at once." },
  maxConcurrent: {
    type: "integer",
    default: 200,
    min: 4,
    max: 65_536,
    sentence: "Attempts that may run at once in async and blocking Workers while the mix is optimised.",
  },
  autoOptimize: {
    type: "boolean",
    default: true,
    sentence: "Whether the numbers of async and blocking Workers and of slots follow the work there is.",
  },
  optimizationInterval: {
    type: "duration",
    default: "30s",
    min: "1s",
    max: "1h",
    sentence: "Time between two decisions about them that are not urgent.",
  },
  maxHeapMb: {
    type: "integer",
    default: 1024,
    min: 16,
    max: 1_048_576,
    unit: "MiB",
    sentence:
      "Largest JavaScript heap of a Worker; one that needs more ends, and only its own work is lost. Node cannot always end a thread alone: Steps that may eat memory in many small pieces belong in processes.",
  },
  maxRssMb: {
    type: "integer",
    min: 16,
    max: 1_048_576,
    unit: "MiB",
    sentence: "A Worker whose heap and buffers are larger finishes what it has and is replaced; by default none is.",
  },
  maxOperations: {
    type: "integer",
    min: 1,
    max: 1_000_000_000,
    sentence: "A Worker that has ended so many Operations is replaced; by default none is.",
  },
  maxAge: {
    type: "duration",
    min: "1s",
    max: "3650d",
    sentence: "A Worker that is older finishes what it has and is replaced; by default none is.",
  },
  stuckAfter: {
    type: "duration",
    default: "30s",
    min: "1s",
    max: "1d",
    sentence: "An async Worker whose event loop stands still for so long is ended, whatever its Steps' timeouts.",
  },
  segmentOrder: {
    type: "string",
    choices: ["oldest_first", "largest_first"],
    default: "oldest_first",
    sentence:
      "Which Segment claims go to more often where the same highest priority waits in several: the one with the oldest head, or the one where most waits; the others have their turns between.",
  },
  drain: {
    type: "duration",
    default: "30s",
    min: 0,
    max: "1d",
    sentence: "How long running work may take to finish when the App stops.",
  },
  queues: {
    type: "custom",
    expected: "a list of Queue names",
    parse: isNames,
    sentence: "Queues to claim from, in order of preference; by default those of the App's Steps, by turns.",
  },
} as const satisfies OptionTable;

const networkTable = {
  timeout: {
    type: "duration",
    default: "60s",
    min: "10ms",
    max: "1h",
    sentence: "How long a call waits for a store that is away before it fails.",
  },
  retries: {
    type: "integer",
    min: 0,
    max: 20,
    sentence:
      "How often a call of yours is repeated within that time, after 1, 2, 4 … s, before its last error is thrown; by default as often as there is time for, as soon as the store is back. What Foremen and Workers ask of the store is repeated for ever.",
  },
  retryDelay: {
    type: "duration",
    default: "1s",
    min: "1ms",
    max: "1m",
    sentence: "Time before the first of these repeats; before each further one it is twice as long.",
  },
} as const satisfies OptionTable;

/** Every option of an App. */
export const appTable = {
  id: { ...nameRow, default: "default", sentence: "Name of the App: its own key space, Queues and metrics." },
  store: {
    type: "custom",
    expected: `a URL, or a list of 1 to ${STORES_MAX} different Redis URLs`,
    parse: isStore,
    default: "embedded:.millrace",
    sentence:
      "Where work is kept: `embedded:DIR`, `memory:`, `redis://…`, `rediss://…`, `redis-sentinel://…`, `redis-cluster://…`; or a list of Redis servers, the same for every process of the App.",
  },
  module: {
    type: "custom",
    expected: "a file URL (import.meta.url) or a path",
    parse: parseModule,
    sentence:
      "The module that makes this App, usually `import.meta.url`: Workers in threads import it; without it, async Steps run on the program's own thread.",
  },
  nodeId: {
    type: "string",
    env: "NODE_ID",
    sentence: "Name of this machine and of its Segment; by default NODE_ID or the host name.",
  },
  takeover: {
    type: "boolean",
    default: false,
    sentence: "Start although another machine that lives bears the same `nodeId`.",
  },
  durability: {
    type: "custom",
    expected: DURABILITY_FORM,
    parse: parseDurability,
    sentence:
      "What the acknowledgement of an enqueue must survive at least; by default what the store offers. See docs/guides/durability.md.",
  },
  encryptionKey: {
    type: "custom",
    expected: "a text NAME:KEY, or a list of these",
    parse: isKeys,
    env: "MILLRACE_ENCRYPTION_KEY",
    sentence:
      "Encrypts inputs, results and errors: `NAME:KEY`, the key 32 bytes in base64 or hexadecimal; of a list the first one writes and all read. See docs/guides/payloads.md.",
  },
  compressFrom: {
    type: "integer",
    min: 64,
    max: PAYLOAD_BYTES_MAX,
    unit: "bytes",
    sentence:
      "Inputs and results of so many bytes or more are stored compressed where that makes them smaller; by default none is.",
  },
  workers: { type: "table", table: workersTable, sentence: "How much runs here at once." },
  network: { type: "table", table: networkTable, sentence: "Patience with the store." },
  queueMax: {
    type: "integer",
    min: 1,
    max: 1_000_000_000,
    sentence:
      "How many ready Operations each Queue may hold in one Node's Segment before enqueues find it full; by default any number. Retries, hand-backs and what is for later always pass.",
  },
  memoryMax: {
    type: "integer",
    min: 1024 * 1024,
    max: 2 ** 50,
    unit: "bytes",
    sentence:
      "Memory each server of the store may use (its `maxmemory`, if that is less), or all Operations of a store in this process: from 85 % of it on enqueues fail with `MR_QUOTA`, so that what is under way can end; by default only the server refuses.",
  },
  onQueueFull: {
    type: "string",
    choices: ["wait", "reject"],
    default: "wait",
    sentence: "What an enqueue into a full Queue does: wait for room, or fail with `MR_QUEUE_FULL`.",
  },
  searchIndex: {
    type: "boolean",
    default: false,
    sentence:
      "Whether this process keeps an index for `app.inspect.search` in its memory: about 90 bytes for each Operation there is. See docs/guides/operations.md.",
  },
  defaults: {
    type: "custom",
    expected: "options of a Step",
    parse: isRecord,
    sentence: "Options for every Step that does not say otherwise.",
  },
  logger: {
    type: "custom",
    expected: "a logger with debug, info, warn, error and child (pino fits)",
    parse: isLogger,
    sentence: "Where Millrace writes; silent by default.",
  },
} as const satisfies OptionTable;

/** Options of an App as users write them. See docs/reference/options.md. */
export interface AppOptions {
  /** Default `"default"`. */
  readonly id?: string;
  /** Default `"embedded:.millrace"`. A list: several Redis servers, the same for every process of the App. */
  readonly store?: string | readonly string[];
  /** `import.meta.url` of the module that makes this App: Workers in threads import it. */
  readonly module?: string | URL;
  /** Default NODE_ID, else the host name. */
  readonly nodeId?: string;
  /** Start although another machine that lives bears the same `nodeId`. Default false. */
  readonly takeover?: boolean;
  /** What the acknowledgement of an enqueue must survive at least; a store that cannot give it refuses the start. */
  readonly durability?: Durability;
  /**
   * Encrypts inputs, results and errors: `NAME:KEY`, the key 32 bytes in base64 or hexadecimal. Of a list the first one
   * writes and all read. Default MILLRACE_ENCRYPTION_KEY (a list with commas), else nothing is encrypted.
   */
  readonly encryptionKey?: string | readonly string[];
  /** Inputs and results of so many bytes or more are stored compressed. By default none is. */
  readonly compressFrom?: number;
  /** Ready Operations each Queue may hold in one Node's Segment. Default: any number. */
  readonly queueMax?: number;
  /** Keep an index for `app.inspect.search` in the memory of this process. Default false. */
  readonly searchIndex?: boolean;
  /** Bytes the Redis server may use; from 85 % of it on enqueues fail with MR_QUOTA. Default: only the server refuses. */
  readonly memoryMax?: number;
  /** What an enqueue into a full Queue does; fails with MR_QUEUE_FULL if told to `"reject"`. Default `"wait"`. */
  readonly onQueueFull?: "wait" | "reject";
  readonly workers?: {
    /** Default 4. */
    readonly asyncWorkers?: number;
    /** Default 2. */
    readonly blockingWorkers?: number;
    /** Default 1. */
    readonly processWorkers?: number;
    /** Attempts one async Worker runs at once. Default 8. */
    readonly slots?: number;
    /** Attempts at once while the mix is optimised. Default 200. */
    readonly maxConcurrent?: number;
    /** Default true. */
    readonly autoOptimize?: boolean;
    /** Default 30 s. */
    readonly optimizationInterval?: Duration;
    /** Largest heap of a Worker in MiB; one that needs more ends. Default 1024. */
    readonly maxHeapMb?: number;
    /** A Worker whose heap and buffers are larger (MiB) is replaced. By default none is. */
    readonly maxRssMb?: number;
    /** A Worker that has ended so many Operations is replaced. By default none is. */
    readonly maxOperations?: number;
    /** A Worker that is older is replaced. By default none is. */
    readonly maxAge?: Duration;
    /** An async Worker whose event loop stands still for so long is ended. Default 30 s. */
    readonly stuckAfter?: Duration;
    /** Which Segment claims go to more often, among those where the highest priority waits. Default `oldest_first`. */
    readonly segmentOrder?: "oldest_first" | "largest_first";
    /** How long running work may take to finish when the App stops. Default 30 s. */
    readonly drain?: Duration;
    readonly queues?: readonly string[];
  };
  readonly network?: {
    /** Default 60 s. */
    readonly timeout?: Duration;
    /** Repeats of a call, after 1, 2, 4 … s. Default: as many as there is time for, as soon as the store is back. */
    readonly retries?: number;
    /** Time before the first of `retries`. Default 1 s. */
    readonly retryDelay?: Duration;
  };
  readonly defaults?: StepOptions;
  readonly logger?: Logger;
}

/** Every option of one enqueue. */
export const enqueueTable = {
  priority: { type: "integer", min: -1000, max: 1000, sentence: "Larger runs sooner; by default the Step's." },
  delay: { type: "duration", max: "3650d", sentence: "Not before this time from now, by the store's clock." },
  at: {
    type: "custom",
    expected: "a Date or an ISO 8601 text",
    parse: (value: unknown) => {
      const ms = value instanceof Date ? value.getTime() : typeof value === "string" ? Date.parse(value) : Number.NaN;
      return Number.isNaN(ms) ? null : ms;
    },
    sentence: "Not before this moment, by the store's clock; a past one means now.",
  },
  queue: { ...nameRow, sentence: "The Queue to wait in; by default the Step's." },
  tags: {
    type: "custom",
    expected: "an object of short texts",
    parse: (value: unknown) =>
      isRecord(value) !== null &&
      Object.values(value as object).every((tag) => typeof tag === "string" && tag.length <= 256)
        ? value
        : null,
    sentence: "Labels for people; kept while the Operation is.",
  },
  idempotencyKey: {
    type: "custom",
    expected: "a text of 1 to 1024 characters",
    parse: (value: unknown) => (typeof value === "string" && value.length >= 1 && value.length <= 1024 ? value : null),
    sentence:
      "Names this call: repeated within 24 hours with the same Step and input it gives the first one's handle, with others an error.",
  },
  durability: {
    type: "custom",
    expected: DURABILITY_FORM,
    parse: parseDurability,
    sentence: "What the acknowledgement must survive at least; by default the Step's, then the App's.",
  },
  validate: { type: "boolean", default: true, sentence: "Whether the input schema is checked now." },
  retries: { type: "integer", min: 0, max: 1000, sentence: "Extra Attempts; by default the Step's." },
  timeout: { type: "duration", min: "1ms", max: "365d", sentence: "Limit of each Attempt; by default the Step's." },
  expires: {
    type: "duration",
    min: "1ms",
    max: "3650d",
    sentence: "Time in which it must be claimed, or it fails with `MR_EXPIRED`; by default the Step's.",
  },
  deadline: {
    type: "duration",
    min: "1ms",
    max: "3650d",
    sentence: "Time in which it must end, or it fails with `MR_EXPIRED`; by default the Step's.",
  },
} as const satisfies OptionTable;

/** Options of one enqueue as users write them. */
export interface EnqueueOptions {
  readonly priority?: number;
  readonly delay?: Duration;
  readonly at?: Date | string;
  readonly queue?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Repeated within 24 hours with the same input: the first one's handle; with another: MR_IDEMPOTENCY_MISMATCH. */
  readonly idempotencyKey?: string;
  /** What the acknowledgement must survive; what was reached stands in the handle's receipt. Less is MR_INDETERMINATE. */
  readonly durability?: Durability;
  readonly validate?: boolean;
  readonly retries?: number;
  readonly timeout?: Duration;
  /** To be claimed in this time from now, or it fails with MR_EXPIRED. */
  readonly expires?: Duration;
  /** To end in this time from now, or it fails with MR_EXPIRED. */
  readonly deadline?: Duration;
}

/** Checks an App's options. Errors: MR_INVALID_OPTION. */
export function resolveAppOptions(given: unknown) {
  const resolved = resolveOptions(appTable, given, "app");
  if (resolved.defaults !== undefined) resolveOptions(stepTable, resolved.defaults, "app.defaults");
  return resolved;
}

/** Checks the options of one enqueue. Errors: MR_INVALID_OPTION. */
export function resolveEnqueueOptions(given: unknown) {
  const resolved = resolveOptions(enqueueTable, given, "enqueue");
  if (resolved.delay !== undefined && resolved.at !== undefined) {
    throw createError("MR_INVALID_OPTION", { path: "enqueue.at", problem: "give either `delay` or `at`, not both" });
  }
  const { delay, expires, deadline } = resolved;
  if (
    delay !== undefined &&
    delay >= Math.min(expires ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY)
  ) {
    const problem = "expected more than `delay`: it would be over before it may begin";
    const path = delay >= (expires ?? Number.POSITIVE_INFINITY) ? "enqueue.expires" : "enqueue.deadline";
    throw createError("MR_INVALID_OPTION", { path, problem });
  }
  return resolved;
}

/** Resolved options of one enqueue. */
export type ResolvedEnqueue = ReturnType<typeof resolveEnqueueOptions>;

/** The bound on Queues that an App asks for; null for none. */
export function boundOf({ queueMax, onQueueFull }: ReturnType<typeof resolveAppOptions>) {
  return queueMax === undefined ? null : { max: queueMax, onFull: onQueueFull, scope: new AttemptScope() };
}
