/**
 * Looking into 1,000,000 Operations: how long single store calls take, in this process and on Redis. Outside the suite;
 * `node test/dist/integration/inspect-million-program.js [count] [memory|redis]` prints a table.
 *
 * On Redis the server's own times stand beside ours: on average, and how many calls its slow log has above 5 ms (of
 * wall-clock time: run it on a machine that has nothing else to do).
 */
import { App } from "@millrace/core";
import { encodeEnvelope, MemoryStore, RedisStore, SETTLE_IN, type Store } from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { plainClient } from "../helper/redis.js";

const count = Number(process.argv[2] ?? 1_000_000);
const only = process.argv[3] ?? "both";
const app = "million";
const segment = "web-1";

/** A store that notes how long each call of a method took, from here. */
function timed(store: Store, times: Map<string, number[]>): Store {
  return new Proxy(store, {
    get(target, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== "function" || typeof name !== "string") return value;
      return (...args: unknown[]): unknown => {
        const begun = performance.now();
        const answer: unknown = value.apply(target, args);
        const list = times.get(name) ?? [];
        times.set(name, list);
        if (!(answer instanceof Promise)) return answer;
        if (target instanceof MemoryStore)
          list.push(performance.now() - begun); // applied on our turn
        else void answer.finally(() => list.push(performance.now() - begun)).catch(() => undefined);
        return answer;
      };
    },
  });
}

/** A fifth each: ready by the fast path, ready by the full path, scheduled, failed, completed. */
async function fill(store: Store): Promise<void> {
  await store.openSegment(segment);
  const fifth = Math.floor(count / 5);
  const body = encodeEnvelope("work", Date.now(), null, {
    customer: 4711,
    note: "a payload of about a hundred bytes, all told",
  });
  const { lane } = await store.laneOpen(segment, { laneName: "abc.01", queue: "q" });
  const { lane: full } = await store.laneOpen(segment, { laneName: "abc.00", queue: null });
  const batch = 1_000;
  const retainMs = 7 * 86_400_000;
  let first = 1;
  let request = 1;
  const enqueue = async (): Promise<void> => {
    await store.enqueue(segment, { lane, laneName: "abc.01", first, bodies: Array<Uint8Array>(batch).fill(body) });
    first += batch;
  };
  for (let done = 0; done < 2 * fifth; done += batch) {
    await enqueue();
    const { claims } = await store.claim(segment, { owner: "abc", request: request++, queues: ["q"], max: batch });
    if (done < fifth)
      await store.complete(segment, { owner: "abc", retainMs, held: claims, values: claims.map(() => body) });
    else {
      const elements = claims.map((claim) => ({ ...claim, retryInMs: null, value: body }));
      await store.fail(segment, { owner: "abc", retainMs, elements });
    }
  }
  for (let done = 0; done < fifth; done += batch) await enqueue();
  for (let done = 0; done < 2 * fifth; done += batch) {
    const elements = Array.from({ length: batch }, (_, i) => ({
      counter: done + i + 1,
      queue: "q",
      priority: 0,
      due: done < fifth ? null : { in: 3_600_000 + i },
      body,
    }));
    await store.enqueueFull(segment, { lane: full, laneName: "abc.00", elements });
  }
}

/** How much of the server's time a call took on average since this was asked last, in milliseconds. */
type ServerTime = () => Promise<string>;

