/**
 * The program of one Node: an App with its own node id and Segment that enqueues, and runs what any Node enqueued.
 *
 * Two courses, each told when to begin by one clock: `saturate` (closed loop: so many callers, each awaits its own
 * enqueue, within the credit the parent grants) and `offer` (open loop: an even rate with intended times). A *course*
 * numbers its Operations 0…total-1 over all Nodes, Node by Node, so that whoever runs one knows where it came from and
 * when it was meant to be enqueued. Must import core by its public door only.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { App, type Handle, type Step } from "@millrace/core";
import { type Job, jobIndex, makeJobs } from "../versus/subject.js";

/** Where a Node works, and as which of how many. */
export interface NodeSpec {
  readonly url: string;
  readonly at: number;
  readonly nodes: number;
  readonly payloadBytes: number;
}

/** What both courses share. */
export interface CourseSpec {
  /** Operations each producing Node enqueues. */
  readonly each: number;
  /** How many Nodes produce: the first so many. */
  readonly producers: number;
  /** How long a handler takes; 0 is a no-op. */
  readonly serviceMs: number;
  /** When the course begins, `process.hrtime` nanoseconds. */
  readonly startNs: number;
}

/** A closed loop. */
export interface SaturateSpec extends CourseSpec {
  /** Callers of this Node that each await their own enqueue before the next. */
  readonly callers: number;
}

/** An open loop. */
export interface OfferSpec extends CourseSpec {
  /** Offered by each producing Node. */
  readonly perSecond: number;
}

/** What a Node tells while a course runs: the parent grants credit by it and learns when all is done. */
export interface Account {
  readonly at: number;
  /** Operations this Node began to enqueue. */
  readonly used: number;
  /** Completions acknowledged to this Node. */
  readonly completed: number;
}

/** What a Node has seen of a course. */
export interface CourseReport {
  /** Runs by number of the Operation; 255 stands for more. */
  readonly runs: Uint8Array;
  readonly completed: number;
  /** Handles of this Node's own that were read back, and how many of those records do not say "completed". */
  readonly sampled: number;
  readonly unkept: number;
  /** When this Node's last completion was acknowledged, in a closed loop up to 20 ms late; 0 when there was none. */
  readonly lastNs: number;
  /** Operations this Node ran that another one enqueued. */
  readonly foreign: number;
  /** Open loop only, microseconds from the intended time: of its own calls, of what it ran. */
  readonly calledUs: Float64Array;
  readonly startedUs: Float64Array;
  readonly completedUs: Float64Array;
}

/** What a Node has used since it began. */
export interface Usage {
  readonly counters: Readonly<Record<string, number>>;
  readonly cpuUs: number;
}

/** The calls of a Node. */
export type NodeCalls = {
  readonly open: { readonly params: NodeSpec; readonly result: undefined };
  readonly saturate: { readonly params: SaturateSpec; readonly result: undefined };
  readonly offer: { readonly params: OfferSpec; readonly result: undefined };
  readonly report: { readonly params: null; readonly result: CourseReport };
  readonly usage: { readonly params: null; readonly result: Usage };
  readonly close: { readonly params: null; readonly result: undefined };
};

const firstNumber = 1_000_000; // as makeJobs numbers: all of equal length
/** How often a Node tells how far it is: what measures must not be what is measured. */
const closedAccountMs = 20;
const openAccountMs = 100;
/** The open loop's turns: ten Nodes that wake every millisecond to enqueue would keep a processor busy with waking. */
const paceMs = 2;
const sampleStride = 199;

/** One Node. */
export class NodeProgram {
  readonly #note: (account: Account) => void;
  #spec: NodeSpec = { url: "", at: 0, nodes: 1, payloadBytes: 100 };
  #app: App | null = null;
  #step: Step<Job, number> | null = null;
  #pad = "";
  #course: CourseSpec = { each: 0, producers: 1, serviceMs: 0, startNs: 0 };
  #periodNs = 0;
  #runs = new Uint8Array(0);
  #used = 0;
  #foreign = 0;
  #completedBefore = 0;
  #lastNs = 0;
  #credit = 0;
  #onCredit: (() => void)[] = [];
  #sample: Handle<number>[] = [];
  #ticker: NodeJS.Timeout | null = null;
  /** Open loop: when which Operation began here, in nanoseconds; its number by its id until it is completed. */
  #times: { readonly called: number[]; readonly started: number[]; readonly completed: number[] } | null = null;
  readonly #numberById = new Map<string, number>();
  #unwatch: () => void = () => undefined;

  constructor(note: (account: Account) => void) {
    this.#note = note;
  }

