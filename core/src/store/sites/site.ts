/**
 * One of an App's servers (elsewhere: shard, endpoint): its Store, its name, and whether it answers.
 *
 * *opening*: its Store tries to connect, for as long as it takes. Calls are refused. Open → answering; it can never be
 *   opened as it is → broken.
 * *answering*: calls go through. One is refused or lost → away. While calls wait and nothing has come for SILENT_MS it
 *   counts as away already.
 * *away*: calls go through all the same; the first that is answered → answering. A probe a second sees to it that
 *   there is one.
 * *broken*: its settings forbid its use; calls are refused. Tried again with a new Store after a while → opening.
 * *closed*: the end, from anywhere.
 */
import type { Clock, Timer } from "../../base/clock.js";
import { createError, isMillraceError } from "../../base/errors.js";
import type { Logger } from "../../base/log.js";
import type { SiteHealth } from "../../engine/placement.js";
import type { Store, StoreListener } from "../../engine/store.js";

/** A Store whose server has a name of its own. */
export interface SiteStore extends Store {
  /**
   * Answers the name of the server's part of the App, drawn at random by whoever comes first: two URLs with one name
   * lead to one place. `known` is written again if the server has lost it. Errors: those of the Store.
   */
  siteName(known: string | null): Promise<string>;
}

/** What a Site is made of. */
export interface SiteOptions {
  /** Makes a Store that is not open yet; `open` of it tries until it succeeds or must not. */
  readonly make: () => Promise<SiteStore>;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly listener: StoreListener;
  /** It is open and has a name; what this throws breaks it. */
  readonly opened: (site: Site) => void;
}

/** How long calls may wait without any answer before the site counts as silent. */
const SILENT_MS = 2_000;
const PROBE_MS = 1_000;
const REOPEN_MS = 30_000;

/** One server. */
export class Site {
  readonly #options: SiteOptions;
  #state: "opening" | "answering" | "away" | "broken" | "closed" = "opening";
  #sinceMs: number;
  /** Of this life; open from *answering* on. */
  #store: SiteStore | null = null;
  #name: string | null = null;
  #error: Error | null = null;
  #pending = 0;
  /** When the last answer came, or when calls began to wait. */
  #movedMs = 0;
  #timer: Timer | null = null;
  #isProbing = false;
  #waiters: { resolve: () => void; reject: (error: Error) => void }[] = [];
  /** Segments it listed last; the App's routes are made of these. */
  readonly segments = new Set<string>();

  constructor(options: SiteOptions) {
    this.#options = options;
    this.#sinceMs = options.clock.monotonicMs();
  }

  /** URL without secrets; empty until its Store was made. */
  get url(): string {
    return this.#store?.url ?? "";
  }

  /** Its name, once it was open. */
  get name(): string | null {
    return this.#name;
  }

  /** Its Store, once it was open. */
  get store(): SiteStore | null {
    return this.wasOpen ? this.#store : null;
  }

  /** Whether it was open once in this life. */
  get wasOpen(): boolean {
    return this.#state === "answering" || this.#state === "away";
  }

  /** Why it can never be opened as it is, or null. */
  get error(): Error | null {
    return this.#error;
  }

