/**
 * Checks which way the imports point: `.dependency-cruiser.mjs` over the house, then over a wrong fixture.
 *
 * A check that reads no files passes, and so does a rule with a typing error in its path. So we also fail when too
 * few modules were seen, and when test/layers/fixture fails to break any one of the rules.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { cruise, type ICruiseResult, type IViolation } from "dependency-cruiser";
import extractDepcruiseOptions from "dependency-cruiser/config-utl/extract-depcruise-options";
import extractTsConfig from "dependency-cruiser/config-utl/extract-ts-config";
import { root } from "./root.js";

/** Fewer modules of core than this means that the cruise went past them. */
const coreModulesMin = 20;

const workspaces = ["core/src", "server/src", "bench/src", "test", "scripts/src", "docs/examples/src"];
const fixture = join(root, "test/layers/fixture");

process.chdir(root); // tsconfig.base.json is resolved from the working folder.
const options = await extractDepcruiseOptions(join(root, ".dependency-cruiser.mjs"));
const tsConfig = extractTsConfig(join(root, "tsconfig.base.json"));

const house = await look(
  root,
  workspaces.filter((folder) => existsSync(join(root, folder))),
);
const coreModules = house.modules.filter(({ source }) => source.startsWith("core/src/")).length;
const wrong = await look(fixture, ["core/src", "server/src", "bench/src"]);
const broken = new Set(wrong.summary.violations.map(({ rule }) => rule.name));
const unbroken = (options.ruleSet?.forbidden ?? [])
  .map(({ name }) => name ?? "unnamed")
  .filter((rule) => !broken.has(rule));

const problems = [
  ...house.summary.violations.map(describe),
  ...(coreModules < coreModulesMin
    ? [`expected at least ${coreModulesMin} modules of core, saw ${coreModules}: the cruise reads nothing`]
    : []),
  ...unbroken.map((rule) => `the wrong fixture does not break ${rule}: the rule sees nothing`),
];
for (const problem of problems) console.error(problem);
console.log(
  `layers: ${coreModules} modules of core, ${house.summary.totalDependenciesCruised} imports, ` +
    `${house.summary.violations.length} wrong; fixture breaks ${broken.size} rules`,
);
process.exitCode = problems.length === 0 ? 0 : 1;

/** Cruises some folders of a tree; paths in the answer are relative to it. */
async function look(baseDir: string, folders: string[]): Promise<ICruiseResult> {
  const result = await cruise(folders, { ...options, baseDir, validate: true }, undefined, { tsConfig });
  if (typeof result.output === "string") throw new Error(`dependency-cruiser answered text: ${result.output}`);
  return result.output;
}

function describe({ rule, from, to, cycle, comment }: IViolation): string {
  const path = cycle === undefined ? `${from} → ${to}` : [from, ...cycle.map(({ name }) => name)].join(" → ");
  return `${rule.name}: ${path}${comment === undefined ? "" : `\n  ${comment}`}`;
}
