/** A source file as the checks of tidy see it, and what they answer. Parses; resolves no types. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";

/** One file of the house. */
export interface Source {
  /** Path from the root of the house, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The syntax tree, for TypeScript; null for other languages. */
  readonly tree: ts.SourceFile | null;
}

/** Something to put right. */
export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly message: string;
}

const folders = ["core/src", "server/src", "bench/src", "test", "scripts/src", "docs/examples/src"];
const skippedFolders = new Set(["node_modules", "dist", "fixture"]);
const languages = /\.(ts|lua)$/;

/** Reads every source file under the root. */
export function readHouse(root: string): Source[] {
  return folders
    .flatMap((folder) => walk(root, folder))
    .map((path) => toSource(path, readFileSync(join(root, path), "utf8")));
}

/** Makes a source of a text; the path decides its language. */
export function toSource(path: string, text: string): Source {
  const tree = path.endsWith(".ts") ? ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) : null;
  return { path, text, tree };
}

/** A finding at a node of a source. */
export function at(source: Source, node: ts.Node, message: string): Finding {
  return { path: source.path, line: lineOf(source, node.getStart(source.tree ?? undefined)), message };
}

/** The line, counted from 1, of a character's position. */
export function lineOf(source: Source, position: number): number {
  return source.text.slice(0, position).split("\n").length;
}

/** Visits a node and all below it. */
export function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node);
  ts.forEachChild(node, (child) => visit(child, look));
}

/** Code of core that ships: no unit test, no file a program wrote. */
export function isShipped({ path }: Source): boolean {
  return path.startsWith("core/src/") && path.endsWith(".ts") && !/\.(test|gen)\.ts$/.test(path);
}

/** Whether a statement carries the `export` keyword. */
export function isExported(statement: ts.Statement): boolean {
  return (
    ts.canHaveModifiers(statement) &&
    (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
  );
}

/** The names a declaration statement introduces; none for other statements. */
export function namesOf(statement: ts.Statement): { name: string; node: ts.Node }[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name) ? [{ name: name.text, node: name }] : [],
    );
  }
  const isNamed =
    ts.isFunctionDeclaration(statement) ||
    ts.isClassDeclaration(statement) ||
    ts.isInterfaceDeclaration(statement) ||
    ts.isTypeAliasDeclaration(statement) ||
    ts.isEnumDeclaration(statement);
  return isNamed && statement.name !== undefined ? [{ name: statement.name.text, node: statement.name }] : [];
}

function walk(root: string, folder: string): string[] {
  let entries: ReturnType<typeof list>;
  try {
    entries = list(join(root, folder));
  } catch {
    return []; // A workspace that has no source yet.
  }
  return entries.flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : walk(root, path);
    return languages.test(entry.name) ? [path] : [];
  });
}

function list(folder: string) {
  return readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
}
