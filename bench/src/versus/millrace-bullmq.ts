/** Millrace through its BullMQ-compatible door: the adapter of bullmq.ts with another import. */
import { Queue, Worker } from "@millrace/core/compat/bullmq";
import { redisUrl } from "./bullmq.js";
import { type Hooks, type Job, jobIndex, type Session, type Subject, type WaitingKind } from "./subject.js";

const queueName = "bench";
const dayMs = 86_400_000;

/** This repository, as a BullMQ program uses it. */
export const millraceBullmq: Subject = {
  name: "millrace-bullmq",
  keeps: "what `millrace` keeps, and the job's name, data and options beside its result, without end",
  settings: "what bullmq's are: defaults but for the concurrency",
  concurrencies: [1, 50, 100, 200],
  jobs: 100_000,
  open: async (place) => {
    const session = new CompatSession(redisUrl(place));
    await session.ready();
    return session;
  },
};

class CompatSession implements Session {
  readonly #connection: { host: string; port: number; maxRetriesPerRequest: null };
  readonly #queue: Queue<Job, number>;
  #worker: Worker<Job, number> | null = null;

  constructor(url: URL) {
    this.#connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
    this.#queue = new Queue(queueName, { connection: this.#connection });
  }

  async ready(): Promise<void> {
    await this.#queue.waitUntilReady();
  }

  enqueue(job: Job): Promise<unknown> {
    return this.#queue.add("noop", job);
  }

  enqueueBulk(jobs: readonly Job[]): Promise<unknown> {
    return this.#queue.addBulk(jobs.map((data) => ({ name: "noop", data })));
  }

  async enqueueWaiting(jobs: readonly Job[], kind: WaitingKind): Promise<boolean> {
    const opts = kind === "scheduled" ? { delay: dayMs } : { priority: 5 };
    await this.#queue.addBulk(jobs.map((data) => ({ name: "noop", data, opts })));
    return true;
  }

  async start(concurrency: number, hooks: Hooks): Promise<void> {
    const worker = new Worker<Job, number>(
      queueName,
      async (job) => {
        hooks.ran(jobIndex(job.data.n));
        return job.data.n;
      },
      { connection: this.#connection, concurrency, autorun: false },
    );
    this.#worker = worker;
    // Emitted when the store has acknowledged this completion.
    worker.on("completed", (job) => hooks.acknowledged(1, jobIndex(job.data.n)));
    await worker.waitUntilReady();
    void worker.run();
  }

  storeCalls(): null {
    return null;
  }

  kept(): Promise<number> {
    return this.#queue.getCompletedCount();
  }

  async close(): Promise<void> {
    await this.#worker?.close();
    await this.#queue.close();
  }
}
