/**
 * The pool of one kind of Workers, threads or processes (elsewhere: worker pool, dispatcher).
 *
 * Claims wait here and go to the Worker with the most free slots. A Worker is given a little more than its slots only
 * when Operations are so short that the way to it would count; what it has not begun is taken back as soon as another
 * Worker has nothing to do, or when it has waited too long. So a slow Operation holds nothing up but itself.
 */
import type { Clock } from "../base/clock.js";
import { Deque } from "../base/deque.js";
import type { Logger } from "../base/log.js";
import type { Random } from "../base/random.js";
import { decodeEnvelope } from "../engine/envelope.js";
import type { Claim } from "../engine/transitions.js";
import type { Counters } from "../queue/counters.js";
import { BATCH_MAX } from "../queue/fast-lane.js";
import { Gather } from "../worker/gather.js";
import { isClaim, type Meant, type Unstarted } from "../worker/inline.js";
import type { OutcomePort } from "../worker/port.js";
import type { AbortKind } from "../workflow/context.js";
import type { Registry } from "../workflow/registry.js";
import { type PoolKind, poolOf, type StepDefinition, UNTIED } from "../workflow/step.js";
import { Cells } from "./cells.js";
import { Given } from "./given.js";
import type { Member } from "./member.js";
import type { Held, Pool } from "./pool.js";
import { SUSPECT_RECOVERIES } from "./quarantine.js";
import type { Suspects } from "./suspects.js";

/** Operations claimed ahead of free slots at most: while one full claim is run, the next is fetched. */
const BUFFER_MAX = 2 * BATCH_MAX;
/**
 * Work kept ready at least, as time: here, and in a Worker beyond its slots. Of short Operations more, since between two
 * bells many of them end; of long ones hardly any, since what waits there may have to be taken back.
 */
const CLAIM_AHEAD_MS = { short: 12, long: 4 };
const GIVE_AHEAD_MS = { short: 8, long: 2 };
const GIVE_AHEAD_MAX = 512;
/** Shorter Operations are short. */
const SHORT_MS = 2;
/** What has waited so long in a Worker goes to one that has a slot free; after STALE_MS back here in any case. */
const LEVEL_MS = 4;
const STALE_MS = 25;
/** One in so many Operations is timed while they are short: to time each would cost more than what it tells. */
const MEASURED_EVERY = 4;
/** Weight of the newest measured Operation in the mean service time. */
const MEAN_WEIGHT = 0.2;
/** What is for Workers there are none of, or of a Step that was taken out, is put aside for this time. */
const UNKNOWN_DELAY_MS = 15_000;

/** What the pools of a Foreman share. */
export interface PoolContext {
  readonly registry: Pick<Registry, "find" | "isWithdrawn">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly counters: Counters;
  readonly port: OutcomePort;
  readonly suspects: Suspects;
  /** Numbers claimed Operations. */
  readonly nextOrder: () => number;
  /** The pool that runs Steps of this kind, if there is one. */
  readonly poolOf: (kind: PoolKind) => WorkerPool | undefined;
  /** Called when there may be room for more claims. */
  readonly hungry: () => void;
  /** Whether what is held in a Segment may be another's by now: nothing of it is begun any more. */
  readonly isLapsed: (segment: string) => boolean;
}

/** Workers of one kind. */
export class WorkerPool implements Pool {
  readonly kind: PoolKind;
  readonly #context: PoolContext;
  readonly #queues: readonly string[];
  /** Queues in which Operations for another pool were found, and that pool. */
  readonly #mixed = new Map<string, WorkerPool>();
  readonly #buffer = new Deque<Given>();
  /** Those of batch Steps. */
  readonly #gather: Gather<Given>;
  /** Those that have to run alone. */
  readonly #cells: Cells;
  #members: readonly Member[] = [];
  #isPumping = false;
  #isLevelPlanned = false;
  #meanMs = 0;
  #isMeasured = false;
  #claimed = 0;
  #ended = 0;
  #runMs = 0;
  #idle: (() => void)[] = [];

