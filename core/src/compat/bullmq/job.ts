/**
 * A job as a BullMQ program holds it (here: an Operation with its input): made by `add`, by a read, or for a processor.
 *
 * Fields are what was known when it was made; methods ask the store. What has changed since shows in a new read.
 */
import { systemClock } from "../../base/clock.js";
import { createError } from "../../base/errors.js";
import { type Handle, isMillraceError, type StatusView, type StepContext } from "../../index.js";
import { PLAIN, type Plan, planOf } from "./plan.js";
import { METHOD_HINTS, unsupported } from "./refusals.js";
import { JOBS_QUEUE, ROOM, type Room } from "./room.js";
import { enqueueWithKey, type Found, findOperations, openApp, recoveriesOf, timesOf } from "./seam.js";
import {
  type ChildRef,
  type Extras,
  progressNote,
  readProgressNote,
  readStoredJob,
  readStoredResult,
  type StoredJob,
  storedJob,
} from "./stored.js";
import type { BulkJobOptions, FinishedStatus, JobProgress, JobState, JobsOptions, Loose } from "./types.js";

/** Anything that belongs to a queue: a Queue, a Worker, a QueueEvents. */
export interface QueueLike {
  readonly [ROOM]: Room;
}

/** What a job is made of, beside the room it is of. */
interface Parts {
  readonly name: string;
  readonly data: unknown;
  readonly extras: Extras | undefined;
}

const NO_CHILDREN: readonly ChildRef[] = Object.freeze([]);
const NO_OPTIONS: JobsOptions = Object.freeze({});

/** What became of the children of a job. */
export interface Dependencies {
  readonly processed: Record<string, Loose>;
  readonly unprocessed: string[];
  readonly failed: string[];
  readonly ignored: Record<string, string>;
}

/** One job of a queue, as far as it was known when it was read. */
export class Job<
  DataType = Loose,
  ReturnType = Loose,
  NameType extends string = string,
  ProgressType extends JobProgress = JobProgress,
