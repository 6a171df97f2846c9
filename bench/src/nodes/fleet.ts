/**
 * Several Nodes over one Redis, each a process of its own: opens them, runs courses on all at once, adds up what they
 * report, and charges what it cost: calls, claims, bells, bytes, processor time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { RedisMeter, Wire } from "../tool/cpu.js";
import { Peer } from "../tool/peer.js";
import { Credit } from "./credit.js";
import type { Account, CourseReport, CourseSpec, NodeCalls, Usage } from "./node-program.js";
import { hrNow } from "./node-program.js";

/** What one course cost, all Nodes and the server together. */
export interface Bill {
  readonly seconds: number;
  /** Function calls the server ran, of whatever kind. */
  readonly storeCalls: number;
  /** Messages published, each of which goes to every Node that listens. */
  readonly published: number;
  readonly wire: Wire;
  readonly redisUs: number;
  readonly nodeUs: number;
  /** The Nodes' own counters, added up. */
  readonly counters: Readonly<Record<string, number>>;
}

/** What one course found. */
export interface CourseFindings {
  readonly operations: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly wallUs: number;
  readonly bill: Bill;
  /** Operations run by another Node than the one that enqueued them. */
  readonly foreign: number;
  /** Microseconds from the intended times; empty in a closed loop. */
  readonly calledUs: Float64Array;
  readonly startedUs: Float64Array;
  readonly completedUs: Float64Array;
}

/** What a course is, but for when it begins. */
export type Course<Spec extends CourseSpec> = Omit<Spec, "startNs">;

/** How long before its begin a course is announced: time for every Node to hear of it. */
const leadMs = 300;
/** A course that made no headway for so long has lost something. */
const stuckMs = 15_000;
/** Duplicates need a moment to show. */
const aftermathMs = 100;
const pollMs = 10;

/** Nodes that work together. */
export class Fleet implements AsyncDisposable {
  readonly #peers: readonly Peer<NodeCalls>[];
  readonly #meter: RedisMeter;
  readonly #accounts: Account[];
  #credit: Credit | null = null;

