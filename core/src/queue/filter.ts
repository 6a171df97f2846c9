/**
 * The filter language (elsewhere: query, search syntax): a line of text becomes terms that all must hold.
 *
 *   state:failed,cancelled step:charge -tag.tenant:acme err:~"timed out" created:>1h duration:>=5s word
 *
 * A space is AND, a comma is OR, `-` is NOT, `~` is "contains", quotes keep spaces and commas. A word without a field
 * is looked for in ids and names. A length of time where a moment is expected is the moment so long ago.
 * Pure; filter-match.ts decides whether an Operation fits. Used by searches and by everything that acts on a filter.
 */
import { tryParseDuration } from "../base/duration.js";
import { createError, show } from "../base/errors.js";
import { nearest } from "../base/options.js";
import { isTerminal, OPERATION_STATES, type OperationState } from "../engine/operation.js";

/** How a field's values are read and compared. */
export type FilterKind = "text" | "number" | "moment" | "duration";

/** The fields of the language, beside `tag.<name>`. */
export const FILTER_FIELDS = {
  state: "text",
  queue: "text",
  step: "text",
  key: "text",
  id: "text",
  err: "text",
  code: "text",
  attempt: "number",
  priority: "number",
  created: "moment",
  started: "moment",
  finished: "moment",
  duration: "duration",
} as const satisfies Record<string, FilterKind>;

/** The name of a field. */
export type FilterField = keyof typeof FILTER_FIELDS;

/** What one term asks of a value. `from` and `to` of a range are both allowed values. */
export type FilterTest =
  | { readonly kind: "is"; readonly text: string }
  | { readonly kind: "contains"; readonly text: string }
  | { readonly kind: "within"; readonly from: number; readonly to: number };

/** One term: a field, a tag, or a word for ids and names. Any of the tests must hold; none if negated. */
export interface FilterTerm {
  readonly of:
    | { readonly field: FilterField }
    | { readonly tag: string }
    /** A word without a field. */
    | { readonly word: true };
  readonly isNegated: boolean;
  readonly tests: readonly FilterTest[];
}

/** A filter that was understood. */
export interface Filter {
  readonly text: string;
  readonly terms: readonly FilterTerm[];
}

/** A filter that everything fits. */
export const EVERYTHING: Filter = { text: "", terms: [] };

const TEXT_MAX = 4_096;
const DAY_MS = 86_400_000;
const DATE = /^\d{4}-\d{2}-\d{2}$/;

/**
 * Reads a filter; `nowMs` is what "so long ago" counts from.
 *
 * Errors: MR_INVALID_OPTION naming what is not understood, and the nearest field or state.
 */
export function parseFilter(text: string, nowMs: number): Filter {
  if (typeof text !== "string") throw refuse(`expected a text, got ${show(text)}`);
  if (text.length > TEXT_MAX) throw refuse(`it is longer than ${TEXT_MAX} characters`);
  return { text, terms: wordsOf(text).map((word) => termOf(word, nowMs)) };
}

/**
 * The states in which something can fit: those a filter names, else all that a store can list. What is over and has not
 * failed has no error, tag or key, so that a filter that asks for one leaves it out.
 */
export function statesOf(filter: Filter): readonly OperationState[] {
  return WALK_ORDER.filter((state) =>
    filter.terms.every((term) => {
      if (isOfLive(term)) return !isTerminal(state) || state === "failed";
      if (!("field" in term.of) || term.of.field !== "state") return true;
      return term.tests.some((test) => isTextFit(test, state)) !== term.isNegated;
    }),
  );
}

/** The Queues a filter names, or null if it leaves them open. */
export function queuesOf(filter: Filter): readonly string[] | null {
  return namedBy(filter, "queue");
}

/** The ids a filter names, or null if it leaves them open. */
export function idsOf(filter: Filter): readonly string[] | null {
  return namedBy(filter, "id");
}

