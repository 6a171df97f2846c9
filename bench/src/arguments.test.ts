import { expect, test } from "vitest";
import { editDistance, parseArguments } from "./arguments.js";

const names = ["lua", "latency", "versus"];
const parse = (line: string) => parseArguments(line.split(" ").filter(Boolean), names);

test("a name alone runs that bench in full", () => {
  expect(parse("lua")).toEqual({
    kind: "run",
    arguments: { name: "lua", quick: false, gate: false, json: null, out: null, store: null, rounds: null },
  });
});

test("options stand before or behind the name, values behind a space or an equals sign", () => {
  expect(parse("--quick versus --rounds=3 --store redis --json a.json --out runs --gate")).toEqual({
    kind: "run",
    arguments: { name: "versus", quick: true, gate: true, json: "a.json", out: "runs", store: "redis", rounds: 3 },
  });
});

test.each([
  ["lattency", "unknown bench lattency, did you mean latency?; there are: lua, latency, versus"],
  ["lua --qick", "unknown option --qick, did you mean --quick?"],
  ["lua --store reddis", "expected --store redis|embedded|memory, got reddis, did you mean redis?"],
  ["lua --rounds 0", "expected --rounds 1…100, got 0"],
  ["lua --rounds many", "expected --rounds 1…100, got many"],
  ["lua --json", "--json needs a value: FILE"],
  ["lua --quick=yes", "--quick takes no value, got yes"],
  ["lua --gate --gate", "--gate is given twice"],
  ["lua versus", "one bench at a time, got lua and versus"],
  ["", "which bench? One of: lua, latency, versus"],
])("%j is refused in words", (line, error) => {
  expect(parse(line)).toEqual({ kind: "error", error });
});

test("help wins over what else is wrong with the name", () => {
  expect(parse("--help")).toEqual({ kind: "help" });
  expect(parse("nothing -h")).toEqual({ kind: "help" });
});

test("the distance of two words counts single-letter changes", () => {
  expect(editDistance("kitten", "sitting")).toBe(3);
  expect(editDistance("", "abc")).toBe(3);
  expect(editDistance("same", "same")).toBe(0);
});