  /** Makes the App, opens its store, starts its Foreman. */
  async open(spec: NodeSpec): Promise<undefined> {
    this.#spec = spec;
    this.#pad = makeJobs(1, spec.payloadBytes)[0]?.pad ?? "";
    const app = new App({ id: "bench", store: spec.url, nodeId: `node-${spec.at}` });
    this.#step = app.step("noop", async (job: Job, context) => {
      const number = jobIndex(job.n);
      this.#ran(number, context);
      if (this.#course.serviceMs > 0) await sleep(this.#course.serviceMs);
      return job.n;
    });
    this.#app = app;
    await app.queue("async").counts();
    await app.start();
  }

  /** The closed loop; resolves when this Node's Operations are accepted. */
  async saturate(spec: SaturateSpec): Promise<undefined> {
    this.#begin(spec, false);
    await sleepUntil(spec.startNs);
    if (this.#spec.at >= spec.producers) return;
    const from = this.#spec.at * spec.each;
    const caller = async (): Promise<void> => {
      while (this.#used < spec.each) {
        if (this.#credit <= 0) {
          await new Promise<void>((resolve) => this.#onCredit.push(resolve));
          continue;
        }
        this.#credit--;
        await this.#enqueue(from + this.#used++);
      }
    };
    await Promise.all(Array.from({ length: spec.callers }, caller));
  }

  /** The open loop; resolves when this Node's Operations are accepted. */
  async offer(spec: OfferSpec): Promise<undefined> {
    this.#periodNs = 1e9 / spec.perSecond;
    this.#begin(spec, true);
    if (this.#spec.at >= spec.producers) return;
    await sleepUntil(spec.startNs);
    const from = this.#spec.at * spec.each;
    const answers: Promise<void>[] = [];
    await new Promise<void>((resolve) => {
      // What is due since the last turn leaves together, and counts from its intended time.
      const turn = (): void => {
        const nowNs = hrNow();
        while (this.#used < spec.each && this.#intendedNs(from + this.#used) <= nowNs) {
          this.#times?.called.push((nowNs - this.#intendedNs(from + this.#used)) / 1000);
          answers.push(this.#enqueue(from + this.#used++));
        }
        if (this.#used === spec.each) resolve();
        else setTimeout(turn, Math.max(paceMs, (this.#intendedNs(from + this.#used) - hrNow()) / 1e6));
      };
      turn();
    });
    await Promise.all(answers);
  }

  /** More credit for the closed loop. */
  grant(more: number): void {
    this.#credit += more;
    const waiting = this.#onCredit.splice(0, more);
    for (const resolve of waiting) resolve();
  }

  /** Ends the course and says what was seen of it. */
  async report(): Promise<CourseReport> {
    if (this.#ticker !== null) clearInterval(this.#ticker);
    this.#ticker = null;
    this.#unwatch();
    const views = await Promise.all(this.#sample.map((handle) => handle.status().catch(() => null)));
    const times = this.#times ?? { called: [], started: [], completed: [] };
    return {
      runs: this.#runs,
      completed: this.#completed(),
      sampled: views.length,
      unkept: views.filter((view) => view?.state !== "completed").length,
      lastNs: this.#lastNs,
      foreign: this.#foreign,
      calledUs: Float64Array.from(times.called),
      startedUs: Float64Array.from(times.started),
      completedUs: Float64Array.from(times.completed),
    };
  }

  /** Counters and processor time so far. */
  usage(): Usage {
    const { user, system } = process.cpuUsage();
    return { counters: { ...this.#needApp().metrics() }, cpuUs: user + system };
  }

  async close(): Promise<undefined> {
    await this.#app?.close();
    this.#app = null;
  }

  #begin(course: CourseSpec, isTimed: boolean): void {
    this.#course = course;
    this.#runs = new Uint8Array(course.each * course.producers);
    this.#used = 0;
    this.#foreign = 0;
    this.#lastNs = 0;
    this.#credit = 0;
    this.#onCredit = [];
    this.#sample = [];
    this.#numberById.clear();
    this.#times = isTimed ? { called: [], started: [], completed: [] } : null;
    this.#completedBefore = this.#needApp().metrics().completed;
    if (isTimed) this.#unwatch = this.#needApp().on("operation.completed", ({ id }) => this.#timeCompletion(id));
    let seen = 0;
    this.#ticker = setInterval(
      () => {
        const completed = this.#completed();
        if (completed > seen && !isTimed) this.#lastNs = hrNow();
        seen = completed;
        this.#note({ at: this.#spec.at, used: this.#used, completed });
      },
      isTimed ? openAccountMs : closedAccountMs,
    );
  }

  async #enqueue(number: number): Promise<void> {
    const handle = await this.#needStep().enqueue({ n: firstNumber + number, pad: this.#pad });
    if (number % sampleStride === 0) this.#sample.push(handle);
  }

  #ran(number: number, context: { readonly operationId: string }): void {
    const runs = this.#runs[number];
    if (runs !== undefined && runs < 255) this.#runs[number] = runs + 1;
    if (Math.floor(number / this.#course.each) !== this.#spec.at) this.#foreign++;
    if (this.#times === null) return;
    this.#times.started.push((hrNow() - this.#intendedNs(number)) / 1000);
    this.#numberById.set(context.operationId, number);
  }

  #timeCompletion(id: string): void {
    const number = this.#numberById.get(id);
    if (number === undefined) return;
    this.#numberById.delete(id);
    this.#lastNs = hrNow();
    this.#times?.completed.push((this.#lastNs - this.#intendedNs(number)) / 1000);
  }

  /** Nodes take turns within a period, so that their calls do not all fall on the same moment. */
  #intendedNs(number: number): number {
    const { each, producers, startNs } = this.#course;
    const node = Math.floor(number / each);
    return startNs + ((number % each) + node / producers) * this.#periodNs;
  }

  #completed(): number {
    return this.#needApp().metrics().completed - this.#completedBefore;
  }

  #needApp(): App {
    if (this.#app === null) throw new Error("this Node is not open");
    return this.#app;
  }

  #needStep(): Step<Job, number> {
    if (this.#step === null) throw new Error("this Node is not open");
    return this.#step;
  }
}

/** The machine's monotonic clock, the same in every process. */
export function hrNow(): number {
  return Number(process.hrtime.bigint());
}

async function sleepUntil(ns: number): Promise<void> {
  const leftMs = (ns - hrNow()) / 1e6;
  if (leftMs > 0) await sleep(leftMs);
}
