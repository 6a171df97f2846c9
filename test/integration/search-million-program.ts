/**
 * Searching among 1,000,000 Operations by the index of a process. Outside the suite;
 * `node test/dist/integration/search-million-program.js [count] [memory:|embedded|redis]…` prints a table for each store.
 *
 * Operations are in every state: a fifth each ready by the fast path, scheduled, failed, completed, and half of a fifth
 * each ready by the full path and running. Each has a tag of its own, and one it shares with a tenth of a percent.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { App } from "@millrace/core";
import {
  EmbeddedStore,
  encode,
  encodeEnvelope,
  encodeOutcome,
  MemoryStore,
  RedisStore,
  SETTLE_IN,
  type Store,
} from "@millrace/core/internal";
import { startRedis } from "@millrace/scripts/redis-server";
import { quantile } from "../helper/call-costs.js";
import { poll } from "../helper/wait.js";

const count = Number(process.argv[2] ?? 1_000_000);
const kinds = process.argv.length > 3 ? process.argv.slice(3) : ["memory:", "embedded", "redis"];
const app = "million";
const segment = "web-1";
const batch = 1_000;
const retainMs = 7 * 86_400_000;
const rounds = 20;
/** Of a search that goes through all its pages: without an index that is many seconds. */
const longRounds = 2;

const bodyOf = (n: number): Uint8Array => {
  const tags = { order: String(n), customer: String(n % 1_000) };
  const key = n % 10 === 0 ? { key: `order-${n}` } : {};
  return encodeEnvelope(`step-${n % 20}`, Date.now(), encode({ tags, ...key }, "options"), {
    note: "a hundred bytes".repeat(6),
  });
};

/** Fills a Segment; answers how many there are. */
async function fill(store: Store): Promise<number> {
  await store.openSegment(segment);
  const { lane: fast } = await store.laneOpen(segment, { laneName: "abc.01", queue: "q" });
  const { lane: full } = await store.laneOpen(segment, { laneName: "abc.00", queue: null });
  let n = 0;
  let first = 1;
  let counter = 1;
  let request = 1;
  const enqueue = async (): Promise<void> => {
    const bodies = Array.from({ length: batch }, () => bodyOf(n++));
    await store.enqueue(segment, { lane: fast, laneName: "abc.01", first, bodies });
    first += batch;
  };
  const enqueueFull = async (due: { in: number } | null): Promise<void> => {
    const elements = Array.from({ length: batch }, () => ({
      counter: counter++,
      queue: "full",
      priority: 0,
      due,
      body: bodyOf(n++),
      ties: null,
    }));
    await store.enqueueFull(segment, { lane: full, laneName: "abc.00", elements });
  };
  const claim = async (owner: string) =>
    (await store.claim(segment, { owner, request: request++, queues: ["q"], max: batch })).claims;
  for (let at = 0; at < count; at += 10 * batch) {
    for (let i = 0; i < 2; i++) {
      await enqueue();
      const held = await claim("p0");
      const values = held.map((_, k) =>
        encodeOutcome(`step-${(n - batch + k) % 20}`, Date.now(), Date.now(), 1, "result"),
      );
      await store.complete(segment, { owner: "p0", retainMs, held, values });
    }
    for (let i = 0; i < 2; i++) {
      await enqueue();
      const held = await claim("p0");
      const error = encodeOutcome("step", Date.now(), Date.now(), { name: "Error", message: "declined" }, "error");
      const elements = held.map((one) => ({ ...one, retryInMs: null, value: error }));
      await store.fail(segment, { owner: "p0", retainMs, elements });
    }
    await enqueue();
    await claim("p1");
    for (let i = 0; i < 2; i++) await enqueueFull({ in: retainMs });
    await enqueueFull(null);
  }
  for (let at = 0; at < count; at += 5 * batch) await enqueue();
  return n;
}

/** Runs one kind of store to the end. */
async function measure(kind: string): Promise<void> {
  await using server = kind === "redis" ? await startRedis() : null;
  const folder = kind === "embedded" ? await mkdtemp(join(tmpdir(), "millrace-million-")) : null;
  const store: Store =
    server !== null
      ? new RedisStore({ url: server.url, app })
      : folder !== null
        ? new EmbeddedStore({ path: folder, app })
        : new MemoryStore({ app });
  await store.open();
  const there = await fill(store);
  globalThis.gc?.();
  const before = process.memoryUsage();
  const searching = new App({ id: app, nodeId: "searcher", store: "memory:", searchIndex: true });
  searching[SETTLE_IN]({ makeStore: async () => store });
  const beganMs = performance.now();
  const index = await poll(
    async () => {
      const { index: view } = await searching.inspect.search("tag.no:one", { budget: 1 });
      return view?.isReady === true && view.behind === 0 ? view : null;
    },
    "the index",
    1_200_000,
  );
  const tookMs = performance.now() - beganMs;
  globalThis.gc?.();
  const after = process.memoryUsage();
  console.log(`\n${kind}: ${there} Operations, ${index.indexed} in the index after ${(tookMs / 1000).toFixed(0)} s`);
  console.log(
    `columns ${(index.bytes / index.indexed).toFixed(0)} B each; process + ${((after.rss - before.rss) / 1e6).toFixed(0)} MB`,
  );
  console.log(
    `${"".padEnd(48)} ${["found", "median", "worst", "worst call"].map((head) => head.padStart(10)).join(" ")}`,
  );
  const filters: readonly [string, string][] = [
    ["its own tag", "tag.order:%"],
    ["Step, tag and state", "step:step-11 tag.customer:511 state:failed"],
    ["tag and another state", "tag.customer:7% state:scheduled"],
    ["its own key", "key:order-%"],
    ["nothing fits: a key", "key:none"],
    ["nothing fits: a word", "declined-by-nobody"],
    ["a word that all have, first 100", "abc"],
    ["an error, first 100", "err:~declined"],
    ["nothing fits: an error, all pages", "state:failed err:~nobody"],
    ["nothing fits: a tag", "tag.order:none"],
    ["nothing fits: a Step", "step:none"],
    ["nothing fits: Step, tag and state", "step:step-1 tag.customer:511"],
    ["nothing fits: a time", "created:<2020-01-01"],
    ["a Step, first 100", "step:step-3"],
  ];
  for (const [what, filter] of filters) {
    const times: number[] = [];
    const calls: number[] = [];
    let result = "";
    for (let round = 0; round < (what.endsWith("all pages") ? longRounds : rounds); round++) {
      const asked = filter.replace("%", String(what.startsWith("its") ? there - 10 - round * 4_710 : round % 10));
      const startMs = performance.now();
      let page = await searching.inspect.search(asked);
      calls.push(performance.now() - startMs);
      while (what.endsWith("all pages") && page.cursor !== null) {
        const callMs = performance.now();
        page = await searching.inspect.search(asked, { cursor: page.cursor });
        calls.push(performance.now() - callMs);
      }
      times.push(performance.now() - startMs);
      result = `${page.operations.length}${page.partial ? "+" : ""}${page.isIndexed ? "" : " walked"}`;
    }
    const figures = [quantile(times, 0.5), quantile(times, 1), quantile(calls, 1)].map((ms) =>
      ms.toFixed(1).padStart(10),
    );
    console.log(`${what.padEnd(48)} ${result.padStart(10)} ${figures.join(" ")} ms`);
  }
  await searching.close();
  await store.close();
  if (folder !== null) await rm(folder, { recursive: true, force: true });
}

for (const kind of kinds) await measure(kind);
