import { describe, expect, it } from "vitest";
import { BODY_TEXTS, HELPER_TEXT } from "./library.gen.js";
import { FUNCTION_COMMANDS } from "./rights.js";

/** Words in capitals that are no commands: options of commands, and the names of our own answers. */
const others = new Set(["LIMIT", "WITHSCORES", "BYSCORE", "REV", "COUNT"]);

describe("the commands a user is rehearsed in", () => {
  it("are those the functions use", () => {
    const texts = [HELPER_TEXT, ...Object.values(BODY_TEXTS)].join("\n");
    const words = [...texts.matchAll(/'([A-Z]{3,})'/g)].map(([, word = ""]) => word);
    const used = new Set(words.filter((word) => !others.has(word) && word !== "PUBLISH"));
    expect(Object.keys(FUNCTION_COMMANDS)).toEqual([...used].sort());
  });
});
