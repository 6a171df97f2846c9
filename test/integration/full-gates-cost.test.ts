/** What gates cost a Redis, counted in the words of the commands that a call runs there: times would tell of the machine. */
import type { FullElement, GateTie, KeyTie, Store } from "@millrace/core/internal";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import { afterAll, beforeAll, expect, it } from "vitest";
import { bytes } from "../helper/bytes.js";
import { openStore } from "../helper/open-store.js";
import { plainClient } from "../helper/redis.js";
import { within } from "../helper/wait.js";

const segment = "s";
const laneName = "m3k9.00";
let server: RedisServer;
let client: Redis;
let monitor: Redis;

beforeAll(async () => {
  server = await startRedis();
  client = plainClient(server.url);
  monitor = await client.monitor();
});

afterAll(async () => {
  monitor.disconnect();
  client.disconnect();
  await server.stop();
});

/** The commands that the server ran within transitions while `work` went on. */
async function commandsOf(work: () => Promise<unknown>): Promise<string[][]> {
  const commands: string[][] = [];
  let heardEnd: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    heardEnd = resolve;
  });
  const hear = (_time: string, args: string[], source: string) => {
    if (source === "lua") commands.push(args);
    else if (args.includes("the end of it")) heardEnd();
  };
  monitor.on("monitor", hear);
  try {
    await work();
    await client.echo("the end of it");
    await within(ended, "the end of it");
  } finally {
    monitor.off("monitor", hear);
  }
  return commands;
}

interface Scene {
  readonly store: Store;
  put(elements: readonly Pick<FullElement, "due" | "ties">[], queue?: string): Promise<void>;
  claim(queue: string, owner: string, max: number): Promise<number>;
}

let opened = 0;

async function scene(): Promise<Scene> {
  const store = await openStore(server.url, `a${++opened}`);
  await store.openSegment(segment);
  const { lane } = await store.laneOpen(segment, { laneName, queue: null });
  let [counter, request] = [0, 0];
  return {
    store,
    put: async (given, queue = "q") => {
      const elements = given.map((one) => ({ counter: ++counter, queue, priority: 0, body: bytes("b"), ...one }));
      const { answers } = await store.enqueueFull(segment, { lane, laneName, elements });
      expect(new Set(answers)).toEqual(new Set(["ok"]));
    },
    claim: async (queue, owner, max) => {
      return (await store.claim(segment, { owner, request: ++request, queues: [queue], max })).claims.length;
    },
  };
}

const gate = (i: number): GateTie => ({ name: `g:${i}`, slots: 1, full: { mode: "cancel_oldest", value: bytes("x") } });

/** How often one claim looks through what somebody holds when it meets so many full gates. */
async function looksOf(met: number): Promise<number> {
  const s = await scene();
  const all = Array.from({ length: met }, (_, i) => ({ key: null, line: null, gates: [gate(i)] }));
  await s.put(all.map((ties) => ({ due: null, ties })));
  expect(await s.claim("q", "o1", met)).toBe(met);
  await s.put(
    all.map((ties) => ({ due: { in: 1 }, ties })),
    "later",
  );
  let promoted = 0;
  await expect.poll(async () => (promoted += (await s.store.promote(segment, { max: 100 })).promoted)).toBe(met);
  const commands = await commandsOf(() => s.claim("later", "o2", met));
  expect((await s.store.counts(segment)).totals.cancelled).toBe(0);
  await s.store.close();
  return commands.filter(([name]) => name?.toUpperCase() === "HKEYS").length;
}

it("X4: one claim looks through what runs once, however many full gates it meets", async () => {
  const once = await looksOf(1);
  expect(once).toBeGreaterThan(0);
  expect(await looksOf(8)).toBe(once);
});

/** The words of one enqueue in which each of so many takes another's place, each with a gate of its own. */
async function wordsOf(count: number): Promise<number> {
  const s = await scene();
  const elements = Array.from({ length: count }, (_, i) => {
    const replaced = { retainMs: 60_000, value: bytes("replaced") };
    const key: KeyTie = { name: `k:${i}`, mode: "replace", windowMs: null, digest: bytes("12345678"), replaced };
    return { due: { in: 60_000 }, ties: { key, line: null, gates: [{ name: `g:${i}`, slots: 1 }] } };
  });
  await s.put(elements);
  const commands = await commandsOf(() => s.put(elements));
  await s.store.close();
  return commands.reduce((sum, words) => sum + words.length, 0);
}

it("X13: what takes another's place looks at its own gates, not at those of all that came with it", async () => {
  const [few, many] = [await wordsOf(20), await wordsOf(80)];
  // Of four times as many four times the words, and sixteen times if each looked at the gates of all. From one call to
  // another the words differ by a sixth, so the two may stand against each other.
  expect(many / few).toBeLessThan(6);
});
