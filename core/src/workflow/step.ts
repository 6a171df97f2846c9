/**
 * A Step (elsewhere: task type, activity): a named piece of work, defined once, executed as Operations.
 *
 * Holds what user code writes: options and the function. Checked at definition; no I/O.
 */
import type { StandardSchemaV1 } from "@standard-schema/spec";
import type { Backoff, BackoffPolicy } from "../base/backoff.js";
import { type Duration, tryParseDuration } from "../base/duration.js";
import { createError, show } from "../base/errors.js";
import { checkName, isName } from "../base/names.js";
import { type OptionTable, type Resolved, resolveOptions } from "../base/options.js";
import { DURABILITY_FORM, type Durability, parseDurability } from "../engine/durability.js";
import { type BatchFunction, singly } from "./batch.js";
import type { StepContext } from "./context.js";
import { BUILT_IN_EXECUTORS, Executors } from "./executor.js";
import { parseRetryOn, type RetryFilter, type RetryOn } from "./retry-on.js";

export type { BatchContext, BatchFunction } from "./batch.js";
export type { AbortKind, StepContext } from "./context.js";

/** A Step's work. Returning a promise is the rule; an `async` function makes an async Step. */
export type StepFunction<I, O> = (input: I, context: StepContext) => O | Promise<O>;

const isFunction = (value: unknown) => (typeof value === "function" ? value : null);
const isSchema = (value: unknown) =>
  (typeof value === "object" || typeof value === "function") && value !== null && "~standard" in value ? value : null;

/** A key of what an Operation is tied to: a dotted path in its input (`customer.id`), or a function; read at submission. */
export type KeyOf<I = unknown> = string | ((input: I) => string);

/** How Operations of one key are made one. */
export interface Dedupe {
  readonly key: KeyOf;
  /** Milliseconds after the enqueue; null: till the end of the Operation. */
  readonly windowMs: number | null;
  readonly mode: "return" | "reject" | "replace";
}

/** How often one begins, for each key. */
export interface Rate {
  /** Milliseconds from one to the next in the long run. */
  readonly everyMs: number;
  readonly burst: number;
  /** Null: one rate for all. */
  readonly key: KeyOf | null;
}

/** How many run at once, for each key. */
export interface Limit {
  readonly limit: number;
  /** Null: one limit for all. */
  readonly key: KeyOf | null;
  /** What becomes of who meets it full. */
  readonly onLimit: LimitMode;
}

/**
 * What becomes of an Operation that meets a full limit. `queue`: it waits for a slot. `skip`: it ends as skipped.
 * `cancel_newest`: it ends as cancelled. `cancel_oldest`: the one that has been there longest is cancelled, and it waits for
 * that slot.
 */
export type LimitMode = "queue" | "skip" | "cancel_oldest" | "cancel_newest";

/** How many Operations share a call, and how long the first of them waits for the others. */
export interface Batch {
  readonly maxSize: number;
  readonly waitMs: number;
  /** Null: all of the Step together. Read at submission, like every key. */
  readonly key: KeyOf | null;
}

/** Whose share of the Workers an Operation is run from. */
export interface Fair {
  readonly key: KeyOf;
  /** Of a key: more than 0. Null: all weigh 1. */
  readonly weight: ((key: string) => number) | null;
}

/** How Operations that come one upon another become the last of them. */
export interface Debounce {
  readonly key: KeyOf;
  /** Milliseconds without another one of its key, before one is due. */
  readonly waitMs: number;
  /** How long after the first of those that were replaced it is due at the latest; null: any time. */
  readonly maxWaitMs: number | null;
}

const DEDUPE_MODES = ["return", "reject", "replace"] as const;
/** What becomes of who meets a full limit. */
const LIMIT_MODES: readonly LimitMode[] = ["queue", "skip", "cancel_oldest", "cancel_newest"];
const LIMITS_MAX = 8;
/** Inputs of one call, at most: as many as one claim brings. */
const BATCH_SIZE_MAX = 1_000;
const BATCH_WAIT_MS_MAX = 600_000;

function parseBatch(value: unknown): Batch | null {
  if (!hasOnly(value, ["maxSize", "wait", "key"])) return null;
  const { maxSize, wait, key } = value;
  const waitMs = tryParseDuration(wait);
  if (!isCount(maxSize) || maxSize > BATCH_SIZE_MAX || waitMs === null || waitMs > BATCH_WAIT_MS_MAX) return null;
  if (key !== undefined && parseKey(key) === null) return null;
  return { maxSize, waitMs, key: key === undefined ? null : parseKey(key) };
}

