/** What faults did to effects: when one was over, whether its owner died, stood still or was cut off for too long. */
import type { Effect, Lives } from "./lives.js";
import type { RunBounds } from "./run-history.js";

/** A kill is noted before it is sent, and reaches all threads of a busy machine a little later. */
const DYING_MS = 250;

/** When an effect was over: its own word, or the death of its owner or thread; unknown: when it began. */
export function endOf({ start, done }: Effect, lives: Lives): number {
  if (done !== null) return done.atMs;
  const deaths = lives.faultsOf.get(start.owner) ?? [];
  const death = deaths.find(({ fault, atMs }) => (fault === "kill" || fault === "thread") && atMs >= start.atMs);
  return death?.atMs ?? start.atMs;
}

/** Whether the process, or a thread of it, died at or after a start, and before the effect had ended. */
export function hasDied({ start, done }: Effect, lives: Lives): boolean {
  const endMs = done?.atMs ?? Number.POSITIVE_INFINITY;
  return (lives.faultsOf.get(start.owner) ?? []).some(
    ({ fault, atMs }) =>
      (fault === "kill" && atMs + DYING_MS >= start.atMs) ||
      // An outcome that was on its way is lost with its thread, too.
      (fault === "thread" && atMs + DYING_MS >= start.atMs && atMs <= endMs + DYING_MS),
  );
}

/** Whether a fault longer than a Lease leaves hit an effect's owner between its start and a moment. */
export function isHurt({ start }: Effect, untilMs: number, lives: Lives, bounds: RunBounds): boolean {
  const leastMs = bounds.leaseMs - 2 * bounds.beatMs - bounds.marginMs;
  if (stoodStill(start.owner, untilMs, leastMs, lives, start.atMs)) return true;
  return lives.harms.some(
    ({ fromMs, untilMs: healedMs, owners }) =>
      (owners === undefined || owners.length === 0 || owners.includes(start.owner)) &&
      fromMs <= untilMs &&
      healedMs >= start.atMs &&
      Math.min(healedMs, untilMs) - fromMs >= leastMs,
  );
}

/** Whether a process stood still for so long, and no longer ago than `sinceMs`, before a moment. */
export function stoodStill(owner: string, atMs: number, leastMs: number, lives: Lives, sinceMs = 0): boolean {
  const faults = lives.faultsOf.get(owner) ?? [];
  return faults.some(({ fault, atMs: stoppedMs }, i) => {
    if (fault !== "stop" || stoppedMs > atMs) return false;
    const onMs = faults.slice(i).find((one) => one.fault === "continue")?.atMs ?? Number.POSITIVE_INFINITY;
    return onMs >= sinceMs && Math.min(onMs, atMs) - stoppedMs >= leastMs;
  });
}
