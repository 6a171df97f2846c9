/**
 * `recovery`: Foreman processes are killed with SIGKILL under load; how long until what they held begins again
 * elsewhere, and whether anything is lost or done twice that need not be.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { App, type Handle, type Step } from "@millrace/core";
import { RedisStore } from "@millrace/core/internal";
import type { Bench, BenchOptions, Findings, Plan } from "../bench.js";
import { barChart } from "../tool/chart.js";
import { number } from "../tool/format.js";
import { atMost } from "../tool/gate.js";
import type { Progress } from "../tool/progress.js";
import { persistenceText, startBenchRedis } from "../tool/redis.js";
import { median } from "../tool/stats.js";
import type { Table } from "../tool/table.js";
import { ForemanProcess, hasMillrace } from "./foreman-process.js";
import { type Report, Reports } from "./reports.js";
import type { Work } from "./work-app.js";

/** Who takes over: other Nodes after a Lease, or the supervisor's next Foreman at once. */
interface Row {
  readonly label: string;
  readonly isSupervised: boolean;
  readonly withinMs: number;
}

// The Lease is no option here: it is what users have.
const leaseMs = 10_000;
const rows: readonly Row[] = [
  { label: "elsewhere, after the Lease", isSupervised: false, withinMs: leaseMs + 2_000 },
  { label: "same host, by the supervisor", isSupervised: true, withinMs: 1_000 },
];

const nodeNames = ["node-1", "node-2", "node-3"];
const perSecond = 200;
const workMs = 100;
/** Operations a Foreman must be running when it is killed. */
const runningMin = 3;
const restartTimeoutMs = 40_000;
const drainTimeoutMs = 60_000;
const settleMs = 1_000;
const pollMs = 5;

/** One kill. */
interface Kill {
  /** Operations that ran there. */
  readonly running: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

/** What one row found. */
interface Found {
  readonly row: Row;
  readonly kills: readonly Kill[];
  readonly operations: number;
  readonly lost: number;
  /** Operations that began again although no killed Foreman was running them. */
  readonly doubled: number;
  /** Completions the store counts beyond one an Operation. */
  readonly completedTwice: number;
  readonly failures: readonly string[];
}

/** The bench. */
export const recovery: Bench = {
  name: "recovery",
  sentence: "kill -9 of Foremen under load: time until their work begins again, loss, duplicates",
  stores: ["redis"],
  plan,
};

function plan(options: BenchOptions): Plan {
  const kills = (row: Row): number =>
    options.rounds ?? (row.isSupervised ? (options.quick ? 2 : 10) : options.quick ? 1 : 3);
  return {
    settings: {
      Foremen: `${nodeNames.length} Nodes, each a \`millrace foreman\` of its own with default options: Steps run in Worker threads`,
      Lease: `${leaseMs / 1000} s, the default; beats every 3 s, surveys every 2 s, the defaults`,
      load: `${perSecond} Operations a second of ${workMs} ms each, enqueued by a Node that runs nothing`,
      kills: Object.fromEntries(rows.map((row) => [row.label, kills(row)])),
      measured: "from SIGKILL to the first begin, by another process, of an Operation the killed one was running",
      duplicates:
        "an Operation that ran where a Foreman was killed begins again, and must; any other second begin is one",
      redis: persistenceText("none"),
    },
    steps: rows.reduce((sum, row) => sum + kills(row), 0),
    run: async (progress) => {
      if (!hasMillrace()) throw new Error("the millrace command is not built: run npm run build first");
      const found: Found[] = [];
      for (const row of rows) found.push(await measureRow(row, kills(row), progress));
      return findings(found);
    },
  };
}

async function measureRow(row: Row, kills: number, progress: Progress): Promise<Found> {
  await using server = await startBenchRedis();
  await using reports = await Reports.open();
  const foremen = new Map<string, ForemanProcess>();
  const start = async (node: string): Promise<void> => {
    const { isSupervised } = row;
    foremen.set(node, await ForemanProcess.start({ url: server.url, node, isSupervised, reportPort: reports.port }));
  };
  const load = new Load(server.url);
  const killed: Kill[] = [];
  /** When which process was killed, in `process.hrtime` nanoseconds. */
  const killedNs = new Map<number, number>();
  const failures: string[] = [];
  try {
    for (const node of nodeNames) await start(node);
    load.start();
    for (let at = 0; at < kills; at++) {
      progress.doing(`${row.label}, kill ${at + 1}`);
      await sleep(settleMs);
      const node = nodeNames[at % nodeNames.length] ?? "";
      killed.push(await killOne(node, reports, killedNs));
      if (!row.isSupervised) {
        await foremen.get(node)?.[Symbol.asyncDispose]();
        await start(node);
      }
      progress.step();
    }
  } catch (error) {
    failures.push(error instanceof Error ? error.message : String(error));
  }
  const lost = await load.stop();
  await Promise.all([...foremen.values()].map((one) => one[Symbol.asyncDispose]()));
  const completed = await countCompleted(server.url);
  return {
    row,
    kills: killed,
    operations: load.enqueued,
    lost,
    doubled: reports.begunForNothing(killedNs),
    completedTwice: Math.max(0, completed - load.enqueued),
    failures,
  };
}

/** Kills the Foreman of a Node while it runs something, and waits until all of that has begun again. */
async function killOne(node: string, reports: Reports, killedNs: Map<number, number>): Promise<Kill> {
  const isLoaded = (): boolean => reports.runningOn(node).length >= runningMin;
  await until(isLoaded, `${node} to run ${runningMin} Operations`, restartTimeoutMs);
  const pid = reports.runningOn(node)[0]?.pid ?? 0;
  process.kill(pid, "SIGKILL");
  const nowNs = Number(process.hrtime.bigint());
  killedNs.set(pid, nowNs);
  await sleep(50); // what it said before it died is on its way
  const held = reports.runningOn(node).filter((report) => report.pid === pid);
  reports.died(pid);
  const again = (n: number): Report | undefined => reports.begins.get(n)?.find((report) => report.pid !== pid);
  await until(
    () => held.every(({ n }) => again(n) !== undefined),
    `what ${node} held to begin again`,
    restartTimeoutMs,
  );
  const times = held.flatMap(({ n }) => {
    const report = again(n);
    return report === undefined ? [] : [(report.ns - nowNs) / 1e6];
  });
  return { running: held.length, firstMs: Math.min(...times), lastMs: Math.max(...times) };
}

/** Enqueues at an even rate and waits for every result. */
class Load {
  enqueued = 0;
  readonly #app: App;
  readonly #step: Step<Work, number>;
  readonly #results: Promise<number>[] = [];
  #timer: NodeJS.Timeout | null = null;
  #sinceMs = 0;

