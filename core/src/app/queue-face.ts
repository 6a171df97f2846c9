/**
 * A Queue as users hold it: pause, resume, what is in it, its dead letters. Thin over the store, over all Segments.
 */
import { createError } from "../base/errors.js";
import { tryPlaceId } from "../engine/dot.js";
import type { LocalDot } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import { isFairGate } from "../engine/ties.js";
import type { ListAnswer } from "../engine/transitions.js";
import { listRecords, listSegments } from "../queue/inspect.js";
import type { Reach } from "./reach.js";
import { type StatusView, viewOf } from "./status.js";

/** Records looked at in one call. */
const PAGE = 250;
/** Dots in one requeue call. */
const REQUEUE_MAX = 1_000;

/** How many Operations of a Queue are where, over all Segments. */
export interface QueueSummary {
  readonly queue: string;
  /** What waits for its turn, those kept by an order key, a limit or a rate included. */
  readonly ready: number;
  readonly isPaused: boolean;
}

/** One Queue of an App. */
export class QueueFace {
  readonly name: string;
  readonly #reach: Reach;

  constructor(reach: Reach, name: string) {
    this.#reach = reach;
    this.name = name;
  }

  /**
   * Stops claims everywhere; when it resolves, no Attempt of this Queue starts until `resume`. What runs goes on.
   *
   * Errors: MR_STORE_UNAVAILABLE, MR_INDETERMINATE (repeat it), MR_APP_CLOSED.
   */
  async pause(): Promise<void> {
    await this.#setPaused(true);
  }

  /** Lets claims go on. Errors: as `pause`. */
  async resume(): Promise<void> {
    await this.#setPaused(false);
  }

  /** Counts what waits; what is kept by its ties one by one, in calls of bounded size. Errors: MR_STORE_UNAVAILABLE, MR_APP_CLOSED. */
  async counts(): Promise<QueueSummary> {
    await this.#reach.opened("queue.counts");
    let ready = 0;
    let isPaused = false;
    for (const segment of await listSegments(this.#reach.call)) {
      const counts = await this.#reach.call((store) => store.counts(segment));
      for (const one of counts.queues) {
        if (one.queue !== this.name) continue;
        ready += one.ready;
        isPaused ||= one.isPaused;
      }
      if (counts.parked === 0) continue;
      // Those at fair gates are in `ready` already.
      for await (const { parked } of this.#parkedIn(segment)) if (parked === null || !isFairGate(parked.name)) ready++;
    }
    return { queue: this.name, ready, isPaused };
  }

  /** Lists the Queue's dead letters: failed Operations, first to expire first in each Segment. */
  async *dead(): AsyncIterable<StatusView> {
    await this.#reach.opened("queue.dead");
    for await (const record of listRecords(this.#reach.call, "dead")) {
      if (record.queue === this.name) yield viewOf(record);
    }
  }

  /**
   * Lists what is ready: what waits for its turn in claim order in each Segment, then what an order key, a limit or a
   * rate keeps (`blocked` says which), in no order.
   */
  async *ready(): AsyncIterable<StatusView> {
    await this.#reach.opened("queue.ready");
    for await (const record of listRecords(this.#reach.call, { queue: this.name })) yield viewOf(record);
    for (const segment of await listSegments(this.#reach.call)) {
      for await (const record of this.#parkedIn(segment)) yield viewOf(record);
    }
  }

  /**
   * Gives failed Operations a new generation with fresh Attempts; returns how many were requeued.
   *
   * Ids that are not failed (any more), or unknown, are passed over. Errors: MR_NOT_FOUND for a text that is no id.
   */
  async requeue(ids: readonly string[]): Promise<number> {
    await this.#reach.opened("queue.requeue");
    const bySegment = new Map<string, LocalDot[]>();
    for (const id of ids) {
      const placed = tryPlaceId(id);
      if (placed === null) throw createError("MR_NOT_FOUND", { kind: "id", id });
      const dots = bySegment.get(placed.segment) ?? [];
      dots.push(placed.dot);
      bySegment.set(placed.segment, dots);
    }
    let requeued = 0;
    for (const [segment, dots] of bySegment) {
      for (let at = 0; at < dots.length; at += REQUEUE_MAX) {
        const params = { dots: dots.slice(at, at + REQUEUE_MAX) };
        const { answers } = await this.#reach.call((store) => store.requeue(segment, params));
        requeued += answers.filter((answer) => answer === "ok").length;
      }
    }
    return requeued;
  }

  async *#parkedIn(segment: string): AsyncIterable<OperationRecord> {
    let cursor: string | null = null;
    do {
      const params = { of: { state: "parked" as const }, cursor, max: PAGE };
      const page: ListAnswer = await this.#reach.call((store) => store.list(segment, params));
      for (const record of page.records) if (record.queue === this.name) yield record;
      cursor = page.cursor;
    } while (cursor !== null);
  }

  async #setPaused(isPaused: boolean): Promise<void> {
    await this.#reach.opened(isPaused ? "queue.pause" : "queue.resume");
    // The App's record first: a Segment opened from now on starts that way, and all others follow.
    await this.#reach.call((store) => store.recordPause(this.name, isPaused));
    const params = { queue: this.name };
    for (const segment of await listSegments(this.#reach.call)) {
      await this.#reach.call((store) =>
        isPaused ? store.queuePause(segment, params) : store.queueResume(segment, params),
      );
    }
  }
}
