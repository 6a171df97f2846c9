/**
 * Outcomes as records, written straight into the wire's memory. The claim of an Attempt in a Worker thread or process
 * carries its seat in the place of the lane.
 */
import type { AbortKind } from "../workflow/context.js";
import type { Assignment, OutcomePort } from "./port.js";
import {
  ABORT_CODES,
  COMPLETED,
  COMPLETED_AT,
  FAILED,
  FAILED_AT,
  PROGRESS,
  PROGRESS_AT,
  RELEASED,
} from "./protocol.js";
import type { Wire } from "./wire.js";

/** Bytes of a RELEASED record. */
const RELEASED_BYTES = 16;

/** Writes COMPLETED, FAILED, RELEASED and PROGRESS. */
export class RecordPort implements OutcomePort {
  readonly #wire: Wire;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  completed(assignment: Assignment, value: Uint8Array): void {
    this.#write(COMPLETED, 0, assignment, null, COMPLETED_AT, value);
  }

  failed(assignment: Assignment, value: Uint8Array, retryInMs: number | null): void {
    this.#write(FAILED, codeOf(assignment.abortKind), assignment, retryInMs, FAILED_AT, value);
  }

  released(assignment: Assignment, delayMs: number | null): void {
    this.#write(RELEASED, codeOf(assignment.abortKind), assignment, delayMs, RELEASED_BYTES, NO_BYTES);
  }

  progressed(assignment: Assignment, value: Uint8Array): void {
    this.#write(PROGRESS, 0, assignment, null, PROGRESS_AT, value);
  }

  #write(
    kind: number,
    code: number,
    { claim }: Assignment,
    ms: number | null,
    valueAt: number,
    value: Uint8Array,
  ): void {
    const wire = this.#wire;
    const bytes = valueAt + value.length;
    const at = wire.begin(bytes);
    const { target } = wire;
    target[at] = kind;
    target[at + 1] = code;
    target.writeInt32LE(claim.lane, at + 4);
    if (valueAt > 8) target.writeDoubleLE(ms ?? Number.NaN, at + 8);
    target.set(value, at + valueAt);
    wire.end(bytes);
  }
}

const NO_BYTES = new Uint8Array(0);

function codeOf(kind: AbortKind | null): number {
  return ABORT_CODES.indexOf(kind);
}
