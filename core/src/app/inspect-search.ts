/**
 * Searching by the index of a process: candidates from its table, each judged by what the store says of it now. So a row
 * may be out of date, and an answer never is.
 */
import { createError } from "../base/errors.js";
import { isTerminal } from "../engine/operation.js";
import { type Filter, statesOf } from "../queue/filter.js";
import { isFit } from "../queue/filter-match.js";
import type { SearchIndex, SearchIndexView } from "../queue/search-index.js";
import { planOf } from "../queue/search-plan.js";
import type { SearchWish } from "../queue/search-table.js";
import { type OperationView, operationViewOf } from "./inspect-view.js";
import type { Reach } from "./reach.js";

/** A page of Operations. */
export interface OperationPage {
  readonly operations: readonly OperationView[];
  /** Hand it in for the next page; null: there is no more. */
  readonly cursor: string | null;
  /** The budget of the call was used up before the page was full: there may be more, go on with `cursor`. */
  readonly partial: boolean;
}

/** What a search answers. */
export interface SearchPage extends OperationPage {
  /** Whether this page was found by the index of this process. */
  readonly isIndexed: boolean;
  /** How far that index is; null: this process keeps none. */
  readonly index: SearchIndexView | null;
}

/** Candidates verified in one go, and rows looked at between two moments for others. */
const VERIFY_PAGE = 200;
const LOOKS = 131_072;
/** So many candidates are always worth it. */
const FEW = 1_000;
/** Most of the time that what came since may be read for, in milliseconds. */
const CATCH_UP_MS = 100;

/** One page to make. */
interface PageWishes {
  readonly cursor?: string | undefined;
  readonly limit: number;
  /** Milliseconds. */
  readonly budget: number;
}

/**
 * A page found by the index, or null if it is better or necessary to go without: there is none, it is not ready or too
 * far behind, it knows nothing of what is asked, or the states asked for hold less than it would have to look at.
 * Errors: MR_INVALID_OPTION for a cursor of an index that is gone · the store's.
 */
export async function searchIndexed(
  reach: Reach,
  index: SearchIndex | null,
  filter: Filter,
  page: PageWishes,
): Promise<OperationPage | null> {
  const endMs = reach.clock().monotonicMs() + page.budget;
  const from = page.cursor === undefined ? null : rowIn(page.cursor, index);
  if (page.cursor !== undefined && from === null) return null;
  const wish = planOf(filter);
  if (index === null || wish === null) return null;
  const isCaughtUp = await index.catchUp(Math.min(CATCH_UP_MS, page.budget));
  if (from === null && (!isCaughtUp || !(await isWorth(reach, index, wish, filter)))) return null;
  // The same to the end, should the index begin anew meanwhile.
  const { table, generation } = index;
  const states = statesOf(filter);
  const operations: OperationView[] = [];
  const seen = new Set<string>();
  const cursorOf = (row: number): string => `i.${generation}.${row}`;
  for (let row = from ?? 0; ; ) {
    const { found, next } = table.scan(wish, row, VERIFY_PAGE, LOOKS);
    if (found.length === 0) await new Promise<void>((resolve) => reach.clock().immediate(resolve));
    for (const { candidate, record } of await index.verify(table, found)) {
      if (!states.includes(record.state)) continue;
      const view = operationViewOf(record, candidate.segment);
      if (seen.has(view.id) || !isFit(filter, view)) continue;
      if (operations.length === page.limit) return { operations, cursor: cursorOf(candidate.row), partial: false };
      seen.add(view.id);
      operations.push(view);
    }
    if (next === null) break;
    if (operations.length === page.limit) return { operations, cursor: cursorOf(next), partial: false };
    if (reach.clock().monotonicMs() >= endMs) return { operations, cursor: cursorOf(next), partial: true };
    row = next;
  }
  // What came meanwhile and is not in the index stands behind its last row.
  return { operations, cursor: isCaughtUp ? null : cursorOf(table.end), partial: !isCaughtUp };
}

/** The row of a cursor; null: it is not one of an index. Errors: MR_INVALID_OPTION. */
function rowIn(cursor: string, index: SearchIndex | null): number | null {
  const [, generation, row] = /^i\.(\d+)\.(\d+)$/.exec(cursor) ?? [];
  if (row === undefined) return null;
  if (index !== null && index.generation === Number(generation)) return Number(row);
  const problem = "the search index it belongs to is gone: begin without a cursor";
  throw createError("MR_INVALID_OPTION", { path: "cursor", problem });
}

/** Whether reading the candidates is less work than reading all that is in the states asked for. */
async function isWorth(reach: Reach, index: SearchIndex, wish: SearchWish, filter: Filter): Promise<boolean> {
  if (index.table.count(wish, FEW + 1, LOOKS) <= FEW) return true;
  const states = statesOf(filter);
  if (states.some((state) => isTerminal(state) && state !== "failed")) return true; // nobody counts those
  let there = 0;
  for (const segment of await reach.call((store) => store.segments())) {
    const { queues, parked, scheduled, running, dead } = await reach.call((store) => store.counts(segment));
    if (states.includes("ready")) there += queues.reduce((sum, { ready }) => sum + ready, parked);
    if (states.includes("scheduled")) there += scheduled;
    if (states.includes("running")) there += running;
    if (states.includes("failed")) there += dead;
  }
  return index.table.count(wish, there + 1, LOOKS) <= there;
}
