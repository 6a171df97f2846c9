/**
 * Shows what Millrace is to do and which tests prove it: `npm run features`.
 *
 * Usage: features [--tests] [--due] [--regressions] [--json] [--check]. `--tests` names every test under its row;
 * `--due` leaves out rows of parts that are not built; `--regressions` shows the bugs other queues paid for instead;
 * `--check` prints only what is owed, and its exit code is 1 if something is.
 */
import { parseArgs } from "node:util";
import { readBenches } from "./features/benches.js";
import { collectTests } from "./features/collect.js";
import { regressions } from "./features/regressions.js";
import {
  findGaps,
  type RegressionReport,
  type RowReport,
  reportRegressions,
  reportRows,
  stateWords,
} from "./features/report.js";
import { dueWords, rows, storeNames } from "./features/rows.js";
import { root } from "./root.js";

const flag = { type: "boolean", default: false } as const;
const { values } = parseArgs({
  options: { tests: flag, due: flag, regressions: flag, json: flag, check: flag },
});

const tests = collectTests(root);
const rowReports = reportRows(rows, tests, readBenches(root));
const regressionReports = reportRegressions(regressions, tests);

if (values.check) {
  const gaps = findGaps(rowReports, regressionReports, tests);
  for (const gap of gaps) console.error(gap);
  console.log(`features: ${rows.length} rows, ${regressions.length} regressions, ${gaps.length} gaps`);
  process.exitCode = gaps.length === 0 ? 0 : 1;
} else if (values.json) {
  console.log(JSON.stringify({ rows: rowReports, regressions: regressionReports }, null, 2));
} else if (values.regressions) {
  printRegressions(regressionReports);
} else {
  printRows(rowReports.filter(({ due }) => !values.due || due !== "later"));
}

function printRows(reports: readonly RowReport[]): void {
  print([
    ["row", "what", "area", "due", "state", "stores", "tests"],
    ...reports.map(({ id, title, open, area, due, state, covered, tests: own, measured }) => [
      id,
      open === null ? title : `${title} (open: ${open})`,
      area,
      due,
      state,
      covered.length === storeNames.length ? "all" : covered.join(" "),
      ...proofsOf(own, measured),
    ]),
  ]);
  const count = (state: RowReport["state"]): number => reports.filter((one) => one.state === state).length;
  console.log(`${reports.length} rows: ${count("tested")} tested, ${count("partial")} partial, ${count("none")} none`);
  console.log("");
  for (const [word, meaning] of [...Object.entries(dueWords), ...Object.entries(stateWords)])
    console.log(`${word.padEnd(8)}  ${meaning}`);
}

/** The cells of a row's last column: a test each with `--tests`, else one for all. */
function proofsOf(own: RowReport["tests"], measured: RowReport["measured"]): string[] {
  const bench = measured === null ? [] : [`bench ${measured.bench}: ${measured.folder}`];
  if (values.tests) return [...own.map(({ file, line, name }) => `${file}:${line} ${name}`), ...bench];
  return [[...(own.length === 0 ? [] : [filesOf(own)]), ...bench].join(", ")];
}

function printRegressions(reports: readonly RegressionReport[]): void {
  print([
    ["area", "regression", "state", "tests"],
    ...reports.map(({ area, name, state, reason, tests: own }) => [area, name, reason ?? state, filesOf(own)]),
  ]);
  const proven = reports.filter(({ state }) => state === "tested").length;
  console.log(`${reports.length} lines: ${proven} tested, ${reports.length - proven} not`);
}

/** `limits.test.ts 4, app.suite.ts 2`. */
function filesOf(own: RowReport["tests"]): string {
  const byFile = new Map<string, number>();
  for (const { file } of own) byFile.set(file, (byFile.get(file) ?? 0) + 1);
  return [...byFile].map(([file, count]) => `${file} ${count}`).join(", ");
}

/** Columns side by side; cells beyond the heading stand below each other under its last column. */
function print(table: readonly (readonly string[])[]): void {
  const [head = []] = table;
  const last = head.length - 1;
  const widths = head.map((_, column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  const pad = (cells: readonly string[]): string =>
    cells.map((cell, column) => (column < last ? cell.padEnd(widths[column] ?? 0) : cell)).join("  ");
  for (const row of table) {
    console.log(pad(row.slice(0, last + 1)).trimEnd());
    const margin = head.slice(0, last).map(() => "");
    for (const more of row.slice(last + 1)) console.log(pad([...margin, more]));
  }
}
