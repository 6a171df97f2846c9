/**
 * A lane against a store that fails: refused, applied-but-unknown, forgetful. What was accepted must be exactly what
 * the store holds, once, in the order it was handed in.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import type { Store } from "../engine/store.js";
import type { EnqueueAnswer, EnqueueParams } from "../engine/transitions.js";
import { ManualClock } from "../testing/manual-clock.js";
import type { Attendant } from "./attendant.js";
import { createCounters } from "./counters.js";
import { FastLane } from "./fast-lane.js";
import type { Repeats } from "./resend.js";

type Fate = "ok" | "refused" | "unknown-applied" | "unknown-lost";

/** The least that a lane needs of a store: marks, a list, and a script of fates, one a call; then all is well. */
class ShakyStore {
  readonly held: string[] = [];
  readonly marks = new Map<number, { name: string; accepted: number }>();
  fates: Fate[];
  isForgetful = false;

  constructor(fates: Fate[]) {
    this.fates = fates;
  }

  async laneOpen(_segment: string, { laneName }: { laneName: string }) {
    const lane = this.marks.size + 1;
    this.marks.set(lane, { name: laneName, accepted: 0 });
    return { answer: "ok" as const, lane, accepted: 0 };
  }

  async enqueue(_segment: string, params: EnqueueParams): Promise<EnqueueAnswer> {
    const fate = this.fates.shift() ?? "ok";
    if (fate === "refused") throw createError("MR_STORE_UNAVAILABLE", { store: "shaky", reason: "it was told to" });
    if (fate === "unknown-lost") throw createError("MR_INDETERMINATE", { call: "enqueue", id: "?" });
    const answer = this.#apply(params);
    if (fate === "unknown-applied") throw createError("MR_INDETERMINATE", { call: "enqueue", id: "?" });
    return answer;
  }

  #apply({ lane, first, bodies }: EnqueueParams): EnqueueAnswer {
    const mark = this.marks.get(lane);
    if (mark === undefined) return { answer: "unknown_lane", accepted: 0, fresh: 0 };
    if (first > mark.accepted + 1) return { answer: "gap", accepted: mark.accepted, fresh: 0 };
    const fresh = bodies.slice(Math.max(0, mark.accepted + 1 - first));
    for (const body of fresh) this.held.push(Buffer.from(body).toString());
    mark.accepted = Math.max(mark.accepted, first + bodies.length - 1);
    return { answer: "ok", accepted: mark.accepted, fresh: fresh.length };
  }

  ready() {
    return Promise.resolve();
  }

  get url() {
    return "shaky:";
  }
}

function makeLane(
  store: ShakyStore,
  clock: ManualClock,
  timeoutMs = 60_000,
  attendant: Attendant | null = null,
  repeats: Repeats | null = null,
) {
  let digits = 10;
  return new FastLane(
    {
      store: store as unknown as Store, // a lane calls nothing else
      clock,
      random: seededRandom(1),
      counters: createCounters(),
      repeats,
      segment: "here",
      incarnation: "abc",
      timeoutMs,
      attendant,
      nextDigits: () => String(digits++),
    },
    "async",
  );
}

/** Lets promises and timers run until everything was answered. */
async function settle(lane: FastLane, clock: ManualClock): Promise<void> {
  for (let turn = 0; turn < 10_000 && lane.backlog > 0; turn++) {
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    const nextMs = clock.nextMs;
    if (nextMs !== null) clock.moveTo(nextMs);
  }
}

