/**
 * What the store calls of an Operation's life and of an inspection cost a Redis server, as processor time of its main
 * thread: unlike wall time it does not depend on what else the machine does. Fills a Segment with Operations in every
 * state, runs others through it, then lists, searches, explains, checks and acts on all. Used by call-costs.test.ts
 * and call-costs-million-program.ts.
 */
import { App } from "@millrace/core";
import {
  type CheckAnswer,
  encodeEnvelope,
  type LocalDot,
  RedisStore,
  SETTLE_IN,
  type Store,
  type SurveyAnswer,
} from "@millrace/core/internal";
import type { RedisServer } from "@millrace/scripts/redis-server";
import { hotCalls, type Measure } from "./hot-calls.js";
import { plainClient } from "./redis.js";

/** The calls of one kind: milliseconds of the server's processor each. */
export interface CallCosts {
  readonly what: string;
  readonly costs: readonly number[];
  /** What came of it. */
  readonly result: string;
}

const app = "million";
const segment = "web-1";
const batch = 1_000;
const day = 86_400_000;
/** Waits of results are spread so far that as many slices hold them as a Segment ever has of one retention. */
const retentions = 16;
/** Processes that hold something. */
const owners = 8;

/** The middle one of some figures, or another share of them. */
export function quantile(figures: readonly number[], share: number): number {
  const sorted = [...figures].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** Measures all kinds of inspection over `count` Operations; `pages` bounds how many pages of one kind are read. */
export async function measureCalls(server: RedisServer, count: number, pages: number): Promise<readonly CallCosts[]> {
  const client = plainClient(server.socket);
  const redis = new RedisStore({ url: server.url, app });
  await client.flushall("SYNC");
  await redis.open();
  const rearmost = await fill(redis, Math.max(1, Math.floor(count / 20 / batch)) * batch);
  const costs: number[] = [];
  const mainThreadMs = async (): Promise<number> => {
    const info = await client.info("cpu");
    const [user, system] = ["user", "sys"].map((kind) =>
      Number(new RegExp(`used_cpu_${kind}_main_thread:([\\d.]+)`).exec(info)?.[1] ?? Number.NaN),
    );
    return ((user ?? Number.NaN) + (system ?? Number.NaN)) * 1_000;
  };
  const idle: number[] = [];
  for (let i = 0; i < 200; i++) idle.push(-(await mainThreadMs()) + (await mainThreadMs()));
  const asking = quantile(idle, 0.5);
  const watched = new Proxy<Store>(redis, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      if (!MEASURED.has(String(name))) return value.bind(target);
      return async (...args: unknown[]): Promise<unknown> => {
        const before = await mainThreadMs();
        const answer: unknown = await value.apply(target, args);
        costs.push(Math.max(0, (await mainThreadMs()) - before - asking));
        return answer;
      };
    },
  });
  const reached = new App({ id: app, nodeId: segment, store: "memory:" });
  reached[SETTLE_IN]({ makeStore: async () => watched });
  const found: CallCosts[] = [];
  const measure: Measure = async (what, act) => {
    costs.length = 0;
    const result = String(await act());
    found.push({ what, costs: [...costs], result });
  };
  try {
    await hotCalls(watched, BODY, measure);
    await inspectAll(reached, watched, rearmost, pages, measure);
  } finally {
    await reached.close();
    await redis.close();
    client.disconnect();
  }
  return found;
}

const MEASURED: ReadonlySet<string> = new Set([
  ...[
    "counts",
    "list",
    "find",
    "peek",
    "explain",
    "check",
    "cancel",
    "requeue",
    "redrive",
    "erase",
    "holders",
    "survey",
  ],
  ...["enqueue", "enqueueFull", "claim", "extend", "complete", "fail", "release", "promote"],
]);

const BODY = encodeEnvelope("work", Date.now(), null, {
  customer: 4711,
  note: "a payload of about a hundred bytes, all told",
});

