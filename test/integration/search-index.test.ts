/** The search index on every store: an answer found by it is the one a plain walk gives, whatever happens meanwhile. */
import {
  App,
  type AppOptions,
  type EnqueueOptions,
  type OperationView,
  type SearchPage,
  TerminalError,
} from "@millrace/core";
import { encodeEnvelope, isFit, parseFilter, SearchIndex, silentLogger, systemClock } from "@millrace/core/internal";
import { forSeeds } from "@millrace/core/testing";
import { afterEach, describe, expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import { closeAll, everyPlace } from "../helper/places.js";
import { poll } from "../helper/wait.js";
import { Dice } from "../sim/dice.js";

const places = everyPlace("search-index");

/** All pages of a search; whether the index gave each of them. */
async function search(app: App, filter: string, limit = 1000) {
  const found: OperationView[] = [];
  let isIndexed = true;
  let cursor: string | null = null;
  do {
    const page: SearchPage = await app.inspect.search(filter, {
      limit,
      budget: "10s",
      ...(cursor === null ? {} : { cursor }),
    });
    found.push(...page.operations);
    isIndexed &&= page.isIndexed;
    cursor = page.cursor;
  } while (cursor !== null);
  return { found, isIndexed };
}

/** All that fits, found by going through everything. */
async function walked(app: App, filter: string): Promise<OperationView[]> {
  const everything = await search(app, "");
  expect(everything.isIndexed).toBe(false);
  const parsed = parseFilter(filter, Date.now());
  return everything.found.filter((view) => isFit(parsed, view));
}

const byId = (views: readonly OperationView[]) => [...views].sort((a, b) => (a.id < b.id ? -1 : 1));

const ready = (app: App) =>
  poll(async () => {
    const { index } = await app.inspect.search("tag.no:one");
    return index?.isReady === true && index.behind === 0 ? index : null;
  }, "the index");

/** A filter an index helps with: a Step, a tag or a time, and more. */
function anyFilter(dice: Dice, momentMs: number): string {
  const helps = [
    `step:${dice.pick(["good", "bad", "good,bad", "retry", "none", "~a"])}`,
    `tag.customer:${dice.between(0, 5)}`,
    `tag.kind:${dice.pick(["a", "b,a", "z"])}`,
    `key:${dice.pick(["order-1", "order-2,order-3,order-4,order-5", "none"])}`,
    dice.pick(["o", "BAD", "web-1", "keyed-", "held", ".1", "nowhere"]),
    `created:${dice.pick([">", "<"])}${new Date(momentMs).toISOString()}`,
  ];
  const more = [
    `state:${dice.pick(["failed", "ready", "scheduled,running", "completed", "cancelled,failed"])}`,
    "-state:completed",
    `-tag.customer:${dice.between(0, 5)}`,
    "err:~declined",
    `queue:${dice.pick(["q", "held"])}`,
    `-step:${dice.pick(["good", "bad"])}`,
    `attempt:>${dice.between(0, 1)}`,
    "o",
  ];
  return [...dice.some(helps, 1, 3), ...dice.some(more, 0, 2)].join(" ");
}

describe.each(places)("X18: a search by the index on $name", ({ fresh }) => {
  const open: App[] = [];
  const hanging: (() => void)[] = [];
  const close = async () => {
    for (const end of hanging.splice(0)) end();
    await closeAll(open);
  };
  afterEach(close);

  /** Operations of all sorts, in every state; nothing moves any more when it resolves. */
  const make = async (options: AppOptions = {}) => {
    const app = new App({ nodeId: "web-1", searchIndex: true, ...(await fresh()), ...options });
    open.push(app);
    const good = app.step("good", { queue: "q" }, async (n: number) => n);
    const bad = app.step("bad", { queue: "q", retries: 0 }, async (n: number) => {
      throw new TerminalError(`card ${n} declined`);
    });
    const retry = app.step("retry", { queue: "q", retries: 3, retryDelay: "1h" }, async (n: number) => {
      throw new Error(`later ${n}`);
    });
    const hang = app.step("hang", { queue: "q" }, async () => {
      await new Promise<void>((end) => hanging.push(end));
    });
    const held = app.step("held", { queue: "held" }, async (n: number) => n);
    const steps = [good, bad, retry, held];
    let keys = 0;
    await app.queue("held").pause();
    const enqueueSome = async (dice: Dice, count: number) => {
      const of = Array.from({ length: count }, (_, n) => {
        const tags = dice.chance(80)
          ? { customer: String(dice.between(0, 5)), kind: dice.pick(["a", "b"]) }
          : undefined;
        const more = dice.pick<EnqueueOptions>([
          {},
          {},
          {},
          { delay: "1h" },
          { idempotencyKey: `order-${keys++}` },
          { priority: 3 },
          { priority: -3 },
          { queue: "held" },
        ]);
        return app.enqueue(dice.pick(steps), n, { ...more, ...(tags === undefined ? {} : { tags }) });
      });
      return await Promise.all(of);
    };
    const quiet = () =>
      poll(async () => {
        const { rows } = await app.inspect.counts({ queue: "q", budget: "10s" });
        const { rows: held } = await app.inspect.counts({ queue: "held", budget: "10s" });
        const busy = (rows[0]?.ready ?? 0) + (rows[0]?.running ?? 0) + (held[0]?.running ?? 0);
        return busy <= 2 ? true : null;
      }, "all that can end has ended");
    return { app, good, held, hang, enqueueSome, quiet };
  };

  it("answers as a plain walk does, for random filters, before and after it begins anew", async () => {
    await forSeeds(2, async (seed) => {
      const dice = new Dice(seed);
      const { app, hang, enqueueSome, quiet } = await make();
      await enqueueSome(dice, 150);
      const middleMs = Date.now();
      await app.start();
      await Promise.all([1, 2].map(() => app.enqueue(hang, undefined, { tags: { customer: "1" } })));
      const more = await enqueueSome(dice, 150);
      await quiet();
      await Promise.all(dice.some(more, 20, 20).map((handle) => handle.cancel().catch(() => undefined)));
      await quiet();
      for (const round of ["as it came", "begun anew"]) {
        if (round === "begun anew") expect(await app.inspect.reindex()).toBe(true);
        await ready(app);
        for (let n = 0; n < 20; n++) {
          const filter = anyFilter(dice, middleMs);
          const { found, isIndexed } = await search(app, filter, dice.pick([7, 1000]));
          const expected = await walked(app, filter);
          expect({ seed, round, filter, found: byId(found) }).toEqual({ seed, round, filter, found: byId(expected) });
          // Where few are in the states asked for, they are looked through instead.
          if (!filter.includes("state:")) expect({ filter, isIndexed }).toEqual({ filter, isIndexed: true });
        }
      }
      await close();
    });
  });

  it("has what was enqueued the moment before, and what went on while it was being read", async () => {
    const { app, good, held, quiet } = await make();
    await app.start();
    const { handles } = await app.enqueueMany(
      good,
      Array.from({ length: 2000 }, (_, n) => n),
    );
    expect(handles).toHaveLength(2000);
    const rebuilt = app.inspect.reindex(); // while they run
    await rebuilt;
    await ready(app);
    for (let n = 0; n < 10; n++) {
      const one = await app.enqueue(held, n, { tags: { order: `o${n}` } });
      const page = await app.inspect.search(`tag.order:o${n}`);
      expect(page).toMatchObject({ isIndexed: true, partial: false, cursor: null, index: { behind: 0 } });
      expect(page.operations.map(({ id, state, tags }) => ({ id, state, tags }))).toEqual([
        { id: one.id, state: "ready", tags: { order: `o${n}` } },
      ]);
    }
    await quiet();
    const { found, isIndexed } = await search(app, "step:good");
    expect(isIndexed).toBe(true);
    expect(new Set(found.map(({ id }) => id)).size).toBe(2000);
  });

  it("tells what is so now, and forgets what is gone", async () => {
    const { app, held } = await make();
    const one = await app.enqueue(held, 1, { tags: { order: "x" } });
    await ready(app);
    expect((await app.inspect.search("tag.order:x state:ready")).operations).toHaveLength(1);
    await one.cancel();
    expect((await app.inspect.search("tag.order:x state:ready")).operations).toEqual([]);
    expect((await app.inspect.search("tag.order:x -state:ready")).operations).toEqual([]); // its tags went with it
    await app.inspect.delete("state:cancelled").done();
    await poll(async () => ((await app.inspect.search("tag.no:one")).index?.indexed === 0 ? true : null), "forgetting");
  });

  it("knows the key of a call and that of a Step, with the index and without", async () => {
    const { app, held } = await make();
    const once = app.step("once", { queue: "held", dedupe: { key: "order" } }, async (of: { order: string }) => of);
    const long = "x".repeat(300);
    const ids = new Map<string, string>();
    for (const key of ["a b", "A-1", long]) ids.set(key, (await app.enqueue(held, 1, { idempotencyKey: key })).id);
    ids.set("o-7", (await app.enqueue(once, { order: "o-7" })).id);
    await app.enqueue(held, 2);
    await ready(app);
    for (const [filter, key] of [
      ['key:"a b"', "a b"],
      ["key:A-1", "A-1"],
      ["key:o-7 step:once", "o-7"],
    ] as const) {
      const page = await app.inspect.search(filter);
      expect(page).toMatchObject({ isIndexed: true, operations: [{ id: ids.get(key), key }] });
      expect(page.operations).toHaveLength(1);
      expect(byId(page.operations)).toEqual(byId(await walked(app, filter)));
    }
    expect((await search(app, "key:~O-")).found.map(({ key }) => key)).toEqual(["o-7"]);
    expect((await search(app, "key:a-1")).found).toEqual([]);
    const keys = (await search(app, "")).found.map(({ key }) => key);
    expect(keys.filter((key) => key === null)).toHaveLength(1);
    expect(keys.every((key) => (key?.length ?? 0) <= 200)).toBe(true);
  });

  it("is done without where none is kept; a cursor of an index that is gone is refused", async () => {
    const { app, held } = await make();
    await app.enqueueMany(held, [1, 2, 3], { tags: { order: "x" } });
    await ready(app);
    const page = await app.inspect.search("tag.order:x", { limit: 2 });
    expect(page).toMatchObject({ isIndexed: true, partial: false });
    await app.inspect.reindex();
    await expect(app.inspect.search("tag.order:x", { limit: 2, cursor: page.cursor ?? "" })).rejects.toMatchObject({
      code: "MR_INVALID_OPTION",
    });
    const { app: plain } = await make({ searchIndex: false });
    expect(await plain.inspect.reindex()).toBe(false);
    expect(await plain.inspect.search("tag.order:x")).toMatchObject({ isIndexed: false, index: null });
  });

  it("follows what waits before more than a round reads, while nothing of it is claimed", async () => {
    const { store: url, id = "behind" } = await fresh();
    const store = await openStore(String(url), id);
    try {
      const index = new SearchIndex((call) => call(store), systemClock, silentLogger);
      await store.openSegment("web-1");
      const { lane: fast } = await store.laneOpen("web-1", { laneName: "abc.01", queue: "q" });
      const { lane: full } = await store.laneOpen("web-1", { laneName: "abc.00", queue: null });
      for (let round = 0; !index.view().isReady; round++) {
        expect(round).toBeLessThan(10);
        await index.run();
      }
      const body = encodeEnvelope("first", Date.now(), null, 1);
      await store.enqueue("web-1", { lane: fast, laneName: "abc.01", first: 1, bodies: [body] });
      const other = encodeEnvelope("later", Date.now(), null, 1);
      for (let from = 1; from < 22_000; from += 1_000) {
        const elements = Array.from({ length: 1_000 }, (_, n) => ({
          counter: from + n,
          queue: "q",
          priority: 0,
          due: null,
          body: other,
          ties: null,
        }));
        await store.enqueueFull("web-1", { lane: full, laneName: "abc.00", elements });
      }
      for (let round = 0; round < 200 && (round === 0 || index.view().behind > 0); round++) await index.run();
      expect(index.view()).toMatchObject({ isReady: true, behind: 0, indexed: 22_001 });
      const isStep = (name: string) => name === "first";
      const { found } = index.table.scan(
        { isStep, words: [], tags: [], isMoment: null },
        0,
        10,
        Number.POSITIVE_INFINITY,
      );
      expect(found).toMatchObject([{ segment: "web-1", dot: { laneName: "abc.01", counter: 1 } }]);
    } finally {
      await store.close();
    }
  });
});
