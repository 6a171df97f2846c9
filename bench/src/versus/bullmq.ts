/**
 * BullMQ through its public API: one Queue, one Worker, defaults but for the concurrency that is swept. The same program
 * runs through any door that offers BullMQ's classes; Millrace's own is in millrace-bullmq.ts.
 */
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
  open: (place) => openBullmq({ Queue, Worker }, place),
};

interface Connection {
  readonly host: string;
  readonly port: number;
  readonly maxRetriesPerRequest: null;
}

/** As much of BullMQ's classes as the program uses. */
export interface BullmqDoor {
  readonly Queue: new (name: string, options: { connection: Connection }) => BullmqQueue;
  readonly Worker: new (
    name: string,
    processor: (job: { data: Job }) => Promise<number>,
    options: { connection: Connection; concurrency: number; autorun: false },
  ) => BullmqWorker;
}

interface BullmqQueue {
  waitUntilReady(): Promise<unknown>;
  add(name: string, data: Job): Promise<unknown>;
  addBulk(jobs: { name: string; data: Job; opts?: { delay?: number; priority?: number } }[]): Promise<unknown>;
  getCompletedCount(): Promise<number>;
  close(): Promise<unknown>;
}

interface BullmqWorker {
  on(event: "completed", listener: (job: { data: Job }) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  run(): Promise<unknown>;
  close(): Promise<unknown>;
}

/** Opens a session of the program on a door. */
export async function openBullmq(door: BullmqDoor, place: Place): Promise<Session> {
  const session = new BullmqSession(door, redisUrl(place));
  await session.ready();
  return session;
}

class BullmqSession implements Session {
  readonly #door: BullmqDoor;
  readonly #connection: Connection;
  readonly #queue: BullmqQueue;
  #worker: BullmqWorker | null = null;

  constructor(door: BullmqDoor, url: URL) {
    this.#door = door;
    this.#connection = { host: url.hostname, port: Number(url.port), maxRetriesPerRequest: null };
    this.#queue = new door.Queue(queueName, { connection: this.#connection });
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
    const worker = new this.#door.Worker(
      queueName,
      async (job) => {
        hooks.ran(jobIndex(job.data.n));
        return job.data.n;
      },
      { connection: this.#connection, concurrency, autorun: false },
    );
    this.#worker = worker;
    // Emitted when the store has acknowledged this completion (BullMQ: the reply of moveToFinished is in).
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
