/** docs/reference/options.md, from core's option tables. */
import {
  appTable,
  bulkTable,
  countsTable,
  describeRow,
  enqueueTable,
  fsckTable,
  limitTable,
  listTable,
  type OptionRow,
  type OptionTable,
  pageTable,
  resetTable,
  stepsTable,
  stepTable,
  unregisterTable,
} from "@millrace/core/internal";
import { code, head, table } from "./page.js";

const TABLES: readonly { readonly title: string; readonly where: string; readonly table: OptionTable }[] = [
  { title: "App", where: "`new App(options)`", table: appTable },
  { title: "Step", where: "`app.step(name, options, fn)`", table: stepTable },
  {
    title: "Enqueue",
    where: "`step.enqueue(input, options)`, `app.enqueue(target, input, options)`",
    table: enqueueTable,
  },
  { title: "List", where: "`app.inspect.list(options)`", table: listTable },
  { title: "Search", where: "`app.inspect.search(filter, options)`, `deadGroups(filter, options)`", table: pageTable },
  { title: "Steps", where: "`app.inspect.steps(options)`", table: stepsTable },
  { title: "Counts", where: "`app.inspect.counts(options)`", table: countsTable },
  { title: "Bulk", where: "`app.inspect.cancel(filter, options)`, `requeue`, `delete`", table: bulkTable },
  { title: "Fsck", where: "`app.inspect.fsck(options)`", table: fsckTable },
  { title: "Live limit", where: "`app.limits.set(step, limit)`", table: limitTable },
  { title: "Reset of limits", where: "`app.limits.reset(step, filter)`", table: resetTable },
  { title: "Unregister", where: "`app.registry.unregister(name, options)`", table: unregisterTable },
];

/** One table per place that takes options. */
export function optionsPage(): string {
  const intro = [
    "All options, with what they allow and what they are when left out. Unknown options are refused with the nearest",
    "known name (`MR_INVALID_OPTION`); so are values outside their bounds. A duration is a number of milliseconds or a",
    'text like `"250ms"`, `"5s"`, `"2m"`, `"1h"`, `"7d"`.',
  ].join("\n");
  const sections = TABLES.map(({ title, where, table: options }) => {
    const rows = rowsOf(options, "");
    return `## ${title}\n\nIn ${where}.\n\n${table(["option", "allowed", "default", "meaning"], rows)}\n`;
  });
  return [head("Options", "the option tables in core/src", intro), ...sections].join("\n");
}

/** The rows of a table and of those below it, under dotted names. */
function rowsOf(options: OptionTable, prefix: string): string[][] {
  return Object.entries(options).flatMap(([name, row]) =>
    row.type === "table" ? rowsOf(row.table, `${prefix}${name}.`) : [lineOf(`${prefix}${name}`, row)],
  );
}

function lineOf(name: string, row: Exclude<OptionRow, { type: "table" }>): string[] {
  const value = row.default === undefined ? "" : code(JSON.stringify(row.default) ?? String(row.default));
  const allowed = describeRow(row).replace(/ \(milliseconds or [^)]*\)/, ""); // said once, above the tables
  return [code(name), allowed, row.required === true ? "required" : value, row.sentence];
}
