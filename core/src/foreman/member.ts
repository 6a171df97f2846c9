/**
 * One Worker as the Foreman knows it (elsewhere: worker handle): what it was given, seat by seat, and where it is in its
 * life. Writes the records that go down and reads those that come up (worker/protocol.ts).
 *
 * Life: `starting` (the module is being imported) → `open` (takes work) → `closing` (takes nothing new, ends what it
 * has, was told to stop) → `ended`. `killed`, from any of them: it is being ended by force; what it holds stays its own
 * until its exit, so that nothing overlaps. A new Worker is a new Member with rings and seats of its own.
 */
import type { Clock } from "../base/clock.js";
import { fromRemoteError, type RemoteError } from "../base/errors.js";
import type { LogMessage } from "../worker/boot.js";
import type { Manifest } from "../worker/manifest.js";
import type { OutcomePort } from "../worker/port.js";
import {
  ABORT,
  ABORT_CODES,
  ANSWER,
  ANSWER_AT,
  BATCH,
  CALL,
  COMPLETED,
  COMPLETED_AT,
  END_CALL,
  ENQUEUE,
  FAILED,
  FAILED_AT,
  PROGRESS,
  PROGRESS_AT,
  RELEASED,
  RUN,
  RUN_AT,
  SLOTS,
  STOP,
  TEXT,
  TEXT_AT,
} from "../worker/protocol.js";
import { BEGUN_SEAT, FREE } from "../worker/seats.js";
import type { AbortKind } from "../workflow/context.js";
import type { PoolKind } from "../workflow/step.js";
import type { Given } from "./given.js";
import type { Line, LineEnd, LineEvents } from "./line.js";
import type { WorkerSight } from "./watch.js";

/** Where a Member is in its life. */
export type MemberState = "starting" | "open" | "closing" | "killed" | "ended";

/** Texts a Worker knows by number; when all numbers are used, they begin anew with new meanings. */
const TEXTS_MAX = 65_536;
/** Bytes of the records of fixed length. */
const SHORT_BYTES = 8;

/** Whom a Member tells. */
export interface MemberEvents {
  ready(member: Member, manifest: Manifest): void;
  failed(member: Member, error: RemoteError): void;
  log(member: Member, line: LogMessage): void;
  /** Outcomes came in; `began` Attempts began since the last time. */
  drained(member: Member, began: number): void;
  /** An Operation ended there, or was given back by it. */
  left(member: Member, given: Given): void;
  /** A Step there asks something of the App; the bytes are valid during the call. */
  asked(member: Member, source: Buffer, offset: number, length: number): void;
  /** Its ring holds what no Worker writes. */
  broken(member: Member, error: unknown): void;
  exited(member: Member, end: LineEnd): void;
}

/** What a Member is made with. */
export interface MemberOptions {
  readonly id: string;
  readonly kind: PoolKind;
  readonly slots: number;
  readonly clock: Clock;
  readonly port: OutcomePort;
  readonly events: MemberEvents;
  readonly openLine: (events: LineEvents) => Line;
}

/** One Worker. */
export class Member {
  readonly id: string;
  readonly kind: PoolKind;
  readonly startedMs: number;
  state: MemberState = "starting";
  /** Attempts it may run at once. */
  slots: number;
  /** Operations it has: running there, or about to. */
  load = 0;
  /** Operations it has that need no slot: all of a batch but one. */
  #spared = 0;
  /** Takes nothing but the suspect it is kept free for (suspects.ts). */
  isReserved = false;
  /** Was told to end when it has finished what it has. */
  isClosed = false;
  /** The Foreman stops: what it still has is released when it is gone, and nobody is blamed. */
  isGivenUp = false;
  /** Records were written since the last publish. */
  isUnpublished = false;
  /** Operations that ended there. */
  ended = 0;
  /** Why it ends, as it said itself. */
  failure: RemoteError | null = null;
  /** What `ended` was when work given ahead was taken back as stale; -1 for never. */
  stalledAt = -1;
  /** For how long its event loop has stood still, in ms, as far as the Watch has seen. */
  silentMs = 0;
  readonly line: Line;
  readonly #options: MemberOptions;
  /** What sits where; null for a seat that is free or was taken back. */
  readonly #seats: (Given | null)[] = [];
  /** Seats to give again, next last. */
  #free: number[] = [];
  /** Seats taken back whose old record the Worker has not passed yet. */
  #passing: number[] = [];
  #texts = new Map<string, number>();
  #begun = 0;
  #beats = 0;