  private constructor(nodes: number, meter: RedisMeter) {
    this.#meter = meter;
    this.#accounts = Array.from({ length: nodes }, (_, at) => ({ at, used: 0, completed: 0 }));
    this.#peers = this.#accounts.map(
      ({ at }) =>
        new Peer<NodeCalls>(new URL("./node-child.js", import.meta.url), {
          label: `Node ${at}`,
          env: { NODE_ID: `node-${at}` },
          onNote: (note) => this.#take(note as Account), // all a Node's notes are accounts
        }),
    );
  }

  /** Starts the Nodes on an emptied server and waits until each works and has heard of the others. */
  static async open(nodes: number, url: string, meter: RedisMeter, payloadBytes: number): Promise<Fleet> {
    await meter.flush();
    const fleet = new Fleet(nodes, meter);
    try {
      await Promise.all(fleet.#peers.map((peer, at) => peer.call("open", { url, at, nodes, payloadBytes })));
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The closed loop: `callers` over all Nodes, at most `bound` Operations enqueued and not completed. */
  saturate(course: Course<CourseSpec>, callers: number, bound: number): Promise<CourseFindings> {
    this.#credit = new Credit(bound, course.producers);
    const each = Math.max(1, Math.round(callers / course.producers));
    return this.#run(course, (peer, startNs) => peer.call("saturate", { ...course, startNs, callers: each }));
  }

  /** The open loop: `perSecond` over all producing Nodes. */
  offer(course: Course<CourseSpec>, perSecond: number): Promise<CourseFindings> {
    this.#credit = null;
    const each = perSecond / course.producers;
    return this.#run(course, (peer, startNs) => peer.call("offer", { ...course, startNs, perSecond: each }));
  }

  /** What the Nodes cost while nobody asks anything of them. */
  async idle(seconds: number): Promise<Bill> {
    const end = await this.#startBill();
    await sleep(seconds * 1000);
    return end();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#peers.map((peer) => peer[Symbol.asyncDispose]()));
  }

  async #run(
    course: Course<CourseSpec>,
    begin: (peer: Peer<NodeCalls>, startNs: number) => Promise<undefined>,
  ): Promise<CourseFindings> {
    const operations = course.each * course.producers;
    for (const at of this.#accounts.keys()) this.#accounts[at] = { at, used: 0, completed: 0 };
    const end = await this.#startBill();
    const startNs = hrNow() + leadMs * 1e6;
    const broken = new Promise<never>((_, reject) => {
      for (const peer of this.#peers) begin(peer, startNs).catch(reject);
    });
    await Promise.race([this.#allCompleted(operations), broken]);
    const bill = await end();
    await sleep(aftermathMs);
    const reports = await Promise.all(this.#peers.map((peer) => peer.call("report", null)));
    return this.#sum(operations, startNs, reports, bill);
  }

  /** Resolves when all is completed, or when nothing was for so long that something is lost. */
  async #allCompleted(operations: number): Promise<void> {
    let seen = -1;
    let sinceMs = performance.now();
    for (;;) {
      const completed = this.#completed();
      if (completed >= operations) return;
      if (completed !== seen) sinceMs = performance.now();
      else if (performance.now() - sinceMs > stuckMs) return;
      seen = completed;
      await sleep(pollMs);
    }
  }

  #sum(operations: number, startNs: number, reports: readonly CourseReport[], bill: Bill): CourseFindings {
    const runs = new Uint16Array(operations);
    for (const report of reports) {
      for (const [number, count] of report.runs.entries()) if (count > 0) runs[number] = (runs[number] ?? 0) + count;
    }
    const missing = runs.reduce((sum, count) => (count === 0 ? sum + 1 : sum), 0);
    const extra = runs.reduce((sum, count) => (count > 1 ? sum + count - 1 : sum), 0);
    const completed = reports.reduce((sum, report) => sum + report.completed, 0);
    const unkept = reports.reduce((sum, report) => sum + report.unkept, 0);
    return {
      operations,
      lost: Math.max(missing, operations - completed, unkept),
      duplicated: Math.max(extra, completed - operations),
      wallUs: (Math.max(...reports.map((report) => report.lastNs)) - startNs) / 1000,
      bill,
      foreign: reports.reduce((sum, report) => sum + report.foreign, 0),
      calledUs: joined(reports.map((report) => report.calledUs)),
      startedUs: joined(reports.map((report) => report.startedUs)),
      completedUs: joined(reports.map((report) => report.completedUs)),
    };
  }

  #take(account: Account): void {
    this.#accounts[account.at] = account;
    const more = this.#credit?.grant(account.at, account.used, this.#completed()) ?? 0;
    if (more > 0) this.#peers[account.at]?.note(more);
  }

  #completed(): number {
    return this.#accounts.reduce((sum, account) => sum + account.completed, 0);
  }

  async #startBill(): Promise<() => Promise<Bill>> {
    const before = await this.#read();
    const fromMs = performance.now();
    return async () => {
      const seconds = (performance.now() - fromMs) / 1000;
      const after = await this.#read();
      const counters: Record<string, number> = {};
      for (const [name, value] of Object.entries(after.usage.counters)) {
        counters[name] = value - (before.usage.counters[name] ?? 0);
      }
      return {
        seconds,
        storeCalls: after.storeCalls - before.storeCalls,
        published: after.published - before.published,
        wire: {
          inBytes: after.wire.inBytes - before.wire.inBytes,
          outBytes: after.wire.outBytes - before.wire.outBytes,
        },
        redisUs: after.redisUs - before.redisUs,
        nodeUs: after.usage.cpuUs - before.usage.cpuUs,
        counters,
      };
    };
  }

  async #read() {
    const usages = await Promise.all(this.#peers.map((peer) => peer.call("usage", null)));
    const commands = await this.#meter.commands();
    const calls = (name: string): number => commands[name]?.calls ?? 0;
    return {
      usage: addUsages(usages),
      storeCalls: calls("fcall") + calls("evalsha"),
      published: calls("publish"),
      wire: await this.#meter.wire(),
      redisUs: await this.#meter.cpuUs(),
    };
  }
}

function addUsages(usages: readonly Usage[]): Usage {
  const counters: Record<string, number> = {};
  let cpuUs = 0;
  for (const usage of usages) {
    cpuUs += usage.cpuUs;
    for (const [name, value] of Object.entries(usage.counters)) counters[name] = (counters[name] ?? 0) + value;
  }
  return { counters, cpuUs };
}

function joined(parts: readonly Float64Array[]): Float64Array {
  const all = new Float64Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
