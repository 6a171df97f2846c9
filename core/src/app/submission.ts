/**
 * Submissions as App makes them: one that settles a promise, and many that fill one array.
 */
import { Handle, KeptHandle } from "../handle.js";
import type { Submission } from "../queue/submission.js";
import type { Reach } from "./reach.js";

type Resolve = (handle: Handle) => void;
type Reject = (error: Error) => void;

/** Of the promise that was made last. */
let resolveLast: Resolve = () => undefined;
let rejectLast: Reject = () => undefined;

/** One executor for all promises, for it is called while they are made: none has a closure of its own. */
function noteLast(resolve: Resolve, reject: Reject): void {
  resolveLast = resolve;
  rejectLast = reject;
}

/** A single enqueue: settles `handle`, which its caller holds. */
export class SingleSubmission implements Submission {
  readonly body: Uint8Array;
  readonly handle: Promise<Handle>;
  readonly #reach: Reach;
  readonly #resolve: Resolve;
  readonly #reject: Reject;

  constructor(body: Uint8Array, reach: Reach) {
    this.body = body;
    this.handle = new Promise(noteLast);
    this.#reach = reach;
    this.#resolve = resolveLast;
    this.#reject = rejectLast;
  }

  accepted(laneName: string, counter: number, segment: string, isKept = false): void {
    this.#resolve(handleOf(this.#reach, segment, laneName, counter, isKept));
  }

  refused(error: Error): void {
    this.#reject(error);
  }
}

/** The handle of one input; `isKept`: of the Operation that holds its key. */
function handleOf(reach: Reach, segment: string, laneName: string, counter: number, isKept: boolean): Handle {
  return isKept ? new KeptHandle(reach, segment, laneName, counter) : new Handle(reach, segment, laneName, counter);
}

/** The answers of one enqueueMany, in the order of its inputs. */
export class Bulk {
  readonly handles: (Handle | Error)[] = [];
  readonly #reach: Reach;
  #unanswered = 0;
  #floor = 0;
  #wake: (() => void) | null = null;

  constructor(reach: Reach) {
    this.#reach = reach;
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
    this.#answer(index, handleOf(this.#reach, segment, laneName, counter, isKept));
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
