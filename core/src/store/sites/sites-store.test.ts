/** Several servers as one Store: each Segment has one home, and a site that is away holds up nobody else. */
import { afterEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../base/log.js";
import { seededRandom } from "../../base/random.js";
import { FakeSite } from "../../testing/fake-site.js";
import { ManualClock } from "../../testing/manual-clock.js";
import { SitesStore } from "./sites-store.js";

const opened: SitesStore[] = [];

async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  const endMs = clock.nowMs() + ms;
  await turns();
  for (let nextMs = clock.nextMs; nextMs !== null && nextMs <= endMs; nextMs = clock.nextMs) {
    clock.moveTo(nextMs);
    await turns();
  }
  clock.moveTo(endMs);
  await turns();
}

function make(names: readonly string[]) {
  const clock = new ManualClock();
  const sites = names.map((name) => new FakeSite(clock, seededRandom(1), name));
  const store = new SitesStore({
    app: "a",
    makes: sites.map((site) => async () => site.store),
    clock,
    logger: silentLogger,
  });
  opened.push(store);
  return { clock, sites, store };
}

/** Opens what `make` makes; time passes as long as it takes. */
async function open(names: readonly string[]) {
  const made = make(names);
  await made.store.open();
  return made;
}

/** Settles a promise while time passes. */
async function during<T>(clock: ManualClock, ms: number, promise: Promise<T>): Promise<T | Error> {
  const ended = promise.catch((error: unknown) => error as Error); // stores reject with errors only
  await pass(clock, ms);
  return await Promise.race([ended, Promise.resolve(new Error("not settled"))]);
}

afterEach(async () => {
  for (const store of opened.splice(0)) await store.close();
});

describe("routes", () => {
  it("gives a Node one home, the same whoever asks", async () => {
    const { clock, sites, store } = await open(["aaa", "bbb"]);
    const other = new SitesStore({
      app: "a",
      makes: [...sites].reverse().map((site) => async () => site.store),
      clock,
      logger: silentLogger,
    });
    opened.push(other);
    await other.open();
    for (let i = 0; i < 20; i++) {
      const asked = i % 2 === 0 ? [store, other] : [other, store];
      for (const one of asked) expect(await one.openHome(`node-${i}`)).toBe(`node-${i}`);
    }
    const lists = await Promise.all(sites.map((site) => site.inner.segments()));
    expect(lists.flat()).toHaveLength(20);
    for (const list of lists) expect(list.length).toBeGreaterThan(2);
  });

  it("sends a call to the home of its Segment, learned from the site's own list", async () => {
    const { sites, store } = await open(["aaa", "bbb"]);
    await sites[1]?.inner.openSegment("late");
    expect((await store.counts("late")).running).toBe(0);
    expect(await store.segments()).toEqual(["late"]);
  });

  it("knows that a Segment is nowhere only when every site was asked", async () => {
    const { clock, sites, store } = await open(["aaa", "bbb"]);
    await expect(store.counts("nowhere")).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    sites[0]?.turn("away");
    await pass(clock, 1_500);
    await expect(store.counts("nowhere")).rejects.toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
  });

  it("never calls a Segment unknown on the word of a search older than the question", async () => {
    const { clock, sites, store } = await open(["aaa", "bbb"]);
    await expect(store.counts("late")).rejects.toMatchObject({ code: "MR_NOT_FOUND" });
    await sites[1]?.inner.openSegment("late");
    expect(await during(clock, 100, store.counts("late"))).toMatchObject({ running: 0 });

    sites[1]?.turn("away");
    await pass(clock, 1_500);
    await sites[1]?.inner.openSegment("hidden");
    const early = await during(clock, 600, store.counts("hidden"));
    expect(early).toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
    sites[1]?.turn("up");
    await pass(clock, 1_000);
    expect(await during(clock, 600, store.counts("hidden"))).toMatchObject({ running: 0 });
  });

  it("searches once for all who ask at a time", async () => {
    const { clock, sites, store } = await open(["aaa", "bbb"]);
    const before = sites[0]?.calls ?? 0;
    const asked = Array.from({ length: 50 }, (_, i) => during(clock, 500, store.counts(`nowhere-${i}`)));
    for (const answer of await Promise.all(asked)) expect(answer).toMatchObject({ code: "MR_NOT_FOUND" });
    expect((sites[0]?.calls ?? 0) - before).toBeLessThan(4);
  });

  it("opens a Node's own Segment nowhere while a site is hidden on which it may be", async () => {
    const { clock, sites, store } = make(["aaa", "bbb"]);
    sites[0]?.turn("silent");
    const opening = store.open();
    await pass(clock, 3_000);
    await opening;
    expect(await during(clock, 1_000, store.openHome("web"))).toBeNull();
    expect(await store.openElsewhere("web")).toBe("web.bbb");
    expect(await sites[1]?.inner.segments()).toEqual(["web.bbb"]);
    sites[0]?.turn("up");
    await pass(clock, 100);
    expect(await store.openHome("web")).toBe("web");
    expect((await store.segments()).filter((name) => name.startsWith("web"))).toEqual(["web", "web.bbb"]);
  });

  it("refuses a list in which two URLs lead to one server", async () => {
    const { store } = make(["aaa", "aaa"]);
    await expect(store.open()).rejects.toMatchObject({ code: "MR_STORE_UNSAFE" });
  });
});

