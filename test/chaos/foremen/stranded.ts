/**
 * Looks for claims that were lost with their answer (L5): what the store says a process runs, and the process was never
 * told. trace.ts asks for a look whenever a claim had to be asked for again.
 *
 * Two looks, two beats apart: what both find, although every claim asked for before the first was answered before the
 * second, stays with somebody who does not know of it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Store } from "@millrace/core/internal";
import { journalOf, sharedMs, write } from "./journal.js";
import { readSettings } from "./settings.js";

const { dir, beatMs } = readSettings();
/** By Segment and incarnation. */
const ledgers = new Map<string, Ledger>();
const pageMax = 1_000;
const looksMax = 10;

/** What the store says runs here. */
interface Untold {
  readonly id: string;
  readonly token: number;
}

/** What one incarnation asked of a Segment, and was told. */
export class Ledger {
  /** `id token` of every claim it was told of. */
  readonly #told = new Set<string>();
  readonly #segment: string;
  readonly #owner: string;
  #asked = 0;
  #answered = 0;
  #isLooking = false;

  constructor(segment: string, owner: string) {
    this.#segment = segment;
    this.#owner = owner;
  }

  /** The one of a Segment and an incarnation. */
  static of(segment: string, owner: string): Ledger {
    const key = `${segment} ${owner}`;
    const ledger = ledgers.get(key) ?? new Ledger(segment, owner);
    ledgers.set(key, ledger);
    return ledger;
  }

  asked(request: number): void {
    this.#asked = Math.max(this.#asked, request);
  }

  answered(request: number, told: readonly string[]): void {
    this.#answered = Math.max(this.#answered, request);
    for (const one of told) this.#told.add(one);
  }

  /** Writes down what is stranded, if anything is; `process`: what this one is called in the log. */
  async look(store: Store, process: string): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (let left = looksMax; left > 0; left--) {
      // The connection that cost a claim its answer may cost these looks theirs.
      const found = await this.#lookTwice(store).catch(() => null);
      for (const { id, token } of found ?? [])
        write(journalOf(dir), { kind: "stranded", id, token, owner: process, atMs: sharedMs() });
      if (found !== null) break;
      await sleep(beatMs, undefined, { ref: false });
    }
    this.#isLooking = false;
  }

  /** What two looks agree on; null: an answer was on its way meanwhile, and may have named it. */
  async #lookTwice(store: Store): Promise<readonly Untold[] | null> {
    const before = new Set((await this.#untold(store)).map(({ id, token }) => `${id} ${token}`));
    if (before.size === 0) return [];
    const asked = this.#asked;
    await sleep(2 * beatMs, undefined, { ref: false });
    const after = await this.#untold(store);
    return this.#answered < asked ? null : after.filter(({ id, token }) => before.has(`${id} ${token}`));
  }

  async #untold(store: Store): Promise<Untold[]> {
    const { records } = await store.list(this.#segment, { of: { state: "running" }, cursor: null, max: pageMax });
    return records.filter(({ id, token, owner }) => owner === this.#owner && !this.#told.has(`${id} ${token}`));
  }
}