/** Whether a text passes one test. */
export function isTextFit(test: FilterTest, text: string): boolean {
  if (test.kind === "is") return text === test.text;
  return test.kind === "contains" && text.toLowerCase().includes(test.text.toLowerCase());
}

/** What can be in a state that is listed, in the order in which lists are walked: what is wrong or moves comes first. */
const WALK_ORDER: readonly OperationState[] = [
  "failed",
  "running",
  "ready",
  "scheduled",
  "cancelled",
  "completed",
  "skipped",
];

/** Whether a term asks for something that Operations have while they wait, run or are dead letters. */
function isOfLive({ of, isNegated }: FilterTerm): boolean {
  if (isNegated || "word" in of) return false;
  return "tag" in of || of.field === "err" || of.field === "code" || of.field === "key";
}

function namedBy(filter: Filter, field: FilterField): readonly string[] | null {
  for (const { of, isNegated, tests } of filter.terms) {
    if (isNegated || !("field" in of) || of.field !== field) continue;
    const names = tests.flatMap((test) => (test.kind === "is" ? [test.text] : []));
    if (names.length === tests.length) return names;
  }
  return null;
}

// ── Words ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A piece of a word, and whether it stood in quotes: then its signs mean nothing. */
interface Piece {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Cuts at spaces outside quotes. */
function wordsOf(text: string): Piece[][] {
  const words: Piece[][] = [];
  let word: Piece[] = [];
  let plain = "";
  const endPlain = (): void => {
    if (plain !== "") word.push({ text: plain, isQuoted: false });
    plain = "";
  };
  const endWord = (): void => {
    endPlain();
    if (word.length > 0) words.push(word);
    word = [];
  };
  for (let at = 0; at < text.length; at++) {
    const sign = text.charAt(at);
    if (sign === '"') {
      const end = text.indexOf('"', at + 1);
      if (end < 0) throw refuse(`the quote before ${show(text.slice(at + 1, at + 21))} has no end`);
      endPlain();
      word.push({ text: text.slice(at + 1, end), isQuoted: true });
      at = end;
    } else if (/\s/.test(sign)) {
      endWord();
    } else {
      plain += sign;
    }
  }
  endWord();
  return words;
}

function termOf(word: readonly Piece[], nowMs: number): FilterTerm {
  const [first] = word;
  const head = first === undefined || first.isQuoted ? "" : first.text;
  const isNegated = head.length > 1 && head.startsWith("-");
  const named = /^-?([A-Za-z][A-Za-z0-9_]*(?:\.[^:]*)?):/.exec(head);
  if (named === null) {
    const text = word.map((piece) => piece.text).join("");
    return { of: { word: true }, isNegated, tests: [{ kind: "contains", text: isNegated ? text.slice(1) : text }] };
  }
  const name = named[1] ?? "";
  const of = fieldOf(name);
  const rest = [{ text: head.slice(named[0].length), isQuoted: false }, ...word.slice(1)];
  const values = valuesOf(rest);
  if (values.length === 0) throw refuse(`\`${name}:\` has no value`);
  const kind = "tag" in of ? "text" : FILTER_FIELDS[of.field];
  const tests = values.map((value) => testOf(name, kind, value, nowMs));
  if ("field" in of && of.field === "state") for (const test of tests) checkState(test);
  return { of, isNegated, tests };
}

function fieldOf(name: string): { readonly field: FilterField } | { readonly tag: string } {
  if (name.startsWith("tag.") && name.length > 4) return { tag: name.slice(4) };
  if (Object.hasOwn(FILTER_FIELDS, name)) return { field: name as FilterField }; // just looked up
  const known = [...Object.keys(FILTER_FIELDS), "tag.NAME"];
  const guess = nearest(name, known);
  const hint = guess === null ? `; known are ${known.join(", ")}` : `, did you mean \`${guess}\`?`;
  throw refuse(`unknown field \`${name}\`${hint}`);
}

/** A value with the sign before it; quoted values have none. */
interface Value {
  readonly sign: "" | "~" | ">" | ">=" | "<" | "<=";
  readonly text: string;
}

/** Cuts at commas outside quotes. */
function valuesOf(pieces: readonly Piece[]): Value[] {
  const values: Value[] = [];
  let sign: Value["sign"] = "";
  let text = "";
  let isGiven = false;
  const end = (): void => {
    if (isGiven) values.push({ sign, text });
    sign = "";
    text = "";
    isGiven = false;
  };
  for (const piece of pieces) {
    if (piece.isQuoted) {
      text += piece.text;
      isGiven = true;
      continue;
    }
    for (const [at, part] of piece.text.split(",").entries()) {
      if (at > 0) end();
      if (part === "") continue;
      const found = text === "" && sign === "" ? (/^(~|>=|<=|>|<)/.exec(part)?.[1] ?? "") : "";
      if (found !== "") sign = found as Value["sign"]; // one of the signs above
      const left = part.slice(found.length);
      text += left;
      isGiven ||= left !== "";
    }
  }
  end();
  return values;
}

// ── Tests ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function testOf(name: string, kind: FilterKind, { sign, text }: Value, nowMs: number): FilterTest {
  if (kind === "text") {
    if (sign === "") return { kind: "is", text };
    if (sign === "~") return { kind: "contains", text };
    throw refuse(
      `\`${name}:${sign}\` compares, and ${name} is a text: use \`${name}:${text}\` or \`${name}:~${text}\``,
    );
  }
  if (sign === "~") throw refuse(`\`${name}:~\` looks into a text, and ${name} is none`);
  const range =
    kind === "moment" ? momentOf(text, nowMs) : pointOf(kind === "number" ? numberOf(text) : lengthOf(text));
  if (range === null) throw refuse(`\`${name}:${text}\` is not ${EXPECTED[kind]}`);
  switch (sign) {
    case ">":
      return { kind: "within", from: range.to + 1, to: Number.POSITIVE_INFINITY };
    case ">=":
      return { kind: "within", from: range.from, to: Number.POSITIVE_INFINITY };
    case "<":
      return { kind: "within", from: Number.NEGATIVE_INFINITY, to: range.from - 1 };
    case "<=":
      return { kind: "within", from: Number.NEGATIVE_INFINITY, to: range.to };
    case "":
      return { kind: "within", ...range };
  }
}

