/**
 * Writes docs/reference from the tables in code, and the tables between markers in docs/*.md; `--check` only compares.
 *
 * Each page comes from one place: errors from the error tables, options and settings from theirs, the command line from
 * its own help, states and moves from
 * MOVES (all by core's internal door), transitions from the text of engine/transitions.ts and engine/store.ts, where
 * their meaning is written as doc comments.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { cliPage } from "./docs/cli-page.js";
import { configurationPage } from "./docs/configuration-page.js";
import { errorsPage } from "./docs/errors-page.js";
import { optionsPage } from "./docs/options-page.js";
import { movesTable, statesPage } from "./docs/states-page.js";
import { transitionsPage } from "./docs/transitions-page.js";
import { root } from "./root.js";

const engine = join(root, "core/src/engine");

/** Every generated file, whole. */
async function pages(): Promise<Map<string, string>> {
  const transitions = readFileSync(join(engine, "transitions.ts"), "utf8");
  const store = readFileSync(join(engine, "store.ts"), "utf8");
  const states = readFileSync(join(root, "docs/states.md"), "utf8");
  return new Map([
    ["docs/reference/cli.md", await cliPage()],
    ["docs/reference/configuration.md", configurationPage()],
    ["docs/reference/errors.md", errorsPage()],
    ["docs/reference/options.md", optionsPage()],
    ["docs/reference/transitions.md", transitionsPage(transitions, store)],
    ["docs/reference/states.md", statesPage()],
    ["docs/states.md", replaceBetween(states, "moves", movesTable())],
  ]);
}

/** Puts `text` between `<!-- name:begin -->` and `<!-- name:end -->`, which must be there once. */
function replaceBetween(page: string, name: string, text: string): string {
  const parts = page.split(new RegExp(`(<!-- ${name}:begin[^>]*-->|<!-- ${name}:end -->)`));
  if (parts.length !== 5) throw new Error(`expected one pair of markers ${name}:begin and ${name}:end`);
  return [parts[0], parts[1], `\n\n${text}\n\n`, parts[3], parts[4]].join("");
}

async function main(isCheck: boolean): Promise<number> {
  let stale = 0;
  for (const [name, text] of await pages()) {
    const path = join(root, name);
    if (existsSync(path) && readFileSync(path, "utf8") === text) continue;
    stale++;
    if (isCheck) {
      console.error(`${relative(root, path)} is not what the code says: run \`npm run docs\``);
      continue;
    }
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    console.log(`wrote ${relative(root, path)}`);
  }
  if (stale === 0) console.log("reference docs are up to date");
  return isCheck && stale > 0 ? 1 : 0;
}

process.exitCode = await main(process.argv.includes("--check"));
