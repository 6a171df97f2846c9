/** The command line as a user meets it: help, usage errors, exit codes, settings, one-shot commands. */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { App } from "@millrace/core";
import { PROGRAM } from "@millrace/server/internal";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { cleanEnv, millrace, millraceHere } from "../../helper/millrace.js";
import { openTestRedis } from "../../helper/redis.js";

const MODULE = join(import.meta.dirname, "app.mjs");
const COMMANDS = ["foreman", "enqueue", "config", "doctor", "explain", "fsck"];

let cwd: string;
beforeAll(() => {
  cwd = mkdtempSync(join(tmpdir(), "millrace-cli-"));
});
afterAll(() => {
  rmSync(cwd, { recursive: true, force: true });
});

const run = (args: readonly string[], env: Record<string, string> = {}, input?: string) =>
  millraceHere(args, { cwd, env, ...(input === undefined ? {} : { input }) });

describe("help", () => {
  it("lists every command and the exit codes", async () => {
    const { code, stdout } = await run(["--help"]);
    expect(code).toBe(0);
    for (const command of COMMANDS) expect(stdout).toContain(`\n  ${command}`);
    expect(stdout).toContain("Exit codes:");
  });

  it.each(COMMANDS)("of %s has examples and names its settings", async (command) => {
    const { code, stdout } = await run([command, "--help"]);
    expect(code).toBe(0);
    expect(stdout).toContain(`$ millrace ${command}`);
    expect(stdout).toContain("env MILLRACE_");
    expect(stdout).toContain("Global Options:");
  });

  it("has no colours when it does not go to a terminal, whatever else is set", async () => {
    const { code, stdout } = await millrace(["--help"], { cwd, env: { FORCE_COLOR: "1" } });
    expect(stdout).not.toContain("\u001b");
    expect(code).toBe(0);
  });

  it("tells the version", async () => {
    expect(await run(["--version"])).toMatchObject({ code: 0, stdout: "0.1.0\n" });
  });
});

describe("a usage error gives exit code 2 and says what was meant", () => {
  it.each([
    ["nothing at all", [], "Usage:"],
    ["an unknown command", ["confg"], "Did you mean config?"],
    ["an unknown option", ["config", "--chek"], "Did you mean --check?"],
    ["a missing argument", ["foreman"], "missing required argument 'module'"],
    ["an argument too many", ["config", "extra"], "too many arguments"],
    ["an unknown key", ["config", "--explain", "store.ulr"], "did you mean `store.url`?"],
    ["a setting out of its bounds", ["config", "--slots", "0"], "flag --slots: workers.slots: expected an integer"],
    ["input that is no JSON", ["enqueue", "greet", "{", "--store", "memory:"], "the input is no JSON"],
    ["a priority that is no number", ["enqueue", "greet", "--priority", "high"], "--priority: expected a whole number"],
    ["a tag without a value", ["enqueue", "greet", "--tag", "x"], "--tag: expected key=value"],
    ["a key for many", ["enqueue", "greet", "--many", "-", "--idempotency-key", "k"], "--idempotency-key is for one"],
    ["a bad time", ["enqueue", "greet", "--expires", "soon", "--store", "memory:"], "MR_INVALID_OPTION"],
    ["a Step with an order", ["enqueue", "bound", "--module", MODULE, "--store", "memory:"], "enqueue it there"],
    ["input beside --many", ["enqueue", "greet", "1", "--many", "-"], "either an input or --many"],
    ["a pin of nothing", ["foreman", MODULE, "--pin", "threads=2"], "--pin: expected parts of the mix"],
    ["a pin out of bounds", ["foreman", MODULE, "--pin", "slots=0"], "flag --pin: force.slots: expected an integer"],
    ["a module that is not there", ["foreman", "./none.js"], "there is no module"],
    ["a store that is no store", ["enqueue", "greet", "--store", "http://x"], "MR_STORE_URL"],
    ["a bad priority", ["enqueue", "greet", "--priority", "9999", "--store", "memory:"], "MR_INVALID_OPTION"],
  ] as const)("%s", async (_, args, said) => {
    const { code, stdout, stderr } = await run(args);
    expect(stderr).toContain(said);
    expect(code).toBe(2);
    expect(stdout).toBe("");
  });

  it("as the exit code of the process", async () => {
    expect(await millrace(["confg"], { cwd })).toMatchObject({ code: 2, stdout: "" });
  });

  it("as JSON, with every problem of the settings", async () => {
    const { code, stderr } = await run(["config", "--json", "--slots", "x"], { MILLRACE_STOR_URL: "x" });
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({
      error: {
        code: "MR_CONFIG",
        problems: [
          { origin: "env MILLRACE_STOR_URL", suggestion: "MILLRACE_STORE_URL" },
          { origin: "flag --slots", suggestion: null },
        ],
      },
    });
  });
});