> {
  readonly name: NameType;
  data: DataType;
  opts: JobsOptions;
  /** Kept with the job once it has ended; while it runs, and in what is read then, the latest note. */
  progress: ProgressType = 0 as ProgressType; // what BullMQ says when there is none
  returnvalue: ReturnType = null as ReturnType; // the same
  stacktrace: string[] = [];
  /** Failed tries, and the one that completed it. */
  attemptsMade = 0;
  /** Begun tries. */
  attemptsStarted = 0;
  /** How often it lost its worker. */
  stalledCounter = 0;
  failedReason = undefined as unknown as string; // typed like this by BullMQ, and absent until it failed
  processedOn: number | undefined = undefined;
  finishedOn: number | undefined = undefined;
  processedBy: string | undefined = undefined;
  /** Proof of the claim, while a processor has it. */
  token: string | undefined = undefined;
  /** Where a processor asked to be called again; read by the Worker. */
  againAtMs: number | null = null;
  /** Told by the Worker that runs it. */
  progressed: ((progress: JobProgress) => void) | null = null;
  readonly #room: Room;
  readonly #children: readonly ChildRef[];
  #timestamp: number | null;
  #handle: Handle | null = null;
  #context: StepContext | null = null;
  #operationId: string | undefined;
  #askedId: string | undefined;

  /** Made by Queue, Worker and reads; `new Job` is of no use to anyone else. */
  constructor(room: Room, parts: Parts) {
    this.#room = room;
    this.name = parts.name as NameType; // the caller's promise
    this.data = parts.data as DataType; // as above
    this.opts = parts.extras?.opts ?? NO_OPTIONS;
    this.#children = parts.extras?.children ?? NO_CHILDREN;
    this.#timestamp = this.opts.timestamp ?? null;
  }

  /** Adds a job; the same as `queue.add`, without its events. */
  static async create<T = Loose, R = Loose, N extends string = string>(
    queue: QueueLike,
    name: N,
    data: T,
    opts?: JobsOptions,
  ): Promise<Job<T, R, N>> {
    return await addJob<T, R, N>(queue[ROOM], name, data, planOf(opts, undefined, data));
  }

  /** Adds several. */
  static async createBulk<T = Loose, R = Loose, N extends string = string>(
    queue: QueueLike,
    jobs: readonly { readonly name: N; readonly data: T; readonly opts?: BulkJobOptions }[],
  ): Promise<Job<T, R, N>[]> {
    return await addJobs<T, R, N>(
      queue[ROOM],
      jobs.map(({ name, data, opts }) => ({ name, data, plan: planOf(opts, undefined, data) })),
    );
  }

  /** Reads a job; undefined if there is none of that id. */
  static async fromId<T = Loose, R = Loose, N extends string = string>(
    queue: QueueLike,
    jobId: string,
  ): Promise<Job<T, R, N> | undefined> {
    return await readJob<T, R, N>(queue[ROOM], jobId);
  }

  /** For `add`: a job that was accepted. */
  static accepted<T, R, N extends string>(room: Room, parts: Parts, handle: Handle): Job<T, R, N> {
    const job = new Job<T, R, N>(room, parts);
    job.#handle = handle;
    job.#timestamp ??= systemClock.nowMs();
    return job;
  }

  /** For a Worker: a job whose attempt begins. */
  static begun<T, R, N extends string>(room: Room, parts: Parts, context: StepContext): Job<T, R, N> {
    const job = new Job<T, R, N>(room, parts);
    job.#context = context;
    const { enqueuedAtMs, startedAtMs } = timesOf(context);
    job.#timestamp ??= enqueuedAtMs;
    job.processedOn = startedAtMs;
    job.attemptsMade = context.attempt - 1;
    job.stalledCounter = recoveriesOf(context);
    job.attemptsStarted = context.attempt + job.stalledCounter;
    return job;
  }

  /** For reads: a job as the store knows it; null if it is none of this door's. */
  static found<T, R, N extends string>(room: Room, found: Found, askedId?: string): Job<T, R, N> | null {
    const { view, input, result } = found;
    const ended = readStoredResult(result);
    const stored = readStoredJob(input);
    if (view.state === "cancelled" || view.state === "skipped") return null;
    const parts: Parts =
      ended !== null
        ? { name: ended[1], data: ended[2], extras: ended[3] ?? undefined }
        : { name: stored?.[0] ?? "", data: stored?.[1], extras: stored?.[2] };
    const job = new Job<T, R, N>(room, parts);
    job.#operationId = view.id;
    job.#askedId = askedId;
    job.#timestamp ??= view.enqueuedAt?.getTime() ?? 0;
    job.attemptsMade = view.state === "running" ? view.attempt - 1 : view.attempt;
    job.attemptsStarted = view.attempt + view.recoveries;
    job.stalledCounter = view.recoveries;
    job.processedOn = view.startedAt?.getTime();
    job.finishedOn = view.finishedAt?.getTime();
    job.progress = (ended?.[4] ?? readProgressNote(view.progress)) as typeof job.progress; // what a processor noted
    job.processedBy = ended?.[5] ?? undefined;
    if (ended !== null) job.returnvalue = (ended[0] ?? null) as R; // R is the processor's promise
    if (view.error !== null) {
      job.failedReason = view.error.message;
      if (job.opts.stackTraceLimit !== 0) job.stacktrace = [view.error.stack ?? view.error.message];
    }
    return job;
  }

  /** The `jobId` it was added with; else Millrace's own. */
  get id(): string {
    return this.opts.jobId ?? this.#askedId ?? this.operationId;
  }

  /** Made by Millrace: `segment.incarnation.counter`. */
  get operationId(): string {
    this.#operationId ??= this.#handle?.id ?? this.#context?.operationId ?? "";
    return this.#operationId;
  }

  /** The id of what deduplicates it. */
  get deduplicationId(): string | undefined {
    return (this.opts.deduplication ?? this.opts.debounce)?.id;
  }

  /** When it was added, by the clock of who added it. */
  get timestamp(): number {
    return this.#timestamp ?? 0;
  }

  get delay(): number {
    return this.opts.delay ?? 0;
  }

  get priority(): number {
    return this.opts.priority ?? 0;
  }

  get queueName(): string {
    return this.#room.queueName;
  }

  get prefix(): string {
    return this.#room.prefix;
  }

  get queueQualifiedName(): string {
    return this.#room.qualifiedName;
  }

  /** Fires when the attempt is told to end: on a cancel, or when its Worker is closed by force. */
  get abort(): AbortSignal | undefined {
    return this.#context?.abort;
  }

  /** Its children, if it is a parent in a flow. */
  get children(): readonly ChildRef[] {
    return this.#children;
  }

  /** Notes how far the work is. Outside of a processor: refused. */
  async updateProgress(progress: ProgressType): Promise<void> {
    const context = this.#context;
    if (context === null) throw notRunning("updateProgress");
    this.progress = progress;
    const { done, note } = progressNote(progress);
    context.progress(done, undefined, note);
    this.progressed?.(progress);
  }

  /** Where it stands; `unknown` if it was removed, or is past its retention. */
  async getState(): Promise<JobState | "unknown"> {
    const [found] = await findOperations(this.#room.app, [this.operationId]);
    return found === null || found === undefined ? "unknown" : stateOf(found.view, this.#isParent(found));
  }

  async isCompleted(): Promise<boolean> {
    return (await this.getState()) === "completed";
  }

  async isFailed(): Promise<boolean> {
    return (await this.getState()) === "failed";
  }

  async isDelayed(): Promise<boolean> {
    return (await this.getState()) === "delayed";
  }

  async isActive(): Promise<boolean> {
    return (await this.getState()) === "active";
  }

  async isWaiting(): Promise<boolean> {
    return (await this.getState()) === "waiting";
  }

  async isWaitingChildren(): Promise<boolean> {
    return (await this.getState()) === "waiting-children";
  }

  /**
   * Waits for the end and returns the result; with `ttl`, for so many milliseconds at most. Needs no events of the queue:
   * the first argument is there for programs that pass it.
   *
   * Errors: an Error with the reason if it failed or was removed · WaitTimeout.
   */
  async waitUntilFinished(_queueEvents?: unknown, ttl?: number): Promise<ReturnType> {
    const handle = this.#handle ?? this.#room.app.handle(this.operationId);
    const outcome = await handle.wait(ttl === undefined ? {} : { timeout: ttl });
    if (outcome.state === "completed") {
      return (readStoredResult(outcome.value)?.[0] ?? null) as ReturnType; // the processor's promise
    }
    throw new Error(outcome.state === "failed" ? outcome.error.message : `the job was removed: ${outcome.reason}`);
  }

  /** Removes it while it waits. Errors: MR_APP_STATE while it runs · MR_COMPAT_UNSUPPORTED once it has ended. */
  async remove(): Promise<void> {
    await removeJob(this.#room, this.id, this.operationId);
  }

  /** Lets a failed job run again, with all its attempts. Errors: MR_ILLEGAL_TRANSITION when it has not failed. */
  async retry(state: FinishedStatus = "failed"): Promise<void> {
    if (state !== "failed") throw unsupported("retry of a completed job", "add it again");
    if ((await this.#room.app.queue(JOBS_QUEUE).requeue([this.operationId])) === 1) {
      this.#room.tell("waiting", { jobId: this.id, prev: "failed" });
      return;
    }
    throw createError("MR_ILLEGAL_TRANSITION", {
      kind: "job",
      id: this.id,
      from: await this.getState(),
      to: "waiting",
    });
  }

  /** Asks to be called again at `timestamp`; throw DelayedError behind it. Only inside a processor. */
  async moveToDelayed(timestamp: number, _token?: string): Promise<void> {
    if (this.#context === null) throw notRunning("moveToDelayed");
    this.againAtMs = timestamp;
  }

  /** Asks to be called again at once; throw WaitingError behind it. Only inside a processor. */
  async moveToWait(_token?: string): Promise<void> {
    if (this.#context === null) throw notRunning("moveToWait");
    this.againAtMs = 0;
  }

  /** Results of the children that completed, by `prefix:queue:id`. */
  async getChildrenValues<Value = Loose>(): Promise<Record<string, Value>> {
    return (await this.getDependencies()).processed as Record<string, Value>; // the children's promise
  }

  /** Reasons of the children that failed and were to be ignored. */
  async getIgnoredChildrenFailures(): Promise<Record<string, string>> {
    return (await this.getDependencies()).ignored;
  }

  /** What became of the children. */
  async getDependencies(): Promise<Dependencies> {
    const family = await familyOf(this.#room, this.#children);
    const dependencies: Dependencies = { processed: {}, unprocessed: [], failed: [], ignored: {} };
    for (const { child, key, found } of family) {
      if (found === null) continue;
      const { state, error } = found.view;
      if (state === "completed") dependencies.processed[key] = readStoredResult(found.result)?.[0] ?? null;
      else if (state === "failed" && child.onFail === "ignore") dependencies.ignored[key] = error?.message ?? "";
      else if (state === "failed") dependencies.failed.push(key);
      else if (state !== "cancelled" && state !== "skipped") dependencies.unprocessed.push(key);
    }
    return dependencies;
  }

  /** Counts of the same. */
  async getDependenciesCount(): Promise<{ processed: number; unprocessed: number; failed: number; ignored: number }> {
    const { processed, unprocessed, failed, ignored } = await this.getDependencies();
    return {
      processed: Object.keys(processed).length,
      unprocessed: unprocessed.length,
      failed: failed.length,
      ignored: Object.keys(ignored).length,
    };
  }

  /** Refused. */
  async removeDeduplicationKey(): Promise<boolean> {
    throw unsupported("job.removeDeduplicationKey()", METHOD_HINTS.freeKey);
  }

  /** Refused. */
  async updateData(_data: DataType): Promise<void> {
    throw unsupported("job.updateData()", METHOD_HINTS.updateData);
  }

  /** Refused. */
  async log(_row: string): Promise<number> {
    throw unsupported("job.log()", METHOD_HINTS.addJobLog);
  }

  /** Refused. */
  async clearLogs(): Promise<void> {
    throw unsupported("job.clearLogs()", METHOD_HINTS.addJobLog);
  }

  /** Refused. */
  async promote(): Promise<void> {
    throw unsupported("job.promote()", METHOD_HINTS.promote);
  }

  /** Refused. */
  async changeDelay(_delay: number): Promise<void> {
    throw unsupported("job.changeDelay()", METHOD_HINTS.changeDelay);
  }

  /** Refused. */
  async changePriority(_opts: object): Promise<void> {
    throw unsupported("job.changePriority()", METHOD_HINTS.changePriority);
  }

  /** Refused. */
  async extendLock(_token: string, _duration: number): Promise<number> {
    throw unsupported("job.extendLock()", METHOD_HINTS.extendLock);
  }

  /** Refused. */
  async moveToCompleted(_returnvalue: ReturnType, _token: string): Promise<void> {
    throw unsupported("job.moveToCompleted()", METHOD_HINTS.manualFetch);
  }

  /** Refused. */
  async moveToFailed(_error: Error, _token: string): Promise<void> {
    throw unsupported("job.moveToFailed()", METHOD_HINTS.manualFetch);
  }

  /** Refused. */
  async moveToWaitingChildren(_token: string): Promise<boolean> {
    throw unsupported("job.moveToWaitingChildren()", METHOD_HINTS.waitForChildren);
  }

  /** What it is, as plain data. */
  toJSON(): Record<string, unknown> {
    const { id, name, data, opts, progress, returnvalue, stacktrace, attemptsMade, attemptsStarted } = this;
    const { delay, priority, timestamp, failedReason, processedOn, finishedOn, processedBy } = this;
    const core = { id, name, data, opts, progress, returnvalue, stacktrace, attemptsMade, attemptsStarted };
    return { ...core, ...{ delay, priority, timestamp, failedReason, processedOn, finishedOn, processedBy } };
  }

  /** The same. */
  asJSON(): Record<string, unknown> {
    return this.toJSON();
  }

  #isParent(found: Found): boolean {
    return this.#children.length > 0 || (readStoredJob(found.input)?.[2]?.children?.length ?? 0) > 0;
  }
}

// ── What Queue, Worker and FlowProducer do with jobs ───────────────────────────────────────────────────────────────

/** A job on its way in. */
export interface Addition {
  readonly name: string;
  readonly data: unknown;
  readonly plan: Plan;
  readonly children?: readonly ChildRef[];
}

/** Adds a job; resolves when the store has it. Errors: those of an enqueue. */
export async function addJob<T, R, N extends string>(
  room: Room,
  name: string,
  data: unknown,
  plan: Plan,
  children?: readonly ChildRef[],
): Promise<Job<T, R, N>> {
  const stored = storedJob(name, data, extrasOf(plan.opts, children));
  const handle = await enqueueOne(room, plan, stored);
  const job = Job.accepted<T, R, N>(room, { name, data: stored[1], extras: stored[2] }, handle);
  if (room.isWatched) announce(room, job, handle);
  return job;
}

function enqueueOne(room: Room, { step, enqueue, key }: Plan, stored: StoredJob): Promise<Handle> {
  return key === null
    ? room.step(step).enqueue(stored, enqueue)
    : enqueueWithKey(room.app, step, stored, enqueue ?? {}, key);
}

/** Adds jobs in order. Errors: the first that was refused; the others may be in. */
export async function addJobs<T, R, N extends string>(
  room: Room,
  additions: readonly Addition[],
): Promise<Job<T, R, N>[]> {
  const parts = additions.map(({ name, data, plan, children }): Parts => {
    const [named, given, extras] = storedJob(name, data, extrasOf(plan.opts, children));
    return { name: named, data: given, extras };
  });
  const handles = await enqueueAll(room, additions, parts);
  let refusal: Error | null = null;
  const jobs: Job<T, R, N>[] = [];
  for (const [i, handle] of handles.entries()) {
    if (handle instanceof Error) {
      refusal ??= handle;
      continue;
    }
    const job = Job.accepted<T, R, N>(room, parts[i] as Parts, handle); // a handle for each
    if (room.isWatched) announce(room, job, handle);
    jobs.push(job);
  }
  if (refusal !== null) throw refusal;
  return jobs;
}

/** What is plain throughout is one bulk call; else each goes by itself, in order, and they travel together all the same. */
async function enqueueAll(
  room: Room,
  additions: readonly Addition[],
  parts: readonly Parts[],
): Promise<readonly (Handle | Error)[]> {
  const stored = parts.map(({ name, data, extras }) => storedJob(name, data, extras));
  if (additions.every(({ plan, children }) => plan === PLAIN && children === undefined)) {
    const { handles } = await room.app.enqueueMany(room.step(PLAIN.step), stored);
    return handles;
  }
  await openApp(room.app); // so that all of them are handed in at once, in their order
  const enqueued = additions.map(
    ({ plan }, i) => enqueueOne(room, plan, stored[i] as StoredJob), // one for each
  );
  const settled = await Promise.allSettled(enqueued);
  return settled.map((one) => (one.status === "fulfilled" ? one.value : (one.reason as Error))); // enqueues reject with errors
}

/** Reads a job with its data; undefined if there is none. */
export async function readJob<T, R, N extends string>(room: Room, id: string): Promise<Job<T, R, N> | undefined> {
  const asked = String(id);
  const [found] = await findOperations(room.app, [asked], true);
  if (found === null || found === undefined) return undefined;
  return Job.found<T, R, N>(room, found, asked === found.view.id ? undefined : asked) ?? undefined;
}

/** Takes a waiting job out; false if there is none. Errors: as `Job.remove`. */
export async function removeJob(room: Room, id: string, operationId = id): Promise<boolean> {
  const [found] = await findOperations(room.app, [operationId]);
  if (found === null || found === undefined) return false;
  const state = stateOf(found.view, false);
  if (state === "unknown") return false;
  if (state === "active") {
    throw createError("MR_APP_STATE", { app: id, state, method: "remove", expected: "waiting or delayed" });
  }
  if (state === "completed" || state === "failed") {
    throw unsupported(`removal of a ${state} job`, METHOD_HINTS.clean);
  }
  const outcome = await room.app.handle(found.view.id).cancel({ reason: "removed" });
  if (outcome === "already_terminal") return false;
  room.tell("removed", { jobId: id, prev: state });
  return true;
}

/** The state as BullMQ names it. `isParent`: it has children, and what it waits for is them. */
export function stateOf(view: StatusView, isParent: boolean): JobState | "unknown" {
  switch (view.state) {
    case "scheduled":
      return isParent ? "waiting-children" : "delayed";
    case "ready":
      return view.priority === 0 ? (isParent ? "waiting-children" : "waiting") : "prioritized";
    case "running":
      return "active";
    case "completed":
    case "failed":
      return view.state;
    default:
      return "unknown";
  }
}

/** A child and what is known of it. */
export interface Relative {
  readonly child: ChildRef;
  /** `prefix:queue:id`. */
  readonly key: string;
  readonly found: Found | null;
}

/** Reads children, one call for each queue they are in. */
export async function familyOf(room: Room, children: readonly ChildRef[]): Promise<Relative[]> {
  const byRoom = new Map<Room, ChildRef[]>();
  for (const child of children) {
    const theirs = room.neighbour(child.queue, child.prefix);
    const list = byRoom.get(theirs) ?? [];
    list.push(child);
    byRoom.set(theirs, list);
  }
  const family: Relative[] = [];
  for (const [theirs, list] of byRoom) {
    const found = await findOperations(
      theirs.app,
      list.map(({ id }) => id),
    );
    for (const [i, child] of list.entries()) {
      family.push({ child, key: `${theirs.qualifiedName}:${child.as ?? child.id}`, found: found[i] ?? null });
    }
  }
  return family;
}

function extrasOf(opts: JobsOptions | undefined, children: readonly ChildRef[] | undefined): Extras | undefined {
  if (opts === undefined && children === undefined) return undefined;
  return { ...(opts === undefined ? {} : { opts }), ...(children === undefined ? {} : { children }) };
}

/** Tells listeners to the queue that a job came in, and stays with it until it has ended, wherever that is. */
function announce(room: Room, job: Job<Loose, Loose, string>, handle: Handle): void {
  const jobId = job.id;
  if (handle.receipt.deduplicated) {
    const { deduplicationId } = job;
    if (deduplicationId === undefined) return room.tell("duplicated", { jobId });
    room.tell("deduplicated", { jobId, deduplicationId });
    return room.tell("debounced", { jobId, debounceId: deduplicationId });
  }
  room.tell("added", { jobId, name: job.name });
  if (job.children.length > 0) room.tell("waiting-children", { jobId });
  else if (job.delay > 0) room.tell("delayed", { jobId, delay: job.timestamp + job.delay });
  else room.tell("waiting", { jobId });
  room.followed.add(handle.id);
  void follow(room, jobId, handle).finally(() => room.followed.delete(handle.id));
}

async function follow(room: Room, jobId: string, handle: Handle): Promise<void> {
  try {
    for await (const note of handle.progress()) {
      if (!room.running.has(handle.id)) room.tell("progress", { jobId, data: readProgressNote(note) });
    }
    const outcome = await handle.wait();
    if (outcome.state === "completed") {
      const returnvalue = readStoredResult(outcome.value)?.[0] ?? null;
      room.tell("completed", { jobId, returnvalue, prev: "active" });
    } else if (outcome.state === "failed") {
      room.tell("failed", { jobId, failedReason: outcome.error.message, prev: "active" });
      room.tell("retries-exhausted", { jobId, attemptsMade: String(outcome.attempts) });
    }
  } catch (error) {
    // The App was closed, or the record is past its retention: there is nobody to tell, or nothing.
    if (!isMillraceError(error)) throw error;
  }
}

function notRunning(method: string): Error {
  return unsupported(`job.${method}() outside of a processor`, "call it on the job the processor was given");
}
