/** A full-path lane against a store that fails: a submitter is told "refused" only if nothing can have happened. */
import { expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import type { FullMode, GateTie, KeyTie } from "../engine/ties.js";
import { createCounters } from "./counters.js";
import { FullLane } from "./full-lane.js";

const unknown = () => createError("MR_INDETERMINATE", { call: "enqueue_full", id: "?" });
const away = () => createError("MR_STORE_UNAVAILABLE", { store: "shaky", reason: "it was told to" });
const closed = () => createError("MR_APP_CLOSED", { app: "a", method: "enqueue" });
const full = () => createError("MR_STORE_FULL", { store: "shaky", reason: "it was told to" });

const plain = { body: new Uint8Array(1), queue: "q", priority: 1, due: null, ties: null };

/** A lane over a store of which only these calls are there. */
function laneOver(store: object): FullLane {
  return new FullLane({
    store: store as Store,
    clock: {
      nowMs: () => 0,
      monotonicMs: () => 0,
      immediate: setImmediate,
      setTimer: (_ms, fn) => {
        queueMicrotask(fn);
        return { cancel: () => undefined, unref: () => undefined };
      },
    },
    random: seededRandom(1),
    counters: createCounters(),
    segment: "s",
    incarnation: "AAAAAAAAAAAA",
    timeoutMs: 1_000,
    attendant: null,
    nextDigits: () => "01",
  });
}

/** How one submission ends when each call fails with the next error, and `ready` rejects when none is left. */
async function endOf(errors: Error[], rest: Error): Promise<string> {
  const store = {
    url: "shaky:",
    laneOpen: async () => ({ answer: "ok", lane: 1, accepted: 0 }),
    enqueueFull: async () => {
      throw errors.shift() ?? rest;
    },
    ready: async () => {
      if (errors.length === 0) throw rest;
    },
  };
  const lane = laneOver(store);
  return await new Promise((resolve) => {
    lane.push({
      ...plain,
      accepted: () => resolve("accepted"),
      refused: (error) => resolve((error as Error & { code: string }).code),
    });
  });
}

it("an enqueue of unknown fate stays unknown when the store is closed", async () => {
  expect(await endOf([unknown()], closed())).toBe("MR_INDETERMINATE");
});

it("an enqueue of unknown fate stays unknown when its repeat is refused", async () => {
  expect(await endOf([unknown(), full()], full())).toBe("MR_INDETERMINATE");
});

it("an enqueue that never reached the store is refused", async () => {
  expect(await endOf([away()], closed())).toBe("MR_APP_CLOSED");
});

it("X4: sends few at a time of those that a full gate may end another for", async () => {
  const sent: number[] = [];
  const lane = laneOver({
    url: "sound:",
    laneOpen: async () => ({ answer: "ok", lane: 1, accepted: 0 }),
    enqueueFull: async (_segment: string, { elements }: { elements: readonly unknown[] }) => {
      sent.push(elements.length);
      return { answer: "ok", answers: elements.map(() => "ok"), holders: [] };
    },
    ready: async () => undefined,
  });
  const gate = { name: "g", slots: 1 };
  const told = new Uint8Array(1);
  const push = async (count: number, key: KeyTie | null, mode: FullMode | null) => {
    const gates = [mode === null ? gate : { ...gate, full: { mode, value: told } }];
    const all = Array.from({ length: count }, async () => {
      await new Promise<void>((accepted, refused) => {
        lane.push({ ...plain, ties: { key, line: null, gates, meet: "g" }, accepted: () => accepted(), refused });
      });
    });
    await Promise.all(all);
    return sent.splice(0);
  };
  const key: KeyTie = { name: "k", mode: "return", windowMs: null, digest: told, replaced: null };
  expect(await push(25, null, "cancel_oldest")).toEqual([10, 10, 5]);
  expect(await push(25, key, "skip")).toEqual([10, 10, 5]);
  expect(await push(25, null, "skip")).toEqual([25]);
  expect(await push(25, key, null)).toEqual([25]);
});

it("X4: has few calls of such on their way at once; others go past, what waits can be taken back", async () => {
  const calls: { size: number; answer: () => void }[] = [];
  const lane = laneOver({
    url: "slow:",
    laneOpen: async () => ({ answer: "ok", lane: 1, accepted: 0 }),
    enqueueFull: async (_segment: string, { elements }: { elements: readonly unknown[] }) => {
      await new Promise<void>((resolve) => calls.push({ size: elements.length, answer: resolve }));
      return { answer: "ok", answers: elements.map(() => "ok"), holders: [] };
    },
    ready: async () => undefined,
  });
  const gate: GateTie = { name: "g", slots: 1, full: { mode: "cancel_oldest", value: new Uint8Array(1) } };
  const dear = { ...plain, ties: { key: null, line: null, gates: [gate], meet: "g" } };
  let accepted = 0;
  const push = (given: typeof plain | typeof dear) => {
    lane.push({ ...given, accepted: () => accepted++, refused: (error) => expect.fail(String(error)) });
  };
  const settle = () => new Promise<void>((resolve) => setImmediate(() => setImmediate(resolve)));
  for (let i = 0; i < 95; i++) push(dear);
  await settle();
  expect(calls.map(({ size }) => size)).toEqual([10, 10, 10, 10]);
  push(plain);
  await settle();
  expect(calls.splice(4).map(({ size, answer }) => [size, answer()])).toEqual([[1, undefined]]);
  calls.shift()?.answer();
  await settle();
  expect([calls.length, accepted, lane.backlog]).toEqual([4, 11, 85]);
  expect(lane.withdraw()).toHaveLength(45);
  push(dear);
  await settle();
  expect(calls).toHaveLength(4);
  for (const { answer } of calls.splice(0)) answer();
  await settle();
  // Whose turn came after it was taken back leaves it to the next.
  expect(calls.map(({ size }) => size)).toEqual([1]);
  calls.shift()?.answer();
  await settle();
  expect([calls.length, accepted, lane.backlog]).toEqual([0, 52, 0]);
});
