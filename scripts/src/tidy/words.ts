/**
 * The glossary in exported names: one thing, one word.
 *
 * Each row is a word the field uses and we do not, beside ours. compat/ speaks other libraries' words on purpose.
 */
import ts from "typescript";
import { at, type Finding, isExported, isShipped, namesOf, type Source } from "./source.js";

const ours: ReadonlyMap<string, string> = new Map([
  ["job", "Operation (or task, for users)"],
  ["succeeded", "completed"],
  ["parked", "waiting"],
  ["tenant", "App"],
  ["master", "Foreman"],
  ["orchestrator", "Foreman"],
]);

/** Finds exported names of core that contain a word of another glossary. */
export function inspectWords(sources: readonly Source[]): Finding[] {
  return sources
    .filter((source) => isShipped(source) && !source.path.startsWith("core/src/compat/"))
    .flatMap((source) =>
      (source.tree?.statements ?? []).flatMap(exportedNames).flatMap(({ name, node }) =>
        wordsOf(name).flatMap((word) => {
          const better = ours.get(word) ?? ours.get(word.replace(/s$/, ""));
          return better === undefined ? [] : [at(source, node, `${name}: say ${better}, not ${word}`)];
        }),
      ),
    );
}

function exportedNames(statement: ts.Statement): { name: string; node: ts.Node }[] {
  if (isExported(statement)) return namesOf(statement);
  if (!ts.isExportDeclaration(statement) || statement.exportClause === undefined) return [];
  if (!ts.isNamedExports(statement.exportClause)) return [];
  return statement.exportClause.elements.map(({ name }) => ({ name: name.text, node: name }));
}

/** `claimJobsNow` → claim, jobs, now. */
function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .split(/[^A-Za-z0-9]+/)
    .map((word) => word.toLowerCase());
}
