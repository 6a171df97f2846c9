/** Which lane a Producer puts what into: what is tied to gates alone takes the fast path. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { seededRandom } from "../base/random.js";
import { isTiedLane } from "../engine/lease.js";
import type { Ties } from "../engine/ties.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import { ManualClock } from "../testing/manual-clock.js";
import { createCounters } from "./counters.js";
import { Producer } from "./producer.js";
import type { FullSubmission } from "./submission.js";

const gate = { name: "g", slots: 1 };
const gates: Ties = { key: null, line: null, gates: [gate] };
const value = new Uint8Array(1);
const replaced = null;

describe("a Producer", () => {
  let store: MemoryStore;
  let producer: Producer;

  beforeEach(async () => {
    store = new MemoryStore({ app: "a", clock: new ManualClock() });
    await store.open();
    await store.openSegment("s");
    const options = { store, clock: new ManualClock(), random: seededRandom(1), counters: createCounters() };
    producer = new Producer({ ...options, segment: "s", incarnation: "AAAAAAAAAAAA", timeoutMs: 1_000 });
  });
  afterEach(async () => {
    await store.close();
  });

  function submission(given: Partial<FullSubmission>, done: (laneName: string) => void): FullSubmission {
    const accepted = (laneName: string): void => done(laneName);
    const refused = (error: Error): void => done(error.message);
    return { body: new Uint8Array(1), queue: "q", priority: 0, due: null, ties: null, ...given, accepted, refused };
  }

  /** The lane one goes to: `full`, `tied` or `fast`. */
  async function wayOf(given: Partial<FullSubmission>): Promise<string> {
    const laneName = await new Promise<string>((resolve) => producer.pushFull(submission(given, resolve)));
    if (laneName.endsWith(".00")) return "full";
    return isTiedLane((await store.laneOpen("s", { laneName, queue: "q" })).lane) ? "tied" : "fast";
  }

  const meet = "step";

  it("X4: sends what is tied to gates alone by a tied lane, one for each Queue", async () => {
    const ties = { ...gates, meet };
    expect(await wayOf({ ties })).toBe("tied");
    const names = await Promise.all(
      ["q", "q", "r"].map(
        (queue) => new Promise<string>((resolve) => producer.pushFull(submission({ queue, ties }, resolve))),
      ),
    );
    expect(new Set(names).size).toBe(2);
    expect((await store.counts("s")).queues.map(({ queue, ready }) => [queue, ready])).toEqual([
      ["q", 3],
      ["r", 1],
    ]);
    const { claims } = await store.claim("s", { owner: "o", request: 1, queues: ["q", "r"], max: 10 });
    expect(claims).toHaveLength(1);
  });

  it.each([
    ["a priority", { priority: 1, ties: { ...gates, meet } }],
    ["a due time", { due: { in: 5 }, ties: { ...gates, meet } }],
    ["a line", { ties: { ...gates, line: "l", meet } }],
    ["a limit that skips", { ties: { ...gates, gates: [{ ...gate, full: { mode: "skip" as const, value } }], meet } }],
    ["a flow", { ties: { ...gates, flow: { name: "f", weight: 1 }, meet } }],
    [
      "a lapse",
      { ties: { ...gates, lapse: { startInMs: 5, endInMs: null, retainMs: 1, value: new Uint8Array(1) }, meet } },
    ],
    [
      "a key",
      {
        ties: {
          ...gates,
          key: { name: "k", mode: "return" as const, windowMs: null, digest: new Uint8Array(8), replaced },
          meet,
        },
      },
    ],
    ["no gate", { ties: { ...gates, gates: [], meet } }],
  ])("sends the rest by the full path: %s", async (_, given) => {
    expect(await wayOf(given)).toBe("full");
  });

  it("X4: gives back what it has not sent with its ties", () => {
    const ties = { ...gates, meet };
    producer.pushFull(submission({ ties }, () => undefined));
    expect(producer.backlog).toBe(1);
    const { fast, full } = producer.withdraw();
    expect(fast).toEqual([]);
    expect(full.map((one) => one.ties)).toEqual([ties]);
    expect(producer.backlog).toBe(0);
  });
});
