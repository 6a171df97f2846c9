/**
 * Every transition, sent twice: because it was asked for twice, because its answer was lost, because the request was
 * cut on its way. What is stored in the end is what one call stores, and the second answer says so.
 */
import { isMillraceError } from "@millrace/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { at, proof, retainMs, Scene, series } from "../conformance/store/scene.js";
import { bytes, plain } from "../helper/bytes.js";
import { openTestRedis, type TestRedis } from "../helper/redis.js";
import { type RedisUnderTest, redisUnderTest } from "../helper/redis-under-test.js";
import { startProxy, type TcpProxy } from "../helper/tcp-proxy.js";
import { within } from "../helper/wait.js";

/** One transition, in a Segment prepared for it. */
interface Case {
  readonly name: string;
  /** Prepares the Segment and answers the call: the same one, however often it is made. */
  prepare(scene: Scene): Promise<() => Promise<unknown>>;
  /** What the first call answers. */
  readonly first: unknown;
  /** What a repeat answers; absent: the same as the first. */
  readonly again?: unknown;
  /** Beats only count; everything else must be stored as if the call had been made once. */
  readonly counts?: boolean;
  /** What is stored, where it is not the Segment that the call is about. */
  look?(scene: Scene): Promise<unknown>;
}

/** What the index of Nodes says of a scene's own Node. */
const lookAtNodes = async (s: Scene): Promise<unknown> =>
  (await s.store.nodes()).filter(({ node }) => node === s.segment).map(({ beat, about }) => plain({ beat, about }));

