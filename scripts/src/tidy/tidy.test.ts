import { describe, expect, test } from "vitest";
import { inspectDocstrings } from "./docstrings.js";
import { inspectKnowers } from "./knowers.js";
import { inspectLeftovers } from "./leftovers.js";
import { type Finding, type Source, toSource } from "./source.js";
import { inspectWords } from "./words.js";

/** Runs one check over a small house given as path → text. */
function messages(inspect: (sources: readonly Source[]) => Finding[], files: Record<string, string>): string[] {
  return inspect(Object.entries(files).map(([path, text]) => toSource(path, text))).map(
    ({ path, line, message }) => `${path}:${line} ${message}`,
  );
}

describe("knowers", () => {
  test.each([
    ["an import", 'import { Redis } from "ioredis";', '"ioredis"'],
    ["a type import", 'import type { Redis } from "ioredis";', '"ioredis"'],
    ["an import below a package", 'import { x } from "lmdb/native";', '"lmdb/native"'],
    ["a re-export", 'export { pack } from "msgpackr";', '"msgpackr"'],
    ["a dynamic import", 'const m = await import("msgpackr");', '"msgpackr"'],
    ["an import type", 'type R = import("ioredis").Redis;', '"ioredis"'],
    ["Date.now as a call", "const t = Date.now();", "Date.now"],
    ["Date.now handed on", "const now = Date.now;", "Date.now"],
    ["new Date()", "const t = new Date();", "new Date()"],
    ["performance.now", "const t = performance.now();", "performance.now"],
    ["process.hrtime", "const t = process.hrtime.bigint();", "process.hrtime"],
    ["setTimeout", "setTimeout(() => {}, 1);", "setTimeout"],
    ["globalThis.setInterval", "globalThis.setInterval(() => {}, 1);", "globalThis.setInterval"],
    ["timers by import", 'import { setTimeout as wait } from "node:timers/promises";', '"node:timers/promises"'],
    ["Math.random", "const r = Math.random();", "Math.random"],
    ["randomBytes", 'import { randomBytes } from "node:crypto";', "randomBytes"],
    ["process.env", "const e = process.env.HOME;", "process.env"],
    ["globalThis.process.env", "const e = globalThis.process.env;", "process.env"],
    ["process.exit", "process.exit(1);", "process.exit"],
    ["Atomics.wait", "Atomics.wait(words, 0, seen);", "Atomics.wait"],
    ["Atomics.notify", "Atomics.notify(words, 0);", "Atomics.notify"],
    ["Atomics.waitAsync", "Atomics.waitAsync(words, 0, seen);", "Atomics.waitAsync"],
  ])("finds %s in a file that is not its knower", (_, text, sight) => {
    const found = messages(inspectKnowers, { "core/src/queue/queue.ts": text });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`core/src/queue/queue.ts:1 ${sight}: `);
  });

  test.each([
    ["the knower itself", "core/src/base/clock.ts", "const t = Date.now(); setTimeout(() => {}, 1);"],
    ["a unit test", "core/src/queue/queue.test.ts", "const t = Date.now();"],
    ["testing/, for time", "core/src/testing/manual-clock.ts", "const t = Date.now();"],
    ["a ring's wait", "core/src/ring/wait.ts", "Atomics.wait(words, 0, seen); Atomics.notify(words, 0);"],
    ["other atomics", "core/src/worker/seats.ts", "Atomics.store(words, 0, 1); Atomics.load(words, 0);"],
    ["other workspaces", "bench/src/main.ts", "const t = process.env.HOME;"],
    ["a method of that name", "core/src/queue/queue.ts", "clock.setTimeout(() => {}, 1);"],
    ["a declared method", "core/src/queue/queue.ts", "interface C { setTimeout(f: () => void): void }"],
    ["a type", "core/src/queue/queue.ts", "type Timer = ReturnType<typeof setTimeout>;"],
    ["a comment and a string", "core/src/queue/queue.ts", 'const s = "Date.now()"; // Date.now()'],
    ["a date made of a number", "core/src/queue/queue.ts", "const d = new Date(nowMs);"],
  ])("lets %s be", (_, path, text) => {
    expect(messages(inspectKnowers, { [path]: text })).toEqual([]);
  });

  test("lets a ring's ends wake but not wait", () => {
    const text = "Atomics.notify(words, 0);\nAtomics.wait(words, 0, seen);";
    expect(messages(inspectKnowers, { "core/src/ring/ring.ts": text })).toEqual([
      "core/src/ring/ring.ts:2 Atomics.wait: only core/src/ring/wait.ts knows blocking waits",
    ]);
  });

  test("does not let testing/ read the environment", () => {
    expect(messages(inspectKnowers, { "core/src/testing/index.ts": "process.env.A;" })).toHaveLength(1);
  });
});

