/** docs/reference/transitions.md, from the doc comments of engine/transitions.ts and engine/store.ts. */
import { TRANSITION_NAMES } from "@millrace/core/internal";
import ts from "typescript";
import { head } from "./page.js";

interface Described {
  readonly name: string;
  readonly doc: string;
  readonly source: string;
}

/** One section per transition: its sentence in Store, its parameters and answer, and the records these name first. */
export function transitionsPage(transitions: string, store: string): string {
  const file = ts.createSourceFile("transitions.ts", transitions, ts.ScriptTarget.Latest, true);
  const types = new Map(file.statements.filter(isType).map((node) => [node.name.text, describe(node, file)]));
  const methods = methodsOf(store);
  const isShown = new Set<string>();
  const sections = TRANSITION_NAMES.map((name) => {
    const method = methods.find(({ call }) => words(call) === words(name));
    if (method === undefined) throw new Error(`Store has no method for the transition ${name}`);
    const shown = withNamed([method.parameters, method.answer], types, isShown).map((type) =>
      [type.doc, `\`\`\`ts\n${type.source}\n\`\`\``].filter(Boolean).join("\n\n"),
    );
    return [`## ${name}`, method.doc, ...shown].join("\n\n");
  });
  const intro = [
    "Every change of state is one of these, and both stores implement exactly these. Each takes a batch, is atomic in",
    "its Segment and may be sent again. The rules that hold for all of them:",
    "",
    ...rulesOf(transitions),
  ].join("\n");
  return `${[head("Transitions", "core/src/engine/transitions.ts and store.ts", intro).trimEnd(), ...sections].join("\n\n")}\n`;
}

/** The types of these names and those they name in turn, each on its first mention only. */
function withNamed(names: string[], types: ReadonlyMap<string, Described>, isShown: Set<string>): Described[] {
  return names.flatMap((name) => {
    const type = types.get(name);
    if (type === undefined || isShown.has(name)) return [];
    isShown.add(name);
    const named = [...type.source.matchAll(/\b[A-Z]\w+/g)].map(([word]) => word);
    return [type, ...withNamed(named, types, isShown)];
  });
}

/** The words of a name in any spelling and order: a method reads `openSegment`, its transition `segment_open`. */
function words(name: string): string {
  return name
    .split(/_|(?=[A-Z])/)
    .map((word) => word.toLowerCase())
    .sort()
    .join(" ");
}

function isType(node: ts.Statement): node is ts.InterfaceDeclaration | ts.TypeAliasDeclaration {
  return ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);
}

function describe(node: ts.InterfaceDeclaration | ts.TypeAliasDeclaration, file: ts.SourceFile): Described {
  return { name: node.name.text, doc: docOf(node), source: node.getText(file).replace(/^export /, "") };
}

/** The methods of `interface Store` that are transitions: those that act on one Segment, or take parameters of their own. */
function methodsOf(store: string) {
  const file = ts.createSourceFile("store.ts", store, ts.ScriptTarget.Latest, true);
  const contract = file.statements.find((node) => ts.isInterfaceDeclaration(node) && node.name.text === "Store");
  if (contract === undefined || !ts.isInterfaceDeclaration(contract)) throw new Error("no interface Store in store.ts");
  return contract.members.filter(ts.isMethodSignature).flatMap((method) => {
    const at = method.parameters.findIndex((parameter) => parameter.name.getText(file) === "params");
    if (at < 0 && method.parameters[0]?.name.getText(file) !== "segment") return [];
    const parameters = method.parameters[at]?.type?.getText(file) ?? "";
    const answer = /Promise<(\w+)>/.exec(method.type?.getText(file) ?? "")?.[1] ?? "";
    return [{ call: method.name.getText(file), doc: docOf(method), parameters, answer }];
  });
}

/** The bullet points in the header of transitions.ts. */
function rulesOf(transitions: string): string[] {
  const header = transitions.slice(0, transitions.indexOf("*/")).split("\n");
  const first = header.findIndex((line) => line.startsWith(" * - "));
  const after = header.findIndex((line, index) => index > first && !/^ \* ( |- )/.test(line));
  return header.slice(first, after).map((line) => line.slice(3));
}

/** The text of a node's doc comment. */
function docOf(node: ts.Node): string {
  const [comment] = ts.getJSDocCommentsAndTags(node);
  return comment === undefined ? "" : (ts.getTextOfJSDocComment(comment.comment) ?? "").replaceAll(/\n+$/g, "");
}