const cases: readonly Case[] = [
  {
    name: "segment_open",
    prepare: async (s) => () => s.store.openSegment(s.segment),
    first: undefined,
  },
  {
    name: "lane_open",
    prepare: async (s) => () => s.store.laneOpen(s.segment, { laneName: "a1.01", queue: "q" }),
    first: { answer: "ok", accepted: 0 },
  },
  {
    name: "enqueue",
    prepare: async (s) => {
      const lane = await s.fast();
      return () => s.enqueue(lane, 1, ["a", "b"]);
    },
    first: { answer: "ok", accepted: 2, fresh: 2 },
    again: { answer: "ok", accepted: 2, fresh: 0 },
  },
  {
    name: "enqueue_full",
    prepare: async (s) => {
      const lane = await s.full();
      return () =>
        s.enqueueFull(lane, [
          { counter: 1, priority: 5 },
          { counter: 2, due: { in: 50 } },
        ]);
    },
    first: ["ok", "ok"],
    again: ["duplicate", "duplicate"],
  },
  {
    name: "claim",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 3));
      return async () => {
        const { answer, claims } = await s.store.claim(s.segment, { owner: "o1", request: 1, queues: ["q"], max: 2 });
        return { answer, bodies: claims.map(({ body }) => body) };
      };
    },
    first: { answer: "ok", bodies: [bytes("n1"), bytes("n2")] },
  },
  {
    name: "extend",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, ["a"]);
      await s.claim("o1");
      return () => s.store.extend(s.segment, { owner: "o1" });
    },
    first: { answer: "ok", beat: 2, held: 1, marked: [] },
    again: { answer: "ok", beat: 3, held: 1, marked: [] },
    counts: true,
  },
  {
    name: "complete",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 2));
      const claims = await s.claim("o1");
      return () => s.complete("o1", claims);
    },
    first: ["ok", "ok"],
    again: ["duplicate", "duplicate"],
  },
  {
    name: "complete on the full path",
    prepare: async (s) => {
      await s.enqueueFull(await s.full(), [{ counter: 1, priority: 3 }]);
      const claims = await s.claim("o1");
      return () => s.complete("o1", claims);
    },
    first: ["ok"],
    again: ["duplicate"],
  },
  {
    name: "fail, to a retry",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, ["a"]);
      const held = await s.claimOne("o1");
      return () => s.fail("o1", held, 500);
    },
    first: "ok",
    again: "duplicate",
  },
  {
    name: "fail, for good",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, ["a"]);
      const held = await s.claimOne("o1");
      return () => s.fail("o1", held, null);
    },
    first: "ok",
    again: "duplicate",
  },
  {
    name: "release, to the front",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const claims = await s.claim("o1", 2);
      return () => s.release("o1", claims);
    },
    first: ["ok", "ok"],
    again: ["duplicate", "duplicate"],
  },
  {
    name: "release, delayed",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, ["a"]);
      const claims = await s.claim("o1");
      return () => s.release("o1", claims, 500);
    },
    first: ["ok"],
    again: ["duplicate"],
  },
  {
    name: "cancel of what waits",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      return () => s.cancel(lane, [1]);
    },
    first: ["cancelled"],
    again: ["terminal"],
  },
  {
    name: "cancel of what runs",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.claim("o1");
      return () => s.cancel(lane, [1]);
    },
    first: ["requested"],
  },
  {
    name: "promote",
    prepare: async (s) => {
      await s.enqueueFull(
        await s.full(),
        [1, 2, 3].map((counter) => ({ counter, due: { in: counter } })),
      );
      await s.advance(2);
      return async () => (await s.promote()).promoted;
    },
    first: 2,
    again: 0,
  },
  {
    name: "rescue",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 3));
      await s.claim("o1");
      const ask = { owner: "o1", beat: 1, max: 10, recoveriesMax: 3, retainMs, poison: bytes("poison") };
      return () => s.store.rescue(s.segment, ask);
    },
    first: { answer: "ok", rescued: 3, failed: 0, cancelled: 0, left: 0 },
    again: { answer: "missing", rescued: 0, failed: 0, cancelled: 0, left: 0 },
  },
  {
    name: "requeue",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      await s.fail("o1", await s.claimOne("o1"), null);
      return () => s.requeue(lane, 1);
    },
    first: "ok",
    again: "illegal",
  },
  {
    name: "prune",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 2));
      const claims = await s.claim("o1");
      await s.complete("o1", [at(claims, 0)]);
      await s.fail("o1", at(claims, 1), null);
      await s.advance(10 * retainMs);
      return () => s.prune();
    },
    first: { finished: 1, dead: 1, windows: 0, more: false },
    again: { finished: 0, dead: 0, windows: 0, more: false },
  },
  {
    name: "progress",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, ["a"]);
      const held = await s.claimOne("o1");
      return () => s.progress("o1", held, "half");
    },
    first: "ok",
  },
  {
    name: "find, waiting",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, ["a"]);
      return async () => {
        const found = await s.find(lane, 1, { wait: true });
        return typeof found === "string" ? found : found.state;
      };
    },
    first: "ready",
  },
  {
    name: "queue_pause",
    prepare: async (s) => () => s.store.queuePause(s.segment, { queue: "q" }),
    first: { answer: "ok" },
    again: { answer: "unchanged" },
  },
  {
    name: "queue_resume",
    prepare: async (s) => {
      await s.store.queuePause(s.segment, { queue: "q" });
      return () => s.store.queueResume(s.segment, { queue: "q" });
    },
    first: { answer: "ok" },
    again: { answer: "unchanged" },
  },
  {
    name: "limit_set",
    prepare: async (s) => {
      const ties = { key: null, line: null, gates: [{ name: "g", slots: 1 }] };
      await s.enqueueFull(
        await s.full(),
        [1, 2, 3].map((counter) => ({ counter, ties })),
      );
      await s.claim("o1");
      return () => s.store.limitSet(s.segment, { name: "g", number: { slots: 2 }, max: 1000 });
    },
    first: { answer: "ok", isSettled: true },
    again: { answer: "unchanged", isSettled: true },
  },
  {
    name: "limits",
    prepare: async (s) => {
      await s.store.limitSet(s.segment, { name: "g", number: { slots: 2 }, max: 1000 });
      return async () => (await s.store.limits(s.segment, { max: 10 })).live.map(({ name, number }) => [name, number]);
    },
    first: [["g", { slots: 2 }]],
  },
  {
    name: "survey",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 3));
      await s.claim("o1", 2);
      const ask = async (of: "lanes" | "records") => await s.store.survey(s.segment, { of, cursor: null, max: 100 });
      return async () => {
        const { lanes } = await ask("lanes");
        return lanes.map(({ queue, accepted, claimed }) => [queue, accepted, claimed]);
      };
    },
    first: [["q", 3, 2]],
  },
  {
    name: "peek and counts",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const peek = { of: { queue: "q" }, offset: 0, limit: 2 };
      return async () => [(await s.store.peek(s.segment, peek)).total, (await s.counts()).totals.enqueued];
    },
    first: [3, 3],
  },
  {
    name: "holders",
    prepare: async (s) => {
      const lane = await s.full();
      const key = { name: "k", mode: "known", windowMs: null, digest: new Uint8Array(8), replaced: null } as const;
      const ties = { key, line: null, gates: [] };
      const element = { counter: 1, queue: "q", priority: 0, due: null, body: Buffer.from("a"), ties };
      await s.store.enqueueFull(s.segment, { ...lane, elements: [element] });
      return async () => {
        const { holders } = await s.store.holders(s.segment, { keys: ["k", "none"] });
        return holders.map((one) => one?.counter ?? null);
      };
    },
    first: [1, null],
    again: [1, null],
  },
  {
    name: "announce",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 1));
      const claim = await s.claimOne("o1");
      const held = { laneName: claim.laneName, counter: 1, token: claim.token, again: claim };
      const lost = { ...held, laneName: "z9zz.00" };
      return () => s.store.announce(s.segment, { owner: "o1", elements: [held, lost] });
    },
    first: { answers: ["keep", "recovered"] },
    again: { answers: ["keep", "stale"] },
  },
  {
    name: "erase",
    prepare: async (s) => {
      const lane = await s.fast();
      await s.enqueue(lane, 1, series("n", 2));
      await s.complete("o1", [await s.claimOne("o1")]);
      const dots = [1, 2].map((counter) => ({ laneName: lane.laneName, counter }));
      return () => s.store.erase(s.segment, { dots });
    },
    first: { answers: ["ok", "illegal"] },
    again: { answers: ["missing", "illegal"] },
  },
  {
    name: "explain",
    prepare: async (s) => {
      const lane = await s.full();
      const gates = [{ name: "g", slots: 1 }];
      await s.enqueueFull(
        lane,
        [1, 2].map((counter) => ({ counter, ties: { key: null, line: null, gates } })),
      );
      await s.claim("o1", 2);
      const params = { dot: { laneName: lane.laneName, counter: 2 }, max: 10 };
      return async () => (await s.store.explain(s.segment, params)).gates[0]?.isFull;
    },
    first: true,
  },
  {
    name: "list and check",
    prepare: async (s) => {
      await s.enqueue(await s.fast(), 1, series("n", 3));
      const params = { of: { state: "ready" as const, queue: "q" }, cursor: null, max: 2 };
      const check = { cursor: null, max: 10, isMending: true, suspects: [] };
      return async () => [
        (await s.store.list(s.segment, params)).records.length,
        (await s.store.check(s.segment, check)).findings.length,
      ];
    },
    first: [2, 0],
  },
  {
    name: "node_beat",
    prepare: async (s) => () =>
      s.store.nodeBeat({ incarnation: `i-${s.segment}`, node: s.segment, about: bytes("me"), isJoining: true }),
    first: { beat: 1, elders: [] },
    again: { beat: 2, elders: [] },
    counts: true,
    look: lookAtNodes,
  },
  {
    name: "node_leave",
    prepare: async (s) => {
      const incarnation = `i-${s.segment}`;
      await s.store.nodeBeat({ incarnation, node: s.segment, about: bytes("me"), isJoining: true });
      return () => s.store.nodeLeave({ incarnation, beat: 1 });
    },
    first: { answer: "ok" },
    again: { answer: "missing" },
    look: lookAtNodes,
  },
];