describe("other exit codes", () => {
  it("F28: 4 for a Step the module does not have", async () => {
    const { code, stderr } = await run(["enqueue", "gret", "--module", MODULE, "--store", "memory:"]);
    expect(stderr).toContain("greet");
    expect(code).toBe(4);
  });

  it("F28: 6 for a store that cannot be reached, and for a Foreman that cannot reach its store", async () => {
    const nowhere = "redis://127.0.0.1:1";
    const [client, foreman] = await Promise.all([
      run(["enqueue", "greet", "--store", nowhere]),
      millrace(["foreman", MODULE, "--store", nowhere, "--health-port", "off"], { cwd }),
    ]);
    expect(client).toMatchObject({ code: 6, stdout: "" });
    expect(foreman).toMatchObject({ code: 6, stdout: "" });
    const said = JSON.parse(foreman.stderr.trim().split("\n").at(-1) ?? "") as unknown;
    expect(said).toMatchObject({ level: "ERROR", target: "foreman", error: { code: "MR_STORE_UNAVAILABLE" } });
  });

  it("1 for a module that cannot be imported, with what it threw", async () => {
    writeFileSync(join(cwd, "broken.mjs"), "throw new Error('no such luck');");
    const { code, stderr } = await millrace(["foreman", "./broken.mjs", "--health-port", "off"], { cwd });
    expect(stderr).toContain("no such luck");
    expect(code).toBe(1);
  });

  it("2 for an App name that is not the module's", async () => {
    const { code, stderr } = await millrace(["foreman", MODULE, "--app", "other", "--health-port", "off"], { cwd });
    expect(stderr).toContain("the module's App is called server-test");
    expect(code).toBe(2);
  });

  it.runIf(existsSync("/bin/sh"))("0 for a reader that stops reading", async () => {
    const script = `${process.execPath} ${PROGRAM} config; echo $? >&2`;
    const shell = spawn("/bin/sh", ["-c", `{ ${script}; } | head -c 1 >/dev/null`], {
      cwd,
      env: cleanEnv(),
      stdio: ["ignore", "pipe", "pipe"],
    });
    let stderr = "";
    shell.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    await once(shell, "close");
    expect(stderr).toBe("0\n");
  });
});

