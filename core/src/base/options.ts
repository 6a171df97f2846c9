/**
 * Option tables: one row per option, from which come its type, default, bounds, the refusal of what is unknown or
 * wrong, and its line in the reference docs. Resolving happens once, at the edge; what comes out is frozen.
 * Rules between two options are one function below the table that needs them, not part of the table.
 */
import { DURATION_FORM, type Duration, formatDuration, tryParseDuration } from "./duration.js";
import { createError, show } from "./errors.js";

interface RowBase {
  /** One sentence for the reference docs. */
  readonly sentence: string;
  /** Environment variable that sets it where configuration is loaded; resolving does not read it. */
  readonly env?: string;
  /** True if leaving it out is an error. */
  readonly required?: boolean;
}

/** A length of time; resolves to milliseconds, or to one of `words` ("none"). */
export interface DurationRow extends RowBase {
  readonly type: "duration";
  readonly default?: Duration | string;
  readonly min?: Duration;
  readonly max?: Duration;
  readonly words?: readonly string[];
}

/** A number; `integer` refuses fractions. `min` and `max` are allowed values themselves. */
export interface NumberRow extends RowBase {
  readonly type: "integer" | "number";
  readonly default?: number;
  readonly min?: number;
  readonly max?: number;
  readonly unit?: string;
}

/** Yes or no. */
export interface BooleanRow extends RowBase {
  readonly type: "boolean";
  readonly default?: boolean;
}

/** A text; with `choices`, one of them. */
export interface StringRow extends RowBase {
  readonly type: "string";
  readonly default?: string;
  readonly choices?: readonly string[];
}

/** A further table of options below this one; always resolved, so that its defaults are there. */
export interface TableRow extends RowBase {
  readonly type: "table";
  readonly table: OptionTable;
}

/**
 * Anything else. `parse` returns the value to keep, or null if it is not allowed; `expected` says in the message
 * what is. The type of the option is what `parse` returns.
 */
export interface CustomRow extends RowBase {
  readonly type: "custom";
  readonly default?: unknown;
  readonly expected: string;
  readonly parse: (value: unknown) => unknown;
}

/** One option. */
export type OptionRow = DurationRow | NumberRow | BooleanRow | StringRow | TableRow | CustomRow;

/** Options by name. Write a table with `as const satisfies OptionTable`, so that its types can be inferred. */
export type OptionTable = { readonly [name: string]: OptionRow };

type WordsOf<Row> = Row extends { words: readonly (infer Word)[] } ? Word : never;
type ResolvedValue<Row> = Row extends { type: "duration" }
  ? number | WordsOf<Row>
  : Row extends { type: "integer" | "number" }
    ? number
    : Row extends { type: "boolean" }
      ? boolean
      : Row extends { type: "string" }
        ? Row extends { choices: readonly (infer Choice)[] }
          ? Choice
          : string
        : Row extends { type: "table"; table: infer Table extends OptionTable }
          ? Resolved<Table>
          : Row extends { type: "custom"; parse: (value: never) => infer Value }
            ? Exclude<Value, null>
            : never;
type GivenValue<Row> = Row extends { type: "duration" }
  ? Duration | WordsOf<Row>
  : Row extends { type: "table"; table: infer Table extends OptionTable }
    ? Given<Table>
    : ResolvedValue<Row>;

type Always<Table> = {
  [Name in keyof Table]: Table[Name] extends { default: unknown } | { required: true } | { type: "table" }
    ? Name
    : never;
}[keyof Table];

/** What a user writes for a table: every option may be left out. */
export type Given<Table extends OptionTable> = { readonly [Name in keyof Table]?: GivenValue<Table[Name]> };

/** What comes out: options with a default are always there, others only if given. */
export type Resolved<Table extends OptionTable> = {
  readonly [Name in Always<Table>]: ResolvedValue<Table[Name]>;
} & { readonly [Name in Exclude<keyof Table, Always<Table>>]?: ResolvedValue<Table[Name]> };

/**
 * Checks what was given against its table and returns it with defaults filled in, frozen.
 *
 * `path` stands before the option's name in messages ("step charge"). A key that is present but undefined counts
 * as left out, as plain JavaScript callers expect. The first problem found is thrown.
 *
 * Errors: MR_INVALID_OPTION naming path, value and what is allowed; for an unknown key the nearest known one.
 */
