/**
 * Acting on everything that fits a filter: cancel, requeue, delete. Page by page, each store call of bounded size, at a
 * rate if one is given; every page is a step one can see, and stopping between two leaves a true count.
 *
 * Nothing is remembered in the store: a run that was aborted is gone on with by running it again.
 */
import type { Clock } from "../base/clock.js";
import { decode } from "../base/codec.js";
import { createError, isMillraceError } from "../base/errors.js";
import { checkName } from "../base/names.js";
import { type Given, type OptionTable, type Resolved, resolveOptions } from "../base/options.js";
import { tryPlaceId } from "../engine/dot.js";
import { decodeEnvelope, type Envelope, encodeEnvelope } from "../engine/envelope.js";
import type { LocalDot } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { RedriveElement } from "../engine/transitions.js";
import { type Filter, idsOf, parseFilter } from "../queue/filter.js";
import { isFit } from "../queue/filter-match.js";
import { type WalkedState, type WalkOf, walk, walkOf } from "../queue/walk.js";
import { type OperationView, operationViewOf } from "./inspect-view.js";
import type { Reach } from "./reach.js";

/** What a bulk run does. */
export type BulkAction = "cancel" | "requeue" | "delete";

/** How far a run has come. */
export interface BulkProgress {
  /** Operations looked at, and how many of them fit. */
  readonly looked: number;
  readonly matched: number;
  /** How many were cancelled, requeued or deleted; 0 in a dry run. */
  readonly done: number;
  /** Of a cancel: they run, and were asked to end. */
  readonly requested: number;
  /** Those that fit and were left alone: poison without `force`, no longer in a state this can be done in, or to be edited and unreadable. */
  readonly skipped: number;
}

/** How a run ended. */
export interface BulkSummary extends BulkProgress {
  readonly action: BulkAction;
  readonly isDryRun: boolean;
  /** It was stopped by its signal: the counts are of what was done until then. */
  readonly isAborted: boolean;
}

/** Options of every bulk run. */
export const bulkTable = {
  dryRun: { type: "boolean", default: false, sentence: "Count what fits and touch nothing." },
  rate: { type: "number", min: 0.001, sentence: "Most Operations a second; as fast as the store answers if left out." },
  signal: {
    type: "custom",
    expected: "an AbortSignal",
    sentence: "Ends the run between two store calls.",
    parse: (value: unknown): AbortSignal | null => (value instanceof AbortSignal ? value : null),
  },
  reason: { type: "string", default: "cancelled by a filter", sentence: "Of a cancel: what the cancelled ones say." },
  queue: { type: "string", sentence: "Of a requeue: the Queue to wait in from now on, instead of its own." },
  input: {
    type: "custom",
    expected: "a function from the old input to the new one",
    sentence: "Of a requeue: makes the new input from the old one; what it throws ends the run.",
    parse: (value: unknown): ((input: unknown, operation: OperationView) => unknown) | null =>
      typeof value === "function" ? (value as (input: unknown) => unknown) : null, // as documented
  },
  force: { type: "boolean", default: false, sentence: "Of a requeue: poison, too." },
} as const satisfies OptionTable;

/** Options of a cancel or delete by filter. */
export type BulkOptions = Pick<Given<typeof bulkTable>, "dryRun" | "rate" | "signal">;

/** Options of a requeue by filter. */
export type RequeueOptions = BulkOptions & Pick<Given<typeof bulkTable>, "force" | "queue" | "input">;

/** In which states each action finds what it can act on. */
const STATES: Readonly<Record<BulkAction, readonly WalkedState[]>> = {
  cancel: ["scheduled", "ready", "running"],
  requeue: ["failed"],
  delete: ["failed", "completed", "cancelled", "skipped"],
};

/** What fits, with its enqueued bytes if they are still there. */
interface Fit {
  readonly view: OperationView;
  readonly body: Uint8Array | null;
}

/** Dots of one acting call: each costs a probe per slice and owner, and a call shall take well below 5 ms. */
const CHUNK = 50;
/** Records looked at per reading call. */
const PAGE = 250;
/** A rate is kept over stretches of this length, in milliseconds. */
const STRETCH_MS = 100;
/** How long a cancelled Operation is kept, as `Handle.cancel` keeps it. */
const CANCEL_RETAIN_MS = 24 * 60 * 60 * 1000;

