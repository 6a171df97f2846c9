/** Latencies in an HDR histogram: three significant digits from a microsecond to a minute. */
import { build } from "hdr-histogram-js";

/** What is reported of a latency, in milliseconds. */
export interface Percentiles {
  readonly mean: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
  readonly count: number;
}

/** The percentiles every report shows, with their names. */
export const percentileNames = ["p50", "p90", "p99", "p999", "max"] as const;

const percentOf = { p50: 50, p90: 90, p99: 99, p999: 99.9 } as const;
const highestUs = 60_000_000;

/** Percentiles of values in microseconds; all NaN when there are none. */
export function percentiles(valuesUs: Iterable<number>): Percentiles {
  const histogram = build({
    bitBucketSize: 32,
    lowestDiscernibleValue: 1,
    highestTrackableValue: highestUs,
    numberOfSignificantValueDigits: 3,
  });
  for (const value of valuesUs) histogram.recordValue(Math.min(highestUs, Math.max(0, Math.round(value))));
  const count = histogram.totalCount;
  const at = (percent: number): number => (count === 0 ? Number.NaN : histogram.getValueAtPercentile(percent) / 1000);
  return {
    mean: count === 0 ? Number.NaN : histogram.mean / 1000,
    p50: at(percentOf.p50),
    p90: at(percentOf.p90),
    p99: at(percentOf.p99),
    p999: at(percentOf.p999),
    max: count === 0 ? Number.NaN : histogram.maxValue / 1000,
    count,
  };
}
