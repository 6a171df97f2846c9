/**
 * What a module declares, as data: the App's options and its Steps. A Worker reports it, so that a main thread that
 * never imports user code still knows which Queues to claim from, what to enqueue and what an option says.
 */
import { invariant } from "../base/assert.js";
import type { BackoffPolicy } from "../base/backoff.js";
import { type StepDefinition, UNTIED } from "../workflow/step.js";

/** A Step without its functions. Times in milliseconds, Infinity for none. */
export interface StepRow {
  readonly name: string;
  readonly kind: "async" | "blocking";
  /** "io", "cpu", "process", or one the App registered. */
  readonly executor: string;
  readonly queue: string;
  readonly priority: number;
  readonly retries: number;
  /** Null when it is, or holds, a function. */
  readonly backoff: BackoffPolicy | null;
  readonly timeoutMs: number;
  readonly killGraceMs: number;
  readonly retainCompletedMs: number;
  readonly retainFailedMs: number;
  /** Null unless it is a batch Step. Its keys are read where its Operations are enqueued. */
  readonly batch: { readonly maxSize: number; readonly waitMs: number } | null;
  /** Null for any time. */
  readonly expiresMs: number | null;
  readonly deadlineMs: number | null;
  /** It has keys, an order, limits or turns: what those are read from is known only where its function is. */
  readonly isTied: boolean;
  readonly hasRetryOn: boolean;
  readonly hasInput: boolean;
  readonly hasOutput: boolean;
}

/** What a module declares; structured-clone data. */
export interface Manifest {
  readonly app: {
    readonly id: string;
    /** Its resolved options without functions, loggers and schemas: fit for `new App(options)`. Times in ms. */
    readonly options: Readonly<Record<string, unknown>>;
  };
  readonly steps: readonly StepRow[];
}

/** Makes the manifest of an App. */
export function manifestOf(id: string, options: object, steps: readonly StepDefinition[]): Manifest {
  return { app: { id, options: dataOf(options) }, steps: steps.map(rowOf) };
}

/** A Step as the main thread needs it, which never runs it: its function throws MR_INVARIANT. */
export function stepFromManifest(row: StepRow): StepDefinition {
  return {
    name: row.name,
    kind: row.kind,
    executor: row.executor,
    queue: row.queue,
    priority: row.priority,
    retries: row.retries,
    backoff: row.backoff ?? UNKNOWN_BACKOFF,
    retryOn: null,
    onError: null,
    timeoutMs: row.timeoutMs,
    killGraceMs: row.killGraceMs,
    retainCompletedMs: row.retainCompletedMs,
    retainFailedMs: row.retainFailedMs,
    ...UNTIED, // what enqueues here has the Step itself
    durability: null,
    batch: row.batch === null ? null : { ...row.batch, key: null },
    input: null,
    output: null,
    fn: () => invariant(false, "a Step known from a manifest runs in Workers only", { step: row.name }),
  };
}

function rowOf(step: StepDefinition): StepRow {
  const { name, kind, executor, queue, priority, retries, backoff } = step;
  const { timeoutMs, killGraceMs, retainCompletedMs, retainFailedMs, batch } = step;
  return {
    ...{ name, kind, executor, queue, priority, retries },
    backoff: typeof backoff.backoff === "function" ? null : { ...backoff },
    ...{ timeoutMs, killGraceMs, retainCompletedMs, retainFailedMs },
    batch: batch === null ? null : { maxSize: batch.maxSize, waitMs: batch.waitMs },
    ...{ expiresMs: step.expiresMs, deadlineMs: step.deadlineMs, isTied: step.isTied },
    hasRetryOn: step.retryOn !== null,
    hasInput: step.input !== null,
    hasOutput: step.output !== null,
  };
}

/** Stands where a Step has a backoff function: Workers judge errors, the main thread never does. */
const UNKNOWN_BACKOFF: BackoffPolicy = { retryDelayMs: 0, backoff: "fixed", factor: 1, maxRetryDelayMs: 0, jitter: 0 };

/** Texts, numbers, yes or no, lists and plain records of them; everything else is left out. */
function dataOf(value: object): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(value)) {
    const kept = partOf(part);
    if (kept !== undefined) data[key] = kept;
  }
  return data;
}

function partOf(part: unknown): unknown {
  if (typeof part === "string" || typeof part === "number" || typeof part === "boolean" || part === null) return part;
  if (Array.isArray(part)) return part.map(partOf).filter((one) => one !== undefined);
  if (typeof part !== "object") return undefined;
  const prototype: unknown = Object.getPrototypeOf(part);
  const isPlain = prototype === null || prototype === Object.prototype;
  return isPlain && !("~standard" in part) ? dataOf(part) : undefined;
}
