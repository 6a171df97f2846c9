/** bee-queue through its public API, with the settings its own documentation names for speed. */
import BeeQueue from "bee-queue";
import { redisUrl } from "./bullmq.js";
import { type Hooks, type Job, jobIndex, type Place, type Session, type Subject, type WaitingKind } from "./subject.js";

const dayMs = 86_400_000;

/** bee-queue on its own node_redis. */
export const beeQueue: Subject = {
  name: "bee-queue",
  keeps: "the job's JSON in a hash and its id in the succeeded set; the return value is not kept",
  settings: "getEvents, sendEvents and storeJobs off (faster); removeOnSuccess off (its default)",
  concurrencies: [1, 50, 100, 200],
  jobs: 20_000,
  open: async (place) => {
    const session = new BeeSession(place);
    await session.ready();
    return session;
  },
};

class BeeSession implements Session {
  readonly #queue: BeeQueue<Job>;

  constructor(place: Place) {
    const { hostname, port } = redisUrl(place);
    this.#queue = new BeeQueue("bench", {
      redis: { host: hostname, port: Number(port) },
      getEvents: false,
      sendEvents: false,
      storeJobs: false,
    });
  }

  async ready(): Promise<void> {
    await this.#queue.ready();
  }

  enqueue(job: Job): Promise<unknown> {
    return this.#queue.createJob(job).save();
  }

  async enqueueBulk(jobs: readonly Job[]): Promise<void> {
    const errors = await this.#queue.saveAll(jobs.map((job) => this.#queue.createJob(job)));
    const [first] = errors.values();
    if (first !== undefined) throw first;
  }

  async enqueueWaiting(jobs: readonly Job[], kind: WaitingKind): Promise<boolean> {
    if (kind === "prioritised") return false;
    const dueMs = Date.now() + dayMs;
    await this.#queue.saveAll(jobs.map((job) => this.#queue.createJob(job).delayUntil(dueMs)));
    return true;
  }

  async start(concurrency: number, hooks: Hooks): Promise<void> {
    // Emitted when the record was moved to the succeeded set.
    this.#queue.on("succeeded", (job) => hooks.acknowledged(1, jobIndex(job.data.n)));
    this.#queue.process<number>(concurrency, async (job) => {
      hooks.ran(jobIndex(job.data.n));
      return job.data.n;
    });
  }

  storeCalls(): null {
    return null;
  }

  async kept(): Promise<number> {
    return (await this.#queue.checkHealth()).succeeded;
  }

  async close(): Promise<void> {
    await this.#queue.close();
  }
}
