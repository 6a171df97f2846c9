/**
 * What the Queues, Workers and listeners of one process share for one BullMQ queue: an App of its own, whose Steps all
 * wait in one Queue, and a place where they hear of each other.
 *
 * A BullMQ queue is an App here, so that its counts, its failed jobs and its limits are its own. Life: entered by each
 * who uses it, its App made at the first use, closed when the last one leaves.
 */

import { createError } from "../../base/errors.js";
import { App, type Logger, RetryAfter, type Step, type StepContext } from "../../index.js";
import { NO_FURTHER_ATTEMPT, waitOf } from "./backoff.js";
import { storeUrlOf } from "./connection.js";
import { isUnrecoverable } from "./errors.js";
import { unsupported } from "./refusals.js";
import { KEEP_ALL, stepsOf, type WorkerRetention } from "./retention.js";
import { gatherJobs, paceOf, slotsSetterOf } from "./seam.js";
import type { StoredJob } from "./stored.js";
import type { ConnectionOptions } from "./types.js";

/** Where a Queue, Worker or QueueEvents keeps its room. */
export const ROOM = Symbol("millrace.bullmqRoom");

/** The Queue in which all jobs of an App of this door wait. */
export const JOBS_QUEUE = "jobs";
const PREFIX = "bull";

/** Who runs jobs. */
export interface Performer {
  readonly concurrency: number;
  /** How many it runs now. */
  readonly active: number;
  /** Whether it wants more. */
  readonly isTaking: boolean;
  /** How many may begin in a time, over all processes; undefined for any number. */
  readonly limiter: { readonly max: number; readonly duration: number } | undefined;
  perform(stored: StoredJob, context: StepContext): unknown;
}

/** What is told to listeners to a whole queue. */
export interface RoomEvents {
  readonly added: { readonly jobId: string; readonly name: string };
  readonly duplicated: { readonly jobId: string };
  readonly deduplicated: { readonly jobId: string; readonly deduplicationId: string };
  readonly debounced: { readonly jobId: string; readonly debounceId: string };
  readonly waiting: { readonly jobId: string; readonly prev?: string };
  readonly delayed: { readonly jobId: string; readonly delay: number };
  readonly "waiting-children": { readonly jobId: string };
  readonly active: { readonly jobId: string; readonly prev: string };
  readonly progress: { readonly jobId: string; readonly data: unknown };
  readonly completed: { readonly jobId: string; readonly returnvalue: unknown; readonly prev: string };
  readonly failed: { readonly jobId: string; readonly failedReason: string; readonly prev: string };
  readonly "retries-exhausted": { readonly jobId: string; readonly attemptsMade: string };
  readonly stalled: { readonly jobId: string };
  readonly removed: { readonly jobId: string; readonly prev: string };
  readonly paused: Readonly<Record<string, never>>;
  readonly resumed: Readonly<Record<string, never>>;
  readonly drained: null;
}

/** Hears what is told. */
export type RoomListener = <Name extends keyof RoomEvents>(event: Name, args: RoomEvents[Name]) => void;

/** Rooms in use, by store and App. One per process: that two Queues of one name meet is the point of it. */
const rooms = new Map<string, Room>();

/** One queue in this process. */
export class Room {
  readonly queueName: string;
  readonly prefix: string;
  readonly store: string;
  readonly appId: string;
  readonly #key: string;
  readonly #logger: Logger | undefined;
  #users = 0;
  #app: App | null = null;
  readonly #steps = new Map<string, Step<StoredJob, unknown>>();
  readonly #performers: Performer[] = [];
  #retention: WorkerRetention | null = null;
  #setSlots: ((slots: number) => void) | null = null;
  /** Changes to who performs, one after the other. */
  #staffing: Promise<void> = Promise.resolve();
  readonly #listeners = new Set<RoomListener>();
  /** Jobs whose end is told by who waits for it, not by the Worker that runs it. */
  readonly followed = new Set<string>();
  /** Jobs that a Worker of this process runs: it tells their progress, since not every note reaches the store. */
  readonly running = new Set<string>();
  /** Rooms of other queues that flows lead to. */
  readonly #neighbours = new Map<string, Room>();

