/**
 * Bounds what is on its way at once by bytes (elsewhere: weighted semaphore), in order of arrival: on a slow connection
 * each transfer has its own time then, instead of all of them the same. Used by offload.ts.
 */

/** Lets transfers begin while together they stay below a limit; one that is larger than that goes alone. */
export class ByteGate {
  readonly #max: number;
  #underWay = 0;
  readonly #waiting: { readonly bytes: number; readonly begin: () => void }[] = [];

  /** `max` in bytes. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Runs a transfer of so many bytes once there is room for it. Errors: those of the transfer. */
  async run<Answer>(bytes: number, transfer: () => Promise<Answer>): Promise<Answer> {
    if (this.#waiting.length > 0 || !this.#hasRoom(bytes)) {
      await new Promise<void>((begin) => this.#waiting.push({ bytes, begin }));
    } else this.#underWay += bytes;
    try {
      return await transfer();
    } finally {
      this.#underWay -= bytes;
      for (let next = this.#waiting[0]; next !== undefined && this.#hasRoom(next.bytes); next = this.#waiting[0]) {
        this.#waiting.shift();
        this.#underWay += next.bytes;
        next.begin();
      }
    }
  }

  #hasRoom(bytes: number): boolean {
    return this.#underWay === 0 || this.#underWay + bytes <= this.#max;
  }
}
