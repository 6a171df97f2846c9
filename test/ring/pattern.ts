/**
 * What frame `n` of a seed holds: its length and every byte follow from both numbers. Whoever reads can tell without a
 * word from the writer whether it is that frame, whole, and no other.
 */

/** Frames of one series: their bytes follow from the seed, their lengths go up to `lengthMax`. */
export interface Pattern {
  readonly seed: number;
  readonly lengthMax: number;
}

/** A number that looks like chance and follows from two others. */
export function mix(a: number, b: number): number {
  let word = Math.imul(a ^ 0x9e3779b1, 0x85ebca6b) + b;
  word = Math.imul(word ^ (word >>> 15), 0xc2b2ae35);
  return (word ^ (word >>> 13)) >>> 0;
}

/** The length of frame `n`: mostly short, one of eight up to the longest. */
export function lengthOf({ seed, lengthMax }: Pattern, n: number): number {
  const chance = mix(seed, n);
  const max = (chance & 7) === 0 ? lengthMax : Math.min(lengthMax, 40);
  return (chance >>> 3) % (max + 1);
}

/** Writes a frame's bytes from its key, at a multiple of 4; word by word, as an encoder would: not at once. */
export function writePayload(bytes: Uint8Array, words: Int32Array, at: number, length: number, key: number): void {
  const whole = length >> 2;
  for (let k = 0; k < whole; k++) words[(at >> 2) + k] = wordOf(key, k);
  const last = wordOf(key, whole);
  for (let k = whole * 4; k < length; k++) bytes[at + k] = last >>> ((k & 3) * 8);
}

/** The first byte that does not follow from the key, or -1. */
export function findDifference(bytes: Uint8Array, words: Int32Array, at: number, length: number, key: number): number {
  const whole = length >> 2;
  for (let k = 0; k < whole; k++) if (words[(at >> 2) + k] !== wordOf(key, k)) return k * 4;
  const last = wordOf(key, whole);
  for (let k = whole * 4; k < length; k++) if (bytes[at + k] !== ((last >>> ((k & 3) * 8)) & 255)) return k;
  return -1;
}

/** What all words of frame `n` are made of: no two frames of a seed share it. */
export function keyOf({ seed }: Pattern, n: number): number {
  return (Math.imul(n, 0x9e3779b1) ^ Math.imul(seed, 0x27d4eb2f)) | 0;
}

function wordOf(key: number, k: number): number {
  return (key + Math.imul(k, 0x85ebca6b)) | 0;
}
