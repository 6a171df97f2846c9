/** The list of rows: what is read out of test sources, and what the check complains about. */
import { describe, expect, it } from "vitest";
import { collectFrom, idsOf } from "./collect.js";
import { regressions } from "./regressions.js";
import { findGaps, reportRegressions, reportRows } from "./report.js";
import { type Row, rows } from "./rows.js";

const suite = `
import { it, describe } from "vitest";
export function suite(open) {
  describe("X13: a key", () => {
    it("is held by one", () => {});
    it.each(["a", "b"])("B8, X18: %s", () => {});
    it.runIf(isShared)("stays with \${name}", () => {});
  });
}`;
const texts = new Map([
  ["test/conformance/keys.ts", suite],
  ["test/conformance/a.test.ts", `import { suite } from "./keys.js";\nsuite({ store: "memory:" });`],
  [
    "test/conformance/b.test.ts",
    `import { suite } from "./keys.js";\nconst c = await RedisCluster.start();\nsuite(c);`,
  ],
]);

const row = (id: string, due: Row["due"] = "now"): Row => ({
  id,
  title: "t",
  area: "a",
  open: null,
  bench: null,
  due,
  stores: ["memory", "Cluster"],
});

describe("collecting tests", () => {
  it("reads names, the ids of groups around them, and the stores of every file that reaches them", () => {
    expect(collectFrom(texts)).toEqual([
      {
        name: "is held by one",
        ids: ["X13"],
        file: "test/conformance/keys.ts",
        line: 5,
        stores: ["memory", "Cluster"],
      },
      {
        name: "B8, X18: %s",
        ids: ["X13", "B8", "X18"],
        file: "test/conformance/keys.ts",
        line: 6,
        stores: ["memory", "Cluster"],
      },
      // biome-ignore lint/suspicious/noTemplateCurlyInString: names are read as they are written
      { name: "stays with ${name}", ids: ["X13"], file: "test/conformance/keys.ts", line: 7, stores: ["Cluster"] },
    ]);
  });

  it("takes ids from the beginning of a name only", () => {
    expect([idsOf("X1: OOM: full"), idsOf("Foremen: X1"), idsOf("R1.6: keys")]).toEqual([["X1"], [], []]);
  });
});

describe("reporting rows", () => {
  const tests = collectFrom(texts);

  it("calls a row partial until its tests have run on every store it must hold on", () => {
    const all = reportRows(
      [
        row("X13"),
        { ...row("B8"), stores: ["memory", "Redis"] },
        row("X4"),
        { ...row("X18"), stores: [], open: "half" },
      ],
      tests,
      new Map(),
    );
    expect(all.map(({ id, state }) => [id, state])).toEqual([
      ["X13", "tested"],
      ["B8", "partial"],
      ["X4", "none"],
      ["X18", "partial"],
    ]);
  });

  it("takes the newest result of a row's bench for a proof: a whole one if it met its gates", () => {
    const result = (bench: string, missed: readonly string[]) => [bench, { bench, folder: "f", missed }] as const;
    const benches = new Map([result("fast", []), result("slow", ["rate"])]);
    const measured = (id: string, bench: string): Row => ({ ...row(id), stores: [], bench });
    const all = reportRows([measured("B1", "fast"), measured("B2", "slow"), measured("B3", "never")], tests, benches);
    expect(all.map(({ state }) => state)).toEqual(["tested", "partial", "none"]);
    expect(findGaps(all, [], [])).toEqual([
      'B3 (t) has no test whose name begins with "B3:", nor a result of the bench `never`',
    ]);
  });

  it("misses due rows, due regressions and names that belong to no row", () => {
    const list = [
      { name: "two reapers race", area: "leases", due: "now", reason: null },
      { name: "cron", area: "time", due: "later", reason: "not yet" },
    ] as const;
    const stray = { name: "regression: nobody's", ids: [], file: "f", line: 1, stores: [] };
    const named = [...tests, stray];
    const gaps = findGaps(
      reportRows([row("X13"), row("X4"), row("X5", "later")], named, new Map()),
      reportRegressions(list, named),
      named,
    );
    expect(gaps).toEqual([
      `X4 (t) has no test whose name begins with "X4:"`,
      `no test is named "regression: two reapers race"`,
      "test/conformance/keys.ts:6 B8 is no row",
      "test/conformance/keys.ts:6 X18 is no row",
      `f:1 "regression: nobody's" is no line of the regression list`,
    ]);
  });
});

it("every id and every regression is listed once", () => {
  for (const list of [rows.map(({ id }) => id), regressions.map(({ name }) => name)]) {
    expect(new Set(list).size).toBe(list.length);
  }
});