async function look(name: string, store: Store, serverTime: ServerTime): Promise<void> {
  const times = new Map<string, number[]>();
  const watched = timed(store, times);
  const filled = performance.now();
  await fill(store);
  console.log(`${name}: filled with ${count} in ${((performance.now() - filled) / 1000).toFixed(1)} s`);
  const reached = new App({ id: app, nodeId: segment, store: "memory:" });
  reached[SETTLE_IN]({ makeStore: async () => watched });
  const rows: string[] = [];
  const measure = async (what: string, act: () => Promise<unknown>): Promise<void> => {
    times.clear();
    await serverTime();
    const begun = performance.now();
    const result = await act();
    const tookMs = performance.now() - begun;
    const onServer = await serverTime();
    const calls = [...times].filter(([method]) =>
      ["list", "counts", "check", "cancel", "requeue", "erase", "find"].includes(method),
    );
    const all = calls.flatMap(([, list]) => list);
    const slowest = Math.max(0, ...all);
    const sorted = [...all].sort((a, b) => a - b);
    const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
    rows.push(
      `${what.padEnd(46)} ${tookMs.toFixed(0).padStart(8)} ms  ${String(all.length).padStart(6)} calls  median ${median.toFixed(2)} ms  slowest ${slowest.toFixed(2)} ms  ${onServer}  ${String(result)}`,
    );
  };
  const { inspect } = reached;
  await measure("counts", async () => JSON.stringify((await inspect.counts()).rows[0]));
  for (const state of ["ready", "scheduled", "failed", "completed"] as const) {
    await measure(
      `list ${state}, first 1000`,
      async () => (await inspect.list({ state, limit: 1000 })).operations.length,
    );
    await measure(`list ${state}, to the end`, async () => {
      let cursor: string | null = null;
      let seen = 0;
      do {
        const page: Awaited<ReturnType<typeof inspect.list>> = await inspect.list({
          state,
          limit: 1000,
          ...(cursor === null ? {} : { cursor }),
        });
        seen += page.operations.length;
        cursor = page.cursor;
      } while (cursor !== null);
      return `${seen} seen`;
    });
  }
  await measure("search state:failed step:nobody (budget)", async () => {
    const page = await inspect.search("state:failed step:nobody");
    return `partial ${page.partial}`;
  });
  await measure("fsck", async () => {
    const report = await inspect.fsck().done();
    return `${report.looked} looked at, ${report.found} found`;
  });
  await measure("cancel 100,000 of 200,000 scheduled", async () => {
    let done = 0;
    const stop = new AbortController();
    const run = inspect.cancel("state:scheduled", { signal: stop.signal });
    for await (const step of run) {
      done = step.done;
      if (done >= 100_000) stop.abort();
    }
    return `${done} done`;
  });
  await measure("requeue 20,000 dead letters", async () => {
    const stop = new AbortController();
    const run = inspect.requeue("state:failed", { signal: stop.signal, force: true });
    for await (const step of run) if (step.done >= 20_000) stop.abort();
    return `${run.summary.done} done`;
  });
  await measure("delete 20,000 completed", async () => {
    const stop = new AbortController();
    const run = inspect.delete("state:completed", { signal: stop.signal });
    for await (const step of run) if (step.done >= 20_000) stop.abort();
    return `${run.summary.done} done`;
  });
  for (const row of rows) console.log(`  ${row}`);
  await reached.close();
}

if (only !== "redis") {
  const memory = new MemoryStore({ app });
  await memory.open();
  await look("memory", memory, async () => "");
}

const server = only === "memory" ? null : await startRedis();
try {
  if (server !== null) {
    const client = plainClient(server.socket);
    const redis = new RedisStore({ url: server.url, app });
    await redis.open();
    await look("Redis", redis, async () => {
      const stats = await client.info("commandstats");
      await client.config("RESETSTAT");
      await client.config("SET", "slowlog-log-slower-than", "5000", "slowlog-max-len", "10000");
      const slow = (await client.slowlog("GET", 10_000)) as [number, number, number, string[]][]; // its reply
      await client.slowlog("RESET");
      const late = slow.filter(([, , , words]) => words[0]?.toUpperCase() === "FCALL").length;
      const average = Number(/cmdstat_fcall:.*?usec_per_call=([\d.]+)/.exec(stats)?.[1] ?? 0) / 1000;
      return `on the server ${average.toFixed(2)} ms each, ${late} above 5 ms`;
    });
    client.disconnect();
  }
} finally {
  await server?.stop();
}
