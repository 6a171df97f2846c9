/**
 * The duty that feeds an App's search index, from when the store is open until the App closes. It reads, a little at a
 * time, and nothing waits for it.
 */
import type { Logger } from "../base/log.js";
import type { RestoredCause } from "../engine/store.js";
import { Duties } from "../foreman/duties.js";
import { type ResendContext, resend } from "../queue/resend.js";
import { SearchIndex } from "../queue/search-index.js";

/** Between two rounds, in milliseconds; a round lasts 60 at most. */
const PERIOD_MS = 200;

/** An index and its duty. */
export class IndexKeeper {
  readonly index: SearchIndex;
  readonly #duties: Duties;
  #isStopped = false;

  /** Begins at once; `timeoutMs` is the patience with a store that is away. */
  constructor(context: ResendContext, timeoutMs: number, log: Logger) {
    const { clock, store } = context;
    this.index = new SearchIndex((call) => resend(context, timeoutMs, () => call(store)), clock, log);
    this.#duties = new Duties([{ name: "index", periodMs: PERIOD_MS, run: () => this.#run() }], clock, log);
    this.#duties.start();
  }

  /** A store that may have lost something is read anew. */
  restored(cause: RestoredCause): void {
    if (cause === "failover" || cause === "emptied") void this.index.rebuild();
  }

  /** Ends; a round that is under way ends with the store. */
  stop(): void {
    this.#isStopped = true;
    this.#duties.stop();
  }

  async #run(): Promise<void> {
    try {
      await this.index.run();
    } catch (error) {
      if (!this.#isStopped) throw error;
    }
  }
}
