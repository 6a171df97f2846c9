/** Puts right what a program can: regenerates, then formats and applies safe lint fixes. `npm run fix`. */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { root } from "./root.js";

const node = process.execPath;
const tools = join(root, "node_modules/.bin");

// Generated code first: core compiles only with its present text, and the reference docs need core compiled.
const commands: readonly (readonly string[])[] = [
  ...(exists("build-lua") ? [[node, join(root, "scripts/dist/build-lua.js")]] : []),
  ...(exists("build-docs")
    ? [
        [join(tools, "tsc"), "-b"],
        [node, join(root, "scripts/dist/build-docs.js")],
      ]
    : []),
  [join(tools, "biome"), "check", "--write", "."],
];

for (const [program = "", ...args] of commands) {
  const { status } = spawnSync(program, args, { cwd: root, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

function exists(name: string): boolean {
  return existsSync(join(root, `scripts/src/${name}.ts`));
}