  /** Whether it answers. */
  get health(): SiteHealth {
    if (this.#state !== "answering") return { isAnswering: false, sinceMs: this.#sinceMs };
    const isSilent = this.#pending > 0 && this.#options.clock.monotonicMs() - this.#movedMs >= SILENT_MS;
    return isSilent ? { isAnswering: false, sinceMs: this.#movedMs } : { isAnswering: true, sinceMs: this.#sinceMs };
  }

  /** Makes its Store, then begins to open it. Errors: MR_STORE_URL. */
  async begin(): Promise<void> {
    this.#store = await this.#options.make();
    void this.#open(this.#store);
  }

  /** Resolves when calls can be sent. Errors: MR_APP_CLOSED after `close`. */
  ready(): Promise<void> {
    if (this.#state === "closed") return Promise.reject(this.#closed());
    if (this.wasOpen && this.#store !== null) return this.#store.ready();
    return new Promise<void>((resolve, reject) => this.#waiters.push({ resolve, reject })).then(() => this.ready());
  }

  /** Makes a call and learns from how it ends. Errors: the call's; MR_STORE_UNAVAILABLE while it is not open. */
  async call<Answer>(call: (store: SiteStore) => Promise<Answer>): Promise<Answer> {
    const store = this.#store;
    if (store === null || !this.wasOpen) throw this.#refusal();
    if (this.#pending++ === 0) this.#movedMs = this.#options.clock.monotonicMs();
    try {
      const answer = await call(store);
      this.#heard();
      return answer;
    } catch (error) {
      // An error of another kind is an answer, too.
      if (isMillraceError(error, "MR_STORE_UNAVAILABLE") || isMillraceError(error, "MR_INDETERMINATE")) this.#miss();
      else this.#heard();
      throw error;
    } finally {
      this.#pending--;
    }
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#turn("closed");
    this.#timer?.cancel();
    for (const { reject } of this.#waiters.splice(0)) reject(this.#closed());
    await this.#store?.close();
  }

  async #open(store: SiteStore): Promise<void> {
    try {
      await store.open();
      this.#name = await store.siteName(this.#name);
      if (this.#state === "closed") return;
      this.#options.opened(this);
    } catch (error) {
      if (this.#state === "closed") return;
      this.#broke(store, error as Error); // stores reject with errors only
      return;
    }
    store.listen(this.#options.listener);
    this.#error = null;
    this.#movedMs = this.#options.clock.monotonicMs();
    this.#turn("answering");
    for (const { resolve } of this.#waiters.splice(0)) resolve();
    this.#probeLater();
  }

  #broke(store: SiteStore, error: Error): void {
    const { clock, logger } = this.#options;
    this.#error = error;
    this.#turn("broken");
    logger.error({ store: store.url, error }, "this server cannot be used as it is; the App goes on without it");
    void store.close().catch(() => undefined);
    this.#timer = clock.setTimer(REOPEN_MS, () => {
      if (this.#state !== "broken") return;
      this.#turn("opening");
      this.begin().catch(() => undefined); // the URL was read before
    });
    this.#timer.unref();
  }

  #probeLater(): void {
    this.#timer = this.#options.clock.setTimer(PROBE_MS, () => {
      if (this.#state === "closed") return;
      this.#probeLater();
      if (this.#isProbing) return;
      this.#isProbing = true;
      this.call((store) => store.siteName(this.#name))
        .catch(() => undefined) // `call` has taken note
        .finally(() => {
          this.#isProbing = false;
        });
    });
    this.#timer.unref();
  }

  #heard(): void {
    const nowMs = this.#options.clock.monotonicMs();
    const wasSilent = this.#state === "answering" && nowMs - this.#movedMs >= SILENT_MS;
    this.#movedMs = nowMs;
    if (wasSilent) this.#sinceMs = nowMs;
    else if (this.#state === "away") this.#turn("answering");
  }

  /** A call was refused or lost. */
  #miss(): void {
    if (this.#state !== "answering") return;
    const { isAnswering, sinceMs } = this.health;
    this.#turn("away");
    if (!isAnswering) this.#sinceMs = sinceMs;
  }

  #turn(state: "opening" | "answering" | "away" | "broken" | "closed"): void {
    if (this.#state === "closed" || this.#state === state) return;
    this.#state = state;
    this.#sinceMs = this.#options.clock.monotonicMs();
  }

  #refusal(): Error {
    const reason = this.#error?.message ?? "it was not opened yet";
    return createError("MR_STORE_UNAVAILABLE", { store: this.url, reason }, { cause: this.#error });
  }

  #closed(): Error {
    return createError("MR_APP_CLOSED", { app: this.url, method: "calling its store" });
  }
}
