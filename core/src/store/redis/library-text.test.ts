import { describe, expect, it } from "vitest";
import { ID_MEMORY_MS } from "../../engine/lease.js";
import { TRANSITION_NAMES } from "../../engine/transitions.js";
import { HELPER_TEXT, LUA_FUNCTIONS } from "./library.gen.js";
import { functionName, libraryText, scriptOf } from "./library-text.js";

describe("the library's text", () => {
  it("registers a function for every transition, under names that carry the protocol", () => {
    const text = libraryText("work");
    expect(text.startsWith("#!lua name=millrace_v1\n")).toBe(true);
    for (const name of TRANSITION_NAMES) expect(text).toContain(`function_name = '${functionName("work", name)}'`);
    expect(text).toContain("function_name = 'mr1_hello'");
  });

  it("has fewer local names than Lua allows, with some to spare: beyond, no server would load it", () => {
    const declared = libraryText("work")
      .split("\n")
      .filter((line) => line.startsWith("local "));
    const names = declared.flatMap((line) =>
      line.startsWith("local function ") ? [line] : line.split("=", 1)[0]?.split(","),
    );
    expect(names.length).toBeGreaterThan(100);
    expect(names.length).toBeLessThan(197); // 200 is Lua's bound
  });

  it("lets work on its way out pass when memory is short, and nothing that adds work", () => {
    const flagsOf = (name: string) => LUA_FUNCTIONS.find((each) => each.name === name)?.flags;
    for (const name of ["claim", "complete", "fail", "release", "rescue", "prune", "cancel", "extend"]) {
      expect(flagsOf(name), name).toEqual(["allow-oom"]);
    }
    for (const name of ["lane_open", "enqueue", "enqueue_full"]) expect(flagsOf(name), name).toEqual([]);
    for (const name of ["find", "peek", "counts"]) expect(flagsOf(name), name).toEqual(["no-writes"]);
  });

  it("differs in the test build by names and by where the time comes from, and by nothing else", () => {
    const lines = (text: string) =>
      text.replaceAll("mrt1_", "mr1_").replace("millrace_test_v1", "millrace_v1").split("\n");
    const work = lines(libraryText("work"));
    const different = lines(libraryText("test")).filter((line, i) => line !== work[i]);
    expect(different).toHaveLength(1);
    expect(different[0]).toContain("K.clock(root)");
  });

  it("can be a script of its own per function, for servers without FUNCTION", () => {
    const { text, sha1 } = scriptOf("work", "claim");
    expect(text.startsWith("#!lua flags=allow-oom\n")).toBe(true);
    expect(text).toContain("return entry(claim)(KEYS, ARGV)");
    expect(sha1).toMatch(/^[0-9a-f]{40}$/);
    expect(scriptOf("work", "enqueue").text.startsWith("#!lua\n")).toBe(true);
  });

  it("remembers dots as long as the contract says", () => {
    expect(HELPER_TEXT).toContain(`local ID_MEMORY_MS = ${ID_MEMORY_MS}`);
  });
});