  constructor(kind: PoolKind, queues: readonly string[], context: PoolContext) {
    this.kind = kind;
    this.#queues = queues;
    this.#context = context;
    const { clock, random, port } = context;
    this.#gather = new Gather(clock, () => this.pump());
    this.#cells = new Cells({
      ...{ clock, random, port },
      members: () => this.#members,
      unload: (member) => this.unload(member),
    });
  }

  /** All Queues; without those that brought work for another pool while that one has plenty. */
  get queues(): readonly string[] {
    if (this.#mixed.size === 0) return this.#queues;
    return this.#queues.filter((queue) => this.#mixed.get(queue)?.hasPlenty !== true);
  }

  get running(): number {
    return this.#members.reduce((sum, member) => sum + member.load, 0);
  }

  get buffered(): number {
    return this.#buffer.length + this.#cells.waiting + this.#gather.readySize;
  }

  get gathering(): number {
    return this.#gather.gathering;
  }

  /** Since the pool was made: Operations claimed for it, ended in it, and the time those took slots, in ms. */
  get totals(): { readonly claimed: number; readonly ended: number; readonly runMs: number } {
    return { claimed: this.#claimed, ended: this.#ended, runMs: this.#runMs };
  }

  /** Mean time one Operation takes a slot, in ms; null before any was timed. */
  get meanMs(): number | null {
    return this.#isMeasured ? this.#meanMs : null;
  }

  /** Whether as much waits here as its Workers run. */
  get hasPlenty(): boolean {
    return this.buffered > Math.max(1, this.#slots());
  }

  /**
   * Enough to keep every slot busy for two round trips, and none beyond the slots until the service time is known: slow
   * work must not wait here behind other slow work while another Foreman is idle.
   */
  room(claimMs: number): number {
    let slots = 0;
    let taken = this.buffered;
    for (const member of this.#members) {
      if (member.state !== "open" || member.isReserved) continue;
      slots += member.slots;
      taken += member.taken;
    }
    const aheadMs = Math.max(CLAIM_AHEAD_MS[this.#length], 2 * claimMs);
    const ahead = this.#isMeasured ? (slots * aheadMs) / Math.max(this.#meanMs, 0.001) : 0;
    const capacity = slots + Math.min(BUFFER_MAX, Math.floor(ahead));
    const room = capacity - taken;
    // While something waits here no slot is idle: a claim can wait until it is worth its price.
    if (this.buffered > 0 && room < capacity / 2) return 0;
    return slots === 0 || this.gathering === 0 ? room : room + this.#gather.appetite(slots);
  }

  push(segment: string, claims: readonly Claim[]): void {
    const { registry, clock, nextOrder, port } = this.#context;
    const nowMs = clock.monotonicMs();
    const others = new Set<WorkerPool>();
    this.#gather.claimed();
    for (const claim of claims) {
      const step = stepOf(claim, registry);
      const given = new Given(segment, claim, step ?? UNREADABLE, nextOrder(), nowMs);
      if (step === null && isWithdrawn(claim, registry)) {
        port.released(given, UNKNOWN_DELAY_MS);
        continue;
      }
      // What cannot be read, or is not known, goes to any Worker: it reports the one and puts the other aside.
      const kind = step === null ? this.kind : poolOf(step);
      if (kind === this.kind) this.#accept(given);
      else {
        const other = this.#pass(given, kind);
        if (other !== null) others.add(other);
      }
    }
    this.pump();
    for (const other of others) other.pump();
  }

  takeUnstarted(ageMs: number): Unstarted[] {
    const taken = this.#members.flatMap((member) => this.#takeBack(member, ageMs));
    const oldestMs = this.#context.clock.monotonicMs() - ageMs;
    for (const given of this.#buffer.shiftMany(this.#buffer.length)) {
      if (given.sinceMs <= oldestMs) taken.push(given);
      else this.#buffer.push(given);
    }
    taken.push(...this.#gather.takeOld(ageMs));
    // Slots turned out to be slower than thought.
    if (taken.length > 0) this.#isMeasured = false;
    // A stop gives all back at once; else suspects come back later, since many may wait.
    if (ageMs === 0) taken.push(...this.#cells.take(() => true));
    else this.#cells.dismiss(ageMs);
    this.#checkIdle();
    return unstartedOf(taken);
  }

  *held(): Iterable<Held> {
    for (const member of this.#members) yield* member.all();
    yield* this.#buffer;
    yield* this.#gather.all();
    yield* this.#cells.all();
  }

  abortWhere(segment: string, addresses: readonly Meant[] | "all", kind: AbortKind): void {
    const isMeant = ({ segment: at, claim }: Given) =>
      at === segment && (addresses === "all" || addresses.some((one) => isClaim(one, claim)));
    this.#abort(isMeant, kind);
  }

  abortAll(kind: AbortKind): void {
    this.#abort(() => true, kind);
  }

  /** Ends the Workers that still run something; it is released once they are gone. */
  giveUp(): Promise<void> {
    for (const member of this.#members) {
      if (member.load === 0) continue;
      member.isGivenUp = true;
      member.kill();
    }
    return this.whenIdle();
  }

  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Adds a Worker, whatever it does yet. */
  add(member: Member): void {
    this.#members = [...this.#members, member];
  }

  /** Takes back what a Worker that is to end, or is stuck, has not begun. */
  unload(member: Member): void {
    this.#putBack(this.#takeBack(member, 0));
  }

  /** Takes a Worker out that has ended. What it had not begun waits here again; what it had is returned. */
  remove(member: Member): Given[] {
    const begun: Given[] = [];
    const waiting: Given[] = [];
    for (const given of member.all()) (member.hasBegun(given) ? begun : waiting).push(given);
    member.clear();
    this.#members = this.#members.filter((one) => one !== member);
    this.#cells.lost(member);
    this.#putBack(waiting);
    return begun;
  }

  /** Takes note that an Operation left its Worker. */
  left(member: Member, given: Given): void {
    const { suspects, clock } = this.#context;
    if (given.outcome !== null) suspects.clear(given);
    this.#cells.left(given);
    const every = this.#isMeasured && this.#length === "short" ? MEASURED_EVERY : 1;
    if (this.#ended++ % every !== 0) return;
    // What came while others were there has waited for part of its time: the slots had so much to do.
    const share = Math.min(1, member.slots / (given.besides + 1)) / given.batchSize;
    const tookMs = (clock.monotonicMs() - given.sinceMs) * share;
    this.#meanMs = this.#isMeasured ? this.#meanMs + MEAN_WEIGHT * (tookMs - this.#meanMs) : tookMs;
    this.#isMeasured = true;
    this.#runMs += tookMs * every;
  }

  /** Gives what waits to who has room. */
  pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    let count = this.#cells.seat();
    for (;;) {
      const given = this.#buffer.at(0);
      const batch = this.#gather.next()?.elements ?? [];
      const [first] = batch;
      // What came first is given first; a batch is as old as the first of it.
      if (first !== undefined && (given === undefined || first.order < given.order)) {
        const member = this.#pickFor(batch.length);
        if (member === null) break;
        this.#gather.shift();
        count += this.#giveBatch(member, batch);
        continue;
      }
      if (given === undefined) break;
      const member = this.#pick();
      if (member === null) break;
      this.#buffer.shift();
      if (this.#context.isLapsed(given.segment)) {
        this.#context.port.released(given, null);
        continue;
      }
      member.give(given);
      count++;
    }
    if (count > 0) this.#context.counters.add("given", count);
    for (const member of this.#members) member.publish();
    if (!this.#isLevelPlanned && this.#members.some(isOverfull)) this.#planLevel();
    this.#isPumping = false;
    this.#checkIdle();
    this.#context.hungry();
  }

  get #length(): "short" | "long" {
    return this.#meanMs < SHORT_MS ? "short" : "long";
  }

  get #isIdle(): boolean {
    return this.running === 0 && this.buffered === 0 && this.gathering === 0;
  }

  #checkIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }

  #slots(): number {
    return this.#members.reduce((sum, { state, slots }) => (state === "open" ? sum + slots : sum), 0);
  }

  #accept(given: Given): void {
    this.#claimed++;
    if (this.#context.suspects.has(given)) this.#cells.add(given, "back");
    else if (isToGather(given)) this.#gather.add(given.step, given.terms.batch, given);
    else this.#buffer.push(given);
  }

  /** Hands an Operation to the pool it is for; null if there is none. */
  #pass(given: Given, kind: PoolKind): WorkerPool | null {
    const other = this.#context.poolOf(kind);
    if (other === undefined) {
      this.#context.port.released(given, UNKNOWN_DELAY_MS);
      this.#context.log.warn({ step: given.step.name, kind }, "no Worker here runs this Step: put aside");
      return null;
    }
    this.#mixed.set(given.claim.queue, other);
    other.#accept(given);
    return other;
  }

  /** In front of what waits, in order. */
  #putBack(givens: readonly Given[]): void {
    for (const given of [...givens].sort((a, b) => b.order - a.order)) {
      if (this.#context.suspects.has(given)) this.#cells.add(given, "front");
      else if (isToGather(given)) this.#gather.add(given.step, given.terms.batch, given);
      else this.#buffer.pushFront(given);
    }
  }

  /** Gives a batch without those that may be another's by now; returns how many were given. */
  #giveBatch(member: Member, batch: readonly Given[]): number {
    const { isLapsed, port } = this.#context;
    const lapsed = batch.filter(({ segment }) => isLapsed(segment));
    for (const given of lapsed) port.released(given, null);
    const own = lapsed.length === 0 ? batch : batch.filter((given) => !lapsed.includes(given));
    member.giveBatch(own);
    return own.length;
  }

  /** The Worker with most free slots that has room for a batch. */
  #pickFor(count: number): Member | null {
    let best: Member | null = null;
    for (const member of this.#members) {
      if (!member.canTakeBatch(count)) continue;
      if (best === null || member.slots - member.taken > best.slots - best.taken) best = member;
    }
    return best;
  }

  #pick(): Member | null {
    const aheadMs = this.#isMeasured && this.kind !== "process" ? GIVE_AHEAD_MS[this.#length] : 0;
    const ahead = aheadMs / Math.max(this.#meanMs, 0.001);
    let best: Member | null = null;
    let bestFree = Number.NEGATIVE_INFINITY;
    for (const member of this.#members) {
      const free = member.slots - member.taken;
      if (free <= bestFree) continue;
      const more = member.stalledAt === member.ended ? 0 : Math.min(GIVE_AHEAD_MAX, Math.floor(member.slots * ahead));
      if (!member.canTake(more)) continue;
      best = member;
      bestFree = free;
    }
    return best;
  }

  #planLevel(): void {
    this.#isLevelPlanned = true;
    const level = () => {
      this.#isLevelPlanned = false;
      this.#level();
      this.pump();
    };
    this.#context.clock.setTimer(LEVEL_MS, level).unref();
  }

  /** Takes work from Workers that have more than slots, and have not begun it as soon as was thought. */
  #level(): void {
    for (const member of this.#members) {
      if (!isOverfull(member)) continue;
      const idle = this.#members.find((one) => one.canTake(0));
      if (idle !== undefined) {
        const moved = this.#takeBack(member, LEVEL_MS, Math.min(idle.slots - idle.taken, member.taken - member.slots));
        for (const given of moved) {
          if (given.step.batch === null) idle.give(given);
          else this.#putBack([given]);
        }
      }
      const stale = this.#takeBack(member, STALE_MS);
      if (stale.length === 0) continue;
      // What it has is slower than what was measured: nothing ahead until it has ended something.
      member.stalledAt = member.ended;
      this.#putBack(stale);
    }
  }

  #takeBack(member: Member, ageMs: number, max?: number): Given[] {
    const taken = member.takeBackOld(ageMs, max);
    this.#context.counters.add("takenBack", taken.length);
    for (const given of taken) this.#cells.left(given);
    return taken;
  }

  #abort(isMeant: (given: Given) => boolean, kind: AbortKind): void {
    const { port } = this.#context;
    for (const member of this.#members) {
      for (const given of [...member.all()].filter(isMeant)) {
        if (!member.takeBack(given)) member.abort(given, kind);
        else {
          this.#cells.left(given);
          port.released(given, null);
        }
      }
    }
    for (const given of this.#buffer.shiftMany(this.#buffer.length)) {
      if (isMeant(given)) port.released(given, null);
      else this.#buffer.push(given);
    }
    for (const given of [...this.#gather.take(isMeant), ...this.#cells.take(isMeant)]) port.released(given, null);
    this.pump();
  }
}

/** What may be what kills goes into no batch: it would share a call with others. */
function isToGather({ step, claim }: Given): boolean {
  return step.batch !== null && claim.recoveries < SUSPECT_RECOVERIES;
}

function isOverfull(member: Member): boolean {
  return member.taken > member.slots;
}

/** Its Step; null for what cannot be read or is not known here. */
function stepOf(claim: Claim, registry: PoolContext["registry"]): StepDefinition | null {
  try {
    return registry.find(decodeEnvelope(claim.body).step) ?? null;
  } catch {
    return null;
  }
}

/** Whether it is of a Step that was taken out: the Workers' module may declare it all the same. */
function isWithdrawn(claim: Claim, registry: PoolContext["registry"]): boolean {
  try {
    return registry.isWithdrawn(decodeEnvelope(claim.body).step);
  } catch {
    return false; // a Worker reports what cannot be read
  }
}

/** By Segment, in the order of their claims. */
function unstartedOf(givens: readonly Given[]): Unstarted[] {
  const bySegment = new Map<string, Claim[]>();
  for (const { segment, claim } of [...givens].sort((a, b) => a.order - b.order)) {
    const claims = bySegment.get(segment);
    if (claims === undefined) bySegment.set(segment, [claim]);
    else claims.push(claim);
  }
  return [...bySegment].map(([segment, claims]) => ({ segment, claims }));
}

/** Stands in for the Step of an Operation that cannot be read or is not known here. */
const UNREADABLE: StepDefinition = {
  name: "unknown",
  kind: "async",
  executor: "io",
  queue: "async",
  priority: 0,
  retries: 0,
  backoff: { retryDelayMs: 0, backoff: "fixed", factor: 1, maxRetryDelayMs: 0, jitter: 0 },
  retryOn: null,
  onError: null,
  timeoutMs: Number.POSITIVE_INFINITY,
  killGraceMs: 0,
  retainCompletedMs: 86_400_000,
  retainFailedMs: 14 * 86_400_000,
  ...UNTIED,
  durability: null,
  input: null,
  output: null,
  fn: () => undefined,
};