  /** Enters the room of a queue. Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION, MR_INVALID_NAME. */
  static enter(queueName: unknown, options: ConnectionOptions): Room {
    if (typeof queueName !== "string" || queueName === "" || queueName.includes(":")) {
      const problem = "expected a queue name, a text without `:`";
      throw createError("MR_INVALID_OPTION", { path: "queue", problem });
    }
    const store = storeUrlOf(options);
    const prefix = options.prefix ?? PREFIX;
    const appId = appIdOf(prefix, queueName);
    const key = `${store}\n${appId}`;
    let room = rooms.get(key);
    if (room === undefined) {
      room = new Room(key, { queueName, prefix, store, appId }, options.logger);
      rooms.set(key, room);
    }
    room.#users++;
    return room;
  }

  private constructor(
    key: string,
    place: Pick<Room, "queueName" | "prefix" | "store" | "appId">,
    logger: Logger | undefined,
  ) {
    this.#key = key;
    this.queueName = place.queueName;
    this.prefix = place.prefix;
    this.store = place.store;
    this.appId = place.appId;
    this.#logger = logger;
  }

  /** The App, made now if it was not. */
  get app(): App {
    this.#app ??= this.#makeApp();
    return this.#app;
  }

  /** The key BullMQ would name this queue by. */
  get qualifiedName(): string {
    return `${this.prefix}:${this.queueName}`;
  }

  /** The Step of a retention. */
  step(name: string): Step<StoredJob, unknown> {
    this.#app ??= this.#makeApp();
    const step = this.#steps.get(name);
    if (step === undefined) throw createError("MR_UNKNOWN_TARGET", { name, hint: "" });
    return step;
  }

  /** Whether anybody listens to the whole queue. */
  get isWatched(): boolean {
    return this.#listeners.size > 0;
  }

