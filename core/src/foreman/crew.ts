/**
 * The crew (elsewhere: pool manager, supervisor): starts the Workers, watches them, replaces those that end, recycles,
 * changes the mix while they work, stops them. One squad for each kind of Workers that the App's Steps need.
 *
 * A Worker that ends is settled on its exit and never before, so that nothing overlaps: what it had not begun waits
 * again; of what it had begun, the culprit fails and the others are released unharmed (watch.ts says who is who).
 */
import type { Clock, Timer } from "../base/clock.js";
import { createError, fromRemoteError, toRemoteError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Random } from "../base/random.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { Counters } from "../queue/counters.js";
import { judge, type Verdict } from "../worker/judge.js";
import type { OutcomePort } from "../worker/port.js";
import type { Registry } from "../workflow/registry.js";
import type { PoolKind } from "../workflow/step.js";
import type { Given } from "./given.js";
import type { Line, LineEnd, LineEvents } from "./line.js";
import { Member, type MemberEvents, type MemberState } from "./member.js";
import type { Mix } from "./mix/mix.js";
import { Suspects } from "./suspects.js";
import { blame, causeOf, judgeWorker, type StuckReason, type WorkerSight } from "./watch.js";
import { type PoolContext, WorkerPool } from "./worker-pool.js";

/** How often Workers are looked at. */
export const WATCH_MS = 250;
/** How long Workers may take until all are ready. */
const READY_MS = 30_000;
/** A Worker that lived shorter died young: the next one waits, longer each time if they had not begun anything. */
const YOUNG_MS = 10_000;
const BACKOFF_MS_MIN = 200;
const BACKOFF_MS_MAX = 30_000;
/** How long a Worker that was told to end, and has nothing to do, may take. */
const FAREWELL_MS = 5_000;

/** Workers of one kind, as they are wanted. */
export interface SquadSpec {
  readonly kind: PoolKind;
  readonly count: number;
  /** Attempts each runs at once; 1 unless async. */
  readonly slots: number;
  readonly queues: readonly string[];
}

/** When Workers are ended or replaced; Infinity for never. */
export interface CrewLimits {
  /** A Worker whose heap is larger is recycled. */
  readonly maxRssMb: number;
  /** A Worker that has ended so many Operations is recycled. */
  readonly maxOperations: number;
  /** A Worker that is older is recycled. */
  readonly maxAgeMs: number;
  /** An async Worker whose loop stands still for so long is ended. */
  readonly stuckAfterMs: number;
}

/** What a crew is made with. */
export interface CrewOptions {
  readonly squads: readonly SquadSpec[];
  readonly limits: CrewLimits;
  /** Starts a Worker. */
  readonly openLine: (kind: PoolKind, id: string, slots: number, events: LineEvents) => Line;
  readonly registry: Pick<Registry, "find" | "isWithdrawn">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
  readonly port: OutcomePort;
  /** Called when there may be room for more claims. */
  readonly hungry: () => void;
  /** Whether what is held in a Segment may be another's by now. */
  readonly isLapsed: (segment: string) => boolean;
  /** A Step asks something of the App; the bytes are valid during the call. */
  readonly asked: (member: Member, source: Buffer, offset: number, length: number) => void;
  /** A Worker is gone: nobody waits for its answers. */
  readonly gone: (member: Member) => void;
}

/** A Worker as people see it. */
export interface WorkerView {
  readonly id: string;
  readonly kind: PoolKind;
  readonly state: MemberState;
  readonly slots: number;
  /** Operations it has now. */
  readonly running: number;
  /** Operations that ended in this thread or process. */
  readonly operations: number;
  readonly heapMb: number;
  /** Workers of this name before it. */
  readonly restarts: number;
  readonly startedAt: Date;
}

