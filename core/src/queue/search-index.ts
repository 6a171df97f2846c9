/**
 * An index for searches (elsewhere: secondary index), in the memory of the process that keeps it, fed after the fact and
 * by reading alone: who enqueues, claims or completes does nothing for it and need not know of it.
 *
 * How far it is, is known by the marks of lanes: an Operation whose counter is at or below what is `indexed` of its lane
 * has a row, whatever became of it; those above are read before a search is answered. What there was when the index began
 * is read once, in the order in which Operations live: waiting unread, then what runs or has a record, then what is
 * finished. None goes back on that way, so none is missed.
 */
import type { Clock } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import { tryPlaceId } from "../engine/dot.js";
import type { LocalDot } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import type { Store } from "../engine/store.js";
import type { ListAnswer, SurveyAnswer } from "../engine/transitions.js";
import { factsOf } from "./search-row.js";
import { type Candidate, SearchTable } from "./search-table.js";

/** What an index asks of a store. */
export type IndexedStore = Pick<Store, "segments" | "survey" | "list" | "peek" | "find">;

/** Calls the store, again if need be. */
export type CallIndexed = <Answer>(call: (store: IndexedStore) => Promise<Answer>) => Promise<Answer>;

/** How far an index is. */
export interface SearchIndexView {
  /** False while it reads what there was when it began: searches then go without it. */
  readonly isReady: boolean;
  /** Operations in it; some may be gone from the store. */
  readonly indexed: number;
  /** How many had been accepted and were not in it yet, when it looked last. */
  readonly behind: number;
  /** Bytes its columns take, outside the JavaScript heap. */
  readonly bytes: number;
}

/** What became of a candidate. */
export interface Verified {
  readonly candidate: Candidate;
  readonly record: OperationRecord;
}

/** Read in one store call: about a millisecond of the store's time. */
const PAGE = 250;
/** Found by id in one: each is looked for in every slice and with every owner, about two milliseconds in all. */
const FIND = 50;
const SURVEY_PAGE = 1_000;
/** How long one round may go on, in milliseconds. */
const RUN_MS = 60;
/** Pages of a Queue's end read in one round. */
const WAITING_PAGES = 40;
/** How long a counter of the full path that is not there may still come, and how many of such are kept in mind. */
const HOLE_MS = 120_000;
const HOLES_MAX = 5_000;
/** How often a Queue is read anew because something was overtaken by claims. */
const TRIES = 8;

/** Most Operations kept in mind of a Queue that is gone through from its front. */
const AHEAD_MAX = 20_000;

/** How far one lane is. */
interface Mark {
  readonly lane: number;
  readonly laneName: string;
  readonly queue: string | null;
  accepted: number;
  claimed: number;
  indexed: number;
}

/** What is known of one Segment. */
interface Feed {
  readonly segment: string;
  readonly marks: Map<string, Mark>;
  /** How far before the place where it was expected the end of a Queue is read: what is in between is of no lane. */
  readonly slack: Map<string, number>;
  /** Queues that are gone through from their front, over several rounds: too much stands behind what is looked for. */
  readonly readings: Map<string, Reading>;
  /** Counters of the full path that were not there: refused, or still to come. With when they were seen missing. */
  readonly holes: Map<string, { readonly mark: Mark; readonly counter: number; readonly sinceMs: number }>;
  /** Reads what there was; null once it has. */
  build: AsyncGenerator<void, void, undefined> | null;
}

/** Of one lane: what waits, by counter, and up to where all that waits is among it. */
interface Waiting {
  readonly bodies: Map<number, Uint8Array>;
  to: number;
}

/** What a row is made of. */
type Met = Pick<OperationRecord, "body" | "value" | "queue">;

/** Of one Queue: where its reading goes on, and what was met of each lane. */
interface Reading {
  cursor: string | null;
  readonly met: Map<Mark, Waiting>;
  count: number;
}

/** The index of one process. */
export class SearchIndex {
  readonly #call: CallIndexed;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #feeds = new Map<string, Feed>();
  #table = new SearchTable();
  #generation = 1;
  #sweepFrom = 0;
  #isKnown = false;
  /** Rounds and readings go one behind the other. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(call: CallIndexed, clock: Clock, log: Logger) {
    this.#call = call;
    this.#clock = clock;
    this.#log = log;
  }

  /** Rows to look through. */
  get table(): SearchTable {
    return this.#table;
  }

  /** Rises when it begins anew: row numbers of another generation mean nothing. */
  get generation(): number {
    return this.#generation;
  }

