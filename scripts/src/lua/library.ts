/**
 * Lua sources in, the text of library.gen.ts out: checks headers, strips comments, puts helpers in order.
 * Pure; build-lua.ts reads and writes the files.
 */
import { createHash } from "node:crypto";

/** The shared helpers in the order they are put together: a local must stand above its first use. */
const helperOrder = [
  "_version",
  "_globals",
  "_keys",
  "_chunk",
  "_time",
  "_address",
  "_operation",
  "_lapse",
  "_ties",
  "_finish",
  "_lease",
  "_tell",
  "_commit",
  "_withdraw",
  "_tied",
  "_lookup",
  "_lapsing",
  "_full",
  "_view",
  "_list",
  "_live",
  "_sound",
  "_entry",
] as const;

/** The fields of a transition's header, in this order. */
const headerFields = ["root", "args", "returns", "errors", "writes", "flags", "cost"] as const;

const knownFlags: ReadonlySet<string> = new Set(["none", "no-writes", "allow-oom"]);

/** A mistake in a Lua source, or a file too many or too few. */
export class LuaSourceError extends Error {}

/** Reads the names in `TRANSITION_NAMES` from the source of engine/transitions.ts. */
export function transitionNamesIn(contract: string): readonly string[] {
  const list = /export const TRANSITION_NAMES = \[([^\]]*)\]/.exec(contract)?.[1];
  if (list === undefined) throw new LuaSourceError("engine/transitions.ts has no TRANSITION_NAMES");
  return [...list.matchAll(/"([a-z_]+)"/g)].map((match) => match[1] as string); // the group always takes part
}

/** Builds the generated file from sources by name (without `.lua`). */
export function generate(sources: ReadonlyMap<string, string>, transitions: readonly string[]): string {
  checkFiles(sources, transitions);
  const helpers = helperOrder.map((name) => stripLua(sources.get(name) ?? "")).join("\n");
  const bodies = transitions.map((name) => {
    const source = sources.get(name) ?? "";
    return { name, text: stripLua(source), functions: functionsOf(name, source) };
  });
  const digest = createHash("sha256")
    .update([helpers, ...bodies.map((body) => body.text)].join("\n"))
    .digest("hex");
  const version = /local PROTOCOL, BUILD, SCHEMA = '(\d+)', (\d+), '(\d+)'/.exec(helpers);
  if (version === null) throw new LuaSourceError("_version.lua does not set PROTOCOL, BUILD and SCHEMA");
  if (helpers.split("\n").filter((line) => line.includes("TIME")).length !== 1) {
    throw new LuaSourceError("the clock must be read in exactly one line, of _time.lua");
  }
  const clockLine = helpers.split("\n").find((line) => line.includes("TIME")) ?? "";
  const quoted = (text: string): string => JSON.stringify(text);
  const multiline = (text: string): string =>
    text
      .split("\n")
      .map((line) => `  ${quoted(line)},\n`)
      .join("");
  return [
    "/**",
    " * Generated from lua/*.lua by `npm run build:lua`; do not edit.",
    " */",
    "",
    "/** What the text says of itself in `hello`. */",
    `export const PROTOCOL = ${version[1]};`,
    `export const BUILD = ${version[2]};`,
    `export const SCHEMA = ${version[3]};`,
    "/** SHA-256 over helpers and bodies. */",
    `export const DIGEST = ${quoted(digest)};`,
    "",
    "/** One function of the library: `open` marks the transition that makes the root record. */",
    "export interface LuaFunction {",
    "  readonly name: LuaFunctionName;",
    "  readonly transition: string;",
    '  readonly flags: readonly ("no-writes" | "allow-oom")[];',
    "}",
    "",
    "/** The names of all functions, without the protocol's prefix. */",
    `export type LuaFunctionName =${bodies
      .flatMap((body) => body.functions)
      .map(({ name }) => `\n  | ${quoted(name)}`)
      .join("")};`,
    "",
    "/** All functions, in contract order. */",
    "export const LUA_FUNCTIONS: readonly LuaFunction[] = [",
    ...bodies.flatMap((body) =>
      body.functions.map(
        ({ name, flags }) =>
          `  { name: ${quoted(name)}, transition: ${quoted(body.name)}, flags: [${flags.map(quoted).join(", ")}] },`,
      ),
    ),
    "];",
    "",
    "/** The line that reads the server's clock; the test build replaces it. */",
    `export const CLOCK_LINE = ${quoted(clockLine)};`,
    "",
    "/** The shared helpers. */",
    `export const HELPER_TEXT: string = [\n${multiline(helpers.replace("@digest@", digest))}].join("\\n");`,
    "",
    "/** The body of each transition: one local function of its name. */",
    "export const BODY_TEXTS: Readonly<Record<string, string>> = {",
    ...bodies.map((body) => `  ${body.name}: [\n${multiline(body.text)}].join("\\n"),`),
    "};",
    "",
  ].join("\n");
}

