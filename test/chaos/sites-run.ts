/**
 * Several servers and several Nodes on a network of their own (helper/netns.ts): one server is cut off under load, the
 * cut heals, all work drains, and everything the Nodes were told and did is judged.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { findRedisServer, type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import { check } from "../checker/check.js";
import type { HistoryEvent, Violation } from "../checker/history.js";
import { makeNetLab, type NetLab, type NetMachine } from "../helper/netns.js";
import { openStore } from "../helper/open-store.js";
import { poll, within } from "../helper/wait.js";
import { readLog } from "./log.js";
import type { AnsweredEnqueue, SitesProgramOptions } from "./sites-program.js";

/** What to play. */
export interface SitesPlay {
  readonly nodes: number;
  readonly sites: number;
  /** `site`: one server is cut off from all. `replies`: what it answers one Node is lost, and nothing else. */
  readonly how: "site" | "replies";
  /** How long. Milliseconds. */
  readonly cutMs: number;
  /** Load before the cut and after the heal. Milliseconds. */
  readonly calmMs: number;
  /** Told of what happens. */
  readonly say: (line: string) => void;
}

/** What a play proved. */
export interface SitesVerdict {
  readonly violations: readonly Violation[];
  readonly asked: number;
  readonly acknowledged: number;
  /** Enqueues that were told "unknown", and "refused". */
  readonly unknown: number;
  readonly refused: number;
  readonly completed: number;
  /** Texts that ran under more than one id: an enqueue that was accepted twice. */
  readonly acceptedTwice: readonly string[];
  /** Ids completed by more than one owner or token. */
  readonly completedTwice: readonly string[];
  readonly startedAgain: number;
  /** Enqueues that began during the cut and were acknowledged during the cut, by Node. */
  readonly duringCut: Readonly<Record<string, number>>;
  /** Longest time during the cut without an acknowledgement of something asked during it, by Node. Milliseconds. */
  readonly longestGapMs: Readonly<Record<string, number>>;
  /** What differs between two Nodes, or from what the servers hold: who says what of how many Operations, one as example. */
  readonly disagreements: readonly string[];
  /** Segments by site in the end. */
  readonly segments: readonly (readonly string[])[];
  readonly failovers: number;
}

/** Plays and judges; removes everything it made. */
export async function playSites(play: SitesPlay): Promise<SitesVerdict> {
  await using stage = await Stage.make(play);
  return await stage.play();
}

interface Report {
  readonly node: string;
  readonly metrics: Readonly<Record<string, number>>;
  readonly found: Readonly<Record<string, string>>;
}

/** A Node's process. */
class NodeProcess {
  readonly name: string;
  readonly child: ChildProcess;
  readonly ended: Promise<unknown[]>;
  readonly #errors: string[] = [];
  readonly #lines: string[] = [];
  #onLine: (() => void)[] = [];

