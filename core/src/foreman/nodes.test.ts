/** The index of Nodes as one process keeps and reads it: who lives, who bears a name, whose Segments are orphans. */
import { describe, expect, it } from "vitest";
import { App, SETTLE_IN } from "../app.js";
import { createError } from "../base/errors.js";
import type { LogFields, Logger } from "../base/log.js";
import { seededRandom } from "../base/random.js";
import { createCounters } from "../queue/counters.js";
import { Segments } from "../queue/segments.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import { ManualClock } from "../testing/manual-clock.js";
import { Nodes } from "./nodes.js";

const leaseMs = 10_000;
const beatMs = 3_000;

async function turns(count = 10): Promise<void> {
  for (let turn = 0; turn < count; turn++) await new Promise<void>((resolve) => setImmediate(resolve));
}

/** A process of a Node; beats while it lives. */
interface Life {
  readonly nodes: Nodes;
  readonly counters: ReturnType<typeof createCounters>;
  readonly segments: Segments;
  readonly warnings: string[];
  isDead: boolean;
}

class Stage {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore({ app: "a", clock: this.clock });
  readonly #lives: Life[] = [];
  #made = 0;

  make(node: string, machine: string, options: { isTakeover?: boolean; owner?: string } = {}): Life {
    const counters = createCounters();
    const segments = new Segments(this.store, this.clock);
    const warnings: string[] = [];
    const life: Life = {
      nodes: new Nodes({
        store: this.store,
        clock: this.clock,
        random: seededRandom(1),
        counters,
        segments,
        log: loggerInto(warnings),
        owner: options.owner ?? `i${++this.#made}`,
        node,
        machine: { host: machine, id: machine, pid: 7 },
        about: { queues: ["q"], steps: ["s"], tied: [], slots: 4 },
        leaseMs,
        isTakeover: options.isTakeover ?? false,
      }),
      counters,
      segments,
      warnings,
      isDead: false,
    };
    return life;
  }

  /** Makes a process, has it join, and lets it beat from then on. */
  async join(...args: Parameters<Stage["make"]>): Promise<Life> {
    const life = this.make(...args);
    await this.during(life.nodes.join());
    this.#lives.push(life);
    return life;
  }

  /** Lets time pass, with every living process at its duty. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      const before = this.clock.monotonicMs();
      this.clock.moveTo(this.clock.nowMs() + Math.min(500, left));
      await turns();
      const isBeat = Math.floor(before / beatMs) !== Math.floor(this.clock.monotonicMs() / beatMs);
      if (isBeat) for (const life of this.#lives) if (!life.isDead) await life.nodes.run();
    }
  }

  /** Settles a promise while time passes. */
  async during<T>(promise: Promise<T>): Promise<T> {
    let isOver = false;
    const ended = promise.finally(() => {
      isOver = true;
    });
    ended.catch(() => undefined);
    await turns();
    for (let i = 0; i < 100 && !isOver; i++) await this.pass(500);
    return await ended;
  }
}

function loggerInto(warnings: string[]): Logger {
  const tell = (_fields: LogFields, message: string) => void warnings.push(message);
  const logger: Logger = { debug: () => {}, info: () => {}, warn: tell, error: tell, child: () => logger };
  return logger;
}

