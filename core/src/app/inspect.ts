/**
 * `app.inspect`: what is where, and why (elsewhere: monitor, admin, inspector). Lists, searches, counts, groups of dead
 * letters, bulk actions, explanations.
 *
 * Everything here is made of bounded store calls. What cannot be answered within its budget is answered in part, says
 * so (`partial`) and can be gone on with (`cursor`). Never imported by the hot path.
 */
import type { Clock } from "../base/clock.js";
import { createError, show } from "../base/errors.js";
import { checkName } from "../base/names.js";
import { type Given, type OptionTable, resolveOptions } from "../base/options.js";
import { tryPlaceId } from "../engine/dot.js";
import { isFairGate } from "../engine/ties.js";
import { noTotals, type Totals } from "../engine/transitions.js";
import { type Filter, idsOf, parseFilter } from "../queue/filter.js";
import { isFit } from "../queue/filter-match.js";
import { readPlace, type WalkedState, type WalkOf, type WalkPlace, walk, walkOf, writePlace } from "../queue/walk.js";
import { type BulkOptions, BulkRun, type RequeueOptions } from "./inspect-bulk.js";
import type { CountRow, CountsView } from "./inspect-counts.js";
import { type Explanation, explain } from "./inspect-explain.js";
import { type FsckOptions, FsckRun } from "./inspect-fsck.js";
import { DeadGroups, type DeadGroupsAnswer } from "./inspect-groups.js";
import { type OperationPage, type SearchPage, searchIndexed } from "./inspect-search.js";
import type { InspectServices } from "./inspect-services.js";
import { type StepPage, stepPage, stepsTable } from "./inspect-steps.js";
import { type OperationView, operationViewOf } from "./inspect-view.js";

const PAGE_MAX = 1_000;
/** Records looked at per store call: about a millisecond of the store's time. */
const WALK_PAGE = 250;
/** How long a call that filters may go on before it answers in part, in milliseconds. */
const BUDGET_MS = 150;

/** Options of `list`. */
export const listTable = {
  state: {
    type: "string",
    choices: ["ready", "scheduled", "running", "failed", "completed", "cancelled", "skipped"],
    required: true,
    sentence: "The state to list.",
  },
  queue: { type: "string", sentence: "Only Operations of this Queue; what is over has none any more." },
  step: { type: "string", sentence: "Only Operations of this Step." },
  cursor: { type: "string", sentence: "Where to go on: the `cursor` of the page before." },
  limit: { type: "integer", default: 100, min: 1, max: PAGE_MAX, sentence: "Most Operations of a page." },
} as const satisfies OptionTable;

/** Options of `search`, of groups of dead letters and of counts. */
export const pageTable = {
  cursor: { type: "string", sentence: "Where to go on: the `cursor` of the page before." },
  limit: { type: "integer", default: 100, min: 1, max: PAGE_MAX, sentence: "Most Operations of a page." },
  budget: {
    type: "duration",
    default: BUDGET_MS,
    min: 1,
    max: "1h",
    sentence: "How long to look before answering in part.",
  },
} as const satisfies OptionTable;

/** Options of `counts`. */
export const countsTable = {
  queue: { type: "string", sentence: "Only Operations of this Queue." },
  by: { type: "string", choices: ["state", "step"], default: "state", sentence: "One row in all, or one per Step." },
  budget: {
    type: "duration",
    default: BUDGET_MS,
    min: 1,
    max: "1h",
    sentence: "How long to count one by one before answering in part.",
  },
} as const satisfies OptionTable;

/** One page to make. */
interface PageWishes {
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Milliseconds. */
  readonly budget: number;
}

/** Looks into an App's Queues, over all Segments. */
export class Inspect {
  readonly #services: InspectServices;

  constructor(services: InspectServices) {
    this.#services = services;
  }

