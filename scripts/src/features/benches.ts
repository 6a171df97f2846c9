/**
 * Finds what benches have shown: the newest written result of each, and which of its gates were missed. Some rows are
 * figures, which no test can prove. Nothing is measured here. Used by features.ts.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The newest result of one bench. */
export interface BenchResult {
  readonly bench: string;
  /** From the root, where its report is. */
  readonly folder: string;
  /** Names of the gates that it missed. */
  readonly missed: readonly string[];
}

const resultsFolder = "bench/results";

/** Reads the newest result of each bench, by the bench's name. Errors: those of a result that cannot be read. */
export function readBenches(root: string): ReadonlyMap<string, BenchResult> {
  const results = new Map<string, BenchResult>();
  // Names begin with the time, so a later folder takes the place of an earlier one.
  for (const name of readdirSync(join(root, resultsFolder)).toSorted()) {
    const bench = /^\d{4}-\d{2}-\d{2}T\d{6}Z-(.+)$/.exec(name)?.[1];
    if (bench === undefined) continue;
    const folder = `${resultsFolder}/${name}`;
    // Written by bench/src/tool/result.ts.
    const { gates } = JSON.parse(readFileSync(join(root, folder, "result.json"), "utf8")) as {
      gates: readonly { readonly name: string; readonly ok: boolean }[];
    };
    results.set(bench, { bench, folder, missed: gates.flatMap((gate) => (gate.ok ? [] : [gate.name])) });
  }
  return results;
}
