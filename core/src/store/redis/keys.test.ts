import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { attendedChannel, bellChannel, derivedKeys, replyChannel, rootKey } from "./keys.js";

const source = readFileSync(join(import.meta.dirname, "lua/_keys.lua"), "utf8");

/** Evaluates `'a' .. name .. string.format('%d', name)`, the only expressions in _keys.lua. */
function evaluate(expression: string, names: Readonly<Record<string, string | number>>): string {
  return expression
    .split(" .. ")
    .map((part) => {
      const literal = /^'([^']*)'$/.exec(part)?.[1];
      const name = /^string\.format\('%[^']+', (\w+)\)$/.exec(part)?.[1] ?? part;
      return literal ?? String(names[name]);
    })
    .join("");
}

const samples: Readonly<Record<string, string | number>> = {
  root: "{app:segment}",
  queue: "mail",
  owner: "m3k9",
  priority: -7,
  member: "16:25",
  window: 20_000,
  line: "account:7",
  gate: "mail:eu",
};

describe("the names of keys", () => {
  it("are spelt alike in Lua and TypeScript", () => {
    const inLua = new Map(
      [
        ...source.matchAll(
          /^function K\.(\w+)\(([^)]*)\)(?: return (.+) end$|(?:\n {2}if [^\n]+)?\n {2}return ([^\n]+)\nend)/gm,
        ),
      ].map(([, name = "", parameters = "", inline, last]) => [name, { parameters, expression: inline ?? last ?? "" }]),
    );
    expect([...inLua.keys()].sort()).toEqual(Object.keys(derivedKeys).sort());
    for (const [name, { parameters, expression }] of inLua) {
      const spell = derivedKeys[name as keyof typeof derivedKeys] as (
        ...args: (string | number | undefined)[]
      ) => string;
      const args = parameters.split(", ").map((parameter) => samples[parameter]);
      expect(evaluate(expression, samples), name).toBe(spell(...args));
    }
  });

  it("leave priority 0 out of a ready list's name", () => {
    expect(source).toContain("if priority == 0 then return root .. ':r:' .. queue end");
    expect(derivedKeys.ready("{a:s}", "mail", 0)).toBe("{a:s}:r:mail");
  });

  it("keep all keys of a Segment in one slot, the App's directory in another", () => {
    expect(rootKey("shop", "web-1.eu")).toBe("{shop:web-1.eu}");
    expect(bellChannel("shop")).toBe("{shop}:bell");
    expect(attendedChannel("shop", "web-1.eu", "mail")).toBe("{shop}:bell:web-1.eu:mail");
    expect(replyChannel("shop", "k3")).toBe("{shop}:reply:k3");
  });
});