  /**
   * Lists what is in one state, page by page, in the store's order.
   *
   * Errors: MR_INVALID_OPTION, MR_INVALID_NAME · MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async list(options: Given<typeof listTable>): Promise<OperationPage> {
    const { state, queue, step, cursor, limit } = resolveOptions(listTable, options, "list");
    const queues = queue === undefined ? null : [checkName(queue, "Queue")];
    await this.#services.reach.opened("inspect.list");
    const isWanted = (view: OperationView): boolean =>
      (queues === null || view.queue === queue) && (step === undefined || view.step === step);
    const isPlain = step === undefined && (queues === null || state === "ready");
    return await this.#page({ states: [state], queues }, isWanted, { cursor, limit, budget: BUDGET_MS }, isPlain);
  }

  /**
   * Finds Operations by a filter (docs/guides/operations.md), by the index of this process if it keeps one that helps.
   * What is over is known by id, state, Step, error and times only.
   *
   * Errors: MR_INVALID_OPTION for a filter that is not understood, naming the nearest field, and for a cursor of an index
   * that has begun anew · MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async search(filter: string, options: Given<typeof pageTable> = {}): Promise<SearchPage> {
    const page = resolveOptions(pageTable, options, "search");
    const parsed = parseFilter(filter, this.#clock.nowMs());
    await this.#services.reach.opened("inspect.search");
    const index = this.#services.index();
    const ids = idsOf(parsed);
    const found = ids === null ? await searchIndexed(this.#services.reach, index, parsed, page) : null;
    if (found !== null) return { ...found, isIndexed: true, index: index?.view() ?? null };
    const isWanted = (view: OperationView): boolean => isFit(parsed, view);
    const walked =
      ids === null ? await this.#page(walkOf(parsed), isWanted, page, false) : await this.#byId(ids, parsed);
    return { ...walked, isIndexed: false, index: index?.view() ?? null };
  }

  /**
   * Lets the search index of this process begin anew; searches go without it until it has read what there is. Answers
   * false if this process keeps none. Errors: MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async reindex(): Promise<boolean> {
    await this.#services.reach.opened("inspect.reindex");
    const index = this.#services.index();
    await index?.rebuild();
    return index !== null;
  }

  /**
   * Counts Operations that wait, run or failed. Without a Queue and by state the figures are exact; else what is not
   * ready is counted one by one, within a budget. Errors: MR_INVALID_OPTION, MR_INVALID_NAME · as `list`.
   */
  async counts(options: Given<typeof countsTable> = {}): Promise<CountsView> {
    const { queue, by, budget } = resolveOptions(countsTable, options, "counts");
    if (queue !== undefined) checkName(queue, "Queue");
    const { reach } = this.#services;
    await reach.opened("inspect.counts");
    const totals = noTotals();
    const sums = { scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 0 };
    for (const segment of await reach.call((store) => store.segments())) {
      const counts = await reach.call((store) => store.counts(segment));
      for (const name of Object.keys(totals) as (keyof Totals)[]) totals[name] += counts.totals[name]; // its own keys
      sums.scheduled += counts.scheduled;
      sums.running += counts.running;
      sums.failed += counts.dead;
      sums.blocked += counts.parked;
      for (const one of counts.queues) if (queue === undefined || one.queue === queue) sums.ready += one.ready;
    }
    if (queue === undefined && by === "state") {
      return { rows: [{ step: null, ...sums, ready: sums.ready + sums.blocked }], totals, partial: false };
    }
    return await this.#recount(queue, by, budget, { totals, ready: sums.ready });
  }

