/**
 * One test's Queues, Workers and listeners of the BullMQ door: made under a prefix of their own, closed at its end.
 */
import {
  FlowProducer,
  type Job,
  type Loose,
  type Processor,
  Queue,
  QueueEvents,
  type QueueOptions,
  Worker,
  type WorkerOptions,
} from "@millrace/core/compat/bullmq";
import { poll } from "../../helper/wait.js";

/** A store to run the suite on. */
export interface Place {
  readonly label: string;
  /** Options that lead there; `other` leads to the same place as another process would. */
  options(other?: boolean): { readonly store?: string; readonly connection?: unknown };
  readonly isShared: boolean;
}

/** Where the door is tried: with nothing installed, and on Redis as a BullMQ program names it. */
export const places: readonly Place[] = [
  { label: "memory", options: () => ({ store: "memory:" }), isShared: false },
  {
    label: "Redis",
    options: (other = false) => {
      const url = new URL(process.env.MILLRACE_REDIS_URL ?? "");
      // Spelled otherwise it is another connection, as of another process.
      const host = other ? "localhost" : "127.0.0.1";
      return { connection: { host, port: Number(url.port), maxRetriesPerRequest: null } };
    },
    isShared: true,
  },
];

/** The place on Redis. */
export const redisPlace = places[1] as Place; // the list is above

let houses = 0;

/** What one test opens. */
export class House implements AsyncDisposable {
  readonly prefix = `t${process.pid}-${houses++}`;
  readonly #place: Place;
  readonly #open: { close(): Promise<void> }[] = [];

  constructor(place: Place) {
    this.#place = place;
  }

  queue(name = "work", options: Partial<QueueOptions> & { readonly other?: boolean } = {}): Queue {
    const { other, ...rest } = options;
    return this.#keep(new Queue(name, { ...this.#place.options(other), prefix: this.prefix, ...rest }));
  }

  worker(
    processor: Processor,
    options: Partial<WorkerOptions> & { readonly other?: boolean } = {},
    name = "work",
  ): Worker {
    const { other, ...rest } = options;
    return this.#keep(new Worker(name, processor, { ...this.#place.options(other), prefix: this.prefix, ...rest }));
  }

  events(name = "work", options: { readonly other?: boolean; readonly autorun?: boolean } = {}): QueueEvents {
    const { other, ...rest } = options;
    return this.#keep(new QueueEvents(name, { ...this.#place.options(other), prefix: this.prefix, ...rest }));
  }

  flows(): FlowProducer {
    return this.#keep(new FlowProducer({ ...this.#place.options(), prefix: this.prefix }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.#open.reverse()) await one.close();
  }

  #keep<T extends { close(): Promise<void> }>(one: T): T {
    this.#open.push(one);
    return one;
  }
}

/** Resolves when a job is in a state. */
export async function inState(job: Job, state: string): Promise<void> {
  await poll(async () => ((await job.getState()) === state ? true : null), `job ${job.id} being ${state}`);
}

/** The error something rejects or throws with; fails if it does neither. */
export async function refusal(act: () => unknown): Promise<Loose> {
  try {
    await act();
  } catch (error) {
    return error;
  }
  throw new Error("expected a refusal, and there was none");
}

/** A promise and what settles it. */
export function gate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}

/** Resolves with the arguments of the next event. */
export function next(of: { once(event: Loose, listener: Loose): unknown }, event: string): Promise<readonly Loose[]> {
  return new Promise((resolve) => of.once(event, (...args: unknown[]) => resolve(args)));
}
