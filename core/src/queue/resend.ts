/**
 * Sending again: every transition is safe to repeat, so an unknown or refused call is repeated unchanged until the
 * store answers or time is up. The one place where calls other than a lane's batches are retried (lanes keep order,
 * see fast-lane.ts).
 */
import type { Clock } from "../base/clock.js";
import { isMillraceError } from "../base/errors.js";
import type { Random } from "../base/random.js";
import type { Store } from "../engine/store.js";
import type { Counters } from "./counters.js";

/** How often a call is repeated, and the time before the first repeat; before each further one it is twice as long. */
export interface Repeats {
  readonly max: number;
  readonly delayMs: number;
}

/** What resending needs of its surroundings. */
export interface ResendContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly counters: Counters;
  /** For calls of users, if they asked for it; absent: as often as time allows, as soon as the store can be called. */
  readonly repeats?: Repeats | null;
}

const PAUSE_MS_FIRST = 5;
const PAUSE_MS_MAX = 1_000;

/** Whether an error says that the same call, sent again, may succeed: refused for now, or of unknown outcome. */
export function isResendable(error: unknown): boolean {
  return isMillraceError(error, "MR_INDETERMINATE") || isMillraceError(error, "MR_STORE_UNAVAILABLE");
}

/**
 * Waits until the store can be called about a Segment (without one: at all), but not longer than `ms`.
 * Errors: MR_APP_CLOSED once the store is closed.
 */
export async function waitReady(context: ResendContext, ms: number, segment?: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const timer = context.clock.setTimer(ms, resolve);
    context.store.ready(segment).then(
      () => {
        timer.cancel();
        resolve();
      },
      (error: unknown) => {
        timer.cancel();
        reject(error);
      },
    );
  });
}

/** Waits before the n-th repeat: doubling from 5 ms to 1 s, full jitter. */
export async function pauseBefore(context: ResendContext, repeat: number): Promise<void> {
  const ceilingMs = Math.min(PAUSE_MS_MAX, PAUSE_MS_FIRST * 2 ** Math.min(repeat, 10));
  await new Promise<void>((resolve) => {
    context.clock.setTimer(context.random.next() * ceilingMs, resolve);
  });
}

/** Waits before the n-th repeat (from 0) of a call whose repeats are counted, but not longer than `msMax`. */
export async function pauseCounted(
  context: ResendContext,
  repeats: Repeats,
  repeat: number,
  msMax: number,
): Promise<void> {
  await new Promise<void>((resolve) => {
    context.clock.setTimer(Math.min(msMax, repeats.delayMs * 2 ** repeat), resolve);
  });
}

/**
 * Calls until there is an answer, or the repeats that the context allows are used up.
 *
 * Units: `timeoutMs` from the first call, Infinity to go on for ever. `segment`: what the call is about, so that only
 * the server it lives on is waited for.
 * Errors: what the call throws if repeating cannot help, or its last error when time or repeats are up; MR_APP_CLOSED.
 */
export async function resend<Answer>(
  context: ResendContext,
  timeoutMs: number,
  call: () => Promise<Answer>,
  segment?: string,
): Promise<Answer> {
  const deadlineMs = context.clock.monotonicMs() + timeoutMs;
  for (let repeat = 0; ; repeat++) {
    try {
      return await call();
    } catch (error) {
      const leftMs = deadlineMs - context.clock.monotonicMs();
      const repeats = context.repeats ?? null;
      if (!isResendable(error) || leftMs <= 0 || (repeats !== null && repeat >= repeats.max)) throw error;
      if (repeats !== null) await pauseCounted(context, repeats, repeat, leftMs);
      else {
        await waitReady(context, leftMs, segment);
        await pauseBefore(context, repeat);
      }
      context.counters.add("resends");
    }
  }
}
