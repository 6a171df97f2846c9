/**
 * The Worker on this thread (elsewhere: in-process executor): up to `slots` Attempts at once on the event loop.
 *
 * Claims wait in a small buffer so that a slot never waits for the network; how large it may be follows from how long
 * Attempts take and how long a claim takes. Runs at most TURN_MAX Attempts before it lets I/O through: then outcomes
 * leave and new claims arrive while it works on.
 *
 * A Worker thread and a process Worker run the same code, given claims that carry their seat in the place of the lane
 * (intake.ts), and with a SeatKeeper.
 */
import type { Clock } from "../base/clock.js";
import { decode, encode } from "../base/codec.js";
import { Deque } from "../base/deque.js";
import { createError, isMillraceError, toRemoteError } from "../base/errors.js";
import type { Logger } from "../base/log.js";
import type { Random } from "../base/random.js";
import { decodeEnvelope, type Envelope, emptyEnvelope, readEnvelope } from "../engine/envelope.js";
import type { Address } from "../engine/lease.js";
import { encodeOutcome } from "../engine/outcome.js";
import type { Claim } from "../engine/transitions.js";
import { divide } from "../workflow/batch.js";
import type { Registry } from "../workflow/registry.js";
import { validate } from "../workflow/schema.js";
import { type AbortKind, type StepDefinition, UNTIED } from "../workflow/step.js";
import { Attempt, type AttemptHost } from "./attempt.js";
import { BatchRun } from "./batch-run.js";
import { Deadlines } from "./deadlines.js";
import { Ears } from "./ears.js";
import { Gather, type Gathered } from "./gather.js";
import { asErrorOf, judge, type Verdict } from "./judge.js";
import type { OutcomePort } from "./port.js";

/** Attempts begun before I/O gets its turn. */
const TURN_MAX = 256;
/** Operations buffered beyond the slots at most. */
const BUFFER_MAX = 1_000;
/** Work kept ready at least, as time. */
const AHEAD_MS_MIN = 4;
/** What has waited so long is not begun; the Foreman takes it back sooner while this thread is not blocked. */
const OVERDUE_MS = 2_000;
/** One in so many Attempts is timed: a clock reading each would cost more than what it tells. */
const MEASURED_EVERY = 4;
/** Weight of the newest measured Attempt in the mean service time. */
const MEAN_WEIGHT = 0.2;
/** What was rescued so often goes into no batch: it may be what kills, and takes others along. */
const ALONE_RECOVERIES = 2;
/** How long an Operation of an unknown Step is put aside before another Foreman, or a newer build, may take it. */
const UNKNOWN_STEP_DELAY_MS = 15_000;

/** Options that travel with one Operation and go before its Step's own. */
export interface Overrides {
  readonly retries?: number;
  readonly timeoutMs?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Which batch of its Step it goes into; without, the one of all. */
  readonly batch?: string;
}

/** What keeps the seats of a Worker thread: asked and told of each Attempt. On the program's own thread there is none. */
export interface SeatKeeper {
  /** An Attempt is about to begin; false if its claim was taken back: it is dropped without an outcome. */
  begin(claim: Claim, limitMs: number): boolean;
  /** The body of its claim is read again after its handler was called: the memory it lies in may be lent until then. */
  keep(claim: Claim): void;
  /** Its handler is being called, until `left`. */
  entered(claim: Claim): void;
  left(): void;
  /** An Attempt has its outcome. */
  ended(): void;
  /** How many more (or, negative, fewer) handlers go on although they were given up on. */
  abandoned(by: number): void;
  /** Whether the event loop must turn before another Attempt begins. */
  isTurnOver(): boolean;
  /** It turned. */
  turned(): void;
}

/** What stands around the functions of chosen Steps (executors.ts). */
export interface StepCaller {
  call(step: StepDefinition, input: unknown, attempt: Attempt): unknown;
}

/** What is entered around the functions of Steps. */
export interface CallScope {
  run<T>(fn: () => T): T;
}

