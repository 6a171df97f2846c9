/**
 * The comparison is compared: libraries broken on purpose, each in one place, must be told from the real one.
 */
import { describe, expect, it } from "vitest";
import { compare } from "./compare.js";
import { type Mutation, startRedisSide } from "./redis-side.js";

/** How many sequences a mutant may survive. */
const seedsMax = 500;

/** Replaces one piece of the text. */
function replacing(from: string, to: string): Mutation {
  return (text) => {
    if (text.split(from).length !== 2)
      throw new Error(`the library has this piece ${text.split(from).length - 1} times: ${from}`);
    return text.replace(from, () => to);
  };
}

const mutants: readonly { readonly name: string; readonly mutate: Mutation }[] = [
  {
    name: "complete that does not look at the token",
    mutate: replacing("if entry and sub(entry, 1, 8) == sub(value, 1, 8) then", "if entry then"),
  },
  {
    name: "enqueue that appends what it has appended before",
    mutate: (text) =>
      replacing(
        "if last <= accepted then return { 'ok', accepted, 0 } end",
        "",
      )(replacing("local skip = accepted + 1 - first", "local skip = 0")(text)),
  },
  {
    name: "a list whose equals come last in, first out",
    mutate: replacing("push_side(root, list, 'RPUSH', list.back)", "push_side(root, list, 'LPUSH', list.back)"),
  },
  {
    name: "rescue that does not compare the beat",
    mutate: replacing("if read_owner(record) ~= beat_seen then", "if false then"),
  },
  {
    name: "claim that says again what was taken by any request",
    mutate: replacing("if sub(held.entry, 1, 8) == token then put(elements", "if true then put(elements"),
  },
];

describe.each(mutants)("$name", ({ mutate }) => {
  it(`is found within ${seedsMax} sequences`, async (context) => {
    const side = await startRedisSide(mutate);
    try {
      const difference = await compare({ side, firstSeed: 1, seeds: seedsMax });
      expect(difference).not.toBeNull();
      await context.annotate(`found after ${difference?.after} sequences, as ${difference?.calls.length} calls`);
      expect(difference?.calls.length).toBeLessThanOrEqual(10);
    } finally {
      await side.close();
    }
  });
});
