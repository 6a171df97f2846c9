/**
 * A producer whose servers come and go: every submission is in one place, once, or was refused; new work flows while
 * any server answers, and comes home in the end.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { silentLogger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { SitesStore } from "../store/sites/sites-store.js";
import { FakeSite, type FakeSiteState } from "../testing/fake-site.js";
import { ManualClock } from "../testing/manual-clock.js";
import { createCounters } from "./counters.js";
import { HomingProducer } from "./homing-producer.js";

async function turns(count = 12): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** Servers, a producer over them, and what became of each submission. */
class Stage {
  readonly clock = new ManualClock();
  readonly sites: readonly FakeSite[];
  readonly store: SitesStore;
  readonly counters = createCounters();
  /** Text → the Segment it was accepted in, or the code it was refused with. */
  readonly answers = new Map<string, string>();
  /** Segments the producer said it has opened. */
  readonly opened: string[] = [];
  #producer: HomingProducer | null = null;
  #next = 0;

  constructor(count: number, seed = 1) {
    const random = seededRandom(seed);
    const names = ["aaa", "bbb", "ccc"].slice(0, count);
    this.sites = names.map((name) => new FakeSite(this.clock, random, name));
    const makes = this.sites.map((site) => async () => site.store);
    this.store = new SitesStore({ app: "a", makes, clock: this.clock, logger: silentLogger });
  }

