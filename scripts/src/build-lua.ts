/**
 * Builds the Redis function library from core/src/store/redis/lua/*.lua: `build-lua [--check]`.
 *
 * Writes library.gen.ts beside that folder: the shipped text without comments, its digest, and the functions with
 * their flags. Each transition of engine/transitions.ts must have a file with a full header and the reverse; a
 * missing or wrong one fails. With `--check` nothing is written and a stale generated file fails.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { generate, LuaSourceError, transitionNamesIn } from "./lua/library.js";
import { root } from "./root.js";

const luaDir = join(root, "core/src/store/redis/lua");
const target = join(root, "core/src/store/redis/library.gen.ts");
const { values } = parseArgs({ options: { check: { type: "boolean", default: false } } });

process.exitCode = build();

function build(): number {
  try {
    const sources = new Map(
      readdirSync(luaDir)
        .filter((name) => name.endsWith(".lua"))
        .sort()
        .map((name) => [name.slice(0, -".lua".length), readFileSync(join(luaDir, name), "utf8")]),
    );
    const contract = readFileSync(join(root, "core/src/engine/transitions.ts"), "utf8");
    const text = generate(sources, transitionNamesIn(contract));
    const present = existsSync(target) ? readFileSync(target, "utf8") : "";
    if (present === text) return report("library.gen.ts is up to date");
    if (values.check) return fail("library.gen.ts differs from its sources: run `npm run build:lua` and commit it");
    writeFileSync(target, text);
    return report(`library.gen.ts written, ${text.length} characters`);
  } catch (error) {
    if (error instanceof LuaSourceError) return fail(error.message);
    throw error;
  }
}

function report(message: string): number {
  console.log(`build-lua: ${message}`);
  return 0;
}

function fail(message: string): number {
  console.error(`build-lua: ${message}`);
  return 1;
}
