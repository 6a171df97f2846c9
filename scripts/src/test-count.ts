/**
 * Prints what failed and `N passed, M failed` from the JSON report of a Vitest run:
 * `node scripts/dist/test-count.js <report.json>`. Last in the gate, so that the end of its output says what to look at.
 *
 * A file that failed before its first test (an import that throws) has no tests to count: it counts as one failure,
 * so that "0 failed" always means that nothing failed.
 */
import { readFileSync } from "node:fs";
import { relative } from "node:path";
import { stripVTControlCharacters } from "node:util";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly FileResult[];
}

interface FileResult {
  readonly name: string;
  readonly status: string;
  readonly message?: string;
  readonly assertionResults: readonly {
    readonly fullName: string;
    readonly status: string;
    readonly failureMessages?: readonly string[];
  }[];
}

/** Of each failure, how much of its message is repeated. */
const MESSAGE_LINES = 12;
const LINE_CHARACTERS = 400;

const path = process.argv[2] ?? "";
const report = readReport(path);
if (report === null) {
  console.log(`no test was counted: Vitest left no report in ${path}`);
  process.exitCode = 1;
} else {
  for (const file of report.testResults) tellFailures(file);
  const filesFailed = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + filesFailed;
  console.log(`${report.numPassedTests} passed, ${failed} failed`);
  process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1;
}

function tellFailures({ name, status, message, assertionResults }: FileResult): void {
  const file = relative(process.cwd(), name);
  if (status === "failed" && assertionResults.length === 0)
    console.log(`failed: ${file}\n${shortened(message ?? "")}\n`);
  for (const { fullName, status: ending, failureMessages } of assertionResults) {
    if (ending !== "failed") continue;
    console.log(`failed: ${file}: ${fullName}\n${shortened((failureMessages ?? []).join("\n"))}\n`);
  }
}

function shortened(message: string): string {
  const lines = stripVTControlCharacters(message).split("\n");
  const kept = lines.slice(0, MESSAGE_LINES).map((line) => `  ${line.slice(0, LINE_CHARACTERS)}`);
  return [...kept, ...(lines.length > kept.length ? [`  … ${lines.length - kept.length} lines more`] : [])].join("\n");
}

function readReport(file: string): Report | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report; // Vitest's own format.
  } catch {
    return null;
  }
}
