/**
 * The one shape every compared queue takes, so that all are asked the same questions in the same words.
 *
 * A subject opens a session in a place; the session enqueues jobs, runs them with a no-op handler, and says what the
 * store keeps. The handler answers the job's number: that is the result each subject keeps if it keeps results.
 */

/** What every subject is given: 100 bytes as JSON, numbered from 0. */
export interface Job {
  readonly n: number;
  readonly pad: string;
}

/** Where a session works. `directUrl` passes by a delay proxy: for questions about the server itself. */
export type Place =
  | { readonly store: "redis"; readonly url: string; readonly directUrl: string }
  | { readonly store: "embedded"; readonly url: string; readonly durability: "memory" | "aof" | "flushed" }
  | { readonly store: "memory"; readonly url: string };

/** Kinds of waiting job beside the plain ones: due in a day, or of another priority than the default. */
export type WaitingKind = "scheduled" | "prioritised";

/** What a session reports while it runs jobs. Both are on the measured path of every subject: they only count. */
export interface Hooks {
  /** Whether every acknowledgement must name its job, as latencies need it; counting alone is cheaper for some. */
  readonly isPerJob: boolean;
  /** The handler was entered for the job of this index. */
  ran(index: number): void;
  /** The store acknowledged that this many jobs are completed; `index` where the subject names the one job. */
  acknowledged(count: number, index: number | null): void;
}

/** One opened queue, producer and Worker in this process. */
export interface Session {
  /** Resolves when the store has accepted the job. */
  enqueue(job: Job): Promise<unknown>;
  /** Resolves when the store has accepted all of them; the subject's own bulk call, at most `bulkMax` at once. */
  enqueueBulk(jobs: readonly Job[]): Promise<unknown>;
  /** Enqueues jobs that do not run soon; false where the subject knows no such kind. For `memory` alone. */
  enqueueWaiting(jobs: readonly Job[], kind: WaitingKind): Promise<boolean>;
  /** Starts to run jobs; resolves when the subject says that it is ready. */
  start(concurrency: number, hooks: Hooks): Promise<unknown>;
  /** Calls that carried enqueues, claims and outcomes so far, as the subject counts them; null if it does not. */
  storeCalls(): number | null;
  /** How many finished jobs the store keeps now. */
  kept(): Promise<number>;
  close(): Promise<unknown>;
}

/** One compared queue. */
export interface Subject {
  readonly name: string;
  /** What a finished job leaves in the store, and what is left out. */
  readonly keeps: string;
  /** Its settings where they are not its defaults, and why. */
  readonly settings: string;
  /** Concurrencies to sweep; a single one where there is nothing to choose. */
  readonly concurrencies: readonly number[];
  /** Jobs for a measurement of a second or two. Fewer favour a subject whose cost grows with what it keeps. */
  readonly jobs: number;
  open(place: Place): Promise<Session>;
}

/** The most jobs of one bulk call. */
export const bulkMax = 1000;

/** Makes `count` jobs of exactly `bytes` bytes of JSON each. */
export function makeJobs(count: number, bytes: number): Job[] {
  // Numbers of equal length make texts of equal length.
  const from = 1_000_000;
  const pad = "x".repeat(bytes - JSON.stringify({ n: from, pad: "" }).length);
  return Array.from({ length: count }, (_, index) => ({ n: from + index, pad }));
}

/** The index a job of `makeJobs` had. */
export function jobIndex(n: number): number {
  return n - 1_000_000;
}
