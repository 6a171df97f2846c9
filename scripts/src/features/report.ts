/**
 * Joins rows with tests and benches: what is tested, what only in part, what not at all. Pure; features.ts prints it.
 */
import type { BenchResult } from "./benches.js";
import type { NamedTest } from "./collect.js";
import type { Regression } from "./regressions.js";
import type { Row, StoreName } from "./rows.js";

/** How far a row is proven; `stateWords` says what each means. */
export type RowState = "tested" | "partial" | "none";

/** What stands in the column, for readers of the table. */
export const stateWords: Readonly<Record<RowState, string>> = {
  tested: "by the tests of the last column, or by a bench's gates",
  partial: "what is there is, but a part is open, a store is missing, or the bench missed a gate",
  none: "no test and no bench bears its name",
};

/** A row with what proves it. */
export interface RowReport extends Row {
  readonly state: RowState;
  /** All stores its tests run on. */
  readonly covered: readonly StoreName[];
  readonly tests: readonly NamedTest[];
  /** What its bench has shown; null without a bench, or without a result of it. */
  readonly measured: BenchResult | null;
}

/** A bug class with the tests that carry its name. */
export interface RegressionReport extends Regression {
  readonly state: "tested" | "none";
  readonly tests: readonly NamedTest[];
}

/** What the name of a regression's test begins with. */
export const regressionPrefix = "regression: ";

/** One report a row, in the rows' order. */
export function reportRows(
  rows: readonly Row[],
  tests: readonly NamedTest[],
  benches: ReadonlyMap<string, BenchResult>,
): RowReport[] {
  return rows.map((row) => {
    const own = tests.filter(({ ids }) => ids.includes(row.id));
    const covered = row.stores.filter((store) => own.some(({ stores }) => stores.includes(store)));
    const measured = (row.bench === null ? null : benches.get(row.bench)) ?? null;
    const isMet = row.bench === null || measured?.missed.length === 0;
    const isWhole = covered.length === row.stores.length && row.open === null && isMet;
    const state = own.length === 0 && measured === null ? "none" : isWhole ? "tested" : "partial";
    return { ...row, state, covered, tests: own, measured };
  });
}

/** One report a bug class: its tests are named `regression: <class>`, with more behind a further colon if there are several. */
export function reportRegressions(regressions: readonly Regression[], tests: readonly NamedTest[]): RegressionReport[] {
  return regressions.map((regression) => {
    const name = regressionPrefix + regression.name;
    const own = tests.filter((test) => test.name === name || test.name.startsWith(`${name}: `));
    return { ...regression, state: own.length === 0 ? "none" : "tested", tests: own };
  });
}

/** What `--check` complains about: due rows and regressions without a test, and names that belong to no row. */
export function findGaps(
  rows: readonly RowReport[],
  regressions: readonly RegressionReport[],
  tests: readonly NamedTest[],
): string[] {
  const known = new Set(rows.map(({ id }) => id));
  const proven = new Set(regressions.flatMap(({ tests: own }) => own));
  const isRow = (id: string): boolean => /^[BFGECXO]\d/.test(id);
  return [
    ...rows.flatMap(({ id, title, due, state, bench }) => {
      if (due !== "now" || state !== "none") return [];
      const orBench = bench === null ? "" : `, nor a result of the bench \`${bench}\``;
      return [`${id} (${title}) has no test whose name begins with "${id}:"${orBench}`];
    }),
    ...regressions.flatMap(({ name, due, state }) =>
      due === "now" && state === "none" ? [`no test is named "${regressionPrefix}${name}"`] : [],
    ),
    ...tests.flatMap(({ ids, file, line }) =>
      ids.filter((id) => isRow(id) && !known.has(id)).map((id) => `${file}:${line} ${id} is no row`),
    ),
    ...tests.flatMap((test) =>
      test.name.startsWith(regressionPrefix) && !proven.has(test)
        ? [`${test.file}:${test.line} "${test.name}" is no line of the regression list`]
        : [],
    ),
  ];
}