  /** Counts one by one. By state, what is on lists is known already. */
  async #recount(
    queue: string | undefined,
    by: "state" | "step",
    budgetMs: number,
    known: { readonly totals: Totals; readonly ready: number },
  ): Promise<CountsView> {
    const counted = ["scheduled", "running", "failed"] as const;
    const states: readonly WalkedState[] = by === "step" ? [...counted, "ready"] : [...counted, "parked"];
    const rows = new Map<string | null, { -readonly [Name in keyof CountRow]: CountRow[Name] }>();
    const rowOf = (step: string | null) => {
      const row = rows.get(step) ?? { step, scheduled: 0, ready: 0, blocked: 0, running: 0, failed: 0 };
      rows.set(step, row);
      return row;
    };
    if (by === "state") rowOf(null).ready = known.ready;
    const endMs = this.#clock.monotonicMs() + budgetMs;
    const of = { states, queues: queue === undefined ? null : [queue] };
    for await (const { records, here, next } of this.#walk(of, null, WALK_PAGE)) {
      for (const record of records) {
        if (queue !== undefined && record.queue !== queue) continue;
        const step = by === "step" ? operationViewOf(record, here.segment).step : null;
        const { state } = here;
        const row = rowOf(step);
        if (state === "parked") {
          const takesTurns = record.parked !== null && isFairGate(record.parked.name);
          // Ready and not blocked; by state it is among the known already.
          if (by === "step" || !takesTurns) row.ready++;
          if (!takesTurns) row.blocked++;
        } else if (state !== "completed" && state !== "cancelled" && state !== "skipped") row[state]++;
      }
      if (next !== null && this.#clock.monotonicMs() >= endMs) {
        return { rows: sorted([...rows.values()]), totals: known.totals, partial: true };
      }
    }
    return { rows: sorted([...rows.values()]), totals: known.totals, partial: false };
  }

  /**
   * Lists Steps by name: which Nodes run each, how many of its Operations are where, what limits it. Known are those
   * declared here, those Nodes tell of, and those with Operations that wait, run or failed, or with limits in use.
   *
   * Errors: MR_INVALID_OPTION · as `list`.
   */
  async steps(options: Given<typeof stepsTable> = {}): Promise<StepPage> {
    const { counts, budget, ...wishes } = resolveOptions(stepsTable, options, "steps");
    if (!counts && wishes.state !== undefined) {
      const problem = "which Steps have something in a state is known by counting: leave `counts` as it is";
      throw createError("MR_INVALID_OPTION", { path: "steps.state", problem });
    }
    await this.#services.reach.opened("inspect.steps");
    return await stepPage(this.#services, wishes, counts ? await this.counts({ by: "step", budget }) : null);
  }

  /**
   * Groups dead letters by fingerprint: code, message without what varies, top frame. Largest group first.
   *
   * Errors: MR_INVALID_OPTION for a filter that is not understood · as `list`.
   */
  async deadGroups(filter = "", options: Given<typeof pageTable> = {}): Promise<DeadGroupsAnswer> {
    const { cursor, limit, budget } = resolveOptions(pageTable, options, "deadGroups");
    await this.#services.reach.opened("inspect.deadGroups");
    const parsed = parseFilter(filter, this.#clock.nowMs());
    const groups = new DeadGroups();
    const endMs = this.#clock.monotonicMs() + budget;
    const from = cursor === undefined ? null : readPlace(cursor);
    let rest: WalkPlace | null = null;
    for await (const { records, here, next } of this.#walk({ states: ["failed"], queues: null }, from, WALK_PAGE)) {
      for (const record of records) {
        const view = operationViewOf(record, here.segment);
        if (isFit(parsed, view)) groups.add(view);
      }
      rest = next;
      if (this.#clock.monotonicMs() >= endMs) break;
    }
    return groups.answer(limit, rest === null ? null : writePlace(rest));
  }

  /**
   * Cancels what fits a filter: what waits ends at once, what runs is asked to end. What came after the call began may
   * be left out. Errors: MR_INVALID_OPTION at once for a filter or option that is not understood; the rest while it
   * is iterated.
   */
  cancel(filter: string, options: BulkOptions & { readonly reason?: string } = {}): BulkRun {
    return new BulkRun(this.#services.reach, "cancel", filter, options);
  }

  /**
   * Requeues the dead letters that fit a filter (elsewhere: redrive): each gets a new generation with fresh Attempts.
   * Poison stays unless `force`. What fails again meanwhile is not taken twice. Errors: as `cancel`.
   */
  requeue(filter: string, options: RequeueOptions = {}): BulkRun {
    return new BulkRun(this.#services.reach, "requeue", filter, options);
  }

  /**
   * Deletes what is over (failed, completed, cancelled) and fits a filter. What waits or runs is never deleted: a
   * filter that names such a state is refused. Errors: as `cancel`.
   */
  delete(filter: string, options: BulkOptions = {}): BulkRun {
    return new BulkRun(this.#services.reach, "delete", filter, options);
  }

  /**
   * Says why an Operation is where it is: what it waits for, who holds it, how it ended.
   *
   * A store that is away is an answer, not an error. Errors: MR_NOT_FOUND if the text is no id · MR_APP_CLOSED.
   */
  async explain(id: string): Promise<Explanation> {
    const placed = tryPlaceId(id);
    if (placed === null) throw createError("MR_NOT_FOUND", { kind: "id", id: show(id) });
    return await explain(this.#services, id, placed);
  }

  /**
   * Checks that every Operation is in one place, that indexes and records agree, that counters equal a recount; while
   * everything runs on. With `repair`, mends what it finds in the call that finds it.
   *
   * Errors: MR_INVALID_OPTION at once; those of the store while it is iterated.
   */
  fsck(options: FsckOptions = {}): FsckRun {
    return new FsckRun(this.#services.reach, options);
  }

  get #clock(): Clock {
    return this.#services.reach.clock();
  }

  #walk(of: WalkOf, from: WalkPlace | null, max: number) {
    return walk(this.#services.reach.call, of, from, () => max);
  }

  /** Reads until the page is full, all was seen, or the budget is used up. */
  async #page(
    of: WalkOf,
    isWanted: (view: OperationView) => boolean,
    { cursor, limit, budget }: PageWishes,
    isPlain: boolean,
  ): Promise<OperationPage> {
    const endMs = this.#clock.monotonicMs() + budget;
    const operations: OperationView[] = [];
    const from = cursor === undefined ? null : readPlace(cursor);
    // Where everything fits, no more is read than asked for.
    const max = (): number => (isPlain ? Math.min(WALK_PAGE, limit - operations.length) : WALK_PAGE);
    for await (const { records, here, next } of walk(this.#services.reach.call, of, from, max)) {
      for (const [at, record] of records.entries()) {
        const view = operationViewOf(record, here.segment);
        if (!isWanted(view)) continue;
        if (operations.length === limit) {
          return { operations, cursor: writePlace({ ...here, skip: here.skip + at }), partial: false };
        }
        operations.push(view);
      }
      if (next === null) break;
      if (operations.length === limit) return { operations, cursor: writePlace(next), partial: false };
      if (this.#clock.monotonicMs() >= endMs) return { operations, cursor: writePlace(next), partial: true };
    }
    return { operations, cursor: null, partial: false };
  }

  /** A filter that names ids is answered by reading them. */
  async #byId(ids: readonly string[], filter: Filter): Promise<OperationPage> {
    const { reach } = this.#services;
    const operations: OperationView[] = [];
    for (const id of new Set(ids)) {
      const placed = tryPlaceId(id);
      if (placed === null) continue;
      const found = await reach.finder().find(placed.segment, placed.dot);
      if (typeof found === "string") continue;
      const view = operationViewOf(found, placed.segment);
      if (isFit(filter, view)) operations.push(view);
    }
    return { operations, cursor: null, partial: false };
  }
}

/** Largest first. */
function sorted(rows: readonly CountRow[]): readonly CountRow[] {
  const sizeOf = (row: CountRow): number => row.scheduled + row.ready + row.running + row.failed;
  return [...rows].sort((a, b) => sizeOf(b) - sizeOf(a));
}
