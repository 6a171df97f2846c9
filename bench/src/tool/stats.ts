/** The few statistics a bench reports: median, extremes, and how far rounds lay apart. Pure. */

/** What is said of a series of rounds. `spread` is (max − min) / median: 0 is perfect agreement. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly spread: number;
  readonly count: number;
}

/** The middle value, or the mean of the two middle ones; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const upper = sorted[Math.floor(sorted.length / 2)];
  const lower = sorted[Math.floor((sorted.length - 1) / 2)];
  return upper === undefined || lower === undefined ? Number.NaN : (lower + upper) / 2;
}

/** Median and spread of a series; all NaN when it is empty. */
export function summarise(values: readonly number[]): Summary {
  const middle = median(values);
  const min = values.length === 0 ? Number.NaN : Math.min(...values);
  const max = values.length === 0 ? Number.NaN : Math.max(...values);
  const spread = middle === 0 ? 0 : (max - min) / middle;
  return { median: middle, min, max, spread, count: values.length };
}
