/**
 * Durations as people write them ("250ms", "5s", "2m", "1h", "7d") and as code keeps them: whole milliseconds.
 * No month or year: their length depends on the calendar.
 */
import { createError, show } from "./errors.js";

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A unit of time in a duration's text. */
export type DurationUnit = keyof typeof UNIT_MS;

/** A duration: milliseconds, or a number with its unit. */
export type Duration = number | `${number}${DurationUnit}`;

/** How a duration is spelled, for messages and reference docs. */
export const DURATION_FORM = 'milliseconds or a text like "250ms", "5s", "2m", "1h", "7d"';

const TEXT = /^(\d{1,16}(?:\.\d{1,9})?)(ms|s|m|h|d)$/;

/**
 * Reads a duration as whole milliseconds; fractions of one are rounded.
 *
 * `path` names the option in the message.
 *
 * Errors: MR_INVALID_OPTION for anything but a finite number from 0 to 2^53 − 1 ms.
 */
export function parseDuration(value: unknown, path = "duration"): number {
  const ms = tryParseDuration(value);
  if (ms !== null) return ms;
  throw createError("MR_INVALID_OPTION", { path, problem: `expected ${DURATION_FORM}, got ${show(value)}` });
}

/** Reads a duration like `parseDuration`, or returns null if it is none. */
export function tryParseDuration(value: unknown): number | null {
  const ms = typeof value === "string" ? textToMs(value) : value;
  if (typeof ms !== "number" || !(ms >= 0 && ms <= Number.MAX_SAFE_INTEGER)) return null;
  return Math.round(ms);
}

/** Writes milliseconds in the largest unit that needs no fraction: 90000 → "90s". `parseDuration` reads it back. */
export function formatDuration(ms: number): string {
  if (ms === 0) return "0s";
  const units = Object.entries(UNIT_MS).reverse();
  const [unit, unitMs] = units.find(([, size]) => ms % size === 0) ?? ["ms", 1];
  return `${ms / unitMs}${unit}`;
}

function textToMs(text: string): number {
  const [, amount, unit] = TEXT.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return Number.NaN;
  return Number(amount) * UNIT_MS[unit as DurationUnit]; // the pattern admits these units only
}