/**
 * Of twenty parts: three each failed, completed, scheduled and ready by the fast path; two each ready by the full path at
 * two priorities, and parked at a gate; one each parked in a line and running. Answers the last one of the longest list.
 */
async function fill(store: Store, part: number): Promise<LocalDot> {
  await store.openSegment(segment);
  const { lane: fast } = await store.laneOpen(segment, { laneName: "abc.01", queue: "q" });
  const { lane: full } = await store.laneOpen(segment, { laneName: "abc.00", queue: null });
  let first = 1;
  let counter = 1;
  let request = 1;
  const enqueue = async (): Promise<void> => {
    const bodies = Array<Uint8Array>(batch).fill(BODY);
    await store.enqueue(segment, { lane: fast, laneName: "abc.01", first, bodies });
    first += batch;
  };
  const claim = async (owner: string, queue: string, max = batch) =>
    (await store.claim(segment, { owner, request: request++, queues: [queue], max })).claims;
  const times = async (parts: number, act: (at: number) => Promise<void>): Promise<void> => {
    for (let at = 0; at < parts * part; at += batch) await act(at / batch);
  };
  await times(3, async (at) => {
    await enqueue();
    const held = await claim("p0", "q");
    const retainMs = 7 * day * (1 - (at % retentions) / (2 * retentions));
    await store.complete(segment, { owner: "p0", retainMs, held, values: held.map(() => BODY) });
  });
  await times(3, async () => {
    await enqueue();
    const held = await claim("p0", "q");
    const elements = held.map((one) => ({ ...one, retryInMs: null, value: BODY }));
    await store.fail(segment, { owner: "p0", retainMs: 14 * day, elements });
  });
  await times(1, async (at) => {
    await enqueue();
    await claim(`p${at % owners}`, "q");
  });
  const enqueueFull = async (more: object): Promise<void> => {
    const elements = Array.from({ length: batch }, () => {
      return { counter: counter++, queue: "q", priority: 0, due: null, body: BODY, ...more };
    });
    await store.enqueueFull(segment, { lane: full, laneName: "abc.00", elements });
  };
  const ties = { key: null, line: null, gates: [] };
  await times(2, async () => {
    await enqueueFull({ queue: "gated", ties: { ...ties, gates: [{ name: "gate", slots: 10 }] } });
    await claim("p1", "gated");
  });
  await times(1, async () => await enqueueFull({ queue: "lined", ties: { ...ties, line: "line" } }));
  await times(3, async () => await enqueue());
  await times(2, async () => await enqueueFull({}));
  const rearmost = { laneName: "abc.00", counter: counter - 1 };
  await times(2, async () => await enqueueFull({ priority: 5 }));
  await times(3, async (at) => await enqueueFull({ due: { in: day + at } }));
  return rearmost;
}

/** Parts of a check that walk over what grows with the Operations. */
const PARTS = [
  ...["lanes", "queues", "held", "records", "metas", "due", "dead", "finished", "withdrawn", "ready", "waiters"],
  ...["slots", "ties", "parked", "candidates", "gates", "keys", "expiries", "lapses", "lapsing"],
];
const check = { max: 100, isMending: false, suspects: [] } as const;

/** Checks one part, page by page as `fsck` does. */
async function checkPart(store: Store, part: string, pages: number): Promise<string> {
  let cursor: string | null = `${part}:`;
  let looked = 0;
  let found = 0;
  for (let page = 0; page < pages && cursor?.startsWith(`${part}:`) === true; page++) {
    const answer: CheckAnswer = await store.check(segment, { ...check, cursor });
    looked += answer.looked;
    found += answer.findings.length;
    cursor = answer.cursor;
  }
  return `${looked} looked at, ${found} found`;
}

