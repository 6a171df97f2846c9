/**
 * The torture is tortured: rings broken on purpose, each in one place, must be told from the real one. What is changed
 * is the built text; a piece that is not found any more fails the test.
 */
import { describe, expect, it } from "vitest";
import { type Door, type Mutation, makeDoor } from "./door.js";
import { runEcho } from "./echo.js";
import { newTorture, type PairOptions, runPair } from "./pair.js";

const roundsMax = 10;

/** What a meeting of two sides shows of a broken ring; null when it shows nothing. */
type Meeting = (door: Door, seed: number) => Promise<string | null>;

/** Two threads that block, as in torture.test.ts. */
function threads(options: Omit<PairOptions, "seed">, deadlineMs = 10_000): Meeting {
  return async (door, seed) => {
    try {
      const { producer, consumer } = await runPair(door.url, newTorture({ waitMs: 100, ...options, seed }), deadlineMs);
      if (consumer.trouble !== null) return consumer.trouble;
      return producer.rescued + consumer.rescued > 0 ? "somebody overslept" : null;
    } catch (error) {
      return String(error);
    }
  };
}

/** Two event loops, as in duplex.test.ts. */
function loops(bytes: number, lengthMax: number, burstMax: number, records: number): Meeting {
  return async (door, seed) => {
    try {
      const { wrong } = await runEcho(door.url, { bytes, seed, lengthMax, burstMax, records, deadlineMs: 700 });
      return wrong === null ? null : `record ${wrong} is wrong`;
    } catch (error) {
      return String(error);
    }
  };
}

const pingPong = threads({ capacity: 64, lengthMax: 8, batchMax: 1, frames: 50_000 });
const short = threads({ capacity: 256, frames: 100_000 });

const readWord = /const seen = Atomics\.load\(words, word\);/;
const look = /if \(look\(\)\)\s+return "there";/;
/** A moment, so that what may happen in between does happen soon; the right order stands it (see the last test). */
const think = "for (let i = 0; i < 300; i++) Atomics.load(words, word);";

const early = `
  const word = (skip === 0 ? at : 0) >> 2;
  this.#frames[at >> 2] = SKIP;
  this.#frames[word] = payloadBytes;
  this.#frames[word + 1] = checkWord(this.#sequence, payloadBytes);
  Atomics.store(this.#words, TAIL, (tail + skip + need) | 0);
  this.#reserved = payloadBytes;`;

const mutants: readonly { name: string; meeting: Meeting; shows: RegExp; mutations: readonly Mutation[] }[] = [
  {
    name: "a producer that publishes a frame before its payload is written",
    meeting: short,
    shows: /differs at byte/,
    mutations: [{ file: "ring", from: /this\.#reserved = payloadBytes;/, to: early }],
  },
  {
    name: "a consumer that gives a frame's room back before it is read",
    meeting: threads({ capacity: 64, frames: 300_000, batchMax: 4 }),
    shows: /differs at byte/,
    mutations: [
      {
        file: "ring",
        from: /this\.#head = end;/,
        to: "this.#head = end; this.release();",
      },
    ],
  },
  {
    name: "counters used without a mask",
    meeting: short,
    shows: /frame \d+|ended|overslept/,
    mutations: [{ file: "ring", from: /tail & this\.#mask/, to: "tail" }],
  },
  {
    name: "a remainder instead of a mask",
    meeting: threads({ capacity: 256, startAt: 2 ** 31 - 4096, frames: 10_000 }, 2000),
    shows: /did not happen/, // a place below zero looks like no room
    mutations: [
      { file: "ring", from: /tail & this\.#mask/, to: "tail % this.capacity" },
      { file: "ring", from: /head & this\.#mask/, to: "head % this.#capacity" },
    ],
  },
  {
    name: "room counted without wrapping",
    meeting: threads({ capacity: 256, startAt: 2 ** 31 - 4096, frames: 100_000 }),
    shows: /frame \d+|ended/,
    mutations: [
      { file: "ring", from: /\(\(tail - this\.#head\) \| 0\) > this/, to: "(tail - this.#head) > this" },
      { file: "ring", from: /used = \(this\.#tail - head\) \| 0/, to: "used = Math.max(0, this.#tail - head)" },
    ],
  },
  {
    name: "a wait that reads its word after looking",
    meeting: pingPong,
    shows: /overslept/,
    mutations: [
      { file: "wait", from: readWord, to: "" },
      { file: "wait", from: look, to: `if (look()) return "there"; ${think} const seen = Atomics.load(words, word);` },
    ],
  },
  {
    name: "a wait that looks before it says that it waits",
    meeting: pingPong,
    shows: /overslept/,
    mutations: [
      { file: "wait", from: /say\(BLOCKED\);/, to: "" },
      { file: "wait", from: look, to: `if (look()) return "there"; ${think} say(BLOCKED);` },
    ],
  },
  {
    name: "a producer that wakes nobody",
    meeting: pingPong,
    shows: /overslept/,
    mutations: [{ file: "ring", from: /return answer\(this\.#words, ask, WAKE\);/, to: "return false;" }],
  },
  {
    name: "a consumer that tells nobody of room",
    meeting: pingPong,
    shows: /overslept/,
    mutations: [{ file: "ring", from: /return answer\(this\.#words, ask, ROOM\);/, to: "return false;" }],
  },
  {
    name: "askings that cannot be told apart",
    meeting: pingPong,
    shows: /overslept/,
    mutations: [{ file: "layout", from: /\(asking << 2\) \| how/, to: "how" }],
  },
  {
    name: "an event loop that goes to sleep without looking for frames",
    meeting: loops(64, 8, 4, 20_000),
    shows: /did not happen/,
    mutations: [{ file: "duplex", from: /this\.consumer\.isEmpty &&/, to: "" }],
  },
  {
    name: "an event loop that goes to sleep without looking for room",
    meeting: loops(64, 40, 200, 20_000),
    shows: /did not happen/,
    mutations: [{ file: "duplex", from: /wantsRoom && this\.producer\.hasRoom/, to: "false" }],
  },
  {
    name: "a writer that lets records overtake what waits",
    meeting: loops(64, 40, 200, 20_000),
    shows: /is wrong/,
    mutations: [{ file: "frame", from: /this\.#waitingBytes === 0 &&/, to: "" }],
  },
];

describe.each(mutants)("$name", ({ meeting, shows, mutations }) => {
  it(`is found within ${roundsMax} rounds`, async (context) => {
    const door = makeDoor(mutations);
    try {
      let shown: string | null = null;
      let rounds = 0;
      // It may show in another way first: what was torn may end the thread that reads it.
      while (!shows.test(shown ?? "") && rounds < roundsMax) shown = (await meeting(door, 1 + rounds++)) ?? shown;
      expect(shown).toMatch(shows);
      await context.annotate(`found in round ${rounds}: ${shown}`);
    } finally {
      door.remove();
    }
  });
});

it("a wait that thinks long but in the right order is not taken for a mutant", async () => {
  const door = makeDoor([
    { file: "wait", from: readWord, to: `const seen = Atomics.load(words, word); ${think}` },
    { file: "wait", from: look, to: `${think} if (look()) return "there"; ${think}` },
  ]);
  try {
    expect(await pingPong(door, 1)).toBeNull();
  } finally {
    door.remove();
  }
});