  constructor(options: MemberOptions) {
    this.#options = options;
    this.id = options.id;
    this.kind = options.kind;
    this.slots = options.slots;
    this.startedMs = options.clock.monotonicMs();
    const { events } = options;
    this.line = options.openLine({
      ready: (manifest) => events.ready(this, manifest),
      failed: (error) => {
        this.failure = error;
        events.failed(this, error);
      },
      log: (line) => events.log(this, line),
      rung: () => this.drain(),
      exited: (end) => {
        this.drain();
        this.state = "ended";
        const error = end.error ?? (this.failure === null ? null : fromRemoteError(this.failure));
        events.exited(this, { ...end, error });
      },
    });
  }

  /** Whether one more Operation can be handed over; `ahead` counts those that wait there for a slot. */
  canTake(ahead: number): boolean {
    return this.state === "open" && !this.isReserved && this.taken < this.slots + ahead && this.#hasSeats(1);
  }

  /** Whether a batch of so many can be handed over, to begin at once. */
  canTakeBatch(count: number): boolean {
    return this.state === "open" && !this.isReserved && this.taken < this.slots && this.#hasSeats(count);
  }

  /** Slots in use, or about to be. */
  get taken(): number {
    return this.load - this.#spared;
  }

  /** Whether it is empty and can be handed the suspect it is kept free for. */
  canTakeAlone(): boolean {
    return this.state === "open" && this.load === 0 && this.#hasSeats(1);
  }