describe("G9: the index of Nodes", () => {
  it("lists every process with what it says of itself, living while its beat moves", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    const two = await stage.join("web-2", "m2");
    await stage.pass(7_000);
    const { nodes } = one;
    expect(nodes.list().map(({ node, isLive, about }) => [node, isLive, about?.host, about?.queues])).toEqual([
      ["web-1", true, "m1", ["q"]],
      ["web-2", true, "m2", ["q"]],
    ]);
    expect(one.counters.get("nodesLive")).toBe(2);
    two.isDead = true;
    await stage.pass(leaseMs + 2 * beatMs);
    expect(nodes.list().map(({ node, isLive }) => [node, isLive])).toEqual([
      ["web-1", true],
      ["web-2", false],
    ]);
    expect(one.counters.get("nodesLive")).toBe(1);
  });

  it("forgets a process that has been silent for long, and no other", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    const two = await stage.join("web-2", "m2");
    two.isDead = true;
    await stage.pass(610_000);
    expect((await stage.store.nodes()).map(({ node }) => node)).toEqual(["web-1"]);
    expect(one.nodes.list()).toHaveLength(1);
  });

  it("holds nobody for dead by what it could not see", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    await stage.join("web-2", "m2");
    await stage.pass(6_000);
    const { nodeBeat } = stage.store;
    stage.store.nodeBeat = () =>
      Promise.reject(createError("MR_STORE_UNAVAILABLE", { store: "memory:", reason: "it was told to" }));
    await stage.pass(60_000);
    stage.store.nodeBeat = nodeBeat.bind(stage.store);
    await stage.pass(beatMs);
    expect(one.nodes.list().every(({ isLive }) => isLive)).toBe(true);
  });

  it("is left by a process that leaves", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    await one.nodes.leave();
    expect(await stage.store.nodes()).toEqual([]);
  });
});

