/**
 * The one place where this door looks behind core's public one: reads of records with their payloads, counts of a whole
 * App, and how much its Foreman runs at once. Everything else goes through `App`.
 */
import { type StatusView, viewOf } from "../../app/status.js";
import { type App, ENQUEUE_TIED, FOREMAN_VIEW, SETTLE_IN } from "../../app.js";
import { decode } from "../../base/codec.js";
import { createError, show } from "../../base/errors.js";
import { formatId, tryPlaceId } from "../../engine/dot.js";
import { decodeEnvelope } from "../../engine/envelope.js";
import type { LocalDot } from "../../engine/lease.js";
import type { OperationRecord } from "../../engine/operation.js";
import { decodeOutcome, encodeOutcome } from "../../engine/outcome.js";
import { SEGMENT_PACE, SEGMENT_REST, SEGMENT_SLOTS } from "../../engine/ties.js";
import type { LiveLimitState, LiveNumber } from "../../engine/transitions.js";
import type { EnqueueOptions, Handle, StepContext } from "../../index.js";
import { keyedSegment } from "../../queue/keyed-producer.js";
import { Attempt } from "../../worker/attempt.js";
import { idKey, type JobKey } from "./keys.js";
import { unsupported } from "./refusals.js";

/** An Operation with what it was given and what it gave; undefined where that is gone or not there yet. */
export interface Found {
  readonly view: StatusView;
  readonly input: unknown;
  readonly result: unknown;
}

/** Everything there is of an App whose Steps share one Queue. */
export interface AppCounts {
  readonly ready: number;
  readonly scheduled: number;
  readonly running: number;
  readonly failed: number;
  /** Ever completed, whatever is kept of it. */
  readonly completed: number;
  readonly isPaused: boolean;
}

/** Under which all keys of a queue meet: so jobs with keys keep their order among each other. */
const MEET = "bullmq";
/** Where all jobs of a queue are, so that what is said of the queue holds for all of them, over all processes. */
const JOBS_SEGMENT = keyedSegment(MEET);
const NO_DIGEST = new Uint8Array(8);
const REPLACED_RETAIN_MS = 60_000;
const FIND_MAX = 1_000;
const PAGE = 500;
/** How far a waiting Operation is looked for in its Queue, where alone its input is. */
const LOOK_MAX = 50_000;

/** Opens the store of an App. Errors: those of `App.start`. */
export async function openApp(app: App): Promise<void> {
  await app[FOREMAN_VIEW]();
}

/** Opens an App and returns what sets how many Attempts it runs at once; that has no effect unless it is started. */
export async function slotsSetterOf(app: App): Promise<(slots: number) => void> {
  const { foreman } = await app[FOREMAN_VIEW]();
  return (slots) => foreman()?.setSlots(slots);
}

/** Enqueues with a key. Errors: as `enqueue`. */
export async function enqueueWithKey(
  app: App,
  step: string,
  input: unknown,
  options: EnqueueOptions,
  key: JobKey,
): Promise<Handle> {
  const value = encodeOutcome("", 0, 0, "replaced by a later one", "reason");
  const replaced = key.mode === "postpone" ? { retainMs: REPLACED_RETAIN_MS, value } : null;
  const tie = { ...key, digest: NO_DIGEST, replaced };
  return await app[ENQUEUE_TIED](step, input, options, { meet: MEET, key: tie, line: null, gates: [] });
}

/** Reads which Operations hold keys, by id; null where none does. Errors: those of the store. */
export async function holdersOf(app: App, keys: readonly string[]): Promise<(string | null)[]> {
  const { store } = await app[FOREMAN_VIEW]();
  if (!(await store.segments()).includes(JOBS_SEGMENT)) return keys.map(() => null);
  const { holders } = await store.holders(JOBS_SEGMENT, { keys });
  return holders.map((dot) => (dot === null ? null : formatId(JOBS_SEGMENT, dot.laneName, dot.counter)));
}

/** Has a new App put all jobs into one Segment, and claim from it at a pace, if there is one. */
export function gatherJobs(app: App, pace: () => ReturnType<typeof paceOf> | null): void {
  app[SETTLE_IN]({ segment: JOBS_SEGMENT, pace });
}