function parseKey(value: unknown): KeyOf | null {
  return (typeof value === "string" && value !== "") || typeof value === "function" ? (value as KeyOf) : null; // its types are its caller's promise
}

function parseDedupe(value: unknown): Dedupe | null {
  if (!hasOnly(value, ["key", "window", "mode"])) return null;
  const key = parseKey(value.key);
  const windowMs = value.window === undefined ? null : tryParseDuration(value.window);
  const mode = DEDUPE_MODES.find((one) => one === (value.mode ?? "return"));
  if (key === null || mode === undefined || (value.window !== undefined && windowMs === null)) return null;
  return { key, windowMs, mode };
}

function parseDebounce(value: unknown): Debounce | null {
  if (!hasOnly(value, ["key", "wait", "maxWait"])) return null;
  const key = parseKey(value.key);
  const waitMs = tryParseDuration(value.wait);
  const maxWaitMs = value.maxWait === undefined ? null : tryParseDuration(value.maxWait);
  if (key === null || waitMs === null || (value.maxWait !== undefined && maxWaitMs === null)) return null;
  return maxWaitMs !== null && maxWaitMs < waitMs ? null : { key, waitMs, maxWaitMs };
}

function parseFair(value: unknown): Fair | null {
  if (!hasOnly(value, ["key", "weight"])) return null;
  const key = parseKey(value.key);
  const { weight = null } = value;
  if (key === null || (weight !== null && typeof weight !== "function")) return null;
  return { key, weight: weight as Fair["weight"] }; // its types are its caller's promise
}

function parseLimits(value: unknown): readonly Limit[] | null {
  const limits = (Array.isArray(value) ? value : [value]).map(parseLimit);
  return limits.length <= LIMITS_MAX && limits.every((limit) => limit !== null) ? limits : null;
}

function parseLimit(value: unknown): Limit | null {
  const given = typeof value === "number" ? { limit: value } : value;
  if (!hasOnly(given, ["limit", "key", "onLimit"])) return null;
  const { limit, key } = given;
  const onLimit = given.onLimit === undefined ? "queue" : LIMIT_MODES.find((one) => one === given.onLimit);
  if (!isCount(limit) || onLimit === undefined) return null;
  if (key !== undefined && parseKey(key) === null) return null;
  return { limit, key: key === undefined ? null : parseKey(key), onLimit };
}

function parseRates(value: unknown): readonly Rate[] | null {
  const rates = (Array.isArray(value) ? value : [value]).map(parseRate);
  return rates.length <= LIMITS_MAX && rates.every((rate) => rate !== null) ? rates : null;
}

function parseRate(value: unknown): Rate | null {
  if (!hasOnly(value, ["limit", "per", "burst", "key"])) return null;
  const { limit, key, burst = 1 } = value;
  const perMs = tryParseDuration(value.per);
  if (!isCount(limit) || !isCount(burst) || perMs === null || perMs <= 0) return null;
  if (key !== undefined && parseKey(key) === null) return null;
  return { everyMs: perMs / limit, burst, key: key === undefined ? null : parseKey(key) };
}

/** Milliseconds from one to the next, and how many at once, of `{ limit, per, burst? }`; null if it is none. */
export function parsePace(value: unknown): Pick<Rate, "everyMs" | "burst"> | null {
  const rate = parseRate(value);
  return rate === null || rate.key !== null ? null : { everyMs: rate.everyMs, burst: rate.burst };
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 0xffff_ffff; // an integer is a number
}

function hasOnly(value: unknown, names: readonly string[]): value is Record<string, unknown> {
  return isOptions(value) && value !== undefined && Object.keys(value).every((name) => names.includes(name));
}

/** How long results and failures are kept. */
const retainTable = {
  completed: { type: "duration", default: "1d", min: "1s", max: "3650d", sentence: "How long a result is kept." },
  failed: { type: "duration", default: "14d", min: "1s", max: "3650d", sentence: "How long a dead letter is kept." },
} as const satisfies OptionTable;

