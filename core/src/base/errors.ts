/**
 * Every error Millrace's core raises: one table (code, template, whether a repeat can help), the class
 * MillraceError with its few public subclasses, and the plain record in which an error crosses threads,
 * processes and the store. Nothing else in core extends Error. Docs and types come from the table.
 * Must not import: anything.
 */

/** One row of an error table. `{name}` in the template is a slot that the thrower must fill. */
export interface ErrorRow {
  readonly template: string;
  /** True when the same call, repeated later and unchanged, may succeed. */
  readonly retryable: boolean;
}

/** The error table of core. A code is never renumbered or reused; reference docs are generated from here. */
export const errorTable = {
  MR_APP_CLOSED: { template: "App {app} is closed: {method} is not possible any more", retryable: false },
  MR_APP_STATE: { template: "App {app} is {state}: {method} needs it to be {expected}", retryable: false },
  MR_BATCH_RESULT: {
    template: "batch Step `{step}` must answer with a list of {count}, one element for each input, and gave {got}",
    retryable: false,
  },
  MR_COMPAT_UNSUPPORTED: { template: "{what} is not offered by the BullMQ door: {instead}", retryable: false },
  MR_CONFLICT: { template: "{what} {id} already exists with other content", retryable: false },
  MR_CONTRACT_BROKEN: { template: "{what} breaks its contract: {problem}", retryable: false },
  MR_DECODE: {
    template: "stored bytes are not a Millrace payload: {reason} at byte {at} of {bytes}",
    retryable: false,
  },
  MR_DEPTH: { template: "nesting of Units is limited to {max}, {unit} would be deeper", retryable: false },
  MR_DUPLICATE_NAME: { template: "{kind} `{name}` is declared twice", retryable: false },
  MR_DURABILITY_UNAVAILABLE: {
    template: "durability {asked} was asked for, this store gives at most {available}",
    retryable: false,
  },
  MR_EXPIRED: { template: "Operation was not {what} of its enqueue", retryable: false },
  MR_FORBIDDEN: { template: "{who} may not {action} {what}", retryable: false },
  MR_IDEMPOTENCY_MISMATCH: {
    template: "idempotency key `{key}` was used before with another input, by {id}",
    retryable: false,
  },
  MR_ILLEGAL_TRANSITION: { template: "{kind} {id} is {from}: it cannot become {to}", retryable: false },
  MR_INDETERMINATE: {
    template: "{call} got no answer from the store and may or may not have been applied; repeat it with id {id}",
    retryable: true,
  },
  MR_INVALID_INPUT: { template: "input of {target} does not match its schema: {issues}", retryable: false },
  MR_INVALID_NAME: {
    template:
      "{kind} name {name} is not allowed: expected 1 to 128 of A-Z a-z 0-9 . _ -, the first a letter or digit, and no name every object has",
    retryable: false,
  },
  MR_INVALID_OPTION: { template: "{path}: {problem}", retryable: false },
  MR_INVARIANT: { template: "broken invariant, please report it: {statement}", retryable: false },
  MR_KEY_HELD: { template: "key `{key}` is held by Operation {id}", retryable: true },
  MR_MODULE_REQUIRED: {
    template: "Step `{step}` runs on a Worker thread, which needs the App option `module` (usually import.meta.url)",
    retryable: false,
  },
  MR_MODULE_FAILED: { template: "module {module} cannot be run by a Worker: {reason}", retryable: false },
  MR_NODE_TAKEN: {
    template: "Node name `{node}` is in use by process {owner} on {host}: name this one otherwise, or take it over",
    retryable: true,
  },
  MR_NOT_FOUND: { template: "{kind} {id} is not known here", retryable: false },
  MR_NOT_SERIALISABLE: { template: "{path} cannot be stored: {reason}", retryable: false },
  MR_OPERATION_CANCELLED: { template: "Operation {id} was cancelled: {reason}", retryable: false },
  MR_OPERATION_FAILED: { template: "Operation {id} failed after {attempts} Attempt(s): {reason}", retryable: false },
  MR_POISON: { template: "Operation {id} lost its Worker {recoveries} times and is not tried again", retryable: false },
  MR_PRUNED: { template: "{kind} {id} is past its retention and was deleted", retryable: false },
  MR_QUEUE_FULL: { template: "Queue `{queue}` holds its maximum of {max} Operations", retryable: true },
  MR_QUOTA: {
    template: "store {store} uses {used} of {max} MiB: new work is refused until there is room{hint}",
    retryable: true,
  },
  MR_RESULT_NOT_SERIALISABLE: { template: "result of {step} cannot be stored: {reason}", retryable: false },
  MR_RETRY_AFTER: { template: "asked to be tried again after {delayMs} ms", retryable: true },
  MR_RING_BROKEN: {
    template: "a ring holds what no Worker writes (frame {sequence}, length {length}): its Worker is replaced",
    retryable: true,
  },
  MR_SEALED: { template: "payload of {what} cannot be opened: {reason}", retryable: false },
  MR_STEP_IN_USE: {
    template:
      "Step `{name}` has work that has not ended ({id} is {state}): wait for its end, or leave it where it is with `force`",
    retryable: true,
  },
  MR_STORE_CORRUPT: { template: "store {store} is damaged: {reason}", retryable: false },
  MR_STORE_FULL: { template: "store {store} has no room left: {reason}", retryable: true },
  MR_STORE_LOCKED: { template: "store {store} is in use by process {owner}", retryable: true },
  MR_STORE_UNAVAILABLE: { template: "store {store} cannot be reached: {reason}", retryable: true },
  MR_STORE_UNSAFE: { template: "store {store} is not safe for a queue: {reason}", retryable: false },
  MR_STORE_URL: {
    template: "store {store} is not understood: {reason}",
    retryable: false,
  },
  MR_STORE_VERSION: { template: "store {store} has {what} {found}, this Millrace needs {expected}", retryable: false },
  MR_SYNC_DEADLOCK: { template: "{call} would wait for work that only this blocked thread can do", retryable: false },
  MR_TERMINAL: { template: "{reason}", retryable: false },
  MR_TIMEOUT: { template: "{what} did not end within {timeoutMs} ms", retryable: true },
  MR_TOO_LARGE: { template: "{path} takes at least {bytes} bytes, allowed are {bytesMax}", retryable: false },
  MR_UNKNOWN_EXECUTOR: {
    template: "no executor is called `{name}`{hint} (known here: {known}; register one before the Steps that name it)",
    retryable: false,
  },
  MR_UNKNOWN_TARGET: { template: "no Step or Workflow is called `{name}`{hint}", retryable: false },
  MR_WORKER_LOST: {
    template: "the Worker that ran Attempt {attempt} of {id} ended: {reason}",
    retryable: true,
  },
  MR_WORKERS_NOT_READY: {
    template: "{count} Worker(s) were not ready within {timeoutMs} ms: {workers}",
    retryable: true,
  },
  MR_WAIT_TIMEOUT: { template: "Operation {id} is still going on after {timeoutMs} ms of waiting", retryable: true },
} as const satisfies Record<string, ErrorRow>;

