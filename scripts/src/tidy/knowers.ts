/**
 * One knower per fact: who may import a package, tell the time, draw chance, read the environment or block a thread.
 *
 * Judged by syntax, so a comment or a string never counts, and neither does a type such as `typeof setTimeout`.
 */
import ts from "typescript";
import { at, type Finding, isShipped, type Source, visit } from "./source.js";

interface Fact {
  /** What is found, as the message names it. */
  readonly what: string;
  /** Paths below core/src that may know it. */
  readonly knowers: readonly string[];
  /** Whether testing/ (the users' door with manual clocks and seeds) may know it too. */
  readonly testingMay: boolean;
  readonly packages?: readonly string[];
  readonly globals?: readonly string[];
  /** Written `object.member`. */
  readonly members?: readonly string[];
  /** Import names that give the same under another spelling. */
  readonly imports?: readonly string[];
}

const facts: readonly Fact[] = [
  { what: "ioredis", knowers: ["store/redis/connection.ts"], testingMay: false, packages: ["ioredis"] },
  { what: "lmdb", knowers: ["store/embedded/lmdb.ts"], testingMay: false, packages: ["lmdb"] },
  { what: "msgpackr", knowers: ["base/codec.ts"], testingMay: false, packages: ["msgpackr"] },
  {
    what: "the time",
    knowers: ["base/clock.ts"],
    testingMay: true,
    packages: ["node:timers", "node:timers/promises", "node:perf_hooks"],
    globals: ["setTimeout", "setInterval"],
    members: ["Date.now", "performance.now", "process.hrtime"],
  },
  {
    what: "chance",
    knowers: ["base/random.ts"],
    testingMay: true,
    members: ["Math.random", "crypto.getRandomValues", "crypto.randomBytes", "crypto.randomUUID"],
    imports: ["randomBytes", "randomInt", "randomUUID", "getRandomValues"],
  },
  {
    what: "the environment",
    knowers: ["base/env.ts"],
    testingMay: false,
    members: ["process.env"],
  },
  { what: "blocking waits", knowers: ["ring/wait.ts"], testingMay: false, members: ["Atomics.wait"] },
  {
    what: "waking what blocks",
    knowers: ["ring/ring.ts", "ring/wait.ts"],
    testingMay: false,
    members: ["Atomics.notify"],
  },
  // Leaks while it waits and does not keep the process alive: a port rings instead.
  { what: "Atomics.waitAsync", knowers: [], testingMay: false, members: ["Atomics.waitAsync"] },
  {
    what: "the exit of the process",
    // Both are programs of their own.
    knowers: ["worker/thread.ts", "worker/process.ts"],
    testingMay: false,
    members: ["process.exit"],
  },
];

/** Finds facts known in a file of core that is not their knower. */
export function inspectKnowers(sources: readonly Source[]): Finding[] {
  return sources.filter(isShipped).flatMap((source) => {
    const path = source.path.slice("core/src/".length);
    const strangers = facts.filter(
      ({ knowers, testingMay }) => !knowers.includes(path) && !(testingMay && path.startsWith("testing/")),
    );
    const findings: Finding[] = [];
    if (source.tree === null) return findings;
    visit(source.tree, (node) => {
      for (const fact of strangers) {
        const seen = sightOf(node, fact);
        if (seen !== null) findings.push(at(source, node, `${seen}: ${describe(fact)}`));
      }
    });
    return findings;
  });
}

function describe({ what, knowers }: Fact): string {
  return knowers.length === 0
    ? `no file of core may know ${what}`
    : `only core/src/${knowers.join(", ")} knows ${what}`;
}

/** How a node shows the fact, in its own spelling; null when it does not. */
function sightOf(node: ts.Node, fact: Fact): string | null {
  const module = moduleOf(node);
  if (module !== null) return (fact.packages ?? []).some((name) => isOrIsBelow(module, name)) ? `"${module}"` : null;
  if (ts.isImportSpecifier(node)) {
    const name = (node.propertyName ?? node.name).text;
    return fact.imports?.includes(name) ? name : null;
  }
  if (ts.isPropertyAccessExpression(node)) {
    const [object, member] = [node.expression, node.name.text];
    const owner = ts.isIdentifier(object) ? object.text : ts.isPropertyAccessExpression(object) ? object.name.text : "";
    if (fact.members?.includes(`${owner}.${member}`)) return `${owner}.${member}`;
    return owner === "globalThis" && fact.globals?.includes(member) ? `globalThis.${member}` : null;
  }
  // `new Date()` reads the clock; `new Date(ms)` only dresses a number.
  if (ts.isNewExpression(node) && node.expression.getText() === "Date" && (node.arguments?.length ?? 0) === 0) {
    return fact.members?.includes("Date.now") ? "new Date()" : null;
  }
  return ts.isIdentifier(node) && isFreeName(node) && fact.globals?.includes(node.text) ? node.text : null;
}

/** The module a node imports, in any of the four ways to write it. */
function moduleOf(node: ts.Node): string | null {
  const specifier =
    ts.isImportDeclaration(node) || ts.isExportDeclaration(node)
      ? node.moduleSpecifier
      : ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword
        ? node.arguments[0]
        : ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)
          ? node.argument.literal
          : undefined;
  return specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : null;
}

function isOrIsBelow(module: string, name: string): boolean {
  return module === name || module.startsWith(`${name}/`);
}

/** An identifier that stands for a value in scope: no member, no declared name, no type. */
function isFreeName(node: ts.Identifier): boolean {
  const parent = node.parent;
  if (ts.isPropertyAccessExpression(parent)) return parent.expression === node;
  if (ts.isTypeQueryNode(parent) || ts.isTypeReferenceNode(parent)) return false;
  if (ts.isImportSpecifier(parent) || ts.isExportSpecifier(parent)) return false;
  if (ts.isPropertyAssignment(parent)) return parent.initializer === node;
  return !("name" in parent && parent.name === node) || ts.isShorthandPropertyAssignment(parent);
}
