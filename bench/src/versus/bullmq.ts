/** BullMQ through its public API: one Queue, one Worker, defaults but for the concurrency that is swept. */
import { Queue, Worker } from "bullmq";
import { type Hooks, type Job, jobIndex, type Place, type Session, type Subject, type WaitingKind } from "./subject.js";

const queueName = "bench";
const dayMs = 86_400_000;

/** BullMQ on ioredis. */
export const bullmq: Subject = {
  name: "bullmq",
  keeps: "the job's hash (data, options, times, return value), its id in the completed set, an event in its stream",
  // ioredis's own automatic pipelining was tried for it and made it slower (process by a third), so it stays off.
  settings: "removeOnComplete false (its default); stalled checks, locks and events at defaults",
  concurrencies: [1, 50, 100, 200],
  jobs: 20_000,
  open: async (place) => {
    const session = new BullmqSession(redisUrl(place));
    await session.ready();
    return session;
  },
};

class BullmqSession implements Session {
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
    // Emitted when the reply of moveToFinished is in: the store has acknowledged this completion.
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

/** The address of a place on Redis; rivals have no other store. */
export function redisUrl(place: Place): URL {
  if (place.store !== "redis") throw new Error(`this subject runs on redis only, not on ${place.store}`);
  return new URL(place.url);
}
