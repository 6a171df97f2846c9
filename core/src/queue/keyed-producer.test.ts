/** Where Operations with ties go: all that could meet into one Segment, everything else past it. */
import { describe, expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import type { Placement } from "../engine/placement.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import { ManualClock } from "../testing/manual-clock.js";
import { createCounters } from "./counters.js";
import { KeyedProducer, keyedSegment } from "./keyed-producer.js";
import type { FullSubmission, MeetingTies } from "./submission.js";

async function setUp(placement: Placement | null = null) {
  const clock = new ManualClock();
  const store = new MemoryStore({ app: "a", clock });
  await store.open();
  const plain: FullSubmission[] = [];
  const opened: string[] = [];
  const ended: Error[] = [];
  const producer = new KeyedProducer({
    ...{ store, clock, random: seededRandom(1), counters: createCounters(), incarnation: "abc", timeoutMs: 1_000 },
    plain: {
      push: () => undefined,
      pushFull: (one) => plain.push(one),
      backlog: 5,
      end: (error) => ended.push(error),
    },
    home: null,
    placement,
    opened: (segment) => opened.push(segment),
  });
  const enqueue = (meet: string | null): Promise<string> => {
    const ties: MeetingTies | null = meet === null ? null : { meet, key: null, line: null, gates: [] };
    return new Promise((resolve, reject) => {
      producer.pushFull({
        ...{ body: new Uint8Array(1), queue: "q", priority: 0, due: null, ties },
        accepted: (_laneName, _counter, segment) => resolve(segment),
        refused: reject,
      });
    });
  };
  return { store, producer, plain, opened, ended, enqueue };
}

describe("a keyed Segment", () => {
  it("is one of sixteen, the same for the same text", () => {
    const names = Array.from({ length: 1000 }, (_, i) => keyedSegment(`step ${i}`));
    expect(new Set(names).size).toBe(16);
    expect(names.every((name) => /^keyed-([0-9]|1[0-5])$/.test(name))).toBe(true);
    expect(keyedSegment("charge")).toBe("keyed-1");
  });

  it("is opened when it is first needed, once, and takes what came meanwhile", async () => {
    const { store, producer, opened, enqueue } = await setUp();
    const answers = [enqueue("charge"), enqueue("charge")];
    expect(producer.backlog).toBe(7);
    expect(await Promise.all(answers)).toEqual(["keyed-1", "keyed-1"]);
    expect(await enqueue("charge")).toBe("keyed-1");
    expect(opened).toEqual(["keyed-1"]);
    expect(await store.segments()).toEqual(["keyed-1"]);
    expect(producer.backlog).toBe(5);
  });

  it("takes nothing that has no ties", async () => {
    const { plain, opened, enqueue } = await setUp();
    void enqueue(null);
    expect(plain).toHaveLength(1);
    expect(opened).toEqual([]);
  });

  it("refuses what it is for when it cannot be opened: nothing was sent", async () => {
    const unknown = createError("MR_INDETERMINATE", { call: "openSegment", id: "?" });
    const openHome = async (): Promise<never> => {
      throw unknown;
    };
    const away = { isAnswering: false, sinceMs: 0 };
    const { store, enqueue } = await setUp({ openHome, openElsewhere: async () => null, health: () => away });
    const answer = enqueue("charge");
    await store.close();
    await expect(answer).rejects.toMatchObject({ code: expect.stringMatching(/MR_STORE_UNAVAILABLE|MR_APP_CLOSED/) });
  });
});
