/**
 * Compares a store with the machine, seed by seed, and makes a difference small enough to read.
 */
import { isDeepStrictEqual } from "node:util";
import { type Call, show, spell } from "./call.js";
import { machineOracle, type Oracle, type Played, play } from "./play.js";
import { type Intent, sequenceOf, startUs } from "./sequence.js";
import type { Outcome, Side } from "./side.js";

/** A seed by which a store and the machine disagree. */
export interface Difference {
  readonly side: string;
  readonly seed: number;
  /** How many seeds were compared before and with this one. */
  readonly after: number;
  /** The calls that are left after everything that does not matter was taken out. */
  readonly calls: readonly Call[];
  /** All of it, for people. */
  readonly text: string;
}

/** What to compare. */
export interface Comparison {
  readonly side: Side;
  readonly firstSeed: number;
  readonly seeds: number;
  /** The reference; default: the machine. */
  readonly oracle?: Oracle;
  readonly onProgress?: (compared: number) => void;
}

const batchSize = 80;

/** Compares until the first difference; null if there is none. */
export async function compare(comparison: Comparison): Promise<Difference | null> {
  const { side, firstSeed, seeds, onProgress, oracle = machineOracle } = comparison;
  for (let done = 0; done < seeds; done += batchSize) {
    const batch = Array.from({ length: Math.min(batchSize, seeds - done) }, (_, i) => {
      const seed = firstSeed + done + i;
      return { seed, segment: freshSegment(), intents: sequenceOf(seed) };
    });
    const played = batch.map(({ intents, segment }) => play(intents, segment, oracle));
    const outcomes = await side.run(played.map(({ calls }, i) => ({ segment: batch[i]?.segment ?? "", calls })));
    for (const [i, { seed, intents }] of batch.entries()) {
      if (isSame(side, played[i], outcomes[i])) continue;
      const small = await shrink(intents, side, oracle);
      return describe(small, { side, seed, after: done + i + 1, oracle });
    }
    onProgress?.(Math.min(seeds, done + batchSize));
  }
  return null;
}

let segmentsUsed = 0;

/** Of fixed width, so that ids keep their length. */
function freshSegment(): string {
  segmentsUsed += 1;
  return `s${segmentsUsed.toString(36).padStart(6, "0")}`;
}

function isSame(side: Side, played: Played | undefined, outcome: Outcome | undefined): boolean {
  if (played === undefined || outcome === undefined) return played === outcome;
  return (
    outcome.trouble === undefined &&
    isDeepStrictEqual(outcome.answers, played.answers) &&
    isDeepStrictEqual(endOf(side, outcome.end), endOf(side, played.end))
  );
}

function endOf(side: Side, end: unknown): unknown {
  return side.forgetsWaiters && typeof end === "object" ? { ...end, waited: [] } : end;
}

/** Takes out halves, then smaller pieces, then single intents, as long as a difference is left. */
async function shrink(intents: readonly Intent[], side: Side, oracle: Oracle): Promise<readonly Intent[]> {
  const differs = async (candidate: readonly Intent[]): Promise<boolean> => {
    const segment = freshSegment();
    const played = play(candidate, segment, oracle);
    const [outcome] = await side.run([{ segment, calls: played.calls }]);
    return !isSame(side, played, outcome);
  };
  let left = intents;
  for (let size = Math.ceil(left.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let from = 0; from < left.length; ) {
      const candidate = [...left.slice(0, from), ...left.slice(from + size)];
      if (candidate.length < left.length && (await differs(candidate))) left = candidate;
      else from += size;
    }
  }
  // Taking one out may let another go: once more, singly, until nothing changes.
  for (let before = left.length + 1; left.length < before; ) {
    before = left.length;
    for (let at = left.length - 1; at >= 0; at--) {
      const candidate = left.filter((_, i) => i !== at);
      if (await differs(candidate)) left = candidate;
    }
  }
  return left;
}

interface Context {
  readonly side: Side;
  readonly seed: number;
  readonly after: number;
  readonly oracle: Oracle;
}

async function describe(intents: readonly Intent[], { side, seed, after, oracle }: Context): Promise<Difference> {
  const segment = freshSegment();
  const played = play(intents, segment, oracle);
  const [outcome] = await side.run([{ segment, calls: played.calls }]);
  const lines = [`The machine and the ${side.name} store disagree. Seed ${seed}, smallest sequence:`, ""];
  for (const [i, call] of played.calls.entries()) {
    lines.push(spell(call, startUs));
    const expected = played.answers[i];
    const got = outcome?.answers[i];
    if (isDeepStrictEqual(got, expected)) lines.push(`${" ".repeat(18)}→ ${show(expected)}`);
    else lines.push(`${" ".repeat(18)}→ machine ${show(expected)}`, `${" ".repeat(18)}→ ${side.name} ${show(got)}`);
  }
  if (outcome?.trouble !== undefined) lines.push("", `${side.name}: ${outcome.trouble}`);
  else lines.push(...differences(endOf(side, played.end), endOf(side, outcome?.end), side.name));
  lines.push("", `Repeat: npm run sim -- --store ${side.name} --seed ${seed} --seeds 1`);
  return { side: side.name, seed, after, calls: played.calls, text: lines.join("\n") };
}

/** The fields of two snapshots that differ. */
function differences(expected: unknown, got: unknown, name: string): string[] {
  const lines: string[] = [];
  const walk = (path: string, a: unknown, b: unknown): void => {
    if (isDeepStrictEqual(a, b)) return;
    const isBoth = typeof a === "object" && a !== null && typeof b === "object" && b !== null;
    if (isBoth && !(Array.isArray(a) && Array.isArray(b) && a.length !== b.length)) {
      const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
      for (const key of keys) walk(`${path}.${key}`, Reflect.get(a, key), Reflect.get(b, key));
    } else {
      lines.push(`  in the end, ${path.slice(1)}:`, `    machine ${show(a)}`, `    ${name} ${show(b)}`);
    }
  };
  walk("", expected, got);
  return lines.length === 0 ? [] : ["", ...lines];
}
