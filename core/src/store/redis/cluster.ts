/**
 * The primaries of a Cluster: who holds which slot, and one connection to each of them.
 *
 * The map is read from whichever server answers first, corrected by every MOVED, and read again while a primary does not
 * answer: then a replica may have taken its place. Nothing is re-sent here, and no call is sent to a server a slot is
 * only moving to (ASK): until it has moved, calls about it are refused, unwritten, and whoever made them repeats them.
 *
 * *unknown*: no map yet; it is asked for again and again. Read → known.
 * *known*: every slot somebody holds has a connection. A primary is away → read again until all answer.
 * *closed*: the end.
 */
import type { Timer } from "../../base/clock.js";
import { createError } from "../../base/errors.js";
import { type AskContext, ask } from "./ask.js";
import { isErrorReply, type Link } from "./connection.js";
import { unsent } from "./failure.js";
import type { Lines } from "./lines.js";
import { movedTo, type Place, rangesOf, SLOTS, type SlotRange, slotOf } from "./slots.js";
import { placeOf, type RedisAddress, type RedisTarget } from "./url.js";

/** What the primaries of a Cluster are reached with. */
export interface ClusterOptions extends AskContext {
  readonly address: RedisAddress;
  /** Makes the connection to one primary; `down` is to be called when it breaks. */
  readonly make: (target: RedisTarget, down: () => void) => Link;
}

const ANSWER_MS = 1_000;
/** Pause before the map is read again while a primary is away. */
const REREAD_MS = 200;

/** A primary and our connection to it. */
interface Server {
  readonly target: RedisTarget;
  readonly link: Link;
}

/** Connections to all primaries. */
export class ClusterLines implements Lines {
  readonly #options: ClusterOptions;
  /** By host and port. */
  readonly #servers = new Map<string, Server>();
  readonly #holders: (Server | null)[] = new Array<Server | null>(SLOTS).fill(null);
  /** Slots by key: computed once for each of the few that calls name. */
  readonly #slots = new Map<string, number>();
  #isKnown = false;
  #isClosed = false;
  #reason = "nobody has said yet which servers it has";
  #fatal: Error | null = null;
  #reading: Promise<void> | null = null;
  #reread: Timer | null = null;
  /** Those who wait for the map to change. */
  #waiters: (() => void)[] = [];

  constructor(options: ClusterOptions) {
    this.#options = options;
  }

  get isUp(): boolean {
    return this.#isKnown && this.all().every((link) => link.isUp);
  }

  get reason(): string {
    return this.all().find((link) => !link.isUp)?.reason ?? this.#reason;
  }

  get fatal(): Error | null {
    return this.#fatal ?? this.all().find((link) => link.fatal !== null)?.fatal ?? null;
  }

  open(): void {
    void this.#read();
  }

  close(): void {
    this.#isClosed = true;
    this.#reread?.cancel();
    for (const { link } of this.#servers.values()) link.close();
    this.#changed();
  }

  of(key: string): Link | null {
    return this.#holders[this.#slot(key)]?.link ?? null;
  }

  async ready(key: string): Promise<void> {
    while (!this.#isClosed) {
      const link = this.of(key);
      if (link?.isUp === true) return;
      const change = new Promise<void>((resolve) => this.#waiters.push(resolve));
      // A connection that is given up because its slots have moved rejects: then the map has changed.
      await (link === null ? change : Promise.race([link.ready(), change]).catch(() => change));
    }
    throw unsent(this.#options.address.target, "it is closed");
  }

  refused(message: string): boolean {
    const moved = movedTo(message);
    if (moved === null || moved.host === "") return false;
    this.#holders[moved.slot] = this.#serverAt(moved);
    this.#changed();
    this.#readLater();
    return true;
  }

  all(): readonly Link[] {
    return [...this.#servers.values()].map(({ link }) => link);
  }

  /** Where the primary for a key is. Errors: an Error with the reason while nobody knows. */
  async locate(key: string): Promise<RedisTarget> {
    if (!this.#isKnown) await this.#read();
    const holder = this.#holders[this.#slot(key)];
    if (holder === null || holder === undefined) throw this.#fatal ?? new Error(this.#reason);
    return holder.target;
  }

  #slot(key: string): number {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = slotOf(key);
      this.#slots.set(key, slot);
    }
    return slot;
  }

  #serverAt({ host, port }: Place): Server {
    const target = { ...this.#options.address.target, host, port };
    const place = placeOf(target);
    let server = this.#servers.get(place);
    if (server === undefined) {
      const link = this.#options.make(target, () => this.#readLater());
      server = { target, link };
      this.#servers.set(place, server);
      link.open();
    }
    return server;
  }

  // ── The map ──────────────────────────────────────────────────────────────────────────────────────────────────────

  #read(): Promise<void> {
    this.#reading ??= this.#readOnce().finally(() => {
      this.#reading = null;
      if (!this.isUp) this.#readLater();
    });
    return this.#reading;
  }

  #readLater(): void {
    if (this.#isClosed || this.#reread !== null) return;
    const { clock, random } = this.#options;
    this.#reread = clock.setTimer(REREAD_MS * (0.5 + random.next()), () => {
      this.#reread = null;
      void this.#read();
    });
    this.#reread.unref();
  }

  async #readOnce(): Promise<void> {
    const { address } = this.#options;
    const known = [...this.#servers.values()].map(({ target }) => target);
    const asked = new Map([...known, ...address.seeds].map((target) => [placeOf(target), target]));
    try {
      const answers = [...asked.values()].map((target) => this.#ask(target));
      this.#take(await Promise.any(answers));
    } catch (error) {
      const errors = error instanceof AggregateError ? (error.errors as unknown[]) : [error];
      const texts = errors.map((one) => (one instanceof Error ? one.message : String(one)));
      this.#reason = `no server tells who holds which slot (${[...new Set(texts)].join("; ")})`;
      const isSingle = texts.every((text) => text.includes("cluster support disabled"));
      const reason = "its servers are no Cluster; write redis://HOST:PORT";
      this.#fatal = isSingle ? createError("MR_STORE_URL", { store: address.target.shown, reason }) : null;
    }
  }

  async #ask(target: RedisTarget): Promise<SlotRange[]> {
    const reply = await ask(this.#options, target, ANSWER_MS, (session) => session.command("CLUSTER", "SLOTS"));
    if (isErrorReply(reply)) throw new Error(reply.errorReply);
    const ranges = rangesOf(reply).map((range) => (range.host === "" ? { ...range, host: target.host } : range));
    if (ranges.length === 0) throw new Error(`${placeOf(target)} knows of no slots`);
    return ranges;
  }

  #take(ranges: readonly SlotRange[]): void {
    if (this.#isClosed) return;
    this.#holders.fill(null);
    for (const range of ranges) this.#holders.fill(this.#serverAt(range), range.first, range.last + 1);
    const holding = new Set(this.#holders);
    for (const [place, server] of this.#servers) {
      if (holding.has(server)) continue;
      this.#servers.delete(place);
      server.link.close();
    }
    this.#isKnown = true;
    this.#fatal = null;
    this.#changed();
  }

  #changed(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}
