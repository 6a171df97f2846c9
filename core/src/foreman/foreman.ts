/**
 * The Foreman (elsewhere: supervisor, worker process): one per process that executes. Composes the duties; has no
 * logic of its own beyond the order of starting and of a graceful stop.
 *
 * Stop: no new claims → unstarted work back to the front of its Queue → running work may finish until the deadline →
 * the rest is aborted and given back unharmed → every outcome is answered → the incarnation leaves. Beats go on
 * throughout, so nothing is rescued meanwhile.
 */
import type { Logger } from "../base/log.js";
import type { ResendContext } from "../queue/resend.js";
import type { Segments } from "../queue/segments.js";
import type { Attempt } from "../worker/attempt.js";
import { InlineWorker, type InlineWorkerOptions } from "../worker/inline.js";
import { Beater } from "./beater.js";
import { Completer, type SettledKind } from "./completer.js";
import { Duties } from "./duties.js";
import { Feeder } from "./feeder.js";
import { Promoter } from "./promoter.js";
import { Pruner } from "./pruner.js";
import { poisonOutcome, Rescuer } from "./rescuer.js";
import { Surveyor } from "./surveyor.js";

/** Periods and limits of a Foreman, in milliseconds where they are times. */
export interface ForemanTimes {
  readonly leaseMs: number;
  readonly beatMs: number;
  readonly surveyMs: number;
  readonly pruneMs: number;
  readonly relieveMs: number;
  readonly recoveriesMax: number;
}

/** Defaults: a Lease of 10 s, beaten every 3 s; silent owners and missed wake-ups looked for every 2 s. */
export const FOREMAN_TIMES: ForemanTimes = {
  leaseMs: 10_000,
  beatMs: 3_000,
  surveyMs: 2_000,
  pruneMs: 10_000,
  relieveMs: 500,
  recoveriesMax: 3,
};

/** What a Foreman needs. `deadlineMs` values elsewhere are by this clock's monotonic time. */
export interface ForemanOptions extends ResendContext {
  readonly segments: Segments;
  readonly registry: InlineWorkerOptions["registry"];
  readonly log: Logger;
  readonly owner: string;
  readonly queues: readonly string[];
  readonly slots: number;
  readonly times: ForemanTimes;
  readonly isWatched: () => boolean;
  readonly settled: (attempt: Attempt, kind: SettledKind, value: Uint8Array | null) => void;
}

/** What a graceful stop did. */
export interface StopReport {
  /** Operations given back because the time to drain was over, or because they had not begun. */
  readonly released: number;
  /** Whether running work had to be aborted. */
  readonly isForced: boolean;
}

/** Executes an App's Operations in this process. */
export class Foreman {
  readonly #options: ForemanOptions;
  readonly #completer: Completer;
  readonly #worker: InlineWorker;
  readonly #feeder: Feeder;
  readonly #beater: Beater;
  readonly #promoter: Promoter;
  readonly #rescuer: Rescuer;
  readonly #surveyor: Surveyor;
  readonly #duties: Duties;
  #isWakePlanned = false;

