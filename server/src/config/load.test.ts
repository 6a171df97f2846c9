import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { isMillraceError } from "@millrace/core";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { Problem } from "./given.js";
import { type Config, type LoadOptions, loadConfig, nodeIdOf, shownValue } from "./load.js";
import { type ConfigKey, configKeys, configTable, envNameOf, flagsOf, rowOf } from "./options.js";

let cwd: string;
beforeEach(() => {
  cwd = mkdtempSync(join(tmpdir(), "millrace-config-"));
});
afterEach(() => {
  rmSync(cwd, { recursive: true, force: true });
});

function write(name: string, text: string): string {
  const path = join(cwd, name);
  writeFileSync(path, text);
  return path;
}

async function load(options: Partial<LoadOptions> = {}): Promise<Config> {
  return await loadConfig({ env: {}, cwd, ...options });
}

async function problemsOf(options: Partial<LoadOptions> = {}): Promise<readonly Problem[]> {
  const error: unknown = await load(options).then(
    () => expect.fail("expected the configuration to be refused"),
    (refused: unknown) => refused,
  );
  if (!isMillraceError(error, "MR_CONFIG")) throw error;
  return error.details.problems as readonly Problem[]; // that is how the error is made
}

function sourceOf(config: Config, key: ConfigKey): string {
  return config.settings.get(key)?.origin.text ?? "";
}

describe("F27: precedence", () => {
  const sources = ["flag", "own variable", "other variable", "file", "default"] as const;
  type Source = (typeof sources)[number];
  /** The key with every kind of source, and what each of them would say. */
  const said: Record<Source, { readonly value: string; readonly origin: string }> = {
    flag: { value: "redis://flag", origin: "flag --store" },
    "own variable": { value: "redis://own", origin: "env MILLRACE_STORE_URL" },
    "other variable": { value: "redis://other", origin: "env REDIS_URL" },
    file: { value: "redis://file", origin: "file millrace.config.yaml:2" },
    default: { value: "embedded:.millrace", origin: "default" },
  };
  const subsets = Array.from({ length: 2 ** 4 }, (_, bits) =>
    sources.filter((_, at) => at < 4 && (bits & (1 << at)) > 0),
  );

  test.each(subsets.map((given) => ({ given })))("of $given: the strongest wins", async ({ given }) => {
    if (given.includes("file")) write("millrace.config.yaml", "store:\n  url: redis://file\n");
    const env = {
      ...(given.includes("own variable") ? { MILLRACE_STORE_URL: "redis://own" } : {}),
      ...(given.includes("other variable") ? { REDIS_URL: "redis://other" } : {}),
    };
    const flags = given.includes("flag") ? [{ key: "store.url" as const, flag: "--store", value: "redis://flag" }] : [];
    const config = await load({ env, flags });
    const winner = given[0] ?? "default";
    expect(config.values["store.url"]).toBe(said[winner].value);
    expect(sourceOf(config, "store.url")).toBe(said[winner].origin);
    expect(config.settings.get("store.url")?.given.map(({ origin }) => origin.text)).toEqual(
      given.map((source) => said[source].origin),
    );
  });

  test.each([
    ["NODE_ID over WORKER_ID", { NODE_ID: "a", WORKER_ID: "b" }, "a"],
    ["its own name over both", { MILLRACE_NODE_ID: "o", NODE_ID: "a", WORKER_ID: "b" }, "o"],
    ["WORKER_ID alone", { WORKER_ID: "b" }, "b"],
    ["an empty variable counts as absent", { MILLRACE_NODE_ID: "", WORKER_ID: "b" }, "b"],
  ])("%s", async (_, env, expected) => {
    expect(nodeIdOf(await load({ env }))).toBe(expected);
  });

  test("B25: without any, the Node is called as the host", async () => {
    expect(nodeIdOf(await load())).toBe(hostname());
  });

  test.each(configKeys.filter((key) => rowOf(key).default !== undefined))("%s has its default", async (key) => {
    const config = await load();
    expect(config.values[key]).toEqual(rowOf(key).default);
    expect(sourceOf(config, key)).toBe("default");
  });

  test("settings of different sources stand side by side", async () => {
    write("millrace.config.yaml", "app_id: shop\nworkers:\n  slots: 16\n");
    const config = await load({ env: { MILLRACE_WORKERS_SLOTS: "32" } });
    expect(config.values).toMatchObject({ app_id: "shop", "workers.slots": 32, "workers.async_workers": 4 });
  });
});

