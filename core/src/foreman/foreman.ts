/**
 * The Foreman (elsewhere: supervisor, worker process): one per process that executes. Composes the duties; has no
 * logic of its own beyond the order of starting and of a graceful stop.
 *
 * It runs Operations on this thread (no crew given), or in Worker threads and processes.
 *
 * Stop: no new claims → unstarted work back to the front of its Queue → running work may finish until the deadline →
 * the rest is aborted and given back unharmed → every outcome is answered → the incarnation leaves. Beats go on
 * throughout, so nothing is rescued meanwhile.
 */
import type { Clock, Timer } from "../base/clock.js";
import type { Machine } from "../base/env.js";
import type { Logger } from "../base/log.js";
import type { BellCause, RestoredCause } from "../engine/store.js";
import type { ClaimParams } from "../engine/transitions.js";
import type { AttemptScope } from "../queue/attempt-scope.js";
import { type ResendContext, resend } from "../queue/resend.js";
import type { Segments } from "../queue/segments.js";
import type { ExecutorHost } from "../worker/executors.js";
import { InlineWorker } from "../worker/inline.js";
import type { Assignment } from "../worker/port.js";
import type { Registry } from "../workflow/registry.js";
import { Announcer } from "./announcer.js";
import { Beater, isLapsed } from "./beater.js";
import { CallDesk, type DeskServices } from "./call-desk.js";
import { Completer, type SettledKind } from "./completer.js";
import { Crew, type CrewOptions, WATCH_MS, type WorkerView } from "./crew.js";
import { Duties, type Duty } from "./duties.js";
import { Feeder, type FeederOptions } from "./feeder.js";
import type { Mix } from "./mix/mix.js";
import { fitSquads, keepMix, type MixKeeper, type MixSpec } from "./mix-keeper.js";
import { Nodes, type NodeView } from "./nodes.js";
import type { OptimiserDuty } from "./optimiser-duty.js";
import { InlinePool, type Pool } from "./pool.js";
import { Promoter } from "./promoter.js";
import { Pruner } from "./pruner.js";
import { poisonOutcome, Rescuer } from "./rescuer.js";
import { Sharing } from "./sharing.js";
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

/** The Workers of a Foreman that runs nothing on its own thread. */
export interface CrewSpec extends Pick<CrewOptions, "squads" | "limits" | "openLine"> {
  /** What calls of Steps are answered from. */
  readonly desk: DeskServices;
  /** How many Workers of which kind there are to be; left out: as many as the squads say, always. */
  readonly mix?: MixSpec;
}

/** What a Foreman needs. `deadlineMs` values elsewhere are by this clock's monotonic time. */
export interface ForemanOptions extends ResendContext {
  readonly segments: Segments;
  readonly registry: Registry;
  readonly log: Logger;
  readonly owner: string;
  readonly node: NodeIdentity;
  /** Queues to claim from, and Attempts at once, when Operations run on this thread. */
  readonly queues: readonly string[];
  readonly slots: number;
  /** Whether Queues are claimed from in order of preference; by default each comes first in its turn. */
  readonly isByPreference?: boolean;
  /** The App's own executors, when Operations run on this thread; Workers have theirs. */
  readonly executors?: ExecutorHost;
  /** Entered around the functions of Steps when Operations run on this thread. */
  readonly scope?: AttemptScope;
  /** Null: Operations run on this thread. */
  readonly crew: CrewSpec | null;
  readonly times: ForemanTimes;
  /** The pace its claims keep to; null for none, as by default. */
  readonly pace?: () => ClaimParams["pace"] | null;
  readonly isWatched: () => boolean;
  readonly settled: (attempt: Assignment, kind: SettledKind, value: Uint8Array | null) => void;
}