const EXPECTED = {
  number: "a whole number",
  moment: 'a moment such as 2026-01-31 or 2026-01-31T09:00:00Z, or a length of time such as "2h" for so long ago',
  duration: 'a length of time such as "5s"',
} as const;

interface Range {
  readonly from: number;
  readonly to: number;
}

function pointOf(value: number | null): Range | null {
  return value === null ? null : { from: value, to: value };
}

function numberOf(text: string): number | null {
  return /^-?\d{1,15}$/.test(text) ? Number(text) : null;
}

function lengthOf(text: string): number | null {
  return /^\d{1,15}$/.test(text) ? Number(text) : tryParseDuration(text);
}

/** A date alone is the whole day in UTC. */
function momentOf(text: string, nowMs: number): Range | null {
  const agoMs = tryParseDuration(text);
  if (agoMs !== null) return pointOf(nowMs - agoMs);
  const atMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? new Date(text).getTime() : Number.NaN;
  if (Number.isNaN(atMs)) return null;
  return DATE.test(text) ? { from: atMs, to: atMs + DAY_MS - 1 } : pointOf(atMs);
}

function checkState(test: FilterTest): void {
  if (test.kind !== "is" || (OPERATION_STATES as readonly string[]).includes(test.text)) return;
  const guess = nearest(test.text, OPERATION_STATES);
  const hint = guess === null ? `; states are ${OPERATION_STATES.join(", ")}` : `, did you mean \`${guess}\`?`;
  throw refuse(`unknown state \`${test.text}\`${hint}`);
}

function refuse(problem: string): Error {
  return createError("MR_INVALID_OPTION", { path: "filter", problem });
}
