/**
 * The Foreman's half of the calls that Steps make in Workers (elsewhere: RPC server): reads ENQUEUE, CALL and END_CALL
 * records and answers from the App's own Producer, reads and waits, so that what Workers ask is coalesced with everything
 * else. The Worker's half is worker/call-link.ts.
 *
 * | CALL                                  | answered by                                  |
 * | find   segment, lane, counter         | the record, "pruned" or "missing"            |
 * | wait   segment, lane, counter         | its ending, once; until END_CALL             |
 * | follow segment, lane, counter         | an event for each progress note, until END_CALL |
 * | a method of STORE_CALLS, its arguments | what the store answers                       |
 */
import { decode, encode } from "../base/codec.js";
import { createError, toRemoteError } from "../base/errors.js";
import { afterTick } from "../base/tick.js";
import type { LocalDot } from "../engine/lease.js";
import type { Store } from "../engine/store.js";
import type { Finder } from "../queue/finder.js";
import type { FullSubmission, MeetingTies, SubmissionSink } from "../queue/submission.js";
import type { Waiters } from "../queue/waiters.js";
import { CALL_BYTES_MAX } from "../worker/call-link.js";
import {
  ANSWER_ERROR,
  ANSWER_EVENT,
  ANSWER_OK,
  CALL,
  CALL_AT,
  DUE_IN,
  DUE_NOW,
  END_CALL,
  ENQUEUE,
  ENQUEUE_AT,
} from "../worker/protocol.js";

/** Who asks: a Worker. */
export interface Asker {
  /** Writes an ANSWER record; `how` is one of protocol.ts. */
  answer(how: number, request: number, value: Uint8Array): void;
  /** Sends what was written. */
  publish(): void;
}

/** Store calls that Workers may make, through the App's patience with the store. */
export const STORE_CALLS = [
  "segments",
  "counts",
  "peek",
  "list",
  "nodes",
  "cancel",
  "erase",
  "holders",
  "check",
  "explain",
  "requeue",
  "redrive",
  "recordPause",
  "secure",
  "queuePause",
  "queueResume",
  "openSegment",
  "limitSet",
  "limits",
] as const;

/** What the desk answers from. */
export interface DeskServices {
  readonly producer: Pick<SubmissionSink, "push" | "pushFull">;
  readonly finder: Pick<Finder, "find">;
  readonly waiters: Pick<Waiters, "wait" | "follow">;
  /** Calls the store, again if need be. */
  call<Answer>(call: (store: Store) => Promise<Answer>): Promise<Answer>;
}

/** One Worker at the desk; gone once it is dropped. */
interface Visitor {
  asker: Asker | null;
  /** Waits and followings by request: how to end them. */
  readonly open: Map<number, () => void>;
}

/** Answers the Workers of one Foreman. */
export class CallDesk {
  readonly #services: DeskServices;
  readonly #visitors = new Map<Asker, Visitor>();
  /** Those answered in this tick. */
  #answered = new Set<Asker>();

  constructor(services: DeskServices) {
    this.#services = services;
  }

  /** Waits open for Workers. */
  get open(): number {
    let open = 0;
    for (const visitor of this.#visitors.values()) open += visitor.open.size;
    return open;
  }

  /** Takes an ENQUEUE, CALL or END_CALL record; its bytes need to be valid during the call only. */
  take(asker: Asker, source: Buffer, offset: number, length: number): void {
    const visitor = this.#visitor(asker);
    const request = source.readInt32LE(offset + 4);
    switch (source[offset]) {
      case ENQUEUE:
        return this.#enqueue(visitor, request, source, offset, offset + length);
      case CALL: {
        const argsAt = offset + CALL_AT + (source[offset + 1] ?? 0);
        const method = source.toString("latin1", offset + CALL_AT, argsAt);
        const args = decode(source.subarray(argsAt, offset + length)) as readonly unknown[]; // by the protocol
        return this.#call(visitor, request, method, args);
      }
      case END_CALL:
        visitor.open.get(request)?.();
        visitor.open.delete(request);
        return;
    }
  }

  /** Forgets a Worker that is gone: its waits end, and what it enqueued is answered to nobody. */
  drop(asker: Asker): void {
    const visitor = this.#visitors.get(asker);
    if (visitor === undefined) return;
    this.#visitors.delete(asker);
    this.#answered.delete(asker);
    visitor.asker = null;
    for (const end of visitor.open.values()) end();
    visitor.open.clear();
  }

  #visitor(asker: Asker): Visitor {
    let visitor = this.#visitors.get(asker);
    if (visitor === undefined) {
      visitor = { asker, open: new Map() };
      this.#visitors.set(asker, visitor);
    }
    return visitor;
  }

