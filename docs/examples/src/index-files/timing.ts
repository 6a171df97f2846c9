/** How fast it went. Kept apart from the reports, which must not depend on it. */

/** Rate and latency of what this life of the program enqueued and saw done. */
export interface TimingReport {
  readonly seconds: number;
  readonly filesPerSecond: number;
  /** From the call that enqueued a file's Operation to its result, waiting in the Queue included. */
  readonly enqueueToDoneMs: { readonly p50: number; readonly p99: number };
  readonly files: number;
}

/** Collects the latency of each file. */
export class Timing {
  readonly #startedMs = performance.now();
  readonly #latenciesMs: number[] = [];

  /** Takes one file's time from enqueue to result. */
  add(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs);
  }

  /** What was collected until now. */
  report(): TimingReport {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    const sorted = Float64Array.from(this.#latenciesMs).sort();
    const at = (share: number) => rounded(sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0);
    return {
      files: sorted.length,
      seconds: rounded(seconds),
      filesPerSecond: rounded(sorted.length / seconds),
      enqueueToDoneMs: { p50: at(0.5), p99: at(0.99) },
    };
  }
}

function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
