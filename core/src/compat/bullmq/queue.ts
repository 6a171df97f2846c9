/**
 * The producing side: BullMQ's Queue over an App of its own (room.ts).
 */
import { createError, show } from "../../base/errors.js";
import type { OperationPage } from "../../index.js";
import { addJob, addJobs, Job, readJob, removeJob, stateOf } from "./job.js";
import { deduplicationKey } from "./keys.js";
import { planOf } from "./plan.js";
import { checkOptions, METHOD_HINTS, QUEUE_ROWS, unsupported } from "./refusals.js";
import { JOBS_QUEUE, ROOM, Room } from "./room.js";
import {
  countApp,
  type Found,
  findOperations,
  holdersOf,
  listFailed,
  listReady,
  openApp,
  paceOf,
  queueLimit,
  restOf,
  setQueueLimit,
} from "./seam.js";
import { Speaker } from "./speaker.js";
import type {
  BulkJobOptions,
  DefaultJobOptions,
  FinishedStatus,
  JobProgress,
  JobState,
  JobsOptions,
  JobType,
  Loose,
  QueueOptions,
} from "./types.js";

/** What a Queue tells of its own doings. */
export interface QueueListener<DataType = Loose, ResultType = Loose, NameType extends string = string> {
  error: (error: Error) => void;
  waiting: (job: Job<DataType, ResultType, NameType>) => void;
  paused: () => void;
  resumed: () => void;
  removed: (jobId: string) => void;
  progress: (jobId: string, progress: JobProgress) => void;
  cleaned: (jobs: string[], type: string) => void;
}

const COUNTED = ["active", "completed", "delayed", "failed", "prioritized", "waiting", "waiting-children"] as const;
const CANCEL_AT_ONCE = 500;
const PAGE = 1_000;
const LISTED = ["active", "completed", "delayed", "failed", "waiting"] as const;

/** Adds jobs and looks after them. */
export class Queue<DataType = Loose, ResultType = Loose, NameType extends string = string> extends Speaker<
  QueueListener<DataType, ResultType, NameType>