let redis: TestRedis;
let proxy: TcpProxy;
let sut: RedisUnderTest;

beforeAll(async () => {
  redis = await openTestRedis();
  const { port } = new URL(redis.url);
  proxy = await startProxy({ port: Number(port) });
  sut = await redisUnderTest({ url: `redis://127.0.0.1:${proxy.port}`, app: redis.app, client: redis.client });
});

afterAll(async () => {
  await sut.close();
  await proxy.close();
  await redis.close();
});

/** What is stored after one undisturbed call: what every disturbed one must store, too. */
async function undisturbed(test: Case): Promise<unknown> {
  const scene = await Scene.open(sut);
  const call = await test.prepare(scene);
  expectAnswer(await call(), test.first);
  const stored = await storedBy(test, scene);
  await leave(scene);
  return stored;
}

function storedBy(test: Case, scene: Scene): Promise<unknown> {
  return test.look === undefined ? scene.snapshot() : test.look(scene);
}

/** Ends a scene and turns the clock back, so that the next one plays at the same time. */
async function leave(scene: Scene): Promise<void> {
  await scene.advance(-scene.movedMs);
  scene.close();
}

function plainOrNull(value: unknown): object {
  return { value: plain(value ?? null) };
}

describe.each(cases)("$name", (test) => {
  it("regression: a counter underflows on a duplicate completion: sent twice", async () => {
    const expected = await undisturbed(test);
    const scene = await Scene.open(sut);
    const call = await test.prepare(scene);
    expectAnswer(await call(), test.first);
    expectAnswer(await call(), test.again ?? test.first);
    if (test.counts !== true) expect(await storedBy(test, scene)).toEqual(expected);
    await leave(scene);
  });

  it("with its answer lost: sent again, it has happened once", async () => {
    const expected = await undisturbed(test);
    const scene = await Scene.open(sut);
    const call = await test.prepare(scene);
    const cutsBefore = proxy.cuts;
    proxy.hurt("down", { cutAfterBytes: 0, isRepeating: true });
    const lost = await failureOf(call());
    proxy.hurt("down", null);
    expect(isMillraceError(lost, "MR_INDETERMINATE")).toBe(true);
    expect(proxy.cuts).toBeGreaterThan(cutsBefore);
    await within(sut.store.ready(), "the connection's return");
    expectAnswer(await call(), test.again ?? test.first);
    if (test.counts !== true) expect(await storedBy(test, scene)).toEqual(expected);
    await leave(scene);
  });

  it.each([1, 40])("with its request cut after %i bytes: sent again, it has happened once", async (cutAfterBytes) => {
    const expected = await undisturbed(test);
    const scene = await Scene.open(sut);
    const call = await test.prepare(scene);
    proxy.hurt("up", { cutAfterBytes, isRepeating: true });
    const lost = await failureOf(call());
    proxy.hurt("up", null);
    expect(isMillraceError(lost, "MR_INDETERMINATE")).toBe(true);
    await within(sut.store.ready(), "the connection's return");
    expectAnswer(await call(), test.first);
    expect(await storedBy(test, scene)).toEqual(expected);
    await leave(scene);
  });
});

