/**
 * Duty: after a cut, tells each Segment what this process runs there (elsewhere: reconciliation). A failover may have
 * taken the latest calls back: what the Segment gave to others since is told to end, and what it does not know any more
 * is put back from this process's own copy, once.
 *
 * A dot of the full path is put back at once: whoever sends it again is told that it is there. A fast lane's writer may
 * be about to send again what it had no answer for, so those wait for a Lease first. What a changed store says this
 * process runs and it does not (the outcome was taken back) is given back, seen twice, a Lease apart.
 */
import type { Timer } from "../base/clock.js";
import type { Logger } from "../base/log.js";
import { formatId, tryPlaceId } from "../engine/dot.js";
import { FULL_PATH_DIGITS } from "../engine/lease.js";
import type { OperationRecord } from "../engine/operation.js";
import type { RestoredCause } from "../engine/store.js";
import type { AnnounceWord, Claim, ListAnswer, ListParams } from "../engine/transitions.js";
import { type ResendContext, resend } from "../queue/resend.js";
import type { Segments } from "../queue/segments.js";
import type { Held, Pool } from "./pool.js";

/** Operations announced in one call: each is looked up, and may bring its bytes. */
const BATCH_MAX = 100;
const PAGE = 1_000;
/** Never used: what is given back has no cancel mark that this process knows of; the contract wants a value. */
const RETAIN_MS = 86_400_000;

/** What the announcer needs. */
export interface AnnouncerOptions extends ResendContext {
  readonly segments: Segments;
  readonly pools: readonly Pool[];
  readonly owner: string;
  readonly log: Logger;
  readonly leaseMs: number;
}