/** A pace as claims bring it: `max` in each `duration` milliseconds, all of them at once after a pause. */
export function paceOf(max: number, duration: number): { readonly everyMs: number; readonly burst: number } {
  return { everyMs: duration / max, burst: max };
}

/** A time in which nothing begins, in milliseconds. Errors: MR_INVALID_OPTION. */
export function restOf(expireTimeMs: number): LiveNumber {
  if (typeof expireTimeMs === "number" && expireTimeMs >= 0 && Number.isFinite(expireTimeMs)) {
    return { everyMs: expireTimeMs, burst: 1 };
  }
  const problem = `expected milliseconds, got ${show(expireTimeMs)}`;
  throw createError("MR_INVALID_OPTION", { path: "rateLimit", problem });
}

/** Sets what holds for all jobs of a queue, in all processes, or takes it back. Errors: those of the store; MR_COMPAT_UNSUPPORTED. */
export async function setQueueLimit(
  app: App,
  what: keyof typeof QUEUE_LIMITS,
  number: LiveNumber | null,
): Promise<boolean> {
  const { store } = await app[FOREMAN_VIEW]();
  if ("openElsewhere" in store) throw unsupported("a limit of a whole queue on several servers", "use one server");
  await store.openSegment(JOBS_SEGMENT);
  const params = { name: QUEUE_LIMITS[what], number, max: 1000 };
  return (await store.limitSet(JOBS_SEGMENT, params)).answer === "ok";
}

/** Reads it; null if nothing is set. Errors: those of the store. */
export async function queueLimit(
  app: App,
  what: keyof typeof QUEUE_LIMITS,
): Promise<(LiveLimitState & { readonly nowMs: number }) | null> {
  const { store } = await app[FOREMAN_VIEW]();
  if (!(await store.segments()).includes(JOBS_SEGMENT)) return null;
  const { live, nowMs } = await store.limits(JOBS_SEGMENT, { max: 1 });
  const found = live.find(({ name }) => name === QUEUE_LIMITS[what]);
  return found === undefined ? null : { ...found, nowMs };
}

const QUEUE_LIMITS = { concurrency: SEGMENT_SLOTS, rate: SEGMENT_PACE, rest: SEGMENT_REST } as const;

/** How often the Operation of an Attempt lost its Worker. */
export function recoveriesOf(context: StepContext): number {
  return context instanceof Attempt ? context.claim.recoveries : 0;
}

/** When an Attempt's Operation was enqueued and when it began, by the clocks of both processes; 0 if it is not known. */
export function timesOf(context: StepContext): { readonly enqueuedAtMs: number; readonly startedAtMs: number } {
  return context instanceof Attempt ? context : UNKNOWN_TIMES;
}

const UNKNOWN_TIMES = { enqueuedAtMs: 0, startedAtMs: 0 };

/**
 * Reads Operations by id or by name (`jobId`), in order; null for what is unknown or past its retention.
 *
 * `withInput`: looks a waiting Operation up in its Queue, where alone its input is; that costs as much as stands before
 * it, and gives up after LOOK_MAX. Errors: those of the store.
 */
export async function findOperations(app: App, ids: readonly string[], withInput = false): Promise<(Found | null)[]> {
  const { store } = await app[FOREMAN_VIEW]();
  const found: (Found | null)[] = new Array(ids.length).fill(null);
  const bySegment = new Map<string, { readonly at: number; readonly dot: LocalDot }[]>();
  for (const [at, id] of (await operationIdsOf(app, ids)).entries()) {
    const placed = tryPlaceId(id);
    if (placed === null) continue;
    const list = bySegment.get(placed.segment) ?? [];
    list.push({ at, dot: placed.dot });
    bySegment.set(placed.segment, list);
  }
  for (const [segment, list] of bySegment) {
    for (let from = 0; from < list.length; from += FIND_MAX) {
      const part = list.slice(from, from + FIND_MAX);
      const { records } = await store.find(segment, { dots: part.map(({ dot }) => dot), wait: false });
      for (const [i, { at }] of part.entries()) {
        const record = records[i];
        if (record === undefined || typeof record === "string") continue;
        const isBodyAway = withInput && record.state === "ready" && record.body === null;
        found[at] = foundOf(isBodyAway ? await lookUp(app, segment, record) : record);
      }
    }
  }
  return found;
}