/** What an inline Worker needs. */
export interface InlineWorkerOptions {
  readonly registry: Pick<Registry, "find">;
  readonly port: OutcomePort;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly slots: number;
  /** Called when there may be room for more claims. */
  readonly hungry: () => void;
  /** Called with the number of Attempts begun since the last call. */
  readonly began: (count: number) => void;
  /**
   * Called when what comes next has waited for OVERDUE_MS: takes it out (`takeUnstarted`). A process that stood still
   * wakes with claims that may be another's by now; one that is merely slow gets them again.
   */
  readonly overdue?: () => void;
  /** Whether what is held of a Segment may be another's by now: then no batch begins with it. */
  readonly isLapsed?: (segment: string) => boolean;
  readonly seats?: SeatKeeper;
  /** Needed if the App has executors of its own. */
  readonly caller?: StepCaller;
  /** Entered around every function of a Step. */
  readonly scope?: CallScope;
}

interface Batch {
  readonly segment: string;
  readonly claims: readonly Claim[];
  at: number;
  readonly sinceMs: number;
}

/** A claim and its Segment. */
export interface Placed {
  readonly segment: string;
  readonly claim: Claim;
}

/** An address, with a token: of one claim alone. */
export interface Meant extends Address {
  readonly token?: number;
}

/** Whether a claim is meant. */
export function isClaim({ lane, counter, token }: Meant, claim: Claim): boolean {
  return lane === claim.lane && counter === claim.counter && (token === undefined || token === claim.token);
}

/** Claims given back unstarted, with their Segment. */
export interface Unstarted {
  readonly segment: string;
  readonly claims: readonly Claim[];
}

/** Runs Operations on this thread. */
export class InlineWorker implements AttemptHost {
  readonly log: Logger;
  readonly #options: InlineWorkerOptions;
  readonly #deadlines: Deadlines;
  readonly #seats: SeatKeeper | null;
  readonly #caller: StepCaller | null;
  readonly #scope: CallScope | null;
  readonly #ears: Ears<Attempt>;
  /** What is read of a claim's envelope, one claim after another. */
  readonly #envelope = emptyEnvelope();
  readonly #batches = new Deque<Batch>();
  /** Operations of batch Steps; null while none has come. */
  #gather: Gather<Placed> | null = null;
  /** The calls of batch Steps, by Attempt. */
  readonly #runs = new Map<Attempt, BatchRun>();
  /** Running Attempts that hold no slot: all of a batch but one. */
  #spared = 0;
  #slots: number;
  #buffered = 0;
  #running = 0;
  /** Attempts begun since the Foreman was told. */
  #begun = 0;
  /** Attempts begun since I/O last had its turn. */
  #turn = 0;
  #isTurnPlanned = false;
  #isPumping = false;
  #meanMs = 0;
  #isMeasured = false;
  /** Attempts ended so far. */
  #ended = 0;
  #idle: (() => void)[] = [];