describe("a site that is away", () => {
  for (const how of ["away", "silent"] as const) {
    it(`refuses or delays calls for its own Segments alone (${how})`, async () => {
      const { clock, sites, store } = await open(["aaa", "bbb"]);
      await sites[0]?.inner.openSegment("of-a");
      await sites[1]?.inner.openSegment("of-b");
      expect(await store.segments()).toEqual(["of-a", "of-b"]);
      sites[0]?.turn(how);
      expect(await during(clock, 0, store.counts("of-b"))).toMatchObject({ running: 0 });
      expect(await during(clock, 0, store.counts("of-a"))).toBeInstanceOf(Error);
      await pass(clock, 3_000);
      expect(store.health("of-a").isAnswering).toBe(false);
      expect(store.health("of-b").isAnswering).toBe(true);
      expect(await during(clock, 0, store.segments())).toEqual(["of-b"]);
      sites[0]?.turn("up");
      await pass(clock, 1_100);
      expect(store.health("of-a").isAnswering).toBe(true);
      expect(await store.segments()).toEqual(["of-a", "of-b"]);
    });
  }

  it("does not hold up a start, and joins when it comes", async () => {
    const { clock, sites, store } = make(["aaa", "bbb"]);
    await sites[0]?.inner.openSegment("of-a");
    sites[0]?.turn("silent");
    const restored: (readonly string[] | null)[] = [];
    store.listen({
      bell: () => undefined,
      due: () => undefined,
      settled: () => undefined,
      progressed: () => undefined,
      marked: () => undefined,
      restored: (segments) => restored.push(segments),
    });
    const opening = store.open();
    expect(await during(clock, 1_900, opening)).toBeInstanceOf(Error);
    expect(await during(clock, 800, opening)).toBeUndefined();
    sites[0]?.turn("up");
    await pass(clock, 100);
    expect(restored).toEqual([["of-a"]]);
    expect((await store.counts("of-a")).running).toBe(0);
  });

  it("fails a start when none comes", async () => {
    const { clock, sites, store } = make(["aaa", "bbb"]);
    for (const site of sites) site.turn("silent");
    expect(await during(clock, 11_000, store.open())).toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
  });

  it("refuses a pause, which must hold everywhere", async () => {
    const { sites, store } = await open(["aaa", "bbb"]);
    await store.recordPause("q", true);
    sites[0]?.turn("away");
    await expect(store.recordPause("q", false)).rejects.toMatchObject({ code: "MR_STORE_UNAVAILABLE" });
  });

  it("is waited for by calls about its Segments, not by others", async () => {
    const { clock, sites, store } = make(["aaa", "bbb"]);
    sites[0]?.turn("silent");
    const opening = store.open();
    await pass(clock, 3_000);
    await opening;
    await sites[1]?.inner.openSegment("of-b");
    await store.segments();
    expect(await during(clock, 0, store.ready("of-b"))).toBeUndefined();
    expect(await during(clock, 0, store.ready())).toBeUndefined();
  });
});

describe("the index of Nodes", () => {
  const beat = (incarnation: string, isJoining = false) => ({
    incarnation,
    node: "web",
    about: new Uint8Array([1]),
    isJoining,
  });

  it("is one over all sites", async () => {
    const { store, sites } = await open(["aaa", "bbb"]);
    expect(await store.nodeBeat(beat("i1", true))).toEqual({ beat: 2, elders: [] });
    await store.nodeBeat(beat("i1"));
    const { elders } = await store.nodeBeat(beat("i2", true));
    expect(elders.map(({ incarnation }) => incarnation)).toEqual(["i1"]);
    expect((await store.nodes()).map((one) => [one.incarnation, one.beat])).toEqual([
      ["i1", 4],
      ["i2", 2],
    ]);
    expect(await sites[0]?.inner.nodes()).toHaveLength(2);
  });

  it("does not move because a site comes or goes", async () => {
    const { clock, store, sites } = await open(["aaa", "bbb"]);
    await store.nodeBeat(beat("i1", true));
    const before = await store.nodes();
    sites[0]?.turn("away");
    await pass(clock, 1_500);
    expect(await store.nodes()).toEqual(before);
    expect((await store.nodeBeat(beat("i1"))).beat).toBe(2);
    sites[0]?.turn("up");
    await pass(clock, 1_500);
    expect((await store.nodes())[0]?.beat).toBe(3);
  });

  it("lets one that was seen silent be forgotten, unless it has moved anywhere", async () => {
    const { store, sites } = await open(["aaa", "bbb"]);
    await store.nodeBeat(beat("i1", true));
    await store.nodes();
    await sites[0]?.inner.nodeBeat(beat("i1"));
    expect(await store.nodeLeave({ incarnation: "i1", beat: 2 })).toEqual({ answer: "stale" });
    const [entry] = await store.nodes();
    expect(await store.nodeLeave({ incarnation: "i1", beat: entry?.beat ?? 0 })).toEqual({ answer: "ok" });
    expect(await store.nodes()).toEqual([]);
  });

  it("lets one leave by itself", async () => {
    const { store } = await open(["aaa", "bbb"]);
    await store.nodeBeat(beat("i1", true));
    expect(await store.nodeLeave({ incarnation: "i1", beat: null })).toEqual({ answer: "ok" });
    expect(await store.nodes()).toEqual([]);
  });
});
