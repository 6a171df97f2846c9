/**
 * Finds every test of the house by reading the sources: its name, the row ids the name begins with, and the stores its
 * file opens. Nothing is executed, so it takes a second or two and needs no Redis.
 *
 * Suites shared by several files (test/conformance/store, app.suite.ts) count for the stores of all files that reach
 * them. Which stores a file opens is read from the words that open them; a test under `runIf(isShared)` leaves out
 * those that only one process can have.
 */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import ts from "typescript";
import type { StoreName } from "./rows.js";

/** One test, or one line of `each`, as it is written. */
export interface NamedTest {
  /** Its own name; parts that are filled in when it runs stay as they are written. */
  readonly name: string;
  /** Row ids of its name and of the groups around it. */
  readonly ids: readonly string[];
  readonly file: string;
  readonly line: number;
  readonly stores: readonly StoreName[];
}

/** Where tests are. */
const folders = ["core/src", "server/src", "scripts/src", "bench/src", "test"];
/** The kit may not speak for those who use it. */
const passedOver = /(^|\/)(node_modules|dist|fixture|helper)\//;

/** What opens a store, by its words; `everyPlace` (test/helper/places.ts) opens all of them. */
const openers: readonly (readonly [StoreName, RegExp])[] = [
  ["memory", /everyPlace\(|"memory:"|new MemoryStore|createTestApp\(/],
  ["embedded", /everyPlace\(|embedded:|new EmbeddedStore|EmbeddedStore\.open/],
  ["Redis", /everyPlace\(|MILLRACE_REDIS_URL|openTestRedis|startRedis\(|redisUnderTest\(/],
  ["Cluster", /everyPlace\(|RedisCluster/],
];

/** Reads all tests under a folder. */
export function collectTests(root: string): NamedTest[] {
  const texts = new Map<string, string>();
  for (const folder of folders) {
    for (const name of readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })) {
      const path = `${folder}/${name}`;
      const isTest = folder === "test" ? path.endsWith(".ts") : path.endsWith(".test.ts");
      if (isTest && !passedOver.test(path)) texts.set(path, readFileSync(join(root, path), "utf8"));
    }
  }
  return collectFrom(texts);
}

/** The same from texts by path. */
export function collectFrom(texts: ReadonlyMap<string, string>): NamedTest[] {
  const stores = storesOf(texts);
  return [...texts].flatMap(([path, text]) => testsOf(path, text, stores.get(path) ?? new Set()));
}

/** The stores each file is run on: its own, and those of every test file that reaches it by its imports. */
function storesOf(texts: ReadonlyMap<string, string>): Map<string, Set<StoreName>> {
  const result = new Map<string, Set<StoreName>>();
  for (const path of texts.keys()) {
    if (!path.endsWith(".test.ts")) continue;
    const reached = reach(path, texts);
    const opened = openers.flatMap(([store, words]) =>
      [...reached].some((file) => words.test(withoutImports(texts.get(file) ?? ""))) ? [store] : [],
    );
    for (const file of reached) {
      const stores = result.get(file) ?? new Set();
      for (const store of opened) stores.add(store);
      result.set(file, stores);
    }
  }
  return result;
}

function reach(path: string, texts: ReadonlyMap<string, string>, reached = new Set<string>()): Set<string> {
  if (reached.has(path)) return reached;
  reached.add(path);
  // Source files open no store for a test: only what lies in test/ does.
  if (!path.startsWith("test/")) return reached;
  for (const [, from = ""] of (texts.get(path) ?? "").matchAll(/from "(\.[^"]+)\.js"/g)) {
    const next = join(dirname(path), `${from}.ts`);
    if (texts.has(next)) reach(next, texts, reached);
  }
  return reached;
}

function withoutImports(text: string): string {
  return text.replace(/^import [^;]*;$/gm, "");
}

function testsOf(path: string, text: string, stores: ReadonlySet<StoreName>): NamedTest[] {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const found: NamedTest[] = [];
  const visit = (node: ts.Node, around: readonly string[], on: readonly StoreName[]): void => {
    const call = ts.isCallExpression(node) ? readCall(node) : null;
    if (call === null) return ts.forEachChild(node, (child) => visit(child, around, on));
    const here = call.isForShared ? on.filter((store) => store === "Redis" || store === "Cluster") : on;
    const ids = [...new Set([...around, ...idsOf(call.name)])];
    if (call.kind === "group") return ts.forEachChild(node, (child) => visit(child, ids, here));
    const line = tree.getLineAndCharacterOfPosition(node.getStart()).line + 1;
    found.push({ name: call.name, ids, file: path, line, stores: here });
  };
  visit(tree, [], [...stores]);
  return found;
}

/** `it("…", …)`, `test.each(…)("…", …)`, `describe.runIf(isShared)("…", …)`; null for any other call. */
function readCall(node: ts.CallExpression): { kind: "test" | "group"; name: string; isForShared: boolean } | null {
  const [first] = node.arguments;
  const callee = node.expression.getText();
  const kind = /^(it|test)\b/.test(callee) ? "test" : /^describe\b/.test(callee) ? "group" : null;
  if (kind === null || first === undefined || node.arguments.length < 2) return null;
  const name = nameOf(first);
  return name === null ? null : { kind, name, isForShared: callee.includes("runIf(isShared)") };
}

function nameOf(node: ts.Expression): string | null {
  if (ts.isStringLiteralLike(node)) return node.text;
  return ts.isTemplateExpression(node) ? node.getText().slice(1, -1) : null;
}

/** `"B8, X18: cancels …"` → B8, X18. */
export function idsOf(name: string): string[] {
  const head = /^((?:[A-Z]\d{1,2}(?:, )?)+):/.exec(name)?.[1];
  return head === undefined ? [] : head.split(", ");
}
