/**
 * The Worker's half of the calls that Steps make (elsewhere: RPC client): ENQUEUE and CALL records out, ANSWER records
 * in. The Foreman's half is foreman/call-desk.ts. Calls of a tick leave together, like outcomes.
 */
import { decode, encode } from "../base/codec.js";
import { fromRemoteError, type RemoteError } from "../base/errors.js";
import {
  ANSWER_EVENT,
  ANSWER_OK,
  CALL,
  CALL_AT,
  DUE_AT,
  DUE_IN,
  DUE_NOW,
  END_CALL,
  ENQUEUE,
  ENQUEUE_AT,
} from "./protocol.js";
import type { Wire } from "./wire.js";

/** Who handed in an Operation. Exactly one of the two is called, once. */
export interface EnqueueTaker {
  accepted(laneName: string, counter: number, segment: string, isKept?: boolean): void;
  refused(error: Error): void;
}

/** Who called. `answered` or `failed` is called once, unless the call is ended before; `event` any number of times. */
export interface CallTaker {
  answered(value: unknown): void;
  failed(error: Error): void;
  event?(value: unknown): void;
}

/** When an Operation is due: now, in or at so many milliseconds. */
export type Due = { readonly in: number } | { readonly at: number } | null;

/** Most bytes of a call's arguments or of its answer: a page of payloads, each as large as they may be. */
export const CALL_BYTES_MAX = 2 ** 28;

type Pending = { readonly enqueue: EnqueueTaker } | { readonly call: CallTaker };

/** Calls over one wire. */
export class CallLink {
  readonly #wire: Wire;
  readonly #pending = new Map<number, Pending>();
  #request = 0;

  constructor(wire: Wire) {
    this.#wire = wire;
  }

  /** Calls and enqueues without their answer. */
  get pending(): number {
    return this.#pending.size;
  }

  /** Hands an Operation to the Foreman's Producer. */
  enqueue(
    queue: string,
    priority: number,
    due: Due,
    body: Uint8Array,
    taker: EnqueueTaker,
    ties: object | null = null,
  ): void {
    const tied = ties === null ? NO_BYTES : encode(ties, "ties", TIES_BYTES_MAX);
    const bytes = ENQUEUE_AT + queue.length + tied.length + body.length;
    const at = this.#wire.begin(bytes);
    const { target } = this.#wire;
    target[at] = ENQUEUE;
    target[at + 1] = due === null ? DUE_NOW : "in" in due ? DUE_IN : DUE_AT;
    target.writeInt32LE(this.#take({ enqueue: taker }), at + 4);
    target.writeDoubleLE(due === null ? 0 : "in" in due ? due.in : due.at, at + 8);
    target.writeInt32LE(priority, at + 16);
    target[at + 20] = queue.length;
    target.writeUInt16LE(tied.length, at + 22);
    target.write(queue, at + ENQUEUE_AT, "latin1");
    target.set(tied, at + ENQUEUE_AT + queue.length);
    target.set(body, at + ENQUEUE_AT + queue.length + tied.length);
    this.#wire.end(bytes);
  }

  /** Calls a method of the desk; returns the number to end it with. Errors: MR_NOT_SERIALISABLE. */
  call(method: string, args: readonly unknown[], taker: CallTaker): number {
    const payload = encode(args, method, CALL_BYTES_MAX);
    const bytes = CALL_AT + method.length + payload.length;
    const request = this.#take({ call: taker });
    const at = this.#wire.begin(bytes);
    const { target } = this.#wire;
    target[at] = CALL;
    target[at + 1] = method.length;
    target.writeInt32LE(request, at + 4);
    target.write(method, at + CALL_AT, "latin1");
    target.set(payload, at + CALL_AT + method.length);
    this.#wire.end(bytes);
    return request;
  }

  /** Wants no more answers to a call. */
  endCall(request: number): void {
    if (!this.#pending.delete(request)) return;
    const at = this.#wire.begin(END_CALL_BYTES);
    const { target } = this.#wire;
    target[at] = END_CALL;
    target.writeInt32LE(request, at + 4);
    this.#wire.end(END_CALL_BYTES);
  }

  /** Takes an answer; one to a call that was ended is passed over. */
  take(how: number, request: number, bytes: Uint8Array): void {
    const pending = this.#pending.get(request);
    if (pending === undefined) return;
    if (how !== ANSWER_EVENT) this.#pending.delete(request);
    const value = decode(bytes);
    if ("enqueue" in pending) {
      if (how !== ANSWER_OK) return pending.enqueue.refused(fromRemoteError(value as RemoteError)); // by the protocol
      const [segment, laneName, counter, isKept] = value as [string, string, number, true?]; // by the protocol
      if (isKept === true) return pending.enqueue.accepted(laneName, counter, segment, true);
      return pending.enqueue.accepted(laneName, counter, segment);
    }
    if (how === ANSWER_OK) pending.call.answered(value);
    else if (how === ANSWER_EVENT) pending.call.event?.(value);
    else pending.call.failed(fromRemoteError(value as RemoteError)); // by the protocol
  }

  /** Numbers are used again after 2^31 calls; none of them is still open then. */
  #take(pending: Pending): number {
    this.#request = (this.#request + 1) & 0x7fff_ffff;
    this.#pending.set(this.#request, pending);
    return this.#request;
  }
}

const END_CALL_BYTES = 8;
const NO_BYTES = new Uint8Array(0);
const TIES_BYTES_MAX = 0xffff;
