/** The guide's tables and what the door takes and refuses (refusals.ts) say the same. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { CONNECTION_ROWS, JOB_ROWS, type OptionRows, WORKER_ROWS } from "./refusals.js";

const guide = readFileSync(join(import.meta.dirname, "../../../../docs/guides/from-bullmq.md"), "utf8");

/** What the table under a heading says of each name in its first column. */
function tableOf(heading: string): Map<string, string> {
  const section = guide.split("\n### ").find((text) => text.startsWith(`${heading}\n`)) ?? "";
  const said = new Map<string, string>();
  for (const line of section.split("\n")) {
    const [, names = "", status = ""] = line.split("|").map((cell) => cell.trim());
    for (const [, name = ""] of names.matchAll(/`([A-Za-z]+)`/g)) said.set(name, status);
  }
  return said;
}

/** Where a connection is said is prose of its own. */
const isElsewhere = (name: string, row: true | string): boolean => row === true && Object.hasOwn(CONNECTION_ROWS, name);

describe.each<[string, OptionRows]>([
  ["Job options", JOB_ROWS],
  ["Worker", WORKER_ROWS],
])("X27: the guide on %s", (heading, rows) => {
  const said = tableOf(heading);

  test.each(Object.entries(rows).filter(([name, row]) => !isElsewhere(name, row)))(
    "X27: tells what becomes of `%s`",
    (name, row) => {
      expect(said.get(name)).toMatch(row === true ? /^(works|differs)$/ : /^not yet$/);
    },
  );
});
