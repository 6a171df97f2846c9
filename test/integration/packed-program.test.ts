/**
 * What a stranger does: installs the package from its tarball into an empty folder, copies README's program, runs it.
 *
 * In TypeScript (by README's own tsconfig) and in plain JavaScript, on the embedded store and on Redis. The programs
 * are cut out of README.md, so the README cannot say what does not run.
 */
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const run = promisify(execFile);
const root = join(import.meta.dirname, "../..");
const readme = readFileSync(join(root, "README.md"), "utf8");

/** The code between `<!-- name -->` and `<!-- /name -->`. */
function blockOf(name: string): string {
  const block = new RegExp(`<!-- ${name} -->\\s*\`\`\`\\w+\\n([\\s\\S]*?)\`\`\`\\s*<!-- /${name} -->`).exec(
    readme,
  )?.[1];
  if (block === undefined) throw new Error(`README.md has no block ${name}`);
  return block;
}

/** Runs a program of npm's as a user would, without what our own npm run put into the environment. */
async function npm(cwd: string, ...args: string[]): Promise<string> {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_(package|lifecycle)_/.test(name)),
  );
  const { stdout } = await run("npm", args, { cwd, env, timeout: 120_000 });
  return stdout;
}

const GREETINGS = ["Hello, Ann", "Hello, Bob", "Hello, Cho"];

describe("the packed package", { timeout: 180_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "millrace-packed-"));
  let redis: RedisServer;

  beforeAll(async () => {
    redis = await startRedis();
    const tarballs = join(folder, "tarballs");
    mkdirSync(tarballs);
    await npm(join(root, "core"), "pack", "--pack-destination", tarballs);
    const [tarball] = readdirSync(tarballs);
    await npm(folder, "init", "-y");
    await npm(folder, "pkg", "set", "type=module");
    await npm(folder, "install", "--no-audit", "--no-fund", join(tarballs, tarball ?? ""));
    // The compiler and Node's types are the repository's own: what is tested is our package, not theirs.
    mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
    for (const name of ["typescript", "@types/node", "undici-types"]) {
      symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
    }
    writeFileSync(join(folder, "main.ts"), blockOf("program:typescript"));
    writeFileSync(join(folder, "tsconfig.json"), blockOf("tsconfig"));
    await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", folder], { cwd: folder });
    mkdirSync(join(folder, "plain"));
    writeFileSync(join(folder, "plain/main.js"), blockOf("program:javascript"));
  }, 180_000);

  afterAll(async () => {
    await redis?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test.each([
    ["TypeScript", "main.js", "embedded"],
    ["TypeScript", "main.js", "redis"],
    ["plain JavaScript", "plain/main.js", "embedded"],
    ["plain JavaScript", "plain/main.js", "redis"],
  ])("README's program in %s (%s) runs on %s", async (_language, program, store) => {
    const args = store === "redis" ? [redis.url] : [];
    const { stdout, stderr } = await run(process.execPath, [join(folder, program), ...args], {
      cwd: join(folder, program, ".."),
      timeout: 60_000,
    });
    const lines = stdout.trim().split("\n");
    expect(lines.map((line) => line.slice(line.indexOf(" ") + 1))).toEqual(GREETINGS);
    expect(new Set(lines.map((line) => line.split(" ")[0])).size, "ids differ").toBe(GREETINGS.length);
    expect(stderr.replaceAll(/^.*(Warning|warn).*$/gm, "").trim()).toBe("");
  });

  test("the two programs of the README differ in types and closing only", () => {
    const typed = blockOf("program:typescript")
      .replace("await using app", "const app")
      .replace(": { name: string }", "");
    expect(`${typed}await app.close();\n`).toBe(blockOf("program:javascript"));
  });

  test("the tarball holds no tests and no build state", async () => {
    const [report] = JSON.parse(await npm(join(root, "core"), "pack", "--dry-run", "--json")) as [
      { files: { path: string }[] },
    ];
    const paths = report.files.map(({ path }) => path);
    expect(paths).toContain("dist/index.js");
    expect(paths.filter((path) => /\.test\.|tsbuildinfo|^src\//.test(path))).toEqual([]);
  });
});
