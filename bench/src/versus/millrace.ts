/**
 * Millrace through its public API with default options; the only options ever set are the durability under test and,
 * where its Worker threads are measured, the module they run.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BroadcastChannel } from "node:worker_threads";
import { App, type Handle, type Step } from "@millrace/core";
import { runsChannel } from "./runs-channel.js";
import {
  bulkMax,
  type Hooks,
  type Job,
  jobIndex,
  type Place,
  type Session,
  type Subject,
  type WaitingKind,
} from "./subject.js";

/** Every so many jobs, one handle is kept to read its record back when the run is over. */
const sampleStride = 199;
/** How often acknowledged completions are read from the App's counters: the error of a run of a second or more. */
const pollMs = 1;

/** How long Worker threads may take to tell what they ran. */
const tellMs = 5_000;
/** Operations that warm up Worker threads, which begin cold with each App, as the process was warmed up before. */
const warmUp = 100_000;

/** This repository, its Steps on the program's own thread. */
export const millrace: Subject = {
  name: "millrace",
  keeps: "id, state, Attempt, token, times, Step name and result of every finished Operation, for a day",
  settings: "none: every option at its default",
  concurrencies: [0], // its own: async Workers × slots
  jobs: 200_000,
  open: async (place) => {
    const session = new MillraceSession(place, null);
    await session.ready();
    return session;
  },
};

/** This repository, its Steps on Worker threads that the Foreman feeds. */
export const millraceThreads: Subject = {
  ...millrace,
  name: "millrace-threads",
  settings: "`module`, which brings the Worker threads; every other option at its default",
  open: async (place) => {
    const session = new MillraceSession(place, new URL("./millrace-app.js", import.meta.url).href);
    await session.ready();
    return session;
  },
};

class MillraceSession implements Session {
  readonly #app: App;
  readonly #noop: Step<Job, number>;
  readonly #sample: Handle<number>[] = [];
  readonly #named = new NamedJobs();
  #hooks: Hooks | null = null;
  #poll: NodeJS.Timeout | null = null;

  readonly #isThreaded: boolean;
  /** Completed before the measured jobs. */
  #warmed = 0;

  constructor(place: Place, module: string | null) {
    const durability = place.store === "embedded" ? { durability: place.durability } : {};
    this.#isThreaded = module !== null;
    this.#app = new App({ id: "bench", store: place.url, ...durability, ...(module === null ? {} : { module }) });
    this.#noop = this.#app.step("noop", async (job: Job) => {
      this.#hooks?.ran(jobIndex(job.n));
      return job.n;
    });
    if (this.#isThreaded) this.#app.step("warm", async (job: Job) => job.n);
  }

  /** Opens the store, as rivals connect before they are measured. */
  async ready(): Promise<void> {
    await this.#app.queue("async").counts();
  }

  async enqueue(job: Job): Promise<void> {
    const handle = await this.#noop.enqueue(job);
    if (job.n % sampleStride === 0) this.#sample.push(handle);
    if (this.#hooks?.isPerJob === true) this.#named.enqueued(handle.id, jobIndex(job.n), this.#hooks);
  }

  async enqueueBulk(jobs: readonly Job[]): Promise<void> {
    const { handles } = await this.#app.enqueueMany(this.#noop, jobs);
    for (const [index, handle] of handles.entries()) {
      if (handle instanceof Error) throw handle;
      if (index % sampleStride === 0) this.#sample.push(handle);
    }
  }

  async enqueueWaiting(jobs: readonly Job[], kind: WaitingKind): Promise<boolean> {
    await this.#app.enqueueMany(this.#noop, jobs, kind === "scheduled" ? { delay: "1d" } : { priority: 5 });
    return true;
  }

  async start(_concurrency: number, hooks: Hooks): Promise<void> {
    this.#hooks = hooks;
    if (hooks.isPerJob) {
      this.#app.on("operation.completed", ({ id }) => this.#named.completed(id, hooks));
      await this.#app.start();
    } else {
      await this.#app.start();
      if (this.#isThreaded) await this.#warmUp();
      let seen = this.#warmed;
      this.#poll = setInterval(() => {
        const { completed } = this.#app.metrics();
        if (completed > seen) hooks.acknowledged(completed - seen, null);
        seen = completed;
      }, pollMs);
    }
  }

  async #warmUp(): Promise<void> {
    const jobs = Array.from({ length: bulkMax }, (_, n) => ({ n, pad: "" }));
    for (let enqueued = 0; enqueued < warmUp; enqueued += bulkMax) {
      await this.#app.enqueueMany("warm", jobs);
      this.#warmed += bulkMax;
    }
    while (this.#app.metrics().completed < this.#warmed) await sleep(pollMs);
  }

  storeCalls(): number {
    const { enqueueCalls, claimCalls, outcomeCalls } = this.#app.metrics();
    return enqueueCalls + claimCalls + outcomeCalls;
  }

  /** There is no public count of finished records: what was acknowledged, less what a sample read back does not show. */
  async kept(): Promise<number> {
    if (this.#isThreaded) await this.#hear();
    const views = await Promise.all(this.#sample.map((handle) => handle.status().catch(() => null)));
    const missing = views.filter((view) => view?.state !== "completed").length;
    return this.#app.metrics().completed - this.#warmed - missing;
  }

  /** Asks the threads what they ran; what none of them tells in time counts as lost. */
  async #hear(): Promise<void> {
    const channel = new BroadcastChannel(runsChannel);
    const completed = this.#app.metrics().completed - this.#warmed;
    let heard = 0;
    await new Promise<void>((resolve) => {
      const late = setTimeout(resolve, tellMs);
      channel.onmessage = ({ data }) => {
        const runs = data as Uint8Array; // what millrace-app.ts answers
        for (let index = 0; index < runs.length; index++) {
          for (let run = 0; run < (runs[index] ?? 0); run++) {
            this.#hooks?.ran(index);
            heard++;
          }
        }
        if (heard < completed) return;
        clearTimeout(late);
        resolve();
      };
      channel.postMessage("tell");
    });
    channel.close();
  }

  async close(): Promise<void> {
    if (this.#poll !== null) clearInterval(this.#poll);
    await this.#app.close();
  }
}

/** Events name an id, enqueues learn it: whichever comes second knows which job was completed. */
class NamedJobs {
  readonly #indexById = new Map<string, number>();
  readonly #completedEarly = new Set<string>();

  enqueued(id: string, index: number, hooks: Hooks): void {
    if (this.#completedEarly.delete(id)) hooks.acknowledged(1, index);
    else this.#indexById.set(id, index);
  }

  completed(id: string, hooks: Hooks): void {
    const index = this.#indexById.get(id);
    if (index === undefined) {
      this.#completedEarly.add(id);
      return;
    }
    this.#indexById.delete(id);
    hooks.acknowledged(1, index);
  }
}
