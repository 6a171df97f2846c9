/**
 * One claimed Operation on its way through a pool (elsewhere: task assignment): waiting, given to a Worker, ended. The
 * Foreman's note of it; the Attempt itself lives in the Worker.
 */
import { decode } from "../base/codec.js";
import { formatId } from "../engine/dot.js";
import { decodeEnvelope } from "../engine/envelope.js";
import { decodeOutcome } from "../engine/outcome.js";
import type { Claim } from "../engine/transitions.js";
import type { Overrides } from "../worker/inline.js";
import type { Assignment } from "../worker/port.js";
import type { AbortKind } from "../workflow/context.js";
import type { StepDefinition } from "../workflow/step.js";

/** Extra Attempts of an Operation, and the time limit of each in ms, Infinity for none. */
export interface Terms {
  readonly retries: number;
  readonly timeoutMs: number;
  /** Which batch of its Step it goes into. */
  readonly batch: string;
}

/** A claimed Operation. */
export class Given implements Assignment {
  readonly segment: string;
  readonly claim: Claim;
  readonly step: StepDefinition;
  /** Grows with each claim: what came first is given first, and given back in front. */
  readonly order: number;
  /** Since when it waits in a pool, or its Worker has it, by the monotonic clock. */
  sinceMs: number;
  /** Its place in its Worker; -1 while it waits. */
  seat = -1;
  /** Slots its Worker had in use besides when it was given: how much of its time there was waiting. */
  besides = 0;
  /** Those it was given with, to share one call, itself among them; null for none, and once it has left. */
  batch: Set<Given> | null = null;
  /** How many those were. */
  batchSize = 1;
  /** When it was first seen to have begun, by the monotonic clock; null before. */
  begunMs: number | null = null;
  abortKind: AbortKind | null = null;
  /** When its Worker was first told to end it, by the monotonic clock; null before. */
  toldMs: number | null = null;
  /** Outcome bytes, once there are any. */
  outcome: Uint8Array | null = null;
  #terms: Terms | null = null;

  constructor(segment: string, claim: Claim, step: StepDefinition, order: number, nowMs: number) {
    this.segment = segment;
    this.claim = claim;
    this.step = step;
    this.order = order;
    this.sinceMs = nowMs;
  }

  get operationId(): string {
    return formatId(this.segment, this.claim.laneName, this.claim.counter);
  }

  get attempt(): number {
    return this.claim.attempt;
  }

  /** 0 when the envelope cannot be read. */
  get enqueuedAtMs(): number {
    return readOr(() => decodeEnvelope(this.claim.body).enqueuedAtMs, 0);
  }

  /** By the Worker's clock, known once it has ended with an outcome; else when it was enqueued. */
  get startedAtMs(): number {
    const { outcome } = this;
    if (outcome === null) return this.enqueuedAtMs;
    return readOr(() => decodeOutcome(outcome).startedAtMs, null) ?? this.enqueuedAtMs;
  }

  /** The Step's, unless this Operation says otherwise. */
  get terms(): Terms {
    this.#terms ??= this.#readTerms();
    return this.#terms;
  }

  /**
   * How long its Attempt may run, in ms from when it was seen to have begun: until its timeout, or until the grace of
   * one that was told to end is over. Of a batch, only until the grace of the last: it is not ended for the sake of one.
   */
  get limitMs(): number {
    const { timeoutMs } = this.terms;
    if (this.toldMs === null || this.begunMs === null) return timeoutMs;
    if (this.batch !== null && [...this.batch].some(({ toldMs }) => toldMs === null)) return timeoutMs;
    return Math.min(timeoutMs, this.toldMs - this.begunMs + this.step.killGraceMs);
  }

  #readTerms(): Terms {
    const overrides = readOr((): Overrides => {
      const envelope = decodeEnvelope(this.claim.body);
      return envelope.overrides === null ? {} : (decode(envelope.overrides) as Overrides); // written by this package
    }, {});
    return {
      retries: overrides.retries ?? this.step.retries,
      timeoutMs: overrides.timeoutMs ?? this.step.timeoutMs,
      batch: overrides.batch ?? "",
    };
  }
}

/** What cannot be read is the Worker's to report; here it must only do no harm. */
function readOr<Value>(read: () => Value, otherwise: Value): Value {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