/** The same ids, with those of Operations for names; null for a name that nobody has. */
async function operationIdsOf(app: App, ids: readonly string[]): Promise<readonly (string | null)[]> {
  const names = ids.filter((id) => tryPlaceId(id) === null);
  if (names.length === 0) return ids;
  const holders = await holdersOf(app, names.map(idKey));
  const byName = new Map(names.map((name, i) => [name, holders[i] ?? null]));
  return ids.map((id) => (byName.has(id) ? (byName.get(id) ?? null) : id));
}

/** Lists a page of what is ready, in claim order in each Segment. Errors: those of the store. */
export async function listReady(app: App, queue: string, start: number, count: number): Promise<Found[]> {
  return await listPage(app, { queue }, start, count);
}

/** Lists a page of what failed for good, first to expire first in each Segment. Errors: those of the store. */
export async function listFailed(app: App, start: number, count: number): Promise<Found[]> {
  return await listPage(app, "dead", start, count);
}

/** Counts everything. Errors: those of the store. */
export async function countApp(app: App, queue: string): Promise<AppCounts> {
  const { store } = await app[FOREMAN_VIEW]();
  const sum = { ready: 0, scheduled: 0, running: 0, failed: 0, completed: 0, isPaused: false };
  for (const segment of await store.segments()) {
    const counts = await store.counts(segment);
    sum.scheduled += counts.scheduled;
    sum.running += counts.running;
    sum.failed += counts.dead;
    sum.completed += counts.totals.completed;
    for (const one of counts.queues) {
      if (one.queue !== queue) continue;
      sum.ready += one.ready;
      sum.isPaused ||= one.isPaused;
    }
  }
  return sum;
}

async function listPage(
  app: App,
  of: { readonly queue: string } | "dead",
  start: number,
  count: number,
): Promise<Found[]> {
  const { store } = await app[FOREMAN_VIEW]();
  const found: Found[] = [];
  let skip = start;
  for (const segment of await store.segments()) {
    for (let offset = 0; found.length < count; ) {
      // What the list holds and what it shows may differ (cancelled elements), so pages are walked, not reckoned.
      const page = await store.peek(segment, { of, offset, limit: PAGE });
      for (const record of page.records) {
        if (skip > 0) skip--;
        else if (found.length < count) found.push(foundOf(record));
      }
      offset += PAGE;
      if (offset >= page.total) break;
    }
  }
  return found;
}

/** A waiting Operation with its input, if it is still there; else as it stands now. */
async function lookUp(app: App, segment: string, record: OperationRecord): Promise<OperationRecord> {
  const { store } = await app[FOREMAN_VIEW]();
  for (let offset = 0; offset < LOOK_MAX; offset += PAGE) {
    const page = await store.peek(segment, { of: { queue: record.queue ?? "" }, offset, limit: PAGE });
    const here = page.records.find((one) => one.id === record.id);
    if (here !== undefined) return here;
    if (offset + PAGE >= page.total) break;
  }
  const placed = tryPlaceId(record.id);
  if (placed === null) return record;
  const { records } = await store.find(segment, { dots: [placed.dot], wait: false });
  const [now] = records;
  return now === undefined || typeof now === "string" ? record : now;
}

function foundOf(record: OperationRecord): Found {
  return { view: viewOf(record), input: inputOf(record.body), result: resultOf(record) };
}

function inputOf(body: Uint8Array | null): unknown {
  return body === null ? undefined : readable(() => decode(body, decodeEnvelope(body).payloadAt));
}

function resultOf({ state, value }: OperationRecord): unknown {
  return value === null || state !== "completed" ? undefined : readable(() => decode(decodeOutcome(value).value));
}

/** A record that cannot be read shows as one without that part: a list must not fail because of one. */
function readable(read: () => unknown): unknown {
  try {
    return read();
  } catch {
    return undefined;
  }
}