/** What the Workers of one kind have done; figures that only grow, but for the last two. */
export interface SquadTotals {
  readonly claimed: number;
  readonly ended: number;
  /** Time the ended Operations took slots, in ms. */
  readonly runMs: number;
  /** Time the event loops of threads were busy, in ms; what a thread did after the last reading is lost with it. */
  readonly loopMs: number;
  /** Workers that take work now, and the Operations they have. */
  readonly workers: number;
  readonly busy: number;
}

interface Squad {
  readonly kind: PoolKind;
  readonly pool: WorkerPool;
  wanted: number;
  slots: number;
  loopMs: number;
  readonly members: Set<Member>;
  /** Deaths in a row within YOUNG_MS of their start, before anything was begun. */
  young: number;
  /** The next start, while it waits. */
  backoff: Timer | null;
  /** One at a time is replaced before it is told to end. */
  recycling: { readonly old: Member; readonly next: Member; readonly reason: string } | null;
}

/** What is known of a Worker that is ended because it is stuck. */
interface Sentence {
  readonly reason: StuckReason;
  readonly sight: WorkerSight;
  stack: string | null;
}

/** The Workers of one Foreman. */
export class Crew {
  readonly pools: readonly WorkerPool[];
  readonly #options: CrewOptions;
  readonly #suspects = new Suspects();
  readonly #squads: readonly Squad[];
  readonly #sentences = new Map<Member, Sentence>();
  /** When a Worker that was told to end was first seen with nothing to do. */
  readonly #farewells = new Map<Member, number>();
  /** How often each was rung, and its ring was full, as counted so far. */
  readonly #counted = new Map<Member, { rings: number; fulls: number }>();
  readonly #restarts = new Map<string, number>();
  readonly #startedAt = new Map<Member, number>();
  /** What became of Workers that were not ready in time. */
  readonly #reasons = new Map<string, string>();
  #order = 0;
  #lookedMs: number;
  #isStopping = false;
  #starting: { resolve(): void; reject(error: Error): void } | null = null;
  #gone: (() => void)[] = [];