  /** Listens; the returned function ends it. */
  listen(listener: RoomListener): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Tells listeners. */
  tell<Name extends keyof RoomEvents>(event: Name, args: RoomEvents[Name]): void {
    for (const listener of this.#listeners) listener(event, args);
  }

  /** Says how long this process's Workers keep what says nothing. Errors: MR_COMPAT_UNSUPPORTED when it is too late. */
  retain(retention: WorkerRetention): void {
    const { completedMs, failedMs } = this.#retention ?? KEEP_ALL;
    if (retention.completedMs === completedMs && retention.failedMs === failedMs) return;
    if (this.#app !== null || this.#retention !== null) {
      const what = "a Worker with a removeOnComplete or removeOnFail of its own, beside others of its queue,";
      throw unsupported(what, "make it before the queue is used in this process, or say it in defaultJobOptions");
    }
    this.#retention = retention;
  }

  /** Lets someone run jobs; resolves when claiming has begun. Errors: those of `App.start`. */
  employ(performer: Performer): Promise<void> {
    return this.#staff(async () => {
      this.#performers.push(performer);
      try {
        this.#setSlots ??= await slotsSetterOf(this.app);
        await this.app.start();
        this.restaff();
      } catch (error) {
        this.#remove(performer);
        throw error;
      }
    });
  }

  /** Ends that; resolves when nothing is claimed for it any more. `isForced`: what runs is given up on. */
  dismiss(performer: Performer, isForced: boolean): Promise<void> {
    return this.#staff(async () => {
      this.#remove(performer);
      if (this.#app === null) return;
      if (this.#performers.length > 0) return this.restaff();
      await this.#app.stop({ drain: isForced ? 0 : "1d" });
    });
  }

  /** Takes note that someone wants more, or less: at once, so that nothing begins that would have to be handed back. */
  restaff(): void {
    this.#setSlots?.(this.#slots);
  }

  /** The room of another queue in the same store, for flows; left with this one. */
  neighbour(queueName: string, prefix = this.prefix): Room {
    if (queueName === this.queueName && prefix === this.prefix) return this;
    const key = `${prefix}:${queueName}`;
    let room = this.#neighbours.get(key);
    if (room === undefined) {
      room = Room.enter(queueName, { store: this.store, prefix, ...(this.#logger ? { logger: this.#logger } : {}) });
      this.#neighbours.set(key, room);
    }
    return room;
  }

  /** Leaves; the last one closes the App. */
  async leave(): Promise<void> {
    this.#users--;
    if (this.#users > 0) return;
    if (rooms.get(this.#key) === this) rooms.delete(this.#key);
    const neighbours = [...this.#neighbours.values()];
    this.#neighbours.clear();
    await this.#staffing;
    await this.#app?.close();
    await Promise.all(neighbours.map((room) => room.leave()));
  }

  #makeApp(): App {
    const slots = Math.max(1, this.#slots);
    const app = new App({
      id: this.appId,
      store: directoryOf(this.store, this.appId),
      workers: { asyncWorkers: 1, slots: Math.min(slots, SLOTS_MAX) },
      ...(this.#logger === undefined ? {} : { logger: this.#logger }),
    });
    gatherJobs(app, () => this.#pace);
    for (const { name, completedMs, failedMs } of stepsOf(this.#retention ?? KEEP_ALL)) {
      const options = {
        kind: "async",
        queue: JOBS_QUEUE,
        retries: 0,
        retryDelay: 0,
        maxRetryDelay: "365d",
        backoff: (_failed: number, error: Error) => waitOf(error),
        retryOn: (error: Error) => !isUnrecoverable(error) && waitOf(error) !== NO_FURTHER_ATTEMPT,
        timeout: "none",
        retain: { completed: completedMs, failed: failedMs },
      } as const;
      const step = app.step(name, options, (stored: StoredJob, context) => this.#perform(stored, context));
      this.#steps.set(name, step);
    }
    return app;
  }

  #perform(stored: StoredJob, context: StepContext): unknown {
    const performer = this.#free();
    if (performer === undefined) throw new RetryAfter(0); // paused or closed since it was claimed
    return performer.perform(stored, context);
  }

  /** Who has most room; nearly always there is but one. */
  #free(): Performer | undefined {
    const [only] = this.#performers;
    if (this.#performers.length === 1) return only?.isTaking === true ? only : undefined;
    let best: Performer | undefined;
    for (const one of this.#performers) {
      if (!one.isTaking || one.active >= one.concurrency) continue;
      if (best === undefined || one.concurrency - one.active > best.concurrency - best.active) best = one;
    }
    return best;
  }

  /** The slowest of its Workers' limiters: claims are for all of them. */
  get #pace(): ReturnType<typeof paceOf> | null {
    let slowest: ReturnType<typeof paceOf> | null = null;
    for (const { limiter } of this.#performers) {
      if (limiter === undefined) continue;
      const pace = paceOf(limiter.max, limiter.duration);
      if (slowest === null || pace.everyMs > slowest.everyMs) slowest = pace;
    }
    return slowest;
  }

  get #slots(): number {
    return this.#performers.reduce((sum, one) => (one.isTaking ? sum + one.concurrency : sum), 0);
  }

  #remove(performer: Performer): void {
    const at = this.#performers.indexOf(performer);
    if (at >= 0) this.#performers.splice(at, 1);
  }

  #staff(change: () => Promise<void>): Promise<void> {
    const done = this.#staffing.then(change);
    this.#staffing = done.catch(() => undefined); // told to who asked for it
    return done;
  }
}

/** Slots an App can be configured with; more are set when it runs. */
const SLOTS_MAX = 4_096;

/**
 * The id of the App that stands for a queue: its prefix and its name in the letters an App may have. Different queues
 * never share one: `_` and two hexadecimal digits stand for each byte that is no letter, digit or hyphen.
 */
export function appIdOf(prefix: string, queueName: string): string {
  return `bq.${plain(prefix)}.${plain(queueName)}`;
}

/** An embedded store is a directory for each App: queues lie side by side in the one that was named. */
function directoryOf(store: string, appId: string): string {
  if (!store.startsWith("embedded:")) return store;
  return `embedded:${store.slice("embedded:".length) || ".millrace"}/${appId}`;
}

function plain(text: string): string {
  return text.replace(/[^A-Za-z0-9-]/gu, (letter) =>
    [...Buffer.from(letter)].map((byte) => `_${byte.toString(16).padStart(2, "0")}`).join(""),
  );
}
