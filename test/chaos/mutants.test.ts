/**
 * What `npm run chaos -- mutants` breaks must be there to be broken: each piece stands in its file exactly once. Who
 * changes such a piece changes the mutant with it.
 */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { mutants } from "./foremen/mutants.js";

describe.each(mutants)("the mutant: $name", ({ mutations, promises }) => {
  it("finds what it breaks", () => {
    expect(promises).not.toEqual([]);
    for (const { file, from, to } of mutations) {
      const text = readFileSync(new URL(`../../${file}`, import.meta.url), "utf8");
      expect(text.split(from), from).toHaveLength(2);
      expect(to).not.toBe(from);
    }
  });
});