/** Every option of a Step, once; types, checks and reference docs come from here. */
export const stepTable = {
  kind: {
    type: "string",
    choices: ["async", "blocking"],
    sentence:
      "Whether it runs beside others on an event loop or alone on a thread; by default `async` for an async function.",
  },
  executor: {
    type: "custom",
    expected: "a name (letters, digits, . _ -)",
    parse: (value: unknown) => (isName(value) ? value : null),
    sentence:
      "What runs it: `io` (async Workers), `cpu` (blocking Workers), `process` (a child process) or one of `app.executor`; by default after its kind.",
  },
  queue: {
    type: "custom",
    expected: "a name (letters, digits, . _ -)",
    parse: (value: unknown) => (isName(value) ? value : null),
    sentence: "The Queue its Operations wait in; by default `async`, `blocking` or `process`, after what runs it.",
  },
  priority: { type: "integer", default: 0, min: -1000, max: 1000, sentence: "Larger runs sooner; FIFO among equals." },
  retries: { type: "integer", default: 3, min: 0, max: 1000, sentence: "Extra Attempts after the first." },
  retryDelay: {
    type: "duration",
    default: "1s",
    min: 0,
    max: "365d",
    sentence: "Wait after the first failed Attempt.",
  },
  backoff: {
    type: "custom",
    default: "exponential",
    expected: '"exponential", "linear", "fixed" or a function (failed, error) → duration',
    parse: (value: unknown) =>
      typeof value === "function" || value === "exponential" || value === "linear" || value === "fixed" ? value : null,
    sentence: "How the wait grows with each failed Attempt.",
  },
  backoffFactor: { type: "number", default: 2, min: 1, max: 100, sentence: "Growth of an exponential wait." },
  maxRetryDelay: {
    type: "duration",
    default: "1h",
    min: 0,
    max: "365d",
    sentence: "No wait between Attempts is longer.",
  },
  jitter: { type: "number", default: 0, min: 0, max: 1, sentence: "How much of a wait chance may take away." },
  retryOn: {
    type: "custom",
    expected: "a function (error) → boolean, or a list of error classes, codes and names",
    parse: parseRetryOn,
    sentence: "Which errors are worth another Attempt; by default all but `TerminalError`.",
  },
  onError: {
    type: "custom",
    expected: "a function (error, input) → result",
    parse: isFunction,
    sentence: "Gives the result in place of the last error, when no Attempt is left; what it throws is the error then.",
  },
  timeout: {
    type: "duration",
    default: "5m",
    min: "1ms",
    max: "365d",
    words: ["none"],
    sentence: "How long one Attempt may take.",
  },
  killGrace: {
    type: "duration",
    default: "5s",
    min: 0,
    max: "1h",
    sentence: "Time between the abort signal and giving up on the Attempt.",
  },
  expires: {
    type: "duration",
    min: "1ms",
    max: "3650d",
    sentence:
      "Time from the enqueue in which an Operation must be claimed, or it fails with `MR_EXPIRED`; by default any.",
  },
  deadline: {
    type: "duration",
    min: "1ms",
    max: "3650d",
    sentence:
      "Time from the enqueue in which it must end, all Attempts and waits included, or it fails with `MR_EXPIRED`; by default any.",
  },
  retain: { type: "table", table: retainTable, sentence: "How long what is finished is kept." },
  dedupe: {
    type: "custom",
    expected: "{ key, window?, mode? } with a dotted path in the input or a function (input) → text as key",
    parse: parseDedupe,
    sentence:
      "One Operation at a time per key (`window`: and for so long after its enqueue); `mode`: `return` its handle (default), `reject`, or `replace` it while it waits.",
  },
  debounce: {
    type: "custom",
    expected: "{ key, wait, maxWait? }, maxWait no less than wait",
    parse: parseDebounce,
    sentence:
      "Each waits for `wait`, and one of the same key that comes meanwhile takes its place; no later than `maxWait` after the first of them.",
  },
  order: {
    type: "custom",
    expected: "a dotted path in the input or a function (input) → text",
    parse: parseKey,
    sentence:
      "Operations of one key run one behind another, in the order of their enqueue, through retries and delays; each when the one before has ended.",
  },
  concurrency: {
    type: "custom",
    default: [],
    expected:
      'a number, { limit, key?, onLimit? } or a list of these, each limit an integer of at least 1, onLimit "queue", "skip", "cancel_oldest" or "cancel_newest"',
    parse: parseLimits,
    sentence:
      "How many of its Operations run at once, in all or per key; who waits for a retry does not count. `onLimit`: who meets a full one waits (`queue`, default), ends as skipped (`skip`) or cancelled (`cancel_newest`), or has the oldest cancelled for it (`cancel_oldest`).",
  },
  rate: {
    type: "custom",
    default: [],
    expected: "{ limit, per, burst?, key? } or a list of these",
    parse: parseRates,
    sentence:
      "How many of its Attempts begin in a time, in all or per key, evenly spread; up to `burst` (default 1) at once after a pause.",
  },
  durability: {
    type: "custom",
    expected: DURABILITY_FORM,
    parse: parseDurability,
    sentence: "What the acknowledgement of an enqueue must survive at least; by default the App's.",
  },
  batch: {
    type: "custom",
    expected: "{ maxSize, wait, key? } with 1 to 1,000 Operations and a wait of 10 minutes at most",
    parse: parseBatch,
    sentence:
      "For `app.batchStep`: up to `maxSize` Operations, per key, share one call, which waits for `wait` after the first of them.",
  },
  fair: {
    type: "custom",
    expected: "{ key, weight? } with a dotted path in the input or a function (input) → text as key",
    parse: parseFair,
    sentence:
      "Keys take turns, however much waits of each; one whose `weight` (a function of the key, default 1) is 2 is served twice as often.",
  },
  input: {
    type: "custom",
    expected: "a Standard Schema",
    parse: isSchema,
    sentence: "Checks every input at submission.",
  },
  output: {
    type: "custom",
    expected: "a Standard Schema",
    parse: isSchema,
    sentence: "Checks every result before it is recorded.",
  },
} as const satisfies OptionTable;

