/**
 * The hot path's allowance, in bytes of heap per Operation: unlike time they are the same on a busy machine. A feature
 * that is off must not cost one: who adds a field, a closure or an object per Operation meets this test.
 */
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../dist/integration/allocations-program.js", import.meta.url));
const young = ["--min-semi-space-size=512", "--max-semi-space-size=512"];
/** About 5 % above what was measured on Node 20: bytes are those of its engine. */
const allowed = { single: 940, bulk: 560, run: 1_650 };

describe("an Operation without options", () => {
  it.runIf(process.versions.node.startsWith("20."))(
    "allocates no more than its allowance, enqueued alone, in bulk, and run",
    { timeout: 120_000 },
    async () => {
      const { stdout } = await promisify(execFile)(process.execPath, ["--expose-gc", ...young, program]);
      const found = JSON.parse(stdout) as typeof allowed; // what it prints
      for (const what of ["single", "bulk", "run"] as const)
        expect(found[what], what).toBeLessThanOrEqual(allowed[what]);
    },
  );
});
