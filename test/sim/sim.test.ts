/** The first seeds of `npm run sim`, on every store: what `npm test` proves of the two writings of the contract. */
import { describe, expect, it } from "vitest";
import { compare } from "./compare.js";
import { embeddedSide } from "./embedded-side.js";
import { startRedisSide } from "./redis-side.js";

const seeds = 300;

describe("the machine and the store", () => {
  it.each([
    { name: "in Lua", start: () => startRedisSide() },
    { name: "on LMDB, closed and opened again", start: () => embeddedSide() },
  ])(`$name agree on ${seeds} sequences`, async ({ start }) => {
    const side = await start();
    try {
      const difference = await compare({ side, firstSeed: 1, seeds });
      if (difference !== null) expect.fail(difference.text);
    } finally {
      await side.close();
    }
  });
});
