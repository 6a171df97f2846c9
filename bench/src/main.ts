/** `npm run bench -- <name>`: prints machine and settings, measures, prints tables, writes the run, judges the gates. */
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type Arguments, optionTable, parseArguments } from "./arguments.js";
import type { Bench } from "./bench.js";
import { suite } from "./suite.js";
import { gateLine, missed } from "./tool/gate.js";
import { inspectMachine, loadedAfter, machineLines } from "./tool/machine.js";
import { startProgress } from "./tool/progress.js";
import { type Result, resultJson, runName, settingLines, writeRun } from "./tool/result.js";
import { tableText } from "./tool/table.js";

// Exit codes: 0 done · 1 a gate was missed (with --gate), the run is void or it broke · 2 the command line is wrong.
// Servers, child processes and folders are removed when this process exits: a signal must therefore be an exit.
process.once("SIGINT", () => process.exit(130));
process.once("SIGTERM", () => process.exit(143));
process.exitCode = await main(process.argv.slice(2));

async function main(words: readonly string[]): Promise<number> {
  const names = suite.map((bench) => bench.name);
  const parsed = parseArguments(words, names);
  if (parsed.kind === "help") {
    console.log(helpText());
    return 0;
  }
  if (parsed.kind === "error") return refuse(parsed.error);
  const bench = suite.find((one) => one.name === parsed.arguments.name);
  if (bench === undefined) return refuse(`unknown bench ${parsed.arguments.name}`);
  const { store } = parsed.arguments;
  if (store !== null && !bench.stores.includes(store)) {
    return refuse(`bench ${bench.name} does not measure --store ${store}, only: ${bench.stores.join(", ")}`);
  }
  return runBench(bench, parsed.arguments);
}

async function runBench(bench: Bench, asked: Arguments): Promise<number> {
  const started = new Date();
  const machine = inspectMachine();
  const plan = bench.plan({ quick: asked.quick, rounds: asked.rounds, store: asked.store });
  const settings = { mode: asked.quick ? "quick: a look, not a claim" : "full", ...plan.settings };
  console.log([`Bench ${bench.name}: ${bench.sentence}`, "", ...machineLines(machine), ""].join("\n"));
  console.log([...settingLines(settings), ""].join("\n"));

  const progress = startProgress(plan.steps);
  const findings = await plan.run(progress).finally(() => progress.end());

  const { metrics, gates, tables, voids } = findings;
  const result: Result = { name: bench.name, machine: loadedAfter(machine), settings, metrics, gates };
  for (const table of tables) console.log(`${tableText(table)}\n`);
  console.log(`load      ${result.machine.loadAfter.join(" ")} after\n`);
  for (const gate of gates) console.log(gateLine(gate));
  for (const reason of voids) console.log(`VOID   ${reason}`);

  const folder = runsFolder(asked);
  if (folder !== null) {
    const files = writeRun(join(folder, runName(bench.name, started)), result, findings);
    console.log(["", ...files.map((file) => `wrote ${file}`)].join("\n"));
  }
  if (asked.json !== null) writeFileSync(asked.json, resultJson(result));
  return judge(asked, missed(gates).map(gateLine), voids);
}

function judge(asked: Arguments, missedLines: readonly string[], voids: readonly string[]): number {
  if (voids.length > 0) {
    console.error(`\nThis run is void: ${voids.length} reason(s) above.`);
    return 1;
  }
  if (!asked.gate || missedLines.length === 0) return 0;
  console.error(["", "Gates missed:", ...missedLines].join("\n"));
  return 1;
}

function runsFolder(asked: Arguments): string | null {
  if (asked.out !== null) return resolve(asked.out);
  return asked.quick ? null : fileURLToPath(new URL("../results", import.meta.url));
}

function refuse(error: string): number {
  console.error(`bench: ${error}\nTry: npm run bench -- --help`);
  return 2;
}

function helpText(): string {
  const rows = (pairs: readonly (readonly [string, string])[]): string[] => {
    const width = Math.max(...pairs.map(([left]) => left.length));
    return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`);
  };
  return [
    "npm run bench -- <name> [options]",
    "",
    "Benches:",
    ...rows(suite.map((bench) => [bench.name, bench.sentence])),
    "",
    "Options:",
    ...rows(optionTable.map(({ name, value, sentence }) => [value === null ? name : `${name} ${value}`, sentence])),
    "",
    "bench/README.md says what each number means.",
  ].join("\n");
}