describe("F27: the file", () => {
  test("named by --config wins over MILLRACE_CONFIG, and that over the working directory's", async () => {
    write("millrace.config.yaml", "app_id: here");
    write("one.yaml", "app_id: one");
    write("two.yaml", "app_id: two");
    const env = { MILLRACE_CONFIG: "one.yaml" };
    expect((await load()).values.app_id).toBe("here");
    expect((await load({ env })).values.app_id).toBe("one");
    const config = await load({ env, file: "two.yaml" });
    expect(config.values.app_id).toBe("two");
    expect(config.file).toBe(join(cwd, "two.yaml"));
  });

  test.each([
    ["millrace.config.yaml", "store:\n  # where\n  url: redis://x\n", "file millrace.config.yaml:3"],
    ["millrace.config.json", '{\n  "store": {\n    "url": "redis://x"\n  }\n}\n', "file millrace.config.json:3"],
    ["millrace.config.mjs", 'export default { store: { url: "redis://x" } };\n', "file millrace.config.mjs"],
  ])("%s is found, and its values know where they stand", async (name, text, origin) => {
    write(name, text);
    const config = await load();
    expect(config.values["store.url"]).toBe("redis://x");
    expect(sourceOf(config, "store.url")).toBe(origin);
  });

  test("a changed module is read anew", async () => {
    const path = write("millrace.config.mjs", 'export default { app_id: "one" };');
    expect((await load()).values.app_id).toBe("one");
    rmSync(path);
    write("millrace.config.mjs", 'export default { app_id: "other" }; // longer');
    expect((await load()).values.app_id).toBe("other");
  });

  test("two files side by side are refused: they do not merge", async () => {
    write("millrace.config.yaml", "app_id: a");
    write("millrace.config.json", "{}");
    expect(await problemsOf()).toMatchObject([{ origin: "file millrace.config.json" }]);
  });

  test.each([
    ["an empty one", ""],
    ["one of comments", "# nothing\n"],
    ["a section without keys", "store:\n"],
    ["a key without a value", "app_id:\n"],
  ])("%s sets nothing", async (_, text) => {
    write("millrace.config.yaml", text);
    expect((await load()).values.app_id).toBe("default");
  });

  test.each([
    ["an unknown key", "app_id: a\nstore:\n  ulr: x\n", "file millrace.config.yaml:3", "store.url"],
    ["an unknown section", "stor:\n  url: x\n", "file millrace.config.yaml:1", "store"],
    ["a section that is a value", "app_id: a\nstore: redis://x\n", "file millrace.config.yaml:2", null],
    ["a list as the whole", "- a\n", "file millrace.config.yaml", null],
    ["a wrong type", "workers:\n  slots: many\n", "file millrace.config.yaml:2", null],
    ["a number in quotes", 'workers:\n  slots: "8"\n', "file millrace.config.yaml:2", null],
    ["a bad range", "workers:\n  slots: 0\n", "file millrace.config.yaml:2", null],
    ["a misspelt choice", "log:\n  format: jsno\n", "file millrace.config.yaml:2", "json"],
    ["a key given twice", "app_id: a\napp_id: b\n", "file millrace.config.yaml:2", null],
    ["no YAML", "app_id: a\nstore: url: x\n", "file millrace.config.yaml:2", null],
  ])("%s is refused with its line", async (_, text, origin, suggestion) => {
    write("millrace.config.yaml", text);
    expect(await problemsOf()).toMatchObject([{ origin, suggestion }]);
  });

  test.each([
    ["that is not there", "none.yaml", null],
    ["of an unknown kind", "config.toml", "a = 1"],
    ["that throws", "broken.mjs", 'throw new Error("boom");'],
  ])("one %s is refused", async (_, name, text) => {
    if (text !== null) write(name, text);
    const problems = await problemsOf({ file: name });
    expect(problems.map(({ origin }) => origin)).toEqual([`file ${name}`]);
  });
});

describe("F27: the environment", () => {
  test.each([
    ["MILLRACE_WORKERS_SLOTZ", "MILLRACE_WORKERS_SLOTS"],
    ["MILLRACE_CONFG", "MILLRACE_CONFIG"],
    ["MILLRACE_NOTHING_LIKE_IT", null],
  ])("an unknown %s is refused", async (name, suggestion) => {
    expect(await problemsOf({ env: { [name]: "1" } })).toMatchObject([{ origin: `env ${name}`, suggestion }]);
  });

  test("names that commands of Steps see are no settings", async () => {
    await load({ env: { MILLRACE_RUN_ID: "x", MILLRACE_TASK_ID: "y", PATH: "/bin" } });
  });

  test.each([
    ["workers.slots", "12", 12],
    ["workers.slots", " 12 ", 12],
    ["store.url", "redis://a,redis://b:1/2", ["redis://a", "redis://b:1/2"]],
    ["store.url", "redis://:a,b@host", "redis://:a,b@host"],
    ["workers.queues", "mail, images", ["mail", "images"]],
    ["foreman.metrics_port", "off", "off"],
    ["foreman.metrics_port", "0", 0],
    ["log.level", "debug,store=warn", "debug,store=warn"],
    ["workers.auto_optimize", "no", false],
    ["workers.auto_optimize", "True", true],
    ["workers.auto_optimize", "0", false],
  ] as const)("%s is read from %j", async (key, text, value) => {
    expect((await load({ env: { [envNameOf(key)]: text } })).values[key]).toEqual(value);
  });

  test.each([
    ["workers.slots", "twelve"],
    ["workers.slots", "1.5"],
    ["workers.slots", "0x10"],
    ["workers.slots", "99999"],
    ["workers.queues", "a b"],
    ["node_id", "a/b"],
    ["foreman.metrics_port", "70000"],
    ["log.level", "loud"],
    ["workers.auto_optimize", "maybe"],
    ["store.durability", "afo"],
  ] as const)("%s is refused as %j, whatever else wins", async (key, text) => {
    const flags = [{ key: "app_id" as const, flag: "--app", value: "a" }];
    const problems = await problemsOf({ env: { [envNameOf(key)]: text }, flags });
    expect(problems).toHaveLength(1);
    expect(problems[0]?.origin).toBe(`env ${envNameOf(key)}`);
    expect(problems[0]?.problem).toContain(key);
  });

  test("all problems of all sources are told at once, each with its source", async () => {
    write("millrace.config.yaml", "stor: 1\nworkers:\n  slots: 0\n");
    const problems = await problemsOf({
      env: { MILLRACE_X: "1", MILLRACE_NODE_ID: "a/b" },
      flags: [{ key: "workers.async_workers", flag: "--async-workers", value: "-1" }],
    });
    expect(problems.map(({ origin }) => origin).sort()).toEqual([
      "env MILLRACE_NODE_ID",
      "env MILLRACE_X",
      "file millrace.config.yaml:1",
      "file millrace.config.yaml:3",
      "flag --async-workers",
    ]);
  });
});