/** Which Node this process belongs to. */
export interface NodeIdentity {
  readonly name: string;
  readonly machine: Machine;
  /** Start although another machine that lives bears the name. */
  readonly isTakeover: boolean;
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
  readonly #crew: Crew | null;
  readonly #mixKeeper: MixKeeper | null;
  readonly #pools: readonly Pool[];
  /** Of all pools. */
  readonly #queues: readonly string[];
  readonly #sharing: Sharing;
  readonly #feeder: Feeder;
  readonly #beater: Beater;
  readonly #promoter: Promoter;
  readonly #announcer: Announcer;
  readonly #rescuer: Rescuer;
  readonly #surveyor: Surveyor;
  readonly #nodes: Nodes;
  readonly #duties: Duties;
  #isWakePlanned = false;
  readonly #patience: Patience;
  /** Attempts at once on this thread. */
  #slots: number;
  #stopping: Promise<StopReport> | null = null;

  constructor(options: ForemanOptions) {
    this.#options = options;
    this.#slots = options.slots;
    const { segments, log, clock, owner, times } = options;
    this.#patience = new Patience(clock);
    this.#promoter = new Promoter(options);
    this.#completer = new Completer({
      ...options,
      left: (claim, hasEnded) => this.#feeder.left(claim, hasEnded),
      answered: () => this.#feeder.wake(),
    });
    this.#crew = options.crew === null ? null : this.#makeCrew(options.crew);
    this.#pools = this.#crew?.pools ?? [this.#makeInline()];
    this.#queues = this.#pools.flatMap((pool) => pool.queues);
    this.#sharing = new Sharing({ ...options, queues: this.#queues, wake: () => this.#feeder.wake() });
    const { completer, sharing } = { completer: this.#completer, sharing: this.#sharing };
    const isLapsed = (segment: string) => this.#isLapsed(segment);
    const prove: FeederOptions["prove"] = (view) => this.#beater.beat(view);
    const { recoveriesMax } = times;
    this.#feeder = new Feeder({ ...options, recoveriesMax, pools: this.#pools, completer, sharing, isLapsed, prove });
    const lost = () => this.#feeder.lapse();
    this.#beater = new Beater({ ...options, pools: this.#pools, leaseMs: times.leaseMs, lost });
    this.#announcer = new Announcer({ ...options, pools: this.#pools, leaseMs: times.leaseMs });
    this.#rescuer = new Rescuer({ ...options, leaseMs: times.leaseMs, recoveriesMax });
    this.#mixKeeper = this.#makeMixKeeper();
    this.#surveyor = new Surveyor({
      ...options,
      promoter: this.#promoter,
      rescuer: this.#rescuer,
      found: () => this.#feeder.wake(),
      looked: (segment, counts) => this.#mixKeeper?.source.looked(segment, counts),
    });
    const pruner = new Pruner(options, segments);
    this.#nodes = this.#makeNodes();
    this.#duties = new Duties(
      [
        { name: "beat", periodMs: times.beatMs, run: () => this.#beater.run() },
        { name: "survey", periodMs: times.surveyMs, run: () => this.#surveyor.run() },
        { name: "nodes", periodMs: times.beatMs, run: () => this.#nodes.run() },
        { name: "prune", periodMs: times.pruneMs, run: () => pruner.run() },
        { name: "relieve", periodMs: times.relieveMs, run: () => this.#feeder.relieve() },
        ...(this.#crew === null ? [] : [watchOf(this.#crew)]),
        ...(this.#mixKeeper === null ? [] : [this.#mixKeeper.duty]),
      ],
      clock,
      log,
    );
    log.debug({ owner, pools: this.#pools.map(({ kind, queues }) => ({ kind, queues })) }, "foreman made");
  }

  /** Attempts running, Operations buffered and Operations gathered for a batch in this process. */
  get load(): { readonly running: number; readonly buffered: number; readonly gathering: number } {
    let running = 0;
    let buffered = 0;
    let gathering = 0;
    for (const pool of this.#pools) {
      running += pool.running;
      buffered += pool.buffered;
      gathering += pool.gathering;
    }
    return { running, buffered, gathering };
  }

  /** Every process that executes this App, as this one sees it. */
  nodes(): NodeView[] {
    return this.#nodes.list();
  }

  /** Its Worker threads and processes; none when Operations run on this thread. */
  get crew(): Crew | null {
    return this.#crew;
  }

  /** Every Worker thread and process there is. */
  workers(): WorkerView[] {
    return this.#crew?.workers() ?? [];
  }

  /** Lets one Worker finish and replaces it; false if there is none of that name, or another is being replaced. */
  drainWorker(id: string): boolean {
    return this.#crew?.drain(id) ?? false;
  }

  /** Configures how many Workers there are and how much they run at once, while work goes on. */
  applyMix(mix: Mix): void {
    this.#crew?.applyMix(mix);
    const duty = this.#mixKeeper?.duty;
    duty?.reload({ ...duty.plan, start: mix });
  }

  /**
   * Changes how many Attempts run at once on this thread; 0 claims nothing. What runs goes on, and what was claimed for
   * slots that are gone goes back to the front of its Queue. Workers in threads and processes are changed by `applyMix`.
   */
  setSlots(slots: number): void {
    const isFewer = slots < this.#slots;
    if (slots === this.#slots) return;
    this.#slots = slots;
    for (const pool of this.#pools) if (pool instanceof InlinePool) pool.setSlots(slots);
    if (isFewer) void this.#feeder.giveBack(0);
  }

  /**
   * Claims from all its Queues but these, which others are called to. All that was claimed and has not begun goes back, and
   * what of it is claimed again is judged by the Steps there are now.
   */
  async leaveOut(queues: ReadonlySet<string>): Promise<void> {
    this.#feeder.leaveOut(queues);
    await this.#feeder.giveBack(0);
    await this.#sharing.change(this.#queues.filter((queue) => !queues.has(queue)));
  }

  /** Whether it was started to claim from a Queue. */
  claimsFrom(queue: string): boolean {
    return this.#queues.includes(queue);
  }

  /** What keeps the mix of the Workers: its state, decisions and metrics; null where nothing does. */
  get optimiser(): OptimiserDuty | null {
    return this.#mixKeeper?.duty ?? null;
  }

  /**
   * Resolves when every Worker is ready, every Segment was surveyed once and claiming has begun. Work begins with the
   * first Worker that is ready, and what a dead sibling held is free before that.
   */
  async start(): Promise<void> {
    await this.#nodes.join();
    await this.#options.executors?.start();
    const crew = this.#crew?.start() ?? Promise.resolve();
    crew.catch(() => undefined); // awaited below: a failure here must not be unhandled meanwhile
    await this.#sharing.start();
    // The first looks: an answer lost here must not fail the whole start.
    await resend(this.#options, START_MS, () => this.#options.segments.refresh());
    this.#options.segments.hintAll();
    this.#promoter.start();
    this.#duties.start();
    // It tells what waits where: the first claims go by it, unless a server keeps it waiting.
    const surveyed = resend(this.#options, START_MS, () => this.#surveyor.run());
    await this.#atMost(FIRST_LOOK_MS, surveyed);
    this.#feeder.start();
    await surveyed;
    await crew;
  }

  async #atMost(ms: number, work: Promise<unknown>): Promise<void> {
    let pass = (): void => undefined;
    const timer = this.#options.clock.setTimer(ms, () => pass());
    const passed = new Promise<void>((resolve) => {
      pass = resolve;
    });
    await Promise.race([work, passed]).finally(() => timer.cancel());
  }

  /** Takes a bell; the bells of a tick cause one look. */
  bell(segment: string, queue: string, cause: BellCause, priority: number): void {
    this.#sharing.rang({ segment, queue, priority }, cause);
    this.#options.counters.add("bells");
    this.#planWake();
  }

  /** Whether what this process enqueues there needs no bell: see `sent`. */
  attends(segment: string, queue: string): boolean {
    return this.#sharing.attends(segment, queue);
  }

  /** Takes word that Operations are on their way to a Queue it attends; the claim follows them. */
  sent(segment: string, queue: string): void {
    this.#sharing.sent(segment, queue);
    this.#planWake();
  }

  #planWake(): void {
    if (this.#isWakePlanned) return;
    this.#isWakePlanned = true;
    queueMicrotask(() => {
      this.#isWakePlanned = false;
      this.#feeder.wake();
      this.#sharing.looked();
    });
  }

  /** Takes word that something this incarnation holds was marked for cancelling. */
  marked(segment: string): void {
    void this.#beater.beat(this.#options.segments.view(segment));
  }

  /** Takes word that a connection came back, to these Segments or to all (`null`): whatever was missed is looked for. */
  restored(of: readonly string[] | null, cause: RestoredCause): void {
    const { segments } = this.#options;
    this.#announcer.restored(of, cause);
    this.#rescuer.reset(of);
    this.#nodes.reset();
    if (of === null) segments.hintAll();
    else for (const segment of of) segments.hint(segment);
    this.#feeder.wake();
    void this.#surveyor.run().catch(() => undefined);
  }

  /** Takes word that an owner is dead, from who saw its process end; before `start`. */
  bury(owner: string): void {
    this.#rescuer.bury(owner);
  }

  /** Takes word that something in a Segment becomes due. */
  expect(segment: string, inMs: number): void {
    this.#promoter.expect(segment, inMs);
  }

  /**
   * Stops gracefully; see the head of this file. `graceMs` is how long running work may take to finish. Asked again, a
   * shorter time shortens the wait.
   */
  stop(graceMs: number): Promise<StopReport> {
    this.#patience.shorten(graceMs);
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<StopReport> {
    const { counters } = this.#options;
    const releasedBefore = counters.get("released");
    // A store that is away holds a stop up once, not at each of these; what it has not taken is rescued later.
    let storeMs = STORE_MS;
    const answered = async (work: Promise<void>) => {
      if (!(await this.#settlesWithin(work, storeMs))) storeMs = 0;
    };
    const kept = this.#mixKeeper?.close() ?? Promise.resolve();
    await answered(this.#feeder.stop());
    this.#promoter.stop();
    await answered(this.#feeder.giveBack(0));
    await answered(this.#sharing.stop());
    this.#feeder.leave();
    const isIdle = await this.#patience.outlasts(this.#whenIdle());
    if (!isIdle) await this.#force();
    const crew = this.#crew?.stop();
    const { executors } = this.#options;
    if (executors !== undefined) await this.#settlesWithin(executors.stop(), EXECUTORS_MS);
    await answered(this.#announcer.stop());
    await answered(this.#completer.whenDrained());
    this.#duties.stop();
    this.#rescuer.stop();
    this.#beater.stop();
    if (storeMs > 0) await answered(this.#leave());
    await crew;
    await this.#settlesWithin(kept, MIX_LOG_MS);
    return { released: counters.get("released") - releasedBefore, isForced: !isIdle };
  }

  /** Tells what still runs to end, then ends it. */
  async #force(): Promise<void> {
    for (const pool of this.#pools) pool.abortAll("drain");
    const isAborted = await this.#settlesWithin(this.#whenIdle(), Math.min(this.#patience.ms, ABORT_MS));
    if (isAborted) return;
    const gone = Promise.all(this.#pools.map((pool) => pool.giveUp()));
    await this.#settlesWithin(
      gone.then(() => undefined),
      KILL_MS,
    );
  }

  async #whenIdle(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.whenIdle()));
  }

  #makeNodes(): Nodes {
    const { node, registry, slots, times } = this.#options;
    const queues = [...new Set(this.#pools.flatMap((pool) => pool.queues))];
    const steps = registry.list();
    const namesOf = (some: typeof steps): string[] => some.map(({ name }) => name);
    const about = { queues, steps: namesOf(steps), tied: namesOf(steps.filter(({ isTied }) => isTied)), slots };
    const { name, machine, isTakeover } = node;
    return new Nodes({ ...this.#options, node: name, machine, isTakeover, about, leaseMs: times.leaseMs });
  }

  #makeInline(): Pool {
    const { registry, clock, random, log, slots, counters, queues, executors, scope } = this.#options;
    const worker = new InlineWorker({
      ...{ registry, clock, random, log, slots },
      port: this.#completer,
      hungry: () => this.#feeder.wake(),
      began: (count) => counters.add("started", count),
      overdue: () => void this.#feeder.relieve(),
      isLapsed: (segment) => this.#isLapsed(segment),
      ...(executors === undefined ? {} : { caller: executors }),
      ...(scope === undefined ? {} : { scope }),
    });
    return new InlinePool(worker, queues);
  }

  #makeMixKeeper(): MixKeeper | null {
    const { crew: spec, store, clock, counters, log: logger, node } = this.#options;
    if (this.#crew === null || spec?.mix === undefined) return null;
    const foremen = () => counters.get("nodesLive");
    const { squads, mix } = spec;
    return keepMix({ ...mix, ...{ crew: this.#crew, squads, store, clock, logger, nodeId: node.name, foremen } });
  }

  #makeCrew({ squads: asked, limits, openLine, desk: services, mix }: CrewSpec): Crew {
    const { registry, clock, random, log, counters } = this.#options;
    const desk = new CallDesk(services);
    const squads = mix === undefined ? asked : fitSquads(asked, mix.plan);
    return new Crew({
      ...{ squads, limits, openLine, registry, clock, random, log, counters },
      port: this.#completer,
      hungry: () => this.#feeder.wake(),
      isLapsed: (segment) => this.#isLapsed(segment),
      asked: (member, source, offset, length) => desk.take(member, source, offset, length),
      gone: (member) => desk.drop(member),
    });
  }

  #isLapsed(segment: string): boolean {
    const { segments, clock, times } = this.#options;
    return isLapsed(segments.view(segment), clock.monotonicMs(), times.leaseMs);
  }

  /** Lets the incarnation be forgotten where it worked; failing at it costs others one Lease of watching. */
  async #leave(): Promise<void> {
    const left = [...this.#options.segments.all()].filter(({ request }) => request > 0);
    const leaving = [this.#nodes.leave(), ...left.map(({ name }) => this.#leaveSegment(name))];
    await Promise.allSettled(leaving);
  }

  async #leaveSegment(segment: string): Promise<void> {
    const { store, owner, times } = this.#options;
    const { answer, beat, held } = await store.extend(segment, { owner });
    if (answer !== "ok" || held > 0) return;
    const { recoveriesMax } = times;
    const rest = { retainMs: LEAVE_RETAIN_MS, recoveriesMax, poison: poisonOutcome(recoveriesMax) };
    await store.rescue(segment, { owner, beat, max: 0, ...rest });
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

/** How long a graceful stop waits; it may be told to wait less. */
class Patience {
  readonly #clock: Clock;
  /** The shortest time asked for, in ms. */
  ms = Number.POSITIVE_INFINITY;
  #sinceMs = 0;
  #over: (() => void) | null = null;
  #timer: Timer | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Waits no longer than `ms` from the first call on. */
  shorten(ms: number): void {
    if (this.ms === Number.POSITIVE_INFINITY) this.#sinceMs = this.#clock.monotonicMs();
    this.ms = Math.min(this.ms, ms);
    if (this.#over !== null) this.#arm(this.#over);
  }

  /** Whether `work` settles before patience ends. */
  async outlasts(work: Promise<void>): Promise<boolean> {
    let isSettled = false;
    await new Promise<void>((resolve) => {
      this.#over = resolve;
      this.#arm(resolve);
      const end = () => resolve();
      void work.then(() => {
        isSettled = true;
        end();
      }, end);
    });
    this.#over = null;
    this.#timer?.cancel();
    return isSettled;
  }

  #arm(over: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#clock.setTimer(this.#sinceMs + this.ms - this.#clock.monotonicMs(), over);
  }
}

function watchOf(crew: Crew): Duty {
  return { name: "watch", periodMs: WATCH_MS, run: async () => crew.watch() };
}

/** How long a store that is away may hold up a start. */
const START_MS = 30_000;
/** How long claims wait for the first survey, at most. */
const FIRST_LOOK_MS = 50;
/** How long a store that is away may hold up a stop. */
const STORE_MS = 10_000;
/** How long executors may take to stop. */
const EXECUTORS_MS = 10_000;
/** How long the last lines of the mix log may take. */
const MIX_LOG_MS = 1_000;
/** How long aborted work may take to notice, at most. */
const ABORT_MS = 5_000;
/** How long threads and processes that are ended by force may take. */
const KILL_MS = 5_000;
/** Never used with `max: 0`; the contract wants a value. */
const LEAVE_RETAIN_MS = 1_000;
