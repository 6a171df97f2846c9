/**
 * Listening to a whole queue: BullMQ's QueueEvents, as far as one process hears. It hears what Queues and Workers of
 * this process do, and how the jobs that were added here end, wherever they run.
 */
import { systemClock } from "../../base/clock.js";
import { checkOptions, EVENTS_ROWS } from "./refusals.js";
import { ROOM, Room, type RoomEvents } from "./room.js";
import { openApp } from "./seam.js";
import { Speaker } from "./speaker.js";
import type { JobProgress, Loose, QueueEventsOptions } from "./types.js";

/** What is heard of a queue; the last argument numbers the event in this process. */
export interface QueueEventsListener {
  added: (args: { jobId: string; name: string }, id: string) => void;
  duplicated: (args: { jobId: string }, id: string) => void;
  deduplicated: (args: { jobId: string; deduplicationId: string }, id: string) => void;
  debounced: (args: { jobId: string; debounceId: string }, id: string) => void;
  waiting: (args: { jobId: string; prev?: string }, id: string) => void;
  delayed: (args: { jobId: string; delay: number }, id: string) => void;
  "waiting-children": (args: { jobId: string }, id: string) => void;
  active: (args: { jobId: string; prev?: string }, id: string) => void;
  progress: (args: { jobId: string; data: JobProgress }, id: string) => void;
  completed: (args: { jobId: string; returnvalue: Loose; prev?: string }, id: string) => void;
  failed: (args: { jobId: string; failedReason: string; prev?: string }, id: string) => void;
  "retries-exhausted": (args: { jobId: string; attemptsMade: string }, id: string) => void;
  stalled: (args: { jobId: string }, id: string) => void;
  removed: (args: { jobId: string; prev: string }, id: string) => void;
  paused: (args: object, id: string) => void;
  resumed: (args: object, id: string) => void;
  drained: (id: string) => void;
  error: (error: Error) => void;
}

/** Hears what becomes of the jobs of a queue. */
export class QueueEvents extends Speaker<QueueEventsListener> {
  readonly name: string;
  readonly opts: QueueEventsOptions;
  readonly [ROOM]: Room;
  #unlisten: (() => void) | null = null;
  #heard = 0;
  #closing: Promise<void> | null = null;

  /** Listens from now on unless `autorun` is false. Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION. */
  constructor(name: string, opts: QueueEventsOptions = {}) {
    super();
    checkOptions(opts, EVENTS_ROWS, "QueueEvents");
    this.name = name;
    this.opts = opts;
    this[ROOM] = Room.enter(name, opts);
    if (opts.autorun !== false) this.#listen();
  }

  /** Listens from now on. */
  async run(): Promise<void> {
    await this.waitUntilReady();
    this.#listen();
  }

  /** Resolves when the store is open. */
  async waitUntilReady(): Promise<void> {
    await openApp(this[ROOM].app);
  }

  /** Hears no more. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** The same. */
  disconnect(): Promise<void> {
    return this.close();
  }

  #listen(): void {
    if (this.#unlisten !== null || this.#closing !== null) return;
    this.#unlisten = this[ROOM].listen((event, args) => this.#hear(event, args));
  }

  #hear<Name extends keyof RoomEvents>(event: Name, args: RoomEvents[Name]): void {
    const id = `${systemClock.nowMs()}-${this.#heard++}`;
    const given = args === null ? [id] : [args, id];
    this.say(event, ...given);
  }

  async #close(): Promise<void> {
    this.#unlisten?.();
    await this[ROOM].leave();
  }
}