describe("secrets", () => {
  test("come from a file that a variable names, without its last line end", async () => {
    const path = write("secret", "redis://:pw123@host\n");
    const config = await load({ env: { MILLRACE_STORE_URL_FILE: path } });
    expect(config.values["store.url"]).toBe("redis://:pw123@host");
    expect(sourceOf(config, "store.url")).toBe("env MILLRACE_STORE_URL_FILE");
  });

  test("also by the other variable's name", async () => {
    const path = write("secret", "redis://host");
    expect((await load({ env: { REDIS_URL_FILE: path } })).values["store.url"]).toBe("redis://host");
  });

  test("given twice under one name are refused, and so is a file that is not there", async () => {
    const both = await problemsOf({ env: { REDIS_URL: "redis://a", REDIS_URL_FILE: write("secret", "x") } });
    expect(both).toMatchObject([{ origin: "env REDIS_URL" }]);
    const none = await problemsOf({ env: { REDIS_URL_FILE: join(cwd, "none") } });
    expect(none).toMatchObject([{ origin: "env REDIS_URL_FILE" }]);
  });

  test("can only be read from files where there is a secret", async () => {
    const problems = await problemsOf({ env: { MILLRACE_APP_ID_FILE: "x" } });
    expect(problems).toMatchObject([{ origin: "env MILLRACE_APP_ID_FILE" }]);
  });

  test("are not shown: not in values, not in problems, not in what the mask has seen", async () => {
    const url = "redis://me:s3cr%2Ft@host:6379/1";
    const config = await load({ env: { REDIS_URL: url } });
    const setting = config.settings.get("store.url") ?? expect.fail();
    expect(shownValue(setting)).toBe("redis://me:[secret]@host:6379/1");
    expect(config.mask("could not log in with s3cr/t or s3cr%2Ft")).toBe("could not log in with [secret] or [secret]");
    const two = await load({ env: { REDIS_URL: "redis://:one1@a,redis://:two2@b" } });
    expect(shownValue(two.settings.get("store.url") ?? expect.fail())).toBe("redis://:[secret]@a,redis://:[secret]@b");
    expect(two.mask("one1 two2")).toBe("[secret] [secret]");
    write("millrace.config.yaml", "store:\n  url: {at: redis://me:s3cr@host}\n");
    expect(JSON.stringify(await problemsOf({ env: { REDIS_URL: url } }))).not.toContain("s3cr");
  });
});

describe("the table", () => {
  test("a beat must fit thrice into a Lease", async () => {
    const problems = await problemsOf({ env: { MILLRACE_FOREMAN_LEASE_MS: "6000" } });
    expect(problems[0]?.problem).toContain("foreman.heartbeat_ms");
    await load({ env: { MILLRACE_FOREMAN_LEASE_MS: "9000" } });
  });

  test("no two keys share a variable or a flag", () => {
    const variables = configKeys.flatMap((key) => [envNameOf(key), ...(rowOf(key).alsoEnv ?? [])]);
    const flags = configKeys.flatMap((key) => flagsOf(key));
    expect(new Set(variables).size).toBe(variables.length);
    expect(new Set(flags).size).toBe(flags.length);
  });

  test("every default is a value its own row takes", async () => {
    mkdirSync(join(cwd, "empty"));
    for (const [key, row] of Object.entries(configTable)) {
      if (!("default" in row)) continue;
      const env = { [envNameOf(key)]: String(row.default) };
      const config = await load({ env, cwd: join(cwd, "empty") });
      expect(config.values[key as ConfigKey], key).toEqual(row.default); // a key of the table
    }
  });
});