  constructor(machine: NetMachine, options: SitesProgramOptions) {
    this.name = options.node;
    // This file is run from its source by Vitest, and built by `npm run chaos`; the program is always the built one.
    const isBuilt = import.meta.url.includes("/dist/");
    const script = fileURLToPath(new URL(`${isBuilt ? "." : "../dist/chaos"}/sites-program.js`, import.meta.url));
    const [program = "ip", ...args] = [...machine.prefix, process.execPath, script, JSON.stringify(options)];
    this.child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"] });
    this.ended = once(this.child, "exit");
    if (this.child.stdout === null || this.child.stderr === null) throw new Error("a Node has no output");
    createInterface({ input: this.child.stderr }).on("line", (line) => this.#errors.push(line));
    createInterface({ input: this.child.stdout }).on("line", (line) => {
      this.#lines.push(line);
      for (const wake of this.#onLine.splice(0)) wake();
    });
    void this.ended.then(() => {
      for (const wake of this.#onLine.splice(0)) wake();
    });
  }

  say(word: string): void {
    this.child.stdin?.write(`${word}\n`);
  }

  /** The first line that fits; it is taken out. */
  async line(fits: (line: string) => boolean, what: string, deadlineMs: number): Promise<string> {
    const search = async (): Promise<string> => {
      for (;;) {
        const at = this.#lines.findIndex(fits);
        if (at >= 0) return this.#lines.splice(at, 1)[0] ?? "";
        if (this.child.exitCode !== null)
          throw new Error(`${this.name} ended (${this.child.exitCode}):\n${this.#errors.join("\n")}`);
        await new Promise<void>((resolve) => this.#onLine.push(resolve));
      }
    };
    return await within(search(), `${what} of ${this.name}`, deadlineMs);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill("SIGKILL");
    await this.ended;
  }
}

class Stage implements AsyncDisposable {
  readonly #play: SitesPlay;
  readonly #dir = mkdtempSync(join(tmpdir(), "millrace-sites-"));
  readonly #lab: NetLab;
  readonly #servers: RedisServer[] = [];
  readonly #nodes: NodeProcess[] = [];
  readonly #log = join(this.#dir, "effects.log");
  readonly #enqueues = join(this.#dir, "enqueues.log");
  readonly #app = "sites";

  static async make(play: SitesPlay): Promise<Stage> {
    const stage = new Stage(play);
    try {
      await stage.#start();
      return stage;
    } catch (error) {
      await stage[Symbol.asyncDispose]();
      throw error;
    }
  }

  private constructor(play: SitesPlay) {
    this.#play = play;
    const names = (kind: string, count: number) => Array.from({ length: count }, (_, i) => `${kind}${i + 1}`);
    this.#lab = makeNetLab([...names("s", play.sites), ...names("n", play.nodes)]);
  }

  async #start(): Promise<void> {
    const { sites, nodes } = this.#play;
    const server = findRedisServer();
    if (server === null) throw new Error("no redis-server here");
    for (let i = 1; i <= sites; i++) {
      const machine = this.#lab.machine(`s${i}`);
      const program = join(this.#dir, `server-${i}`);
      writeFileSync(program, `#!/bin/sh\nexec ${machine.prefix.join(" ")} ${server.path} "$@"\n`);
      chmodSync(program, 0o755);
      const args = ["--bind", machine.address, "127.0.0.1", "--protected-mode", "no"];
      this.#servers.push(await startRedis({ program, args }));
    }
    const stores = this.#servers.map(({ port }, i) => `redis://${this.#lab.machine(`s${i + 1}`).address}:${port}`);
    for (let i = 1; i <= nodes; i++) {
      this.#nodes.push(
        new NodeProcess(this.#lab.machine(`n${i}`), {
          stores,
          app: this.#app,
          node: `node-${i}`,
          log: this.#log,
          enqueues: this.#enqueues,
          batch: 5,
          pauseMs: 20,
        }),
      );
    }
    await Promise.all(this.#nodes.map((node) => node.line((line) => line === "ready", "the start", 30_000)));
  }

  async play(): Promise<SitesVerdict> {
    const { say, calmMs, cutMs, how } = this.#play;
    for (const node of this.#nodes) node.say("go");
    await wait(calmMs);
    // The home of the most Nodes, or of the Node that hears no answers: there the fault bites.
    const lists = await Promise.all(this.#servers.map((_, i) => this.#segmentsOf(i)));
    const most = lists.reduce((best, list, i) => (list.length > (lists[best]?.length ?? 0) ? i : best), 0);
    const at = how === "site" ? most : lists.findIndex((list) => list.includes("node-1"));
    const homes = lists.map((list, i) => `s${i + 1} [${list.join(" ")}]`).join(" ");
    const machine = this.#lab.machine(`s${at + 1}`);
    const cutAtMs = Date.now();
    if (how === "site") machine.cut();
    else machine.muteTo(this.#lab.machine("n1"));
    say(`homes: ${homes}; ${how === "site" ? `s${at + 1} is cut off` : `answers of s${at + 1} to n1 are lost`}`);
    await wait(cutMs);
    machine.heal();
    const healAtMs = Date.now();
    say(`healed after ${healAtMs - cutAtMs} ms`);
    await wait(calmMs);
    for (const node of this.#nodes) node.say("drain");
    await Promise.all(this.#nodes.map((node) => node.line((line) => line === "drained", "the last answer", 90_000)));
    say(`drained ${Date.now() - healAtMs} ms after the heal`);
    await this.#idle();
    for (const node of this.#nodes) node.say("report");
    const reports = await Promise.all(
      this.#nodes.map(async (node) => {
        const line = await node.line((text) => text.startsWith("{"), "the report", 120_000);
        return JSON.parse(line) as Report; // written by sites-program.ts
      }),
    );
    for (const node of this.#nodes) node.say("end");
    await Promise.all(this.#nodes.map((node) => within(node.ended, `the end of ${node.name}`, 30_000)));
    return await this.#judge(reports, cutAtMs, healAtMs);
  }

  /** Waits until nothing is waiting or running anywhere, as the servers say. */
  async #idle(): Promise<void> {
    const store = await openStore(this.#socketUrls(), this.#app);
    try {
      await poll(
        async () => {
          for (const segment of await store.segments()) {
            const { queues, running, scheduled } = await store.counts(segment);
            if (running + scheduled > 0 || queues.some(({ ready }) => ready > 0)) return null;
          }
          return true;
        },
        "the end of all work",
        60_000,
      );
    } finally {
      await store.close();
    }
  }

  #socketUrls(): string[] {
    return this.#servers.map(({ socket }) => `redis+unix://${socket}`);
  }

  async #segmentsOf(site: number): Promise<readonly string[]> {
    const store = await openStore(this.#socketUrls()[site] ?? "", this.#app);
    try {
      return await store.segments();
    } finally {
      await store.close();
    }
  }

  async #judge(reports: readonly Report[], cutAtMs: number, healAtMs: number): Promise<SitesVerdict> {
    const history = readLog(this.#log);
    const answered = readFileSync(this.#enqueues, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as AnsweredEnqueue); // written by sites-program.ts
    const ids = [...new Set(history.map(({ id }) => id))];
    const [first] = reports;
    const differing = ids.filter((id) => reports.some(({ found }) => found[id] !== first?.found[id]));
    const ends = await this.#ends(ids);
    for (const { id, state } of ends) {
      const view = JSON.parse(first?.found[id] ?? "null") as { state?: string } | null; // a StatusView
      if (first?.found[id] !== undefined && view?.state !== state) differing.push(id);
    }
    const stateOf = new Map(ends.map(({ id, state }) => [id, state] as const));
    const disagreements = byKind(differing, (id) => [
      ...reports.map(({ node, found }) => `${node}: ${shown(found[id])}`),
      `held: ${stateOf.get(id)}`,
    ]);
    const acknowledged = answered.filter(({ isAccepted }) => isAccepted);
    const inCut = acknowledged.filter(({ askedMs, answeredMs }) => askedMs >= cutAtMs && answeredMs <= healAtMs);
    const byNode = <T>(make: (node: string) => T) =>
      Object.fromEntries(this.#nodes.map(({ name }) => [name, make(name)] as const));
    const starts = history.filter((event) => event.kind === "start");
    return {
      violations: check([...history, ...ends], { attemptsMax: 4, recoveriesMax: 20, isFaultFree: false }).filter(
        // An enqueue that was told "unknown" may have happened: its id is not in the log.
        ({ promise }) => promise !== "no fabrication" || answered.every(({ isAccepted }) => isAccepted),
      ),
      asked: answered.length,
      acknowledged: acknowledged.length,
      unknown: answered.filter(({ answer }) => answer === "MR_INDETERMINATE").length,
      refused: answered.filter(({ isAccepted, answer }) => !isAccepted && answer !== "MR_INDETERMINATE").length,
      completed: ends.filter(({ state }) => state === "completed").length,
      acceptedTwice: doubled(
        starts,
        ({ hash }) => hash,
        ({ id }) => id,
      ),
      completedTwice: doubled(
        history.filter((event) => event.kind === "outcome"),
        ({ id, generation }) => `${id} ${generation}`,
        ({ owner, token }) => `${owner} ${token}`,
      ),
      startedAgain: starts.length - new Set(starts.map(({ id, attempt }) => `${id} ${attempt}`)).size,
      duringCut: byNode((name) => inCut.filter(({ node }) => node === name).length),
      longestGapMs: byNode((name) =>
        longestGap(
          inCut.filter(({ node }) => node === name),
          cutAtMs,
          healAtMs,
        ),
      ),
      disagreements,
      segments: await Promise.all(this.#servers.map((_, i) => this.#segmentsOf(i))),
      failovers: reports.reduce((sum, { metrics }) => sum + (metrics.failovers ?? 0), 0),
    };
  }

  async #ends(ids: readonly string[]): Promise<Extract<HistoryEvent, { kind: "end" }>[]> {
    const store = await openStore(this.#socketUrls(), this.#app);
    try {
      const bySegment = new Map<string, string[]>();
      for (const id of ids) {
        const segment = /^(.+)\.[^.]+\.[^.]+$/.exec(id)?.[1] ?? "";
        bySegment.set(segment, [...(bySegment.get(segment) ?? []), id]);
      }
      const ends: Extract<HistoryEvent, { kind: "end" }>[] = [];
      for (const [segment, some] of bySegment) {
        for (let at = 0; at < some.length; at += 500) {
          const part = some.slice(at, at + 500);
          const { records } = await store.find(segment, { dots: part.map(dotOf), wait: false });
          for (const [i, id] of part.entries()) {
            const record = records[i] ?? "missing";
            ends.push({ kind: "end", id, state: typeof record === "string" ? record : record.state });
          }
        }
      }
      return ends;
    } finally {
      await store.close();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#nodes.map((node) => node.kill()));
    await Promise.all(this.#servers.map((server) => server.stop()));
    this.#lab.remove();
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** Keys under which more than one thing is found. */
function doubled<T>(events: readonly T[], keyOf: (event: T) => string, thingOf: (event: T) => string): string[] {
  const things = new Map<string, string>();
  const found = new Set<string>();
  for (const event of events) {
    const key = keyOf(event);
    const before = things.get(key);
    if (before !== undefined && before !== thingOf(event)) found.add(key);
    things.set(key, thingOf(event));
  }
  return [...found];
}

function longestGap(answered: readonly AnsweredEnqueue[], fromMs: number, toMs: number): number {
  const times = [fromMs, ...answered.map(({ answeredMs }) => answeredMs).sort((a, b) => a - b), toMs];
  let longest = 0;
  for (const [i, time] of times.entries()) longest = Math.max(longest, time - (times[i - 1] ?? time));
  return longest;
}

function dotOf(id: string): { laneName: string; counter: number } {
  const [, incarnation = "", last = ""] = /\.([^.]+)\.([^.]+)$/.exec(id) ?? [];
  return { laneName: `${incarnation}.${last.slice(-2)}`, counter: Number.parseInt(last.slice(0, -2), 36) };
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** One line per way in which ids differ, so that a whole server that was not found does not print each of its ids. */
function byKind(ids: readonly string[], say: (id: string) => readonly string[]): string[] {
  const kinds = new Map<string, string[]>();
  for (const id of ids) {
    const kind = say(id).join(", ");
    kinds.set(kind, [...(kinds.get(kind) ?? []), id]);
  }
  return [...kinds].map(([kind, some]) => `${some.length} as ${some[0]}: ${kind}`);
}

/** The state a Node's answer tells, or the answer itself. */
function shown(found: string | undefined): string {
  const view = JSON.parse(found ?? "null") as { state?: string } | string | null; // a StatusView, an error's code
  return (typeof view === "string" ? view : view?.state) ?? "nothing";
}