  constructor(options: InlineWorkerOptions) {
    this.#options = options;
    this.log = options.log;
    this.#slots = options.slots;
    this.#seats = options.seats ?? null;
    const { caller = null, scope = null } = options;
    this.#scope = scope;
    this.#caller = scope === null ? caller : callerInside(caller, scope);
    this.#ears = new Ears({
      returned: (attempt, value) => this.#returned(attempt, value),
      rejected: (attempt, error) => this.#rejected(attempt, error),
    });
    this.#deadlines = new Deadlines(options.clock, (attempt) => this.abort(attempt, "timeout"));
  }

  /** Attempts that run now. */
  get running(): number {
    return this.#running;
  }

  /** Operations that wait for a slot here. */
  get buffered(): number {
    return this.#gather === null ? this.#buffered : this.#buffered + this.#gather.readySize;
  }

  /** Operations that wait here for others of their batch. */
  get gathering(): number {
    return this.#gather?.gathering ?? 0;
  }

  /**
   * How many more Operations may be claimed for this Worker, given how long a claim takes.
   *
   * Enough to keep every slot busy for two round trips (and a few milliseconds at least: each claim has its price too),
   * and none beyond the slots until the service time is known: slow work must not wait here behind other slow work
   * while another Foreman is idle.
   */
  room(claimMs: number): number {
    const slots = this.#slots;
    const aheadMs = Math.max(AHEAD_MS_MIN, 2 * claimMs);
    const ahead = this.#isMeasured ? (slots * aheadMs) / Math.max(this.#meanMs, 0.001) : 0;
    const capacity = slots + Math.min(BUFFER_MAX, Math.floor(ahead));
    const { buffered } = this;
    const room = capacity - (this.#running - this.#spared) - buffered;
    // While something is buffered no slot is idle: a claim can wait until it is worth its price.
    if (buffered > 0 && room < capacity / 2) return 0;
    return this.#gather === null ? room : room + this.#gather.appetite(slots);
  }

  /** Takes claims of one Segment. */
  push(segment: string, claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    this.#batches.push({ segment, claims, at: 0, sinceMs: this.#options.clock.monotonicMs() });
    this.#buffered += claims.length;
    this.#gather?.claimed();
    this.#turn = 0;
    this.#seats?.turned();
    this.#pump();
  }

  /** Takes claims that share one call. */
  pushBatch(batch: readonly Placed[]): void {
    this.#gathered.push(batch);
    this.#turn = 0;
    this.#seats?.turned();
    this.#pump();
  }

  /** Changes how many Attempts run at once; what runs beyond that goes on. */
  setSlots(slots: number): void {
    this.#slots = slots;
    this.#pump();
  }

  /** Takes out what waits for a slot since `ageMs` or longer: slots turned out to be slower than thought. */
  takeUnstarted(ageMs: number): Unstarted[] {
    const oldestMs = this.#options.clock.monotonicMs() - ageMs;
    const taken: Unstarted[] = [];
    for (
      let batch = this.#batches.at(0);
      batch !== undefined && batch.sinceMs <= oldestMs;
      batch = this.#batches.at(0)
    ) {
      const claims = batch.claims.slice(batch.at);
      this.#buffered -= claims.length;
      taken.push({ segment: batch.segment, claims });
      this.#batches.shift();
    }
    for (const { segment, claim } of this.#gather?.takeOld(ageMs) ?? []) taken.push({ segment, claims: [claim] });
    if (taken.length > 0) this.#isMeasured = false;
    this.#tellIfIdle();
    return taken;
  }

  /** Every claim it has: what runs, then what waits. */
  *held(): Iterable<Placed> {
    yield* this.#deadlines.running();
    if (this.#gather !== null) yield* this.#gather.all();
    for (const { segment, claims, at } of this.#batches) {
      for (const claim of claims.slice(at)) yield { segment, claim };
    }
  }

  /** Tells Attempts of some addresses, or all of a Segment, to end. */
  abortWhere(segment: string, addresses: readonly Meant[] | "all", kind: AbortKind): void {
    for (const attempt of this.#deadlines.running()) {
      const { claim } = attempt;
      if (attempt.segment !== segment) continue;
      const isMeant = addresses === "all" || addresses.some((one) => isClaim(one, claim));
      if (isMeant) this.abort(attempt, kind);
    }
    if (this.#gather === null || this.#gather.size === 0) return;
    // What only waits for others of its batch has nothing to end.
    const isMeant = ({ segment: at, claim }: Placed) =>
      at === segment && (addresses === "all" || addresses.some((one) => isClaim(one, claim)));
    const taken = this.#gather.take(isMeant);
    if (taken.length === 0) return;
    this.#isPumping = true;
    for (const placed of taken) this.#handBack(placed.segment, placed.claim);
    this.#isPumping = false;
    this.#pump();
  }

  /** Tells the Attempt in a seat to end. */
  abortSeat(seat: number, kind: AbortKind): void {
    for (const attempt of this.#deadlines.running()) if (attempt.claim.lane === seat) this.abort(attempt, kind);
  }

  /** Tells every Attempt to end. */
  abortAll(kind: AbortKind): void {
    for (const attempt of this.#deadlines.running()) this.abort(attempt, kind);
  }

  /** Tells one Attempt to end; if it has not when its grace is over, it is given up on. */
  abort(attempt: Attempt, kind: AbortKind): void {
    if (attempt.abortKind !== null) return;
    attempt.tellAbort(kind);
    this.#runs.get(attempt)?.told();
    const { killGraceMs } = attempt.step;
    this.#options.clock.setTimer(killGraceMs, () => this.#abandon(attempt)).unref();
  }

  /** Gives up on all that still runs; their handlers may go on, but nothing more is taken from them. */
  giveUp(): void {
    for (const attempt of this.#deadlines.running()) {
      attempt.tellAbort("drain");
      this.#runs.get(attempt)?.told();
      this.#abandon(attempt);
    }
  }

  /** Resolves when nothing runs and nothing is buffered. */
  whenIdle(): Promise<void> {
    if (this.#isIdle) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  note(attempt: Attempt, done: number, total: number | undefined, note: string | undefined): void {
    const value = { done, ...(total === undefined ? {} : { total }), ...(note === undefined ? {} : { note }) };
    this.#options.port.progressed(attempt, encode(value, "progress"));
  }

  /** Fills free slots from the buffer. A handler that ends at once comes back here while this still runs: once is enough. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    for (;;) {
      const gathered = this.#gather === null ? null : this.#gather.next();
      if ((this.#buffered === 0 && gathered === null) || this.#running - this.#spared >= this.#slots) break;
      if (this.#turn >= TURN_MAX || (this.#seats !== null && this.#turn > 0 && this.#seats.isTurnOver())) {
        this.#planTurn();
        break;
      }
      const batch = this.#batches.at(0);
      if (gathered !== null && (batch === undefined || gathered.readyMs <= batch.sinceMs)) {
        if (this.#isOverdue(gathered.readyMs)) break;
        this.#beginGathered(gathered);
        continue;
      }
      const claim = batch?.claims[batch.at];
      if (batch === undefined || claim === undefined) break;
      if (this.#isOverdue(batch.sinceMs)) break;
      batch.at++;
      this.#buffered--;
      if (batch.at === batch.claims.length) this.#batches.shift();
      this.#turn++;
      this.#begin(batch.segment, claim);
    }
    this.#isPumping = false;
    const begun = this.#begun;
    this.#begun = 0;
    if (begun > 0) this.#options.began(begun);
    this.#options.hungry();
  }

  /** Whether what waits since then was told of as overdue: it is being given back. */
  #isOverdue(sinceMs: number): boolean {
    const { clock, overdue } = this.#options;
    if (overdue === undefined || clock.monotonicMs() - sinceMs <= OVERDUE_MS) return false;
    overdue();
    return true;
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    this.#options.clock.immediate(() => {
      this.#isTurnPlanned = false;
      this.#turn = 0;
      this.#seats?.turned();
      this.#pump();
    });
  }

  /** What only reads is done first; the input may be of any size and shape, so it is decoded as the Attempt's affair. */
  #begin(segment: string, claim: Claim): void {
    const { registry, clock } = this.#options;
    const nowMs = clock.nowMs();
    const envelope = this.#envelope;
    try {
      readEnvelope(claim.body, envelope);
    } catch (error) {
      return this.#endUnread(this.#enter(segment, claim, UNKNOWN_STEP, 0, 0, nowMs, nowMs), error);
    }
    // Taken out at once: the next one is read into the same space.
    const { step: name, enqueuedAtMs, overrides: given, payloadAt } = envelope;
    const step = registry.find(name);
    if (step === undefined) {
      const attempt = this.#enter(segment, claim, UNKNOWN_STEP, 0, 0, enqueuedAtMs, nowMs);
      if (attempt === null) return;
      this.log.warn({ step: name, segment }, "no such Step here: the Operation is put aside");
      return this.#end(attempt, { kind: "release", inMs: UNKNOWN_STEP_DELAY_MS });
    }
    let { retries, timeoutMs } = step;
    let batch = "";
    if (given !== null) {
      try {
        const overrides = decode(given) as Overrides; // written by this package, versioned with it
        retries = overrides.retries ?? retries;
        timeoutMs = overrides.timeoutMs ?? timeoutMs;
        batch = overrides.batch ?? batch;
      } catch (error) {
        return this.#endUnread(this.#enter(segment, claim, step, 0, timeoutMs, enqueuedAtMs, nowMs), error);
      }
    }
    if (step.batch !== null && this.#isToGather(claim)) return this.#gathered.add(step, batch, { segment, claim });
    const attempt = this.#enter(segment, claim, step, retries, timeoutMs, enqueuedAtMs, nowMs);
    if (attempt === null) return;
    const seats = this.#seats;
    if (seats === null) return this.#run(attempt, step, payloadAt);
    seats.entered(claim);
    this.#run(attempt, step, payloadAt);
    seats.left();
  }
  /** Ends what cannot be read; nothing is left to do for a claim that was taken back. */
  #endUnread(attempt: Attempt | null, error: unknown): void {
    if (attempt !== null) this.#end(attempt, { kind: "end", error });
  }

  /** Makes an Attempt of a claim; null if it was taken back. */
  #enter(
    segment: string,
    claim: Claim,
    step: StepDefinition,
    retries: number,
    timeoutMs: number,
    enqueuedAtMs: number,
    startedAtMs: number,
  ): Attempt | null {
    if (this.#seats !== null && !this.#seats.begin(claim, timeoutMs)) {
      this.#tellIfIdle();
      return null;
    }
    // What stands in for its last error is given the input once more.
    if (step.onError !== null) this.#seats?.keep(claim);
    const monotonicMs = this.#options.clock.monotonicMs();
    const attempt = new Attempt(this, segment, claim, step, retries, timeoutMs, enqueuedAtMs, startedAtMs, monotonicMs);
    this.#running++;
    this.#begun++;
    this.#deadlines.add(attempt);
    return attempt;
  }

  get #gathered(): Gather<Placed> {
    this.#gather ??= new Gather(this.#options.clock, () => this.#pump());
    return this.#gather;
  }

  /** Whether it goes into a batch here: to a Worker thread or process the Foreman gives whole batches. */
  #isToGather(claim: Claim): boolean {
    return this.#seats === null && claim.recoveries < ALONE_RECOVERIES;
  }

  /** Begins the Attempts of a batch, then calls its function once for all of them. */
  #beginGathered({ elements }: Gathered<Placed>): void {
    this.#gather?.shift();
    const { isLapsed } = this.#options;
    let run: BatchRun | null = null;
    for (const { segment, claim } of elements) {
      this.#turn++;
      // The wait for a batch may be over before a process that stood still has noticed that it did.
      if (isLapsed?.(segment) === true) {
        this.#handBack(segment, claim);
        continue;
      }
      const attempt = this.#enterBatch(segment, claim);
      if (attempt === null) continue;
      run ??= new BatchRun(this.log.child({ step: attempt.step.name }));
      try {
        run.add(attempt, decode(attempt.claim.body, decodeEnvelope(attempt.claim.body).payloadAt));
      } catch (error) {
        this.#end(attempt, { kind: "end", error });
      }
    }
    if (run === null || run.left === 0) return;
    this.#spared += run.left - 1;
    for (const attempt of run.attempts) this.#runs.set(attempt, run);
    this.#callBatch(run);
  }

  /** Gives back one of a batch that has not begun. */
  #handBack(segment: string, claim: Claim): void {
    const attempt = this.#enterBatch(segment, claim);
    if (attempt !== null) this.#end(attempt, { kind: "release", inMs: null });
    // What never ran says nothing of how long an Attempt takes.
    this.#isMeasured = false;
  }

  /** Makes an Attempt of one of a batch; null if it was taken back, or is no part of a batch: then it begins alone. */
  #enterBatch(segment: string, claim: Claim): Attempt | null {
    const { registry, clock } = this.#options;
    let envelope: Envelope;
    let overrides: Overrides = {};
    try {
      envelope = decodeEnvelope(claim.body);
      if (envelope.overrides !== null) overrides = decode(envelope.overrides) as Overrides; // written by this package
    } catch {
      this.#begin(segment, claim);
      return null;
    }
    const step = registry.find(envelope.step);
    if (step?.batchFn === undefined || step.batchFn === null) {
      this.#begin(segment, claim);
      return null;
    }
    const { retries = step.retries, timeoutMs = step.timeoutMs } = overrides;
    return this.#enter(segment, claim, step, retries, timeoutMs, envelope.enqueuedAtMs, clock.nowMs());
  }

  #callBatch(run: BatchRun): void {
    const [first] = run.attempts;
    const seats = this.#seats;
    // Of several none can be named as the one whose handler is being called.
    const only = run.attempts.length === 1 ? first : undefined;
    if (only !== undefined) seats?.entered(only.claim);
    try {
      const call = (): unknown => first?.step.batchFn?.(run.inputs, run);
      const returned = this.#scope === null ? call() : this.#scope.run(call);
      if (isThenable(returned)) {
        returned.then(
          (answer) => this.#batchReturned(run, answer),
          (error: unknown) => this.#batchRejected(run, error),
        );
      } else this.#batchReturned(run, returned);
    } catch (error) {
      this.#batchRejected(run, error);
    }
    if (only !== undefined) seats?.left();
  }

  /** Each Attempt of a batch ends with its own element of the answer. */
  #batchReturned(run: BatchRun, answer: unknown): void {
    const { attempts } = run;
    let parts: readonly unknown[];
    try {
      parts = divide(attempts[0]?.step.name ?? "", answer, attempts.length);
    } catch (error) {
      return this.#batchRejected(run, error);
    }
    for (const [i, attempt] of attempts.entries()) {
      const part = parts[i];
      if (part instanceof Error) this.#rejected(attempt, part);
      else this.#returned(attempt, part);
    }
  }

  #batchRejected(run: BatchRun, error: unknown): void {
    for (const attempt of run.attempts) this.#rejected(attempt, error);
  }

  #run(attempt: Attempt, step: StepDefinition, payloadAt: number): void {
    let input: unknown;
    try {
      input = decode(attempt.claim.body, payloadAt);
    } catch (error) {
      return this.#end(attempt, { kind: "end", error });
    }
    let returned: unknown;
    try {
      returned = this.#caller === null ? step.fn(input, attempt) : this.#caller.call(step, input, attempt);
      // Looking at `then`, and calling it, may run user code too: what that throws is the Attempt's error.
      if (isThenable(returned)) return this.#ears.listen(returned, attempt);
    } catch (error) {
      return this.#rejected(attempt, error);
    }
    this.#returned(attempt, returned);
  }

  #returned(attempt: Attempt, value: unknown): void {
    if (attempt.isOver) return this.#late(attempt);
    // Past its timeout an Attempt has lost, whatever it returns: a retry may already be planned for that moment.
    if (attempt.abortKind === "timeout" || attempt.abortKind === "lease_lost") return this.#conclude(attempt);
    const { step } = attempt;
    if (step.output === null) return this.#completed(attempt, value);
    try {
      const checked = validate(step.output, value, `result of ${step.name}`);
      if (checked instanceof Promise) {
        checked.then(
          (settled: unknown) => this.#completed(attempt, settled),
          (error: unknown) => this.#rejected(attempt, error),
        );
      } else this.#completed(attempt, checked);
    } catch (error) {
      this.#rejected(attempt, error);
    }
  }

  #completed(attempt: Attempt, value: unknown): void {
    if (attempt.isOver) return this.#late(attempt);
    const { step, enqueuedAtMs, startedAtMs } = attempt;
    let outcome: Uint8Array;
    try {
      outcome = encodeOutcome(step.name, enqueuedAtMs, startedAtMs, value, "result");
    } catch (error) {
      return this.#rejected(
        attempt,
        isMillraceError(error, "MR_NOT_SERIALISABLE") ? unserialisable(step, error) : error,
      );
    }
    this.#leave(attempt);
    this.#options.port.completed(attempt, outcome);
    this.#pump();
  }

  #rejected(attempt: Attempt, error: unknown): void {
    if (attempt.isOver) return this.#late(attempt);
    if (attempt.abortKind !== null) return this.#conclude(attempt, error);
    // What the fallback itself throws ends the Operation, even where it asks for more: that would come here again.
    if (attempt.isFallenBack) return this.#end(attempt, { kind: "end", error }, error);
    const { step, retries, claim } = attempt;
    const verdict = judge(step, retries, claim.attempt, error, this.#options.random);
    if (verdict.kind === "end" && step.onError !== null) return this.#fallBack(attempt, step.onError, verdict.error);
    this.#end(attempt, verdict, error);
  }

  /** The Step's own answer to its last error takes the place of what it could not return; it is asked once. */
  #fallBack(attempt: Attempt, onError: NonNullable<StepDefinition["onError"]>, error: unknown): void {
    const { body } = attempt.claim;
    attempt.isFallenBack = true;
    try {
      const call = (): unknown => onError(asErrorOf(error), decode(body, decodeEnvelope(body).payloadAt));
      const answered = this.#scope === null ? call() : this.#scope.run(call);
      if (isThenable(answered)) {
        answered.then(
          (value) => this.#returned(attempt, value),
          (thrown: unknown) => this.#rejected(attempt, thrown),
        );
      } else this.#returned(attempt, answered);
    } catch (thrown) {
      this.#rejected(attempt, thrown);
    }
  }

  /** Ends an aborted Attempt whose handler goes on. */
  #abandon(attempt: Attempt): void {
    if (attempt.isOver) return;
    // While others of its batch are waited for, the function is: it was not given up on.
    if (this.#seats !== null && (this.#runs.get(attempt)?.left ?? 1) === 1) {
      attempt.isAbandoned = true;
      this.#seats.abandoned(1);
    }
    this.#conclude(attempt);
  }

  /** A handler ended after it was given up on. */
  #late(attempt: Attempt): void {
    if (!attempt.isAbandoned) return;
    attempt.isAbandoned = false;
    this.#seats?.abandoned(-1);
  }

  /** Ends an aborted Attempt as its reason demands. */
  #conclude(attempt: Attempt, thrown?: unknown): void {
    if (attempt.isOver) return;
    const { step, retries, claim, timeoutMs } = attempt;
    switch (attempt.abortKind) {
      case "drain":
      // Whoever has rescued it makes this release stale. If nobody has, it would stay this process's for ever.
      case "lease_lost":
        return this.#end(attempt, { kind: "release", inMs: null });
      case "cancel": {
        const error = thrown ?? createError("MR_OPERATION_CANCELLED", { id: attempt.operationId, reason: "cancel" });
        return this.#end(attempt, { kind: "end", error });
      }
      case "timeout":
      case null: {
        const what = `Attempt ${claim.attempt} of ${attempt.operationId}`;
        const error = createError("MR_TIMEOUT", { what, timeoutMs }, thrown === undefined ? {} : { cause: thrown });
        return this.#end(attempt, judge(step, retries, claim.attempt, error, this.#options.random), error);
      }
    }
  }

  #end(attempt: Attempt, verdict: Verdict, thrown?: unknown): void {
    this.#leave(attempt);
    const { port } = this.#options;
    if (verdict.kind === "release") port.released(attempt, verdict.inMs);
    else {
      const error = toRemoteError(verdict.kind === "end" ? verdict.error : thrown);
      const outcome = encodeOutcome(attempt.step.name, attempt.enqueuedAtMs, attempt.startedAtMs, error, "error");
      port.failed(attempt, outcome, verdict.kind === "retry" ? verdict.inMs : null);
    }
    this.#pump();
  }

  #measure(attempt: Attempt): void {
    const shared = attempt.step.batch === null ? 1 : (this.#runs.get(attempt)?.attempts.length ?? 1);
    const tookMs = (this.#options.clock.monotonicMs() - attempt.startedMonotonicMs) / shared;
    this.#meanMs = this.#isMeasured ? this.#meanMs + MEAN_WEIGHT * (tookMs - this.#meanMs) : tookMs;
    this.#isMeasured = true;
  }

  #leave(attempt: Attempt): void {
    attempt.isOver = true;
    this.#deadlines.remove(attempt);
    this.#running--;
    if (this.#ended++ % MEASURED_EVERY === 0) this.#measure(attempt);
    if (attempt.step.batch !== null) this.#leaveBatch(attempt);
    if (this.#seats !== null) this.#seats.ended();
    this.#tellIfIdle();
  }

  #leaveBatch(attempt: Attempt): void {
    const run = this.#runs.get(attempt);
    if (run === undefined) return;
    this.#runs.delete(attempt);
    // The last of them gives the slot back.
    if (--run.left > 0) this.#spared--;
    run.told();
  }

  get #isIdle(): boolean {
    return this.#running === 0 && this.#buffered === 0 && (this.#gather === null || this.#gather.size === 0);
  }

  #tellIfIdle(): void {
    if (this.#idle.length === 0 || !this.#isIdle) return;
    const idle = this.#idle;
    this.#idle = [];
    for (const resolve of idle) resolve();
  }
}

/** Stands in for the Step of an Operation that cannot be read or is not known here. */
const UNKNOWN_STEP: StepDefinition = {
  name: "unknown",
  kind: "async",
  executor: "io",
  queue: "async",
  priority: 0,
  retries: 0,
  backoff: { retryDelayMs: 0, backoff: "fixed", factor: 1, maxRetryDelayMs: 0, jitter: 0 },
  retryOn: null,
  onError: null,
  timeoutMs: 0,
  killGraceMs: 0,
  retainCompletedMs: 86_400_000,
  retainFailedMs: 14 * 86_400_000,
  ...UNTIED,
  durability: null,
  input: null,
  output: null,
  fn: () => undefined,
};

function callerInside(caller: StepCaller | null, scope: CallScope): StepCaller {
  return {
    call: (step, input, attempt) =>
      scope.run(() => (caller === null ? step.fn(input, attempt) : caller.call(step, input, attempt))),
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === "object" && value !== null && "then" in value && typeof value.then === "function";
}

function unserialisable(step: StepDefinition, error: Error): Error {
  return createError("MR_RESULT_NOT_SERIALISABLE", { step: step.name, reason: error.message }, { cause: error });
}
