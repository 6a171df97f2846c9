/**
 * The floor: what two cores and one Redis can do at all when nothing is promised.
 *
 * Variadic RPUSH, blocking LPOP of many, HSET of the results; calls of one tick share a command. No id but the job's
 * own number, no lease, no retry, no delay: a crash loses what was popped. It bounds every queue from above.
 */
import { Redis } from "ioredis";
import { redisUrl } from "./bullmq.js";
import { bulkMax, type Hooks, type Job, jobIndex, type Session, type Subject } from "./subject.js";

const readyKey = "raw:ready";
const resultsKey = "raw:results";
const popMax = 200;

/** Plain commands on ioredis. */
export const rawRedis: Subject = {
  name: "raw-redis",
  keeps: "the result in one hash, by the job's number; nothing else",
  settings: `RPUSH up to ${bulkMax} a call, BLMPOP up to ${popMax}, HSET of a whole batch`,
  concurrencies: [popMax],
  jobs: 200_000,
  open: async (place) => new RawSession(redisUrl(place)),
};

interface Caller {
  readonly text: string;
  resolve(): void;
  reject(error: unknown): void;
}

class RawSession implements Session {
  readonly #commands: Redis;
  readonly #popper: Redis;
  #callers: Caller[] = [];
  #running: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(url: URL) {
    this.#commands = new Redis(url.href);
    this.#popper = new Redis(url.href);
  }

  enqueue(job: Job): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#callers.length === 0) setImmediate(() => this.#flush());
      this.#callers.push({ text: JSON.stringify(job), resolve, reject });
      if (this.#callers.length === bulkMax) this.#flush();
    });
  }

  async enqueueBulk(jobs: readonly Job[]): Promise<void> {
    await this.#commands.rpush(readyKey, ...jobs.map((job) => JSON.stringify(job)));
  }

  async enqueueWaiting(): Promise<boolean> {
    return false;
  }

  async start(_concurrency: number, hooks: Hooks): Promise<void> {
    this.#running = this.#loop(hooks);
  }

  storeCalls(): null {
    return null;
  }

  async kept(): Promise<number> {
    return this.#commands.hlen(resultsKey);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#popper.disconnect();
    await this.#running;
    this.#commands.disconnect();
  }

  #flush(): void {
    const callers = this.#callers;
    if (callers.length === 0) return;
    this.#callers = [];
    this.#commands.rpush(readyKey, ...callers.map((caller) => caller.text)).then(
      () => {
        for (const caller of callers) caller.resolve();
      },
      (error: unknown) => {
        for (const caller of callers) caller.reject(error);
      },
    );
  }

  /** Pops the next batch while the last one's results are being written. */
  async #loop(hooks: Hooks): Promise<void> {
    while (!this.#isClosing) {
      let popped: [key: string, members: string[]] | null;
      try {
        popped = await this.#popper.blmpop(1, 1, readyKey, "LEFT", "COUNT", popMax);
      } catch (error) {
        if (this.#isClosing) return;
        throw error;
      }
      if (popped !== null) void this.#runBatch(popped[1], hooks);
    }
  }

  async #runBatch(texts: readonly string[], hooks: Hooks): Promise<void> {
    const results = await Promise.all(
      texts.map(async (text) => {
        const { n } = JSON.parse(text) as Job; // Written by this session.
        hooks.ran(jobIndex(n));
        return n;
      }),
    );
    await this.#commands.hset(resultsKey, ...results.flatMap((n) => [n, n]));
    for (const n of results) hooks.acknowledged(1, jobIndex(n));
  }
}
