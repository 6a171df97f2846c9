/**
 * Keeps a closed loop closed over several producers: how many Operations may be out at once, shared among them as they
 * use their share up. Pure; the producers report, the parent grants (fleet.ts).
 */

/** Who may enqueue how much. */
export class Credit {
  readonly #bound: number;
  readonly #portion: number;
  readonly #granted: number[];
  #issued = 0;

  /** At most `bound` Operations are granted and not completed, over `producers` producers. */
  constructor(bound: number, producers: number) {
    this.#bound = bound;
    this.#portion = Math.max(1, Math.floor(bound / (2 * producers)));
    this.#granted = Array.from({ length: producers }, () => 0);
  }

  /** How many more a producer may enqueue that has `used` so many, when all have `completed` so many; often 0. */
  grant(producer: number, used: number, completed: number): number {
    const granted = this.#granted[producer];
    if (granted === undefined) return 0;
    if (granted - used >= this.#portion / 2) return 0;
    const room = Math.max(0, this.#bound - (this.#issued - completed));
    const more = Math.min(this.#portion, room);
    this.#granted[producer] = granted + more;
    this.#issued += more;
    return more;
  }
}
