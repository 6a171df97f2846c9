/**
 * Group commit: many calls, one LMDB transaction at a time, and each answer released when its level is reached.
 *
 * An answer is released once everything that was applied before it is as safe as the store promises, whether its own
 * call wrote anything or not: what a read has seen cannot be forgotten afterwards. `memory` answers at once and only
 * bounds how far the disk may lag; `aof` waits for the commit; `flushed` for its flush.
 *
 *   idle        nothing touched. A call that touches something → scheduled.
 *   scheduled   until this turn of the event loop ends, so that its calls share a transaction → committing. In `memory`
 *               nobody waits for it, so it comes PACE_MS later: what was enqueued, claimed and completed in between is
 *               written as finished only, or not at all. Somebody who does wait brings it forward.
 *   committing  the cut is being written; calls go on and wait for the next → scheduled, or idle.
 *   failing     a cut was refused, whole. The state is ahead of the disk by it, so nothing is applied or told; who
 *               waits hears MR_INDETERMINATE; the same bytes are written again until they stand → scheduled.
 *
 * After a flush that failed nothing is known to be on the disk: who waits for it, and who would wait for it until a
 * later one succeeds, hears MR_INDETERMINATE.
 */
import type { Clock, Timer } from "../../base/clock.js";
import type { RecordWriter, Write } from "./layout.js";
import { RecordWriter as Writer } from "./layout.js";
import type { Commit, LmdbFile } from "./lmdb.js";

/** When answers go out. */
export type CommitLevel = "memory" | "aof" | "flushed";

/** What group commit is given. */
export interface GroupCommitOptions {
  readonly file: LmdbFile;
  readonly level: CommitLevel;
  readonly clock: Clock;
  /** Writes everything touched since the last cut. */
  collect(writer: RecordWriter): void;
  /** The error for calls whose fate is open. */
  indeterminate(call: string, cause: unknown): Error;
  /** A cut was refused; `bytes` is its size. Called once per failure. */
  failed(error: unknown, bytes: number): void;
  /** Whether a refused cut of this size is worth another try now. */
  mayRetry(bytes: number): boolean;
  /** The refused cut was written after all. */
  healed(): void;
  /** A cut was written. */
  written(bytes: number): void;
}

/** In `memory`: how many calls may be answered ahead of the disk before answers wait for it. */
const AHEAD_MAX = 64;
/** In `memory`: how long a cut is put off, so that short lives end before they are written. */
const PACE_MS = 20;
const RETRY_MS = 250;
/** A commit or flush that takes longer leaves its calls unanswered for good: their fate is open. */
const STALL_MS = 30_000;
/** A writer that grew larger than this is not kept for the next cut. */
const WRITER_KEPT_BYTES = 32 * 1024 * 1024;

interface Waiter {
  readonly call: string;
  /** Called with null when the level is reached, else with the reason why that stays unknown. */
  settle(error: unknown): void;
}