function checkFiles(sources: ReadonlyMap<string, string>, transitions: readonly string[]): void {
  const wanted = new Set<string>([...helperOrder, ...transitions]);
  const missing = [...wanted].filter((name) => !sources.has(name));
  if (missing.length > 0) throw new LuaSourceError(`missing: ${missing.map((name) => `${name}.lua`).join(", ")}`);
  const surplus = [...sources.keys()].filter((name) => !wanted.has(name));
  if (surplus.length > 0) {
    throw new LuaSourceError(
      `neither a transition nor a known helper: ${surplus.map((name) => `${name}.lua`).join(", ")}`,
    );
  }
  for (const name of helperOrder) {
    if (!(sources.get(name) ?? "").startsWith("--- ")) throw new LuaSourceError(`${name}.lua begins without \`--- \``);
  }
  for (const name of transitions) checkHeader(name, sources.get(name) ?? "");
}

function checkHeader(name: string, source: string): void {
  const lines = source.split("\n");
  if (!/^--- [A-Z].*[.]$/.test(lines[0] ?? "")) {
    throw new LuaSourceError(`${name}.lua: the first line is not \`--- \` and a sentence`);
  }
  const header = lines.slice(
    1,
    lines.findIndex((line) => !line.startsWith("--")),
  );
  const found = header.flatMap((line) => /^-- (\w+) +\S/.exec(line)?.[1] ?? []);
  if (found.join(" ") !== headerFields.join(" ")) {
    throw new LuaSourceError(`${name}.lua: header fields are ${found.join(", ")}; expected ${headerFields.join(", ")}`);
  }
  if (!new RegExp(`^local function ${name}\\(root\\b`, "m").test(source)) {
    throw new LuaSourceError(`${name}.lua does not define \`local function ${name}(root…)\``);
  }
}

/** Reads `-- flags  no-writes, find_wait: allow-oom`: the transition's own flag, then functions beside it. */
function functionsOf(
  name: string,
  source: string,
): readonly { readonly name: string; readonly flags: readonly string[] }[] {
  const text = /^-- flags +(.+)$/m.exec(source)?.[1] ?? "";
  return text.split(",").map((part) => {
    const [first = "", second] = part.split(":").map((word) => word.trim());
    const flag = second ?? first;
    if (!knownFlags.has(flag)) throw new LuaSourceError(`${name}.lua: unknown flag ${flag}`);
    return { name: second === undefined ? name : first, flags: flag === "none" ? [] : [flag] };
  });
}

/** Removes comments, blank lines and the space at line ends; strings stay as they are. Long brackets are not used. */
export function stripLua(source: string): string {
  return source
    .split("\n")
    .map((line) => stripLine(line).trimEnd())
    .filter((line) => line !== "")
    .join("\n");
}

function stripLine(line: string): string {
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const sign = line[i];
    if (quote !== "") {
      if (sign === "\\") i++;
      else if (sign === quote) quote = "";
    } else if (sign === "'" || sign === '"') {
      quote = sign;
    } else if (sign === "-" && line[i + 1] === "-") {
      return line.slice(0, i);
    }
  }
  return line;
}
