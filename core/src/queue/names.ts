/** The order of names on this side of a store: that of their UTF-16 units, which for names is that of their bytes. */

/** Orders two names, for `sort`. */
export function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
