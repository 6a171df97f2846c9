/**
 * The consuming side: BullMQ's Worker, a processor that the room's App calls (here: the function of its Steps).
 *
 * It runs on this thread, like BullMQ's unless given a file. Events are told after the store has acknowledged what they
 * tell. Life: made → running (`run`, by itself unless `autorun` is false) ⇄ paused → closed.
 */
import { systemClock, type Timer } from "../../base/clock.js";
import { createError, toRemoteError } from "../../base/errors.js";
import { systemRandom } from "../../base/random.js";
import { RetryAfter, type StepContext, TerminalError } from "../../index.js";
import { noteWait, waitAfter } from "./backoff.js";
import { DelayedError, RateLimitError, WaitingError } from "./errors.js";
import { familyOf, Job, type Relative } from "./job.js";
import { checkOptions, METHOD_HINTS, unsupported, WORKER_ROWS } from "./refusals.js";
import { retentionOfWorker } from "./retention.js";
import { JOBS_QUEUE, type Performer, ROOM, Room } from "./room.js";
import { countApp, openApp, restOf, setQueueLimit } from "./seam.js";
import { Speaker } from "./speaker.js";
import type { StoredJob, StoredResult } from "./stored.js";
import type { JobProgress, Loose, WorkerOptions } from "./types.js";

/** A program's own work. `signal` fires when the attempt is told to end. */
export type Processor<
  DataType = Loose,
  ResultType = Loose,
  NameType extends string = string,
  ProgressType extends JobProgress = JobProgress,
> = (
  job: Job<DataType, ResultType, NameType, ProgressType>,
  token?: string,
  signal?: AbortSignal,
) => Promise<ResultType> | ResultType;

/** What a Worker tells of the jobs it runs. */
export interface WorkerListener<DataType = Loose, ResultType = Loose, NameType extends string = string> {
  active: (job: Job<DataType, ResultType, NameType>, prev: string) => void;
  completed: (job: Job<DataType, ResultType, NameType>, result: ResultType, prev: string) => void;
  failed: (job: Job<DataType, ResultType, NameType> | undefined, error: Error, prev: string) => void;
  progress: (job: Job<DataType, ResultType, NameType>, progress: Loose) => void;
  stalled: (jobId: string, prev: string) => void;
  drained: () => void;
  error: (error: Error) => void;
  ready: () => void;
  paused: () => void;
  resumed: () => void;
  closing: (message: string) => void;
  closed: () => void;
}

/** A job whose outcome is on its way. */
interface Running {
  readonly job: Job<Loose, Loose, string>;
  error: Error | null;
  controller: AbortController | null;
}

/** How long a parent waits between two looks at its children: a quarter of its age, within these. */
const FAMILY_MS_MIN = 50;
const FAMILY_MS_MAX = 2_000;
let workersMade = 0;

