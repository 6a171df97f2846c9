/**
 * What an App can be told: its options table and those of its calls, the single source of types, checks and docs.
 */
import type { Duration } from "../base/duration.js";
import { createError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import { isName } from "../base/names.js";
import { type OptionTable, resolveOptions } from "../base/options.js";
import type { Durability } from "../engine/store.js";
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

const workersTable = {
  asyncWorkers: {
    type: "integer",
    default: 4,
    min: 1,
    max: 256,
    sentence: "Async Workers; on the program's own thread they share one event loop.",
  },
  slots: { type: "integer", default: 8, min: 1, max: 4096, sentence: "Attempts one async Worker runs at once." },
  queues: {
    type: "custom",
    expected: "a list of Queue names",
    parse: isNames,
    sentence: "Queues to claim from, in order of preference; by default those of the App's Steps.",
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
} as const satisfies OptionTable;

/** Every option of an App. */
export const appTable = {
  id: { ...nameRow, default: "default", sentence: "Name of the App: its own key space, Queues and metrics." },
  store: {
    type: "string",
    default: "embedded:.millrace",
    sentence: "Where work is kept: `embedded:DIR`, `memory:`, `redis://…`, `rediss://…`.",
  },
  nodeId: {
    type: "string",
    env: "NODE_ID",
    sentence: "Name of this machine and of its Segment; by default NODE_ID or the host name.",
  },
  durability: {
    type: "string",
    choices: ["memory", "aof", "fsync", "flushed"],
    sentence: "Weakest level an acknowledgement may have; by default what the store offers.",
  },
  workers: { type: "table", table: workersTable, sentence: "How much runs here at once." },
  network: { type: "table", table: networkTable, sentence: "Patience with the store." },
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
  /** Default `"embedded:.millrace"`. */
  readonly store?: string;
  /** Default NODE_ID, else the host name. */
  readonly nodeId?: string;
  /** Weakest level an acknowledgement may have. */
  readonly durability?: Durability;
  readonly workers?: {
    /** Default 4. */
    readonly asyncWorkers?: number;
    /** Default 8. */
    readonly slots?: number;
    readonly queues?: readonly string[];
  };
  readonly network?: {
    /** Default 60 s. */
    readonly timeout?: Duration;
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
  validate: { type: "boolean", default: true, sentence: "Whether the input schema is checked now." },
  retries: { type: "integer", min: 0, max: 1000, sentence: "Extra Attempts; by default the Step's." },
  timeout: { type: "duration", min: "1ms", max: "365d", sentence: "Limit of each Attempt; by default the Step's." },
} as const satisfies OptionTable;

/** Options of one enqueue as users write them. */
export interface EnqueueOptions {
  readonly priority?: number;
  readonly delay?: Duration;
  readonly at?: Date | string;
  readonly queue?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly validate?: boolean;
  readonly retries?: number;
  readonly timeout?: Duration;
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
  return resolved;
}

/** Resolved options of one enqueue. */
export type ResolvedEnqueue = ReturnType<typeof resolveEnqueueOptions>;
