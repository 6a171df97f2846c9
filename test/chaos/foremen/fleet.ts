/**
 * Some Foremen on one throw-away Redis, a client that loads them, the log they all write, and in the end the verdict.
 */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Store } from "@millrace/core/internal";
import { type RedisOptions, type RedisServer, startRedis } from "@millrace/scripts/redis-server";
import type { Redis } from "ioredis";
import {
  type FinalEvent,
  type ForemanBounds,
  type ForemanVerdict,
  type HoldingEvent,
  judgeForemen,
} from "../../checker/foremen.js";
import { openStore } from "../../helper/open-store.js";
import { plainClient } from "../../helper/redis.js";
import { poll } from "../../helper/wait.js";
import { Dice } from "../../sim/dice.js";
import { distFile, ForemanProcess } from "./foreman-process.js";
import { Journal, journalOf, sharedMs } from "./journal.js";
import { Load, type LoadOptions, loadSegment } from "./load.js";
import { type ChaosSettings, type Form, letGoFile, type MomentName, momentFile, mutantVariable } from "./settings.js";

const findMax = 500;
const recoveriesMax = 3;

/** What a fleet is made of. */
export interface FleetOptions extends Pick<LoadOptions, "rate" | "ms"> {
  readonly form: Form;
  readonly foremen: number;
  readonly leaseMs: number;
  readonly seed: number;
  readonly asyncWorkers: number;
  readonly slots: number;
  /** The Redis program, when it is not the usual one. */
  readonly redisProgram?: string;
  /** How the throw-away Redis is started, beside its program. */
  readonly redisOptions?: RedisOptions;
  /** The store, when it is not one throw-away Redis; it is stopped with the fleet. */
  readonly place?: StorePlace;
  /** Further modules that every thread of a Foreman imports first, beside trace.ts. */
  readonly preload?: readonly string[];
}

/** A store that is more than one server. */
export interface StorePlace {
  readonly url: string;
  stop(): Promise<void>;
}

/** Foremen, a client, a log. */
export class Fleet implements AsyncDisposable {
  readonly options: FleetOptions;
  readonly dir = mkdtempSync(join(tmpdir(), "millrace-chaos-"));
  readonly journal = new Journal(journalOf(this.dir));
  readonly dice: Dice;
  readonly load: Load;
  readonly #place: StorePlace;
  /** The Foremen by their place; null while one is being started again. */
  readonly places: (ForemanProcess | null)[];
  readonly #store: Store;
  #client: Redis | null = null;
  readonly #all = new Set<ForemanProcess>();
  readonly #incarnations = new Map<string, string>();
  readonly #starting = new Set<Promise<unknown>>();
  #failure: unknown = null;
  #isOver = false;

  private constructor(options: FleetOptions, place: StorePlace, store: Store) {
    this.options = options;
    this.#place = place;
    this.#store = store;
    this.dice = new Dice(options.seed);
    this.places = Array.from({ length: options.foremen }, () => null);
    const { rate, ms } = options;
    this.load = new Load({
      ...{ store: place.url, app: appName, journal: this.journal, dice: new Dice(options.seed + 1), rate, ms },
    });
  }