  constructor(options: ForemanOptions) {
    this.#options = options;
    const { segments, registry, log, clock, random, counters, owner, queues, times } = options;
    this.#promoter = new Promoter(options);
    this.#completer = new Completer({
      ...options,
      answered: () => this.#feeder.wake(),
    });
    this.#worker = new InlineWorker({
      registry,
      port: this.#completer,
      clock,
      random,
      log,
      slots: options.slots,
      hungry: () => this.#feeder.wake(),
      began: (count) => counters.add("started", count),
    });
    this.#feeder = new Feeder({ ...options, worker: this.#worker, completer: this.#completer });
    this.#beater = new Beater({ ...options, worker: this.#worker, leaseMs: times.leaseMs });
    this.#rescuer = new Rescuer({ ...options, leaseMs: times.leaseMs, recoveriesMax: times.recoveriesMax });
    this.#surveyor = new Surveyor({
      ...options,
      promoter: this.#promoter,
      rescuer: this.#rescuer,
      found: () => this.#feeder.wake(),
    });
    const pruner = new Pruner(options, segments);
    this.#duties = new Duties(
      [
        { name: "beat", periodMs: times.beatMs, run: () => this.#beater.run() },
        { name: "survey", periodMs: times.surveyMs, run: () => this.#surveyor.run() },
        { name: "prune", periodMs: times.pruneMs, run: () => pruner.run() },
        { name: "relieve", periodMs: times.relieveMs, run: () => this.#feeder.relieve() },
      ],
      clock,
      log,
    );
    log.debug({ owner, queues, slots: options.slots }, "foreman made");
  }

  /** Attempts running and Operations buffered in this process. */
  get load(): { readonly running: number; readonly buffered: number } {
    return { running: this.#worker.running, buffered: this.#worker.buffered };
  }

  /** Resolves when every Segment was surveyed once and claiming has begun. */
  async start(): Promise<void> {
    await this.#options.segments.refresh();
    this.#options.segments.hintAll();
    this.#promoter.start();
    this.#duties.start();
    this.#feeder.start();
    await this.#surveyor.run();
  }

  /** Takes a bell; the bells of a tick cause one look. */
  bell(segment: string): void {
    this.#options.segments.hint(segment);
    this.#options.counters.add("bells");
    if (this.#isWakePlanned) return;
    this.#isWakePlanned = true;
    queueMicrotask(() => {
      this.#isWakePlanned = false;
      this.#feeder.wake();
    });
  }

  /** Takes word that something this incarnation holds was marked for cancelling. */
  marked(segment: string): void {
    void this.#beater.beat(this.#options.segments.view(segment));
  }

  /** Takes word that the connection came back: whatever was missed is looked for. */
  restored(): void {
    this.#rescuer.reset();
    this.#options.segments.hintAll();
    this.#feeder.wake();
    void this.#surveyor.run().catch(() => undefined);
  }

  /** Takes word that something in a Segment becomes due. */
  expect(segment: string, inMs: number): void {
    this.#promoter.expect(segment, inMs);
  }

  /** Stops gracefully; see the head of this file. `graceMs` is how long running work may take to finish. */
  async stop(graceMs: number): Promise<StopReport> {
    const { counters } = this.#options;
    const releasedBefore = counters.get("released");
    // A store that is away holds a stop up once, not at each of these; what it has not taken is rescued later.
    let storeMs = STORE_MS;
    const answered = async (work: Promise<void>) => {
      if (!(await this.#settlesWithin(work, storeMs))) storeMs = 0;
    };
    await answered(this.#feeder.stop());
    this.#promoter.stop();
    await answered(this.#completer.giveBack(this.#worker.takeUnstarted(0)));
    const isIdle = await this.#settlesWithin(this.#worker.whenIdle(), graceMs);
    if (!isIdle) {
      this.#worker.abortAll("drain");
      const isAborted = await this.#settlesWithin(this.#worker.whenIdle(), Math.min(graceMs, ABORT_MS));
      if (!isAborted) this.#worker.giveUp();
    }
    await answered(this.#completer.whenDrained());
    this.#duties.stop();
    this.#beater.stop();
    if (storeMs > 0) await answered(this.#leave());
    return { released: counters.get("released") - releasedBefore, isForced: !isIdle };
  }

  /** Lets the incarnation be forgotten where it worked; failing at it costs others one Lease of watching. */
  async #leave(): Promise<void> {
    const { store, segments, owner, times } = this.#options;
    for (const view of segments.all()) {
      if (view.request === 0) continue;
      try {
        const { answer, beat, held } = await store.extend(view.name, { owner });
        if (answer !== "ok") continue;
        const recoveriesMax = times.recoveriesMax;
        const rest = { retainMs: LEAVE_RETAIN_MS, recoveriesMax, poison: poisonOutcome(recoveriesMax) };
        if (held === 0) await store.rescue(view.name, { owner, beat, max: 0, ...rest });
      } catch {
        return;
      }
    }
  }

  async #settlesWithin(work: Promise<void>, ms: number): Promise<boolean> {
    let isSettled = false;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(ms, resolve);
      const end = () => {
        timer.cancel();
        resolve();
      };
      void work.then(() => {
        isSettled = true;
        end();
      }, end);
    });
    return isSettled;
  }
}

/** How long a store that is away may hold up a stop. */
const STORE_MS = 10_000;
/** How long aborted work may take to notice, at most. */
const ABORT_MS = 5_000;
/** Never used with `max: 0`; the contract wants a value. */
const LEAVE_RETAIN_MS = 1_000;
