/** Notes to oneself that reached a comment: they teach readers to skim. */
import ts from "typescript";
import { type Finding, lineOf, type Source } from "./source.js";

const note = /\b(TO[D]O|FIX[M]E|XX[X])\b/; // The brackets keep this very line from being found.

/** Finds notes in comments; strings and names may hold the words. */
export function inspectLeftovers(sources: readonly Source[]): Finding[] {
  return sources.flatMap((source) =>
    commentsOf(source).flatMap(({ text, position }) => {
      const word = note.exec(text);
      if (word === null) return [];
      const line = lineOf(source, position + word.index);
      return [{ path: source.path, line, message: `${word[0]} in a comment: do it, or open an issue` }];
    }),
  );
}

interface Comment {
  readonly text: string;
  readonly position: number;
}

function commentsOf(source: Source): Comment[] {
  const { text, tree } = source;
  if (tree === null) {
    return [...text.matchAll(/--.*$/gm)].map((match) => ({ text: match[0], position: match.index }));
  }
  // Comments stand before tokens, so walking the tokens finds each of them, and never the inside of a string.
  const starts = new Map<number, Comment>();
  const collect = (node: ts.Node): void => {
    const ranges = [
      ...(ts.getLeadingCommentRanges(text, node.getFullStart()) ?? []),
      ...(ts.getTrailingCommentRanges(text, node.getEnd()) ?? []),
    ];
    for (const { pos, end } of ranges) starts.set(pos, { text: text.slice(pos, end), position: pos });
    for (const child of node.getChildren(tree)) collect(child);
  };
  collect(tree);
  return [...starts.values()].sort((a, b) => a.position - b.position);
}
