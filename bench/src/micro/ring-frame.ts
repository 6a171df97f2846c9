/**
 * The frames of the bench `ring`: written word by word, read word by word, and each told from every other by its sum.
 * So a figure cannot come from bytes that nobody wrote or looked at.
 */

/** Words between two frames and between two words of one: odd, so that no two sums are equal by accident. */
const STEP = 0x9e3779b1;
const STRIDE = 0x85ebca6b;

/** Writes frame `n`, `count` words from `at`. */
export function writeFrame(words: Int32Array, at: number, count: number, n: number): void {
  const key = Math.imul(n, STEP);
  for (let k = 0; k < count; k++) words[at + k] = (key + Math.imul(k, STRIDE)) | 0;
}

/** Reads a frame and says whether it is frame `n`. */
export function isFrame(words: Int32Array, at: number, count: number, n: number): boolean {
  let sum = 0;
  for (let k = 0; k < count; k++) sum = (sum + (words[at + k] ?? 0)) | 0;
  const expected = (Math.imul(Math.imul(n, STEP), count) + Math.imul((count * (count - 1)) / 2, STRIDE)) | 0;
  return sum === expected;
}
