/**
 * A workload as a list of Operations: when each arrives, of which kind it is, how long it computes and how long it
 * waits. Made once per scenario and seed and given to every mix alike, so that differences are the mixes'.
 */

/** Operations in order of arrival, in columns. */
export interface Trace {
  readonly name: string;
  /** How long the scenario lasts, in ms. */
  readonly lengthMs: number;
  /** Where phases begin, in ms, the first at 0: what an oracle may change its mix at. */
  readonly phasesMs: readonly number[];
  /** Cores all threads share; Infinity when every thread has one of its own. */
  readonly cores: number;
  readonly count: number;
  readonly atMs: Float64Array;
  /** 1 for blocking, 0 for async. */
  readonly isBlocking: Uint8Array;
  /** Time on a core: of the blocking thread, or of the event loop. */
  readonly cpuMs: Float64Array;
  /** Time waiting for something outside. */
  readonly waitMs: Float64Array;
}

/** One Operation while a trace is made. */
export interface Arrival {
  readonly atMs: number;
  readonly isBlocking: boolean;
  readonly cpuMs: number;
  readonly waitMs: number;
}

/** Puts arrivals in order and in columns. */
export function makeTrace(
  head: Pick<Trace, "name" | "lengthMs" | "phasesMs" | "cores">,
  arrivals: readonly Arrival[],
): Trace {
  const sorted = arrivals.filter(({ atMs }) => atMs < head.lengthMs).sort((a, b) => a.atMs - b.atMs);
  return {
    ...head,
    count: sorted.length,
    atMs: Float64Array.from(sorted, (one) => one.atMs),
    isBlocking: Uint8Array.from(sorted, (one) => (one.isBlocking ? 1 : 0)),
    cpuMs: Float64Array.from(sorted, (one) => one.cpuMs),
    waitMs: Float64Array.from(sorted, (one) => one.waitMs),
  };
}

/** What a trace asks for, kind by kind: Operations, and Worker seconds of each kind per second. */
export function demandOf(trace: Trace): { readonly [K in "blocking" | "async"]: { count: number; workers: number } } {
  const demand = { blocking: { count: 0, workers: 0 }, async: { count: 0, workers: 0 } };
  for (let op = 0; op < trace.count; op++) {
    const isBlocking = trace.isBlocking[op] === 1;
    const pool = isBlocking ? demand.blocking : demand.async;
    pool.count++;
    pool.workers += ((trace.cpuMs[op] ?? 0) + (isBlocking ? (trace.waitMs[op] ?? 0) : 0)) / trace.lengthMs;
  }
  return demand;
}
