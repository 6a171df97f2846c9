/** Chance from a seed, small and fast: the same seed throws the same for ever. */

/** A thrower of dice. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 32 random bits. Source: mulberry32 by Tommy Ettinger, public domain. */
  word(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return (word ^ (word >>> 14)) >>> 0;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + (this.word() % (max - min + 1));
  }

  /** True with a chance of `percent`. */
  chance(percent: number): boolean {
    return this.word() % 100 < percent;
  }

  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T {
    const found = list[this.word() % list.length];
    if (found === undefined) throw new Error("nothing to pick from");
    return found;
  }

  /** One name, as often as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name {
    const entries = Object.entries(weights) as [Name, number][]; // keys of a Record<Name, …> are Names
    let left = this.word() % entries.reduce((sum, [, weight]) => sum + weight, 0);
    for (const [name, weight] of entries) {
      if (left < weight) return name;
      left -= weight;
    }
    throw new Error("weights must add up");
  }

  /** Some of a list, in random order. */
  some<T>(list: readonly T[], min: number, max: number): T[] {
    const rest = [...list];
    const taken: T[] = [];
    const count = Math.min(rest.length, this.between(min, max));
    while (taken.length < count) taken.push(...rest.splice(this.word() % rest.length, 1));
    return taken;
  }
}