/** A code of core's error table. */
export type ErrorCode = keyof typeof errorTable;

/** The slot names of a template, as a union: `"{a} of {b}"` → `"a" | "b"`. */
export type Slots<Template extends string> = Template extends `${string}{${infer Slot}}${infer Rest}`
  ? Slot | Slots<Rest>
  : never;

/** What fills the slots of a template; anything can, and is shown safely. */
export type SlotValues<Template extends string> = { readonly [Slot in Slots<Template>]: unknown };

/** What an error carries beside its message. `details` default to the values that filled the template. */
export interface ErrorExtras {
  readonly cause?: unknown;
  readonly details?: Readonly<Record<string, unknown>>;
}

const BRAND = Symbol.for("MillraceError");
const DOCS = "docs/reference/errors.md";

/** What a MillraceError is made of. */
export interface ErrorParts extends ErrorExtras {
  readonly code: string;
  readonly message: string;
  readonly retryable: boolean;
}

/**
 * The class of all errors that Millrace raises on purpose.
 *
 * Recognise one with `isMillraceError`, not with `instanceof`: the mark also holds for a second installed copy
 * of the package. `details` are the values named in the message; `docs` is where the code is explained.
 */
export class MillraceError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(parts: ErrorParts) {
    super(parts.message, "cause" in parts ? { cause: parts.cause } : undefined);
    this.code = parts.code;
    this.retryable = parts.retryable;
    this.details = parts.details ?? {};
    Object.defineProperty(this, "name", { value: new.target.name, configurable: true, writable: true });
    Object.defineProperty(this, BRAND, { value: true });
    Object.defineProperty(this, Symbol.for(parts.code), { value: true });
  }

  /** Where this code is explained, relative to the repository. */
  get docs(): string {
    return `${DOCS}#${this.code.toLowerCase()}`;
  }
}