describe("a fast lane", () => {
  it("needs no bell where its own process attends the Queue: it says so, and tells behind the call", async () => {
    for (const isAttended of [true, false]) {
      const clock = new ManualClock();
      const store = new ShakyStore([]);
      const order: string[] = [];
      const enqueue = store.enqueue.bind(store);
      store.enqueue = (segment, params) => {
        order.push(`enqueue ${params.isQuiet === true ? "quietly" : "with a bell"}`);
        return enqueue(segment, params);
      };
      const lane = makeLane(store, clock, 60_000, {
        attends: (segment, queue) => isAttended && segment === "here" && queue === "async",
        sent: (segment, queue) => order.push(`sent ${segment} ${queue}`),
      });
      lane.push({ body: Buffer.from("x"), accepted: () => undefined, refused: () => undefined });
      await settle(lane, clock);
      expect(order).toEqual(isAttended ? ["enqueue quietly", "sent here async"] : ["enqueue with a bell"]);
    }
  });

  it("sends what was handed in during one tick as one call", async () => {
    const clock = new ManualClock();
    const store = new ShakyStore([]);
    const lane = makeLane(store, clock);
    const accepted: number[] = [];
    for (let n = 0; n < 100; n++) {
      lane.push({
        body: Buffer.from(String(n)),
        accepted: (_, counter) => accepted.push(counter),
        refused: () => undefined,
      });
    }
    await settle(lane, clock);
    expect(accepted).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(store.held).toHaveLength(100);
  });

  it("B36: loses nothing, doubles nothing and keeps the order, whatever calls are refused or of unknown outcome", async () => {
    const fates = fc.array(fc.constantFrom<Fate>("ok", "refused", "unknown-applied", "unknown-lost"), {
      maxLength: 30,
    });
    const ticks = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 20 });
    await fc.assert(
      fc.asyncProperty(fates, ticks, async (script, sizes) => {
        const clock = new ManualClock();
        const store = new ShakyStore([...script]);
        const lane = makeLane(store, clock);
        const answered: string[] = [];
        let next = 0;
        for (const size of sizes) {
          for (let i = 0; i < size; i++) {
            const text = String(next++);
            lane.push({
              body: Buffer.from(text),
              accepted: () => answered.push(text),
              refused: (error) => answered.push(`${text}: ${error.message}`),
            });
          }
          await new Promise<void>((resolve) => {
            setImmediate(resolve);
          });
        }
        await settle(lane, clock);
        const all = Array.from({ length: next }, (_, n) => String(n));
        expect(answered).toEqual(all);
        expect(store.held).toEqual(all);
      }),
      { numRuns: 300 },
    );
  });

  it("lets I/O have its turn, however fast the store answers and its callers call again", async () => {
    const store = new ShakyStore([]);
    const lane = makeLane(store, new ManualClock());
    const total = 1_000;
    let accepted = 0;
    const push = () => {
      lane.push({
        body: Buffer.from("x"),
        accepted: () => {
          if (++accepted < total) push();
        },
        refused: () => undefined,
      });
    };
    push();
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(total);
    await settle(lane, new ManualClock());
    expect(accepted).toBe(total);
  });

  it("moves to a fresh lane when the store has forgotten what it acknowledged", async () => {
    const clock = new ManualClock();
    const store = new ShakyStore([]);
    const lane = makeLane(store, clock);
    const names: string[] = [];
    const push = (text: string) => {
      lane.push({
        body: Buffer.from(text),
        accepted: (name, counter) => names.push(`${name}/${counter}`),
        refused: () => undefined,
      });
    };
    push("a");
    await settle(lane, clock);
    store.marks.set(1, { name: "abc.10", accepted: 0 });
    store.held.length = 0;
    push("b");
    push("c");
    await settle(lane, clock);
    expect(names).toEqual(["abc.10/1", "abc.11/1", "abc.11/2"]);
    expect(store.held).toEqual(["b", "c"]);
  });

  it("refuses for good what the store has no room for, and goes on with what follows", async () => {
    const clock = new ManualClock();
    const store = new ShakyStore([]);
    const lane = makeLane(store, clock);
    const answers: string[] = [];
    const push = (text: string) => {
      lane.push({
        body: Buffer.from(text),
        accepted: (_, counter) => answers.push(`${text} ${counter}`),
        refused: (error) => answers.push(`${text} ${(error as { code?: string }).code}`),
      });
    };
    const enqueue = store.enqueue.bind(store);
    store.enqueue = async () => {
      store.enqueue = enqueue;
      throw createError("MR_STORE_FULL", { store: "shaky", reason: "no room" });
    };
    push("a");
    await settle(lane, clock);
    push("b");
    await settle(lane, clock);
    expect(answers).toEqual(["a MR_STORE_FULL", "b 1"]);
    expect(store.held).toEqual(["b"]);
  });

  it("B36: tells MR_INDETERMINATE with the id when time is up, and still keeps the order for what follows", async () => {
    const clock = new ManualClock();
    const store = new ShakyStore([]);
    const lane = makeLane(store, clock, 1_000);
    const answers: string[] = [];
    const push = (text: string) => {
      lane.push({
        body: Buffer.from(text),
        accepted: () => answers.push(text),
        refused: (error) => answers.push(`${text}: ${error.message}`),
      });
    };
    store.fates = Array.from({ length: 40 }, () => "unknown-lost" as const);
    push("a");
    await settle(lane, clock);
    expect(answers[0]).toContain("here.abc.110");
    push("b");
    await settle(lane, clock);
    expect(answers[1]).toBe("b");
    expect(store.held).toEqual(["a", "b"]);
  });

  it("B36: repeats as often as it is told to, after 1, 2 and 4 s, and takes nothing twice", async () => {
    for (const [failures, expected] of [
      [3, "a taken"],
      [4, "a: MR_INDETERMINATE"],
    ] as const) {
      const clock = new ManualClock();
      const store = new ShakyStore(Array.from({ length: failures }, () => "unknown-applied" as const));
      const calls: number[] = [];
      const fromMs = clock.monotonicMs();
      const enqueue = store.enqueue.bind(store);
      store.enqueue = (segment, params) => {
        calls.push(clock.monotonicMs() - fromMs);
        return enqueue(segment, params);
      };
      const lane = makeLane(store, clock, 60_000, null, { max: 3, delayMs: 1_000 });
      const answers: string[] = [];
      const push = (text: string) => {
        lane.push({
          body: Buffer.from(text),
          accepted: () => answers.push(`${text} taken`),
          refused: (error) => answers.push(`${text}: ${(error as { code?: string }).code}`),
        });
      };
      push("a");
      await settle(lane, clock);
      push("b");
      await settle(lane, clock);
      expect(calls.slice(0, 4)).toEqual([0, 1_000, 3_000, 7_000]);
      expect(answers).toEqual([expected, "b taken"]);
      expect(store.held).toEqual(["a", "b"]);
    }
  });
});