  constructor(options: CrewOptions) {
    this.#options = options;
    this.#lookedMs = options.clock.monotonicMs();
    const { registry, clock, random, log, counters, port, hungry, isLapsed } = options;
    const context: PoolContext = {
      ...{ registry, clock, random, log, counters, port, hungry, isLapsed },
      suspects: this.#suspects,
      nextOrder: () => this.#order++,
      poolOf: (kind) => this.pools.find((pool) => pool.kind === kind),
    };
    this.#squads = options.squads.map(({ kind, count, slots, queues }) => ({
      kind,
      pool: new WorkerPool(kind, queues, context),
      wanted: count,
      slots,
      loopMs: 0,
      members: new Set(),
      young: 0,
      backoff: null,
      recycling: null,
    }));
    this.pools = this.#squads.map(({ pool }) => pool);
  }

  /** Starts all Workers; resolves when each is ready. Errors: MR_MODULE_FAILED, MR_WORKERS_NOT_READY. */
  async start(): Promise<void> {
    const ready = new Promise<void>((resolve, reject) => {
      this.#starting = { resolve, reject };
    });
    const timer = this.#options.clock.setTimer(READY_MS, () => this.#starting?.reject(this.#notReady()));
    for (const squad of this.#squads) this.#balance(squad);
    try {
      this.#checkReady();
      await ready;
    } catch (error) {
      await this.stop();
      throw error;
    } finally {
      timer.cancel();
      this.#starting = null;
    }
  }

  /** Changes the mix while work goes on: who is too many ends softly. */
  applyMix(mix: Mix): void {
    for (const squad of this.#squads) {
      if (squad.kind === "process") continue;
      squad.wanted = squad.kind === "async" ? mix.async : mix.blocking;
      if (squad.kind === "async" && squad.slots !== mix.slots) {
        squad.slots = mix.slots;
        for (const member of squad.members) member.setSlots(mix.slots);
      }
      this.#balance(squad);
      squad.pool.pump();
    }
  }

  /** The mix as it is wanted now. */
  get mix(): Mix {
    const of = (kind: PoolKind) => this.#squads.find((squad) => squad.kind === kind);
    return { blocking: of("blocking")?.wanted ?? 0, async: of("async")?.wanted ?? 0, slots: of("async")?.slots ?? 0 };
  }

  /** Every Worker there is. */
  workers(): WorkerView[] {
    return this.#squads.flatMap(({ members }) => [...members].map((member) => this.#view(member)));
  }

  /** What one kind has done since the start; null if no Step needs it. */
  totals(kind: PoolKind): SquadTotals | null {
    const squad = this.#squads.find((one) => one.kind === kind);
    if (squad === undefined) return null;
    for (const member of squad.members) squad.loopMs += member.line.busyMs() ?? 0;
    const workers = [...squad.members].filter(({ state }) => state === "open").length;
    return { ...squad.pool.totals, loopMs: squad.loopMs, workers, busy: squad.pool.running };
  }

  /** Replaces one Worker: it finishes what it has and ends; another takes its place first. False if there is none. */
  drain(id: string): boolean {
    for (const squad of this.#squads) {
      for (const member of squad.members) {
        if (member.id === id && member.state === "open") return this.#recycle(squad, member, "drained");
      }
    }
    return false;
  }

  /** Duty: looks at every Worker; ends those that are stuck, recycles those that are over a limit. */
  watch(): void {
    const nowMs = this.#options.clock.monotonicMs();
    // Time in which this process did not run proves nothing about its threads.
    const passedMs = Math.min(nowMs - this.#lookedMs, 2 * WATCH_MS);
    this.#lookedMs = nowMs;
    for (const squad of this.#squads) {
      for (const member of squad.members) this.#look(squad, member, passedMs, nowMs);
      squad.pool.pump();
    }
  }

  /**
   * Ends all Workers: those with nothing to do at their leisure, for a few seconds, then by force. Resolves when all are
   * gone, or when it must be said that one of them cannot be ended.
   */
  async stop(): Promise<void> {
    this.#isStopping = true;
    for (const squad of this.#squads) {
      squad.backoff?.cancel();
      squad.backoff = null;
      for (const member of squad.members) this.#close(squad, member);
    }
    if (await this.#empties()) return;
    this.kill();
    if (await this.#empties()) return;
    const workers = this.workers().map(({ id }) => id);
    this.#options.log.error({ workers }, "Workers cannot be ended: something outside of JavaScript holds them");
  }

  /** Ends all Workers by force; what they had is released when they are gone. */
  kill(): void {
    this.#isStopping = true;
    for (const { members } of this.#squads) {
      for (const member of members) {
        member.isGivenUp = true;
        member.kill();
      }
    }
  }

  /** Whether all Workers are gone within a few seconds. */
  async #empties(): Promise<boolean> {
    if (this.#isEmpty) return true;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.setTimer(FAREWELL_MS, resolve);
      this.#gone.push(() => {
        timer.cancel();
        resolve();
      });
    });
    return this.#isEmpty;
  }

  get #isEmpty(): boolean {
    return this.#squads.every(({ members }) => members.size === 0);
  }

  #look(squad: Squad, member: Member, passedMs: number, nowMs: number): void {
    if (member.state === "starting") return;
    if (member.state === "killed") return this.#insist(member, nowMs);
    member.look(passedMs);
    this.#count(member);
    const sight = member.sight();
    const reason = judgeWorker(sight, this.#options.limits.stuckAfterMs);
    if (reason !== null) return void this.#condemn(squad, member, { reason, sight, stack: null });
    if (member.state === "open") {
      const over = this.#overLimit(member, nowMs);
      if (over !== null) this.#recycle(squad, member, over);
    } else if (member.load === 0) {
      const sinceMs = this.#farewells.get(member) ?? nowMs;
      this.#farewells.set(member, sinceMs);
      if (nowMs - sinceMs >= FAREWELL_MS) member.kill();
    }
  }

  /** A thread that was ended and is still there, paused by a debugger or in native code, is ended again. */
  #insist(member: Member, nowMs: number): void {
    const sinceMs = this.#farewells.get(member) ?? nowMs;
    this.#farewells.set(member, sinceMs);
    if (nowMs - sinceMs < FAREWELL_MS) return;
    this.#farewells.set(member, nowMs);
    this.#options.log.error({ worker: member.id }, "a Worker that was ended is still there: it is ended again");
    member.kill();
  }

  #overLimit(member: Member, nowMs: number): "rss" | "operations" | "age" | "dirty" | null {
    const { limits } = this.#options;
    const { heapKb, isDirty } = member.line.vitals();
    if (isDirty) return "dirty";
    // One that is over it from the start would be replaced for ever, by others of the same size.
    const isYoung = nowMs - member.startedMs < YOUNG_MS;
    if (heapKb > limits.maxRssMb * 1_024 && !isYoung) return "rss";
    if (member.ended >= limits.maxOperations) return "operations";
    return nowMs - member.startedMs >= limits.maxAgeMs ? "age" : null;
  }

  #count(member: Member): void {
    const { rings, fulls } = member.line;
    const before = this.#counted.get(member) ?? { rings: 0, fulls: 0 };
    this.#options.counters.add("rings", rings - before.rings);
    this.#options.counters.add("ringFulls", fulls - before.fulls);
    this.#counted.set(member, { rings, fulls });
  }

  async #condemn(squad: Squad, member: Member, sentence: Sentence): Promise<void> {
    const { log, counters } = this.#options;
    this.#sentences.set(member, sentence);
    member.condemn();
    counters.add("workersStuck");
    squad.pool.unload(member);
    squad.pool.pump();
    sentence.stack = await member.line.captureStack();
    log.warn({ worker: member.id, reason: sentence.reason, stack: sentence.stack }, "a Worker is stuck: it is ended");
    member.kill();
  }

  /** Starts another Worker in the place of one, which ends when the other is ready. False while it does so already. */
  #recycle(squad: Squad, old: Member, reason: string): boolean {
    const isBusy = squad.recycling !== null || squad.backoff !== null;
    if (isBusy || this.#isStopping) return squad.recycling?.old === old;
    this.#options.log.info({ worker: old.id, reason }, "a Worker is to be replaced");
    squad.recycling = { old, next: this.#spawn(squad), reason };
    return true;
  }

  #close(squad: Squad, member: Member): void {
    squad.pool.unload(member);
    const isStarting = member.state === "starting";
    member.close();
    if (isStarting) member.kill();
  }

  /** Starts who is missing, closes who is too many. */
  #balance(squad: Squad): void {
    if (this.#isStopping) return;
    const alive = [...squad.members].filter(({ state }) => state === "starting" || state === "open");
    const wanted = squad.wanted + (squad.recycling === null ? 0 : 1);
    if (alive.length < wanted && squad.backoff === null) {
      for (let count = alive.length; count < wanted; count++) this.#spawn(squad);
    }
    const rank = (member: Member) => (member.state === "starting" ? -1 : member.load);
    const extra = alive.sort((a, b) => rank(a) - rank(b)).slice(0, Math.max(0, alive.length - wanted));
    for (const member of extra) this.#close(squad, member);
  }

  #spawn(squad: Squad): Member {
    const { clock, counters, log, openLine, port } = this.#options;
    const taken = new Set([...squad.members].map(({ id }) => id));
    let number = 1;
    while (taken.has(`${squad.kind}-${number}`)) number++;
    const id = `${squad.kind}-${number}`;
    const { kind, slots } = squad;
    const member = new Member({
      ...{ id, kind, slots, clock, port },
      events: this.#eventsOf(squad),
      openLine: (events) => openLine(kind, id, slots, events),
    });
    squad.members.add(member);
    squad.pool.add(member);
    this.#startedAt.set(member, clock.nowMs());
    this.#restarts.set(id, (this.#restarts.get(id) ?? -1) + 1);
    counters.add("workersStarted");
    log.debug({ worker: id }, "a Worker starts");
    return member;
  }

  #eventsOf(squad: Squad): MemberEvents {
    const { counters, log, asked } = this.#options;
    return {
      ready: (member) => this.#ready(squad, member),
      failed: (member, error) => {
        this.#reasons.set(member.id, error.message);
        if (member.state !== "starting") return; // its exit follows, with this as its reason
        log.error({ worker: member.id, error }, "a Worker cannot run the module");
        this.#starting?.reject(fromRemoteError(error));
      },
      log: (member, line) => log[line.level]({ target: "worker", worker: member.id, ...line.fields }, line.message),
      drained: (_member, began) => {
        if (began > 0) counters.add("started", began);
        squad.pool.pump();
      },
      left: (member, given) => squad.pool.left(member, given),
      asked,
      broken: (member, error) => {
        log.error({ worker: member.id, error }, "a Worker's ring is broken: it is ended");
        member.kill();
      },
      exited: (member, end) => this.#exited(squad, member, end),
    };
  }

  #ready(squad: Squad, member: Member): void {
    if (member.state !== "starting") return;
    member.state = "open";
    if (member.slots !== squad.slots) member.setSlots(squad.slots);
    const { recycling } = squad;
    if (recycling?.next === member) {
      this.#options.counters.add("workersRecycled");
      this.#close(squad, recycling.old);
      squad.recycling = null;
    }
    squad.pool.pump();
    this.#checkReady();
  }

  #checkReady(): void {
    const isReady = this.#squads.every(
      ({ members, wanted }) => [...members].filter(({ state }) => state === "open").length >= wanted,
    );
    if (isReady) this.#starting?.resolve();
  }

  #notReady(): Error {
    const late = this.#squads.flatMap((squad) => {
      const ready = [...squad.members].filter(({ state }) => state === "open").map(({ id }) => id);
      const ids = Array.from({ length: squad.wanted }, (_, i) => `${squad.kind}-${i + 1}`);
      return ids.filter((id) => !ready.includes(id));
    });
    const workers = late.map((id) => `${id} (${this.#reasons.get(id) ?? "the module is still being imported"})`);
    return createError("MR_WORKERS_NOT_READY", {
      count: late.length,
      timeoutMs: READY_MS,
      workers: workers.join(", "),
    });
  }

  #exited(squad: Squad, member: Member, end: LineEnd): void {
    const { log, counters, clock, gone } = this.#options;
    const sentence = this.#sentences.get(member) ?? null;
    const cause = causeOf(squad.kind, end);
    squad.members.delete(member);
    const begun = squad.pool.remove(member);
    this.#settle(member, begun, end, sentence);
    this.#count(member);
    for (const map of [this.#sentences, this.#farewells, this.#startedAt, this.#counted]) map.delete(member);
    gone(member);
    if (squad.recycling?.old === member || squad.recycling?.next === member) squad.recycling = null;
    const isExpected = member.isClosed || member.isGivenUp;
    const livedMs = clock.monotonicMs() - member.startedMs;
    if (!isExpected) {
      if (sentence === null) counters.add("workersLost");
      if (!this.#reasons.has(member.id)) this.#reasons.set(member.id, cause);
      log.warn({ worker: member.id, cause: sentence?.reason ?? cause, livedMs }, "a Worker ended");
      // One that did something was ended by what it did: that is no reason to keep the others waiting.
      const hasWorked = begun.length > 0 || member.ended > 0;
      squad.young = livedMs < YOUNG_MS && !hasWorked ? squad.young + 1 : 0;
      if (livedMs < YOUNG_MS) this.#backOff(squad);
    }
    this.#balance(squad);
    squad.pool.pump();
    if (!this.#isEmpty) return;
    for (const resolve of this.#gone) resolve();
    this.#gone = [];
  }

  /** Lets the next start wait: longer with each Worker in a row that died young. */
  #backOff(squad: Squad): void {
    if (this.#isStopping || squad.backoff !== null) return;
    const ms = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** Math.max(0, squad.young - 1));
    squad.backoff = this.#options.clock.setTimer(ms, () => {
      squad.backoff = null;
      this.#balance(squad);
    });
  }

  /** Ends what a Worker that is gone had begun. */
  #settle(member: Member, begun: readonly Given[], end: LineEnd, sentence: Sentence | null): void {
    const { port } = this.#options;
    if (member.isGivenUp) {
      for (const given of begun) port.released(given, null);
      return;
    }
    const { culprit, suspects } = blame(sentence?.sight ?? member.sight(begun), sentence?.reason ?? null);
    for (const given of begun) {
      if (given.seat === culprit) this.#fail(given, member, end, sentence);
      else {
        if (suspects.includes(given.seat)) this.#suspects.add(given);
        port.released(given, null);
      }
    }
  }

  #fail(given: Given, member: Member, end: LineEnd, sentence: Sentence | null): void {
    const { port, random, clock } = this.#options;
    const error = this.#errorOf(given, member, end, sentence);
    const verdict = this.#judge(given, error, random);
    if (verdict.kind === "release") return port.released(given, verdict.inMs);
    // What ended a Worker once may do so again: next time it is alone there.
    if (verdict.kind === "retry") this.#suspects.add(given);
    const ranMs = clock.monotonicMs() - (given.begunMs ?? given.sinceMs);
    const thrown = toRemoteError(verdict.kind === "end" ? verdict.error : error);
    const startedAtMs = clock.nowMs() - ranMs;
    given.outcome = encodeOutcome(given.step.name, given.enqueuedAtMs, startedAtMs, thrown, "error");
    port.failed(given, given.outcome, verdict.kind === "retry" ? verdict.inMs : null);
  }

  #judge(given: Given, error: Error, random: Random): Verdict {
    switch (given.abortKind) {
      case "cancel":
        return { kind: "end", error };
      case "drain":
      case "lease_lost":
        return { kind: "release", inMs: null };
      case "timeout":
      case null:
        return judge(given.step, given.terms.retries, given.claim.attempt, error, random);
    }
  }

  #errorOf(given: Given, member: Member, end: LineEnd, sentence: Sentence | null): Error {
    const { operationId: id, attempt } = given;
    if (sentence === null) {
      const cause = end.error instanceof Error ? { cause: end.error } : {};
      return createError("MR_WORKER_LOST", { attempt, id, reason: causeOf(member.kind, end) }, cause);
    }
    const what = `Attempt ${attempt} of ${id}`;
    const error =
      given.abortKind === "cancel"
        ? createError("MR_OPERATION_CANCELLED", { id, reason: "cancel" })
        : sentence.reason === "limit"
          ? createError("MR_TIMEOUT", { what, timeoutMs: given.terms.timeoutMs })
          : createError("MR_TIMEOUT", {
              what: `the turn of its event loop that ${what} began`,
              timeoutMs: this.#options.limits.stuckAfterMs,
            });
    // The stack of the thread, not of this one: it names the line that never ends.
    if (sentence.stack !== null) error.stack = `${error.name}: ${error.message}\n${sentence.stack}`;
    return error;
  }

  #view(member: Member): WorkerView {
    const { id, kind, state, slots, load, ended } = member;
    const heapMb = Math.round(member.line.vitals().heapKb / 1_024);
    const startedAt = new Date(this.#startedAt.get(member) ?? 0);
    const restarts = this.#restarts.get(id) ?? 0;
    return { id, kind, state, slots, running: load, operations: ended, heapMb, restarts, startedAt };
  }
}