  get producer(): HomingProducer {
    if (this.#producer === null) throw new Error("the stage was not opened");
    return this.#producer;
  }

  async open(): Promise<this> {
    const opening = this.store.open();
    await this.pass(3_000);
    await opening;
    const options = { store: this.store, clock: this.clock, random: seededRandom(7), counters: this.counters };
    const made = HomingProducer.open({
      ...options,
      placement: this.store,
      node: "web",
      incarnation: "abc",
      timeoutMs: 60_000,
      log: silentLogger,
      opened: (segment) => this.opened.push(segment),
    });
    await this.pass(1_000);
    this.#producer = await made;
    return this;
  }

  /** The site that holds the Node's own Segment. */
  async home(): Promise<FakeSite> {
    for (const site of this.sites) if ((await site.inner.segments()).includes("web")) return site;
    throw new Error("no site holds the Node's own Segment");
  }

  async pass(ms: number): Promise<void> {
    const endMs = this.clock.nowMs() + ms;
    await turns();
    for (let nextMs = this.clock.nextMs; nextMs !== null && nextMs <= endMs; nextMs = this.clock.nextMs) {
      this.clock.moveTo(nextMs);
      await turns();
    }
    this.clock.moveTo(endMs);
    await turns();
  }

  push(count: number, isFull = false): string[] {
    const texts = Array.from({ length: count }, () => String(this.#next++));
    for (const text of texts) {
      const submission = {
        body: Buffer.from(text),
        accepted: (_lane: string, _counter: number, segment: string) => this.#answer(text, segment),
        refused: (error: Error) => this.#answer(text, (error as Error & { code: string }).code),
      };
      if (isFull) this.producer.pushFull({ ...submission, queue: "q", priority: 5, due: null, ties: null });
      else this.producer.push("q", submission);
    }
    return texts;
  }

  #answer(text: string, answer: string): void {
    if (this.answers.has(text)) throw new Error(`${text} was answered twice`);
    this.answers.set(text, answer);
  }

  /** Text → every Segment that holds it, past all faults. */
  async held(): Promise<Map<string, string[]>> {
    const held = new Map<string, string[]>();
    for (const site of this.sites) {
      for (const segment of await site.inner.segments()) {
        const page = await site.inner.peek(segment, { of: { queue: "q" }, offset: 0, limit: 1_000 });
        for (const { body } of page.records) {
          const text = Buffer.from(body ?? []).toString();
          held.set(text, [...(held.get(text) ?? []), segment]);
        }
      }
    }
    return held;
  }

  async close(): Promise<void> {
    this.#producer?.end(new Error("over"));
    await this.store.close();
  }
}

describe("a producer over several servers", () => {
  it("writes its Node's own Segment while the home of that answers", async () => {
    const stage = await new Stage(2).open();
    const [text = ""] = stage.push(1);
    await stage.pass(10);
    expect(stage.answers.get(text)).toBe("web");
    expect(stage.counters.get("failovers")).toBe(0);
    await stage.close();
  });

  for (const how of ["away", "silent"] as const) {
    it(`goes on writing elsewhere when its home is ${how}, and comes home when that has answered for a while`, async () => {
      const stage = await new Stage(2).open();
      stage.push(1);
      await stage.pass(10);
      const home = await stage.home();
      home.turn(how);
      stage.push(3);
      await stage.pass(4_000);
      const later = [...stage.push(3), ...stage.push(2, true)];
      await stage.pass(500);
      expect(later.map((text) => stage.answers.get(text)?.startsWith("web."))).toEqual(later.map(() => true));
      expect(stage.counters.get("failovers")).toBe(1);
      expect(stage.opened).toEqual(["web", stage.answers.get(later[0] ?? "")]);
      home.turn("up");
      await stage.pass(3_000);
      const [soon = ""] = stage.push(1);
      await stage.pass(500);
      expect(stage.answers.get(soon)).toMatch(/^web\./);
      await stage.pass(6_000);
      const [last = ""] = stage.push(1);
      await stage.pass(500);
      expect(stage.answers.get(last)).toBe("web");
      await stage.close();
    });
  }

  it("takes what was certainly not sent along, and leaves what may have been with its home", async () => {
    const stage = await new Stage(2).open();
    const [first = ""] = stage.push(1);
    await stage.pass(10);
    expect(stage.answers.get(first)).toBe("web");
    const home = await stage.home();
    home.turn("silent");
    const sent = stage.push(1);
    await stage.pass(10);
    const sentToo = stage.push(1);
    await stage.pass(10);
    // Two calls are on their way; these wait behind them in this process.
    const waiting = stage.push(5);
    await stage.pass(4_000);
    expect(waiting.map((text) => stage.answers.get(text)?.startsWith("web."))).toEqual(waiting.map(() => true));
    expect([...sent, ...sentToo].map((text) => stage.answers.get(text))).toEqual([undefined, undefined]);
    await stage.pass(10_000);
    home.turn("up");
    await stage.pass(5_000);
    expect([...sent, ...sentToo].map((text) => stage.answers.get(text))).toEqual(["web", "web"]);
    await stage.close();
  });

  it("gives up on what may have been sent when its time is over, as unknown", async () => {
    const stage = await new Stage(2).open();
    stage.push(1);
    await stage.pass(10);
    (await stage.home()).turn("silent");
    const [text = ""] = stage.push(1);
    await stage.pass(80_000);
    expect(stage.answers.get(text)).toBe("MR_INDETERMINATE");
    await stage.close();
  });

  it("stays where it is while no other server answers, and loses nothing by it", async () => {
    const stage = await new Stage(2).open();
    stage.push(1);
    await stage.pass(10);
    for (const site of stage.sites) site.turn("away");
    const texts = stage.push(4);
    await stage.pass(20_000);
    for (const site of stage.sites) site.turn("up");
    await stage.pass(20_000);
    for (const text of texts) expect(stage.answers.get(text)).toMatch(/^web/);
    await stage.close();
  });

  it("starts elsewhere when its home cannot be known, and goes home when it can", async () => {
    const before = await new Stage(2).open();
    const home = await before.home();
    await before.close();
    const stage = new Stage(2);
    // The same names, so the same home: it holds nothing yet, and is hidden at the start.
    const hidden = stage.sites[before.sites.indexOf(home)];
    hidden?.turn("silent");
    await stage.open();
    const [text = ""] = stage.push(1);
    await stage.pass(500);
    expect(stage.answers.get(text)).toMatch(/^web\./);
    hidden?.turn("up");
    await stage.pass(20_000);
    const [last = ""] = stage.push(1);
    await stage.pass(500);
    expect(stage.answers.get(last)).toBe("web");
    await stage.close();
  });

  it("puts every submission in one place, once, whatever servers come and go", async () => {
    const change = fc.record({
      site: fc.integer({ min: 0, max: 2 }),
      state: fc.constantFrom<FakeSiteState>("up", "up", "away", "silent"),
      fast: fc.integer({ min: 0, max: 8 }),
      full: fc.integer({ min: 0, max: 3 }),
      ms: fc.constantFrom(0, 5, 300, 1_200, 2_600, 7_000, 12_000),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 2, max: 3 }),
        fc.integer(),
        fc.array(change, { maxLength: 25 }),
        async (count, seed, changes) => {
          const stage = await new Stage(count, seed).open();
          try {
            for (const { site, state, fast, full, ms } of changes) {
              stage.sites[site]?.turn(state);
              stage.push(fast);
              stage.push(full, true);
              await stage.pass(ms);
            }
            for (const site of stage.sites) site.turn("up");
            for (let i = 0; i < 40 && stage.producer.backlog > 0; i++) await stage.pass(5_000);
            expect(stage.producer.backlog).toBe(0);
            const held = await stage.held();
            for (const [text, answer] of stage.answers) {
              const places = held.get(text) ?? [];
              if (answer === "MR_INDETERMINATE") expect(places.length).toBeLessThanOrEqual(1);
              else if (answer.startsWith("MR_")) expect(places).toEqual([]);
              else expect(places).toEqual([answer]);
            }
            for (const text of held.keys()) expect(stage.answers.has(text)).toBe(true);
          } finally {
            await stage.close();
          }
        },
      ),
      { numRuns: 60 },
    );
  }, 60_000);
});
