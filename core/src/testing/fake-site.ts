/**
 * A server of a memory store that can be taken away, for unit tests of what happens when an App has several. Not part
 * of the door.
 */
import type { Clock } from "../base/clock.js";
import { createError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import { MemoryStore } from "../store/embedded/memory-store.js";
import type { SiteStore } from "../store/sites/site.js";

/** After which a call that hears nothing is of unknown outcome, in milliseconds. */
const CALL_TIMEOUT_MS = 10_000;
/** What is no call to the server. */
const LOCAL: ReadonlySet<string | symbol> = new Set(["durability", "close", "listen"]);

/** How a FakeSite treats calls: `away` refuses them, `silent` applies some of them and answers none in time. */
export type FakeSiteState = "up" | "away" | "silent";

/** One server. */
export class FakeSite {
  /** What the server holds, reached past all faults. */
  readonly inner: MemoryStore;
  readonly store: SiteStore;
  /** How many calls were sent to it. */
  calls = 0;
  readonly #clock: Clock;
  readonly #random: Random;
  #state: FakeSiteState = "up";
  /** Calls that were sent while it was silent. */
  #hanging: (() => void)[] = [];

  constructor(clock: Clock, random: Random, name: string) {
    this.#clock = clock;
    this.#random = random;
    this.inner = new MemoryStore({ app: "fake", clock });
    this.store = new Proxy(this.inner, {
      get: (inner, key) => {
        if (key === "siteName") return () => this.#call("siteName", async () => name);
        if (key === "url") return `fake:${name}`;
        const part: unknown = Reflect.get(inner, key);
        if (typeof part !== "function") return part;
        const call = part.bind(inner) as (...args: unknown[]) => Promise<unknown>; // a method of Store
        if (LOCAL.has(key)) return call;
        if (key === "ready" || key === "open") return (...args: unknown[]) => this.#whenUp(() => call(...args));
        return (...args: unknown[]) => this.#call(String(key), () => call(...args));
      },
    }) as unknown as SiteStore; // a MemoryStore with a name
  }

  /** Changes how it treats calls; coming up, it answers or loses what hung. */
  turn(state: FakeSiteState): void {
    this.#state = state;
    if (state !== "up") return;
    for (const go of this.#hanging.splice(0)) go();
  }

  async #whenUp(call: () => Promise<unknown>): Promise<unknown> {
    while (this.#state !== "up") await new Promise<void>((resolve) => this.#hanging.push(resolve));
    return await call();
  }

  async #call<T>(name: string, call: () => Promise<T>): Promise<T> {
    this.calls++;
    if (this.#state === "away") throw createError("MR_STORE_UNAVAILABLE", { store: "fake", reason: "it was told to" });
    if (this.#state === "up") return await call();
    const applied = this.#random.next() < 0.5 ? call() : null;
    let isBack = false;
    await new Promise<void>((resolve) => {
      const timer = this.#clock.setTimer(CALL_TIMEOUT_MS, resolve);
      this.#hanging.push(() => {
        timer.cancel();
        isBack = true;
        resolve();
      });
    });
    if (applied !== null && isBack && this.#random.next() < 0.5) return await applied;
    throw createError("MR_INDETERMINATE", { call: name, id: "fake" });
  }
}