async function inspectAll(
  { inspect }: App,
  store: Store,
  rearmost: LocalDot,
  pages: number,
  measure: Measure,
): Promise<void> {
  await measure("counts", async () => {
    for (let i = 0; i < 20; i++) await inspect.counts();
    return JSON.stringify((await inspect.counts()).rows[0]);
  });
  let last = "";
  for (const state of ["ready", "scheduled", "running", "failed", "completed"] as const) {
    await measure(`list ${state}, to the end`, async () => {
      let cursor: string | null = null;
      let seen = 0;
      for (let page = 0; page < pages; page++) {
        const from: object = cursor === null ? {} : { cursor };
        const found = await inspect.list({ state, limit: 1_000, ...from });
        seen += found.operations.length;
        last = state === "ready" ? (found.operations.at(-1)?.id ?? last) : last;
        cursor = found.cursor;
        if (cursor === null) break;
      }
      return `${seen} seen`;
    });
  }
  await measure("search, nothing fits", async () => {
    const page = await inspect.search("state:failed step:nobody", { budget: "2s" });
    return page.partial ? "partial" : "whole";
  });
  const { operations: parked } = await inspect.search("queue:gated state:ready", { limit: 20 });
  await measure("explain", async () => {
    for (const { id } of parked) await inspect.explain(id);
    return (await inspect.explain(last)).state;
  });
  await measure("index, survey of lanes", async () => {
    for (let i = 0; i < 20; i++) await store.survey(segment, { of: "lanes", cursor: null, max: 1_000 });
    return "1000 at once";
  });
  const dots: LocalDot[] = [];
  await measure("index, survey of records", async () => {
    let cursor: string | null = null;
    for (let page = 0; page < pages; page++) {
      const answer: SurveyAnswer = await store.survey(segment, { of: "records", cursor, max: 250 });
      dots.push(...answer.dots);
      cursor = answer.cursor;
      if (cursor === null) break;
    }
    return `${dots.length} seen`;
  });
  await measure("index, found by id", async () => {
    for (let at = 0; at < dots.length; at += 50) {
      await store.find(segment, { dots: dots.slice(at, at + 50), wait: false });
    }
    return "50 at once";
  });
  await measure("index, end of a Queue", async () => {
    const { total } = await store.peek(segment, { of: { queue: "q" }, offset: 0, limit: 1 });
    for (let at = 1; at <= pages; at++) {
      await store.peek(segment, { of: { queue: "q" }, offset: Math.max(0, total - 250 * at), limit: 250 });
    }
    return "250 at once";
  });
  await measure("fsck, one searched on its list", async () => {
    const suspects = [rearmost];
    for (let i = 0; i < 20; i++) await store.check(segment, { ...check, cursor: null, suspects });
    return "behind all others";
  });
  for (const part of PARTS) {
    await measure(`fsck, ${part}`, () => checkPart(store, part, pages));
  }
  const act = async (
    action: "cancel" | "requeue" | "delete",
    filter: string,
    options: object = {},
    most = pages,
  ): Promise<unknown> => {
    const stop = new AbortController();
    const run = inspect[action](filter, { signal: stop.signal, ...options });
    let steps = 0;
    for await (const _ of run) if (++steps >= most) stop.abort();
    const { done, requested } = run.summary;
    return requested > 0 ? `${done} done, ${requested} asked` : `${done} done`;
  };
  await measure("cancel parked", () => act("cancel", "state:ready queue:gated", {}, 4 * pages));
  await measure("cancel in a line", () => act("cancel", "state:ready queue:lined", {}, 4 * pages));
  await measure("cancel ready", () => act("cancel", "state:ready queue:q", {}, 4 * pages));
  for (const part of ["withdrawn", "ready"]) {
    await measure(`fsck, ${part}, many cancelled`, () => checkPart(store, part, pages));
  }
  await measure("cancel scheduled", () => act("cancel", "state:scheduled"));
  await measure("cancel running", () => act("cancel", "state:running"));
  await measure("requeue", () => act("requeue", "state:failed", {}, pages / 20));
  await measure("redrive elsewhere", () => act("requeue", "state:failed", { queue: "other" }, pages / 20));
  await measure("delete failed", () => act("delete", "state:failed"));
  await measure("delete completed", () => act("delete", "state:completed"));
}
