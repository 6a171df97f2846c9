/**
 * Everything the house checks about itself, part by part, with the time of each: `npm run check`.
 *
 * Usage: check [--no-tests]. All parts run even when one fails, so that one run shows everything; the exit code
 * is 1 if any failed. `--no-tests` is for callers that have just run them.
 */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "./root.js";

interface Part {
  readonly name: string;
  /** Program and arguments, run in the root; the first failing one ends the part. */
  readonly commands: readonly (readonly string[])[];
  /** Why this part is not run; null when it is. */
  readonly skipped: string | null;
}

const { values } = parseArgs({ options: { "no-tests": { type: "boolean", default: false } } });

const parts: readonly Part[] = [
  part("generated Lua library", generator("build-lua")),
  part("format and lint", [tool("biome", "check", "--error-on-warnings", ".")]),
  part("types", [tool("tsc", "-b")]),
  part("generated reference docs", generator("build-docs")),
  part("layers", [script("layers")]),
  part("tidy", [script("tidy")]),
  part("rows and their tests", [script("features", "--check")]),
  part(
    "tests",
    values["no-tests"] ? [] : [script("ensure-redis"), script("ensure-iproute"), tool("vitest", "run")],
    "--no-tests",
  ),
];

const startedMs = Date.now();
const failed: string[] = [];
for (const [index, each] of parts.entries()) {
  const isFine = await run(each, `[${index + 1}/${parts.length}]`);
  if (!isFine) failed.push(each.name);
}
const seconds = secondsSince(startedMs);
console.log(failed.length === 0 ? `check: all well in ${seconds}` : `check: ${failed.join(", ")} failed, ${seconds}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** A part without commands is skipped, for the reason given. */
function part(name: string, commands: Part["commands"], whySkipped = "nothing generates it yet"): Part {
  return { name, commands, skipped: commands.length === 0 ? whySkipped : null };
}

function tool(name: string, ...args: readonly string[]): readonly string[] {
  return [join(root, "node_modules/.bin", name), ...args];
}

function script(name: string, ...args: readonly string[]): readonly string[] {
  return [process.execPath, join(root, `scripts/dist/${name}.js`), ...args];
}

function generator(name: string): Part["commands"] {
  return existsSync(join(root, `scripts/src/${name}.ts`)) ? [script(name, "--check")] : [];
}

async function run({ name, commands, skipped }: Part, count: string): Promise<boolean> {
  if (skipped !== null) {
    console.log(`${count} ${name}: skipped (${skipped})`);
    return true;
  }
  const partStartedMs = Date.now();
  const clear = showProgress(() => `${count} ${name} … ${secondsSince(partStartedMs)}`);
  let output = "";
  let isFine = true;
  for (const command of commands) {
    if (!isFine) break;
    const result = await capture(command);
    output += result.output;
    isFine = result.isFine;
  }
  clear();
  console.log(`${count} ${name}: ${isFine ? "ok" : "FAILED"} (${secondsSince(partStartedMs)})`);
  if (!isFine) console.log(output);
  return isFine;
}

function capture([program = "", ...args]: readonly string[]): Promise<{ isFine: boolean; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => {
        output += text;
      });
    }
    child.once("error", (error) => resolve({ isFine: false, output: `${output}${error.message}\n` }));
    child.once("close", (code) => resolve({ isFine: code === 0, output }));
  });
}

/** Keeps one line of a terminal fresh; a log file gets only the results. */
function showProgress(text: () => string): () => void {
  if (!process.stdout.isTTY) return () => undefined;
  const draw = (): void => {
    process.stdout.write(`\r\x1b[2K${text()}`);
  };
  draw();
  const timer = setInterval(draw, 200);
  return () => {
    clearInterval(timer);
    process.stdout.write("\r\x1b[2K");
  };
}

function secondsSince(thenMs: number): string {
  return `${((Date.now() - thenMs) / 1000).toFixed(1)} s`;
}