/** A bulk run: iterate it for its progress, or await `done()`. It begins with whichever comes first, and runs once. */
export class BulkRun implements AsyncIterable<BulkProgress> {
  readonly #reach: Reach;
  readonly #action: BulkAction;
  readonly #filter: Filter;
  readonly #states: readonly WalkedState[];
  readonly #options: Resolved<typeof bulkTable>;
  readonly #counts = { looked: 0, matched: 0, done: 0, requested: 0, skipped: 0 };
  #steps: AsyncGenerator<BulkProgress, void, undefined> | null = null;
  #isAborted = false;
  /** When the run began, by the wall clock. */
  #startMs = 0;
  /** When the next call may be sent at the rate, by the monotonic clock. */
  #nextMs = 0;

  /** Reads filter and options. Errors: MR_INVALID_OPTION. */
  constructor(reach: Reach, action: BulkAction, filter: string, options: Given<typeof bulkTable>) {
    this.#reach = reach;
    this.#action = action;
    this.#filter = parseFilter(filter, reach.clock().nowMs());
    this.#options = resolveOptions(bulkTable, options, `inspect.${action}`);
    if (this.#options.queue !== undefined) checkName(this.#options.queue, "Queue");
    const named = walkOf(this.#filter).states;
    this.#states = STATES[action].filter((state) => named.includes(state));
    if (this.#states.length > 0) return;
    const problem =
      named.length === 0
        ? `no state fits all of it: tags, keys and errors of what has completed, was cancelled or skipped are not kept`
        : `nothing in ${named.join(", ")} can be ${PAST[action]}: expected ${STATES[action].join(", ")}`;
    throw createError("MR_INVALID_OPTION", { path: "filter", problem });
  }

  /** Runs and tells after each page. Errors: those of the store; what was done until then stays done. */
  [Symbol.asyncIterator](): AsyncGenerator<BulkProgress, void, undefined> {
    this.#steps ??= this.#run();
    return this.#steps;
  }

  /** Runs to the end, if it did not, and tells how it ended. Errors: those of the store. */
  async done(): Promise<BulkSummary> {
    for await (const _ of this); // each step is one page
    return this.summary;
  }

  /** The counts so far. */
  get summary(): BulkSummary {
    const { dryRun: isDryRun } = this.#options;
    return { action: this.#action, isDryRun, isAborted: this.#isAborted, ...this.#counts };
  }

  async *#run(): AsyncGenerator<BulkProgress, void, undefined> {
    await this.#reach.opened(`inspect.${this.#action}`);
    const { queues } = walkOf(this.#filter);
    this.#startMs = this.#clock.nowMs();
    this.#nextMs = this.#clock.monotonicMs();
    if (this.#mustEnd()) return;
    const ids = idsOf(this.#filter);
    if (ids !== null) return yield* this.#runIds(ids);
    const isOfReady = this.#states.includes("ready");
    // What ends lets others go from where they are parked to their lists: so those come first. What a claim parked
    // meanwhile comes last; without acting it would be counted twice.
    yield* this.#walk({ states: isOfReady ? ["parked", ...this.#states] : this.#states, queues });
    if (isOfReady && !this.#options.dryRun && !this.#isAborted) yield* this.#walk({ states: ["parked"], queues });
  }

  async *#walk(of: WalkOf): AsyncGenerator<BulkProgress, void, undefined> {
    for await (const { records, here } of walk(this.#reach.call, of, null, () => PAGE)) {
      const fit = records.flatMap((record) => this.#consider(record, here.segment) ?? []);
      if (!this.#options.dryRun) await this.#actOn(here.segment, fit);
      yield { ...this.#counts };
      if (this.#mustEnd()) return;
    }
  }

  /** A filter that names ids looks at nothing else. */
  async *#runIds(ids: readonly string[]): AsyncGenerator<BulkProgress, void, undefined> {
    for (const id of new Set(ids)) {
      const placed = tryPlaceId(id);
      if (placed === null) continue;
      const record = await this.#reach.finder().find(placed.segment, placed.dot);
      if (typeof record === "string" || !this.#states.some((state) => state === record.state)) continue;
      const fit = this.#consider(record, placed.segment);
      if (fit !== null && !this.#options.dryRun) await this.#actOn(placed.segment, [fit]);
      yield { ...this.#counts };
      if (this.#mustEnd()) return;
    }
  }

  /** Counts a record in; what is to be acted on, or null. */
  #consider(record: OperationRecord, segment: string): Fit | null {
    const view = operationViewOf(record, segment);
    this.#counts.looked++;
    if (!isFit(this.#filter, view)) return null;
    // What fails anew while this runs joins the end of the list: it is not this run's.
    if (this.#action === "requeue" && (view.finishedAt?.getTime() ?? 0) > this.#startMs) return null;
    this.#counts.matched++;
    if (this.#action !== "requeue" || !view.isPoison || this.#options.force) return { view, body: record.body };
    this.#counts.skipped++;
    return null;
  }

  async #actOn(segment: string, fit: readonly Fit[]): Promise<void> {
    const { rate } = this.#options;
    const chunk = rate === undefined ? CHUNK : Math.max(1, Math.min(CHUNK, Math.floor((rate * STRETCH_MS) / 1000)));
    for (let at = 0; at < fit.length; at += chunk) {
      const part = fit.slice(at, at + chunk);
      if (rate !== undefined) await this.#pace(part.length, rate);
      if (this.#mustEnd()) {
        // What was not tried did not fit, as far as this run is concerned.
        this.#counts.matched -= fit.length - at;
        return;
      }
      await this.#act(segment, part);
    }
  }

  async #act(segment: string, part: readonly Fit[]): Promise<void> {
    for (const answer of await this.#answers(segment, part)) {
      if (answer === "ok" || answer === "cancelled") this.#counts.done++;
      else if (answer === "requested") this.#counts.requested++;
      else this.#counts.skipped++;
    }
  }

  async #answers(segment: string, part: readonly Fit[]): Promise<readonly string[]> {
    const { call } = this.#reach;
    const dots = part.flatMap(({ view }) => tryPlaceId(view.id)?.dot ?? []);
    switch (this.#action) {
      case "cancel": {
        const reason = this.#options.reason.slice(0, 1_000);
        const params = { dots, retainMs: CANCEL_RETAIN_MS, value: encodeOutcome("", 0, 0, reason, "reason") };
        return (await call((store) => store.cancel(segment, params))).answers;
      }
      case "requeue": {
        const { queue, input } = this.#options;
        if (queue === undefined && input === undefined) {
          return (await call((store) => store.requeue(segment, { dots }))).answers;
        }
        const elements: RedriveElement[] = [];
        for (const [at, one] of part.entries()) {
          const dot = dots[at] as LocalDot; // one dot each
          const body = input === undefined ? null : await this.#edit(segment, dot, one, input);
          if (body !== "unreadable") elements.push({ ...dot, queue: queue ?? null, body });
        }
        const unreadable = part.slice(elements.length).map(() => "unreadable");
        if (elements.length === 0) return unreadable;
        return [...(await call((store) => store.redrive(segment, { elements }))).answers, ...unreadable];
      }
      case "delete":
        return (await call((store) => store.erase(segment, { dots }))).answers;
    }
  }

  /** The enqueued bytes with another input; all else about it stays. `unreadable`: the old input is lost, or no key opens it. */
  async #edit(
    segment: string,
    dot: LocalDot,
    { view, body }: Fit,
    input: (input: unknown, operation: OperationView) => unknown,
  ): Promise<Uint8Array | "unreadable" | null> {
    if (body === null) return null;
    const old = readInput(body) ?? readInput(await this.#whole(segment, dot));
    if (old === null) return "unreadable";
    const { step, enqueuedAtMs, overrides } = old.envelope;
    return encodeEnvelope(step, enqueuedAtMs, overrides, input(old.input, view));
  }

  /** Pages leave large inputs where they are: one is read for itself, one at a time. */
  async #whole(segment: string, dot: LocalDot): Promise<Uint8Array | null> {
    const record = await this.#reach.finder().find(segment, dot);
    return typeof record === "string" ? null : record.body;
  }

  /** Waits until so many more are within the rate, or the signal fires. */
  async #pace(count: number, rate: number): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    const waitMs = this.#nextMs - nowMs;
    this.#nextMs = Math.max(nowMs, this.#nextMs) + (count * 1000) / rate;
    const { signal } = this.#options;
    if (waitMs <= 0 || signal?.aborted === true) return;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(waitMs, () => end());
      const end = (): void => {
        timer.cancel();
        signal?.removeEventListener("abort", end);
        resolve();
      };
      signal?.addEventListener("abort", end, { once: true });
    });
  }

  #mustEnd(): boolean {
    if (this.#options.signal?.aborted === true) this.#isAborted = true;
    return this.#isAborted;
  }

  get #clock(): Clock {
    return this.#reach.clock();
  }
}

/** What stands in enqueued bytes; null if it cannot be read. */
function readInput(body: Uint8Array | null): { readonly envelope: Envelope; readonly input: unknown } | null {
  if (body === null) return null;
  try {
    const envelope = decodeEnvelope(body);
    return { envelope, input: decode(body.subarray(envelope.payloadAt)) };
  } catch (error) {
    if (isMillraceError(error, "MR_DECODE")) return null;
    throw error;
  }
}

const PAST: Readonly<Record<BulkAction, string>> = { cancel: "cancelled", requeue: "requeued", delete: "deleted" };
