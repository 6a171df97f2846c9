/** Two event loops at a duplex: each sleeps until it is rung, and is rung whenever there is something for it. */
import { afterAll, describe, expect, it } from "vitest";
import { makeDoor } from "./door.js";
import { runEcho } from "./echo.js";

const seed = Number(process.env.MILLRACE_SEED ?? Date.now() % 1_000_000);
const door = makeDoor();
afterAll(() => door.remove());

describe(`two event loops at a duplex (seed ${seed})`, () => {
  it.each([
    { bytes: 64, lengthMax: 8, burstMax: 1, records: 2000 },
    { bytes: 64, lengthMax: 300, burstMax: 50, records: 5000 },
    { bytes: 1024, lengthMax: 5000, burstMax: 100, records: 5000 },
    { bytes: 65_536, lengthMax: 200, burstMax: 5000, records: 60_000 },
  ])(
    "$records records up to $lengthMax bytes through rings of $bytes bytes come back in order, and nobody oversleeps",
    async ({ bytes, ...options }) => {
      const echoed = await runEcho(door.url, { bytes, ...options, seed, deadlineMs: 10_000 });
      expect(echoed).toMatchObject({ received: options.records, wrong: null });
      if (bytes === 65_536) expect(echoed.rings, "a bell is for a sleeper").toBeLessThan(options.records / 10);
    },
  );
});
