/**
 * 24,000 Operations over ten Foremen: ten processes with a Node's name and a Segment each, one server, no shared files.
 *
 * Order is judged from the store's point of view. A claim takes from the front of a Segment's lists and its token is
 * greater than that of every claim before it there, so all claims of a Segment, by token and by place in the claim, are
 * the order in which work left it, whichever Foreman took it. All work is enqueued before anybody claims, so that order
 * must be: larger priorities first, and first in, first out among equals. An Operation that was given back unstarted
 * goes to the front again; its first claim counts.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openStore } from "../helper/open-store.js";
import { poll, within } from "../helper/wait.js";
import type { ClaimRow, ForemanProgramOptions, ForemanReport } from "./ten-foremen-program.js";

const foremen = 10;
const perForeman = 2_400;
const priorities = [0, 7, 0, -3];
const appId = "ten";

/** A Foreman's process, told by words and answering by lines. */
class ForemanProcess {
  readonly child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #errors: string[] = [];
  #onLine: (() => void)[] = [];

  constructor(options: ForemanProgramOptions) {
    const script = fileURLToPath(new URL("../dist/integration/ten-foremen-program.js", import.meta.url));
    this.child = spawn(process.execPath, [script, JSON.stringify(options)], { stdio: ["pipe", "pipe", "pipe"] });
    const { stdout, stderr } = this.child;
    if (stdout === null || stderr === null) throw new Error("a Foreman has no output");
    const wake = () => {
      for (const go of this.#onLine.splice(0)) go();
    };
    createInterface({ input: stderr }).on("line", (line) => this.#errors.push(line));
    createInterface({ input: stdout }).on("line", (line) => {
      this.#lines.push(line);
      wake();
    });
    this.child.once("exit", wake);
  }

  /** Says a word, if any, and answers the next line. */
  async ask(word: string | null, what: string): Promise<string> {
    if (word !== null) this.child.stdin?.write(`${word}\n`);
    const next = async (): Promise<string> => {
      for (;;) {
        const line = this.#lines.shift();
        if (line !== undefined) return line;
        if (this.child.exitCode !== null) throw new Error(`it ended:\n${this.#errors.join("\n")}`);
        await new Promise<void>((resolve) => this.#onLine.push(resolve));
      }
    };
    return await within(next(), what, 90_000);
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, "exit");
    this.child.stdin?.write("end\n");
    const timer = setTimeout(() => this.child.kill("SIGKILL"), 20_000);
    await ended;
    clearTimeout(timer);
  }
}

let redis: RedisServer;
const processes: ForemanProcess[] = [];
let reports: readonly ForemanReport[] = [];
let seconds = 0;

beforeAll(async () => {
  redis = await startRedis();
  for (let i = 0; i < foremen; i++) {
    processes.push(
      new ForemanProcess({ store: redis.url, app: appId, node: `node-${i}`, count: perForeman, priorities }),
    );
  }
  const all = (word: string | null, what: string) =>
    Promise.all(processes.map((foreman, i) => foreman.ask(word, `${what} of Foreman ${i}`)));
  await all(null, "the readiness");
  await all("enqueue", "the enqueues");
  // All begin at the same moment: whoever is up first would else have done much of the work.
  await processes[0]?.ask("pause", "the pause");
  await all("start", "the start");
  const startMs = performance.now();
  await processes[0]?.ask("resume", "the end of the pause");
  const store = await openStore(redis.url, appId);
  try {
    await poll(
      async () => {
        let completed = 0;
        for (const segment of await store.segments()) completed += (await store.counts(segment)).totals.completed;
        return completed >= foremen * perForeman ? true : null;
      },
      "the end of all work",
      120_000,
    );
  } finally {
    await store.close();
  }
  seconds = (performance.now() - startMs) / 1_000;
  const lines = await all("report", "the report");
  reports = lines.map((line) => JSON.parse(line) as ForemanReport); // written by ten-foremen-program.ts
}, 240_000);

afterAll(async () => {
  await Promise.all(processes.map((foreman) => foreman.end()));
  await redis.stop();
});

/** All claims of each Segment, in the order of the store: by token, then by place. */
function claimsBySegment(): Map<string, ClaimRow[]> {
  const bySegment = new Map<string, ClaimRow[]>();
  for (const row of reports.flatMap(({ claims }) => claims)) {
    const rows = bySegment.get(row[0]);
    if (rows === undefined) bySegment.set(row[0], [row]);
    else rows.push(row);
  }
  for (const rows of bySegment.values()) rows.sort((a, b) => a[1] - b[1] || a[2] - b[2]);
  return bySegment;
}

describe(`${foremen * perForeman} Operations over ${foremen} Foremen`, () => {
  it("are all finished, each started once", async () => {
    const ids = reports.flatMap(({ enqueued }) => enqueued);
    expect(new Set(ids).size).toBe(foremen * perForeman);
    const started = reports.flatMap(({ starts }) => starts.map(([id]) => id));
    expect(started).toHaveLength(foremen * perForeman);
    expect(new Set(started)).toEqual(new Set(ids));
    console.log(
      `${foremen * perForeman} Operations over ${foremen} Foremen: ${seconds.toFixed(1)} s from start to end`,
    );
  });

  it("B19: are run by all of them, from the Segments of all", () => {
    for (const { node, starts } of reports) expect(starts.length, node).toBeGreaterThan(0);
    // One whose own Segment keeps it busy to the end need not help; most find time to.
    const helpers = reports.filter(({ starts }) => new Set(starts.map((row) => row[4])).size > 1);
    expect(helpers.length).toBeGreaterThanOrEqual(foremen / 2);
    expect([...claimsBySegment().keys()].sort()).toEqual(reports.map(({ node }) => node).sort());
  });

  it("leave each Segment in order: larger priorities first, first in first out among equals", () => {
    for (const [segment, rows] of claimsBySegment()) {
      const seen = new Set<string>();
      const order: { priority: number; counter: number }[] = [];
      for (const [, , , laneName, counter, priority] of rows) {
        const key = `${laneName} ${counter}`;
        if (seen.has(key)) continue;
        seen.add(key);
        order.push({ priority, counter });
      }
      expect(order, segment).toHaveLength(perForeman);
      // Of one priority all were enqueued by one lane, whose counters are the order of enqueueing.
      const expected = [...order].sort((a, b) => b.priority - a.priority || a.counter - b.counter);
      expect(order, segment).toEqual(expected);
    }
  });

  it("are claimed with tokens that no two claims of a Segment share", () => {
    for (const [segment, rows] of claimsBySegment()) {
      const takers = new Map<number, Set<number>>();
      for (const { node, claims } of reports) {
        for (const [at, token] of claims) {
          if (at !== segment) continue;
          takers.set(token, (takers.get(token) ?? new Set()).add(Number(node.slice(5))));
        }
      }
      for (const [token, nodes] of takers) expect(nodes.size, `${segment} ${token}`).toBe(1);
      expect(rows.length).toBeGreaterThan(0);
    }
  });

  it("start in each Foreman in the order in which it claimed them", () => {
    for (const { node, starts } of reports) {
      const lastToken = new Map<string, number>();
      for (const [id, token] of starts) {
        const segment = id.slice(0, id.indexOf("."));
        expect(token, `${node} ${id}`).toBeGreaterThanOrEqual(lastToken.get(segment) ?? 0);
        lastToken.set(segment, token);
      }
    }
  });
});
