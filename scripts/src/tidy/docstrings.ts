/**
 * Docstrings: every export of a public door says in one sentence what its type cannot.
 *
 * Follows explicit re-exports from the doors to their declarations. Methods of the Store contract must also say
 * how they fail, under the label `Errors:`.
 */
import { posix } from "node:path";
import ts from "typescript";
import { at, type Finding, isExported, namesOf, type Source } from "./source.js";

const doors = ["core/src/index.ts", "core/src/testing/index.ts", "core/src/compat/bullmq/index.ts"];
const contract = { path: "core/src/engine/store.ts", name: "Store", label: "Errors:" };

/** Finds public exports and contract methods whose docstring is missing or says too little. */
export function inspectDocstrings(sources: readonly Source[]): Finding[] {
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const seen = new Set<ts.Statement>();
  const findings: Finding[] = [];
  for (const path of doors) {
    const door = byPath.get(path);
    if (door !== undefined) {
      for (const found of exportsOf(door, byPath)) {
        if (seen.has(found.statement)) continue;
        seen.add(found.statement);
        if (!isSentence(docOf(found.statement))) {
          findings.push(at(found.source, found.statement, `${found.name} is public: say in a docstring what it is`));
        }
      }
    }
  }
  return [...findings, ...inspectContract(byPath.get(contract.path))];
}

interface Found {
  readonly name: string;
  readonly source: Source;
  readonly statement: ts.Statement;
}

/** Everything a module exports, with the statement that declares it. Packages' own names are their affair. */
function exportsOf(door: Source, byPath: ReadonlyMap<string, Source>): Found[] {
  return (door.tree?.statements ?? []).flatMap((statement): Found[] => {
    if (isExported(statement)) return namesOf(statement).map(({ name }) => ({ name, source: door, statement }));
    if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return [];
    if (!ts.isNamedExports(statement.exportClause)) return [];
    const specifier = statement.moduleSpecifier;
    return statement.exportClause.elements.flatMap(({ name, propertyName }) => {
      const from = specifier !== undefined && ts.isStringLiteral(specifier) ? specifier.text : null;
      const found = from === null ? null : find((propertyName ?? name).text, resolve(door.path, from), byPath);
      return found === null ? [] : [found];
    });
  });
}

function find(name: string, path: string, byPath: ReadonlyMap<string, Source>): Found | null {
  const source = byPath.get(path);
  return source === undefined ? null : (exportsOf(source, byPath).find((found) => found.name === name) ?? null);
}

function resolve(from: string, specifier: string): string {
  return posix.join(posix.dirname(from), specifier.replace(/\.js$/, ".ts"));
}

function inspectContract(source: Source | undefined): Finding[] {
  const store = source?.tree?.statements.find(
    (statement): statement is ts.InterfaceDeclaration =>
      ts.isInterfaceDeclaration(statement) && statement.name.text === contract.name,
  );
  if (source === undefined || store === undefined) return [];
  return store.members.filter(ts.isMethodSignature).flatMap((method) => {
    const doc = docOf(method);
    const name = `${contract.name}.${method.name.getText()}`;
    if (!isSentence(doc)) return [at(source, method, `${name} is the contract: say in a docstring what it does`)];
    return doc.includes(contract.label) ? [] : [at(source, method, `${name}: its docstring lacks "${contract.label}"`)];
  });
}

/** The text of the docstring directly above a node; empty when there is none. */
function docOf(node: ts.Node): string {
  const doc = ts.getJSDocCommentsAndTags(node).find((part) => ts.isJSDoc(part));
  return doc === undefined ? "" : (ts.getTextOfJSDocComment(doc.comment) ?? "");
}

/** At least three words and an end: enough to tell a sentence from the name said twice. */
function isSentence(doc: string): boolean {
  return doc.trim().split(/\s+/).length >= 3 && /[.:;!?…]/.test(doc);
}