  /** How far it is. */
  view(): SearchIndexView {
    let behind = 0;
    for (const { marks } of this.#feeds.values()) {
      for (const { accepted, indexed } of marks.values()) behind += Math.max(0, accepted - indexed);
    }
    return { isReady: this.#isReady, indexed: this.#table.size, behind, bytes: this.#table.bytes };
  }

  /** One bounded round: reads on, then forgets some of what is gone. Errors: the store's. */
  run(): Promise<void> {
    return this.#inTurn(async () => {
      const endMs = this.#clock.monotonicMs() + RUN_MS;
      await this.#meet();
      for (const feed of this.#feeds.values()) if (await this.#isBuilt(feed, endMs)) await this.#follow(feed, endMs);
      if (this.#isReady) await this.#sweep();
    });
  }

  /** Reads what came since, for so many milliseconds; whether all that had come before this call is in. */
  catchUp(budgetMs: number): Promise<boolean> {
    return this.#inTurn(async () => {
      const endMs = this.#clock.monotonicMs() + budgetMs;
      await this.#meet();
      for (const feed of this.#feeds.values()) {
        if (!(await this.#isBuilt(feed, endMs))) return false;
        for (let tries = TRIES; !(await this.#follow(feed, endMs)); tries--) {
          if (tries === 0 || this.#clock.monotonicMs() >= endMs) return false;
        }
      }
      return true;
    });
  }

  /** Forgets everything and begins anew. */
  async rebuild(): Promise<void> {
    await this.#inTurn(async () => this.#reset());
  }

  /** Reads what became of candidates of a table; those that are gone are forgotten. Errors: the store's. */
  async verify(table: SearchTable, candidates: readonly Candidate[]): Promise<Verified[]> {
    const verified: Verified[] = [];
    const bySegment = new Map<string, Candidate[]>();
    for (const candidate of candidates) {
      const others = bySegment.get(candidate.segment);
      if (others === undefined) bySegment.set(candidate.segment, [candidate]);
      else others.push(candidate);
    }
    const found = new Map<Candidate, OperationRecord>();
    for (const [segment, of] of bySegment) {
      for (let at = 0; at < of.length; at += FIND) {
        const page = of.slice(at, at + FIND);
        const records = await this.#find(
          segment,
          page.map(({ dot }) => dot),
        );
        for (const [i, candidate] of page.entries()) {
          const record = records[i];
          if (record === undefined || typeof record === "string") {
            table.remove(candidate.row);
            continue;
          }
          if (record.queue !== null) table.moved(candidate.row, record.queue);
          found.set(candidate, isUnread(record) ? { ...record, body: candidate.head } : record);
        }
      }
    }
    for (const candidate of candidates) {
      const record = found.get(candidate);
      if (record !== undefined) verified.push({ candidate, record });
    }
    return verified;
  }

  get #isReady(): boolean {
    if (!this.#isKnown) return false;
    for (const { build } of this.#feeds.values()) if (build !== null) return false;
    return true;
  }

  #inTurn<Answer>(work: () => Promise<Answer>): Promise<Answer> {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => undefined); // whoever asked for it hears of it
    return mine;
  }

  /** Learns of Segments. What one that comes later holds is read like that of the first ones. */
  async #meet(): Promise<void> {
    for (const segment of await this.#call((store) => store.segments())) {
      if (this.#feeds.has(segment)) continue;
      const feed: Feed = {
        segment,
        marks: new Map(),
        slack: new Map(),
        readings: new Map(),
        holes: new Map(),
        build: null,
      };
      feed.build = this.#build(feed);
      this.#feeds.set(segment, feed);
    }
    this.#isKnown = true;
  }

  /** Reads on what there was; whether that is over. After an error it begins anew with everything. */
  async #isBuilt(feed: Feed, endMs: number): Promise<boolean> {
    try {
      while (feed.build !== null) {
        if ((await feed.build.next()).done === true) feed.build = null;
        else if (this.#clock.monotonicMs() >= endMs) return false;
      }
      return true;
    } catch (error) {
      this.#reset();
      throw error;
    }
  }

  #reset(): void {
    this.#table = new SearchTable();
    this.#feeds.clear();
    this.#generation++;
    this.#sweepFrom = 0;
    this.#isKnown = false;
  }

  // ── What there was ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads what there is below the marks of this moment; what comes above them is followed afterwards. */
  async *#build(feed: Feed): AsyncGenerator<void, void, undefined> {
    const built = new Map<Mark, Set<number>>();
    const add = (laneName: string, counter: number, record: OperationRecord, isOnList = false): void => {
      const mark = feed.marks.get(laneName);
      if (mark === undefined || counter > mark.indexed) return;
      const of = built.get(mark) ?? new Set();
      built.set(mark, of);
      if (of.has(counter)) return;
      of.add(counter);
      this.#add(mark, counter, record, isOnList && mark.queue !== null);
    };
    await this.#readMarks(feed);
    for (const mark of feed.marks.values()) mark.indexed = mark.accepted;
    yield;
    const queues = new Set([...feed.marks.values()].flatMap(({ queue }) => queue ?? []));
    for (const queue of queues) yield* this.#buildWaiting(feed, queue, add);
    for (let cursor: string | null = null; ; ) {
      const at: string | null = cursor;
      const page: SurveyAnswer = await this.#call((store) =>
        store.survey(feed.segment, { of: "records", cursor: at, max: PAGE }),
      );
      for (let from = 0; from < page.dots.length; from += FIND) {
        const dots = page.dots.slice(from, from + FIND);
        const records = await this.#find(feed.segment, dots);
        for (const [i, { laneName, counter }] of dots.entries()) {
          const record = records[i];
          if (record !== undefined && typeof record !== "string" && !isUnread(record)) add(laneName, counter, record);
        }
        yield;
      }
      yield;
      cursor = page.cursor;
      if (cursor === null) break;
    }
    for (const state of ["completed", "cancelled", "skipped"] as const) {
      for (let cursor: string | null = null; ; ) {
        const at: string | null = cursor;
        const page: ListAnswer = await this.#call((store) =>
          store.list(feed.segment, { of: { state }, cursor: at, max: PAGE }),
        );
        for (const record of page.records) {
          const placed = tryPlaceId(record.id);
          if (placed !== null) add(placed.dot.laneName, placed.dot.counter, record);
        }
        yield;
        cursor = page.cursor;
        if (cursor === null) break;
      }
    }
    this.#log.debug({ segment: feed.segment, rows: this.#table.size }, "search index: all that there was is read");
  }

  /** Reads what waits in a Queue; again if claims have overtaken the reading, so that some may not have been met. */
  async *#buildWaiting(
    feed: Feed,
    queue: string,
    add: (laneName: string, counter: number, record: OperationRecord, isOnList: boolean) => void,
  ): AsyncGenerator<void, void, undefined> {
    for (let tries = TRIES; ; tries--) {
      await this.#readMarks(feed);
      const next = new Map<Mark, number>();
      for (const mark of feed.marks.values()) if (mark.queue === queue) next.set(mark, mark.claimed + 1);
      const doubts: { readonly mark: Mark; readonly from: number; readonly to: number }[] = [];
      for (let cursor: string | null = null; ; ) {
        const at: string | null = cursor;
        const of = { state: "ready", queue } as const;
        const page: ListAnswer = await this.#call((store) => store.list(feed.segment, { of, cursor: at, max: PAGE }));
        for (const record of page.records) {
          const placed = tryPlaceId(record.id);
          if (placed === null) continue;
          const { laneName, counter } = placed.dot;
          const mark = feed.marks.get(laneName);
          const expected = mark === undefined ? undefined : next.get(mark);
          if (mark !== undefined && expected !== undefined && counter >= expected) {
            if (counter > expected) doubts.push({ mark, from: expected, to: Math.min(counter - 1, mark.indexed) });
            next.set(mark, counter + 1);
          }
          add(laneName, counter, record, true);
        }
        yield;
        cursor = page.cursor;
        if (cursor === null) break;
      }
      for (const [mark, from] of next) doubts.push({ mark, from, to: mark.indexed });
      let isOvertaken = false;
      for (const { mark, from, to } of doubts) {
        for (let at = from; at <= to && !isOvertaken; at += FIND) {
          const records = await this.#find(feed.segment, dotsOf(mark, at, Math.min(to, at + FIND - 1)));
          isOvertaken = records.some((record) => typeof record !== "string" && isUnread(record));
          yield;
        }
      }
      if (!isOvertaken) return;
      if (tries === 0) throw new Error(`claims from ${queue} overtake the reading of it`);
    }
  }

  // ── What comes ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Reads what came since; whether all that had come before is in. */
  async #follow(feed: Feed, endMs: number): Promise<boolean> {
    await this.#readMarks(feed);
    const waiting = await this.#readWaiting(feed);
    let isAll = true;
    for (const mark of feed.marks.values()) {
      if (mark.indexed >= mark.accepted) continue;
      const isThere = await this.#advance(feed, mark, waiting.get(mark) ?? null, endMs);
      isAll = isThere && isAll;
    }
    await this.#fillHoles(feed);
    return isAll;
  }

  async #readMarks(feed: Feed): Promise<void> {
    for (let cursor: string | null = null; ; ) {
      const at: string | null = cursor;
      const page: SurveyAnswer = await this.#call((store) =>
        store.survey(feed.segment, { of: "lanes", cursor: at, max: SURVEY_PAGE }),
      );
      for (const { laneName, queue, accepted, claimed } of page.lanes) {
        const mark = feed.marks.get(laneName);
        if (mark !== undefined) {
          mark.accepted = accepted;
          mark.claimed = claimed;
        } else {
          const lane = this.#table.laneOf(feed.segment, laneName);
          feed.marks.set(laneName, { lane, laneName, queue, accepted, claimed, indexed: 0 });
        }
      }
      cursor = page.cursor;
      if (cursor === null) return;
    }
  }

  /** Reads the ends of Queues where something waits that is not in the index. */
  async #readWaiting(feed: Feed): Promise<Map<Mark, Waiting>> {
    const waiting = new Map<Mark, Waiting>();
    const byQueue = new Map<string, number>();
    for (const mark of feed.marks.values()) {
      const count = mark.accepted - Math.max(mark.indexed, mark.claimed);
      if (mark.queue === null || count <= 0) continue;
      byQueue.set(mark.queue, (byQueue.get(mark.queue) ?? 0) + count);
      waiting.set(mark, { bodies: new Map(), to: mark.claimed });
    }
    for (const [queue, count] of byQueue) await this.#readEnd(feed, queue, count, waiting);
    return waiting;
  }

  async #readEnd(feed: Feed, queue: string, count: number, waiting: Map<Mark, Waiting>): Promise<void> {
    const reading = feed.readings.get(queue);
    if (reading !== undefined) return await this.#readOn(feed, queue, reading, waiting);
    const read = (offset: number, limit: number) =>
      this.#call((store) => store.peek(feed.segment, { of: { queue }, offset, limit }));
    let { total } = await read(0, 1);
    let offset = Math.max(0, total - count - (feed.slack.get(queue) ?? 0));
    for (let page = 0; page < WAITING_PAGES && offset < total; page++, offset += PAGE) {
      const answer = await read(offset, PAGE);
      total = answer.total;
      for (const { id, body } of answer.records) {
        const placed = tryPlaceId(id);
        const mark = placed === null ? undefined : feed.marks.get(placed.dot.laneName);
        const of = mark === undefined ? undefined : waiting.get(mark);
        if (placed === null || of === undefined || mark === undefined || body === null) continue;
        const { counter } = placed.dot;
        if (counter <= mark.indexed || counter > mark.accepted) continue;
        of.bodies.set(counter, body);
        of.to = Math.max(of.to, counter);
      }
    }
    const here = [...waiting].filter(([mark]) => mark.queue === queue);
    if (offset >= total) for (const [mark, of] of here) of.to = mark.accepted;
    else if (here.every(([, { bodies }]) => bodies.size === 0)) {
      // All of what was read is of no lane: a round that began at the end again would read the same.
      const met = new Map(here.map(([mark]) => [mark, { bodies: new Map(), to: mark.accepted }]));
      feed.readings.set(queue, { cursor: null, met, count: 0 });
    }
  }

  /**
   * Goes through a Queue from its front, by a cursor that stands whatever is claimed or added meanwhile. At the end what
   * was met of each lane is what waits of it, up to where it was when this began.
   */
  async #readOn(feed: Feed, queue: string, reading: Reading, waiting: Map<Mark, Waiting>): Promise<void> {
    const of = { state: "ready", queue } as const;
    for (let page = 0; page < WAITING_PAGES; page++) {
      const { cursor } = reading;
      const answer: ListAnswer = await this.#call((store) => store.list(feed.segment, { of, cursor, max: PAGE }));
      for (const { id, body } of answer.records) {
        const placed = tryPlaceId(id);
        const mark = placed === null ? undefined : feed.marks.get(placed.dot.laneName);
        const met = mark === undefined ? undefined : reading.met.get(mark);
        if (placed === null || mark === undefined || met === undefined || body === null) continue;
        const { counter } = placed.dot;
        if (counter <= mark.indexed || counter > met.to) continue;
        if (reading.count >= AHEAD_MAX) {
          met.to = counter - 1; // the rest of this lane another time
          continue;
        }
        met.bodies.set(counter, body);
        reading.count++;
      }
      reading.cursor = answer.cursor;
      if (answer.cursor === null) break;
    }
    if (reading.cursor !== null) return;
    feed.readings.delete(queue);
    for (const [mark, met] of reading.met) if (waiting.has(mark)) waiting.set(mark, met);
  }

  /** Gives rows to a lane's next ones, in order; whether it has come to the end. */
  async #advance(feed: Feed, mark: Mark, waiting: Waiting | null, endMs: number): Promise<boolean> {
    const to = waiting?.to ?? mark.accepted;
    while (mark.indexed < to) {
      const from = mark.indexed + 1;
      const end = Math.min(to, mark.indexed + FIND);
      const unmet = dotsOf(mark, from, end).filter(({ counter }) => waiting?.bodies.has(counter) !== true);
      const records = unmet.length === 0 ? [] : await this.#find(feed.segment, unmet);
      const found = new Map(unmet.map(({ counter }, i) => [counter, records[i] ?? "missing"]));
      for (let counter = from; counter <= end; counter++) {
        const record = found.get(counter);
        if (record === undefined) {
          const body = waiting?.bodies.get(counter) ?? null;
          this.#add(mark, counter, { body, value: null, queue: mark.queue }, true);
        } else if (record === "missing") this.#noteHole(feed, mark, counter);
        else if (record !== "pruned") {
          if (isUnread(record)) {
            // It waits further ahead than was read: others that are of no lane stand behind it.
            const queue = mark.queue ?? "";
            feed.slack.set(queue, 4 * (feed.slack.get(queue) ?? 0) + 64);
            return false;
          }
          this.#add(mark, counter, record, false);
        }
        mark.indexed = counter;
      }
      if (this.#clock.monotonicMs() >= endMs) break;
    }
    if (mark.queue !== null && mark.indexed >= mark.accepted) feed.slack.delete(mark.queue);
    return mark.indexed >= mark.accepted;
  }

  #noteHole(feed: Feed, mark: Mark, counter: number): void {
    if (mark.queue !== null) return; // a lane of the fast path has gaps only where something was lost
    feed.holes.set(`${mark.lane} ${counter}`, { mark, counter, sinceMs: this.#clock.monotonicMs() });
    for (const oldest of feed.holes.keys()) {
      if (feed.holes.size <= HOLES_MAX) break;
      feed.holes.delete(oldest);
    }
  }

  /** A call that was refused and sent again comes after others: looks for what it brought. The newest ones. */
  async #fillHoles(feed: Feed): Promise<void> {
    const holes = [...feed.holes].slice(-FIND);
    if (holes.length === 0) return;
    const dots = holes.map(([, { mark, counter }]) => ({ laneName: mark.laneName, counter }));
    const records = await this.#find(feed.segment, dots);
    const nowMs = this.#clock.monotonicMs();
    for (const [i, [key, { mark, counter, sinceMs }]] of holes.entries()) {
      const record = records[i];
      if (record !== undefined && typeof record !== "string") this.#add(mark, counter, record, false);
      else if (record === "missing" && nowMs - sinceMs < HOLE_MS) continue;
      feed.holes.delete(key);
    }
  }

  /** Forgets rows of what is gone from the store, some in each round. */
  async #sweep(): Promise<void> {
    const { found, next } = this.#table.page(this.#sweepFrom, FIND);
    this.#sweepFrom = next ?? 0;
    await this.verify(this.#table, found);
  }

  #add(mark: Mark, counter: number, { body, value, queue }: Met, isUnread: boolean): void {
    const facts = factsOf(body, value);
    const head = isUnread ? facts.head : null;
    this.#table.add({ lane: mark.lane, counter, ...facts, queue: queue ?? mark.queue, head });
  }

  async #find(
    segment: string,
    dots: readonly LocalDot[],
  ): Promise<readonly (OperationRecord | "missing" | "pruned")[]> {
    return (await this.#call((store) => store.find(segment, { dots, wait: false }))).records;
  }
}

/** It waits on the fast path, where a store has no bytes of it by its id. */
function isUnread(record: OperationRecord): boolean {
  return record.state === "ready" && record.body === null;
}

function dotsOf({ laneName }: Mark, from: number, to: number): LocalDot[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({ laneName, counter: from + i }));
}