  #enqueue(visitor: Visitor, request: number, source: Buffer, offset: number, end: number): void {
    const dueMs = source.readDoubleLE(offset + 8);
    const dueCode = source[offset + 1];
    const tiesAt = offset + ENQUEUE_AT + (source[offset + 20] ?? 0);
    const bodyAt = tiesAt + source.readUInt16LE(offset + 22);
    const submission: FullSubmission = {
      body: Buffer.from(source.subarray(bodyAt, end)),
      queue: source.toString("latin1", offset + ENQUEUE_AT, tiesAt),
      priority: source.readInt32LE(offset + 16),
      due: dueCode === DUE_NOW ? null : dueCode === DUE_IN ? { in: dueMs } : { at: dueMs },
      // Decoding copies, except for bytes: those are few.
      ties: bodyAt === tiesAt ? null : (decode(Buffer.from(source.subarray(tiesAt, bodyAt))) as MeetingTies), // by the protocol
      accepted: (laneName, counter, segment, isKept) => {
        const dot = [segment, laneName, counter];
        this.#answer(visitor, request, ANSWER_OK, isKept === true ? [...dot, true] : dot);
      },
      refused: (error) => this.#answer(visitor, request, ANSWER_ERROR, toRemoteError(error)),
    };
    const { producer } = this.#services;
    if (submission.priority === 0 && submission.due === null && submission.ties === null)
      producer.push(submission.queue, submission);
    else producer.pushFull(submission);
  }

  #call(visitor: Visitor, request: number, method: string, args: readonly unknown[]): void {
    const { finder, waiters } = this.#services;
    switch (method) {
      case "find":
        return this.#settle(visitor, request, finder.find(...dotOf(args)));
      case "wait": {
        const settle = (how: number, value: unknown) => {
          visitor.open.delete(request);
          this.#answer(visitor, request, how, value);
        };
        const end = waiters.wait(...dotOf(args), {
          settled: (ending) => settle(ANSWER_OK, ending),
          failed: (error) => settle(ANSWER_ERROR, toRemoteError(error)),
        });
        return void visitor.open.set(request, end);
      }
      case "follow": {
        const end = waiters.follow(...dotOf(args), (value) => this.#answer(visitor, request, ANSWER_EVENT, value));
        return void visitor.open.set(request, end);
      }
    }
    const known = STORE_CALLS.find((name) => name === method);
    if (known === undefined) {
      const error = createError("MR_NOT_FOUND", { kind: "call", id: method });
      return this.#answer(visitor, request, ANSWER_ERROR, toRemoteError(error));
    }
    // The Worker made the arguments for this very method.
    const call = (store: Store) =>
      (store[known] as (...args: readonly unknown[]) => Promise<unknown>).apply(store, [...args]);
    this.#settle(visitor, request, this.#services.call(call));
  }

  #settle(visitor: Visitor, request: number, answer: Promise<unknown>): void {
    answer.then(
      (value) => this.#answer(visitor, request, ANSWER_OK, value),
      (error: unknown) => this.#answer(visitor, request, ANSWER_ERROR, toRemoteError(error)),
    );
  }

  #answer(visitor: Visitor, request: number, how: number, value: unknown): void {
    const { asker } = visitor;
    if (asker === null) return;
    asker.answer(...answerOf(how, request, value));
    this.#answered.add(asker);
    if (this.#answered.size === 1) afterTick(() => this.#publish());
  }

  #publish(): void {
    const answered = this.#answered;
    this.#answered = new Set();
    for (const asker of answered) asker.publish();
  }
}

/** What cannot be carried is an error of its own: the caller must hear something. */
function answerOf(how: number, request: number, value: unknown): [how: number, request: number, bytes: Uint8Array] {
  try {
    return [how, request, encode(value, "answer", CALL_BYTES_MAX)];
  } catch (error) {
    return [ANSWER_ERROR, request, encode(toRemoteError(error), "answer")];
  }
}

function dotOf(args: readonly unknown[]): [segment: string, dot: LocalDot] {
  const [segment, laneName, counter] = args as [string, string, number]; // by the protocol
  return [segment, { laneName, counter }];
}