export function resolveOptions<const Table extends OptionTable>(
  table: Table,
  given: unknown,
  path: string,
): Resolved<Table> {
  if (given !== undefined && !isRecord(given)) {
    throw refuse(path, `expected an object of options, got ${show(given)}`, given);
  }
  const known = given ?? {};
  for (const key of Object.keys(known)) {
    if (!Object.hasOwn(table, key)) throw unknownKey(table, key, path, known[key]);
  }
  const resolved: Record<string, unknown> = {};
  for (const [name, row] of Object.entries(table)) {
    const value = resolveOne(row, Object.hasOwn(known, name) ? known[name] : undefined, `${path}.${name}`);
    if (value !== undefined) resolved[name] = value;
  }
  return Object.freeze(resolved) as Resolved<Table>; // every row was resolved by its own type
}

/** Says what a row allows: `an integer 1…64`, `one of "a", "b"`. Used in messages and reference docs. */
export function describeRow(row: OptionRow): string {
  switch (row.type) {
    case "duration": {
      const words = (row.words ?? []).map((word) => ` or "${word}"`).join("");
      const bound = (limit: Duration | undefined) =>
        limit === undefined ? undefined : formatDuration(tryParseDuration(limit) ?? 0);
      return `a duration${range(bound(row.min), bound(row.max))} (${DURATION_FORM})${words}`;
    }
    case "integer":
    case "number": {
      const unit = row.unit === undefined ? "" : ` ${row.unit}`;
      return `${row.type === "integer" ? "an integer" : "a number"}${range(row.min, row.max)}${unit}`;
    }
    case "boolean":
      return "true or false";
    case "string":
      return row.choices === undefined ? "a text" : `one of ${row.choices.map((choice) => `"${choice}"`).join(", ")}`;
    case "table":
      return "an object of options";
    case "custom":
      return row.expected;
  }
}

/** Returns the candidate nearest to a misspelt word, at most two single-letter edits away, or null. */
export function nearest(word: string, candidates: Iterable<string>): string | null {
  let best: string | null = null;
  let bestDistance = word.length < 4 ? 2 : 3; // two edits turn a word of three letters into any other
  for (const candidate of candidates) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), bestDistance);
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

function resolveOne(row: OptionRow, given: unknown, path: string): unknown {
  if (row.type === "table") return resolveOptions(row.table, given, path);
  if (given === undefined && row.required === true) {
    throw refuse(path, `is required: expected ${describeRow(row)}`, given);
  }
  const value = given === undefined ? row.default : given;
  if (value === undefined) return undefined;
  if (given === undefined && row.type === "custom") return value; // a custom default is written as it resolves
  const resolved = parseValue(row, value);
  if (resolved === null) throw refuse(path, `expected ${describeRow(row)}, got ${show(value)}`, value);
  return resolved;
}

/** Returns the value to keep, or null if it is not allowed. */
function parseValue(row: Exclude<OptionRow, TableRow>, value: unknown): unknown {
  switch (row.type) {
    case "duration": {
      if (typeof value === "string" && row.words?.includes(value) === true) return value;
      const ms = tryParseDuration(value);
      return ms !== null && isWithin(ms, tryParseDuration(row.min), tryParseDuration(row.max)) ? ms : null;
    }
    case "integer":
      return Number.isSafeInteger(value) && isWithin(value as number, row.min, row.max) ? value : null; // an integer is a number
    case "number":
      return typeof value === "number" && !Number.isNaN(value) && isWithin(value, row.min, row.max) ? value : null;
    case "boolean":
      return typeof value === "boolean" ? value : null;
    case "string":
      return typeof value === "string" && row.choices?.includes(value) !== false ? value : null;
    case "custom":
      return row.parse(value);
  }
}

function isWithin(value: number, min: number | null | undefined, max: number | null | undefined): boolean {
  return value >= (min ?? Number.NEGATIVE_INFINITY) && value <= (max ?? Number.POSITIVE_INFINITY);
}

function range(min: string | number | undefined, max: string | number | undefined): string {
  if (min === undefined && max === undefined) return "";
  if (max === undefined) return ` of at least ${min}`;
  return min === undefined ? ` of at most ${max}` : ` ${min}…${max}`;
}

function unknownKey(table: OptionTable, key: string, path: string, value: unknown): Error {
  const names = Object.keys(table);
  const guess = nearest(key, names);
  const hint = guess === null ? `; known are ${names.join(", ")}` : `, did you mean \`${guess}\`?`;
  return refuse(path, `unknown option \`${key}\`${hint}`, value, guess);
}

function refuse(path: string, problem: string, value: unknown, nearestKey: string | null = null): Error {
  const details = { path, problem, value: show(value), nearest: nearestKey };
  return createError("MR_INVALID_OPTION", { path, problem }, { details });
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Levenshtein's distance by rows; gives up with `limit` as soon as no row can stay below it. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const swap = (above[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      row.push(Math.min(swap, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1));
    }
    if (Math.min(...row) >= limit) return limit;
    above = row;
  }
  return above[b.length] ?? limit;
}
