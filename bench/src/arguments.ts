/** The command line: one table of options; unknown words are answered with the nearest known one. Pure. */
import { type StoreName, storeNames } from "./bench.js";

/** What was asked for. */
export interface Arguments {
  readonly name: string;
  readonly quick: boolean;
  readonly gate: boolean;
  readonly json: string | null;
  readonly out: string | null;
  readonly store: StoreName | null;
  readonly rounds: number | null;
}

/** A command line, understood or not. `error` is a sentence for people. */
export type Parsed =
  | { readonly kind: "run"; readonly arguments: Arguments }
  | { readonly kind: "help" }
  | { readonly kind: "error"; readonly error: string };

interface OptionRow {
  readonly name: string;
  /** What stands behind it, as help shows it; null for a switch. */
  readonly value: string | null;
  readonly sentence: string;
}

/** Every option, as help lists them. */
export const optionTable: readonly OptionRow[] = [
  {
    name: "--quick",
    value: null,
    sentence: "Fewer jobs and rounds: a look, not a claim. Nothing is written without --out.",
  },
  { name: "--gate", value: null, sentence: "Exit 1 when a gate is missed." },
  { name: "--json", value: "FILE", sentence: "Also write the result as JSON to FILE." },
  { name: "--store", value: "redis|embedded|memory", sentence: "Only this store, where the bench measures several." },
  { name: "--rounds", value: "N", sentence: "Rounds to measure, 1…100." },
  { name: "--out", value: "DIR", sentence: "Folder for this run's folder. Default: bench/results (not with --quick)." },
  { name: "--help", value: null, sentence: "This." },
];

/** Reads the words after `npm run bench --`. */
export function parseArguments(words: readonly string[], names: readonly string[]): Parsed {
  let name: string | null = null;
  const given = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const word = words[at] ?? "";
    if (!word.startsWith("-")) {
      if (name !== null) return failure(`one bench at a time, got ${name} and ${word}`);
      name = word;
      continue;
    }
    const [option, inline] = splitOnce(word, "=");
    const row = optionTable.find((one) => one.name === (option === "-h" ? "--help" : option));
    if (row === undefined) {
      const all = optionTable.map((one) => one.name);
      return failure(`unknown option ${option}${suggestion(option, all)}`);
    }
    if (given.has(row.name)) return failure(`${row.name} is given twice`);
    if (row.value === null) {
      if (inline !== null) return failure(`${row.name} takes no value, got ${inline}`);
      given.set(row.name, "");
      continue;
    }
    const value = inline ?? words[++at];
    if (value === undefined || value === "") return failure(`${row.name} needs a value: ${row.value}`);
    given.set(row.name, value);
  }
  if (given.has("--help")) return { kind: "help" };
  if (name === null) return failure(`which bench? One of: ${names.join(", ")}`);
  if (!names.includes(name))
    return failure(`unknown bench ${name}${suggestion(name, names)}; there are: ${names.join(", ")}`);
  return withValues(name, given);
}

function withValues(name: string, given: ReadonlyMap<string, string>): Parsed {
  const store = given.get("--store") ?? null;
  if (store !== null && !isStoreName(store)) {
    return failure(`expected --store ${storeNames.join("|")}, got ${store}${suggestion(store, storeNames)}`);
  }
  const roundsText = given.get("--rounds") ?? null;
  const rounds = roundsText === null ? null : Number(roundsText);
  if (rounds !== null && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= 100)) {
    return failure(`expected --rounds 1…100, got ${roundsText}`);
  }
  return {
    kind: "run",
    arguments: {
      name,
      quick: given.has("--quick"),
      gate: given.has("--gate"),
      json: given.get("--json") ?? null,
      out: given.get("--out") ?? null,
      store,
      rounds,
    },
  };
}

/** The known word nearest to an unknown one as ", did you mean …?"; nothing when none is near. */
export function suggestion(word: string, known: readonly string[]): string {
  const ranked = known.map((one) => ({ one, far: editDistance(word, one) })).sort((a, b) => a.far - b.far);
  const [best] = ranked;
  return best !== undefined && best.far <= Math.max(2, Math.floor(word.length / 3))
    ? `, did you mean ${best.one}?`
    : "";
}

/** How many letters must be put in, taken out or changed (Levenshtein). */
export function editDistance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const changed = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[to.length] ?? 0;
}

function isStoreName(text: string): text is StoreName {
  return (storeNames as readonly string[]).includes(text);
}

function splitOnce(text: string, mark: string): [head: string, tail: string | null] {
  const at = text.indexOf(mark);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function failure(error: string): Parsed {
  return { kind: "error", error };
}