/** The queue of answers and cuts in front of one LMDB file. */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #writer = new Writer(1024 * 1024);
  /** Wait for the next cut. */
  #waiting: Waiter[] = [];
  /** Wait for its flush, though this store's level is a lower one. */
  #flushing: Waiter[] = [];
  /** Something may have been touched since the last cut. */
  #isTouched = false;
  #isScheduled = false;
  /** In `memory`: set while a cut is put off. */
  #pace: Timer | null = null;
  #isCommitting = false;
  #isFailing = false;
  /** Cuts whose flush is still under way; answers of `flushed` wait for all of them. */
  #unflushed = 0;
  #lastFlush: Promise<void> = Promise.resolve();
  /** What the latest flush failed with; null if it did not. */
  #flushFailure: unknown = null;
  /** Calls answered ahead of the disk, in `memory`. */
  #ahead = 0;
  /** Set while failing. */
  #retry: Timer | null = null;
  #onIdle: (() => void)[] = [];

  constructor(options: GroupCommitOptions) {
    this.#options = options;
  }

  /** Whether a refused cut is still not written. */
  get isFailing(): boolean {
    return this.#isFailing;
  }

  /** Something was touched: a cut will follow. */
  touch(): void {
    this.#isTouched = true;
    this.#scheduleCalmly();
  }

  /** Answers a call when its level is reached. */
  release<T>(call: string, answer: T): Promise<T> {
    if (this.#isSafe()) return Promise.resolve(answer);
    return new Promise<T>((resolve, reject) => {
      this.#wait({ call, settle: (error) => (error === null ? resolve(answer) : reject(error as Error)) });
    });
  }

  /** Resolves when all that was applied is flushed, whatever the level. Errors: MR_INDETERMINATE. */
  flush(call: string): Promise<void> {
    if (this.#isFlushed) return Promise.resolve();
    return new Promise<void>((resolve, reject) => {
      const settle = (error: unknown) => (error === null ? resolve() : reject(error as Error)); // made by `indeterminate`
      this.#flushing.push({ call, settle });
      this.#schedule();
    });
  }

  /** Calls `fn` when the level is reached; never if that stays unknown. */
  tell(fn: () => void): void {
    if (this.#isSafe()) fn();
    else this.#wait({ call: "event", settle: (error) => (error === null ? fn() : undefined) });
  }

  /** Resolves when everything applied is committed and flushed, or the last cut was refused. */
  async drain(): Promise<void> {
    while ((this.#isTouched || this.#isCommitting || this.#isScheduled) && !this.#isFailing) {
      await new Promise<void>((resolve) => {
        this.#onIdle.push(resolve);
        this.#schedule();
      });
    }
    if (!this.#isFailing) await this.#lastFlush;
  }

  /** Rejects whoever still waits. */
  abandon(cause: unknown): void {
    this.#isFailing = true;
    this.#retry?.cancel();
    this.#pace?.cancel();
    this.#reject([...this.#waiting.splice(0), ...this.#flushing.splice(0)], cause);
  }

  get #isCommitted(): boolean {
    return !this.#isTouched && !this.#isCommitting && !this.#isFailing;
  }

  get #isFlushed(): boolean {
    return this.#isCommitted && this.#unflushed === 0 && this.#flushFailure === null;
  }

  #isSafe(): boolean {
    switch (this.#options.level) {
      case "memory":
        this.#ahead++;
        return this.#ahead <= AHEAD_MAX || this.#isCommitted;
      case "aof":
        return this.#isCommitted;
      case "flushed":
        return this.#isFlushed;
    }
  }

  #wait(waiter: Waiter): void {
    this.#waiting.push(waiter);
    this.#schedule();
  }

  /** A cut that nobody waits for yet. */
  #scheduleCalmly(): void {
    if (this.#options.level !== "memory" || this.#waiting.length + this.#flushing.length > 0) return this.#schedule();
    if (this.#pace !== null || this.#isScheduled || this.#isCommitting || this.#isFailing) return;
    this.#pace = this.#options.clock.setTimer(PACE_MS, () => {
      this.#pace = null;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isCommitting || this.#isFailing) return;
    this.#pace?.cancel();
    this.#pace = null;
    this.#isScheduled = true;
    this.#options.clock.immediate(() => {
      this.#isScheduled = false;
      if (!this.#isCommitting && !this.#isFailing) this.#cut();
    });
  }

  #cut(): void {
    const waiters = this.#waiting;
    const flushing = this.#flushing;
    this.#waiting = [];
    this.#flushing = [];
    this.#isTouched = false;
    this.#ahead = 0;
    const writer = this.#writer;
    this.#options.collect(writer);
    const bytes = writer.size;
    const writes = writer.take();
    if (writes.length > 0) this.#commit(writes, bytes, waiters, flushing);
    else this.#settleAfterFlush(waiters, flushing);
    this.#idle();
  }

  #commit(writes: readonly Write[], bytes: number, waiters: Waiter[], flushing: Waiter[]): void {
    const { file, clock, level } = this.#options;
    this.#isCommitting = true;
    const stall = clock.setTimer(STALL_MS, () => {
      this.#reject(
        [...waiters.splice(0), ...flushing.splice(0)],
        new Error(`the disk did not answer for ${STALL_MS} ms`),
      );
    });
    stall.unref();
    const commit = file.write(writes);
    void this.#follow(commit).then(() => {
      stall.cancel();
      this.#settleFlushed(level === "flushed" ? waiters : [], flushing);
    });
    commit.committed.then(
      () => {
        this.#isCommitting = false;
        if (bytes > WRITER_KEPT_BYTES) this.#writer = new Writer(1024 * 1024);
        if (level !== "flushed") settleAll(waiters);
        this.#options.written(bytes);
        if (this.#isTouched || this.#waiting.length + this.#flushing.length > 0) this.#scheduleCalmly();
        this.#idle();
      },
      (error: unknown) => {
        this.#isCommitting = false;
        this.#fail(error, writes, bytes, [...waiters.splice(0), ...flushing.splice(0)]);
      },
    );
  }

  /** Counts a flush until it ended, and keeps how. A cut that is refused has none: it is written again, with its own. */
  #follow({ committed, flushed }: Commit): Promise<void> {
    this.#unflushed++;
    flushed.catch(nothing); // of a refused cut: `committed` says so
    const ended = committed.then(() => flushed.then(() => null, failureOf));
    this.#lastFlush = ended.then(
      (failure) => {
        this.#unflushed--;
        this.#flushFailure = failure;
      },
      () => {
        this.#unflushed--;
      },
    );
    return this.#lastFlush;
  }

  #settleAfterFlush(waiters: Waiter[], flushing: Waiter[]): void {
    const isLater = this.#options.level === "flushed";
    if (!isLater) settleAll(waiters);
    if (isLater || flushing.length > 0) {
      void this.#lastFlush.then(() => this.#settleFlushed(isLater ? waiters : [], flushing));
    }
  }

  /** Settles by how the latest flush ended. */
  #settleFlushed(...groups: readonly Waiter[][]): void {
    const waiters = groups.flatMap((group) => group.splice(0));
    if (this.#flushFailure === null) settleAll(waiters);
    else this.#reject(waiters, this.#flushFailure);
  }

  #fail(error: unknown, writes: readonly Write[], bytes: number, waiters: Waiter[]): void {
    this.#isFailing = true;
    this.#reject(waiters, error);
    this.#reject([...this.#waiting.splice(0), ...this.#flushing.splice(0)], error);
    this.#options.failed(error, bytes);
    // The writer's buffer holds the refused bytes: the next cut needs another.
    this.#writer = new Writer(1024 * 1024);
    this.#retryLater(writes, bytes);
    this.#idle();
  }

  #retryLater(writes: readonly Write[], bytes: number): void {
    const { clock, file, mayRetry } = this.#options;
    // Holds the process: it may not end by itself while something it was asked to keep is not kept.
    this.#retry = clock.setTimer(RETRY_MS, () => {
      if (!mayRetry(bytes)) {
        this.#retryLater(writes, bytes);
        return;
      }
      const commit = file.write(writes);
      void this.#follow(commit);
      commit.committed.then(
        () => this.#heal(),
        () => this.#retryLater(writes, bytes),
      );
    });
  }

  #heal(): void {
    this.#isFailing = false;
    this.#options.healed();
    this.#schedule();
  }

  #reject(waiters: Waiter[], cause: unknown): void {
    for (const { call, settle } of waiters) settle(this.#options.indeterminate(call, cause));
  }

  #idle(): void {
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

function settleAll(waiters: readonly Waiter[]): void {
  for (const { settle } of waiters) settle(null);
}

/** Never null, which stands for success. */
function failureOf(error: unknown): unknown {
  return error ?? new Error("a flush failed without a reason");
}

function nothing(): void {
  // Heard elsewhere.
}