  constructor(url: string) {
    this.#app = new App({ id: "bench", store: url, nodeId: "producer" });
    this.#step = this.#app.step("work", { timeout: "1m", retries: 0 }, async ({ n }: Work) => n);
  }

  start(): void {
    this.#sinceMs = performance.now();
    this.#timer = setInterval(() => {
      const due = ((performance.now() - this.#sinceMs) / 1000) * perSecond;
      while (this.enqueued < due) this.#results.push(this.#run({ n: this.enqueued++, ms: workMs }));
    }, pollMs);
  }

  /** Enqueues no more; answers how many Operations gave no result in time, or another one. */
  async stop(): Promise<number> {
    if (this.#timer !== null) clearInterval(this.#timer);
    const results = await Promise.all(this.#results.map((one) => one.catch(() => -1)));
    await this.#app.close();
    return results.filter((value, n) => value !== n).length;
  }

  async #run(work: Work): Promise<number> {
    const handle: Handle<number> = await this.#step.enqueue(work);
    return await handle.result({ timeout: drainTimeoutMs });
  }
}

async function countCompleted(url: string): Promise<number> {
  const store = new RedisStore({ url, app: "bench" });
  await store.open();
  try {
    const counts = await Promise.all((await store.segments()).map((segment) => store.counts(segment)));
    return counts.reduce((sum, { totals }) => sum + totals.completed, 0);
  } finally {
    await store.close();
  }
}

async function until(holds: () => boolean, what: string, timeoutMs: number): Promise<void> {
  const giveUpMs = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > giveUpMs) throw new Error(`waited ${timeoutMs} ms for ${what}`);
    await sleep(pollMs);
  }
}

function findings(found: readonly Found[]): Findings {
  const seconds = (ms: number): string => number(ms / 1000);
  const table: Table = {
    title: "Seconds from SIGKILL to the begin, elsewhere, of what the killed Foreman was running",
    columns: [
      "",
      "kills",
      "first: median",
      "first: worst",
      "last: worst",
      "allowed",
      "held",
      "Operations",
      "lost",
      "doubled",
    ],
    rows: found.map(({ row, kills, operations, lost, doubled, completedTwice }) => [
      row.label,
      String(kills.length),
      seconds(median(kills.map((kill) => kill.firstMs))),
      seconds(worst(kills, (kill) => kill.firstMs)),
      seconds(worst(kills, (kill) => kill.lastMs)),
      seconds(row.withinMs),
      number(median(kills.map((kill) => kill.running))),
      number(operations),
      String(lost),
      String(doubled + completedTwice),
    ]),
    notes: [
      `The Lease is the default, ${leaseMs / 1000} s. First: of the first Operation to begin again; last: of the last one.`,
      "Doubled: second begins of what no killed Foreman was running, and completions accepted beyond one an Operation.",
    ],
  };
  return {
    metrics: Object.fromEntries(found.map(({ row, ...rest }) => [row.label, rest])),
    gates: found.map(({ row, kills }) =>
      atMost(
        `${row.label}: kill to first begin, worst (s)`,
        worst(kills, (kill) => kill.firstMs) / 1000,
        row.withinMs / 1000,
      ),
    ),
    tables: [table],
    charts: [
      {
        file: "recovery.svg",
        svg: barChart({
          title: "From SIGKILL to the first begin elsewhere (shorter is better)",
          subtitle: `default Lease of ${leaseMs / 1000} s, ${perSecond} Operations of ${workMs} ms a second over ${nodeNames.length} Foremen`,
          axis: "seconds",
          scale: "linear",
          series: ["median", "worst", "allowed"],
          groups: found.map(({ row, kills }) => ({
            label: row.label,
            values: [
              median(kills.map((kill) => kill.firstMs)) / 1000,
              worst(kills, (kill) => kill.firstMs) / 1000,
              row.withinMs / 1000,
            ],
          })),
        }),
      },
    ],
    voids: found.flatMap(({ row, lost, doubled, completedTwice, failures }) => [
      ...failures.map((failure) => `${row.label}: ${failure}`),
      ...(lost + doubled + completedTwice > 0
        ? [`${row.label}: ${lost} lost, ${doubled} begun twice for no reason, ${completedTwice} completed twice`]
        : []),
    ]),
  };
}

function worst(kills: readonly Kill[], of: (kill: Kill) => number): number {
  return kills.length === 0 ? Number.NaN : Math.max(...kills.map(of));
}