describe("a claim whose answer is lost", () => {
  it("regression: a claim is delivered again to the same Worker: it is the same, with the same token", async () => {
    const scene = await Scene.open(sut);
    await scene.enqueue(await scene.fast(), 1, series("n", 3));
    const ask = () => scene.store.claim(scene.segment, { owner: "o1", request: 1, queues: ["q"], max: 2 });
    proxy.hurt("down", { cutAfterBytes: 0, isRepeating: true });
    await failureOf(ask());
    proxy.hurt("down", null);
    await within(sut.store.ready(), "the connection's return");
    const { claims } = await ask();
    expect(claims.map(({ counter }) => counter)).toEqual([1, 2]);
    expect(await scene.complete("o1", claims.map(proof))).toEqual(["ok", "ok"]);
    await leave(scene);
  });
});

describe("bytes that come one at a time", () => {
  it("are put together rightly, both ways", async () => {
    const scene = await Scene.open(sut);
    proxy.hurt("up", { sliceBytes: 1 });
    proxy.hurt("down", { sliceBytes: 1 });
    const lane = await scene.fast();
    await scene.enqueue(lane, 1, series("n", 20));
    expect(await scene.claimTexts("o1")).toEqual(series("n", 20));
    proxy.hurt("up", null);
    proxy.hurt("down", null);
    await leave(scene);
  });
});

function expectAnswer(answer: unknown, expected: unknown): void {
  expect(plainOrNull(answer)).toMatchObject(plainOrNull(expected));
}

async function failureOf(call: Promise<unknown>): Promise<unknown> {
  const answer = await within(
    call.then(
      () => null,
      (error: unknown) => error,
    ),
    "the failure of a call",
  );
  if (answer === null) throw new Error("the call was answered, though its connection was to be cut");
  return answer;
}
