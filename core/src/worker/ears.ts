/**
 * Ears (elsewhere: continuation pool): hear how the promises of handlers end, and are used again for others then. A
 * handler's promise otherwise costs two functions and what they capture, for every Operation. Used by worker/inline.ts.
 */

/** What a handler's end is told to. */
export interface Hearing<T> {
  returned(of: T, value: unknown): void;
  rejected(of: T, error: unknown): void;
}

interface Ear<T> {
  of: T | null;
  readonly returned: (value: unknown) => void;
  readonly rejected: (error: unknown) => void;
}

/** The `then` that calls one of its two functions, once: what ears rely on. */
const { then: nativeThen } = Promise.prototype;

/** The ears of one Worker: as many as ever listened at once. */
export class Ears<T> {
  readonly #hearing: Hearing<T>;
  readonly #free: Ear<T>[] = [];

  constructor(hearing: Hearing<T>) {
    this.#hearing = hearing;
  }

  /** Tells how `promise` ends. Errors: whatever its `then` throws. */
  listen(promise: PromiseLike<unknown>, of: T): void {
    if (promise.then !== nativeThen) return this.#listenOnce(promise, of);
    const ear = this.#free.pop() ?? this.#grow();
    ear.of = of;
    promise.then(ear.returned, ear.rejected);
  }

  /** It may call both of its functions, or one twice: these are its own. */
  #listenOnce(promise: PromiseLike<unknown>, of: T): void {
    promise.then(
      (value) => this.#hearing.returned(of, value),
      (error: unknown) => this.#hearing.rejected(of, error),
    );
  }

  #grow(): Ear<T> {
    const ear: Ear<T> = {
      of: null,
      returned: (value) => {
        const of = this.#release(ear);
        if (of !== null) this.#hearing.returned(of, value);
      },
      rejected: (error) => {
        const of = this.#release(ear);
        if (of !== null) this.#hearing.rejected(of, error);
      },
    };
    return ear;
  }

  #release(ear: Ear<T>): T | null {
    const { of } = ear;
    ear.of = null;
    this.#free.push(ear);
    return of;
  }
}