describe("config", () => {
  it("prints key, value, source and reload of every setting, without secrets", async () => {
    writeFileSync(join(cwd, "settings.yaml"), "workers:\n  slots: 16\n");
    const args = ["config", "--config", "settings.yaml", "--log-level", "debug"];
    const { code, stdout } = await run(args, { REDIS_URL: "redis://me:s3cret@host" });
    expect(code).toBe(0);
    const rows = stdout.split("\n").map((line) => line.split(/ {2,}/));
    expect(rows).toContainEqual(["key", "value", "source", "reload"]);
    expect(rows).toContainEqual(["workers.slots", "16", "file settings.yaml:2", "yes"]);
    expect(rows).toContainEqual(["store.url", "redis://me:[secret]@host", "env REDIS_URL", "no"]);
    expect(rows).toContainEqual(["log.level", "debug", "flag --log-level", "yes"]);
    expect(rows).toContainEqual(["app_id", "default", "default", "no"]);
  });

  it("as JSON holds no secret either", async () => {
    const { stdout } = await run(["config", "--json"], { MILLRACE_STORE_URL: "redis://:s3cret@host" });
    const settings = JSON.parse(stdout) as { key: string; value: unknown; source: string }[];
    expect(settings.find(({ key }) => key === "store.url")).toMatchObject({
      value: "redis://:[secret]@host",
      source: "env MILLRACE_STORE_URL",
    });
  });

  it("explains one setting: where it may come from, and what it overrides", async () => {
    const { stdout } = await run(["config", "--explain", "store.url", "--json"], {
      MILLRACE_STORE_URL: "redis://:s3cret@a",
      REDIS_URL: "redis://:s3cret@b",
    });
    expect(stdout).not.toContain("s3cret");
    expect(JSON.parse(stdout)).toMatchObject({
      key: "store.url",
      env: ["MILLRACE_STORE_URL", "REDIS_URL"],
      flags: ["--store", "--store-url"],
      value: "redis://:[secret]@a",
      source: "env MILLRACE_STORE_URL",
      overrides: [{ value: "redis://:[secret]@b", source: "env REDIS_URL" }],
    });
  });

  it("takes a flag that says no, and one that says yes or no", async () => {
    const rowOf = async (...args: string[]) => {
      const { stdout } = await run(["config", "--json", ...args]);
      const settings = JSON.parse(stdout) as { key: string; value: unknown; source: string }[];
      return settings.find(({ key }) => key === "workers.auto_optimize");
    };
    expect(await rowOf()).toMatchObject({ value: true, source: "default" });
    expect(await rowOf("--no-optimize")).toMatchObject({ value: false, source: "flag --no-optimize" });
    const long = ["--workers-auto-optimize", "no"];
    expect(await rowOf(...long)).toMatchObject({ value: false, source: "flag --workers-auto-optimize" });
  });

  it("--check says whether the settings are right", async () => {
    expect(await run(["config", "--check"])).toMatchObject({ code: 0 });
    expect(await run(["config", "--check", "--config", "none.yaml"])).toMatchObject({ code: 2 });
  });
});

describe("enqueue", () => {
  it("takes an id for each line of a file, tells the wrong ones, and goes on", async () => {
    await using redis = await openTestRedis();
    const args = ["enqueue", "greet", "--many", "-", "--store", redis.url, "--app", redis.app];
    const { code, stdout, stderr } = await run(args, {}, '{"name":"Ann"}\n\nnonsense\n{"name":"Bob"}\n');
    expect(stdout.trim().split("\n")).toHaveLength(2);
    expect(stderr).toContain("line 3:");
    expect(stderr).toContain("enqueued 2, refused 1");
    expect(code).toBe(1);
  });

  it("F28: waits for the time it is given and no longer: exit code 6", async () => {
    await using redis = await openTestRedis();
    const args = ["enqueue", "greet", "--wait", "--timeout", "100ms", "--store", redis.url, "--app", redis.app];
    expect(await run(args)).toMatchObject({ code: 6, stdout: "" });
  });

  it("reads its input from standard input, and says the id as JSON", async () => {
    await using redis = await openTestRedis();
    const args = ["enqueue", "greet", "-", "--json", "--quiet", "--store", redis.url, "--app", redis.app];
    const { code, stdout, stderr } = await run(args, {}, '{"name":"Ann"}');
    expect(JSON.parse(stdout)).toMatchObject({ id: expect.stringContaining("."), durability: expect.any(String) });
    expect(stderr).toBe("");
    expect(code).toBe(0);
  });

  it("G11: gives the same id for the same idempotency key, and refuses another input", async () => {
    await using redis = await openTestRedis();
    const args = ["--idempotency-key", "order-1", "--expires", "1h", "--store", redis.url, "--app", redis.app];
    const first = await run(["enqueue", "greet", "1", ...args]);
    expect(first).toMatchObject({ code: 0, stdout: expect.stringContaining("keyed-") });
    expect((await run(["enqueue", "greet", "1", ...args])).stdout).toBe(first.stdout);
    expect((await run(["enqueue", "greet", "2", ...args])).stderr).toContain("MR_IDEMPOTENCY_MISMATCH");
  });

  it("does not let what a module prints come between its results", async () => {
    writeFileSync(join(cwd, "chatty.mjs"), `console.log("hello there");\nexport * from ${JSON.stringify(MODULE)};\n`);
    const { stdout, stderr } = await millrace(["enqueue", "greet", "--module", "chatty.mjs", "--store", "memory:"], {
      cwd,
    });
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(stderr).toContain("hello there");
  });
});

