/**
 * The Lua texts a server gets: the whole function library, or one script per function where FUNCTION is refused.
 *
 * Both come from library.gen.ts. The test build differs in its names and in one line: it reads the time from a key.
 * Pure; sent by library.ts.
 */
import { createHash } from "node:crypto";
import { BODY_TEXTS, CLOCK_LINE, HELPER_TEXT, LUA_FUNCTIONS, type LuaFunctionName, PROTOCOL } from "./library.gen.js";

/** Which build of the library a store uses: the one for work, or the one whose time a test sets. */
export type LibraryVariant = "work" | "test";

const TEST_CLOCK_LINE = "local function now_us(root) return tonumber(call('GET', K.clock(root)) or 0) end";

/** The library's name on the server. */
export function libraryName(variant: LibraryVariant): string {
  return variant === "work" ? `millrace_v${PROTOCOL}` : `millrace_test_v${PROTOCOL}`;
}

/** A function's name on the server; the protocol is part of it, so that releases live side by side. */
export function functionName(variant: LibraryVariant, name: LuaFunctionName | "hello"): string {
  return variant === "work" ? `mr${PROTOCOL}_${name}` : `mrt${PROTOCOL}_${name}`;
}

/** What FUNCTION LOAD gets. */
export function libraryText(variant: LibraryVariant): string {
  const registrations = LUA_FUNCTIONS.map(({ name, transition, flags }) => {
    const quoted = flags.map((flag) => `'${flag}'`).join(", ");
    return `redis.register_function{ function_name = '${functionName(variant, name)}', callback = ${wrap(transition)}, flags = { ${quoted} } }`;
  });
  return [
    `#!lua name=${libraryName(variant)}`,
    helpers(variant),
    ...Object.values(BODY_TEXTS),
    ...registrations,
    `redis.register_function{ function_name = '${functionName(variant, "hello")}', callback = hello, flags = { 'no-writes' } }`,
    "",
  ].join("\n");
}

/** A script for EVALSHA and its digest: helpers, one body, one call. */
export interface Script {
  readonly text: string;
  readonly sha1: string;
}

/** The script of one function, for servers that refuse FUNCTION. */
export function scriptOf(variant: LibraryVariant, name: LuaFunctionName): Script {
  const row = LUA_FUNCTIONS.find((each) => each.name === name);
  const flags = row?.flags.length ? ` flags=${row.flags.join(",")}` : " ";
  const transition = row?.transition ?? name;
  const text = [
    `#!lua${flags.trimEnd()}`,
    helpers(variant),
    BODY_TEXTS[transition] ?? "",
    "is_cluster = true", // a script keeps nothing between calls: probing costs less than asking each time
    `return ${wrap(transition)}(KEYS, ARGV)`,
    "",
  ].join("\n");
  return { text, sha1: createHash("sha1").update(text).digest("hex") };
}

function helpers(variant: LibraryVariant): string {
  return variant === "work" ? HELPER_TEXT : HELPER_TEXT.replace(CLOCK_LINE, () => TEST_CLOCK_LINE);
}

/** The door in front of a transition (_entry.lua): the one that makes the root record, and the index of Nodes, have none. */
function wrap(transition: string): string {
  return transition === "segment_open" || transition.startsWith("node_")
    ? `entry(${transition}, true)`
    : `entry(${transition})`;
}