> {
  readonly name: string;
  readonly opts: QueueOptions;
  readonly defaultJobOptions: DefaultJobOptions;
  readonly [ROOM]: Room;
  readonly #defaults: DefaultJobOptions | undefined;
  #closing: Promise<void> | null = null;

  /** Does no I/O. Errors: MR_COMPAT_UNSUPPORTED for an option this door does not offer, MR_INVALID_OPTION. */
  constructor(name: string, opts: QueueOptions = {}) {
    super();
    checkOptions(opts, QUEUE_ROWS, "Queue");
    this.name = name;
    this.opts = opts;
    const { defaultJobOptions } = opts;
    this.#defaults = defaultJobOptions;
    this.defaultJobOptions = defaultJobOptions ?? {};
    planOf(undefined, defaultJobOptions, undefined); // what is wrong with them shows now, not with the first job
    this[ROOM] = Room.enter(name, opts);
  }

  get prefix(): string {
    return this[ROOM].prefix;
  }

  /** `prefix:name`, as flows and parents name it. */
  get qualifiedName(): string {
    return this[ROOM].qualifiedName;
  }

  /** Resolves when the store is open. */
  async waitUntilReady(): Promise<void> {
    await openApp(this.#room("waitUntilReady").app);
  }

  /**
   * Adds a job; resolves when the store has it.
   *
   * Errors: MR_COMPAT_UNSUPPORTED, MR_INVALID_OPTION, MR_NOT_SERIALISABLE, MR_TOO_LARGE, those of the store.
   */
  async add(name: NameType, data: DataType, opts?: JobsOptions): Promise<Job<DataType, ResultType, NameType>> {
    const room = this.#room("add");
    const plan = planOf(opts, this.#defaults, data);
    const job = await addJob<DataType, ResultType, NameType>(room, name, data, plan);
    this.say("waiting", job);
    return job;
  }

  /** Adds jobs in order; resolves when the store has all. Errors: as `add`; of the first that was refused. */
  async addBulk(
    jobs: readonly { readonly name: NameType; readonly data: DataType; readonly opts?: BulkJobOptions }[],
  ): Promise<Job<DataType, ResultType, NameType>[]> {
    const room = this.#room("addBulk");
    const additions = jobs.map(({ name, data, opts }) => ({ name, data, plan: planOf(opts, this.#defaults, data) }));
    const added = await addJobs<DataType, ResultType, NameType>(room, additions);
    if (this.listenerCount("waiting") > 0) for (const job of added) this.say("waiting", job);
    return added;
  }

  /** Stops claims everywhere until `resume`; what runs goes on. */
  async pause(): Promise<void> {
    const room = this.#room("pause");
    await room.app.queue(JOBS_QUEUE).pause();
    room.tell("paused", {});
    this.say("paused");
  }

  /** Lets claims go on. */
  async resume(): Promise<void> {
    const room = this.#room("resume");
    await room.app.queue(JOBS_QUEUE).resume();
    room.tell("resumed", {});
    this.say("resumed");
  }

  async isPaused(): Promise<boolean> {
    return (await this.#counts()).isPaused;
  }

  /** Reads a job; undefined if there is none of that id. A waiting job is looked up in its queue. */
  async getJob(jobId: string): Promise<Job<DataType, ResultType, NameType> | undefined> {
    return await readJob<DataType, ResultType, NameType>(this.#room("getJob"), jobId);
  }

  /** Where a job stands; `unknown` if there is none of that id. */
  async getJobState(jobId: string): Promise<JobState | "unknown"> {
    const [found] = await findOperations(this.#room("getJobState").app, [jobId], true);
    if (found === null || found === undefined) return "unknown";
    const job = Job.found(this[ROOM], found);
    return stateOf(found.view, (job?.children.length ?? 0) > 0);
  }

  /** The id of the job that deduplicates others of this id now; null if none does. */
  async getDeduplicationJobId(id: string): Promise<string | null> {
    const [holder = null] = await holdersOf(this.#room("getDeduplicationJobId").app, [deduplicationKey(id)]);
    return holder;
  }

  /** The same, by its older name. */
  async getDebounceJobId(id: string): Promise<string | null> {
    return await this.getDeduplicationJobId(id);
  }

  /** Counts what waits, is delayed, or waits for children. */
  async count(): Promise<number> {
    const { ready, scheduled } = await this.#counts();
    return ready + scheduled;
  }

  /**
   * Counts jobs by state. Prioritised ones are counted as waiting, parents that wait for children as delayed;
   * `completed` counts all that ever completed, whatever is kept of them.
   */
  async getJobCounts(...types: JobType[]): Promise<Record<string, number>> {
    const counts = await this.#counts();
    const wanted: readonly JobType[] = types.length === 0 ? COUNTED : types;
    const found: Record<string, number> = {};
    for (const type of wanted) {
      switch (type) {
        case "active":
          found.active = counts.running;
          break;
        case "completed":
          found.completed = counts.completed;
          break;
        case "delayed":
          found.delayed = counts.scheduled;
          break;
        case "failed":
          found.failed = counts.failed;
          break;
        case "waiting":
        case "wait":
          found[type] = counts.ready;
          break;
        case "prioritized":
        case "waiting-children":
          found[type] = 0; // within waiting and delayed
          break;
        default:
          throw unsupported(`getJobCounts("${String(type)}")`, METHOD_HINTS.exactState);
      }
    }
    return found;
  }

  /** The sum of the same. */
  async getJobCountByTypes(...types: JobType[]): Promise<number> {
    const counts = await this.getJobCounts(...types);
    return Object.values(counts).reduce((sum, count) => sum + count, 0);
  }

  async getWaitingCount(): Promise<number> {
    return (await this.#counts()).ready;
  }

  async getActiveCount(): Promise<number> {
    return (await this.#counts()).running;
  }

  async getDelayedCount(): Promise<number> {
    return (await this.#counts()).scheduled;
  }

  async getCompletedCount(): Promise<number> {
    return (await this.#counts()).completed;
  }

  async getFailedCount(): Promise<number> {
    return (await this.#counts()).failed;
  }

  /** Lists what waits, first come first, prioritised jobs behind the others. `end` -1: to the last. */
  async getWaiting(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    return this.#jobsOf(await listReady(this.#room("getWaiting").app, JOBS_QUEUE, start, countOf(start, end)));
  }

  /** Lists what waits with a priority. */
  async getPrioritized(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    const all = await listReady(this.#room("getPrioritized").app, JOBS_QUEUE, 0, Number.POSITIVE_INFINITY);
    const prioritised = all.filter(({ view }) => view.priority !== 0);
    return this.#jobsOf(prioritised.slice(start, end < 0 ? undefined : end + 1));
  }

  /** Lists what failed for good, first to expire first. */
  async getFailed(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    return this.#jobsOf(await listFailed(this.#room("getFailed").app, start, countOf(start, end)));
  }

  /** Lists what runs now, in no order that means anything. */
  async getActive(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    return await this.#listed("running", start, end);
  }

  /** Lists what is delayed, first due first within each Node's Segment; parents that wait for children among it. */
  async getDelayed(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    return await this.#listed("scheduled", start, end);
  }

  /** Lists what completed and is still kept, in the store's order. */
  async getCompleted(start = 0, end = -1): Promise<Job<DataType, ResultType, NameType>[]> {
    return await this.#listed("completed", start, end);
  }

  /** Lists jobs of some states. Errors: MR_COMPAT_UNSUPPORTED for states that are counted but not listed. */
  async getJobs(
    types: JobType | readonly JobType[] = LISTED,
    start = 0,
    end = -1,
  ): Promise<Job<DataType, ResultType, NameType>[]> {
    const wanted = new Set<JobType>(typeof types === "string" ? [types] : types);
    const jobs: Job<DataType, ResultType, NameType>[] = [];
    for (const type of wanted) {
      if (type === "waiting" || type === "wait") jobs.push(...(await this.getWaiting(start, end)));
      else if (type === "prioritized") {
        if (!wanted.has("waiting") && !wanted.has("wait")) jobs.push(...(await this.getPrioritized(start, end)));
      } else if (type === "failed") jobs.push(...(await this.getFailed(start, end)));
      else if (type === "active") jobs.push(...(await this.getActive(start, end)));
      else if (type === "delayed") jobs.push(...(await this.getDelayed(start, end)));
      else if (type === "completed") jobs.push(...(await this.getCompleted(start, end)));
      else throw unsupported(`getJobs("${String(type)}")`, METHOD_HINTS.exactState);
    }
    return jobs.slice(0, countOf(start, end));
  }

  /** Takes a waiting or delayed job out; 0 if there is none. Errors: as `Job.remove`. */
  async remove(jobId: string): Promise<number> {
    if (!(await removeJob(this.#room("remove"), jobId))) return 0;
    this.say("removed", jobId);
    return 1;
  }

  /** Takes out all that waits; with `delayed`, what is delayed, too. */
  async drain(delayed = false): Promise<void> {
    const room = this.#room("drain");
    if (delayed) {
      const jobs = await this.getDelayed();
      await Promise.all(jobs.map((job) => room.app.handle(job.operationId).cancel({ reason: "drained" })));
    }
    // As many as there are now: what is added meanwhile is nobody's to take out.
    for (let { ready: left } = await this.#counts(); left > 0; ) {
      const waiting = await listReady(room.app, JOBS_QUEUE, 0, Math.min(left, CANCEL_AT_ONCE));
      if (waiting.length === 0) return;
      await Promise.all(waiting.map(({ view }) => room.app.handle(view.id).cancel({ reason: "drained" })));
      left -= waiting.length;
    }
  }

  /** Lets failed jobs run again, with all their attempts. Errors: MR_COMPAT_UNSUPPORTED for other states. */
  async retryJobs(opts: { readonly count?: number; readonly state?: FinishedStatus } = {}): Promise<void> {
    const room = this.#room("retryJobs");
    if (opts.state === "completed") throw unsupported("retryJobs of completed jobs", "add them again");
    const count = opts.count ?? 1_000;
    // As many as there are now: one that fails again while this goes on is not tried for ever.
    for (let { failed: left } = await this.#counts(); left > 0; ) {
      const failed = await listFailed(room.app, 0, Math.min(left, count));
      if (failed.length === 0) return;
      await room.app.queue(JOBS_QUEUE).requeue(failed.map(({ view }) => view.id));
      left -= failed.length;
    }
  }

  /** Counts the processes that run jobs of this queue, as far as this one sees them. */
  async getWorkersCount(): Promise<number> {
    return this.#room("getWorkersCount").app.nodes().length;
  }

  /** Leaves; the last of its queue in this process closes the connection. */
  close(): Promise<void> {
    this.#closing ??= this[ROOM].leave();
    return this.#closing;
  }

  /** The same. */
  disconnect(): Promise<void> {
    return this.close();
  }

  // ── Limits of the whole queue ─────────────────────────────────────────────────────────────────────────────────────

  /** At most so many of its jobs run at once, over all Workers in all processes, from now on and until it is removed. */
  async setGlobalConcurrency(concurrency: number): Promise<number> {
    const { app } = this.#room("setGlobalConcurrency");
    return Number(await setQueueLimit(app, "concurrency", { slots: countOrThrow("concurrency", concurrency) }));
  }

  async removeGlobalConcurrency(): Promise<number> {
    return Number(await setQueueLimit(this.#room("removeGlobalConcurrency").app, "concurrency", null));
  }

  /** Null if there is none. */
  async getGlobalConcurrency(): Promise<number | null> {
    const found = await queueLimit(this.#room("getGlobalConcurrency").app, "concurrency");
    return found !== null && "slots" in found.number ? found.number.slots : null;
  }

  /** At most `max` of its jobs begin in each `duration` (milliseconds), over all processes, until it is removed. */
  async setGlobalRateLimit(max: number, duration: number): Promise<number> {
    const { app } = this.#room("setGlobalRateLimit");
    const pace = paceOf(countOrThrow("max", max), countOrThrow("duration", duration));
    return Number(await setQueueLimit(app, "rate", pace));
  }

  async removeGlobalRateLimit(): Promise<number> {
    return Number(await setQueueLimit(this.#room("removeGlobalRateLimit").app, "rate", null));
  }

  /** Null if there is none. */
  async getGlobalRateLimit(): Promise<{ readonly max: number; readonly duration: number } | null> {
    const found = await queueLimit(this.#room("getGlobalRateLimit").app, "rate");
    if (found === null || !("everyMs" in found.number)) return null;
    const { everyMs, burst } = found.number;
    return { max: burst, duration: Math.round(everyMs * burst) };
  }

  /** For so many milliseconds none of its jobs begins, in any process. */
  async rateLimit(expireTimeMs: number): Promise<void> {
    await setQueueLimit(this.#room("rateLimit").app, "rest", restOf(expireTimeMs));
  }

  /** Ends that. */
  async removeRateLimitKey(): Promise<number> {
    return Number(await setQueueLimit(this.#room("removeRateLimitKey").app, "rest", null));
  }

  /** How many milliseconds it still lasts; 0 if it does not, or is over. */
  async getRateLimitTtl(_maxJobs?: number): Promise<number> {
    const found = await queueLimit(this.#room("getRateLimitTtl").app, "rest");
    if (found === null || !("everyMs" in found.number)) return 0;
    return Math.max(0, Math.ceil(found.sinceMs + found.number.everyMs - found.nowMs));
  }

  /** Whether as many run as `setGlobalConcurrency` allows. */
  async isMaxed(): Promise<boolean> {
    const concurrency = await this.getGlobalConcurrency();
    return concurrency !== null && (await this.#counts()).running >= concurrency;
  }

  // ── What this door does not offer ─────────────────────────────────────────────────────────────────────────────────

  /** Refused. */
  async removeDeduplicationKey(_id: string): Promise<never> {
    throw unsupported("queue.removeDeduplicationKey()", METHOD_HINTS.freeKey);
  }

  /** Refused. */
  async getWaitingChildren(): Promise<never> {
    throw unsupported("queue.getWaitingChildren()", METHOD_HINTS.exactState);
  }

  /** Refused. */
  async getPrioritizedCount(): Promise<never> {
    throw unsupported("queue.getPrioritizedCount()", METHOD_HINTS.exactState);
  }

  /** Refused. */
  async getCountsPerPriority(_priorities: readonly number[]): Promise<never> {
    throw unsupported("queue.getCountsPerPriority()", METHOD_HINTS.exactState);
  }

  /** Refused. */
  async getJobLogs(_jobId: string): Promise<never> {
    throw unsupported("queue.getJobLogs()", METHOD_HINTS.addJobLog);
  }

  /** Refused. */
  async addJobLog(_jobId: string, _row: string): Promise<never> {
    throw unsupported("queue.addJobLog()", METHOD_HINTS.addJobLog);
  }

  /** Refused. */
  async clean(_grace: number, _limit: number, _type?: string): Promise<never> {
    throw unsupported("queue.clean()", METHOD_HINTS.clean);
  }

  /** Refused. */
  async obliterate(_opts?: object): Promise<never> {
    throw unsupported("queue.obliterate()", METHOD_HINTS.obliterate);
  }

  /** Refused. */
  async promoteJobs(_opts?: object): Promise<never> {
    throw unsupported("queue.promoteJobs()", METHOD_HINTS.promote);
  }

  /** Refused. */
  async upsertJobScheduler(_id: string, _repeat: object, _template?: object): Promise<never> {
    throw unsupported("queue.upsertJobScheduler()", METHOD_HINTS.schedules);
  }

  /** Refused. */
  async getJobSchedulers(): Promise<never> {
    throw unsupported("queue.getJobSchedulers()", METHOD_HINTS.schedules);
  }

  /** Refused. */
  async getJobScheduler(_id: string): Promise<never> {
    throw unsupported("queue.getJobScheduler()", METHOD_HINTS.schedules);
  }

  /** Refused. */
  async removeJobScheduler(_id: string): Promise<never> {
    throw unsupported("queue.removeJobScheduler()", METHOD_HINTS.schedules);
  }

  /** Refused. */
  async getMetrics(_type: string): Promise<never> {
    throw unsupported("queue.getMetrics()", METHOD_HINTS.telemetry);
  }

  /** Refused. */
  async updateJobProgress(_jobId: string, _progress: JobProgress): Promise<never> {
    throw unsupported("queue.updateJobProgress()", "call job.updateProgress() in the processor");
  }

  #room(method: string): Room {
    if (this.#closing !== null) throw createError("MR_APP_CLOSED", { app: this[ROOM].appId, method });
    return this[ROOM];
  }

  async #counts() {
    return await countApp(this.#room("counts").app, JOBS_QUEUE);
  }

  async #listed(
    state: "running" | "scheduled" | "completed",
    start: number,
    end: number,
  ): Promise<Job<DataType, ResultType, NameType>[]> {
    const { app } = this.#room("getJobs");
    const count = countOf(start, end);
    const ids: string[] = [];
    let skip = start;
    let cursor: string | null = null;
    do {
      const page: OperationPage = await app.inspect.list({
        state,
        limit: PAGE,
        ...(cursor === null ? {} : { cursor }),
      });
      for (const { id } of page.operations) {
        if (skip > 0) skip--;
        else if (ids.length < count) ids.push(id);
      }
      cursor = page.cursor;
    } while (cursor !== null && ids.length < count);
    // A list has no payloads; what has moved on since shows as it is now.
    return this.#jobsOf((await findOperations(app, ids)).filter((one) => one !== null));
  }

  #jobsOf(found: readonly Found[]): Job<DataType, ResultType, NameType>[] {
    return found.flatMap((one) => Job.found<DataType, ResultType, NameType>(this[ROOM], one) ?? []);
  }
}

/** From a range that includes its end, -1 for the last. */
function countOf(start: number, end: number): number {
  return end < 0 ? Number.POSITIVE_INFINITY : Math.max(0, end - start + 1);
}

function countOrThrow(path: string, value: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= 0xffff_ffff) return value;
  throw createError("MR_INVALID_OPTION", { path, problem: `expected an integer of at least 1, got ${show(value)}` });
}
