/**
 * The comparison is compared: libraries broken on purpose, each in one place, must be told from the real one.
 */
import { describe, expect, it } from "vitest";
import { compare } from "./compare.js";
import { type Mutation, startRedisSide } from "./redis-side.js";

/** How many sequences a mutant may survive. */
const seedsMax = 3_000;

/** Replaces the first piece that fits, inside one function of the library. */
function inFunction(name: string, pattern: RegExp, to: string): Mutation {
  return (text) => {
    const from = text.indexOf(`local function ${name}(`);
    const end = text.indexOf("\nend\n", from);
    const body = text.slice(from, end);
    if (from === -1 || !pattern.test(body)) throw new Error(`the function ${name} has no piece like ${pattern}`);
    return text.slice(0, from) + body.replace(pattern, () => to) + text.slice(end);
  };
}

const mutants: readonly { readonly name: string; readonly mutate: Mutation }[] = [
  {
    name: "complete that does not look at the token",
    mutate: inFunction("complete", /if entry and .* then/, "if entry then"),
  },
  {
    name: "enqueue that appends what it has appended before",
    mutate: (text) =>
      inFunction(
        "enqueue",
        /if last <= accepted then .* end/,
        "",
      )(inFunction("enqueue", /local skip = accepted \+ 1 - first/, "local skip = 0")(text)),
  },
  {
    name: "a list whose equals come last in, first out",
    mutate: inFunction("commit", /'RPUSH', list.back/, "'LPUSH', list.back"),
  },
  {
    name: "rescue that does not compare the beat",
    mutate: inFunction("rescue", /if read_owner\(record\) ~= beat_seen then/, "if false then"),
  },
  {
    name: "claim that says again what was taken by any request",
    mutate: (text) =>
      text.replace(/if sub\(held\.entry, 1, 8\) == token then put\(elements/, "if true then put(elements"),
  },
  {
    name: "an end that does not let go of its key",
    mutate: inFunction("let_go_key", /if not record or .* then return end/, "do return end"),
  },
  {
    name: "an end that keeps its slots",
    mutate: inFunction("untie", /add_used\(pass, gate\.name, -1\)/, ""),
  },
  {
    name: "a line that does not go on when its first one ends",
    mutate: inFunction("untie", /for _, line in ipairs\(lines\) do .* end/, ""),
  },
  {
    name: "a pace that forgets whom it let through",
    mutate: inFunction("write_gates", /variadic\('ZADD', K\.paces.*\)/, ""),
  },
  {
    name: "a promote that does not look at paces",
    mutate: inFunction("promote", /if call\('EXISTS', K\.opening.* end/, ""),
  },
  {
    name: "an end on a tied lane that keeps its slots",
    mutate: (text) => text.replace(/^ +TIES\.give_back\(.*$/m, ""),
  },
  {
    name: "a tied lane whose mark does not cover what was parked",
    mutate: (text) => text.replace("pass.marks[sub(address, 1, 3)] = address", ""),
  },
  {
    name: "a tied lane that goes back to waiting without its ties",
    mutate: (text) => text.replace("held.ties, held.is_unbound = record, true", "held.ties = record"),
  },
  {
    name: "a live limit that lets nobody on",
    mutate: (text) => {
      const piece = "if count > 0 then let_on(root, { name, [name] = count }, woken) end";
      if (!text.includes(piece)) throw new Error(`the library has no ${piece}`);
      return text.replace(piece, "");
    },
  },
  {
    name: "a claim that takes more than the Segment's limits let through",
    mutate: inFunction("harvest", /if hold then max = .* end/, ""),
  },
];

describe.each(mutants)("$name", ({ mutate }) => {
  it(`is found within ${seedsMax} sequences`, async (context) => {
    const side = await startRedisSide(mutate);
    try {
      const difference = await compare({ side, firstSeed: 1, seeds: seedsMax });
      expect(difference).not.toBeNull();
      await context.annotate(`found after ${difference?.after} sequences, as ${difference?.calls.length} calls`);
      expect(difference?.calls.length).toBeLessThanOrEqual(20);
    } finally {
      await side.close();
    }
  });
});
