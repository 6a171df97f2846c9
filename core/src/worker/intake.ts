/**
 * What the Foreman's records say to a Worker (elsewhere: message handler), whichever way they came.
 *
 * A body stays where it was received until its Attempt begins: most are decoded right there. What has not begun when
 * that memory is given back is copied by `keep`.
 */
import { unreachable } from "../base/assert.js";
import type { Claim } from "../engine/transitions.js";
import type { CallLink } from "./call-link.js";
import type { InlineWorker, Placed } from "./inline.js";
import { ABORT, ABORT_CODES, ANSWER, ANSWER_AT, BATCH, RUN, RUN_AT, SLOTS, STOP, TEXT, TEXT_AT } from "./protocol.js";
import { Texts } from "./texts.js";

/** What the Foreman claimed, as its Worker needs it: the seat stands in the place of the lane. */
export class GivenClaim implements Claim {
  readonly lane: number;
  readonly counter: number;
  readonly token: number;
  readonly laneName: string;
  /** Known to the Foreman alone, like the priority and the recoveries. */
  readonly queue = "";
  readonly priority = 0;
  readonly attempt: number;
  readonly generation: number;
  readonly recoveries = 0;
  body: Uint8Array;
  /** Whether its body is not wanted any more: it has begun, and is not read again, or was taken back. */
  isSettled = false;

  /** Positional like Attempt: one is made for every Operation. */
  constructor(
    seat: number,
    counter: number,
    token: number,
    laneName: string,
    attempt: number,
    generation: number,
    body: Uint8Array,
  ) {
    this.lane = seat;
    this.counter = counter;
    this.token = token;
    this.laneName = laneName;
    this.attempt = attempt;
    this.generation = generation;
    this.body = body;
  }
}

/** What an intake hands its records to. */
export interface IntakeOptions {
  readonly worker: Pick<InlineWorker, "push" | "pushBatch" | "abortSeat" | "setSlots">;
  readonly link: Pick<CallLink, "take">;
  /** The Foreman wants the Worker to finish and end. */
  readonly stop: () => void;
}

/** Reads records. */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #texts = new Texts();
  /** Claims of one Segment that go to the Worker together. */
  #segment = "";
  #claims: GivenClaim[] = [];
  /** Claims of a batch, and how many of it are still to come. */
  #batch: Placed[] = [];
  #batchLeft = 0;
  /** Claims whose body lies in memory that is lent. */
  #lent: GivenClaim[] = [];

  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** Takes a record of `length` bytes at `offset`. `isLent`: the memory will be used again; see `keep`. */
  take(source: Buffer, offset: number, length: number, isLent: boolean): void {
    const { worker, link, stop } = this.#options;
    const kind = source[offset];
    const number = length >= 8 ? source.readInt32LE(offset + 4) : 0;
    const end = offset + length;
    switch (kind) {
      case RUN:
        return this.#run(source, offset, end, isLent);
      case TEXT:
        return this.#texts.set(number, source.toString("latin1", offset + TEXT_AT, end));
      case ANSWER:
        return link.take(source[offset + 1] ?? 0, number, source.subarray(offset + ANSWER_AT, end));
      case ABORT: {
        const abortKind = ABORT_CODES[source[offset + 1] ?? 0] ?? null;
        this.push(); // it may be meant for one that is still in hand
        if (abortKind !== null) worker.abortSeat(number, abortKind);
        return;
      }
      case SLOTS:
        return worker.setSlots(number);
      case BATCH:
        this.push();
        this.#batchLeft = number;
        return;
      case STOP:
        this.push();
        return stop();
      default:
        return unreachable(kind as never); // by the protocol there is no other
    }
  }

  /** Hands the Worker what was taken. */
  push(): void {
    if (this.#claims.length === 0) return;
    const claims = this.#claims;
    this.#claims = [];
    this.#options.worker.push(this.#segment, claims);
  }

  /** Copies what has not begun: the memory it lies in is given back. */
  keep(): void {
    for (const claim of this.#lent) if (!claim.isSettled) claim.body = Buffer.from(claim.body);
    if (this.#lent.length > 0) this.#lent = [];
  }

  #run(source: Buffer, offset: number, end: number, isLent: boolean): void {
    const segment = this.#texts.get(source.readInt32LE(offset + 32));
    if (this.#batchLeft === 0 && segment !== this.#segment) {
      this.push();
      this.#segment = segment;
    }
    const claim = new GivenClaim(
      source.readInt32LE(offset + 4),
      source.readDoubleLE(offset + 16),
      source.readDoubleLE(offset + 8),
      this.#texts.get(source.readInt32LE(offset + 36)),
      source.readInt32LE(offset + 24),
      source.readInt32LE(offset + 28),
      source.subarray(offset + RUN_AT, end),
    );
    if (isLent) this.#lent.push(claim);
    if (this.#batchLeft === 0) {
      this.#claims.push(claim);
      return;
    }
    this.#batch.push({ segment, claim });
    if (--this.#batchLeft > 0) return;
    const batch = this.#batch;
    this.#batch = [];
    this.#options.worker.pushBatch(batch);
  }
}