  /** Hands an Operation over; `publish` sends it. Ask `canTake` first. */
  give(given: Given): void {
    const seat = this.#free.pop() ?? this.#seats.length;
    const { claim } = given;
    // Numbers may change their meaning between two RUN records, never between a RUN record and its texts.
    if (this.#texts.size + 2 > TEXTS_MAX) this.#texts.clear();
    const segment = this.#text(given.segment);
    const lane = this.#text(claim.laneName);
    const { sink, seats } = this.line;
    seats.give(seat);
    const bytes = RUN_AT + claim.body.length;
    const at = sink.begin(bytes);
    const { target } = sink;
    target[at] = RUN;
    target.writeInt32LE(seat, at + 4);
    target.writeDoubleLE(claim.token, at + 8);
    target.writeDoubleLE(claim.counter, at + 16);
    target.writeInt32LE(claim.attempt, at + 24);
    target.writeInt32LE(claim.generation, at + 28);
    target.writeInt32LE(segment, at + 32);
    target.writeInt32LE(lane, at + 36);
    target.set(claim.body, at + RUN_AT);
    sink.end(bytes);
    this.isUnpublished = true;
    this.#seats[seat] = given;
    given.seat = seat;
    given.besides = this.taken;
    given.sinceMs = this.#options.clock.monotonicMs();
    this.load++;
  }

  /** Hands Operations over that share one call. Ask `canTakeBatch` first. */
  giveBatch(givens: readonly Given[]): void {
    if (givens.length > 1) this.#writeShort(BATCH, 0, givens.length);
    for (const given of givens) this.give(given);
    if (givens.length < 2) return;
    const batch = new Set(givens);
    for (const given of givens) {
      given.batch = batch;
      given.batchSize = batch.size;
      given.besides = givens[0]?.besides ?? 0;
    }
    this.#spared += batch.size - 1;
  }

  /** Sends what was written since the last time. */
  publish(): void {
    if (!this.isUnpublished) return;
    this.isUnpublished = false;
    this.line.publish();
  }

  /** Takes back what was given `ageMs` ago or earlier and has not begun; with a bound, what was given last. In order. */
  takeBackOld(ageMs: number, max = Number.POSITIVE_INFINITY): Given[] {
    const latestMs = this.#options.clock.monotonicMs() - ageMs;
    const taken: Given[] = [];
    const candidates = [...this.all()].filter((given) => given.sinceMs <= latestMs);
    for (const given of candidates.sort((a, b) => b.order - a.order)) {
      if (taken.length >= max) break;
      if (this.takeBack(given)) taken.push(given);
    }
    return taken.reverse();
  }

  /** Takes one Operation back; false if it has begun. */
  takeBack(given: Given): boolean {
    const { seat } = given;
    if (!this.line.seats.takeBack(seat)) return false;
    this.#seats[seat] = null;
    this.#passing.push(seat);
    this.load--;
    this.#leaveBatch(given);
    given.seat = -1;
    return true;
  }

  /** Tells the Attempt in a seat to end. */
  abort(given: Given, kind: AbortKind): void {
    given.abortKind ??= kind;
    given.toldMs ??= this.#options.clock.monotonicMs();
    this.#writeShort(ABORT, ABORT_CODES.indexOf(kind), given.seat);
  }

  /** Changes how many Attempts it runs at once. */
  setSlots(slots: number): void {
    this.slots = slots;
    this.#writeShort(SLOTS, 0, slots);
    this.publish();
  }

  /** Takes nothing new from now on; the Worker ends once it has finished what it has. */
  close(): void {
    if (this.state !== "starting" && this.state !== "open") return;
    this.state = "closing";
    this.isClosed = true;
    this.#writeShort(STOP, 0, 0);
    this.publish();
  }

  /** Takes nothing new from now on and is ended by force, if it may show its stack before. */
  condemn(): void {
    if (this.state !== "ended") this.state = "killed";
  }

  /** Ends it by force. */
  kill(): void {
    if (this.state === "ended") return;
    this.state = "killed";
    this.line.kill();
  }

  /** Answers a request of one of its Steps; `how` is one of protocol.ts. */
  answer(how: number, request: number, value: Uint8Array): void {
    if (this.state === "ended") return;
    const { sink } = this.line;
    const bytes = ANSWER_AT + value.length;
    const at = sink.begin(bytes);
    sink.target[at] = ANSWER;
    sink.target[at + 1] = how;
    sink.target.writeInt32LE(request, at + 4);
    sink.target.set(value, at + ANSWER_AT);
    sink.end(bytes);
    this.isUnpublished = true;
  }

  /** Everything it has, in the order of its seats. */
  *all(): Iterable<Given> {
    for (const given of this.#seats) if (given !== null) yield given;
  }

  /** Whether the Attempt of an Operation it has was begun. */
  hasBegun(given: Given): boolean {
    return this.line.seats.stateOf(given.seat) === BEGUN_SEAT;
  }

  /** What the Watch is shown: `givens` of it that have begun. */
  sight(givens: readonly Given[] = this.begun()): WorkerSight {
    const nowMs = this.#options.clock.monotonicMs();
    return {
      kind: this.kind,
      silentMs: this.silentMs,
      current: this.line.vitals().current,
      begun: givens.map((given) => ({
        seat: given.seat,
        ranMs: nowMs - (given.begunMs ?? nowMs),
        limitMs: given.limitMs,
      })),
    };
  }

  /** What it has begun, as far as was seen. */
  begun(): Given[] {
    return [...this.all()].filter((given) => given.begunMs !== null);
  }

  /** Takes everything out: after its exit. */
  clear(): void {
    for (const given of this.all()) given.batch = null;
    this.#spared = 0;
    this.#seats.length = 0;
    this.#free = [];
    this.#passing = [];
    this.load = 0;
  }

  /** Looks at its signs of life; `passedMs` is the time since the last look. */
  look(passedMs: number): void {
    const { beats } = this.line.vitals();
    this.silentMs = beats === this.#beats ? this.silentMs + passedMs : 0;
    this.#beats = beats;
    const nowMs = this.#options.clock.monotonicMs();
    for (const given of this.all()) if (given.begunMs === null && this.hasBegun(given)) given.begunMs = nowMs;
    const began = this.#countBegun();
    if (began > 0) this.#options.events.drained(this, began);
  }

  /** Takes what came from the Worker. */
  drain(): void {
    if (this.state === "ended") return;
    try {
      this.line.drain(this.#take);
    } catch (error) {
      this.#options.events.broken(this, error);
    }
    this.#options.events.drained(this, this.#countBegun());
    this.publish();
  }

  readonly #take = (source: Buffer, offset: number, length: number): void => {
    const { port, events } = this.#options;
    const kind = source[offset];
    if (kind === ENQUEUE || kind === CALL || kind === END_CALL) return events.asked(this, source, offset, length);
    const seat = source.readInt32LE(offset + 4);
    const given = this.#seats[seat];
    if (given === null || given === undefined) return; // given up on before
    if (kind === PROGRESS) return port.progressed(given, copyOf(source, offset + PROGRESS_AT, offset + length));
    this.#seats[seat] = null;
    this.#free.push(seat);
    this.line.seats.free(seat);
    this.load--;
    this.#leaveBatch(given);
    this.ended++;
    given.seat = -1;
    if (kind === COMPLETED) {
      given.outcome = copyOf(source, offset + COMPLETED_AT, offset + length);
      port.completed(given, given.outcome);
    } else {
      given.abortKind = ABORT_CODES[source[offset + 1] ?? 0] ?? null;
      const ms = source.readDoubleLE(offset + 8);
      const inMs = Number.isNaN(ms) ? null : ms;
      if (kind === FAILED) {
        given.outcome = copyOf(source, offset + FAILED_AT, offset + length);
        port.failed(given, given.outcome, inMs);
      } else if (kind === RELEASED) port.released(given, inMs);
    }
    events.left(this, given);
  };

  #countBegun(): number {
    const { begun } = this.line.vitals();
    const began = (begun - this.#begun) | 0;
    this.#begun = begun;
    return began;
  }

  /** The last of a batch gives the slot back. */
  #leaveBatch(given: Given): void {
    const { batch } = given;
    if (batch === null) return;
    given.batch = null;
    batch.delete(given);
    if (batch.size > 0) this.#spared--;
  }

  #hasSeats(count: number): boolean {
    if (this.line.isFull) return false;
    const never = this.line.seats.count - this.#seats.length;
    if (this.#free.length + never >= count) return true;
    this.#passing = this.#passing.filter((seat) => {
      const isPassed = this.line.seats.stateOf(seat) === FREE;
      if (isPassed) this.#free.push(seat);
      return !isPassed;
    });
    return this.#free.length + never >= count;
  }

  /** The number by which the Worker knows a text, told with a record of its own at first. */
  #text(text: string): number {
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    const id = this.#texts.size;
    this.#texts.set(text, id);
    const { sink } = this.line;
    const bytes = TEXT_AT + text.length;
    const at = sink.begin(bytes);
    sink.target[at] = TEXT;
    sink.target.writeInt32LE(id, at + 4);
    sink.target.write(text, at + TEXT_AT, "latin1");
    sink.end(bytes);
    return id;
  }

  #writeShort(kind: number, small: number, value: number): void {
    if (this.state === "ended") return;
    const { sink } = this.line;
    const at = sink.begin(SHORT_BYTES);
    sink.target[at] = kind;
    sink.target[at + 1] = small;
    sink.target.writeInt32LE(value, at + 4);
    sink.end(SHORT_BYTES);
    this.isUnpublished = true;
  }
}

/** Records are read in place and their memory is written again: what is kept is copied. */
function copyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  source.copy(copy, 0, start, end);
  return copy;
}