/** How many Operations of a Step run at once: in all, or with a key for each key. `onLimit` default `queue`. */
export type LimitOption<I> = number | { readonly limit: number; readonly key?: KeyOf<I>; readonly onLimit?: LimitMode };

/** How many Attempts of a Step begin in a time. `burst` default 1: evenly spread. */
export interface RateOption<I> {
  readonly limit: number;
  readonly per: Duration;
  readonly burst?: number;
  readonly key?: KeyOf<I>;
}

/** Options of a Step as users write them. See docs/reference/options.md. */
export interface StepOptions<I = never> {
  readonly kind?: "async" | "blocking";
  /** `"io"`, `"cpu"`, `"process"` or one registered before by `app.executor`; default after `kind`. */
  readonly executor?: string;
  readonly queue?: string;
  /** -1000…1000, larger runs sooner, default 0. */
  readonly priority?: number;
  /** Extra Attempts, default 3. */
  readonly retries?: number;
  /** Wait after the first failed Attempt, default 1 s. */
  readonly retryDelay?: Duration;
  readonly backoff?: Backoff;
  /** Default 2. */
  readonly backoffFactor?: number;
  /** Default 1 h. */
  readonly maxRetryDelay?: Duration;
  /** 0…1, default 0. */
  readonly jitter?: number;
  /** A function, or a list of error classes, codes and names: `[TimeoutError, "ECONNRESET"]`. */
  readonly retryOn?: RetryOn;
  /**
   * Called when no Attempt is left, in place of failing; may return a promise. Not for what was cancelled, timed out or
   * lost with its Worker: there nobody waits for it any more.
   */
  onError?(error: Error, input: unknown): unknown;
  /** Per Attempt, default 5 min. */
  readonly timeout?: Duration | "none";
  /** Default 5 s. */
  readonly killGrace?: Duration;
  /** From the enqueue to the first claim; later it fails with MR_EXPIRED. Default: any time. */
  readonly expires?: Duration;
  /** From the enqueue to the end, over all Attempts; then it fails with MR_EXPIRED. Default: any time. */
  readonly deadline?: Duration;
  /** Defaults 1 d and 14 d. */
  readonly retain?: { readonly completed?: Duration; readonly failed?: Duration };
  /** One Operation at a time per key, within `window` after its enqueue too. `mode` default `"return"`. */
  readonly dedupe?: {
    readonly key: KeyOf<I>;
    readonly window?: Duration;
    readonly mode?: "return" | "reject" | "replace";
  };
  /** Each waits for `wait`; one of the same key that comes meanwhile takes its place. Not together with `dedupe`. */
  readonly debounce?: { readonly key: KeyOf<I>; readonly wait: Duration; readonly maxWait?: Duration };
  /** Operations of one key run one behind another, in the order of their enqueue. */
  readonly order?: KeyOf<I>;
  /** How many run at once, in all or per key. */
  readonly concurrency?: LimitOption<I> | readonly LimitOption<I>[];
  /** How many Attempts begin in a time, in all or per key. */
  readonly rate?: RateOption<I> | readonly RateOption<I>[];
  /** What the acknowledgement of an enqueue must survive; default the App's. */
  readonly durability?: Durability;
  /** Keys take turns, however much waits of each; by their weights, default 1. */
  readonly fair?: { readonly key: KeyOf<I>; readonly weight?: (key: string) => number };
  readonly input?: StandardSchemaV1;
  readonly output?: StandardSchemaV1;
}

