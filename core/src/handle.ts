/**
 * What a caller holds after an enqueue (elsewhere: job handle, future): the id, and ways to wait, look and cancel.
 *
 * Deliberately not a promise: awaiting the enqueue gives the handle, awaiting `result()` gives the result.
 */

import type { Reach } from "./app/reach.js";
import { type Progress, reasonOf, remoteErrorOf, resultOf, type StatusView, viewOf } from "./app/status.js";
import { decode } from "./base/codec.js";
import { type Duration, parseDuration } from "./base/duration.js";
import { createError, OperationCancelled, OperationFailed, type RemoteError, WaitTimeout } from "./base/errors.js";
import { formatId } from "./engine/dot.js";
import { type DurabilityLevel, isAtLeast, type Secured, type StoreDurability } from "./engine/durability.js";
import type { LocalDot } from "./engine/lease.js";
import { encodeOutcome } from "./engine/outcome.js";
import type { Ending } from "./queue/waiters.js";

/** How long to wait. Without `timeout`: for ever. */
export interface WaitOptions {
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
}

/** How an Operation ended. */
export type Outcome<O> =
  | { readonly state: "completed"; readonly value: O }
  | { readonly state: "failed"; readonly error: RemoteError; readonly attempts: number }
  | { readonly state: "cancelled" | "skipped"; readonly reason: string };

/** What an acknowledged enqueue promises. */
export interface Receipt {
  /** The level that was reached: docs/guides/durability.md says what each survives. */
  readonly durability: DurabilityLevel;
  /** How many replicas have confirmed it; 0 if nobody asked. */
  readonly replicas: number;
  /** Whether the level was read from the store's settings or measured (`checked`), or somebody has only said so. */
  readonly basis: "checked" | "declared";
  /** True when this is an Operation that was there before and holds the same key. */
  readonly deduplicated: boolean;
}

/** What became of a cancel: ended at once, asked of the Worker that runs it, or too late. */
export type CancelOutcome = "cancelled" | "requested" | "already_terminal";

/** How long a cancelled Operation can still be found. */
const CANCEL_RETAIN_MS = 86_400_000;

/** A way to one Operation. */
export class Handle<O = unknown> {
  readonly #reach: Reach;
  readonly #segment: string;
  readonly #laneName: string;
  readonly #counter: number;

  /** Made by App; `new Handle` is of no use to anyone else. */
  constructor(reach: Reach, segment: string, laneName: string, counter: number) {
    this.#reach = reach;
    this.#segment = segment;
    this.#laneName = laneName;
    this.#counter = counter;
  }