describe("B25: a Node's name", () => {
  it("is shared by the processes of one machine", async () => {
    const stage = new Stage();
    await stage.join("web-1", "m1");
    await stage.join("web-1", "m1");
    expect(await stage.store.nodes()).toHaveLength(2);
  });

  it("is refused to another machine while the first lives, within a Lease, and nothing is left of the second", async () => {
    const stage = new Stage();
    await stage.join("web-1", "m1");
    const startMs = stage.clock.monotonicMs();
    const second = stage.make("web-1", "m2");
    await expect(stage.during(second.nodes.join())).rejects.toMatchObject({ code: "MR_NODE_TAKEN" });
    expect(stage.clock.monotonicMs() - startMs).toBeLessThanOrEqual(leaseMs);
    expect((await stage.store.nodes()).map(({ incarnation }) => incarnation)).toEqual(["i1"]);
  });

  it("is free again when the first machine has left", async () => {
    const stage = new Stage();
    const first = await stage.join("web-1", "m1");
    await first.nodes.leave();
    first.isDead = true;
    const startMs = stage.clock.monotonicMs();
    await stage.join("web-1", "m2");
    expect(stage.clock.monotonicMs()).toBe(startMs);
  });

  it("is free a Lease after the first machine died, which is forgotten then", async () => {
    const stage = new Stage();
    const first = await stage.join("web-1", "m1");
    first.isDead = true;
    const startMs = stage.clock.monotonicMs();
    await stage.join("web-1", "m2");
    expect(stage.clock.monotonicMs() - startMs).toBeGreaterThanOrEqual(leaseMs);
    expect((await stage.store.nodes()).map(({ incarnation }) => incarnation)).toEqual(["i2"]);
  });

  it("is given at once to a machine that takes over, and the first one is told", async () => {
    const stage = new Stage();
    const first = await stage.join("web-1", "m1");
    const startMs = stage.clock.monotonicMs();
    const second = await stage.join("web-1", "m2", { isTakeover: true });
    expect(stage.clock.monotonicMs()).toBe(startMs);
    await stage.pass(beatMs);
    expect(first.warnings).toContain("another machine bears this Node's name: rename one of them");
    expect(second.warnings[0]).toContain("taken over");
  });

  it("goes to one of two machines that come at once", async () => {
    const stage = new Stage();
    const both = [stage.make("web-1", "m1", { owner: "a" }), stage.make("web-1", "m2", { owner: "b" })];
    const ends = Promise.allSettled(
      both.map(async (life) => {
        await life.nodes.join();
        // From here on it beats as its duty would.
        for (let i = 0; i < 10; i++) {
          await new Promise<void>((resolve) => {
            stage.clock.setTimer(beatMs, resolve);
          });
          await life.nodes.run();
        }
      }),
    );
    const answers = await stage.during(ends);
    expect(answers.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
  });
});

describe("an App", () => {
  /** An App on a machine of its own, over a store that all share. */
  function makeApp(stage: Stage, machine: string, isTakeover = false): App {
    const app = new App({ store: "memory:", nodeId: "web-1", takeover: isTakeover });
    // Whoever closes first must not close it for the others.
    const store = new Proxy(stage.store, {
      get: (inner, key) => {
        if (key === "close") return () => Promise.resolve();
        const part: unknown = Reflect.get(inner, key);
        return typeof part === "function" ? part.bind(inner) : part;
      },
    });
    app[SETTLE_IN]({
      clock: stage.clock,
      machine: { host: machine, id: machine, pid: 7 },
      makeStore: async () => store,
    });
    app.step("s", async () => null);
    return app;
  }

  it("B25: does not start beside another machine of its name, starts if told to take over, and leaves when it stops", async () => {
    const stage = new Stage();
    const first = makeApp(stage, "m1");
    await first.start();
    const second = makeApp(stage, "m2");
    await expect(stage.during(second.start())).rejects.toMatchObject({ code: "MR_NODE_TAKEN" });
    expect(second.state).toBe("ready");
    const third = makeApp(stage, "m2", true);
    await stage.during(third.start());
    expect((await stage.store.nodes()).map(({ node }) => node)).toEqual(["web-1", "web-1"]);
    await stage.during(Promise.all([first.close(), second.close(), third.close()]));
    expect(await stage.store.nodes()).toEqual([]);
  });
});

describe("Segments", () => {
  /** What a survey would have found. */
  function surveyed(life: Life, segment: string, ready: number): void {
    Object.assign(life.segments.view(segment), { ready, work: ready });
  }

  it("of a Node that died are orphans: warned of while they hold work, counted once when work is taken from them", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    const two = await stage.join("web-2", "m2");
    for (const segment of ["web-1", "web-2", "web-2.k3fq9a"]) surveyed(one, segment, 5);
    await stage.pass(2 * beatMs);
    expect(one.counters.get("segmentsOrphaned")).toBe(0);
    two.isDead = true;
    await stage.pass(leaseMs + 3 * beatMs);
    expect(one.counters.get("segmentsOrphaned")).toBe(2);
    expect(one.warnings.filter((message) => message.includes("its Node is gone"))).toHaveLength(2);
    expect(one.counters.get("segmentsAdopted")).toBe(0);
    one.segments.view("web-2").claimed += 3;
    await stage.pass(3 * beatMs);
    one.segments.view("web-2").claimed += 2;
    surveyed(one, "web-2", 0);
    await stage.pass(3 * beatMs);
    expect(one.counters.get("segmentsAdopted")).toBe(1);
    expect(one.counters.get("segmentsOrphaned")).toBe(1);
  });

  it("of a Node that never executed anything are no orphans: it may be a producer that lives", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    surveyed(one, "api-1", 50);
    await stage.pass(leaseMs + 3 * beatMs);
    expect(one.counters.get("segmentsOrphaned")).toBe(0);
  });

  it("that are far deeper than the median are warned of, once in a while", async () => {
    const stage = new Stage();
    const one = await stage.join("web-1", "m1");
    for (const segment of ["web-1", "web-2", "web-3"]) surveyed(one, segment, 150);
    surveyed(one, "web-4", 1_400);
    await stage.pass(beatMs);
    expect(one.counters.get("segmentsSkewed")).toBe(0);
    surveyed(one, "web-4", 1_501);
    await stage.pass(60_000);
    expect(one.counters.get("segmentsSkewed")).toBe(1);
    expect(one.warnings).toEqual(["a Segment is far deeper than the others"]);
    surveyed(one, "web-4", 10);
    await stage.pass(beatMs);
    expect(one.counters.get("segmentsSkewed")).toBe(0);
  });
});