describe("docstrings", () => {
  test("finds a public export without a docstring, through re-exports", () => {
    const found = messages(inspectDocstrings, {
      "core/src/index.ts": 'export { App as Application } from "./app.js";\nexport type { Id } from "./base/id.js";',
      "core/src/app.ts": "export class App {}\n",
      "core/src/base/id.ts": "/** Names an Operation for ever. */\nexport type Id = string;\n",
    });
    expect(found).toEqual(["core/src/app.ts:1 App is public: say in a docstring what it is"]);
  });

  test("finds a docstring that is no sentence", () => {
    const files = { "core/src/testing/index.ts": "/** The clock */\nexport const clock = 1;" };
    expect(messages(inspectDocstrings, files)).toHaveLength(1);
  });

  test("wants the label Errors on each method of the Store", () => {
    const store = `
      export interface Store {
        /** Takes ready Operations for one Foreman.\n * Errors: MR_STORE_UNAVAILABLE (refused). */
        claim(): void;
        /** Ends running Operations with a result. */
        complete(): void;
        fail(): void;
      }`;
    expect(messages(inspectDocstrings, { "core/src/engine/store.ts": store })).toEqual([
      'core/src/engine/store.ts:7 Store.complete: its docstring lacks "Errors:"',
      "core/src/engine/store.ts:8 Store.fail is the contract: say in a docstring what it does",
    ]);
  });
});

describe("leftovers", () => {
  test("finds a note in a comment, in TypeScript and in Lua, at its line", () => {
    const found = messages(inspectLeftovers, {
      "core/src/a.ts": "const a = 1;\n/*\n * TODO: more\n */\nconst b = 2; // FIXME later",
      "core/src/b.lua": "local a = 1 -- TODO more",
    });
    expect(found.map((text) => text.split(" ")[0])).toEqual(["core/src/a.ts:3", "core/src/a.ts:5", "core/src/b.lua:1"]);
  });

  test("lets the words be in strings and names", () => {
    expect(messages(inspectLeftovers, { "core/src/a.ts": 'const TODO = "// FIXME";' })).toEqual([]);
  });
});

describe("words", () => {
  test.each(["Job", "claimJobs", "JOB_MAX", "hasSucceeded", "tenantId"])("finds a foreign word in %s", (name) => {
    expect(messages(inspectWords, { "core/src/a.ts": `export const ${name} = 1;` })).toHaveLength(1);
  });

  test("finds a foreign word that a re-export brings in", () => {
    expect(messages(inspectWords, { "core/src/index.ts": 'export { Operation as Job } from "./a.js";' })).toHaveLength(
      1,
    );
  });

  test.each([
    ["inside a file", "core/src/a.ts", "const job = 1;"],
    ["as a part of another word", "core/src/a.ts", "export const jobless = 1;"],
    ["in compat/", "core/src/compat/bullmq.ts", "export class Job {}"],
  ])("lets a foreign word be %s", (_, path, text) => {
    expect(messages(inspectWords, { [path]: text })).toEqual([]);
  });
});
