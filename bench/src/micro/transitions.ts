/**
 * Drives a Store by its contract alone, as a Foreman would, without Foreman, codec or user code in the way.
 *
 * One Driver is one incarnation with one lane and one owner in one Segment; every call is awaited before the next.
 */
import type { Claim, Store } from "@millrace/core/internal";

const segment = "bench";
const queue = "async";
const digits = "01";

/** How long results are kept while nothing is to expire. */
export const keepMs = 86_400_000;

/** One incarnation's hands on a Store. */
export class Driver {
  readonly #store: Store;
  readonly #owner: string;
  readonly #bodies: readonly Uint8Array[];
  #lane = 0;
  #counter = 0;
  #request = 0;

  private constructor(store: Store, owner: string, body: Uint8Array) {
    this.#store = store;
    this.#owner = owner;
    this.#bodies = Array.from({ length: 1000 }, () => body);
  }

  /** Opens the Segment and a lane for a new incarnation whose Operations all carry `body`. */
  static async open(store: Store, incarnation: string, body: Uint8Array): Promise<Driver> {
    const driver = new Driver(store, incarnation, body);
    await store.openSegment(segment);
    const { answer, lane } = await store.laneOpen(segment, { laneName: driver.#laneName, queue });
    if (answer !== "ok") throw new Error(`expected an open lane, got ${answer}`);
    driver.#lane = lane;
    return driver;
  }

  get #laneName(): string {
    return `${this.#owner}.${digits}`;
  }

  /** Enqueues `count` Operations (1…1000) in one call. */
  async enqueue(count: number): Promise<void> {
    const { answer, fresh } = await this.#store.enqueue(segment, {
      lane: this.#lane,
      laneName: this.#laneName,
      first: this.#counter + 1,
      bodies: this.#bodies.slice(0, count),
    });
    if (answer !== "ok" || fresh !== count) throw new Error(`expected ${count} accepted, got ${answer}, ${fresh}`);
    this.#counter += count;
  }

  /** Claims exactly `count` Operations in one call. */
  async claim(count: number): Promise<readonly Claim[]> {
    const params = { owner: this.#owner, request: ++this.#request, queues: [queue], max: count };
    const { answer, claims } = await this.#store.claim(segment, params);
    if (answer !== "ok" || claims.length !== count) {
      throw new Error(`expected ${count} claims, got ${answer}, ${claims.length}`);
    }
    return claims;
  }

  /** Completes claims in one call; the result bytes are `value`, kept for `retainMs`. */
  async complete(claims: readonly Claim[], value: Uint8Array, retainMs: number): Promise<void> {
    const values = claims.map(() => value);
    const { answers } = await this.#store.complete(segment, { owner: this.#owner, retainMs, held: claims, values });
    const taken = answers.filter((answer) => answer === "ok").length;
    if (taken !== claims.length) throw new Error(`expected ${claims.length} completions taken, got ${taken}`);
  }

  /** Prunes once; answers how many finished records went, and whether more are past their retention. */
  async prune(max: number): Promise<{ readonly finished: number; readonly more: boolean }> {
    return this.#store.prune(segment, { max });
  }

  /** Completions the Segment has counted since it began. */
  async completed(): Promise<number> {
    return (await this.#store.counts(segment)).totals.completed;
  }
}
