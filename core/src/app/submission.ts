/**
 * Submissions as App makes them: one that settles a promise, and many that fill one array.
 */
import { Handle } from "../handle.js";
import type { Submission } from "../queue/submission.js";
import type { Reach } from "./reach.js";

/** A single enqueue: settles the promise its caller holds. */
export class SingleSubmission implements Submission {
  readonly body: Uint8Array;
  readonly #reach: Reach;
  readonly #resolve: (handle: Handle) => void;
  readonly #reject: (error: Error) => void;

  constructor(body: Uint8Array, reach: Reach, resolve: (handle: Handle) => void, reject: (error: Error) => void) {
    this.body = body;
    this.#reach = reach;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  accepted(laneName: string, counter: number, segment: string, isKept = false): void {
    this.#resolve(new Handle(this.#reach, segment, laneName, counter, isKept));
  }

  refused(error: Error): void {
    this.#reject(error);
  }
}

/** Makes the handle of one input; `isKept`: of the Operation that holds its key. */
type MakeHandle = (laneName: string, counter: number, segment: string, isKept: boolean) => Handle;

/** The answers of one enqueueMany, in the order of its inputs. */
export class Bulk {
  readonly handles: (Handle | Error)[] = [];
  readonly #makeHandle: MakeHandle;
  #unanswered = 0;
  #floor = 0;
  #wake: (() => void) | null = null;

  constructor(makeHandle: MakeHandle) {
    this.#makeHandle = makeHandle;
  }

  /** Inputs without an answer. */
  get unanswered(): number {
    return this.#unanswered;
  }

  /** Takes the next place. */
  reserve(): number {
    this.#unanswered++;
    return this.handles.length++;
  }

  accept(index: number, laneName: string, counter: number, segment: string, isKept: boolean): void {
    this.#answer(index, this.#makeHandle(laneName, counter, segment, isKept));
  }

  /** Takes a handle that somebody else made. */
  take(index: number, handle: Handle): void {
    this.#answer(index, handle);
  }

  refuse(index: number, error: Error): void {
    this.#answer(index, error);
  }

  /** Resolves when fewer than `count` inputs are unanswered. One waiter at a time. */
  whenBelow(count: number): Promise<void> {
    if (this.#unanswered < count) return Promise.resolve();
    this.#floor = count;
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #answer(index: number, answer: Handle | Error): void {
    this.handles[index] = answer;
    this.#unanswered--;
    if (this.#wake !== null && this.#unanswered < this.#floor) {
      this.#wake();
      this.#wake = null;
    }
  }
}

/** One input of an enqueueMany. */
export class BulkSubmission implements Submission {
  readonly body: Uint8Array;
  readonly #bulk: Bulk;
  readonly #index: number;

  constructor(body: Uint8Array, bulk: Bulk, index: number) {
    this.body = body;
    this.#bulk = bulk;
    this.#index = index;
  }

  accepted(laneName: string, counter: number, segment: string, isKept = false): void {
    this.#bulk.accept(this.#index, laneName, counter, segment, isKept);
  }

  refused(error: Error): void {
    this.#bulk.refuse(this.#index, error);
  }
}