/** Raised by `result()` when the Operation failed for good; `cause` is the remote error with its remote stack. */
export class OperationFailed extends MillraceError {
  readonly attempts: number;
  readonly remote: RemoteError;

  constructor(end: { readonly id: string; readonly attempts: number; readonly remote: RemoteError }) {
    const reason = `${end.remote.name}: ${end.remote.message}`;
    const details = { id: end.id, attempts: end.attempts, reason };
    super(partsOf("MR_OPERATION_FAILED", details, { cause: fromRemoteError(end.remote) }));
    this.attempts = end.attempts;
    this.remote = end.remote;
  }
}

/** Raised by `result()` when the Operation was cancelled or skipped. */
export class OperationCancelled extends MillraceError {
  readonly reason: string;

  constructor(end: { readonly id: string; readonly reason: string }) {
    super(partsOf("MR_OPERATION_CANCELLED", end));
    this.reason = end.reason;
  }
}

/** Raised when a wait ends before the work does; the work goes on. */
export class WaitTimeout extends MillraceError {
  readonly timeoutMs: number;

  constructor(wait: { readonly id: string; readonly timeoutMs: number }) {
    super(partsOf("MR_WAIT_TIMEOUT", wait));
    this.timeoutMs = wait.timeoutMs;
  }
}

/** Thrown by user code: this Operation fails at once, whatever retries it has left. */
export class TerminalError extends MillraceError {
  constructor(message: string, options: { readonly cause?: unknown } = {}) {
    super(partsOf("MR_TERMINAL", { reason: message }, options));
  }
}

/**
 * Thrown by user code: run this Operation again after `delay`, without spending an Attempt.
 *
 * `delay` is milliseconds or a duration like `"30s"`; it is kept as given and read where it is caught, so that a
 * bad one fails the Operation with a clear message instead of hiding this error.
 */
export class RetryAfter extends MillraceError {
  readonly delay: number | string;

  constructor(delay: number | string, options: { readonly cause?: unknown } = {}) {
    super({
      ...partsOf("MR_RETRY_AFTER", { delayMs: delay }, options),
      message: `asked to be tried again after ${typeof delay === "number" ? `${delay} ms` : delay}`,
    });
    this.delay = delay;
  }
}

/** Makes errors of one table; each package has one table and one such function. */
export function errorFactory<const Table extends Record<string, ErrorRow>>(table: Table) {
  return function create<Code extends keyof Table & string>(
    code: Code,
    values: SlotValues<Table[Code]["template"]>,
    extras: ErrorExtras = {},
  ): MillraceError {
    return new MillraceError(fill(code, table[code] as ErrorRow, values, extras)); // every Code is a key of the table
  };
}

/** Makes an error of core's table: `createError("MR_NOT_FOUND", { kind: "Operation", id })`. */
export const createError = errorFactory(errorTable);

/**
 * Tells whether a value is an error of Millrace, and of this code if one is given.
 *
 * Holds across copies of the package; never throws, whatever the value.
 */
export function isMillraceError<Code extends string = string>(
  value: unknown,
  code?: Code,
): value is MillraceError & { readonly code: Code } {
  if (typeof value !== "object" || value === null) return false;
  return read(value, BRAND) === true && (code === undefined || read(value, Symbol.for(code)) === true);
}

/** An error as a plain record of bounded size, fit for any codec. Absent keys were absent. */
export interface RemoteError {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly stack?: string;
  readonly cause?: RemoteError;
}

/** Longest message and stack kept in a RemoteError, in UTF-16 units. */
export const REMOTE_TEXT_MAX = 8 * 1024;
const REMOTE_NAME_MAX = 256;
const REMOTE_CAUSES_MAX = 8;

/**
 * Turns anything that was thrown into a RemoteError.
 *
 * Never throws: a getter or Proxy that does is treated as absent. Texts are cut to REMOTE_TEXT_MAX, chains of
 * causes to eight. A thrown value that is no object keeps its text, under the name of its type.
 */
export function toRemoteError(thrown: unknown): RemoteError {
  return describe(thrown, REMOTE_CAUSES_MAX);
}

