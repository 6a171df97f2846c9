/**
 * Judges Workers (elsewhere: watchdog, liveness probe): stuck or only slow, and who is to blame for a death. Pure: sees
 * what it is shown, and decides; crew.ts acts.
 *
 * A loop that turns hears aborts, so a slow handler is its Worker's own affair. A loop that stands still hears nothing:
 * once it keeps an Attempt from being told that its time is over, or stands still for too long, only an end by force
 * helps. Blame falls on one Attempt or on none: those that merely were there run again.
 */
import { isMillraceError, toRemoteError } from "../base/errors.js";
import type { PoolKind } from "../workflow/step.js";
import type { LineEnd } from "./line.js";

/** Without a sign of life for so long, a loop stands still. A thread beats every 100 ms, a process every second. */
const STILL_MS = { async: 500, blocking: 500, process: 2_500 } as const satisfies Record<PoolKind, number>;

/** An Attempt as the Watch sees it. */
export interface AttemptSight {
  readonly seat: number;
  /** For how long it has run, in ms: since it was first seen to have begun. */
  readonly ranMs: number;
  /** Infinity for none. */
  readonly limitMs: number;
}

/** A Worker as the Watch sees it. */
export interface WorkerSight {
  readonly kind: PoolKind;
  /** For how long its loop has stood still, in ms. */
  readonly silentMs: number;
  /** Seat of the Attempt whose handler is being called; -1 for none. */
  readonly current: number;
  /** Attempts that have begun and not ended. */
  readonly begun: readonly AttemptSight[];
}

/** Why a Worker is ended: an Attempt's limit is over and it cannot be told · its loop has stood still for too long. */
export type StuckReason = "limit" | "silent";

/** Whom a death is laid to: the seat to blame (-1: nobody), and those who may have done it. */
export interface Blame {
  readonly culprit: number;
  readonly suspects: readonly number[];
}

/** Tells whether a Worker is stuck; null while it is fine. `stuckAfterMs` counts for async Workers only. */
export function judgeWorker(sight: WorkerSight, stuckAfterMs: number): StuckReason | null {
  const { kind, silentMs, begun } = sight;
  if (silentMs < STILL_MS[kind]) return null;
  if (begun.some(isOver)) return "limit";
  return kind === "async" && silentMs >= stuckAfterMs ? "silent" : null;
}

/**
 * Tells whom a Worker's end is laid to, as it looked when it was judged stuck, or died.
 *
 * The one whose handler was being called did it: nothing else in that thread could run. If none was, a handler that had
 * been suspended went on: it is the one past its limit, if there is just one, or the only one there. Else anyone there
 * may have done it.
 */
export function blame(sight: Pick<WorkerSight, "current" | "begun">, stuck: StuckReason | null): Blame {
  const { current, begun } = sight;
  const called = begun.find((attempt) => attempt.seat === current);
  if (called !== undefined) {
    // Its neighbours' time is over, its own is not: it may go on, but where it keeps nobody from being told.
    if (stuck === "limit" && !isOver(called)) return { culprit: -1, suspects: [called.seat] };
    return { culprit: called.seat, suspects: [] };
  }
  const over = stuck === "limit" ? begun.filter(isOver) : [];
  const [only] = over.length === 1 ? over : begun.length === 1 ? begun : [];
  if (only !== undefined) return { culprit: only.seat, suspects: [] };
  return { culprit: -1, suspects: begun.map((attempt) => attempt.seat) };
}

/** Says what a Worker died of, for its error and the log: "out of memory", "process.exit(3)", "uncaught TypeError: …". */
export function causeOf(kind: PoolKind, { code, signal, error }: LineEnd): string {
  if (isMillraceError(error)) return error.message;
  if (error !== null && error !== undefined) {
    // Anything can be thrown; not all of it can be made a text.
    const { name, message, code: errorCode } = toRemoteError(error);
    if (errorCode === "ERR_WORKER_OUT_OF_MEMORY") return "out of memory";
    return error instanceof Error ? `uncaught ${name}: ${message}` : `uncaught ${message}`;
  }
  if (signal !== null) return `killed by ${signal}`;
  return kind === "process" ? `exit code ${code}` : `process.exit(${code})`;
}

function isOver({ ranMs, limitMs }: AttemptSight): boolean {
  return ranMs > limitMs;
}