/** Options of a batch Step. */
export interface BatchStepOptions<I = never> extends StepOptions<I> {
  /** Up to `maxSize` (1…1,000) Operations share one call, which waits for `wait` (10 min at most) after the first. */
  readonly batch: { readonly maxSize: number; readonly wait: Duration; readonly key?: KeyOf<I> };
}

/** A Step as the engine room needs it: all defaults filled in, durations in milliseconds. */
export interface StepDefinition {
  readonly name: string;
  readonly kind: "async" | "blocking";
  /** "io", "cpu", "process" or one the App registered. */
  readonly executor: string;
  readonly queue: string;
  readonly priority: number;
  readonly retries: number;
  readonly backoff: BackoffPolicy;
  readonly retryOn: RetryFilter | null;
  readonly onError: ((error: Error, input: unknown) => unknown) | null;
  /** Infinity for none. */
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  /** Null for any time. */
  readonly expiresMs: number | null;
  readonly deadlineMs: number | null;
  readonly retainCompletedMs: number;
  readonly retainFailedMs: number;
  readonly dedupe: Dedupe | null;
  readonly debounce: Debounce | null;
  readonly order: KeyOf | null;
  readonly concurrency: readonly Limit[];
  readonly rate: readonly Rate[];
  readonly fair: Fair | null;
  /** Whether any of these is there: then its Operations have ties that must meet those of others. */
  readonly isTied: boolean;
  /** Whether they have a time to expire or a deadline: a tie that meets nobody's. */
  readonly isTimed: boolean;
  /** What an enqueue's acknowledgement must survive; null: what the App says. */
  readonly durability: Durability | null;
  /** Null unless it is a batch Step. */
  readonly batch: Batch | null;
  /** What a batch Step calls; `fn` is a batch of one then. */
  readonly batchFn: BatchFunction<unknown, unknown> | null;
  readonly input: StandardSchemaV1 | null;
  readonly output: StandardSchemaV1 | null;
  readonly fn: StepFunction<unknown, unknown>;
}

/** What a Step says of ties and batches that has none. */
export const UNTIED = {
  dedupe: null,
  debounce: null,
  order: null,
  concurrency: [],
  rate: [],
  fair: null,
  isTied: false,
  batch: null,
  batchFn: null,
  expiresMs: null,
  deadlineMs: null,
  isTimed: false,
} as const satisfies Partial<StepDefinition>;

/** The Workers Operations need: async or blocking threads, or child processes. */
export type PoolKind = "async" | "blocking" | "process";

/** Tells which Workers run a Step. */
export function poolOf(step: Pick<StepDefinition, "kind" | "executor">): PoolKind {
  return step.executor === "process" ? "process" : step.kind;
}

/**
 * Checks a Step's name, options and function and fills in defaults. `executors`: those its App knows by now.
 *
 * Errors: MR_INVALID_NAME, MR_INVALID_OPTION, MR_UNKNOWN_EXECUTOR.
 */