  /** Starts Redis and all Foremen. */
  static async open(options: FleetOptions): Promise<Fleet> {
    const { redisProgram, redisOptions = {} } = options;
    const place =
      options.place ??
      (await startRedis({ ...redisOptions, ...(redisProgram === undefined ? {} : { program: redisProgram }) }));
    const store = await openStore(place.url, appName);
    const fleet = new Fleet(options, place, store);
    try {
      await store.openSegment(loadSegment);
      await Promise.all(fleet.places.map((_, place) => fleet.start(place)));
      return fleet;
    } catch (error) {
      await fleet[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The one throw-away Redis. */
  get redis(): RedisServer {
    if (!("kill9" in this.#place)) throw new Error("this fleet's store is more than one server");
    return this.#place as RedisServer; // nothing else that can be a place has that
  }

  /** A plain client of it. */
  get client(): Redis {
    this.#client ??= plainClient(this.redis.url);
    return this.#client;
  }

  /** Starts the Foreman of a place, anew. */
  async start(place: number): Promise<ForemanProcess> {
    const { form, leaseMs, asyncWorkers, slots, preload = [] } = this.options;
    const settings: ChaosSettings = {
      ...{ form, store: this.#place.url, app: appName, node: `n${place + 1}`, dir: this.dir },
      ...{ asyncWorkers, slots, leaseMs, beatMs: beatOf(leaseMs) },
    };
    // A harness that was broken on purpose breaks its Foremen, too.
    const mutant = process.env[mutantVariable] === undefined ? [] : [distFile("mutant.js")];
    const foreman = await ForemanProcess.start(settings, this.journal, [...mutant, distFile("trace.js"), ...preload]);
    if (this.#isOver) await foreman.end();
    this.#all.add(foreman);
    this.places[place] = foreman;
    return foreman;
  }

  /** Starts the Foreman of a place again, a while from now; `allUp` tells when it is. */
  restart(place: number, afterMs: number): void {
    this.places[place] = null;
    const starting = pause(afterMs).then(() => (this.#isOver ? undefined : this.start(place)));
    this.#starting.add(starting);
    const done = (): void => void this.#starting.delete(starting);
    starting.then(done, (error: unknown) => {
      done();
      this.#failure ??= error;
    });
  }

  /** Resolves when all that were to be started again are up. */
  async allUp(): Promise<void> {
    await Promise.allSettled(this.#starting);
    if (this.#failure !== null) throw this.#failure;
  }

  /** The Foremen that are up. */
  get alive(): { readonly place: number; readonly foreman: ForemanProcess }[] {
    return this.places.flatMap((foreman, place) => (foreman?.isAlive === true ? [{ place, foreman }] : []));
  }

  /** Foremen whose process that runs Steps has died. */
  get fallen(): { readonly place: number; readonly foreman: ForemanProcess }[] {
    return this.places.flatMap((foreman, place) => (foreman === null || foreman.isRunning ? [] : [{ place, foreman }]));
  }

  /** Where an Operation stands, by the store. */
  async stateOf(id: string): Promise<string> {
    const { records } = await this.#store.find(loadSegment, { dots: [dotOf(id)], wait: false });
    const [record = "missing"] = records;
    return typeof record === "string" ? record : record.state;
  }

  /** The code an Operation failed with; its state if it has none, or did not fail. */
  async failureOf(id: string): Promise<string> {
    const outcome = await this.load.app.handle(id).wait({ timeout: "10s" });
    return outcome.state === "failed" ? (outcome.error.code ?? outcome.error.name) : outcome.state;
  }

  /** One that has been up for a while and has begun work, by chance; waits for it. */
  async pick(upMs = 0): Promise<{ place: number; foreman: ForemanProcess }> {
    return await poll(
      () => {
        this.journal.read();
        const working = this.alive.filter(
          ({ foreman }) => this.journal.begun.has(foreman.owner) && sharedMs() - foreman.upAtMs >= upMs,
        );
        return working.length === 0 ? null : this.dice.pick(working);
      },
      "a Foreman that works",
      30_000,
    );
  }

  /** Resolves when the process that runs Steps in a place has begun work. */
  async works(foreman: ForemanProcess, patienceMs = 30_000): Promise<void> {
    const has = (): true | null => {
      this.journal.read();
      return this.journal.begun.has(foreman.owner) ? true : null;
    };
    await poll(has, `work of ${foreman.owner}`, patienceMs);
  }

  /** How many Operations a process has begun. */
  begunBy(owner: string): number {
    this.journal.read();
    return this.journal.begun.get(owner)?.size ?? 0;
  }

  /** Writes down what a process holds, by the store; `atMs`: when its death was. */
  async noteHeld(owner: string, atMs: number): Promise<HoldingEvent> {
    const ids = this.load.open;
    const records: { id: string; token: number; owner: string }[] = [];
    for (let from = 0; from < ids.length; from += findMax) {
      const some = ids.slice(from, from + findMax);
      const found = await this.#store.find(loadSegment, { dots: some.map(dotOf), wait: false });
      for (const [i, record] of found.records.entries()) {
        const id = some[i];
        if (id === undefined || typeof record === "string" || record.owner === null) continue;
        records.push({ id, token: record.token, owner: record.owner });
      }
    }
    this.journal.read();
    const begun = this.journal.begun.get(owner);
    const known = records.find(({ id, token }) => begun?.has(`${id} ${token}`));
    if (known !== undefined) this.#incarnations.set(owner, known.owner);
    const incarnation = this.#incarnations.get(owner);
    const held = records.filter((record) => record.owner === incarnation).map(({ id, token }) => ({ id, token }));
    const event: HoldingEvent = { kind: "holding", owner, atMs, held };
    this.journal.write(event);
    return event;
  }

  /** When a process was killed, by the log. */
  killedAtMs(owner: string): number {
    this.journal.read();
    for (const event of this.journal.events) {
      if (event.kind === "fault" && event.fault === "kill" && event.owner === owner) return event.atMs;
    }
    return sharedMs();
  }

  /** Arms a moment: the process kills itself when it next comes to it. */
  arm(foreman: ForemanProcess, name: MomentName): void {
    writeFileSync(momentFile(this.dir, foreman.pid), name);
  }

  /** Whether an armed moment has not come yet. */
  isArmed(foreman: ForemanProcess): boolean {
    return existsSync(momentFile(this.dir, foreman.pid));
  }

  /** Lets the Steps called `hold` end. */
  letGo(): void {
    writeFileSync(letGoFile(this.dir), "");
  }

  /** Calls of functions the store has answered so far. */
  async storeCalls(): Promise<number> {
    const info = await this.client.info("commandstats");
    return Number(/cmdstat_fcall:calls=(\d+)/.exec(info)?.[1] ?? 0);
  }

  /** The store's clock, in milliseconds. */
  async storeMs(): Promise<number> {
    const [seconds, microseconds] = await this.client.time();
    return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  }

  /** What the store has counted in the client's Segment. */
  async totals(): Promise<{ readonly completed: number; readonly rescued: number; readonly released: number }> {
    return (await this.#store.counts(loadSegment)).totals;
  }

  /** Stops the load, waits until all has ended, asks the store, judges. */
  async judge(
    bounds: Pick<ForemanBounds, "resumeMs" | "isRescueFree" | "exempt">,
    patienceMs: number,
  ): Promise<ForemanVerdict> {
    this.load.stop();
    await this.load.settled(patienceMs);
    this.journal.read();
    const ids = [...new Set(this.journal.events.flatMap((event) => (event.kind === "enqueue" ? [event.id] : [])))];
    for (let from = 0; from < ids.length; from += findMax) {
      const some = ids.slice(from, from + findMax);
      const { records } = await this.#store.find(loadSegment, { dots: some.map(dotOf), wait: false });
      for (const [i, id] of some.entries()) this.journal.write(finalOf(id, records[i] ?? "missing"));
    }
    this.journal.read();
    const totals = await this.totals();
    const { leaseMs } = this.options;
    return judgeForemen(this.journal.events, { ...bounds, leaseMs, beatMs: beatOf(leaseMs), recoveriesMax, totals });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true;
    this.load.stop();
    await Promise.allSettled(this.#starting);
    await Promise.all([...this.#all].map((foreman) => foreman.end()));
    await this.load.close();
    await this.#store.close();
    this.#client?.disconnect();
    await this.#place.stop();
    this.journal.close();
    if (process.env[keepVariable] === undefined) rmSync(this.dir, { recursive: true, force: true });
    else console.error(`the run's log: ${this.journal.path}`);
  }
}

function beatOf(leaseMs: number): number {
  return Math.round(leaseMs * 0.3);
}

/** Resolves after a while. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

const appName = "chaos";
/** Set to anything, the folder of a run stays: its log is what a breach is understood by. */
const keepVariable = "MILLRACE_CHAOS_KEEP";

type Found = Awaited<ReturnType<Store["find"]>>["records"][number];

function finalOf(id: string, record: Found): FinalEvent {
  if (typeof record === "string")
    return { kind: "end", id, state: record, token: 0, attempt: 0, recoveries: 0, returns: 0 };
  const { state, token, attempt, recoveries, returns } = record;
  return { kind: "end", id, state, token, attempt, recoveries, returns };
}

function dotOf(id: string): { laneName: string; counter: number } {
  const [, incarnation = "", last = ""] = /\.([^.]+)\.([^.]+)$/.exec(id) ?? [];
  return { laneName: `${incarnation}.${last.slice(-2)}`, counter: Number.parseInt(last.slice(0, -2), 36) };
}
