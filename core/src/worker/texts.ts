/**
 * Names that travel once: Segments and lanes, by the numbers their TEXT records gave them.
 */
import { invariant } from "../base/assert.js";

/** The names one Worker was told. */
export class Texts {
  readonly #texts: string[] = [];

  /** Notes a name. */
  set(id: number, text: string): void {
    this.#texts[id] = text;
  }

  /** Returns a name; its TEXT record came before. */
  get(id: number): string {
    const text = this.#texts[id];
    if (text === undefined) invariant(false, "a name is told before it is used", { id });
    return text;
  }
}