/** Announces what runs. */
export class Announcer {
  readonly #options: AnnouncerOptions;
  /** Lost Operations of fast lanes by id, until they are put back. */
  readonly #lost = new Map<string, Held>();
  readonly #timers = new Set<Timer>();
  #isOver = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
  }

  /** Takes word that a connection came back, to these Segments or to all (`null`). */
  restored(of: readonly string[] | null, cause: RestoredCause): void {
    // Of a store that somebody emptied nothing is expected; what runs there has no owner any more, and is fenced.
    if (this.#isOver || cause === "emptied") return;
    const isMeant = (segment: string) => of === null || of.includes(segment);
    const bySegment = new Map<string, Held[]>();
    for (const held of this.#held()) {
      if (!isMeant(held.segment)) continue;
      const list = bySegment.get(held.segment) ?? [];
      list.push(held);
      bySegment.set(held.segment, list);
    }
    for (const [segment, helds] of bySegment) this.#try(this.#announce(segment, helds));
    if (cause === "reconnected") return;
    for (const { name, request } of this.#options.segments.all()) {
      if (isMeant(name) && request > 0) this.#later(async () => await this.#seekOrphans(name));
    }
  }

  /** Ends; what was lost is put back now, since nobody else has a copy of it. */
  async stop(): Promise<void> {
    this.#isOver = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
    await this.#putBack();
  }

  *#held(): Iterable<Held> {
    for (const pool of this.#options.pools) yield* pool.held();
  }

  async #announce(segment: string, helds: readonly Held[]): Promise<void> {
    const { counters, log, pools } = this.#options;
    const answers = await this.#ask(segment, helds, false);
    const dropped = helds.filter((_, i) => answers[i] !== "keep");
    counters.add("announced", helds.length);
    if (dropped.length === 0) return;
    const missing = helds.filter((_, i) => answers[i] === "missing");
    counters.add("announcedStale", dropped.length - missing.length);
    counters.add("announcedMissing", missing.length);
    log.warn(
      { segment, kept: helds.length - dropped.length, taken: dropped.length - missing.length, lost: missing.length },
      "the store took back what it had said: Operations that run here are not this process's any more, or unknown",
    );
    const claims = dropped.map(({ claim }) => claim);
    for (const pool of pools) pool.abortWhere(segment, claims, "lease_lost");
    const isFull = ({ claim }: Held) => claim.laneName.endsWith(`.${FULL_PATH_DIGITS}`);
    await this.#recover(segment, missing.filter(isFull));
    const fast = missing.filter((held) => !isFull(held));
    if (fast.length === 0) return;
    for (const held of fast) this.#lost.set(idOf(held), held);
    if (this.#isOver) return await this.#putBack();
    this.#later(async () => await this.#putBack());
  }

  async #putBack(): Promise<void> {
    const bySegment = new Map<string, Held[]>();
    for (const held of this.#lost.values()) {
      const list = bySegment.get(held.segment) ?? [];
      list.push(held);
      bySegment.set(held.segment, list);
    }
    this.#lost.clear();
    await Promise.all([...bySegment].map(([segment, helds]) => this.#recover(segment, helds)));
  }

  async #recover(segment: string, helds: readonly Held[]): Promise<void> {
    const answers = await this.#ask(segment, helds, true);
    const recovered = answers.filter((word) => word === "recovered").length;
    if (recovered === 0) return;
    this.#options.counters.add("recovered", recovered);
    this.#options.log.warn({ segment, recovered }, "put back Operations that the store had lost");
  }

  /** Backwards, so that what is put back of all batches stands in the order it was claimed. */
  async #ask(segment: string, helds: readonly Held[], isAgain: boolean): Promise<AnnounceWord[]> {
    const { store, owner } = this.#options;
    const answers: AnnounceWord[] = [];
    for (let end = helds.length; end > 0; end -= BATCH_MAX) {
      const elements = helds.slice(Math.max(0, end - BATCH_MAX), end).map(({ claim }) => {
        const { laneName, counter, token } = claim;
        return { laneName, counter, token, again: isAgain ? claim : null };
      });
      const call = () => store.announce(segment, { owner, elements });
      const answer = await resend(this.#options, Number.POSITIVE_INFINITY, call, segment);
      answers.unshift(...answer.answers);
    }
    return answers;
  }

  /** Looks for what the store says runs here, and does not; those that a second look finds again are given back. */
  async #seekOrphans(segment: string): Promise<void> {
    const first = new Set((await this.#orphans(segment)).map(keyOf));
    if (first.size === 0) return;
    this.#later(async () => {
      const orphans = (await this.#orphans(segment)).filter((record) => first.has(keyOf(record)));
      if (orphans.length > 0) await this.#giveBack(segment, orphans);
    });
  }

  async #orphans(segment: string): Promise<OperationRecord[]> {
    const { store, owner } = this.#options;
    const found: OperationRecord[] = [];
    let cursor: string | null = null;
    do {
      const params: ListParams = { of: { state: "running" }, cursor, max: PAGE };
      const call = () => store.list(segment, params);
      const page: ListAnswer = await resend(this.#options, this.#options.leaseMs, call, segment);
      found.push(...page.records.filter((record) => record.owner === owner));
      cursor = page.cursor;
    } while (cursor !== null && !this.#isOver);
    const here = new Set<string>();
    for (const held of this.#held()) here.add(`${idOf(held)} ${held.claim.token}`);
    return found.filter((record) => !here.has(keyOf(record)));
  }

  async #giveBack(segment: string, orphans: readonly OperationRecord[]): Promise<void> {
    const { store, owner, counters, log } = this.#options;
    for (const { id, queue, token } of orphans) {
      const placed = tryPlaceId(id);
      if (placed === null) continue;
      const { laneName, counter } = placed.dot;
      const isFull = laneName.endsWith(`.${FULL_PATH_DIGITS}`);
      const lane = await store.laneOpen(segment, { laneName, queue: isFull ? null : queue });
      const element = { lane: lane.lane, counter, token, delayMs: null };
      await store.release(segment, { owner, retainMs: RETAIN_MS, elements: [element] });
    }
    counters.add("released", orphans.length);
    log.warn({ segment, given: orphans.length }, "gave back Operations whose outcomes the store had lost");
  }

  #later(work: () => Promise<void>): void {
    if (this.#isOver) return;
    const { clock, leaseMs } = this.#options;
    const timer = clock.setTimer(leaseMs, () => {
      this.#timers.delete(timer);
      this.#try(work());
    });
    timer.unref();
    this.#timers.add(timer);
  }

  /** The store is closed, or refuses for good: what runs is fenced all the same. */
  #try(work: Promise<void>): void {
    work.catch((error: unknown) => this.#options.log.warn({ error }, "what runs here could not be announced"));
  }
}

function idOf({ segment, claim }: { readonly segment: string; readonly claim: Claim }): string {
  return formatId(segment, claim.laneName, claim.counter);
}

function keyOf({ id, token }: OperationRecord): string {
  return `${id} ${token}`;
}
