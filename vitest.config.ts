/**
 * Which tests exist, as Vitest projects. Unit tests run from source; everything else reaches core through its
 * doors, and so runs the same `dist` that users install: build before you test.
 *
 * What must and must not compile (test/types) is no project here: `tsc -b` is its judge.
 */
import { defineConfig, type TestProjectInlineConfiguration } from "vitest/config";
import { LATE_AGAIN } from "./test/helper/in-time.js";

/** What a project's tests may take: time for one, a Redis, and the machine for themselves. */
interface Limits {
  readonly timeoutMs: number;
  readonly redis: boolean;
  /** After all others, one file at a time: they watch times that a busy machine would stretch. */
  readonly alone?: boolean;
}

/** One project: its name and where its tests sit. */
function project(name: string, include: string[], limits: Limits) {
  return {
    extends: true,
    test: {
      name,
      include,
      testTimeout: limits.timeoutMs,
      hookTimeout: limits.timeoutMs,
      globalSetup: limits.redis ? ["test/helper/redis-global-setup.ts"] : [],
      ...(limits.alone === true ? { maxWorkers: 1, sequence: { groupOrder: 1 } } : {}),
    },
  } satisfies TestProjectInlineConfiguration;
}

export default defineConfig({
  // Node 20 knows no `await using`: the same target as tsconfig.base.json.
  oxc: { target: "es2022" },
  test: {
    exclude: ["**/node_modules/**", "**/dist/**", "test/layers/fixture/**"],
    // A process per file: worker threads, native handles and leaked timers of one file cannot reach the next.
    pool: "forks",
    passWithNoTests: true,
    retry: LATE_AGAIN,
    projects: [
      project(
        "unit",
        [
          "core/src/**/*.test.ts",
          "server/src/**/*.test.ts",
          "scripts/src/**/*.test.ts",
          "test/checker/**/*.test.ts",
          "bench/src/**/*.test.ts",
        ],
        {
          timeoutMs: 10_000,
          redis: false,
        },
      ),
      project("conformance", ["test/conformance/**/*.test.ts"], { timeoutMs: 20_000, redis: true }),
      project("integration", ["test/{integration,rows,regressions}/**/*.test.ts"], { timeoutMs: 60_000, redis: true }),
      project("chaos", ["test/chaos/**/*.test.ts"], { timeoutMs: 60_000, redis: true, alone: true }),
      project("ring", ["test/ring/**/*.test.ts"], { timeoutMs: 60_000, redis: false }),
      project("worker", ["test/worker/**/*.test.ts"], { timeoutMs: 60_000, redis: false }),
      project("sim", ["test/sim/**/*.test.ts"], { timeoutMs: 120_000, redis: true }),
    ],
  },
});
