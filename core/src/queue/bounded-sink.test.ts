/** How many ready Operations a Queue may hold: who waits for room, who is refused, and that what drains always can. */
import { describe, expect, it } from "vitest";
import { createError } from "../base/errors.js";
import { seededRandom } from "../base/random.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import { ManualClock } from "../testing/manual-clock.js";
import { AttemptScope, sinkInside } from "./attempt-scope.js";
import { BoundedSink, type OnFull } from "./bounded-sink.js";
import { createCounters } from "./counters.js";
import { Producer } from "./producer.js";

async function setUp(max: number, onFull: OnFull) {
  const clock = new ManualClock();
  const store = new MemoryStore({ app: "a", clock });
  await store.open();
  await store.openSegment("seg");
  const context = { store, clock, random: seededRandom(1), counters: createCounters(), timeoutMs: 1_000 };
  const inner = new Producer({ ...context, segment: "seg", incarnation: "abc" });
  const scope = new AttemptScope();
  const sink = new BoundedSink({ ...context, inner, segment: "seg", max, onFull, scope });
  const said: string[] = [];
  const submission = (name: string) => ({
    body: Buffer.from(name),
    accepted: () => said.push(`${name} in`),
    refused: (error: Error) => said.push(`${name} ${"code" in error ? error.code : error.message}`),
  });
  const push = (...names: string[]): void => {
    for (const name of names) sink.push("q", submission(name));
  };
  let request = 0;
  const claim = async (count: number): Promise<string[]> => {
    const params = { owner: "o", request: ++request, queues: ["q"], max: count };
    return (await store.claim("seg", params)).claims.map(({ body }) => Buffer.from(body).toString());
  };
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) {
      clock.moveTo(clock.nowMs());
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const pass = async (ms: number): Promise<void> => {
    for (let i = 0; i < 20; i++) {
      clock.moveTo(clock.nowMs() + ms / 20);
      await settle();
    }
  };
  return { clock, scope, store, sink, said, submission, push, claim, settle, pass };
}

describe("a bounded Queue", () => {
  it("F6: lets as many in as it may hold, the others wait in order until there is room", async () => {
    const { said, push, claim, settle, sink, store, pass } = await setUp(2, "wait");
    push("1", "2", "3", "4");
    await settle();
    expect(said).toEqual(["1 in", "2 in"]);
    expect(sink.backlog).toBe(2);
    push("5");
    await pass(1_000);
    expect((await store.counts("seg")).queues).toMatchObject([{ ready: 2 }]);
    expect(await claim(2)).toEqual(["1", "2"]);
    await pass(1_000);
    expect(said).toEqual(["1 in", "2 in", "3 in", "4 in"]);
    expect(await claim(9)).toEqual(["3", "4"]);
    await pass(1_000);
    expect(await claim(9)).toEqual(["5"]);
    expect(sink.backlog).toBe(0);
  });

  it("F6: lets an Attempt put more into a full Queue, in what it awaits too, and counts it", async () => {
    const { said, push, claim, settle, pass, scope } = await setUp(2, "wait");
    push("1", "2", "3");
    await settle();
    await scope.run(async () => {
      push("a");
      await null;
      push("b");
    });
    await settle();
    expect(said).toEqual(["1 in", "2 in", "a in", "b in"]);
    expect(await claim(2)).toEqual(["1", "2"]);
    await pass(1_000);
    expect(said.slice(4)).toEqual([]);
    expect(await claim(1)).toEqual(["a"]);
    await pass(1_000);
    expect(said.slice(4)).toEqual(["3 in"]);
  });

  it("F6: takes what Workers ask for as an Attempt's", async () => {
    const { said, push, settle, scope, sink, submission } = await setUp(1, "wait");
    push("1", "2");
    await settle();
    const desk = sinkInside(sink, scope);
    desk.push("q", submission("a"));
    desk.pushFull({ ...submission("b"), queue: "q", priority: 3, due: null, ties: null });
    await settle();
    expect(said.toSorted()).toEqual(["1 in", "a in", "b in"]);
  });

  it("F6: refuses what finds no room, each for itself, and takes more when there is some", async () => {
    const { said, push, claim, settle } = await setUp(2, "reject");
    push("1", "2", "3");
    await settle();
    expect(said.splice(0).sort()).toEqual(["1 in", "2 in", "3 MR_QUEUE_FULL"]);
    await claim(1);
    push("4", "5");
    await settle();
    expect(said.sort()).toEqual(["4 in", "5 MR_QUEUE_FULL"]);
  });

  it("F6: asks of what is for later nothing, nor of what came back", async () => {
    const { said, push, claim, settle, sink, submission, store, pass } = await setUp(1, "reject");
    push("1");
    await settle();
    sink.pushFull({ ...submission("later"), queue: "q", priority: 0, due: { in: 10 }, ties: null });
    await settle();
    expect(said.splice(0)).toEqual(["1 in", "later in"]);
    await claim(1);
    push("2");
    await settle();
    const { claims } = await store.claim("seg", { owner: "o", request: 1, queues: ["q"], max: 1 });
    await store.release("seg", {
      owner: "o",
      retainMs: 1_000,
      elements: claims.map((one) => ({ ...one, delayMs: null })),
    });
    await pass(10);
    await store.promote("seg", { max: 9 });
    expect((await store.counts("seg")).queues).toMatchObject([{ ready: 3 }]);
    expect(await claim(9)).toEqual(["1", "2", "later"]);
  });

  it("F6: tells those who wait when it ends", async () => {
    const { said, push, settle, sink } = await setUp(1, "wait");
    push("1", "2");
    await settle();
    sink.end(createError("MR_APP_CLOSED", { app: "a", method: "enqueue" }));
    push("3");
    expect(said).toEqual(["1 in", "2 MR_APP_CLOSED", "3 MR_APP_CLOSED"]);
  });
});