/** Runs the jobs of one queue. */
export class Worker<DataType = Loose, ResultType = Loose, NameType extends string = string>
  extends Speaker<WorkerListener<DataType, ResultType, NameType>>
  implements Performer
{
  readonly name: string;
  readonly id: string;
  readonly opts: WorkerOptions;
  readonly [ROOM]: Room;
  readonly #processor: Processor<DataType, ResultType, NameType>;
  #concurrency: number;
  #active = 0;
  /** Jobs whose outcome is not acknowledged yet, by id; kept only while somebody listens. */
  readonly #running = new Map<string, Running>();
  #isPaused = false;
  #isClosing = false;
  /** The limiter it was given. */
  readonly limiter: WorkerOptions["limiter"];
  #limitedUntilMs = 0;
  #run: Promise<void> | null = null;
  #ready: Promise<void> | null = null;
  #closing: Promise<void> | null = null;
  #unlisten: (() => void)[] = [];
  #idle: (() => void)[] = [];
  /** Called when no outcome is awaited any more. */
  #settled: (() => void) | null = null;
  #ended: () => void = () => undefined;
  readonly #end: Promise<void>;
  #drainTimer: Timer | null = null;
  #hasWorked = false;

  /** Does no I/O; begins by itself unless `autorun` is false. Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION. */
  constructor(
    name: string,
    processor: Processor<DataType, ResultType, NameType> | string | URL | null | undefined,
    opts: WorkerOptions = {},
  ) {
    super();
    if (typeof processor === "string" || processor instanceof URL) {
      throw unsupported("a sandboxed processor (a file)", METHOD_HINTS.sandbox);
    }
    if (typeof processor !== "function") throw unsupported("a Worker without a processor", METHOD_HINTS.manualFetch);
    checkOptions(opts, WORKER_ROWS, "Worker");
    if (opts.settings?.repeatStrategy !== undefined) {
      throw unsupported("Worker option `settings.repeatStrategy`", METHOD_HINTS.schedules);
    }
    this.#concurrency = checkConcurrency(opts.concurrency ?? 1);
    this.limiter = checkLimiter(opts.limiter);
    const retention = retentionOfWorker(opts);
    this.name = name;
    this.opts = opts;
    this.id = `${++workersMade}`;
    this.#processor = processor;
    this.#end = new Promise((resolve) => {
      this.#ended = resolve;
    });
    this[ROOM] = Room.enter(name, opts);
    try {
      this[ROOM].retain(retention);
    } catch (error) {
      void this[ROOM].leave();
      throw error;
    }
    if (opts.autorun !== false) {
      queueMicrotask(() => {
        if (this.#closing === null) this.run().catch((error: Error) => this.say("error", error));
      });
    }
  }

  get prefix(): string {
    return this[ROOM].prefix;
  }

  get qualifiedName(): string {
    return this[ROOM].qualifiedName;
  }

  /** Jobs at once. */
  get concurrency(): number {
    return this.#concurrency;
  }

  /** Takes effect at once; what runs goes on. Errors: MR_INVALID_OPTION. */
  set concurrency(concurrency: number) {
    this.#concurrency = checkConcurrency(concurrency);
    this[ROOM].restaff();
  }

  /** Jobs that run now. */
  get active(): number {
    return this.#active;
  }

  /** Whether it takes jobs. */
  get isTaking(): boolean {
    return !this.#isPaused && !this.#isClosing;
  }

  isPaused(): boolean {
    return this.#isPaused;
  }

  isRunning(): boolean {
    return this.#run !== null && !this.#isClosing;
  }

  /** Resolves when it runs, or (without `autorun`) when the store is open. */
  async waitUntilReady(): Promise<void> {
    if (this.opts.autorun !== false && this.#ready === null) await null; // it begins at the end of this turn
    await (this.#ready ?? openApp(this[ROOM].app));
  }

  /** Runs jobs; resolves when the Worker is closed. Errors: MR_APP_STATE when it runs already, those of `App.start`. */
  run(): Promise<void> {
    if (this.#run !== null) {
      const state = { app: this[ROOM].appId, state: "running", method: "run", expected: "not running" };
      return Promise.reject(createError("MR_APP_STATE", state));
    }
    this.#ready = this.#begin();
    this.#run = this.#ready.then(() => this.#end);
    return this.#run;
  }

  async #begin(): Promise<void> {
    const room = this[ROOM];
    await openApp(room.app);
    this.say("ready");
    if (!this.#isClosing) await room.employ(this);
  }

  /** Takes no more jobs; resolves when those that run have ended, or at once if told not to wait. */
  async pause(doNotWaitActive = false): Promise<void> {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this[ROOM].restaff();
    if (!doNotWaitActive) await this.#whenIdle();
    this.say("paused");
  }

  /** Takes jobs again. */
  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this[ROOM].restaff();
    this.say("resumed");
  }

  /** Ends: running jobs may finish, or with `force` are given back at once to run elsewhere. */
  close(force = false): Promise<void> {
    this.#closing ??= this.#close(force);
    return this.#closing;
  }

  /** The same, by force. */
  disconnect(): Promise<void> {
    return this.close(true);
  }

  /** For so many milliseconds no job of the queue begins, in any process. Throw RateLimitError behind it. */
  async rateLimit(expireTimeMs: number): Promise<void> {
    this.#limitedUntilMs = systemClock.nowMs() + expireTimeMs;
    await setQueueLimit(this[ROOM].app, "rest", restOf(expireTimeMs));
  }

  /** The error of a processor that called `rateLimit`. */
  static RateLimitError(): Error {
    return new RateLimitError();
  }

  /** Fires the signal of a job this Worker runs; false if it does not run it. What becomes of the job is the processor's. */
  cancelJob(jobId: string, reason?: string): boolean {
    const running = this.#running.get(jobId) ?? [...this.#running.values()].find(({ job }) => job.id === jobId);
    if (running === undefined) return false;
    running.controller?.abort(reason);
    return running.controller !== null;
  }

  /** The same for all of them. */
  cancelAllJobs(reason?: string): void {
    for (const { controller } of this.#running.values()) controller?.abort(reason);
  }

  /** Refused. */
  async getNextJob(_token: string): Promise<never> {
    throw unsupported("worker.getNextJob()", METHOD_HINTS.manualFetch);
  }

  /** Called by the room for each attempt. */
  async perform(stored: StoredJob, context: StepContext): Promise<StoredResult> {
    const limitedMs = this.#limitedUntilMs === 0 ? 0 : this.#limitedUntilMs - systemClock.nowMs();
    if (limitedMs > 0) throw new RetryAfter(Math.ceil(limitedMs));
    const [name, data, extras] = stored;
    const room = this[ROOM];
    const job = Job.begun<DataType, ResultType, NameType>(room, { name, data, extras }, context);
    this.#active++;
    this.#hasWorked = true;
    let running: Running | null = null;
    try {
      if (job.children.length > 0) await this.#awaitFamily(job);
      this.#checkStarts(job);
      job.processedBy = this.opts.name;
      if (this.#isHeard || this.#processor.length > 2) running = this.#follow(job, context);
      const token = context.fence;
      job.token = token;
      const result = await this.#processor(job, token, running?.controller?.signal);
      job.returnvalue = result;
      const progress = job.progress === 0 ? null : job.progress;
      return [result, name, data, extras ?? null, progress, job.processedBy ?? null];
    } catch (thrown) {
      const error = await this.#verdictOn(thrown, job);
      if (running !== null) running.error = error;
      throw error;
    } finally {
      this.#active--;
      if (this.#active === 0) this.#becameIdle();
    }
  }

  get #isHeard(): boolean {
    return (
      this[ROOM].isWatched ||
      this.listenerCount("completed") > 0 ||
      this.listenerCount("failed") > 0 ||
      this.listenerCount("active") > 0 ||
      this.listenerCount("progress") > 0 ||
      this.listenerCount("stalled") > 0
    );
  }

  /** Tells that a job begins, and remembers it until the store has its outcome. */
  #follow(job: Job<DataType, ResultType, NameType>, context: StepContext): Running {
    if (this.#unlisten.length === 0) this.#hearOutcomes();
    const room = this[ROOM];
    const { id, operationId } = job;
    const controller = this.#processor.length > 2 ? controllerOf(context.abort) : null;
    const running: Running = { job, error: null, controller };
    this.#running.set(operationId, running);
    if (room.isWatched) room.running.add(operationId);
    if (job.stalledCounter > 0) {
      this.say("stalled", id, "active");
      room.tell("stalled", { jobId: id });
    }
    this.say("active", job, "waiting");
    room.tell("active", { jobId: id, prev: "waiting" });
    job.progressed = (progress) => {
      this.say("progress", job, progress);
      room.tell("progress", { jobId: id, data: progress });
    };
    return running;
  }

  /** Listens to what the store has acknowledged. */
  #hearOutcomes(): void {
    const { app } = this[ROOM];
    this.#unlisten = [
      app.on("operation.completed", ({ id, attempt }) => this.#completed(id, attempt)),
      app.on("operation.failed", ({ id, attempt, error }) => this.#failed(id, attempt, error, true)),
      app.on("operation.retrying", ({ id, attempt, error }) => this.#failed(id, attempt, error, false)),
      app.on("operation.cancelled", ({ id }) => this.#forget(id)),
      app.on("operation.released", ({ id }) => this.#forget(id)),
      app.on("operation.stale", ({ id }) => this.#forget(id)),
    ];
  }

  #forget(id: string): void {
    this.#running.delete(id);
    this[ROOM].running.delete(id);
    if (this.#running.size === 0) this.#settled?.();
  }

  #completed(id: string, attempt: number): void {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#forget(id);
    const { job } = running;
    job.attemptsMade = attempt;
    job.finishedOn = systemClock.nowMs();
    this.say("completed", job, job.returnvalue, "active");
    const room = this[ROOM];
    if (room.isWatched && !room.followed.has(id)) {
      room.tell("completed", { jobId: job.id, returnvalue: job.returnvalue ?? null, prev: "active" });
    }
  }

  #failed(
    id: string,
    attempt: number,
    remote: { readonly message: string; readonly stack?: string },
    isFinal: boolean,
  ) {
    const running = this.#running.get(id);
    if (running === undefined) return;
    this.#forget(id);
    const { job } = running;
    const error = running.error ?? new Error(remote.message);
    job.attemptsMade = attempt;
    job.failedReason = remote.message;
    if (job.opts.stackTraceLimit !== 0) job.stacktrace = [remote.stack ?? remote.message];
    if (isFinal) job.finishedOn = systemClock.nowMs();
    this.say("failed", job, error, "active");
    const room = this[ROOM];
    if (!room.isWatched) return;
    if (!isFinal) return room.tell("waiting", { jobId: job.id, prev: "failed" });
    if (room.followed.has(id)) return;
    room.tell("failed", { jobId: job.id, failedReason: remote.message, prev: "active" });
    room.tell("retries-exhausted", { jobId: job.id, attemptsMade: String(attempt) });
  }

  /** Errors: TerminalError for a job that lost its worker, or was begun, too often. */
  #checkStarts(job: Job<DataType, ResultType, NameType>): void {
    const { maxStalledCount, maxStartedAttempts } = this.opts;
    if (maxStalledCount !== undefined && job.stalledCounter > maxStalledCount) {
      throw new TerminalError(`job stalled more than allowable limit (${maxStalledCount})`);
    }
    if (maxStartedAttempts !== undefined && job.attemptsStarted > maxStartedAttempts) {
      throw new TerminalError(`job was started more than ${maxStartedAttempts} times`);
    }
  }

  /** Hands a parent back until its children have ended. Errors: RetryAfter, TerminalError when a child's failure is its own. */
  async #awaitFamily(job: Job<DataType, ResultType, NameType>): Promise<void> {
    const family = await familyOf(this[ROOM], job.children);
    const state = ({ found }: Relative) => found?.view.state;
    for (const one of family) {
      if (one.found === null) {
        throw new TerminalError(`child ${one.key} is past its retention: what it gave is not known any more`);
      }
      if (state(one) !== "failed") continue;
      if (one.child.onFail === "fail") {
        throw new TerminalError(`child ${one.key} failed: ${one.found.view.error?.message ?? "no reason was kept"}`);
      }
      if (one.child.onFail === "continue") return;
    }
    const isOver = (one: Relative) => {
      const at = state(one);
      if (at === "failed") return one.child.onFail === "ignore" || one.child.onFail === "remove";
      return at === "completed" || at === "cancelled" || at === "skipped";
    };
    if (family.every(isOver)) return;
    const ageMs = systemClock.nowMs() - job.timestamp;
    throw new RetryAfter(Math.round(Math.min(FAMILY_MS_MAX, Math.max(FAMILY_MS_MIN, ageMs / 4))));
  }

  /** What the engine is to be told of what a processor threw. */
  async #verdictOn(thrown: unknown, job: Job<DataType, ResultType, NameType>): Promise<Error> {
    const error = asError(thrown);
    if (isCalled(error, DelayedError) || isCalled(error, WaitingError)) {
      return new RetryAfter(Math.max(0, (job.againAtMs ?? 0) - systemClock.nowMs()));
    }
    if (isCalled(error, RateLimitError)) return new RetryAfter(Math.max(0, this.#limitedUntilMs - systemClock.nowMs()));
    if (error instanceof RetryAfter || error instanceof TerminalError) return error;
    try {
      const { backoff } = job.opts;
      if (backoff === undefined) return error;
      const attemptsMade = job.attemptsMade + 1;
      const strategy = this.opts.settings?.backoffStrategy;
      noteWait(error, await waitAfter({ backoff, attemptsMade, error, job, strategy, random: systemRandom }));
      return error;
    } catch (broken) {
      // A rule that breaks ends the job with its own error: behind retries it would be hidden.
      return new TerminalError(toRemoteError(broken).message, { cause: error });
    }
  }

  #becameIdle(): void {
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
    if (this.#drainTimer !== null || (this.listenerCount("drained") === 0 && !this[ROOM].isWatched)) return;
    // The outcome of the last job is on its way to the store, and another job perhaps here: look in a moment.
    this.#drainTimer = systemClock.setTimer(DRAIN_LOOK_MS, () => {
      this.#drainTimer = null;
      void this.#lookWhetherDrained();
    });
    this.#drainTimer.unref();
  }

  async #lookWhetherDrained(): Promise<void> {
    if (this.#active > 0 || !this.#hasWorked || this.#isClosing) return;
    try {
      const { ready } = await countApp(this[ROOM].app, JOBS_QUEUE);
      if (ready > 0 || this.#active > 0 || !this.#hasWorked) return;
      this.#hasWorked = false;
      this.say("drained");
      this[ROOM].tell("drained", null);
    } catch (error) {
      this.say("error", error);
    }
  }

  async #whenIdle(): Promise<void> {
    if (this.#active > 0) await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  /** Resolves when every outcome is acknowledged and told; a store that is away is not waited for longer than SETTLE_MS. */
  async #whenSettled(): Promise<void> {
    if (this.#running.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = systemClock.setTimer(SETTLE_MS, resolve);
      this.#settled = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  async #close(force: boolean): Promise<void> {
    this.say("closing", "closing");
    this.#isClosing = true;
    this.#drainTimer?.cancel();
    this[ROOM].restaff();
    await this.#ready?.catch(() => undefined);
    if (this.#ready !== null) {
      if (!force) await this.#whenIdle();
      await this[ROOM].dismiss(this, force);
      if (!force) await this.#whenSettled();
    }
    for (const end of this.#unlisten) end();
    await this[ROOM].leave();
    this.#ended();
    this.say("closed");
  }
}

/** How long a Worker that is closed waits for the store to acknowledge what it did, while others of its queue go on. */
const SETTLE_MS = 5_000;

/** How long after the last job the queue is looked at for `drained`. */
const DRAIN_LOOK_MS = 20;

function checkConcurrency(concurrency: number): number {
  if (Number.isInteger(concurrency) && concurrency >= 1) return concurrency;
  throw createError("MR_INVALID_OPTION", { path: "concurrency", problem: "expected an integer of at least 1" });
}

function checkLimiter(limiter: WorkerOptions["limiter"]): WorkerOptions["limiter"] {
  if (limiter === undefined) return undefined;
  const isCount = (value: unknown): boolean => Number.isInteger(value) && (value as number) >= 1; // an integer is a number
  if (isCount(limiter?.max) && isCount(limiter.duration)) return limiter;
  const problem = "expected { max, duration }, both integers of at least 1";
  throw createError("MR_INVALID_OPTION", { path: "limiter", problem });
}

function controllerOf(abort: AbortSignal): AbortController {
  const controller = new AbortController();
  if (abort.aborted) controller.abort(abort.reason);
  else abort.addEventListener("abort", () => controller.abort(abort.reason), { once: true });
  return controller;
}

/** Also when the error was made by the package this door stands in for. */
function isCalled(error: Error, kind: { readonly name: string; new (): Error }): boolean {
  const { name } = error;
  return error instanceof kind || name === kind.name;
}

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(toRemoteError(thrown).message);
}
