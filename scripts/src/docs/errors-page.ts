/** docs/reference/errors.md, from the error tables of core and server. */
import { type ErrorRow, errorTable } from "@millrace/core/internal";
import { serverErrorTable } from "@millrace/server/internal";
import { head } from "./page.js";

/** One section per code: MillraceError.docs links to them. */
export function errorsPage(): string {
  const intro = [
    "Every error Millrace raises on purpose is a `MillraceError` with one of these codes. Recognise one with",
    '`isMillraceError(error, "MR_…")`, which also holds across copies of the package. A *retryable* error may go away',
    "when the same call is repeated unchanged.",
  ].join("\n");
  const rows: [string, ErrorRow][] = Object.entries({ ...errorTable, ...serverErrorTable });
  rows.sort(([a], [b]) => (a < b ? -1 : 1));
  const sections = rows.map(
    ([name, row]) => `## ${name}\n\n> ${row.template}\n\nRetryable: ${row.retryable ? "yes" : "no"}.\n`,
  );
  return [head("Errors", "core/src/base/errors.ts and server/src/errors.ts", intro), ...sections].join("\n");
}
