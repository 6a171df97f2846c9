/**
 * Every small example in docs/examples/src/hello runs, and prints what its header says it prints.
 */
import { execFile } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";

const examples = join(import.meta.dirname, "../../docs/examples");
const sources = readdirSync(join(examples, "src/hello")).filter((name) => name.endsWith(".ts"));

/** The lines below "Prints:" in an example's header. */
function promisedBy(source: string): string {
  const header = source.slice(0, source.indexOf("*/"));
  const lines = header.slice(header.indexOf("Prints:")).split("\n").slice(1);
  return lines.map((line) => line.replace(/^ \*\s*/, "")).join("\n");
}

describe("the small examples", () => {
  test("there are some", () => expect(sources.length).toBeGreaterThanOrEqual(3));

  test.each(sources)("%s prints what it says", async (name) => {
    const program = join(examples, "dist/hello", `${basename(name, ".ts")}.js`);
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { timeout: 20_000 });
    expect(stderr).toBe("");
    expect(stdout.trim()).toBe(promisedBy(readFileSync(join(examples, "src/hello", name), "utf8")).trim());
  });
});
