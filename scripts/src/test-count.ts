/**
 * Prints `N passed, M failed` from the JSON report of a Vitest run: `node scripts/dist/test-count.js <report.json>`.
 *
 * A file that failed before its first test (an import that throws) has no tests to count: it counts as one failure,
 * so that "0 failed" always means that nothing failed.
 */
import { readFileSync } from "node:fs";

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

const path = process.argv[2] ?? "";
const report = readReport(path);
if (report === null) {
  console.log(`no test was counted: Vitest left no report in ${path}`);
  process.exitCode = 1;
} else {
  const filesFailed = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && assertionResults.length === 0,
  ).length;
  const failed = report.numFailedTests + filesFailed;
  console.log(`${report.numPassedTests} passed, ${failed} failed`);
  process.exitCode = failed === 0 && report.numPassedTests > 0 ? 0 : 1;
}

function readReport(file: string): Report | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Report; // Vitest's own format.
  } catch {
    return null;
  }
}