  /** The Operation's id, `segment.incarnation.counter`. */
  get id(): string {
    return formatId(this.#segment, this.#laneName, this.#counter);
  }

  /** What the acknowledgement of the enqueue promised. */
  get receipt(): Receipt {
    const { level, isChecked } = this.#reach.durability();
    const basis = isChecked ? "checked" : "declared";
    return { durability: level, replicas: 0, basis, deduplicated: false };
  }

  /**
   * Waits for the end and returns the result.
   *
   * Errors: OperationFailed with the remote error, OperationCancelled, WaitTimeout (the work goes on), MR_PRUNED when
   * the result is past its retention, MR_NOT_FOUND, MR_APP_CLOSED.
   */
  async result(options: WaitOptions = {}): Promise<O> {
    const outcome = await this.wait(options);
    if (outcome.state === "completed") return outcome.value;
    if (outcome.state === "failed") {
      throw new OperationFailed({ id: this.id, attempts: outcome.attempts, remote: outcome.error });
    }
    throw new OperationCancelled({ id: this.id, reason: outcome.reason });
  }

  /** Waits for the end, whatever it is. Errors: WaitTimeout, MR_PRUNED, MR_NOT_FOUND, MR_APP_CLOSED. */
  async wait(options: WaitOptions = {}): Promise<Outcome<O>> {
    const ending = await this.#ending(options);
    switch (ending.state) {
      case "completed":
        return { state: "completed", value: resultOf(ending.value ?? NO_BYTES) as O }; // O is the Step's promise
      case "failed":
        return { state: "failed", error: remoteErrorOf(ending.value), attempts: ending.attempt };
      case "cancelled":
      case "skipped":
        return { state: ending.state, reason: reasonOf(ending.value) };
      case "pruned":
        throw createError("MR_PRUNED", { kind: "Operation", id: this.id });
      default:
        throw createError("MR_NOT_FOUND", { kind: "Operation", id: this.id });
    }
  }

  /** Reads where it stands. Errors: MR_PRUNED, MR_NOT_FOUND, MR_STORE_UNAVAILABLE, MR_APP_CLOSED. */
  async status(): Promise<StatusView> {
    await this.#reach.opened("status");
    const record = await this.#reach.finder().find(this.#segment, this.#dot);
    if (record === "pruned") throw createError("MR_PRUNED", { kind: "Operation", id: this.id });
    if (record === "missing") throw createError("MR_NOT_FOUND", { kind: "Operation", id: this.id });
    return viewOf(record);
  }

  /**
   * Cancels: what waits ends at once, what runs is told by its abort signal. After the acknowledgement no Attempt starts.
   *
   * Errors: MR_NOT_FOUND, MR_STORE_UNAVAILABLE, MR_APP_CLOSED.
   */
  async cancel(options: { readonly reason?: string } = {}): Promise<CancelOutcome> {
    await this.#reach.opened("cancel");
    const reason = String(options.reason ?? "cancelled by its caller").slice(0, 1_000);
    const params = { dots: [this.#dot], retainMs: CANCEL_RETAIN_MS, value: encodeOutcome("", 0, 0, reason, "reason") };
    const { answers } = await this.#reach.call((store) => store.cancel(this.#segment, params));
    switch (answers[0]) {
      case "cancelled":
      case "requested":
        return answers[0];
      case "terminal":
        return "already_terminal";
      default:
        throw createError("MR_NOT_FOUND", { kind: "Operation", id: this.id });
    }
  }

  /** Follows the progress notes of the running Attempt, ending with the Operation. Notes in between may be skipped. */
  async *progress(): AsyncIterable<Progress> {
    await this.#reach.opened("progress");
    const notes: Progress[] = [];
    let isOver = false;
    let failure: Error | null = null;
    let wake: () => void = () => undefined;
    const waiters = this.#reach.waiters();
    const unfollow = waiters.follow(this.#segment, this.#dot, (value) => {
      notes.push(decode(value) as Progress); // written by StepContext.progress
      if (notes.length > NOTES_MAX) notes.shift();
      wake();
    });
    const unwait = waiters.wait(this.#segment, this.#dot, {
      settled: () => {
        isOver = true;
        wake();
      },
      failed: (error) => {
        failure = error;
        wake();
      },
    });
    try {
      for (;;) {
        const note = notes.shift();
        if (note !== undefined) yield note;
        else if (failure !== null) throw failure;
        else if (isOver) return;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      unwait();
      unfollow();
    }
  }

  /** Made when asked for: most handles are only ever counted. */
  get #dot(): LocalDot {
    return { laneName: this.#laneName, counter: this.#counter };
  }

  async #ending(options: WaitOptions): Promise<Ending> {
    await this.#reach.opened("wait");
    const { signal } = options;
    signal?.throwIfAborted();
    const timeoutMs = options.timeout === undefined ? null : parseDuration(options.timeout, "wait.timeout");
    return await new Promise<Ending>((resolve, reject) => {
      const onAbort = () => finish(() => reject(signal?.reason as Error)); // a signal's reason is what its owner gave
      const timer =
        timeoutMs === null
          ? null
          : this.#reach.clock().setTimer(timeoutMs, () => {
              finish(() => reject(new WaitTimeout({ id: this.id, timeoutMs })));
            });
      const unwait = this.#reach.waiters().wait(this.#segment, this.#dot, {
        settled: (ending) => finish(() => resolve(ending)),
        failed: (error) => finish(() => reject(error)),
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      function finish(end: () => void): void {
        timer?.cancel();
        signal?.removeEventListener("abort", onAbort);
        unwait();
        end();
      }
    });
  }
}

/** A handle of an Operation that was there before and holds the same key. Rare, so that no other handle has a field for it. */
export class KeptHandle<O = unknown> extends Handle<O> {
  override get receipt(): Receipt {
    return { ...super.receipt, deduplicated: true };
  }
}

/** A handle whose enqueue was waited for beyond the store's own level. Made by app/securing.ts. */
export class SecuredHandle<O = unknown> extends Handle<O> {
  readonly #isKept: boolean;
  readonly #reached: Pick<Secured, "level" | "replicas">;
  readonly #storeLevel: StoreDurability;

  constructor(
    reach: Reach,
    segment: string,
    laneName: string,
    counter: number,
    isKept: boolean,
    reached: Pick<Secured, "level" | "replicas">,
  ) {
    super(reach, segment, laneName, counter);
    this.#isKept = isKept;
    this.#reached = reached;
    this.#storeLevel = reach.durability();
  }

  override get receipt(): Receipt {
    const { level, replicas } = this.#reached;
    // What lies above the store's own level was waited for; the store's own is as sure as its settings.
    const isMeasured = !isAtLeast(this.#storeLevel.level, level);
    const basis = isMeasured || this.#storeLevel.isChecked ? "checked" : "declared";
    return { durability: level, replicas, basis, deduplicated: this.#isKept };
  }
}

/** Notes kept for a reader that is slower than the work. */
const NOTES_MAX = 1_000;

const NO_BYTES = new Uint8Array(0);