describe("B43: doctor", () => {
  it("is content with a Redis that evicts nothing, and knows the module", async () => {
    await using redis = await openTestRedis();
    const { code, stdout } = await run([
      "doctor",
      "--json",
      "--store",
      redis.url,
      "--module",
      MODULE,
      "--node-id",
      "a",
    ]);
    const findings = JSON.parse(stdout) as { check: string; state: string; found: string }[];
    const stateOf = (name: string) => findings.find(({ check }) => check === name)?.state;
    expect(findings.filter(({ state }) => state === "fail")).toEqual([]);
    expect(["store", "store policy", "store clock", "module", "node", "settings"].map(stateOf)).toEqual(
      Array(6).fill("ok"),
    );
    expect(findings.find(({ check }) => check === "module")?.found).toContain("count (blocking)");
    expect(code).toBe(0);
  });

  it("counts what is ready, in every Queue and at every priority", async () => {
    await using redis = await openTestRedis();
    const app = new App({ id: "deep", store: redis.url, nodeId: "a" });
    const one = app.step("one", async () => null);
    const two = app.step("two", { queue: "other" }, async () => null);
    await app.enqueueMany(one, [null, null, null]);
    await app.enqueueMany(two, [null, null], { priority: 7 });
    await app.close();
    const { stdout } = await run(["doctor", "--json", "--app", "deep", "--store", redis.url]);
    const findings = JSON.parse(stdout) as { check: string; state: string; found: string }[];
    expect(findings.find(({ check }) => check === "store depth")).toEqual({
      ...{ check: "store depth", state: "ok", found: "5 ready" },
    });
  });

  it("says what is wrong and how to mend it, with exit code 1", async () => {
    writeFileSync(join(cwd, "empty.mjs"), "export const nothing = 1;");
    const { code, stdout } = await run(["doctor", "--store", "redis://:s3cret@127.0.0.1:1", "--module", "empty.mjs"]);
    expect(stdout).toMatch(/^fail +store +/m);
    expect(stdout).toMatch(/^fail +module +/m);
    expect(stdout).toContain("store: start the server");
    expect(stdout).not.toContain("s3cret");
    expect(code).toBe(1);
  });
});

it("millrace-foreman is millrace foreman", async () => {
  const [one, other] = await Promise.all([
    promisify(execFile)(process.execPath, [join(PROGRAM, "../millrace-foreman.js"), "--help"], { env: cleanEnv() }),
    millrace(["foreman", "--help"], { cwd }),
  ]);
  expect(one.stdout).toBe(other.stdout);
});

it("the package's bins are programs", () => {
  const server = join(PROGRAM, "../..");
  const [report] = JSON.parse(
    execFileSync("npm", ["pack", "--dry-run", "--json"], {
      cwd: server,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }),
  ) as [{ files: { path: string; mode: number }[] }];
  const files = new Map(report.files.map(({ path, mode }) => [path, mode]));
  for (const bin of ["bin/millrace.js", "bin/millrace-foreman.js"])
    expect((files.get(bin) ?? 0) & 0o111, bin).not.toBe(0);
  expect([...files.keys()].filter((path) => /\.test\.|tsbuildinfo|^src\//.test(path))).toEqual([]);
  expect(files.has("dist/cli/main.js")).toBe(true);
});