function describe(thrown: unknown, causesLeft: number): RemoteError {
  if ((typeof thrown !== "object" && typeof thrown !== "function") || thrown === null) {
    return { name: thrown === null ? "null" : typeof thrown, message: cut(show(thrown, "bare"), REMOTE_TEXT_MAX) };
  }
  const name = readText(thrown, "name") ?? "Error";
  const message = readText(thrown, "message") ?? show(thrown);
  const code = readText(thrown, "code");
  const stack = readText(thrown, "stack");
  const cause = read(thrown, "cause");
  return {
    name: cut(name === "" ? "Error" : name, REMOTE_NAME_MAX),
    message: cut(message, REMOTE_TEXT_MAX),
    ...(code === undefined ? {} : { code: cut(code, REMOTE_NAME_MAX) }),
    ...(stack === undefined ? {} : { stack: cut(stack, REMOTE_TEXT_MAX) }),
    ...(cause === undefined || cause === null || causesLeft === 0 ? {} : { cause: describe(cause, causesLeft - 1) }),
  };
}

/**
 * Rebuilds an Error from a RemoteError: its name and message, the stack of where it was thrown, its causes.
 *
 * One whose code is in core's table is a MillraceError again. Fields of the wrong type are ignored, since the
 * record may come from another version.
 */
export function fromRemoteError(remote: RemoteError): Error {
  return rebuild(remote, REMOTE_CAUSES_MAX);
}

function rebuild(remote: RemoteError, causesLeft: number): Error {
  const { name, message, code, stack, cause } = remote;
  const text = String(message);
  const inner =
    typeof cause === "object" && cause !== null && causesLeft > 0 ? { cause: rebuild(cause, causesLeft - 1) } : {};
  const row = typeof code === "string" && Object.hasOwn(errorTable, code) ? errorTable[code as ErrorCode] : null; // hasOwn
  const error =
    row === null || code === undefined
      ? new Error(text, inner)
      : new MillraceError({ code, message: text, retryable: row.retryable, ...inner });
  const extras: Record<string, unknown> = { name: String(name) };
  extras.stack = typeof stack === "string" ? stack : `${String(name)}: ${text}\n    (no remote stack)`;
  if (row === null && typeof code === "string") extras.code = code;
  for (const [key, value] of Object.entries(extras)) {
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: key === "code" });
  }
  return error;
}

/**
 * Shows any value in at most 120 characters, for messages.
 *
 * Never throws and never calls code of the value's own. Texts are quoted, unless `texts` is `"bare"`.
 */
export function show(value: unknown, texts: "quoted" | "bare" = "quoted"): string {
  switch (typeof value) {
    case "string":
      return texts === "bare" ? value : cut(JSON.stringify(value), SHOWN_MAX);
    case "bigint":
      return cut(`${value}n`, SHOWN_MAX);
    case "function":
      return "a function";
    case "object":
      return value === null ? "null" : showObject(value);
    default:
      return cut(String(value), SHOWN_MAX);
  }
}

const SHOWN_MAX = 120;

function showObject(value: object): string {
  try {
    if (Array.isArray(value)) return `an array of ${value.length}`;
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype === null) return "an object";
    const made: unknown = Object.getOwnPropertyDescriptor(prototype, "constructor")?.value;
    const name = typeof made === "function" ? Object.getOwnPropertyDescriptor(made, "name")?.value : undefined;
    return typeof name === "string" && name !== "" && name !== "Object" ? cut(`a ${name}`, SHOWN_MAX) : "an object";
  } catch {
    return "an object that cannot be read"; // a revoked or hostile Proxy
  }
}

function partsOf<Code extends ErrorCode>(
  code: Code,
  values: SlotValues<(typeof errorTable)[Code]["template"]>,
  extras: ErrorExtras = {},
): ErrorParts {
  return fill(code, errorTable[code], values, extras);
}

function fill(code: string, row: ErrorRow, values: Readonly<Record<string, unknown>>, extras: ErrorExtras): ErrorParts {
  const message = row.template.replace(/\{(\w+)\}/g, (_, slot: string) => show(values[slot], "bare"));
  return { code, message, retryable: row.retryable, details: values, ...extras };
}

/** Reads one property; what throws counts as absent. */
function read(value: object, key: string | symbol): unknown {
  try {
    return (value as Record<string | symbol, unknown>)[key]; // any object can be read by any key
  } catch {
    return undefined;
  }
}

function readText(value: object, key: string): string | undefined {
  const found = read(value, key);
  return typeof found === "string" ? found : undefined;
}

function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  // toWellFormed mends a pair cut in half; it also flattens the text, so that 8 KiB do not keep 10 MB alive.
  return `${text.slice(0, max - 1)}…`.toWellFormed();
}