export function defineStep(
  name: string,
  options: unknown,
  fn: unknown,
  defaults: unknown,
  executors = new Executors(),
  isBatch = false,
): StepDefinition {
  checkName(name, "Step");
  if (typeof fn !== "function") {
    const problem = `expected a function as the Step's work, got ${show(fn)}`;
    throw createError("MR_INVALID_OPTION", { path: `step ${name}`, problem });
  }
  const path = `step ${name}`;
  // Defaults are themselves a partial table of options, checked once when the App was made.
  const given = isOptions(options) && isOptions(defaults) ? { ...defaults, ...options } : options;
  const resolved: Resolved<typeof stepTable> = resolveOptions(stepTable, given, path);
  if (resolved.dedupe !== undefined && resolved.debounce !== undefined) {
    const problem = "give either `dedupe` or `debounce`, not both: an Operation holds one key";
    throw createError("MR_INVALID_OPTION", { path: `${path}.debounce`, problem });
  }
  if (isBatch !== (resolved.batch !== undefined)) {
    const problem = isBatch ? "a batch Step needs it" : "only Steps of app.batchStep have it";
    throw createError("MR_INVALID_OPTION", { path: `${path}.batch`, problem });
  }
  const isAsync = Object.prototype.toString.call(fn) === "[object AsyncFunction]";
  const { kind, executor } = runnerOf(path, resolved.kind, resolved.executor, isAsync, executors);
  if (isBatch && !BUILT_IN_EXECUTORS.has(executor)) {
    const problem = "an executor of your own runs single calls, not those of a batch Step";
    throw createError("MR_INVALID_OPTION", { path: `${path}.executor`, problem });
  }
  return {
    name,
    kind,
    executor,
    queue: resolved.queue ?? poolOf({ kind, executor }),
    priority: resolved.priority,
    retries: resolved.retries,
    backoff: {
      retryDelayMs: resolved.retryDelay,
      backoff: resolved.backoff as Backoff, // the row's parse lets nothing else through
      factor: resolved.backoffFactor,
      maxRetryDelayMs: resolved.maxRetryDelay,
      jitter: resolved.jitter,
    },
    retryOn: (resolved.retryOn as RetryFilter | undefined) ?? null, // by the row's parse
    onError: (resolved.onError as StepDefinition["onError"] | undefined) ?? null, // a function, by the row's parse
    timeoutMs: resolved.timeout === "none" ? Number.POSITIVE_INFINITY : resolved.timeout,
    killGraceMs: resolved.killGrace,
    expiresMs: resolved.expires ?? null,
    deadlineMs: resolved.deadline ?? null,
    isTimed: resolved.expires !== undefined || resolved.deadline !== undefined,
    retainCompletedMs: resolved.retain.completed,
    retainFailedMs: resolved.retain.failed,
    dedupe: resolved.dedupe ?? null,
    debounce: resolved.debounce ?? null,
    order: resolved.order ?? null,
    concurrency: resolved.concurrency,
    rate: resolved.rate,
    fair: resolved.fair ?? null,
    isTied:
      resolved.dedupe !== undefined ||
      resolved.debounce !== undefined ||
      resolved.order !== undefined ||
      resolved.fair !== undefined ||
      resolved.concurrency.length + resolved.rate.length > 0,
    durability: resolved.durability ?? null,
    batch: resolved.batch ?? null,
    batchFn: isBatch ? (fn as BatchFunction<unknown, unknown>) : null, // checked above; its types are the caller's promise
    input: (resolved.input as StandardSchemaV1 | undefined) ?? null, // a schema, by the row's parse
    output: (resolved.output as StandardSchemaV1 | undefined) ?? null,
    fn: isBatch ? singly(name, fn as BatchFunction<unknown, unknown>) : (fn as StepFunction<unknown, unknown>), // likewise
  };
}

/** Kind and executor say the same in two ways; either may be left out, and they must not contradict each other. */
function runnerOf(
  path: string,
  kind: StepDefinition["kind"] | undefined,
  executor: string | undefined,
  isAsync: boolean,
  executors: Executors,
): Pick<StepDefinition, "kind" | "executor"> {
  if (executor === undefined) {
    const chosen = kind ?? (isAsync ? "async" : "blocking");
    return { kind: chosen, executor: chosen === "async" ? "io" : "cpu" };
  }
  executors.check(executor);
  const fits = BUILT_IN_EXECUTORS.get(executor) ?? "async";
  if (kind !== undefined && kind !== fits) {
    const problem = `${show(executor)} runs Steps of kind "${fits}": leave out \`kind\`, or choose another executor`;
    throw createError("MR_INVALID_OPTION", { path: `${path}.executor`, problem });
  }
  return { kind: fits, executor };
}

function isOptions(value: unknown): value is Record<string, unknown> {
  return value === undefined || (typeof value === "object" && value !== null);
}
