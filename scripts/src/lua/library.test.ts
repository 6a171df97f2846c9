import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { generate, LuaSourceError, stripLua, transitionNamesIn } from "./library.js";

const luaDir = join(import.meta.dirname, "../../../core/src/store/redis/lua");
const contract = readFileSync(join(import.meta.dirname, "../../../core/src/engine/transitions.ts"), "utf8");
const names = transitionNamesIn(contract);

function sources(): Map<string, string> {
  return new Map(
    readdirSync(luaDir).map((file) => [file.slice(0, -".lua".length), readFileSync(join(luaDir, file), "utf8")]),
  );
}

describe("the Lua library's generator", () => {
  it("reads the transitions from the contract", () => {
    expect(names).toContain("segment_open");
    expect(names).toContain("queue_resume");
  });

  it("accepts what is there, and gives the same text twice", () => {
    expect(generate(sources(), names)).toBe(generate(sources(), names));
  });

  it("refuses a transition without a file, and a file without a transition", () => {
    const fewer = sources();
    fewer.delete("claim");
    expect(() => generate(fewer, names)).toThrow(/missing: claim\.lua/);
    expect(() => generate(sources().set("steal", "--- Takes."), names)).toThrow(/steal\.lua/);
    expect(() =>
      generate(
        sources(),
        names.filter((name) => name !== "claim"),
      ),
    ).toThrow(LuaSourceError);
  });

  it("refuses a header with a field missing, and a flag it does not know", () => {
    const claim = sources().get("claim") ?? "";
    expect(() => generate(sources().set("claim", claim.replace(/^-- cost.*\n/m, "")), names)).toThrow(/header fields/);
    const odd = claim.replace("allow-oom", "allow-all");
    expect(() => generate(sources().set("claim", odd), names)).toThrow(/unknown flag allow-all/);
  });

  it("strips comments and blank lines, and leaves strings alone", () => {
    expect(stripLua('--- Head.\nlocal a = \'--\' -- note\n\n  return a, "x -- \\" -- y" -- end\n')).toBe(
      'local a = \'--\'\n  return a, "x -- \\" -- y"',
    );
  });
});
